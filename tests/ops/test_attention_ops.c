/* rope, append and attention against their definitions in long double. */
#include "ops/attention/attention.h"
#include "ops/rope/rope.h"
#include "tests/check.h"
#include "tests/ops/definitions.h"

#include <math.h>

/* Radians per position of pair i, written down as the papers and transformers do. */
static long double frequency(const union attribute *a, long double rotated, int64_t i)
{
    long double base = (long double)a[ROTATION_BASE].real;
    long double factor = (long double)a[ROTATION_FACTOR].real;
    long double context = (long double)a[ROTATION_ORIGINAL_CONTEXT].real;
    long double pi = acosl(-1), plain = 1 / powl(base, 2 * (long double)i / rotated);
    long double wavelength = 2 * pi / plain;
    if (a[ROTATION_SCALING].integer == SCALING_LINEAR) return plain / factor;
    if (a[ROTATION_SCALING].integer == SCALING_LLAMA3) {
        long double low = (long double)a[ROTATION_LOW_FACTOR].real;
        long double high = (long double)a[ROTATION_HIGH_FACTOR].real;
        if (wavelength < context / high) return plain;
        if (wavelength > context / low) return plain / factor;
        long double smooth = (context / wavelength - low) / (high - low);
        return (1 - smooth) * plain / factor + smooth * plain;
    }
    if (a[ROTATION_SCALING].integer == SCALING_YARN) {
        long double low = rotated *
                          logl(context / ((long double)a[ROTATION_BETA_FAST].real * 2 * pi)) /
                          (2 * logl(base));
        long double high = rotated *
                           logl(context / ((long double)a[ROTATION_BETA_SLOW].real * 2 * pi)) /
                           (2 * logl(base));
        if (a[ROTATION_TRUNCATE].integer) low = floorl(low), high = ceill(high);
        if (low < 0) low = 0;
        if (high > rotated - 1) high = rotated - 1;
        if (low == high) high += 0.001L;
        long double ramp = ((long double)i - low) / (high - low);
        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        return plain / factor * ramp + plain * (1 - ramp);
    }
    return plain;
}

static long double definition_rope(const struct operands *o, int output, int64_t r, int64_t c)
{
    const union attribute *a = o->problem->attributes + ROPE_ROTATION;
    int64_t size = a[ROTATION_HEAD_SIZE].integer, within = c % size;
    int64_t rotated = a[ROTATION_ROTATED].integer ? a[ROTATION_ROTATED].integer : size;
    const float *x = o->values[ROPE_X] + r * columns_of(o, ROPE_X) + c;
    bool halves = a[ROTATION_PAIRING].integer == PAIRING_HALVES;
    (void)output;
    within -= a[ROTATION_FIRST].integer;
    if (within < 0 || within >= rotated) return (long double)x[0];
    int64_t pair = halves ? within % (rotated / 2) : within / 2;
    bool second = halves ? within >= rotated / 2 : within % 2;
    int64_t distance = halves ? rotated / 2 : 1;
    long double scale = (long double)a[ROTATION_ATTENTION_FACTOR].real;
    bool longer = a[ROTATION_SCALING].integer == SCALING_LONG;
    if (scale == 0 && longer)
        scale = sqrtl(1 + logl((long double)a[ROTATION_FACTOR].real) /
                              logl((long double)a[ROTATION_ORIGINAL_CONTEXT].real));
    if (scale == 0) scale = 0.1L * logl((long double)a[ROTATION_FACTOR].real) + 1;
    if (a[ROTATION_SCALING].integer != SCALING_YARN && !longer) scale = 1;
    long double angle =
        (long double)o->values[ROPE_POSITIONS][r] * frequency(a, (long double)rotated, pair);
    if (o->values[ROPE_FACTORS]) angle /= (long double)o->values[ROPE_FACTORS][pair];
    if (second)
        return scale * ((long double)x[-distance] * sinl(angle) + (long double)x[0] * cosl(angle));
    return scale * ((long double)x[0] * cosl(angle) - (long double)x[distance] * sinl(angle));
}

/* The decoded row of a state for position j of the sequence of row r. */
static const float *state_row(const struct operands *o, int state, int64_t r, int64_t j)
{
    const struct tensor_type *type = &o->problem->operands[state].type;
    int64_t page_tokens = type->shape[1].scale, stride = columns_of(o, ATTENTION_PAGES);
    int64_t sequence = (int64_t)o->values[ATTENTION_SEQUENCES][r];
    int64_t page = (int64_t)o->values[ATTENTION_PAGES][sequence * stride + j / page_tokens];
    return o->values[state] + (page * page_tokens + j % page_tokens) * type->shape[2].scale;
}

enum { CONTEXT_MOST = 512 };

/* Probabilities of one row and head, kept for the columns that follow. */
struct probabilities {
    const struct op_trial *trial;
    int64_t row, head, first, end;
    long double values[CONTEXT_MOST];
};

static void make_probabilities(const struct operands *o, struct probabilities *p)
{
    struct attention_shape shape = attention_shape_of(o->problem->attributes);
    int64_t group = p->head / (shape.heads / shape.kv_heads);
    const float *q = o->values[ATTENTION_Q] + (p->row * shape.heads + p->head) * shape.head_size;
    long double largest = -INFINITY, sum = 0;
    p->end = (int64_t)o->values[ATTENTION_POSITIONS][p->row] + 1;
    p->first = shape.window && p->end > shape.window ? p->end - shape.window : 0;
    assert_true(p->end <= CONTEXT_MOST);
    for (int64_t j = p->first; j < p->end; j++) {
        const float *k = state_row(o, ATTENTION_K_STATE, p->row, j) + group * shape.head_size;
        long double score = 0;
        for (int64_t c = 0; c < shape.head_size; c++)
            score += (long double)q[c] * (long double)k[c];
        score *= (long double)shape.scale;
        if (shape.softcap > 0)
            score = (long double)shape.softcap * tanhl(score / (long double)shape.softcap);
        p->values[j] = score;
        largest = fmaxl(largest, score);
    }
    for (int64_t j = p->first; j < p->end; j++) sum += p->values[j] = expl(p->values[j] - largest);
    if (o->values[ATTENTION_SINKS])
        sum += expl((long double)o->values[ATTENTION_SINKS][p->head] - largest);
    for (int64_t j = p->first; j < p->end; j++) p->values[j] /= sum;
}

static long double definition_attention(const struct operands *o, int output, int64_t r, int64_t c)
{
    static struct probabilities p;
    struct attention_shape shape = attention_shape_of(o->problem->attributes);
    int64_t head = c / shape.value_size, group = head / (shape.heads / shape.kv_heads);
    (void)output;
    if (p.trial != o->trial || p.row != r || p.head != head) {
        p.trial = o->trial;
        p.row = r;
        p.head = head;
        make_probabilities(o, &p);
    }
    bool in_keys = o->problem->attributes[ATTENTION_VALUES_IN_KEYS].integer;
    int64_t column = group * (in_keys ? shape.head_size : shape.value_size) + c % shape.value_size;
    long double sum = 0;
    for (int64_t j = p.first; j < p.end; j++)
        sum += p.values[j] * (long double)state_row(o, ATTENTION_V_STATE, r, j)[column];
    return sum;
}

static const struct definition_row definitions[] = {
    {"rope", definition_rope, 0},
    {"attention", definition_attention, 0},
    {NULL, NULL, 0},
};

static void test_rope(void **state)
{
    (void)state;
    for (int c = 0; !strncmp(position_cases[c].text, "rope(", 5); c++)
        check_definition(&position_cases[c], definitions);
}

static void test_attention(void **state)
{
    (void)state;
    for (int c = 0; attention_cases[c].text; c++)
        check_definition(&attention_cases[c], definitions);
    for (int c = 0; attention_rare_cases[c].text; c++)
        check_definition(&attention_rare_cases[c], definitions);
}

/* Which row of x, if any, belongs into row `row` of the state. */
static int64_t source_row(const struct op_trial *trial, int positions, int64_t page_tokens,
                          int64_t row)
{
    const int32_t *position = trial->originals[positions],
                  *sequence = trial->originals[positions + 1];
    const int32_t *pages = trial->originals[positions + 2];
    for (int64_t r = 0; r < trial->run.symbols[SYMBOL_ROWS]; r++) {
        int64_t page =
            pages[sequence[r] * trial->run.symbols[SYMBOL_STRIDE] + position[r] / page_tokens];
        if (page == row / page_tokens && position[r] % page_tokens == row % page_tokens) return r;
    }
    return -1;
}

static void check_append(const struct op_case *op_case, int64_t rows)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {rows, op_case->context, op_case->sequences};
    struct op_trial *trial;
    struct problem *problem;
    int64_t most = 3, found = 0;
    CHECK_OK(op_case_problem(op_case->text, rows, op_case->context, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 11, arena, &trial, &diagnostic));
    CHECK_OK(op_trial_check(trial, op_run_pieces, &most, 0, &diagnostic));
    const struct tensor_type *type = &problem->operands[4].type;
    int64_t width = type->shape[2].scale, page_tokens = type->shape[1].scale;
    int64_t row_bytes = element_row_bytes(type->element, width);
    unsigned char *encoded = arena_allocate(arena, (size_t)row_bytes, 1);
    for (int64_t row = 0; row < trial->run.symbols[SYMBOL_PAGES] * page_tokens; row++) {
        int64_t r = source_row(trial, 1, page_tokens, row);
        const char *expected = (const char *)trial->originals[4] + row * row_bytes;
        if (r >= 0) {
            element_encode_row(type->element, (const float *)trial->originals[0] + r * width, width,
                               encoded);
            expected = (const char *)encoded;
            found++;
        }
        assert_memory_equal((const char *)trial->expected[4] + row * row_bytes, expected,
                            (size_t)row_bytes);
    }
    assert_int_equal(found, rows);
    arena_destroy(arena);
}

static void test_append(void **state)
{
    (void)state;
    for (int c = 0; position_cases[c].text; c++)
        for (int i = 0; op_case_rows[i]; i++)
            if (!strncmp(position_cases[c].text, "append(", 7) &&
                op_case_rows[i] <= position_cases[c].rows_most)
                check_append(&position_cases[c], op_case_rows[i]);
}

/* Rows that some token of the batch sees, by the tables. */
static void mark_visible(const struct op_trial *trial, int64_t page_tokens, bool *visible)
{
    const int32_t *positions = trial->originals[ATTENTION_POSITIONS];
    const int32_t *sequences = trial->originals[ATTENTION_SEQUENCES];
    const int32_t *pages = trial->originals[ATTENTION_PAGES];
    for (int64_t r = 0; r < trial->run.symbols[SYMBOL_ROWS]; r++)
        for (int64_t j = 0; j <= positions[r]; j++) {
            int64_t page =
                pages[sequences[r] * trial->run.symbols[SYMBOL_STRIDE] + j / page_tokens];
            visible[page * page_tokens + j % page_tokens] = true;
        }
}

/* Filled states are random where a token looks and stale everywhere else. */
static void test_filled_state(void **state)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 30, .context = 61, .sequences = 4};
    struct problem *problem;
    struct op_trial *trial;
    (void)state;
    CHECK_OK(op_case_problem("attention(f32[tokens,32], i32[tokens], i32[tokens], "
                             "i32[sequences,stride], f32[pages,7,8], f32[pages,7,8]) "
                             "{heads=4 kv_heads=1 head_size=8}",
                             30, 61, arena, &problem, &diagnostic));
    for (uint64_t seed = 0; seed < 20; seed++) {
        CHECK_OK(op_trial_create(problem, &step, seed, arena, &trial, &diagnostic));
        int64_t rows = trial->run.symbols[SYMBOL_PAGES] * 7;
        const float *values = trial->originals[ATTENTION_V_STATE];
        bool *visible = arena_allocate(arena, (size_t)rows, sizeof *visible);
        mark_visible(trial, 7, visible);
        for (int64_t row = 0; row < rows; row++)
            for (int64_t c = 0; c < 8; c++)
                assert_true((fabsf(values[row * 8 + c]) <= 1) == visible[row]);
    }
    arena_destroy(arena);
}

/* One page that holds a whole sequence gives the same bits as many small ones. */
static void test_pages_do_not_matter(void **state)
{
    static const char text[] = "attention(f32[tokens,64], i32[tokens], i32[tokens], "
                               "i32[sequences,stride], f16[pages,%d,32], f16[pages,%d,32]) "
                               "{heads=4 kv_heads=2 head_size=16}";
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 9, .context = 60, .sequences = 1};
    struct problem *small, *large;
    struct op_trial *pages, *whole;
    (void)state;
    const char *small_text = arena_print(arena, text, 7, 7),
               *large_text = arena_print(arena, text, 64, 64);
    CHECK_OK(op_case_problem(small_text, 9, 60, arena, &small, &diagnostic));
    CHECK_OK(op_case_problem(large_text, 9, 60, arena, &large, &diagnostic));
    CHECK_OK(op_trial_create(small, &step, 3, arena, &pages, &diagnostic));
    CHECK_OK(op_trial_create(large, &step, 3, arena, &whole, &diagnostic));
    const int32_t *table = pages->originals[ATTENTION_PAGES];
    int64_t page = ((const int32_t *)whole->originals[ATTENTION_PAGES])[0], row_bytes = 64;
    for (int i = ATTENTION_K_STATE; i <= ATTENTION_V_STATE; i++)
        for (int64_t j = 0; j < 60; j++)
            memcpy((char *)whole->originals[i] + (page * 64 + j) * row_bytes,
                   (const char *)pages->originals[i] +
                       ((int64_t)table[j / 7] * 7 + j % 7) * row_bytes,
                   (size_t)row_bytes);
    memcpy(whole->expected[ATTENTION_Y], pages->expected[ATTENTION_Y],
           (size_t)pages->bytes[ATTENTION_Y]);
    CHECK_OK(op_trial_check(whole, op_run_pieces, &(int64_t){4}, 0, &diagnostic));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_filled_state),
        cmocka_unit_test(test_pages_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

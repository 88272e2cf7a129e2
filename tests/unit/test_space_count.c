/* Spaces: exact counting of large and of random spaces, numbering, visiting. */
#include "base/random.h"
#include "tests/check.h"
#include "tests/unit/space_harness.h"

#include <math.h>
#include <time.h>

/* 10^8 raw configs under ten rules of every kind. */
static const char large_space[] =
    "variant: large_cpu\n"
    "op: linear\n"
    "target: cpu\n"
    "tunables:\n"
    "  a: {values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n"
    "  b: {values: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]}\n"
    "  c: {values: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]}\n"
    "  d: {values: [8, 16, 24, 32, 40, 48, 56, 64, 72, 80]}\n"
    "  e: {values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
    "  f: {values: [1, 2, 3, 5, 7, 11, 13, 17, 19, 23]}\n"
    "  g: {values: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]}\n"
    "  h: {values: [p, q, r, s, t, u, v, w, x0, y0]}\n"
    "let:\n"
    "  tile: a * b\n"
    "  memory: tile * 4 + c * d * 8\n"
    "rules:\n"
    "  - {require: memory <= 4096, class: hardware, reason: memory}\n"
    "  - {require: tile % c == 0, class: algorithm, reason: whole tiles}\n"
    "  - {require: d % 16 == 0 or c > 4, class: algorithm, reason: alignment}\n"
    "  - {require: e <= a, class: algorithm, reason: stages}\n"
    "  - {require: e == 0 or (a + c) % e != 1, class: algorithm, reason: guarded division}\n"
    "  - {require: f * g < 120, class: hardware, reason: registers}\n"
    "  - {require: h != p or g > 2, class: algorithm, reason: words}\n"
    "  - {require: \"min(b, d) >= 2 and max(e, g) != 7\", class: algorithm, reason: bounds}\n"
    "  - {require: (a if g < 8 else c) + f <= 30, class: algorithm, reason: choice}\n"
    "  - {require: \"ceil_div(tile, f) + h < 600\", class: algorithm, reason: everything}\n"
    "estimate: tile * 1e-9\n";

struct large_config {
    int64_t a, b, c, d, e, f, g, h;
};

/* The rules again, in C. */
static bool large_legal(const struct large_config *x)
{
    int64_t tile = x->a * x->b, memory = tile * 4 + x->c * x->d * 8;
    if (memory > 4096 || tile % x->c != 0) return false;
    if (x->d % 16 != 0 && x->c <= 4) return false;
    if (x->e > x->a) return false;
    if (x->e != 0 && (x->a + x->c) % x->e == 1) return false;
    if (x->f * x->g >= 120) return false;
    if (x->h == 0 && x->g <= 2) return false;
    if ((x->b < x->d ? x->b : x->d) < 2 || (x->e > x->g ? x->e : x->g) == 7) return false;
    if ((x->g < 8 ? x->a : x->c) + x->f > 30) return false;
    return (tile + x->f - 1) / x->f + x->h < 600;
}

/* `marginals`: how many legal configs have the v-th value of the t-th tunable. */
static uint64_t large_count_plainly(uint64_t marginals[8][10])
{
    static const int64_t b[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512},
                         c[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32},
                         f[] = {1, 2, 3, 5, 7, 11, 13, 17, 19, 23};
    uint64_t count = 0;
    for (int64_t i = 0; i < 100000000; i++) {
        int64_t digits = i, digit[8];
        for (int t = 0; t < 8; t++, digits /= 10) digit[t] = digits % 10;
        struct large_config x = {digit[0] + 1, b[digit[1]], c[digit[2]],  (digit[3] + 1) * 8,
                                 digit[4],     f[digit[5]], digit[6] * 2, digit[7]};
        if (!large_legal(&x)) continue;
        count++;
        for (int t = 0; t < 8; t++) marginals[t][digit[t]]++;
    }
    return count;
}

static struct large_config large_of(const struct config *config)
{
    const int64_t *v = config->values;
    return (struct large_config){v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]};
}

static void bind_large(struct arena *arena, struct bound_space *bound)
{
    static struct device_facts facts;
    struct diagnostic diagnostic = {0};
    struct space *space;
    const char *reason;
    facts = test_facts(true);
    CHECK_OK(read_text(large_space, arena, &space, &diagnostic));
    assert_int_equal(space_raw_count(space), 100000000);
    if (!space_bind(space, parse_problem(linear_problem, arena), &facts, arena, bound, &reason))
        CHECK_FAIL("%s", reason);
}

/* The sum that chi-square's distribution describes, for even draws; its values are below `limit` but in one case of 10^4. */
static void check_even(const char *what, const uint64_t *seen, const double *expected, int count,
                       double limit)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        if (expected[i] > 0) sum += pow((double)seen[i] - expected[i], 2) / expected[i];
    if (sum > limit) CHECK_FAIL("%s: chi-square %.1f above %.1f", what, sum, limit);
}

enum { DRAWS = 20000 };

static void a_hundred_million_configs_are_counted_and_drawn(void **unused)
{
    (void)unused;
    static uint64_t marginals[8][10], seen[8][10];
    const size_t most_bytes = 64 << 20;
    struct arena *arena = arena_create(0);
    struct bound_space bound;
    double start = (double)clock() / CLOCKS_PER_SEC;
    bind_large(arena, &bound);
    uint64_t count = space_count(&bound);
    double counted = (double)clock() / CLOCKS_PER_SEC - start;
    for (uint64_t n = 0; n < DRAWS; n++) {
        struct config config;
        assert_true(space_unrank(&bound, random_bits(11, 3, n) % count, &config));
        for (int t = 0; t < 8; t++)
            seen[t][tunable_index(&bound.space->tunables[t], config.values[t])]++;
    }
    double seconds = (double)clock() / CLOCKS_PER_SEC - start;
    uint64_t expected = large_count_plainly(marginals);
    print_message(
        "%llu of 10^8 configs are legal, counted in %.1f ms, %d drawn in %.1f ms, %zu KiB\n",
        (unsigned long long)count, counted * 1e3, DRAWS, (seconds - counted) * 1e3,
        arena_bytes(arena) >> 10);
    if (count != expected)
        CHECK_FAIL("counted %llu, there are %llu", (unsigned long long)count,
                   (unsigned long long)expected);
    assert_true(seconds < 1);
    assert_true(arena_bytes(arena) < most_bytes);
    for (int t = 0; t < 8; t++) {
        double wanted[10];
        for (int v = 0; v < 10; v++) wanted[v] = (double)marginals[t][v] / (double)count * DRAWS;
        check_even(bound.space->tunables[t].name, seen[t], wanted, 10, 33.7); /* 9 degrees */
    }
    arena_destroy(arena);
}

/* In a small space every single config. */
static void draws_are_even_over_all_configs(void **unused)
{
    (void)unused;
    enum { CONFIGS = 22, EACH = 500 };
    static uint64_t seen[CONFIGS];
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct space *space;
    struct bound_space bound;
    const char *reason;
    struct device_facts facts = test_facts(true);
    double wanted[CONFIGS];
    CHECK_OK(read_text(small_text(arena), arena, &space, &diagnostic));
    assert_true(
        space_bind(space, parse_problem(linear_problem, arena), &facts, arena, &bound, &reason));
    assert_true(space_count(&bound) == CONFIGS);
    for (uint64_t n = 0; n < CONFIGS * EACH; n++) {
        struct config config;
        uint64_t rank;
        assert_true(space_unrank(&bound, random_bits(12, 3, n) % CONFIGS, &config));
        assert_true(space_rank(&bound, &config, &rank));
        seen[rank]++;
    }
    for (int c = 0; c < CONFIGS; c++) wanted[c] = EACH;
    check_even("all configs", seen, wanted, CONFIGS, 54); /* 21 degrees */
    arena_destroy(arena);
}

static void ranks_number_the_legal_configs(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct bound_space bound;
    bind_large(arena, &bound);
    uint64_t count = space_count(&bound);
    for (uint64_t n = 0; n < 2000; n++) {
        uint64_t rank = n < 10 ? n : n < 20 ? count - 1 - (n - 10) : random_bits(1, 2, n) % count;
        struct config config;
        assert_true(space_unrank(&bound, rank, &config));
        struct large_config x = large_of(&config);
        if (!large_legal(&x)) CHECK_FAIL("rank %llu is not legal", (unsigned long long)rank);
        uint64_t back = 0;
        assert_true(space_rank(&bound, &config, &back));
        assert_true(back == rank);
    }
    struct config config;
    assert_false(space_unrank(&bound, count, &config));
    assert_false(space_unrank(&bound, UINT64_MAX, &config));
    arena_destroy(arena);
}

struct enumeration {
    const struct bound_space *bound;
    uint64_t next, limit;
};

static bool check_next(void *context, const struct config *config)
{
    struct enumeration *enumeration = context;
    uint64_t rank = 0;
    assert_true(space_rank(enumeration->bound, config, &rank));
    assert_true(rank == enumeration->next);
    return ++enumeration->next < enumeration->limit;
}

static void visiting_follows_the_ranks(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct space *space;
    struct bound_space bound;
    const char *reason;
    struct device_facts facts = test_facts(true);
    CHECK_OK(read_text(small_text(arena), arena, &space, &diagnostic));
    assert_true(
        space_bind(space, parse_problem(linear_problem, arena), &facts, arena, &bound, &reason));
    struct enumeration enumeration = {.bound = &bound, .limit = UINT64_MAX};
    space_each(&bound, check_next, &enumeration);
    assert_int_equal(enumeration.next, 22);
    bind_large(arena, &bound);
    enumeration = (struct enumeration){.bound = &bound, .limit = 500};
    space_each(&bound, check_next, &enumeration);
    assert_int_equal(enumeration.next, 500);
    arena_destroy(arena);
}

/* Appends a form with X, Y and Z replaced by names of tunables and N by a number. */
static void append_rule(struct text *text, const char *form, const char *const *names, int limit)
{
    for (; *form; form++) {
        if (*form >= 'X' && *form <= 'Z')
            text_append(text, names[*form - 'X']);
        else if (*form == 'N')
            text_print(text, "%d", limit);
        else
            text_print(text, "%c", *form);
    }
}

/* Random rules over a few small tunables: counting against trying every config. */
static const char *random_space(struct arena *arena, uint64_t seed)
{
    static const char *const forms[] = {
        "X * Y <= N",  "X + Y * Z != N",    "X % (Y + 1) != 1", "X < Y or Z > 2",
        "l0 + X <= N", "l1 != Y and X < 9", "X % Y == 0",       "(X > 2.5) or Y < 4",
    };
    static const char *const names[] = {"t0", "t1", "t2", "t3", "t4", "t5"};
    struct text text = {.arena = arena};
    uint64_t n = 0;
#define DRAW(limit) (random_bits(seed, 7, n++) % (limit))
    text_append(&text, "variant: random_cpu\nop: linear\ntarget: cpu\ntunables:\n");
    for (int t = 0; t < 6; t++) {
        text_print(&text, "  %s: {values: [", names[t]);
        int count = 1 + (int)DRAW(5), first = (int)DRAW(3);
        for (int v = 0; v < count; v++) text_print(&text, "%s%d", v ? ", " : "", first + v);
        text_append(&text, "]}\n");
    }
    text_append(&text, "let:\n  l0: t1 * t3 - t5\n  l1: l0 / (t2 + 1)\nrules:\n");
    int rules = 1 + (int)DRAW(6);
    for (int r = 0; r < rules; r++) {
        const char *form = forms[DRAW(sizeof forms / sizeof *forms)];
        const char *const chosen[] = {names[DRAW(6)], names[DRAW(6)], names[DRAW(6)]};
        text_append(&text, "  - {require: \"");
        append_rule(&text, form, chosen, (int)DRAW(20));
        text_append(&text, "\", class: algorithm, reason: r}\n");
    }
#undef DRAW
    text_append(&text, "estimate: \"1\"\n");
    return text_finish(&text);
}

static void random_spaces_are_counted_exactly(void **unused)
{
    (void)unused;
    struct device_facts facts = test_facts(true);
    int empty = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct diagnostic diagnostic = {0};
        struct arena *arena = arena_create(0);
        struct space *space;
        struct bound_space bound;
        const char *reason, *text = random_space(arena, seed);
        CHECK_OK(read_text(text, arena, &space, &diagnostic));
        bool bindable =
            space_bind(space, parse_problem(linear_problem, arena), &facts, arena, &bound, &reason);
        if (!bindable && strcmp(reason, "no config is legal") != 0)
            CHECK_FAIL("seed %d: %s\n%s", (int)seed, reason, text);
        uint64_t expected = 0;
        for (uint64_t i = 0; i < space_raw_count(space); i++) {
            struct config config = {0};
            uint64_t digits = i;
            for (int t = 0; t < space->tunable_count; t++) {
                const struct tunable *tunable = &space->tunables[t];
                config.values[t] = tunable->values[digits % (uint64_t)tunable->value_count];
                digits /= (uint64_t)tunable->value_count;
            }
            expected += !space_check(&bound, &config);
        }
        uint64_t count = space_count(&bound);
        if (count != expected || bindable != (expected > 0))
            CHECK_FAIL("seed %d: counted %d of %d\n%s", (int)seed, (int)count, (int)expected, text);
        struct enumeration enumeration = {.bound = &bound, .limit = UINT64_MAX};
        space_each(&bound, check_next, &enumeration);
        assert_true(enumeration.next == count);
        empty += !bindable;
        arena_destroy(arena);
    }
    print_message("300 random spaces, %d of them empty\n", empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_million_configs_are_counted_and_drawn),
        cmocka_unit_test(draws_are_even_over_all_configs),
        cmocka_unit_test(ranks_number_the_legal_configs),
        cmocka_unit_test(visiting_follows_the_ranks),
        cmocka_unit_test(random_spaces_are_counted_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

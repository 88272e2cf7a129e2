/* Problems and buckets: canonical text, parsing it back, keys, sizes. */
#include "ir/bucket.h"
#include "ir/layout.h"
#include "ir/problem.h"
#include "tests/unit/fake_ops.h"

static const char sample[] = "graph sample\n"
                             "input x: f32[tokens,64]\n"
                             "input chosen: i32[outputs]\n"
                             "input pages: i32[sequences,stride]\n"
                             "weight w: q8_0[96,64]\n"
                             "weight packed: q8_0[96,64]@interleave16\n"
                             "state k: f16[pages,32,64] layer 0\n"
                             "state flat: f32[sequences,8]\n"
                             "y = linear(x, w, _, _) layer 0\n"
                             "z = linear(x, packed, _, y) layer 0\n"
                             "p = map(x) {scale=0.125 steps=3 mode=gelu} layer 0\n"
                             "r = read(x, k) layer 0\n"
                             "f = read(x, flat) layer 0\n"
                             "g = map(w) {steps=1}\n"
                             "o = map(chosen) {steps=1}\n"
                             "a, b = split(x, y)\n"
                             "c = split(x, _)\n"
                             "write(x, k)\n"
                             "u = read(x, pages)\n"
                             "output z\n";

struct expectation {
    const char *node;
    int64_t rows, context;
    const char *text;
};

static const struct expectation expectations[] = {
    {"y", 1, 4096, "linear(f32[rows,64], q8_0[96,64], _, _) -> f32[rows,96] rows<=1"},
    {"z", 256, 0,
     "linear(f32[rows,64], q8_0[96,64]@interleave16, _, f32[rows,96]) -> f32[rows,96] rows<=256"},
    {"p", 4, 1024, "map(f32[rows,64]) -> f32[rows,64] {scale=0.125 steps=3 mode=gelu} rows<=4"},
    {"r", 16, 1024, "read(f32[rows,64], f16[pages,32,64]) -> f32[rows,64] rows<=16 context<=1024"},
    {"f", 1, 8192,
     "read(f32[rows,64], state f32[sequences,8]) -> f32[rows,64] rows<=1 context<=8192"},
    {"g", 64, 0, "map(q8_0[96,64]) -> q8_0[96,64] {scale=1 steps=1 mode=none} rows<=96"},
    {"o", 64, 0, "map(i32[rows]) -> i32[rows] {scale=1 steps=1 mode=none} rows<=64"},
    {"a", 4, 0, "split(f32[rows,64], f32[rows,96]) -> f32[rows,64], f32[rows,96] rows<=4"},
    {"c", 4, 0, "split(f32[rows,64], _) -> f32[rows,64], _ rows<=4"},
    {"u", 4, 0, "read(f32[rows,64], i32[sequences,stride]) -> f32[rows,64] rows<=4"},
};
enum { EXPECTATION_COUNT = sizeof expectations / sizeof *expectations };

static struct graph *parse_sample(struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct graph *graph;
    CHECK_OK(graph_parse("sample", sample, fake_ops, arena, &graph, &diagnostic));
    return graph;
}

static const struct node *node_of(const struct graph *graph, const char *result)
{
    return &graph->nodes[graph->values[graph_find_value(graph, result)].producer];
}

static bool same_operand(const struct operand *a, const struct operand *b)
{
    return a->present == b->present && a->kind == b->kind && a->residency == b->residency &&
           (!a->present || tensor_type_equal(&a->type, &b->type));
}

static void check_parses_back(const struct problem *problem, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct problem *back;
    CHECK_OK(problem_parse(problem->text, fake_ops, arena, &back, &diagnostic));
    CHECK_TEXT(back->text, problem->text);
    assert_true(hash_equal(back->key, problem->key));
    assert_true(back->rows == problem->rows && back->context == problem->context);
    assert_true(attributes_equal(back->op, back->attributes, problem->attributes));
    assert_int_equal(back->input_count, problem->input_count);
    assert_int_equal(back->output_count, problem->output_count);
    for (int i = 0; i < problem->input_count + problem->output_count; i++)
        assert_true(same_operand(&back->operands[i], &problem->operands[i]));
}

static void problems_have_canonical_texts(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct graph *graph = parse_sample(arena);
    struct hash keys[EXPECTATION_COUNT];
    for (int e = 0; e < EXPECTATION_COUNT; e++) {
        const struct expectation *expected = &expectations[e];
        struct diagnostic diagnostic = {0};
        struct problem *problem;
        CHECK_OK(problem_create(graph, node_of(graph, expected->node), expected->rows,
                                expected->context, arena, &problem, &diagnostic));
        CHECK_TEXT(problem->text, expected->text);
        check_parses_back(problem, arena);
        keys[e] = problem->key;
        for (int other = 0; other < e; other++) assert_false(hash_equal(keys[e], keys[other]));
    }
    arena_destroy(arena);
}

static void a_state_that_is_written_has_no_result(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct graph *graph = parse_sample(arena);
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    const struct node *node = NULL;
    for (int n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].op == &fake_write) node = &graph->nodes[n];
    CHECK_OK(problem_create(graph, node, 4, 1024, arena, &problem, &diagnostic));
    CHECK_TEXT(problem->text, "write(f32[rows,64], f16[pages,32,64]) rows<=4 context<=1024");
    assert_true(problem->operands[1].residency == RESIDENCY_COLD);
    assert_true(problem->operands[0].residency == RESIDENCY_HOT);
    check_parses_back(problem, arena);
    CHECK_REFUSED(problem_create(graph, node, 0, 0, arena, &problem, &diagnostic), STATUS_BAD_INPUT,
                  "write: no problem has 0 rows");
    CHECK_REFUSED(problem_create(graph, node, 1, -1, arena, &problem, &diagnostic),
                  STATUS_BAD_INPUT, "context -1");
    arena_destroy(arena);
}

static void sizes_are_at_the_bounds(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct graph *graph = parse_sample(arena);
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(problem_create(graph, node_of(graph, "r"), 16, 1000, arena, &problem, &diagnostic));
    int64_t symbols[SYMBOL_COUNT];
    problem_symbols(problem, symbols);
    assert_int_equal(symbols[SYMBOL_ROWS], 16);
    assert_int_equal(symbols[SYMBOL_SEQUENCES], 1);
    assert_int_equal(symbols[SYMBOL_PAGES], 32); /* 1000 tokens in pages of 32 */
    assert_int_equal(problem_operand_bytes(problem, 0), 16 * 64 * 4);
    assert_int_equal(problem_operand_bytes(problem, 1), 32 * 32 * 64 * 2);
    assert_int_equal(problem_dimension(problem, 0, 0), 16);
    assert_int_equal(problem_dimension(problem, 0, 1), 64);
    assert_true(problem_cost(problem).bytes == 2);
    CHECK_OK(problem_create(graph, node_of(graph, "y"), 1, 0, arena, &problem, &diagnostic));
    assert_int_equal(problem_operand_bytes(problem, 2), 0);
    arena_destroy(arena);
}

struct refusal {
    const char *text, *message;
};

static const struct refusal refusals[] = {
    {"", "problem:1:1: expected an operator, found the end of the text"},
    {"nothing(f32[rows,4]) rows<=1", "problem:1:1: there is no operator nothing"},
    {"add(f32[rows,4]) -> f32[rows,4] rows<=1", "problem:1:16: expected ',', found ')'"},
    {"add(f32[rows,4], _) -> f32[rows,4] rows<=1", "problem:1:18: operand y is missing"},
    {"add(f32[rows,4], f32[rows,5]) -> f32[rows,4] rows<=1", "add: x and y differ"},
    {"add(f32[rows,4], f32[rows,4]) -> f32[rows,5] rows<=1", "output sum does not follow"},
    {"add(f32[rows,4], f32[rows,4]) -> _ rows<=1", "output sum does not follow"},
    {"add(f32[rows,4], f32[rows,4]) rows<=1", "problem:1:31: expected '->', found 'r'"},
    {"add(f32[rows,4], f32[rows,4]) -> f32[rows,4]", "expected 'rows<=', found the end"},
    {"add(f32[rows,4], f32[rows,4]) -> f32[rows,4] rows<=0", "expected rows from 1 to"},
    {"add(f32[rows,4], f32[rows,4]) -> f32[rows,4] rows<=99999999999", "expected rows from 1 to"},
    {"add(f32[rows,4], f32[rows,4]) -> f32[rows,4] rows<=1 context<=-1", "expected a context"},
    {"add(f32[rows,4], f32[rows,4]) -> f32[rows,4] rows<=1 more",
     "problem:1:54: the problem should"},
    {"add(f32[rows,4], f32[rows,4]) -> f32[rows,4] rows<=1\n", "should end here"},
    {"add(f32[tokens,4], f32[tokens,4]) -> f32[tokens,4] rows<=1",
     "must begin with rows, not tokens"},
    {"map(f32[rows,4]) -> f32[rows,4] rows<=1", "map needs the attribute steps"},
    {"map(f32[rows,4]) -> f32[rows,4] {steps=9} rows<=1", "steps of map is 9; it must be 1 to 8"},
    {"map(f32[rows,4]) -> f32[rows,4] {steps=1 steps=1} rows<=1", "1:42: steps is there twice"},
    {"map(f32[rows,4]) -> f32[rows,4] {steps=1 speed=1} rows<=1",
     "1:42: map has no attribute speed"},
    {"map(f32[rows,4]) -> f32[rows,4] {steps=1.5} rows<=1", "1:40: steps must be an integer"},
    {"map(f32[rows,4]) -> f32[rows,4] {steps=1 scale=x} rows<=1", "1:48: scale must be a number"},
    {"map(f32[rows,4]) -> f32[rows,4] {steps=1 mode=9} rows<=1", "mode must be one of its words"},
    {"map(f33[rows,4]) -> f32[rows,4] {steps=1} rows<=1",
     "problem:1:5: there is no element type f33"},
    {"map(f32[lines,4]) -> f32[rows,4] {steps=1} rows<=1", "problem:1:9: lines is not a size"},
    {"map(f32[1,1,1,1,1]) -> f32[rows,4] {steps=1} rows<=1", "more than 4 dimensions"},
    {"map(f32[0]) -> f32[0] {steps=1} rows<=1", "expected a size from 1"},
    {"map(q8_0[rows,33]) -> f32[0] {steps=1} rows<=1", "must be a constant multiple of 32"},
    {"map(f32[rows,4]@columns) -> f32[rows,4] {steps=1} rows<=1", "there is no layout columns"},
    {"write(f32[rows,4], f32[5,4]) rows<=1", "operand state is written, so it must be a state"},
    {"map(f32[281474976710656,2]) -> f32[1] {steps=1} rows<=1", "more than 2^48 elements"},
};

static void bad_texts_are_refused(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    for (size_t r = 0; r < sizeof refusals / sizeof *refusals; r++) {
        struct diagnostic diagnostic = {0};
        struct problem *problem;
        CHECK_REFUSED(problem_parse(refusals[r].text, fake_ops, arena, &problem, &diagnostic),
                      STATUS_BAD_INPUT, refusals[r].message);
    }
    arena_destroy(arena);
}

/* Any beginning of a text is refused or is another problem's text, never a fault. */
static void truncated_texts_are_harmless(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    for (int e = 0; e < EXPECTATION_COUNT; e++)
        for (size_t length = 0; length < strlen(expectations[e].text); length++) {
            struct diagnostic diagnostic = {0};
            struct problem *problem;
            char *part = arena_text_range(arena, expectations[e].text, length);
            status code = problem_parse(part, fake_ops, arena, &problem, &diagnostic);
            if (code == STATUS_OK) /* only the last number, or the context, was cut */
                assert_non_null(strstr(part, "rows<="));
            else
                assert_int_equal(code, STATUS_BAD_INPUT);
        }
    arena_destroy(arena);
}

static void failed_allocations_are_reported(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    struct arena *arena = arena_create(0);
    const struct graph *graph = parse_sample(arena);
    status code = STATUS_NO_MEMORY;
    for (long n = 1; code != STATUS_OK; n++) {
        struct arena *other = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct problem *problem;
        fault_set(n, 0);
        code = problem_create(graph, node_of(graph, "p"), 1, 0, other, &problem, &diagnostic);
        if (code == STATUS_OK)
            code = problem_parse(expectations[2].text, fake_ops, other, &problem, &diagnostic);
        fault_set(0, 0);
        arena_destroy(other);
        assert_true(code == STATUS_OK ? n > 3 : code == STATUS_NO_MEMORY);
    }
    arena_destroy(arena);
#endif
}

static void buckets_cover_all_counts(void **unused)
{
    (void)unused;
    static const int64_t rows[][2] = {{0, 1},  {1, 1},       {2, 4},      {4, 4},
                                      {5, 16}, {1024, 1024}, {5000, 4096}};
    static const int64_t contexts[][2] = {
        {0, 1024}, {1024, 1024}, {1025, 8192}, {1 << 24, 1 << 20}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(bucket_rows(bucket_of_rows(rows[i][0])), rows[i][1]);
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
        assert_int_equal(bucket_context(bucket_of_context(contexts[i][0])), contexts[i][1]);
    for (int b = 0; b < BUCKET_ROW_COUNT; b++) assert_int_equal(bucket_of_rows(bucket_rows(b)), b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_have_canonical_texts),
        cmocka_unit_test(a_state_that_is_written_has_no_result),
        cmocka_unit_test(sizes_are_at_the_bounds),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(truncated_texts_are_harmless),
        cmocka_unit_test(failed_allocations_are_reported),
        cmocka_unit_test(buckets_cover_all_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Launches and workspaces of CUDA spaces: their numbers for a config, what is refused, and spaces
 * with many names. */
#include "ir/image.h"
#include "tests/check.h"
#include "tests/unit/fake_ops.h"
#include "tests/unit/space_harness.h"

static const char card_space[] =
    "variant: dot_cuda\n"
    "op: [linear, add]\n"
    "target: cuda\n"
    "tunables:\n"
    "  warps: {values: [4, 8, 64]}\n"
    "  split: {values: [1, 2, 4]}\n"
    "let:\n"
    "  outputs: weight.rows\n"
    "  pace: 1.5 * warps\n"
    "rules:\n"
    "  - {require: split <= 2, class: algorithm, reason: too many parts}\n"
    "workspaces:\n"
    "  partial: {per_row_bytes: outputs * split * 4, fixed_bytes: 256}\n"
    "  counters: {fixed_bytes: 4096, zeroed: true}\n"
    "tensor_maps:\n"
    "  weights: {of: weight, element_bytes: 2, columns: weight.columns, rows: outputs, "
    "box_columns: 64,\n"
    "            box_rows: warps * 4, swizzle_bytes: 128}\n"
    "  seconds: {of: bias, element_bytes: 4, columns: 4, rows: 4, box_columns: 4, box_rows: 1, "
    "swizzle_bytes: 0}\n"
    "launches:\n"
    "  - entry: dot\n"
    "    rows_per_item: 4\n"
    "    items: ceil_div(outputs, warps) * split\n"
    "    threads: warps * 32\n"
    "    shared_bytes: warps * 1024\n"
    "    cluster: 2\n"
    "    arguments: [x, weight, bias, partial, sum, y, weights, seconds]\n"
    "  - {entry: finish, when: split > 1, items: 1, threads: 32, arguments: [partial, counters, "
    "y]}\n"
    "estimate: \"1e-6 * pace\"\n";

static struct device_facts card_facts(void)
{
    struct device_facts facts = {.target = TARGET_CUDA, .name = "card", .class_name = "card"};
    facts.values[FACT_shared_bytes_per_block] = 49152;
    return facts;
}

static status launches_in(const char *text, const char *config_text,
                          const struct device_facts *facts, struct arena *arena,
                          struct image *image, struct diagnostic *diagnostic)
{
    struct space *space;
    struct config config;
    struct bound_space bound;
    const char *reason;
    TRY(read_text(text, arena, &space, diagnostic));
    TRY(config_parse(space, config_text, &config, diagnostic));
    const struct problem *problem = parse_problem(linear_problem, arena);
    if (!space_bind_config(space, problem, facts, &config, arena, &bound, &reason))
        return fail(diagnostic, STATUS_NOT_FOUND, "%s", reason);
    return space_launches(&bound, &config, image, diagnostic);
}

static status launches_of(const char *config_text, struct arena *arena, struct image *image,
                          struct diagnostic *diagnostic)
{
    struct device_facts facts = card_facts();
    return launches_in(card_space, config_text, &facts, arena, image, diagnostic);
}

static void launches_follow_the_config(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct image image;
    CHECK_OK(launches_of("warps=8 split=2", arena, &image, &diagnostic));
    assert_int_equal(image.target, TARGET_CUDA);
    assert_int_equal(image.launch_count, 2);
    assert_int_equal(image.workspace_count, 2);
    assert_int_equal(image.workspaces[0].per_row_bytes, 5632 * 2 * 4);
    assert_int_equal(image.workspaces[0].fixed_bytes, 256);
    assert_false(image.workspaces[0].zeroed);
    assert_true(image.workspaces[1].zeroed);
    const struct launch *dot = &image.launches[0];
    CHECK_TEXT(dot->name, "dot");
    assert_int_equal(launch_items(dot, 5), 2 * 704 * 2);
    assert_int_equal(dot->threads, 256);
    assert_int_equal(dot->shared_bytes, 8192);
    assert_int_equal(dot->cluster, 2);
    static const struct argument expected[] = {{ARGUMENT_OPERAND, 0},    {ARGUMENT_OPERAND, 1},
                                               {ARGUMENT_OPERAND, 2},    {ARGUMENT_WORKSPACE, 0},
                                               {ARGUMENT_NULL, 0},       {ARGUMENT_OPERAND, 4},
                                               {ARGUMENT_TENSOR_MAP, 0}, {ARGUMENT_TENSOR_MAP, 1}};
    assert_int_equal(dot->argument_count, 8);
    assert_memory_equal(dot->arguments, expected, sizeof expected);
    static const struct tensor_argument weights = {
        {ARGUMENT_OPERAND, 1}, 2048, 5632, 2, 64, 32, 128};
    assert_int_equal(image.tensor_count, 2);
    assert_memory_equal(&image.tensors[0], &weights, sizeof weights);
    CHECK_TEXT(image.launches[1].name, "finish");
    assert_int_equal(launch_items(&image.launches[1], 1000), 1);
    CHECK_OK(launches_of("warps=4 split=1", arena, &image, &diagnostic));
    assert_int_equal(image.launch_count, 1);
    arena_destroy(arena);
}

static void impossible_launches_are_refused(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct image image;
    CHECK_REFUSED(launches_of("warps=4 split=4", arena, &image, &diagnostic), STATUS_NOT_FOUND,
                  "too many parts");
    CHECK_REFUSED(launches_of("warps=64 split=1", arena, &image, &diagnostic), STATUS_BAD_INPUT,
                  "dot_cuda: dot: threads is 2048; 1 to 1024 are possible");
    arena_destroy(arena);
}

struct change {
    const char *find, *replace, *words;
};

static const struct change changes[] = {
    {"target: cuda", "target: cpu", "only CUDA variants have tensor maps"},
    {"launches:\n", "launch:\n", "the key 'launches' is missing"},
    {"entry: dot\n", "entry: \"dot()\"\n", "'dot()' is no name"},
    {"  - entry: dot\n    rows_per_item", "  - rows_per_item", "the key 'entry' is missing"},
    {"    items: ceil_div(outputs, warps) * split\n", "", "a launch needs 'items'"},
    {"threads: warps * 32", "threads: warps * 32.5", "'threads' must be a whole number"},
    {"threads: warps * 32", "threads: pace", "'threads' must be a whole number"},
    {"threads: warps * 32", "threads: [32]", "an expression is expected"},
    {"threads: warps * 32", "threads: warp * 32", "unknown name 'warp'"},
    {"[x, weight, bias,", "[x, weighs, bias,", "'weighs' is neither an operand"},
    {"[x, weight, bias,", "[x, [weight], bias,", "an argument is the name of an operand"},
    {"[x, weight, bias, partial, sum, y, weights, seconds]", "x", "'arguments' must be a list"},
    {"partial: {", "bias: {", "'bias' is the name of an operand already"},
    {"partial: {", "2partial: {", "is no name"},
    {"{fixed_bytes: 4096, zeroed: true}", "{zeroed: true}", "neither per_row_bytes nor fixed"},
    {"{fixed_bytes: 4096, zeroed: true}", "4096", "a workspace is a map"},
    {"  weights: {of", "  partial: {of",
     "'partial' is the name of an operand or workspace already"},
    {"{of: weight,", "{of: weights,", "'weights' is neither an operand"},
    {"{of: weight, element_bytes: 2,", "{of: weight,", "'weights' needs 'element_bytes'"},
    {"box_rows: warps * 4", "box_rows: pace", "'box_rows' must be a whole number"},
    {"zeroed: true", "zeroed: 2", "true or false"},
    {"zeroed: true", "zerod: true", "unknown key 'zerod'; did you mean 'zeroed'?"},
    {"cluster: 2", "clusters: 2", "unknown key 'clusters'; did you mean 'cluster'?"},
};

static void check_change(const char *text, const struct change *change)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    const char *at = strstr(text, change->find);
    assert_non_null(at);
    const char *bad = arena_print(arena, "%.*s%s%s", (int)(at - text), text, change->replace,
                                  at + strlen(change->find));
    struct space *space;
    CHECK_REFUSED(read_text(bad, arena, &space, &diagnostic), STATUS_BAD_INPUT, change->words);
    arena_destroy(arena);
}

static void bad_launches_are_refused_with_their_place(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        check_change(card_space, &changes[i]);
}

/* ---- On the host ---- */

static const char host_space[] = "variant: dot_cpu\n"
                                 "op: linear\n"
                                 "target: cpu\n"
                                 "tunables:\n"
                                 "  outputs: {values: [16, 64]}\n"
                                 "workspaces:\n"
                                 "  partial: {fixed_bytes: outputs * 4}\n"
                                 "launches:\n"
                                 "  - {entry: dot, rows_per_item: 2, items: weight.rows / outputs, "
                                 "unit: 4, arguments: [x, bias, partial, y]}\n"
                                 "estimate: \"1\"\n";

static void launches_on_the_host_have_no_threads(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct image image;
    const struct device_facts facts = {.target = TARGET_CPU, .name = "host", .class_name = "host"};
    CHECK_OK(launches_in(host_space, "outputs=64", &facts, arena, &image, &diagnostic));
    assert_int_equal(image.target, TARGET_CPU);
    assert_int_equal(image.launch_count, 1);
    assert_int_equal(image.launches[0].threads, 0);
    assert_int_equal(image.launches[0].geometry.unit, 4);
    assert_int_equal(launch_items(&image.launches[0], 3), 2 * 88);
    assert_int_equal(image.workspaces[0].fixed_bytes, 256);
    assert_int_equal(image.launches[0].arguments[2].kind, ARGUMENT_WORKSPACE);
    arena_destroy(arena);
    static const struct change host_changes[] = {
        {"unit: 4", "threads: 4", "has neither 'threads' nor"},
        {"unit: 4", "cluster: 4", "has neither 'threads' nor"},
        {"items: weight.rows / outputs, ", "", "needs 'items'"},
        {"target: cpu", "target: cuda", "only launches on the host have a 'unit'"},
    };
    for (size_t c = 0; c < sizeof host_changes / sizeof *host_changes; c++)
        check_change(host_space, &host_changes[c]);
}

/* ---- Calls of libraries ---- */

static const char call_space[] =
    "variant: library_cuda\n"
    "op: linear\n"
    "target: cuda\n"
    "tunables:\n"
    "  algorithm: {discovered: 100}\n"
    "rules:\n"
    "  - {require: algorithm < 16, class: soft, reason: far down the list}\n"
    "workspaces:\n"
    "  narrow: {per_row_bytes: x.columns * 2}\n"
    "  scratch: {fixed_bytes: 4096}\n"
    "launches:\n"
    "  - {entry: round, rows_per_item: 1, items: 1, threads: 32, arguments: [x, narrow]}\n"
    "  - call: cublaslt_matmul\n"
    "    outputs: weight.rows\n"
    "    inner: weight.columns\n"
    "    bfloat: weight.bf16\n"
    "    algorithm: algorithm\n"
    "    arguments: [narrow, weight, bias, residual, y, scratch]\n"
    "estimate: 1 + algorithm\n";

static void calls_have_their_numbers(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct space *space;
    struct config config;
    struct bound_space bound;
    struct image image;
    const char *reason;
    const struct device_facts facts = card_facts();
    const struct problem *problem = parse_problem(linear_problem, arena);
    CHECK_OK(read_text(call_space, arena, &space, &diagnostic));
    assert_true(space_calls_library(space));
    assert_int_equal(space->tunables[0].kind, TUNABLE_DISCOVERED);
    assert_true(space_bind(space, problem, &facts, arena, &bound, &reason));
    assert_int_equal(space_count(&bound), 100);
    space_default(&bound, &config);
    assert_int_equal(config.values[0], 0);
    CHECK_OK(config_parse(space, "algorithm=20", &config, &diagnostic));
    assert_non_null(space_check_soft(&bound, &config));
    CHECK_OK(space_launches(&bound, &config, &image, &diagnostic));
    assert_int_equal(image.launch_count, 2);
    const struct launch *call = &image.launches[1];
    assert_int_equal(call->kind, LAUNCH_MATMUL);
    assert_int_equal(call->matmul.outputs, 5632);
    assert_int_equal(call->matmul.inner, 2048);
    assert_false(call->matmul.bfloat);
    assert_int_equal(call->matmul.algorithm, 20);
    assert_false(image_is_resolved(&image));
    assert_int_equal(call->arguments[MATMUL_X].kind, ARGUMENT_WORKSPACE);
    assert_int_equal(call->arguments[MATMUL_BIAS].kind, ARGUMENT_NULL); /* the problem has none */
    assert_int_equal(call->arguments[MATMUL_SCRATCH].index, 1);
    arena_destroy(arena);
}

static const struct change call_changes[] = {
    {"{discovered: 100}", "{discovered: 0}", "must have 1 to 256 ranks"},
    {"{discovered: 100}", "{discovered: 257}", "must have 1 to 256 ranks"},
    {"{discovered: 100}", "{discovered: many}", "whole number"},
    {"call: cublaslt_matmul", "call: cublas", "'cublas' is no call"},
    {"    inner: weight.columns\n", "", "needs 'outputs', 'inner', 'bfloat' and 'algorithm'"},
    {"bfloat: weight.bf16", "bfloat: 0.5", "must be a whole number"},
    {"residual, y, scratch]", "residual, y]", "has 6 arguments"},
    {"    inner: weight", "    threads: 32\n    inner: weight", "threads"},
};

static void bad_calls_are_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof call_changes / sizeof *call_changes; i++)
        check_change(call_space, &call_changes[i]);
}

static void too_many_launches_are_refused(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct text text = {.arena = arena};
    text_append(&text, "variant: a_cuda\nop: add\ntarget: cuda\nestimate: 1\nlaunches:\n");
    for (int l = 0; l <= IMAGE_LAUNCHES_MAX; l++)
        text_append(&text, "  - {entry: a, items: 1, threads: 1, arguments: [x]}\n");
    struct space *space;
    CHECK_REFUSED(read_text(text_finish(&text), arena, &space, &diagnostic), STATUS_BAD_INPUT,
                  "1 to 8 launches");
    arena_destroy(arena);
}

/* A space with more names than one word has bits: each of them has its own value. */
static void spaces_may_have_many_names(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct text text = {.arena = arena};
    text_append(&text, "variant: many_cpu\nop: [map, linear]\ntarget: cpu\ntunables:\n");
    for (int t = 0; t < SPACE_TUNABLES_MAX; t++) text_print(&text, "  t%d: {values: [0, 1]}\n", t);
    text_append(&text, "let:\n");
    for (int l = 0; l < SPACE_LETS_MAX; l++)
        text_print(&text, "  l%d: t%d + %s\n", l, l % SPACE_TUNABLES_MAX,
                   l ? arena_print(arena, "l%d", l - 1) : "0");
    text_append(&text, "rules:\n  - {class: algorithm, reason: sum, require: \"0");
    for (int f = 0; f < FACT_COUNT; f++) text_print(&text, " + %s", fact_name((enum fact)f));
    text_append(&text, " + weight.rows + weight.columns + weight.bytes == 9 * launch_nanoseconds "
                       "and l31 == 4\"}\nestimate: 1\n");
    struct space *space;
    CHECK_OK(read_text(text_finish(&text), arena, &space, &diagnostic));
    assert_true(space->slot_count > 64);
    struct device_facts facts = {.target = TARGET_CPU};
    struct bound_space bound;
    const char *reason;
    const struct problem *problem = parse_problem(linear_problem, arena);
    double rest = 5632 + 2048 + 5632.0 * 2048 / 32 * 34;
    facts.values[FACT_launch_nanoseconds] = rest / 8;
    assert_true(space_bind(space, problem, &facts, arena, &bound, &reason));
    assert_int_equal(space_count(&bound), 120); /* two of 16 tunables are 1 */
    facts.values[FACT_launch_nanoseconds]++;
    assert_false(space_bind(space, problem, &facts, arena, &bound, &reason));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(launches_follow_the_config),
        cmocka_unit_test(impossible_launches_are_refused),
        cmocka_unit_test(bad_launches_are_refused_with_their_place),
        cmocka_unit_test(launches_on_the_host_have_no_threads),
        cmocka_unit_test(calls_have_their_numbers),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(too_many_launches_are_refused),
        cmocka_unit_test(spaces_may_have_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

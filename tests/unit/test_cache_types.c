/* Types of the KV cache: forks and truncation in blocks, rotation, the bytes that the plan counts, and what is refused. */
#include "engine/engine.h"
#include "engine/state_type.h"
#include "tests/check.h"

#include <math.h>
#include <string.h>

static const char demo_path[] = HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf";
static const char vectors[] = HONE_SOURCE_FOLDER "/tests/oracle/vectors/";
enum { VOCABULARY_MOST = 4096, PROMPT = 45 };

static struct engine *open_demo(const char *devices, const char *type, bool references)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = {.devices = devices,
                                     .context = 64,
                                     .sequences = 3,
                                     .chunk = 64,
                                     .references = references,
                                     .cache_folder = HONE_BUILD_FOLDER "/test-cache"};
    struct engine *engine = NULL;
    CHECK_OK(state_type_parse(type, &options, &diagnostic));
    CHECK_OK(engine_open(demo_path, &options, &engine, &diagnostic));
    assert_in_range(engine_model(engine)->vocabulary, 64, VOCABULARY_MOST);
    return engine;
}

static void feed(struct engine *engine, int sequence, int32_t first, int64_t count, float *logits)
{
    struct diagnostic diagnostic = {0};
    int32_t tokens[PROMPT];
    for (int64_t t = 0; t < count; t++) tokens[t] = (int32_t)((first + t * 7) % 60);
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = count};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
}

static int open_sequence(struct engine *engine)
{
    struct diagnostic diagnostic = {0};
    int sequence;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    return sequence;
}

/* A fork in the middle of a page, and a truncation there, go on as if all had been fed anew. */
static void check_fork(const char *devices, const char *type)
{
    static float first[VOCABULARY_MOST], second[VOCABULARY_MOST], expected[VOCABULARY_MOST];
    struct diagnostic diagnostic = {0};
    struct engine *engine = open_demo(devices, type, false);
    size_t bytes = (size_t)engine_model(engine)->vocabulary * sizeof(float);
    int alone = open_sequence(engine), origin = open_sequence(engine), fork;
    feed(engine, alone, 1, PROMPT, expected);
    feed(engine, alone, 5, 3, first);
    engine_sequence_truncate(engine, alone, PROMPT);
    feed(engine, alone, 60, 9, expected);
    feed(engine, origin, 1, PROMPT, second);
    CHECK_OK(engine_sequence_fork(engine, origin, &fork, &diagnostic));
    feed(engine, fork, 60, 9, second);
    assert_memory_equal(second, expected, bytes);
    feed(engine, origin, 5, 3, second);
    assert_memory_equal(second, first, bytes);
    engine_close(engine);
}

static void forks_and_truncation_work_on_blocks(void **state)
{
    (void)state;
    check_fork("cpu", "q8_0");
    check_fork("virtual:16MiB,virtual:16MiB", "q4_0,rotate");
}

static int64_t state_bytes(const char *type)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = {.references = true, .context = 64, .cache_folder = ""};
    struct engine *engine = NULL;
    CHECK_OK(state_type_parse(type, &options, &diagnostic));
    CHECK_OK(engine_prepare(demo_path, &options, &engine, &diagnostic));
    int64_t bytes = engine_report(engine)->state_bytes;
    engine_close(engine);
    return bytes;
}

/* Of 32 numbers: 128, 64, 34 and 18 bytes. */
static void the_plan_counts_the_bytes_of_blocks(void **state)
{
    (void)state;
    int64_t unit = state_bytes("f32") / 128;
    assert_true(unit > 0);
    assert_int_equal(state_bytes("bf16"), 64 * unit);
    assert_int_equal(state_bytes("q8_0"), 34 * unit);
    assert_int_equal(state_bytes("q4_0"), 18 * unit);
    assert_int_equal(state_bytes("q4_0,rotate"), 18 * unit);
}

static double distance(const char *type, bool references)
{
    static float exact[VOCABULARY_MOST], got[VOCABULARY_MOST];
    double sum = 0, size = 0;
    struct engine *engine = open_demo("cpu", "f32", true);
    int64_t vocabulary = engine_model(engine)->vocabulary;
    feed(engine, open_sequence(engine), 1, PROMPT, exact);
    engine_close(engine);
    engine = open_demo("cpu", type, references);
    feed(engine, open_sequence(engine), 1, PROMPT, got);
    engine_close(engine);
    for (int64_t v = 0; v < vocabulary; v++) {
        sum += pow((double)got[v] - (double)exact[v], 2);
        size += pow((double)exact[v], 2);
    }
    return sqrt(sum / size);
}

/* Nothing is rounded in f32, so only the order of sums differs; blocks cost what their steps do. */
static void rotation_undoes_itself(void **state)
{
    (void)state;
    assert_true(distance("f32,rotate", true) < 1e-5);
    double fine = distance("q8_0,rotate", true), coarse = distance("q4_0,rotate", true);
    assert_true(fine > 1e-5 && fine < 0.01 && coarse > 2 * fine && coarse < 0.2);
    assert_true(fabs(distance("q4_0", false) - distance("q4_0", true)) < 0.1);
}

static void check_refused(const char *model, const char *type, const char *message)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = {.references = true, .context = 64, .cache_folder = ""};
    struct engine *engine = NULL;
    char path[1024];
    snprintf(path, sizeof path, "%s%s", vectors, model);
    CHECK_OK(state_type_parse(type, &options, &diagnostic));
    CHECK_REFUSED(engine_prepare(path, &options, &engine, &diagnostic), STATUS_BAD_INPUT, message);
}

static void heads_that_are_no_whole_blocks_are_refused(void **state)
{
    (void)state;
    check_refused(
        "models/llama/llama-f32.gguf", "q8_0",
        "heads of 16 numbers, which are no whole blocks of 32 as q8_0 has them: choose f16, bf16");
    check_refused("architectures/gpt_oss/gpt_oss.gguf", "q4_0,rotate",
                  "rows of k.0 hold 16 numbers, which are no whole blocks of 32 as q4_0 has them: "
                  "choose f16, bf16");
    check_refused("architectures/deepseek_v2/deepseek_v2.gguf", "q4_0",
                  "rows of cache.0 hold 20 numbers");
}

static void other_words_are_refused(void **state)
{
    static const char *const words[] = {
        "", "q4", "q4_K", "i32", "q4_0,", "q4_0,turn", "q4_0,rotate,rotate", ",rotate"};
    (void)state;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        struct diagnostic diagnostic = {0};
        struct engine_options options = {0};
        CHECK_REFUSED(state_type_parse(words[w], &options, &diagnostic), STATUS_USAGE, "write f16");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forks_and_truncation_work_on_blocks),
        cmocka_unit_test(the_plan_counts_the_bytes_of_blocks),
        cmocka_unit_test(rotation_undoes_itself),
        cmocka_unit_test(heads_that_are_no_whole_blocks_are_refused),
        cmocka_unit_test(other_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

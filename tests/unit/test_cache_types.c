/* Types of the KV cache: forks and truncation in blocks, rotation, the bytes that the plan counts, and what is refused. */
#include "engine/engine.h"
#include "engine/latent_form.h"
#include "engine/state_type.h"
#include "models/synth.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

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

/* As a share of the first one's length. */
static double distance_of(const float *exact, const float *got, int64_t count)
{
    double sum = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += pow((double)got[i] - (double)exact[i], 2);
        size += pow((double)exact[i], 2);
    }
    return sqrt(sum / size);
}

static double distance(const char *type, bool references)
{
    static float exact[VOCABULARY_MOST], got[VOCABULARY_MOST];
    struct engine *engine = open_demo("cpu", "f32", true);
    int64_t vocabulary = engine_model(engine)->vocabulary;
    feed(engine, open_sequence(engine), 1, PROMPT, exact);
    engine_close(engine);
    engine = open_demo("cpu", type, references);
    feed(engine, open_sequence(engine), 1, PROMPT, got);
    engine_close(engine);
    return distance_of(exact, got, vocabulary);
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

/* One channel far above the others takes the range of its block for itself, unless the head is rotated. */
static void rotation_spreads_outliers(void **state)
{
    enum { HEAD = 64 };
    float head[HEAD], rotated[HEAD], decoded[HEAD];
    unsigned char blocks[HEAD];
    double error[2] = {0, 0};
    (void)state;
    for (int i = 0; i < HEAD; i++) head[i] = i == 5 ? 30.0f : sinf((float)(7 * i + 1));
    for (int i = 0; i < HEAD; i++) {
        rotated[i] = 0;
        for (int j = 0; j < HEAD; j++)
            rotated[i] += __builtin_popcount((unsigned)(i & j)) % 2 ? -head[j] : head[j];
        rotated[i] /= 8; /* the root of 64: lengths stay */
    }
    for (int turned = 0; turned < 2; turned++) {
        const float *from = turned ? rotated : head;
        element_encode_row(ELEMENT_Q4_0, from, HEAD, blocks);
        element_decode_row(ELEMENT_Q4_0, blocks, HEAD, decoded);
        for (int i = 0; i < HEAD; i++)
            error[turned] += pow((double)decoded[i] - (double)from[i], 2);
    }
    print_message("squared errors: %g, rotated %g\n", error[0], error[1]);
    assert_true(error[1] < error[0] / 2);
}

static void feed_latent(const char *path, const char *form, const char *type, bool references,
                        float *logits)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = {.context = 64,
                                     .sequences = 3,
                                     .references = references,
                                     .cache_folder = HONE_BUILD_FOLDER "/test-cache"};
    struct engine *engine = NULL;
    CHECK_OK(latent_form_parse(form, &options, &diagnostic));
    CHECK_OK(state_type_parse(type, &options, &diagnostic));
    CHECK_OK(engine_open(path, &options, &engine, &diagnostic));
    feed(engine, open_sequence(engine), 1, PROMPT, logits);
    engine_close(engine);
}

/* Of a model with latent attention: keys and values of heads, or latents whose first part are the
 * values. */
static void check_latent(const char *path, const char *form, const char *type, double bound)
{
    static float exact[VOCABULARY_MOST], reference[VOCABULARY_MOST], got[VOCABULARY_MOST];
    feed_latent(path, form, "f32", true, exact);
    feed_latent(path, form, type, true, reference);
    feed_latent(path, form, type, false, got);
    double cost = distance_of(exact, reference, VOCABULARY_MOST);
    double far = distance_of(reference, got, VOCABULARY_MOST);
    print_message("%s, %s: references %g from f32, kernels %g from these\n", form, type, cost, far);
    assert_true(cost < bound && far < 1e-3);
}

static void latents_are_cached_in_blocks(void **state)
{
    static const char *const forms[] = {"absorbed", "naive"};
    const struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = arena_print(scratch->arena, "%s/latent.gguf", scratch->folder);
    const struct synth_options options = {
        .ops = op_table(), .preset = "small-latent", .element = ELEMENT_F32, .seed = 3};
    CHECK_OK(synth_write(path, &options, &diagnostic));
    for (int f = 0; f < 2; f++) {
        check_latent(path, forms[f], "f32,rotate", 1e-4);
        check_latent(path, forms[f], "q8_0", 0.1);
        check_latent(path, forms[f], "q4_0,rotate", 0.6);
    }
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
        cmocka_unit_test(rotation_spreads_outliers),
        cmocka_unit_test_setup_teardown(latents_are_cached_in_blocks, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test(heads_that_are_no_whole_blocks_are_refused),
        cmocka_unit_test(other_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

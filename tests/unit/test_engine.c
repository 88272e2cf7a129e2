/* The engine's sequences: forks, truncation, limits, failures that leave nothing behind. */
#include "engine/engine.h"
#include "tests/check.h"

static const char model_path[] =
    HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/llama/llama-f32.gguf";
enum { VOCABULARY = 96, PROMPT = 45 };

static struct engine *open_engine(const char *devices, int64_t context)
{
    struct diagnostic diagnostic = {0};
    const struct engine_options options = {.devices = devices,
                                           .context = context,
                                           .sequences = 3,
                                           .chunk = 16,
                                           .references = true,
                                           .state_element = ELEMENT_F32,
                                           .cache_folder = ""};
    struct engine *engine = NULL;
    CHECK_OK(engine_open(model_path, &options, &engine, &diagnostic));
    return engine;
}

static void feed(struct engine *engine, int sequence, int32_t first, int64_t count, float *logits)
{
    struct diagnostic diagnostic = {0};
    int32_t tokens[PROMPT];
    for (int64_t t = 0; t < count; t++) tokens[t] = (int32_t)((first + t * 7) % VOCABULARY);
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = count};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
}

/* A fork in the middle of a page goes on as if it had been fed everything itself, and so does its origin. */
static void forks_share_the_past_and_nothing_else(void **state)
{
    static const char *const devices[] = {"cpu", "virtual:8MiB,virtual:8MiB"};
    (void)state;
    for (int d = 0; d < 2; d++) {
        struct engine *engine = open_engine(devices[d], 128);
        struct diagnostic diagnostic = {0};
        float first[VOCABULARY], second[VOCABULARY], expected_first[VOCABULARY],
            expected_second[VOCABULARY];
        int origin, fork, alone;
        CHECK_OK(engine_sequence_open(engine, &alone, &diagnostic));
        feed(engine, alone, 1, PROMPT, expected_first);
        feed(engine, alone, 5, 3, expected_first);
        engine_sequence_truncate(engine, alone, PROMPT);
        feed(engine, alone, 60, 9, expected_second);
        CHECK_OK(engine_sequence_open(engine, &origin, &diagnostic));
        feed(engine, origin, 1, PROMPT, first);
        CHECK_OK(engine_sequence_fork(engine, origin, &fork, &diagnostic));
        feed(engine, fork, 60, 9, second);
        feed(engine, origin, 5, 3, first);
        assert_memory_equal(first, expected_first, sizeof first);
        assert_memory_equal(second, expected_second, sizeof second);
        assert_int_equal(engine_sequence_length(engine, fork), PROMPT + 9);
        engine_close(engine);
    }
}

static void a_full_context_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct engine *engine = open_engine("cpu", 64);
    struct diagnostic diagnostic = {0};
    float logits[VOCABULARY], again[VOCABULARY];
    int32_t tokens[PROMPT] = {0};
    int sequence, other;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    feed(engine, sequence, 1, PROMPT, logits);
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = PROMPT};
    CHECK_REFUSED(engine_feed(engine, &input, 1, logits, &diagnostic), STATUS_NO_MEMORY,
                  "--context");
    assert_int_equal(engine_sequence_length(engine, sequence), PROMPT);
    feed(engine, sequence, 3, 2, logits);
    CHECK_OK(engine_sequence_open(engine, &other, &diagnostic));
    feed(engine, other, 1, PROMPT, again);
    feed(engine, other, 3, 2, again);
    assert_memory_equal(logits, again, sizeof logits);
    engine_close(engine);
}

static void wrong_tokens_are_refused(void **state)
{
    (void)state;
    struct engine *engine = open_engine("cpu", 64);
    struct diagnostic diagnostic = {0};
    float logits[VOCABULARY];
    const int32_t bad[] = {3, VOCABULARY}, negative[] = {-1};
    int sequence, extra;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    struct engine_input input = {.sequence = sequence, .tokens = bad, .count = 2};
    CHECK_REFUSED(engine_feed(engine, &input, 1, logits, &diagnostic), STATUS_USAGE, "96");
    input = (struct engine_input){.sequence = sequence, .tokens = negative, .count = 1};
    CHECK_REFUSED(engine_feed(engine, &input, 1, logits, &diagnostic), STATUS_USAGE, "-1");
    CHECK_OK(engine_sequence_open(engine, &extra, &diagnostic));
    CHECK_OK(engine_sequence_open(engine, &extra, &diagnostic));
    CHECK_REFUSED(engine_sequence_open(engine, &extra, &diagnostic), STATUS_NO_MEMORY,
                  "--sequences");
    engine_close(engine);
}

static struct engine_options mapped_options(const char *devices, bool references, const char *map)
{
    return (struct engine_options){.devices = devices,
                                   .context = 64,
                                   .chunk = 16,
                                   .threads = 1,
                                   .references = references,
                                   .layer_map = map,
                                   .cache_folder = ""};
}

static void feed_prompt(struct engine *engine, float *logits)
{
    struct diagnostic diagnostic = {0};
    int sequence;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    feed(engine, sequence, 1, PROMPT, logits);
    engine_sequence_close(engine, sequence);
}

/* An engine that was given other layers computes what one does that was opened with them, and compiles and loads nothing. */
static void changed_layers_are_those_of_an_engine_opened_with_them(void **state)
{
    static const char *const maps[] = {"0,1,1", "1,0,1,0", "1", "0..1", "0,0,1,1,0,1"};
    static const struct {
        const char *devices;
        bool references;
    } manners[] = {{"cpu", false}, {"virtual:8MiB,virtual:8MiB", true}};
    (void)state;
    for (int m = 0; m < 2; m++) {
        struct diagnostic diagnostic = {0};
        struct engine_options options =
            mapped_options(manners[m].devices, manners[m].references, NULL);
        struct engine *engine = NULL, *other = NULL;
        float changed[VOCABULARY], opened[VOCABULARY];
        CHECK_OK(engine_open(model_path, &options, &engine, &diagnostic));
        int64_t weight_bytes = engine_report(engine)->weight_bytes;
        feed_prompt(engine, changed);
        for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
            options.layer_map = maps[i];
            CHECK_OK(engine_change_layers(engine, &options, &diagnostic));
            feed_prompt(engine, changed);
            assert_int_equal(engine_report(engine)->kernels_compiled, 0);
            if (i != 2 && m == 0)
                assert_int_equal(engine_report(engine)->weight_bytes, weight_bytes);
            if (m == 0 && i % 2) continue; /* compiling for the comparison takes its time */
            CHECK_OK(engine_open(model_path, &options, &other, &diagnostic));
            feed_prompt(other, opened);
            assert_memory_equal(changed, opened, sizeof changed);
            engine_close(other);
        }
        options.layer_map = "0..2";
        CHECK_REFUSED(engine_change_layers(engine, &options, &diagnostic), STATUS_USAGE,
                      "has 2 layers");
        engine_close(engine);
    }
}

#ifdef HONE_FAULTS
/* So does every allocation of giving it other layers. */
static void every_allocation_of_a_change_may_fail(void **state)
{
    struct engine_options options = mapped_options("cpu", true, NULL),
                          mapped = mapped_options("cpu", true, "0,1,0,1");
    int failures = 0;
    (void)state;
    for (long n = 1;; n += 1 + n / 20) {
        struct diagnostic diagnostic = {0};
        struct engine *engine = NULL;
        CHECK_OK(engine_open(model_path, &options, &engine, &diagnostic));
        fault_set(n, 0);
        status code = engine_change_layers(engine, &mapped, &diagnostic);
        fault_set(0, 0);
        engine_close(engine);
        if (code == STATUS_OK) break;
        failures++;
        if (code != STATUS_NO_MEMORY || !diagnostic.text[0])
            CHECK_FAIL("allocation %ld: %s: %s", n, status_name(code), diagnostic.text);
    }
    print_message("%d failing allocations\n", failures);
    assert_true(failures > 20);
}

/* Every allocation of opening an engine fails once; each failure is one clear error and leaks nothing (asan). */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    const struct engine_options options = {
        .context = 64, .references = true, .threads = 1, .cache_folder = ""};
    int failures = 0;
    for (long n = 1;; n += 1 + n / 50) {
        struct diagnostic diagnostic = {0};
        struct engine *engine = NULL;
        fault_set(n, 0);
        status code = engine_open(model_path, &options, &engine, &diagnostic);
        bool done = fault_pending();
        fault_set(0, 0);
        if (code == STATUS_OK) engine_close(engine);
        if (done) break;
        if (code == STATUS_OK) continue; /* in shorter steps (test_demotion.c) */
        failures++;
        if (code != STATUS_NO_MEMORY || !diagnostic.text[0])
            CHECK_FAIL("allocation %ld: %s: %s", n, status_name(code), diagnostic.text);
    }
    print_message("%d failing allocations\n", failures);
    assert_true(failures > 100);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forks_share_the_past_and_nothing_else),
        cmocka_unit_test(a_full_context_is_refused_and_changes_nothing),
        cmocka_unit_test(wrong_tokens_are_refused),
        cmocka_unit_test(changed_layers_are_those_of_an_engine_opened_with_them),
#ifdef HONE_FAULTS
        cmocka_unit_test(every_allocation_of_a_change_may_fail),
        cmocka_unit_test(every_allocation_may_fail),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

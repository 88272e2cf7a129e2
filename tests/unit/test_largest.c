/* Sampling from the largest logits alone, which a device that the host cannot read finds: the same tokens as from all. */
#include "engine/generate.h"
#include "tests/check.h"

enum { TOKENS = 24, REQUESTS = 3, MOST = 256 };

static const char oracle[] = HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/llama/llama-f32.gguf";
static const int32_t prompt[] = {5, 17, 90, 2, 33, 8};

static struct engine *open_engine(const char *devices, int64_t largest)
{
    struct diagnostic diagnostic = {0};
    const struct engine_options options = {.devices = devices,
                                           .context = 64,
                                           .sequences = REQUESTS,
                                           .chunk = 8,
                                           .largest = largest,
                                           .threads = 1,
                                           .references = true,
                                           .state_element = ELEMENT_F32,
                                           .cache_folder = ""};
    struct engine *engine = NULL;
    CHECK_OK(engine_open(oracle, &options, &engine, &diagnostic));
    return engine;
}

static void generate_all(const char *devices, int64_t largest, const struct sampling *sampling,
                         struct arena *arena, struct generation_result *results)
{
    struct diagnostic diagnostic = {0};
    struct generation_times times;
    struct generation_request requests[REQUESTS];
    struct engine *engine = open_engine(devices, largest);
    for (int r = 0; r < REQUESTS; r++)
        requests[r] = (struct generation_request){.prompt = prompt,
                                                  .prompt_count = 4 + r,
                                                  .tokens = TOKENS - r,
                                                  .sampling = *sampling,
                                                  .stream = (uint64_t)r,
                                                  .ignore_end = true};
    CHECK_OK(generate(engine, requests, REQUESTS, NULL, NULL, NULL, arena, results, &times,
                      &diagnostic));
    engine_close(engine);
}

static void check_equal(const struct sampling *sampling, int64_t largest)
{
    struct arena *arena = arena_create(0);
    struct generation_result all[REQUESTS], few[REQUESTS];
    generate_all("cpu", 0, sampling, arena, all);
    generate_all("virtual:64MiB", largest, sampling, arena, few);
    for (int r = 0; r < REQUESTS; r++) {
        assert_int_equal(all[r].count, TOKENS - r);
        assert_int_equal(few[r].count, all[r].count);
        assert_memory_equal(few[r].tokens, all[r].tokens,
                            (size_t)all[r].count * sizeof *all[r].tokens);
    }
    arena_destroy(arena);
}

static void the_largest_logits_give_the_same_tokens(void **state)
{
    (void)state;
    struct sampling greedy = sampling_default(), warm = greedy, free = greedy, penalised = greedy;
    warm.temperature = 2;
    warm.top_k = 20;
    warm.top_p = 0.9;
    warm.min_p = 0.01;
    free.temperature = 1;
    penalised.temperature = 1;
    penalised.top_k = 5;
    penalised.repetition_penalty = 1.3;
    check_equal(&greedy, 1);
    check_equal(&greedy, 20);
    check_equal(&warm, 20);
    check_equal(&warm, MOST); /* as many as there are tokens */
    check_equal(&warm, 7);    /* too few: all logits are read */
    check_equal(&free, MOST);
    check_equal(&free, 0);
    check_equal(&penalised, 20);
}

/* Beside the host the plan finds the largest, on the host it does not. */
static void only_devices_apart_find_them(void **state)
{
    (void)state;
    static const struct {
        const char *devices;
        int64_t asked, given;
    } rows[] = {{"cpu", 9, 0},
                {"virtual:64MiB", 9, 9},
                {"virtual:64MiB", 0, 0},
                {"virtual:64MiB", MOST, 96},
                {"virtual:64MiB,cpu", 1, 1},
                {"cpu,virtual:64MiB", 1, 0}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct engine *engine = open_engine(rows[r].devices, rows[r].asked);
        struct diagnostic diagnostic = {0};
        struct engine_top top = {.count = rows[r].given + 1};
        assert_int_equal(engine_top_count(engine), rows[r].given);
        CHECK_REFUSED(engine_feed_top(engine, NULL, 0, &top, &diagnostic), STATUS_FAILED,
                      "largest");
        engine_close(engine);
    }
}

/* What a device apart finds agrees with the logits of the same step. */
static void the_largest_are_those_of_the_logits(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct engine *engine = open_engine("virtual:64MiB", 10);
    struct engine_top top;
    int sequence, again;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    CHECK_OK(engine_sequence_open(engine, &again, &diagnostic));
    int64_t vocabulary = engine_model(engine)->vocabulary;
    float *logits = arena_allocate(arena, (size_t)(6 * vocabulary), sizeof *logits);
    CHECK_OK(engine_top_create(engine, 6, arena, &top, &diagnostic));
    struct engine_input input = {
        .sequence = sequence, .tokens = prompt, .count = 6, .all_logits = true};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
    input.sequence = again;
    CHECK_OK(engine_feed_top(engine, &input, 1, &top, &diagnostic));
    for (int row = 0; row < 6; row++) {
        assert_int_equal(top.not_numbers[row], 0);
        for (int64_t i = 0; i < top.count; i++) {
            float value = top.values[row * top.count + i];
            int64_t above = 0;
            for (int64_t v = 0; v < vocabulary; v++) above += logits[row * vocabulary + v] > value;
            assert_true(logits[row * vocabulary + top.tokens[row * top.count + i]] == value);
            assert_int_equal(above, i);
        }
    }
    engine_close(engine);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_logits_give_the_same_tokens),
        cmocka_unit_test(only_devices_apart_find_them),
        cmocka_unit_test(the_largest_are_those_of_the_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

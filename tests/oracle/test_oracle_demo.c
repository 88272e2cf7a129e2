/* The demo models against transformers: token ids of prompts, greedy continuations, logits (tests/oracle/demo).
 *
 * All prompts run side by side as ragged sequences, with references and with compiled kernels, on the host, on two virtual
 * cards, and on cards with a modelled speed; every manner must write the same story. */
#include "engine/engine.h"
#include "engine/generate.h"
#include "tests/check.h"

#include <jansson.h>
#include <math.h>

enum { PROMPTS_MOST = 8, GENERATED_MOST = 256 };

struct manner {
    const char *name, *devices;
    bool references;
    enum element_type state;
};

static const struct manner manners[] = {
    {"references", "cpu", true, ELEMENT_F32},
    {"kernels", "cpu", false, ELEMENT_F16},
    {"kernels on two virtual cards", "virtual:16MiB,virtual:16MiB", false, ELEMENT_F16},
    {"kernels on two cards and the host, modelled",
     "virtual:2MiB@20GFLOPS,2GB/s,virtual:2MiB@20GFLOPS,2GB/s,cpu", false, ELEMENT_F16},
};

static const char *const kinds[] = {"dense", "moe"};

static json_t *read_vectors(const char *kind)
{
    char path[1024];
    json_error_t error;
    snprintf(path, sizeof path, "%s/tests/oracle/demo/demo-%s.prompts.json", HONE_SOURCE_FOLDER,
             kind);
    json_t *vectors = json_load_file(path, 0, &error);
    if (!vectors) CHECK_FAIL("%s: %s", path, error.text);
    return vectors;
}

static struct engine *open_demo(const char *kind, const struct manner *manner)
{
    struct diagnostic diagnostic = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/models/demo/demo-%s.gguf", HONE_SOURCE_FOLDER, kind);
    const struct engine_options options = {.devices = manner->devices,
                                           .references = manner->references,
                                           .context = 256,
                                           .sequences = PROMPTS_MOST,
                                           .state_element = manner->state,
                                           .cache_folder = HONE_BUILD_FOLDER "/test-cache"};
    struct engine *engine = NULL;
    CHECK_OK(engine_open(path, &options, &engine, &diagnostic));
    return engine;
}

static int32_t *ids_of(const json_t *array, int64_t *count, struct arena *arena)
{
    *count = (int64_t)json_array_size(array);
    int32_t *ids = arena_allocate(arena, (size_t)*count + 1, sizeof *ids);
    for (int64_t i = 0; i < *count; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(array, (size_t)i));
    return ids;
}

static void check_prompt_ids(const struct engine *engine, const json_t *prompt, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    int64_t expected_count, count;
    int32_t *expected = ids_of(json_object_get(prompt, "ids"), &expected_count, arena), *ids;
    const char *text = json_string_value(json_object_get(prompt, "prompt"));
    CHECK_OK(tokenizer_encode(engine_model(engine)->tokenizer, text, strlen(text), true, true,
                              arena, &ids, &count, &diagnostic));
    assert_int_equal(count, expected_count);
    assert_memory_equal(ids, expected, (size_t)count * sizeof *ids);
}

/* Kernels may round activations; where transformers itself would write something else then, nothing can be asked. */
static bool is_decided(const json_t *prompt, const struct manner *manner)
{
    return manner->references ||
           json_is_true(json_object_get(prompt, "rounded_generates_the_same"));
}

static int check_stories(struct engine *engine, const json_t *prompts, const struct manner *manner,
                         struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct generation_request requests[PROMPTS_MOST];
    struct generation_result results[PROMPTS_MOST];
    struct generation_times times;
    int count = (int)json_array_size(prompts), compared = 0;
    for (int p = 0; p < count; p++) {
        const json_t *prompt = json_array_get(prompts, (size_t)p);
        check_prompt_ids(engine, prompt, arena);
        requests[p] =
            (struct generation_request){.sampling = sampling_default(), .ignore_end = true};
        requests[p].prompt =
            ids_of(json_object_get(prompt, "ids"), &requests[p].prompt_count, arena);
        requests[p].tokens = (int64_t)json_array_size(json_object_get(prompt, "generated"));
    }
    CHECK_OK(
        generate(engine, requests, count, NULL, NULL, NULL, arena, results, &times, &diagnostic));
    for (int p = 0; p < count; p++) {
        const json_t *prompt = json_array_get(prompts, (size_t)p);
        int64_t expected_count;
        int32_t *expected = ids_of(json_object_get(prompt, "generated"), &expected_count, arena);
        if (!is_decided(prompt, manner)) continue;
        if (results[p].count != expected_count ||
            memcmp(results[p].tokens, expected, (size_t)expected_count * sizeof *expected) != 0)
            CHECK_FAIL("%s: \"%s\" goes on as \"%s\"", manner->name,
                       json_string_value(json_object_get(prompt, "prompt")), results[p].text);
        compared++;
    }
    return compared;
}

static void check_logits(struct engine *engine, const json_t *logits, const struct manner *manner,
                         struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    int64_t count, vocabulary = engine_model(engine)->vocabulary;
    const struct engine_input input = {.tokens =
                                           ids_of(json_object_get(logits, "ids"), &count, arena),
                                       .count = count,
                                       .all_logits = true};
    struct engine_input placed = input;
    CHECK_OK(engine_sequence_open(engine, &placed.sequence, &diagnostic));
    float *got = arena_allocate(arena, (size_t)(count * vocabulary), sizeof *got);
    float *expected = arena_allocate(arena, (size_t)(count * vocabulary), sizeof *expected);
    placed.count = count;
    CHECK_OK(engine_feed(engine, &placed, 1, got, &diagnostic));
    char path[1024];
    unsigned char head[10];
    snprintf(path, sizeof path, "%s/tests/oracle/demo/%s", HONE_SOURCE_FOLDER,
             json_string_value(json_object_get(logits, "logits")));
    FILE *file = fopen(path, "rb");
    if (!file || fread(head, 1, sizeof head, file) != sizeof head)
        CHECK_FAIL("cannot read %s", path);
    fseek(file, head[8] + 256 * head[9], SEEK_CUR);
    size_t values = (size_t)(count * vocabulary);
    assert_int_equal(fread(expected, sizeof *expected, values, file), values);
    fclose(file);
    double worst = 0, bound = json_number_value(json_object_get(
                          logits, manner->references ? "bound" : "bound_rounded_activations"));
    for (size_t v = 0; v < values; v++)
        worst = fmax(worst, fabs((double)got[v] - (double)expected[v]));
    print_message("%s: logits differ by %.3f of the bound\n", manner->name, worst / bound);
    assert_true(bound > 0 && worst <= bound);
    engine_sequence_close(engine, placed.sequence);
}

static void demo_models_write_the_same_stories(void **state)
{
    const struct manner *manner = *state;
    for (int k = 0; k < 2; k++) {
        struct arena *arena = arena_create(0);
        json_t *vectors = read_vectors(kinds[k]);
        struct engine *engine = open_demo(kinds[k], manner);
        int compared = check_stories(engine, json_object_get(vectors, "prompts"), manner, arena);
        print_message("%s, %s: %d stories alike\n", kinds[k], manner->name, compared);
        assert_true(compared > 0);
        check_logits(engine, json_object_get(vectors, "logits"), manner, arena);
        engine_close(engine);
        json_decref(vectors);
        arena_destroy(arena);
    }
}

int main(void)
{
    struct CMUnitTest tests[sizeof manners / sizeof *manners];
    for (size_t m = 0; m < sizeof manners / sizeof *manners; m++)
        tests[m] = (struct CMUnitTest){.name = manners[m].name,
                                       .test_func = demo_models_write_the_same_stories,
                                       .initial_state = (void *)(uintptr_t)&manners[m]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

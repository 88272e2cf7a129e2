/* Hone's logits against those of Hugging Face transformers (tests/oracle/README.md says where the vectors come from).
 *
 * Every source file of every reference model runs in several ways: with the plain references and with compiled kernels,
 * the prompt at once, in odd chunks, token by token, on one device and on two virtual cards, and as several ragged
 * sequences side by side.  HONE_ORACLE_DIR names a folder of fresh vectors. */
#include "engine/engine.h"
#include "engine/generate.h"

#include "tests/check.h"

#include <math.h>

#include <jansson.h>

/* One way to run a prompt. */
struct manner {
    const char *name, *devices;
    bool references;
    int64_t chunk;   /* tokens per step */
    int64_t outputs; /* logit rows per step: fewer than chunk cuts steps again */
    int copies;      /* of the prompt, as sequences side by side */
};

static const struct manner manners[] = {
    {"references", "cpu", true, 512, 300, 1},
    {"references, token by token", "cpu", true, 1, 1, 1},
    {"references, chunks of 37, two virtual cards", "virtual:64MiB,virtual:64MiB", true, 37, 5, 1},
    {"references, three sequences", "cpu", true, 100, 100, 3},
    {"kernels", "cpu", false, 512, 300, 1},
    {"kernels, token by token", "cpu", false, 1, 1, 1},
    {"kernels, chunks of 37, two virtual cards", "virtual:64MiB,virtual:64MiB", false, 37, 5, 1},
    {"kernels, three sequences", "cpu", false, 100, 100, 3},
};

struct totals {
    int comparisons, failures;
    double worst; /* difference over bound */
};

static const char *vector_folder(void)
{
    const char *fresh = getenv("HONE_ORACLE_DIR");
    return fresh ? fresh : HONE_SOURCE_FOLDER "/tests/oracle/vectors";
}

/* A float32 .npy file of version 1; the header's length is a little-endian 16-bit number at byte 8. */
static float *read_npy(const char *path, int64_t count)
{
    FILE *file = fopen(path, "rb");
    unsigned char head[10];
    if (!file || fread(head, 1, sizeof head, file) != sizeof head) CHECK_FAIL("cannot read %s", path);
    fseek(file, head[8] + 256 * head[9], SEEK_CUR);
    float *values = calloc((size_t)count, sizeof *values);
    if (fread(values, sizeof *values, (size_t)count, file) != (size_t)count)
        CHECK_FAIL("%s has fewer than %lld values", path, (long long)count);
    fclose(file);
    return values;
}

static int32_t *ids_of(const json_t *array, int64_t *count)
{
    *count = (int64_t)json_array_size(array);
    int32_t *ids = calloc((size_t)*count + 1, sizeof *ids);
    for (int64_t i = 0; i < *count; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(array, (size_t)i));
    return ids;
}

/* The bound of a case: kernels may round their activations to the type of the weights. */
static double bound_of(const json_t *item, const struct manner *manner)
{
    const json_t *rounded = json_object_get(item, "bound_rounded_activations");
    const json_t *exact = json_object_get(item, "bound");
    return json_number_value(!manner->references && rounded ? rounded : exact);
}

static double largest_difference(const json_t *item, int64_t vocabulary, const float *logits)
{
    int64_t count;
    int32_t *positions = ids_of(json_object_get(item, "positions"), &count);
    char path[4096];
    snprintf(path, sizeof path, "%s/models/%s", vector_folder(),
             json_string_value(json_object_get(item, "logits")));
    float *expected = read_npy(path, count * vocabulary);
    double worst = 0;
    for (int64_t p = 0; p < count; p++)
        for (int64_t v = 0; v < vocabulary; v++) {
            double difference = fabs((double)expected[p * vocabulary + v] -
                                     (double)logits[positions[p] * vocabulary + v]);
            if (!(difference <= worst)) worst = difference; /* catches NaN */
        }
    free(positions);
    free(expected);
    return worst;
}

static void compare_copies(const json_t *reference, const json_t *item,
                           const struct manner *manner, const float *logits, int64_t ids,
                           const char *source, struct totals *totals)
{
    int64_t vocabulary = json_integer_value(json_object_get(reference, "vocabulary"));
    double bound = bound_of(item, manner);
    for (int c = 0; c < manner->copies; c++) {
        double worst = largest_difference(item, vocabulary, logits + c * ids * vocabulary);
        totals->comparisons++;
        if (worst / bound > totals->worst) totals->worst = worst / bound;
        if (worst <= bound) continue;
        totals->failures++;
        print_error("%s, %s, %s: logits differ by %g, the bound is %g\n", source, manner->name,
                    json_string_value(json_object_get(item, "name")), worst, bound);
    }
}

static void run_case(struct engine *engine, const json_t *reference, const json_t *item,
                     const struct manner *manner, const char *source, struct totals *totals)
{
    struct diagnostic diagnostic = {0};
    int64_t vocabulary = json_integer_value(json_object_get(reference, "vocabulary")), count;
    int32_t *ids = ids_of(json_object_get(item, "ids"), &count);
    struct engine_input inputs[4];
    for (int c = 0; c < manner->copies; c++) {
        inputs[c] = (struct engine_input){.tokens = ids, .count = count, .all_logits = true};
        if (engine_sequence_open(engine, &inputs[c].sequence, &diagnostic) != STATUS_OK)
            CHECK_FAIL("%s", diagnostic.text);
    }
    float *logits = calloc((size_t)(manner->copies * count * vocabulary), sizeof *logits);
    if (engine_feed(engine, inputs, manner->copies, logits, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s: %s", source, diagnostic.text);
    compare_copies(reference, item, manner, logits, count, source, totals);
    for (int c = 0; c < manner->copies; c++) engine_sequence_close(engine, inputs[c].sequence);
    free(logits);
    free(ids);
}

/* Greedy generation from the prompt of a decode case must give the rest of its ids. */
static void run_greedy(struct engine *engine, const json_t *item, const char *source,
                       struct totals *totals)
{
    struct diagnostic diagnostic = {0};
    int64_t count, prompt = json_integer_value(json_object_get(item, "prefill_tokens"));
    int32_t *ids = ids_of(json_object_get(item, "ids"), &count);
    struct arena *arena = arena_create(0);
    struct generation_request request = {.prompt = ids,
                                         .prompt_count = prompt,
                                         .tokens = count - prompt,
                                         .sampling = sampling_default(),
                                         .ignore_end = true};
    struct generation_result result;
    struct generation_times times;
    if (generate(engine, &request, 1, NULL, NULL, NULL, arena, &result, &times, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s: %s", source, diagnostic.text);
    totals->comparisons++;
    if (result.count != count - prompt ||
        memcmp(result.tokens, ids + prompt, (size_t)result.count * sizeof *ids) != 0) {
        totals->failures++;
        print_error("%s: greedy tokens differ\n", source);
    }
    arena_destroy(arena);
    free(ids);
}

static void run_source(const json_t *reference, const char *path, const struct manner *manner,
                       struct totals *totals)
{
    struct diagnostic diagnostic = {0};
    char full[4096];
    snprintf(full, sizeof full, "%s/models/%s", vector_folder(), path);
    const struct engine_options options = {.devices = manner->devices,
                                           .references = manner->references,
                                           .context = 320,
                                           .sequences = manner->copies,
                                           .chunk = manner->chunk,
                                           .outputs = manner->outputs,
                                           .state_element = ELEMENT_F32,
                                           .cache_folder = HONE_BUILD_FOLDER "/test-cache"};
    struct engine *engine;
    if (engine_open(full, &options, &engine, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s: %s", path, diagnostic.text);
    const json_t *item;
    size_t index;
    json_array_foreach(json_object_get(reference, "cases"), index, item) {
        run_case(engine, reference, item, manner, path, totals);
        if (strcmp(json_string_value(json_object_get(item, "kind")), "decode") == 0)
            run_greedy(engine, item, path, totals);
    }
    engine_close(engine);
}

static void run_manner(void **state)
{
    const struct manner *manner = *state;
    char path[4096];
    snprintf(path, sizeof path, "%s/models/manifest.json", vector_folder());
    json_error_t error;
    json_t *manifest = json_load_file(path, 0, &error);
    if (!manifest) CHECK_FAIL("%s: %s", path, error.text);
    struct totals totals = {0};
    const json_t *reference, *source;
    size_t r, s;
    json_array_foreach(json_object_get(manifest, "references"), r, reference) {
        json_array_foreach(json_object_get(reference, "sources"), s, source) {
            run_source(reference, json_string_value(json_object_get(source, "path")), manner, &totals);
        }
    }
    json_decref(manifest);
    print_message("%s: %d comparisons, largest difference %.3f of its bound\n", manner->name,
                  totals.comparisons, totals.worst);
    assert_int_equal(totals.failures, 0);
    assert_true(totals.comparisons > 80);
}

int main(void)
{
    struct CMUnitTest tests[sizeof manners / sizeof *manners];
    for (size_t m = 0; m < sizeof manners / sizeof *manners; m++)
        tests[m] = (struct CMUnitTest){.name = manners[m].name,
                                       .test_func = run_manner,
                                       .initial_state = (void *)(uintptr_t)&manners[m]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

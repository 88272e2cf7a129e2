/* Running a model's cases and comparing its logits. */
#include "tests/oracle/oracle_harness.h"

#include "engine/engine.h"
#include "engine/generate.h"
#include "tests/check.h"

#include <math.h>

static const char *vector_folder(void)
{
    const char *fresh = getenv("HONE_ORACLE_DIR");
    return fresh ? fresh : HONE_SOURCE_FOLDER "/tests/oracle/vectors";
}

json_t *oracle_manifest(const char *part)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/%s/manifest.json", vector_folder(), part);
    json_t *manifest = json_load_file(path, 0, &error);
    if (!manifest) CHECK_FAIL("%s: %s", path, error.text);
    return manifest;
}

/* A float32 .npy file of version 1; the header's length is a little-endian 16-bit number at byte 8. */
static float *read_npy(const char *path, int64_t count)
{
    FILE *file = fopen(path, "rb");
    unsigned char head[10];
    if (!file || fread(head, 1, sizeof head, file) != sizeof head)
        CHECK_FAIL("cannot read %s", path);
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

static int64_t vocabulary_of(const struct oracle_run *run)
{
    return json_integer_value(json_object_get(run->reference, "vocabulary"));
}

/* The bound of a case: kernels may round their activations to the type of the weights. */
static double bound_of(const json_t *item, const struct manner *manner)
{
    const json_t *rounded = json_object_get(item, "bound_rounded_activations");
    const json_t *exact = json_object_get(item, "bound");
    return json_number_value(!manner->references && rounded ? rounded : exact);
}

static double largest_difference(const struct oracle_run *run, const json_t *item,
                                 const float *logits)
{
    int64_t count, vocabulary = vocabulary_of(run);
    int32_t *positions = ids_of(json_object_get(item, "positions"), &count);
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s", vector_folder(), run->part,
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

static void compare_copies(const struct oracle_run *run, const json_t *item, const float *logits,
                           int64_t ids, struct totals *totals)
{
    double bound = bound_of(item, run->manner);
    for (int c = 0; c < run->manner->copies; c++) {
        double worst = largest_difference(run, item, logits + c * ids * vocabulary_of(run));
        totals->comparisons++;
        if (!(worst / bound <= totals->worst)) totals->worst = worst / bound;
        if (worst <= bound) continue;
        totals->failures++;
        print_error("%s, %s%s%s, %s: logits differ by %g, the bound is %g\n", run->path,
                    run->manner->name, run->settings ? ", " : "",
                    run->settings ? run->settings : "",
                    json_string_value(json_object_get(item, "name")), worst, bound);
    }
}

static void run_case(struct engine *engine, const struct oracle_run *run, const json_t *item,
                     struct totals *totals)
{
    struct diagnostic diagnostic = {0};
    int64_t count;
    int copies = run->manner->copies;
    int32_t *ids = ids_of(json_object_get(item, "ids"), &count);
    struct engine_input inputs[4];
    for (int c = 0; c < copies; c++) {
        inputs[c] = (struct engine_input){.tokens = ids, .count = count, .all_logits = true};
        if (engine_sequence_open(engine, &inputs[c].sequence, &diagnostic) != STATUS_OK)
            CHECK_FAIL("%s", diagnostic.text);
    }
    float *logits = calloc((size_t)(copies * count * vocabulary_of(run)), sizeof *logits);
    if (engine_feed(engine, inputs, copies, logits, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s: %s", run->path, diagnostic.text);
    compare_copies(run, item, logits, count, totals);
    for (int c = 0; c < copies; c++) engine_sequence_close(engine, inputs[c].sequence);
    free(logits);
    free(ids);
}

/* Greedy generation from the prompt of a decode case must give the rest of its ids. */
static void run_greedy(struct engine *engine, const struct oracle_run *run, const json_t *item,
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
    if (generate(engine, &request, 1, NULL, NULL, NULL, arena, &result, &times, &diagnostic) !=
        STATUS_OK)
        CHECK_FAIL("%s: %s", run->path, diagnostic.text);
    totals->comparisons++;
    if (result.count != count - prompt ||
        memcmp(result.tokens, ids + prompt, (size_t)result.count * sizeof *ids) != 0) {
        totals->failures++;
        print_error("%s, %s: greedy tokens differ\n", run->path, run->manner->name);
    }
    arena_destroy(arena);
    free(ids);
}

/* All cases with one have the same. */
static const char *layer_map_of(const struct oracle_run *run)
{
    const json_t *item;
    size_t index;
    json_array_foreach(json_object_get(run->reference, "cases"), index, item)
    {
        const char *map = json_string_value(json_object_get(item, "layer_map"));
        if (run->mapped && map) return map;
    }
    return NULL;
}

void oracle_run(const struct oracle_run *run, struct totals *totals)
{
    struct diagnostic diagnostic = {0};
    const struct manner *manner = run->manner;
    const json_t *item;
    char full[4096];
    snprintf(full, sizeof full, "%s/%s/%s", vector_folder(), run->part, run->path);
    const struct engine_options options = {.devices = manner->devices,
                                           .references = manner->references,
                                           .settings = run->settings,
                                           .layer_map = layer_map_of(run),
                                           .context = 320,
                                           .sequences = manner->copies,
                                           .chunk = manner->chunk,
                                           .outputs = manner->outputs,
                                           .state_element = ELEMENT_F32,
                                           .cache_folder = HONE_BUILD_FOLDER "/test-cache"};
    struct engine *engine;
    if (engine_open(full, &options, &engine, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s: %s", run->path, diagnostic.text);
    size_t index;
    json_array_foreach(json_object_get(run->reference, "cases"), index, item)
    {
        if ((json_object_get(item, "layer_map") != NULL) != run->mapped) continue;
        run_case(engine, run, item, totals);
        if (strcmp(json_string_value(json_object_get(item, "kind")), "decode") == 0)
            run_greedy(engine, run, item, totals);
    }
    engine_close(engine);
}

/* Engines on split plans. */
#include "tests/unit/split_harness.h"

#include "base/file.h"
#include "models/synth.h"
#include "ops/op_table.h"
#include "tests/check.h"

struct engine_options placing_options(const struct placing *placing, bool references,
                                      const char *cache)
{
    return (struct engine_options){.devices = placing->devices,
                                   .split = placing->split,
                                   .stream = placing->stream,
                                   .chunk = placing->chunk,
                                   .context = 64,
                                   .threads = 2,
                                   .references = references,
                                   .deterministic = !references,
                                   .state_element = ELEMENT_F16,
                                   .cache_folder = cache};
}

int64_t split_run(struct engine *engine, float logits[static SPLIT_LOGITS_MOST])
{
    struct diagnostic diagnostic = {0};
    int64_t vocabulary = engine_model(engine)->vocabulary;
    int32_t tokens[SPLIT_PROMPT];
    int sequence;
    assert_true(vocabulary * (1 + SPLIT_GENERATED) <= SPLIT_LOGITS_MOST);
    for (int t = 0; t < SPLIT_PROMPT; t++) tokens[t] = (int32_t)((5 + t * 37) % vocabulary);
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = SPLIT_PROMPT};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
    for (int g = 0; g < SPLIT_GENERATED; g++) {
        input.tokens = &tokens[g];
        input.count = 1;
        CHECK_OK(engine_feed(engine, &input, 1, logits + (1 + g) * vocabulary, &diagnostic));
    }
    return vocabulary * (1 + SPLIT_GENERATED);
}

void check_placings(const char *model, const struct placing *placings, int count, bool references,
                    const char *cache, int from, int step)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    int64_t numbers = 0;
    for (int p = 0; p < count; p = p ? p + step : from) {
        struct diagnostic diagnostic = {0};
        struct engine_options options = placing_options(&placings[p], references, cache);
        struct engine *engine;
        CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
        numbers = split_run(engine, p ? logits : expected);
        engine_close(engine);
        if (p && memcmp(logits, expected, (size_t)numbers * sizeof *logits) != 0)
            CHECK_FAIL("%s: %s, split %s, stream %s: other logits", model, placings[p].devices,
                       placings[p].split ? placings[p].split : "by layers",
                       placings[p].stream ? placings[p].stream : "nothing");
    }
}

const char *split_synthesise(struct scratch *scratch, const char *preset, enum element_type element)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "model.gguf");
    const struct synth_options options = {
        .ops = op_table(), .preset = preset, .element = element, .seed = 7, .threads = 2};
    CHECK_OK(synth_write(path, &options, &diagnostic));
    return path;
}

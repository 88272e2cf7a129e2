/* The forms of latent attention: naive and absorbed give the same logits, cache different things, and "auto" is one of
 * them; a plan keeps the form that it was made with. */
#include "engine/engine.h"
#include "engine/latent_form.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <math.h>
#include <string.h>

#define VECTORS HONE_SOURCE_FOLDER "/tests/oracle/vectors/"
enum { VOCABULARY = 64, PROMPT = 40 };

/* Of the largest logit; float32 and the order of sums cost the forms about 1e-6 of it. */
#define BOUND 1e-4f

static const char *const models[] = {
    VECTORS "architectures/deepseek_v2/deepseek_v2.gguf",
    VECTORS "architectures/deepseek_v2/huggingface",
    VECTORS "architectures/deepseek_v2_lite/deepseek_v2_lite.gguf",
    VECTORS "architectures/deepseek_v3/deepseek_v3.gguf",
    VECTORS "architectures/deepseek_v3_plain/huggingface",
};

static struct engine_options options_of(const char *form, bool references)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = {.references = references,
                                     .context = 64,
                                     .chunk = PROMPT,
                                     .outputs = PROMPT,
                                     .state_element = ELEMENT_F32,
                                     .cache_folder = HONE_BUILD_FOLDER "/test-cache"};
    CHECK_OK(latent_form_parse(form, &options, &diagnostic));
    return options;
}

/* Logits of a prompt, then of a token behind it; returns the bytes of the cache. */
static int64_t run(const char *path, const struct engine_options *options,
                   float logits[PROMPT + 1][VOCABULARY])
{
    struct diagnostic diagnostic = {0};
    struct engine *engine = NULL;
    int32_t tokens[PROMPT + 1];
    int sequence;
    for (int t = 0; t <= PROMPT; t++) tokens[t] = (t * 11 + 3) % VOCABULARY;
    if (engine_open(path, options, &engine, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s: %s", path, diagnostic.text);
    assert_int_equal(engine_model(engine)->vocabulary, VOCABULARY);
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    struct engine_input input = {
        .sequence = sequence, .tokens = tokens, .count = PROMPT, .all_logits = true};
    CHECK_OK(engine_feed(engine, &input, 1, logits[0], &diagnostic));
    input = (struct engine_input){.sequence = sequence, .tokens = tokens + PROMPT, .count = 1};
    CHECK_OK(engine_feed(engine, &input, 1, logits[PROMPT], &diagnostic));
    int64_t bytes = engine_report(engine)->state_bytes;
    engine_close(engine);
    return bytes;
}

static float distance(float a[PROMPT + 1][VOCABULARY], float b[PROMPT + 1][VOCABULARY])
{
    float most = 0, largest = 0;
    for (int t = 0; t <= PROMPT; t++)
        for (int v = 0; v < VOCABULARY; v++) {
            most = fmaxf(most, fabsf(a[t][v] - b[t][v]));
            largest = fmaxf(largest, fabsf(a[t][v]));
        }
    return most / largest;
}

static float naive[PROMPT + 1][VOCABULARY], absorbed[PROMPT + 1][VOCABULARY],
    other[PROMPT + 1][VOCABULARY];

static void check_forms(const char *path, bool references)
{
    const struct engine_options plain = options_of("naive", references),
                                folded = options_of("absorbed", references);
    int64_t bytes = run(path, &plain, naive), folded_bytes = run(path, &folded, absorbed);
    float far = distance(naive, absorbed);
    if (!(far < BOUND) || bytes == folded_bytes)
        CHECK_FAIL("%s, %s: %g of the largest logit; caches of %lld and %lld bytes", path,
                   references ? "references" : "kernels", (double)far, (long long)bytes,
                   (long long)folded_bytes);
}

static void both_forms_agree(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        check_forms(models[m], true);
        check_forms(models[m], false);
    }
}

static void auto_is_the_faster_one(void **state)
{
    (void)state;
    const struct engine_options plain = options_of("naive", false),
                                folded = options_of("absorbed", false);
    const struct engine_options open = options_of("auto", false);
    int64_t bytes = run(models[0], &plain, naive), folded_bytes = run(models[0], &folded, absorbed);
    int64_t chosen = run(models[0], &open, other);
    assert_true(chosen == bytes || chosen == folded_bytes);
    assert_memory_equal(other, chosen == bytes ? naive : absorbed, sizeof other);
}

static void a_plan_keeps_its_form(void **state)
{
    const struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct engine *engine = NULL;
    const struct engine_options plain = options_of("naive", false), none = options_of(NULL, false);
    const char *path = arena_print(scratch->arena, "%s/forms.plan", scratch->folder);
    int64_t bytes = run(models[0], &plain, naive);
    CHECK_OK(engine_prepare(models[0], &plain, &engine, &diagnostic));
    CHECK_OK(engine_save_plan(engine, &plain, path, &diagnostic));
    engine_close(engine);
    assert_int_equal(run(path, &none, other), bytes);
    assert_memory_equal(other, naive, sizeof other);
    CHECK_REFUSED(engine_open(path, &plain, &engine, &diagnostic), STATUS_USAGE,
                  "form of latent attention is settled");
}

static void other_words_and_models_are_refused(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    struct engine_options options = {0};
    struct engine *engine = NULL;
    CHECK_REFUSED(latent_form_parse("folded", &options, &diagnostic), STATUS_USAGE,
                  "write naive, absorbed or auto");
    options = options_of("auto", true);
    CHECK_REFUSED(
        engine_open(VECTORS "models/llama/llama-f32.gguf", &options, &engine, &diagnostic),
        STATUS_USAGE, "llama has no setting 'mla'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_agree),
        cmocka_unit_test(auto_is_the_faster_one),
        cmocka_unit_test_setup_teardown(a_plan_keeps_its_form, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(other_words_and_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

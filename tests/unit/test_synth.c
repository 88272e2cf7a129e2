/* Synthetic models: they open, equal seeds give equal files on any number of threads, the numbers
 * are of sensible size, and failures leave nothing behind. */
#include "models/gguf.h"
#include "models/model.h"
#include "models/synth.h"
#include "models/tokenizer.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <math.h>
#include <unistd.h>

static struct synth_options options_of(const char *preset, enum element_type element)
{
    return (struct synth_options){
        .ops = op_table(), .preset = preset, .element = element, .seed = 7, .threads = 2};
}

static const char *path_of(struct scratch *scratch, const char *name)
{
    return file_join(scratch->arena, scratch->folder, name);
}

static void check_opens(const char *path, const char *description)
{
    struct diagnostic diagnostic = {0};
    struct model_options options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = 16};
    struct model *model;
    CHECK_OK(model_open(path, &options, &model, &diagnostic));
    CHECK_TEXT(model->description, description);
    model_close(model);
}

static void presets_become_models(void **state)
{
    static const struct {
        const char *preset;
        enum element_type element;
        int64_t layers;
        const char *description;
    } rows[] = {
        {"small-dense", ELEMENT_F32, 0, "llama, 2 layers, width 64, f32"},
        {"small-dense", ELEMENT_F16, 5, "llama, 5 layers, width 64, f16"},
        {"small-dense", ELEMENT_Q8_0, 1, "llama, 1 layer, width 64, q8_0"},
        {"small-moe", ELEMENT_BF16, 0, "mixtral, 2 layers, width 64, bf16"},
        {"small-moe", ELEMENT_Q4_0, 0, "mixtral, 2 layers, width 64, q4_0"},
        {"small-latent", ELEMENT_Q8_0, 3, "deepseek2, 3 layers, width 64, q8_0"},
        {"small-sinks", ELEMENT_Q8_0, 0, "gpt-oss, 2 layers, width 64, q8_0"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = path_of(scratch, "model.gguf");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct synth_options options = options_of(rows[i].preset, rows[i].element);
        options.layers = rows[i].layers;
        CHECK_OK(synth_write(path, &options, &diagnostic));
        check_opens(path, rows[i].description);
    }
}

static void threads_do_not_change_the_file(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct synth_options options = options_of("small-moe", ELEMENT_Q8_0);
    char *one, *three;
    size_t one_bytes, three_bytes;
    options.threads = 1;
    CHECK_OK(synth_write(path_of(scratch, "one.gguf"), &options, &diagnostic));
    options.threads = 3;
    CHECK_OK(synth_write(path_of(scratch, "three.gguf"), &options, &diagnostic));
    CHECK_OK(file_read(path_of(scratch, "one.gguf"), 1 << 24, scratch->arena, &one, &one_bytes,
                       &diagnostic));
    CHECK_OK(file_read(path_of(scratch, "three.gguf"), 1 << 24, scratch->arena, &three,
                       &three_bytes, &diagnostic));
    assert_int_equal(one_bytes, three_bytes);
    assert_memory_equal(one, three, one_bytes);
    options.seed = 8;
    CHECK_OK(synth_write(path_of(scratch, "three.gguf"), &options, &diagnostic));
    CHECK_OK(file_read(path_of(scratch, "three.gguf"), 1 << 24, scratch->arena, &three,
                       &three_bytes, &diagnostic));
    assert_memory_not_equal(one, three, one_bytes);
}

/* Mean and standard deviation of a tensor. */
static void check_moments(const struct model_source *source, const char *name, double mean,
                          double deviation)
{
    static const int64_t none[SYMBOL_COUNT] = {0};
    const struct stored_tensor *tensor = source_tensor(source, name);
    int64_t count = tensor_elements(&tensor->type, none);
    float *values = calloc((size_t)count, sizeof *values);
    double sum = 0, squares = 0;
    element_decode_row(tensor->type.element, tensor->bytes, count, values);
    for (int64_t i = 0; i < count; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    free(values);
    sum /= (double)count;
    /* Four standard errors of the mean of a uniform distribution. */
    assert_true(fabs(sum - mean) < 4 * deviation / sqrt((double)count));
    assert_true(fabs(sqrt(squares / (double)count - sum * sum) / deviation - 1) < 0.25);
}

static void weights_are_of_sensible_size(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct synth_options options = options_of("small-dense", ELEMENT_Q8_0);
    struct model_source source;
    const char *path = path_of(scratch, "model.gguf");
    CHECK_OK(synth_write(path, &options, &diagnostic));
    CHECK_OK(source_open(path, scratch->arena, NULL, &source, &diagnostic));
    check_moments(&source, "blk.1.ffn_down.weight", 0, 1 / sqrt(96));
    check_moments(&source, "token_embd.weight", 0, 1 / sqrt(64));
    check_moments(&source, "blk.0.attn_norm.weight", 1, 0.1 / sqrt(3));
    assert_int_equal(source_metadata(&source, "tokenizer.ggml.tokens")->length, 300);
    source_close(&source);
}

/* Every byte has a token, so any text survives. */
static void text_can_be_encoded(void **state)
{
    static const char text[] = "Any text: \xc3\xa4\n\t\x01\xf0\x9f\x99\x82!";
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct synth_options options = options_of("small-dense", ELEMENT_F32);
    struct model_options model_options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = 16};
    struct model *model;
    int32_t *ids;
    int64_t count;
    char *decoded;
    size_t length;
    const char *path = path_of(scratch, "model.gguf");
    CHECK_OK(synth_write(path, &options, &diagnostic));
    CHECK_OK(model_open(path, &model_options, &model, &diagnostic));
    CHECK_OK(tokenizer_encode(model->tokenizer, text, sizeof text - 1, true, false, scratch->arena,
                              &ids, &count, &diagnostic));
    assert_int_equal(count, sizeof text - 1);
    CHECK_OK(tokenizer_decode(model->tokenizer, ids, count, scratch->arena, &decoded, &length,
                              &diagnostic));
    assert_int_equal(length, sizeof text - 1);
    assert_memory_equal(decoded, text, length);
    model_close(model);
}

static int file_count(struct scratch *scratch)
{
    struct diagnostic diagnostic = {0};
    const char **names;
    int count;
    CHECK_OK(file_list(scratch->folder, "", scratch->arena, &names, &count, &diagnostic));
    return count;
}

static bool always(void *context)
{
    return context != NULL;
}

static void failures_leave_nothing(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct progress progress = {.context = scratch, .interrupted = always};
    const char *path = path_of(scratch, "model.gguf");
    struct synth_options options = options_of("small-dens", ELEMENT_F32);
    CHECK_REFUSED(synth_write(path, &options, &diagnostic), STATUS_USAGE,
                  "did you mean 'small-dense'?");
    options = options_of("small-dense", ELEMENT_I8);
    CHECK_REFUSED(synth_write(path, &options, &diagnostic), STATUS_USAGE, "cannot be made of i8");
    options = options_of("small-dense", ELEMENT_F32);
    options.layers = 1 << 20;
    CHECK_REFUSED(synth_write(path, &options, &diagnostic), STATUS_BAD_INPUT, "out of bounds");
    options.layers = 0;
    options.progress = &progress;
    CHECK_REFUSED(synth_write(path, &options, &diagnostic), STATUS_INTERRUPTED, "interrupted");
    CHECK_REFUSED(synth_write("/nowhere/model.gguf", &options, &diagnostic), STATUS_INPUT_OUTPUT,
                  "cannot be created");
    assert_int_equal(file_count(scratch), 0);
}

static void presets_are_listed(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *const *names;
    CHECK_OK(synth_presets(scratch->arena, &names, &diagnostic));
    CHECK_TEXT(names[0], "tinyllama-1.1b");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(presets_become_models),        TEST(threads_do_not_change_the_file),
        TEST(weights_are_of_sensible_size), TEST(failures_leave_nothing),
        TEST(text_can_be_encoded),          TEST(presets_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

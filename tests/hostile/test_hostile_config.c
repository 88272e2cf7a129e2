/* Hostile config.json files: each is refused at once, with one line that names the file and what is wrong with it. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/check.h"
#include "tests/config_harness.h"

#include <sys/stat.h>
#include <unistd.h>

static const double SECONDS_MOST =
    2; /* a refusal takes milliseconds; sanitizers and a busy machine take more */

/* 1 when the config.json that is there is not refused with these words: the tests go on and count. */
static int check_refused(struct scratch *scratch, const char *what, const char *words)
{
    struct diagnostic diagnostic = {0};
    struct model *model = NULL;
    double start_seconds = clock_seconds();
    status code = config_open_folder(scratch, NULL, &model, &diagnostic);
    double seconds = clock_seconds() - start_seconds;
    if (code == STATUS_OK) {
        model_close(model);
        print_error("%.200s: was taken\n", what);
        return 1;
    }
    bool named = strstr(diagnostic.text, scratch->folder) && !strchr(diagnostic.text, '\n');
    if (code == STATUS_BAD_INPUT && named && strstr(diagnostic.text, words) &&
        seconds < SECONDS_MOST)
        return 0;
    print_error("%.200s: %s '%s', not '%s', after %.1f s\n", what, status_name(code),
                diagnostic.text, words, seconds);
    return 1;
}

/* ---- What is no JSON, or too much of it ---- */

static void files_that_are_no_config_are_refused(void **state)
{
    static const struct {
        const char *bytes, *words;
        size_t count; /* 0: up to the end */
    } rows[] = {
        {" ", "config.json:", 0},
        {"[]", "a JSON object is needed", 0},
        {"\"llama\"", "config.json:1:", 0},
        {"17", "config.json:1:", 0},
        {"{", "config.json:1:", 0},
        {"{\"model_type\": \"mistral\"", "config.json:1:", 0},
        {"{} {}", "config.json:1:", 0},
        {"{\"a\": 1, \"a\": 1}", "duplicate", 0},
        {"{\"a\": {\"b\": 1, \"b\": 2}}", "duplicate", 0},
        {"{\"a\": \"\xff\xfe\"}", "config.json:1:", 0},
        {"{\"a\": \"\xc0\xaf\"}", "config.json:1:", 0},
        {"{\"a\": \"\xed\xa0\x80\"}", "config.json:1:", 0},
        {"{\"a\": \"\\ud800\"}", "config.json:1:", 0},
        {"{\"a\": \"\\udc00\\ud800\"}", "config.json:1:", 0},
        {"{\"a\": \"\\u0000\"}", "config.json:1:", 0},
        {"{\"\\u0000\": 1}", "config.json:1:", 0},
        {"{\"a\0b\": 1}", "config.json:1:", 10},
        {"{}\0", "config.json:1:", 3},
        {"{\"a\": \"two\nlines\"}", "config.json:1:", 0},
        {"{\"a\": 1e999}", "config.json:1:", 0},
        {"{\"a\": 9223372036854775808}", "config.json:1:", 0},
        {"{\"a\": -9223372036854775809}", "config.json:1:", 0},
        {"{\"a\": NaN}", "config.json:1:", 0},
        {"{\"a\": -Infinity}", "config.json:1:", 0},
        {"{\"a\": 01}", "config.json:1:", 0},
        {"{\"a\": +1}", "config.json:1:", 0},
        {"{\"a\": .5}", "config.json:1:", 0},
        {"{\"a\": 0x10}", "config.json:1:", 0},
        {"{\"a\": 1,}", "config.json:1:", 0},
        {"{\"a\": [1,]}", "config.json:1:", 0},
        {"{\"a\" 1}", "config.json:1:", 0},
        {"{a: 1}", "config.json:1:", 0},
        {"{'a': 1}", "config.json:1:", 0},
        {"{\"a\": 1 /* one */}", "config.json:1:", 0},
        {"{\"a\": tru}", "config.json:1:", 0},
        {"\xef\xbb\xbf{}", "config.json:1:", 0},
        {"\xff\xfe{\0}\0", "config.json:1:", 6},
        {"model_type: mistral\n", "config.json:1:", 0},
        {"\x80\x02}q\x00.", "config.json:", 6},
        {"{}", "model_type, a text, is missing", 0},
    };
    struct scratch *scratch = *state;
    int wrong = 0;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        config_make_folder_of(scratch, "mistral", rows[r].bytes,
                              rows[r].count ? rows[r].count : strlen(rows[r].bytes));
        wrong += check_refused(scratch, rows[r].bytes, rows[r].words);
    }
    config_make_folder_of(scratch, "mistral", "", 0);
    wrong += check_refused(scratch, "empty", "config.json");
    print_message("%zu files that are no config\n", sizeof rows / sizeof *rows + 1);
    assert_int_equal(wrong, 0);
}

/* A config with a key "x" of PART PART ... and what closes them. */
static void make_long_config(struct scratch *scratch, const char *part, size_t parts,
                             const char *closing, size_t closings)
{
    struct text text = {.arena = scratch->arena};
    text_append(&text, "\"x\": ");
    for (size_t p = 0; p < parts; p++) text_append(&text, part);
    for (size_t c = 0; c < closings; c++) text_append(&text, closing);
    config_make_folder(scratch, "mistral", "\"rope_scaling\": null", text_finish(&text));
}

static void what_is_too_much_is_refused_early(void **state)
{
    static const struct {
        const char *part, *closing, *words;
        size_t parts, closings;
    } rows[] = {
        {"[", "]", "more than 64 levels", 64, 64},
        {"[", "]", "more than 64 levels", 3000, 3000},
        {"[", "]", "more than 64 levels", 500000, 500000},
        {"[", "]", "more than 64 levels", 1000000, 0},
        {"{\"a\":", "}", "more than 64 levels", 3000, 3000},
        {"{\"a\":[", "", "more than 64 levels", 100000, 0},
        {"[", "]", "key 'x' is not known", 50, 50},
        {"[0,0,0,0,0,0,0,0,0", ",0]", "key 'x' is not known", 1, 1},
        {" ", "1", "larger than", 1 << 20, 1},
    };
    struct scratch *scratch = *state;
    int wrong = 0;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        make_long_config(scratch, rows[r].part, rows[r].parts, rows[r].closing, rows[r].closings);
        wrong += check_refused(scratch, rows[r].part, rows[r].words);
    }
    make_long_config(scratch, "[1", 1, ",1", 500000);
    wrong += check_refused(scratch, "an open list", "']' expected");
    char *zeros = arena_allocate(scratch->arena, 1000001, 1);
    for (int z = 0; z < 1000000; z++) zeros[z] = z % 2 ? ',' : '0';
    zeros[999999] = 0;
    make_long_config(scratch, arena_print(scratch->arena, "[%s", zeros), 1, "]", 1);
    wrong += check_refused(scratch, "half a million zeros", "key 'x' is not known");
    memset(zeros, 'a', 1000000);
    make_long_config(scratch, arena_print(scratch->arena, "\"%s", zeros), 1, "\"", 1);
    wrong += check_refused(scratch, "a text of a million letters", "key 'x' is not known");
    make_long_config(scratch, arena_print(scratch->arena, "1, \"%s\": ", zeros), 1, "1", 1);
    wrong += check_refused(scratch, "a key of a million letters", "is not known");
    print_message("%zu files that are too much\n", sizeof rows / sizeof *rows + 4);
    assert_int_equal(wrong, 0);
}

/* ---- Files of the wrong kind ---- */

static void what_is_no_file_is_refused(void **state)
{
    struct scratch *scratch = *state;
    int wrong = 0;
    const char *path = file_join(scratch->arena, scratch->folder, "config.json");
    config_make_folder(scratch, "mistral", "{", "{");
    assert_int_equal(unlink(path), 0);
    wrong += check_refused(scratch, "nothing", "config.json");
    assert_int_equal(mkdir(path, 0700), 0);
    wrong += check_refused(scratch, "a folder", "not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    wrong += check_refused(scratch, "a FIFO that nobody writes to", "not a regular file");
    assert_int_equal(unlink(path), 0);
    static const char *const targets[] = {"/dev/zero", "/dev/null", "config.json",
                                          "/nowhere/config.json"};
    for (int t = 0; t < 4; t++) {
        assert_int_equal(symlink(targets[t], path), 0);
        wrong += check_refused(scratch, targets[t], "config.json");
        assert_int_equal(unlink(path), 0);
    }
    print_message("7 things that are no file\n");
    assert_int_equal(wrong, 0);
}

/* ---- Values ---- */

static void values_that_make_no_model_are_refused(void **state)
{
    static const struct {
        const char *from, *to, *words;
    } rows[] = {
#define LAYERS "\"num_hidden_layers\": 2"
        {LAYERS, "\"num_hidden_layers\": 0", "out of bounds"},
        {LAYERS, "\"num_hidden_layers\": -2", "out of bounds"},
        {LAYERS, "\"num_hidden_layers\": 1000000000", "out of bounds"},
        {LAYERS, "\"num_hidden_layers\": 9223372036854775807", "out of bounds"},
        {LAYERS, "\"num_hidden_layers\": \"2\"", "must be a whole number"},
        {LAYERS, "\"num_hidden_layers\": 2.0", "must be a whole number"},
        {LAYERS, "\"num_hidden_layers\": [2]", "num_hidden_layers"},
        {LAYERS, "\"num_hidden_layers\": {\"a\": 2}", "num_hidden_layers"},
        {LAYERS, "\"num_hidden_layers\": null", "num_hidden_layers"},
        {LAYERS, "\"num_hidden_layers\": true", "must be a whole number"},
#define WIDTH "\"hidden_size\": 64"
        {WIDTH, "\"hidden_size\": 0", "out of bounds"},
        {WIDTH, "\"hidden_size\": 128", "is needed"},
        {WIDTH, "\"hidden_size\": 1048576", "out of bounds"},
        {WIDTH, "\"hidden_size\": 4611686018427387904", "out of bounds"},
#define HEADS "\"num_attention_heads\": 4"
        {HEADS, "\"num_attention_heads\": 0", "out of bounds"},
        {HEADS, "\"num_attention_heads\": -4", "out of bounds"},
        {HEADS, "\"num_attention_heads\": 64", "head"},
        {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 0", "out of bounds"},
        {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 8", "evenly"},
        {"\"intermediate_size\": ", "\"intermediate_size\": 1", "is needed"},
        {"\"intermediate_size\": ", "\"intermediate_size\": -", "out of bounds"},
        {"\"vocab_size\": 97", "\"vocab_size\": 0", "out of bounds"},
        {"\"vocab_size\": 97", "\"vocab_size\": 2147483648", "out of bounds"},
        {"\"vocab_size\": 97", "\"vocab_size\": 98", "is needed"},
        {"\"max_position_embeddings\": ", "\"max_position_embeddings\": -", "out of bounds"},
        {"\"rms_norm_eps\": 0.006", "\"rms_norm_eps\": 0", "out of bounds"},
        {"\"rms_norm_eps\": 0.006", "\"rms_norm_eps\": 1e-300", "out of bounds"},
        {"\"rms_norm_eps\": 0.006", "\"rms_norm_eps\": \"small\"", "must be a number"},
        {"\"rope_theta\": 12000.0", "\"rope_theta\": 0", "out of bounds"},
        {"\"rope_theta\": 12000.0", "\"rope_theta\": -1e30", "out of bounds"},
        {"\"rope_theta\": 12000.0", "\"rope_theta\": 1e300", "out of bounds"},
        {"\"sliding_window\": 48", "\"sliding_window\": -1", "out of bounds"},
        {"\"sliding_window\": 48", "\"sliding_window\": 1.5", "must be a whole number"},
        {"\"sliding_window\": 48", "\"sliding_window\": \"48\"", "must be a whole number"},
        {"\"sliding_window\": 48", "\"sliding_window\": [48, 48, 48]",
         "3 values, but there are 2 layers"},
        {"\"tie_word_embeddings\": false", "\"tie_word_embeddings\": \"no\"",
         "must be true or false"},
        {"\"hidden_act\": \"silu\"", "\"hidden_act\": 1", "is not supported"},
        {"\"hidden_act\": \"silu\"", "\"hidden_act\": \"silu\\u000a\"", "is not supported"},
        {"\"hidden_act\": \"silu\"", "\"hidden_act\": \"__import__('os')\"", "is not supported"},
    /* The kind of model. */
#define TYPE "\"model_type\": \"mistral\""
        {TYPE, "\"model_type\": \"mistrals\"", "(did you mean mistral?); known are"},
        {TYPE, "\"model_type\": \"\"", "model_type"},
        {TYPE, "\"model_type\": 7", "model_type"},
        {TYPE, "\"model_type\": null", "model_type"},
        {TYPE, "\"model_type\": [\"mistral\"]", "model_type"},
        {TYPE, "\"model_type\": \"../../etc/passwd\"", "is not known"},
        {TYPE, "\"model_type\": \"gguf\"", "is not known"},
    /* Keys that change the meaning and are not known. */
#define SCALING "\"rope_scaling\": null"
        {SCALING, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"extra\": 0}",
         "'rope_scaling.extra' is not known"},
        {SCALING, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"a\": {\"b\": 1}}",
         "'rope_scaling.a.b' is not known"},
        {SCALING, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", "out of bounds"},
        {SCALING, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"2\"}",
         "must be a number"},
        {SCALING,
         "\"rope_scaling\": {\"type\": \"linear\", \"rope_type\": \"llama3\", \"factor\": 2}",
         "contradicts"},
        {SCALING, "\"rope_scaling\": [2]", "rope_scaling"},
        {SCALING, "\"rope_scaling\": \"linear\"", "rope_scaling"},
        {SCALING, "\"quantization_config\": {\"quant_method\": \"magic\"}", "magic"},
        {SCALING, "\"quantization_config\": [{\"quant_method\": \"gptq\"}]", "quantization_config"},
        {SCALING, "\"layer_types\": [[\"full_attention\"], [\"full_attention\"]]", "layer_types"},
        {SCALING, "\"final_logit_softcapping\": 30", "'final_logit_softcapping' is not known"},
        {SCALING, "\"qk_layernorm\": true", "'qk_layernorm' is not known"},
        {SCALING, "\"num_experts\": 8", "is not known"},
        {SCALING, "\"attention_sinks\": {\"deep\": {\"deeper\": [{\"deepest\": 1}]}}",
         "is not known"},
        {SCALING, "\"rope_theta.\": 1", "is not known"},
        {SCALING, "\"\": 1", "is not known"},
    };
    struct scratch *scratch = *state;
    int wrong = 0;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        config_make_folder(scratch, "mistral", rows[r].from, rows[r].to);
        wrong += check_refused(scratch, rows[r].to, rows[r].words);
    }
    print_message("%zu values that make no model\n", sizeof rows / sizeof *rows);
    assert_int_equal(wrong, 0);
}

/* ---- What is taken, and told ---- */

static void count_warning(void *context, const char *message)
{
    int *warnings = context;
    *warnings += strstr(message, "never run") != NULL;
}

static void custom_code_is_named_and_never_run(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    int warnings = 0;
    const struct progress progress = {.context = &warnings, .warn = count_warning};
    config_make_folder(
        scratch, "mistral", "\"rope_scaling\": null",
        "\"auto_map\": {\"AutoModel\": \"evil--modeling.Evil\", \"AutoConfig\": \"/etc/passwd\"}");
    CHECK_OK(config_open_folder(scratch, &progress, &model, &diagnostic));
    model_close(model);
    assert_int_equal(warnings, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(files_that_are_no_config_are_refused), TEST(what_is_too_much_is_refused_early),
        TEST(what_is_no_file_is_refused),           TEST(values_that_make_no_model_are_refused),
        TEST(custom_code_is_named_and_never_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

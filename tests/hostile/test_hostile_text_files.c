/* The text files beside a model's weights: tokenizer.json, tokenizer_config.json, generation_config.json, chat_template.jinja and
 * config.json, each damaged in one way.  Every one is refused as a bad input file, exit status 3, by one line that says
 * what is wrong; the number of them is printed. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "models/chat.h"
#include "models/model.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <fcntl.h>
#include <unistd.h>

#define ORIGINAL HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/mistral/huggingface/"

static const double SECONDS_MAX = 2; /* for one refusal */

static const char bytes_json[] = "{\"added_tokens\": [{\"id\": 4, \"content\": \"<u>\", "
                                 "\"special\": false}], \"normalizer\": null,\n"
                                 " \"pre_tokenizer\": {\"type\": \"ByteLevel\", "
                                 "\"add_prefix_space\": false, \"use_regex\": true},\n"
                                 " \"post_processor\": null, \"model\": {\"type\": \"BPE\", "
                                 "\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"c\": 3},\n"
                                 " \"merges\": [\"a b\"]}}";
static const char unigram_json[] = "{\"added_tokens\": [], \"normalizer\": {\"type\": "
                                   "\"Precompiled\", \"precompiled_charsmap\": \"\"},\n"
                                   " \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": "
                                   "\"\xe2\x96\x81\", \"prepend_scheme\": \"always\"},\n"
                                   " \"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": "
                                   "[[\"<unk>\", 0], [\"a\", -1.5], [\"b\", -2]]}}";
static const char tokenizer_config[] = "{\"chat_template\": \"{{ messages }}\"}";
static const char generation_config[] = "{\"eos_token_id\": [2, 3]}";
static const char template[] = "{% for m in messages %}{{ m.content }}{% endfor %}";

/* `from` in a good file becomes `to`; words of the message. */
struct damage {
    const char *file, *good, *from, *to, *words;
};

#define TOKENIZER(from, to, words)                                                                 \
    {                                                                                              \
        "tokenizer.json", bytes_json, from, to, words                                              \
    }
#define UNIGRAM(from, to, words)                                                                   \
    {                                                                                              \
        "tokenizer.json", unigram_json, from, to, words                                            \
    }
#define CONFIG(from, to, words)                                                                    \
    {                                                                                              \
        "config.json", NULL, from, to, words                                                       \
    }
#define TEMPLATE(to, words)                                                                        \
    {                                                                                              \
        "chat_template.jinja", template, template, to, words                                       \
    }

static const struct damage damages[] = {
    TOKENIZER("\"a\": 0", "\"a\": 0, \"a\": 7", "duplicate"),
    TOKENIZER("\"a\": 0", "\"\xff\": 0", "unable to decode byte 0xff"),
    TOKENIZER("\"a\": 0", "\"\\ud800\": 0", "invalid Unicode"),
    TOKENIZER("\"a\": 0", "\"\\u0000\": 0", "NUL"),
    TOKENIZER("\"a\": 0", "\"a\": 1e999", "real number overflow"),
    TOKENIZER("\"a\": 0", "\"a\": NaN", "tokenizer.json:3:"),
    TOKENIZER("\"a b\"]", "\"a b\",]", "tokenizer.json:4:"),
    TOKENIZER("\"merges\"", "/* */ \"merges\"", "tokenizer.json:4:"),
    TOKENIZER("\"a\": 0", "\"a\": -1", "whole number from 0"),
    TOKENIZER("\"a\": 0", "\"a\": 2147483648", "whole number from 0"),
    TOKENIZER("\"a\": 0", "\"a\": 0.5", "whole number from 0"),
    TOKENIZER("\"a\": 0", "\"a\": 1", "have the id 1"),
    TOKENIZER("\"a\": 0", "\"a\": 900000", "ids up to 900000"),
    TOKENIZER("\"vocab\": {\"a\"", "\"vocab\": 7, \"x\": {\"a\"", "model.vocab"),
    TOKENIZER("\"a b\"", "\"a z\"", "merge"),
    TOKENIZER("\"a b\"", "7", "merge 0 must be a text or two"),
    TOKENIZER("\"merges\": [\"a b\"]", "\"merges\": 7", "a list of at most"),
    TOKENIZER("\"<u>\"", "\"\"", "without content"),
    TOKENIZER("\"id\": 4", "\"id\": -4", "whole number from 0"),
    TOKENIZER("\"model\": {", "\"model\": [], \"x\": {", "must be an object"),
    UNIGRAM("\"unk_id\": 0", "\"unk_id\": 9", "model.unk_id"),
    UNIGRAM("\"unk_id\": 0", "\"unk_id\": null", "model.unk_id"),
    UNIGRAM("-1.5", "\"x\"", "entry 1 must be"),
    UNIGRAM("[\"a\", -1.5]", "\"a\"", "entry 1 must be"),
    UNIGRAM("\"vocab\": [[\"<unk>\", 0], [\"a\", -1.5], [\"b\", -2]]", "\"vocab\": []",
            "a list of 1 to"),
    UNIGRAM("charsmap\": \"\"", "charsmap\": \"AAAA\"", "map is damaged"),
    UNIGRAM("charsmap\": \"\"", "charsmap\": \"////fwAAAAAAAAAAAAAA\"", "map is damaged"),
    UNIGRAM("charsmap\": \"\"", "charsmap\": \"!\"", "map is damaged"),
    {"generation_config.json", generation_config, "3", "96000", "is none of the"},
    {"generation_config.json", generation_config, "3]", "3", "generation_config.json:1:"},
    {"tokenizer_config.json", tokenizer_config, "\"{{ messages }}\"", "[7",
     "tokenizer_config.json:1:"},
    {"tokenizer_config.json", tokenizer_config, "\"{{ messages }}\"", "7", "must be a text"},
    CONFIG("\"model_type\": \"mistral\"", "\"model_type\": \"mistrel\"", "mistr"),
    CONFIG("\"model_type\": \"mistral\"", "\"model_type\": 7", "model_type"),
    CONFIG("\"hidden_size\"", "\"hidden_size\": 64, \"hidden_size\"", "duplicate"),
    CONFIG("\"hidden_size\"", "\"tensor_bending\": 7, \"hidden_size\"", "tensor_bending"),
    CONFIG("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"spiral\", \"factor\": 2}",
           "spiral"),
    CONFIG("\"hidden_size\": 64", "\"hidden_size\": 96", "96"),
    CONFIG("\"hidden_size\": 64", "\"hidden_size\": -64", "hidden_size"),
    CONFIG("\"num_attention_heads\": 4", "\"num_attention_heads\": 0", "num_attention_heads"),
    CONFIG("\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3",
           "share the key heads evenly"),
    CONFIG("\"vocab_size\": 97", "\"vocab_size\": 1e3", "vocab_size"),
    CONFIG("{", "[", "config.json:"),
    TEMPLATE("{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
             "steps"),
    TEMPLATE("{% for i in range(10**9) %}{% endfor %}", "range of more than"),
    TEMPLATE("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "macros call one another"),
    TEMPLATE("{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.x = "
             "ns.x ~ ns.x %}{% endfor %}",
             "MiB"),
    TEMPLATE("{{ ''.__class__ }}", "__class__"),
    TEMPLATE("{{ self.x }}{{ cycler.__init__ }}", "undefined"),
    TEMPLATE("{{ raise_exception('no') }}", "refuses this conversation: no"),
    TEMPLATE("\n {% generate %}", "2:5: the statement 'generate' is not known"),
    TEMPLATE("{{ messages|shout }}", "the filter 'shout' is not known"),
};

static const char *path_of(struct scratch *scratch, const char *name)
{
    const char *path = file_join(scratch->arena, scratch->folder, name);
    assert_non_null(path);
    return path;
}

static void write_text(struct scratch *scratch, const char *name, const char *text, size_t length)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(file_write(path_of(scratch, name), text, length, &diagnostic));
}

/* A model that is well. */
static void write_model(struct scratch *scratch)
{
    struct diagnostic diagnostic = {0};
    char *config;
    size_t length;
    CHECK_OK(
        file_read(ORIGINAL "config.json", 1 << 20, scratch->arena, &config, &length, &diagnostic));
    write_text(scratch, "config.json", config, length);
    write_text(scratch, "tokenizer.json", bytes_json, strlen(bytes_json));
    write_text(scratch, "chat_template.jinja", template, strlen(template));
    unlink(path_of(scratch, "generation_config.json"));
    unlink(path_of(scratch, "model.safetensors"));
    assert_int_equal(symlink(ORIGINAL "model.safetensors", path_of(scratch, "model.safetensors")),
                     0);
}

static status render(const struct model *model, struct diagnostic *diagnostic)
{
    struct chat_prompt prompt = {.tokenizer = model->tokenizer};
    struct arena *arena = arena_create(0);
    struct template *parsed;
    char *text;
    size_t length;
    status code = template_parse(model->path, model->chat_template, model->chat_template_length,
                                 arena, &parsed, diagnostic);
    prompt.template = parsed;
    prompt.messages = json_pack("[{s:s, s:s}]", "role", "user", "content", "a");
    if (code == STATUS_OK)
        code = chat_render(&prompt, arena, &text, &length, NULL, NULL, diagnostic);
    json_decref(prompt.messages);
    arena_destroy(arena);
    return code;
}

/* All that a run does before it feeds tokens. */
static status open_model(struct scratch *scratch, struct diagnostic *diagnostic)
{
    const struct model_options options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = 16};
    struct model *model = NULL;
    status code = model_open(scratch->folder, &options, &model, diagnostic);
    if (code == STATUS_OK && !model->tokenizer) CHECK_FAIL("the tokenizer was passed over");
    if (code == STATUS_OK) code = render(model, diagnostic);
    model_close(model);
    return code;
}

static void check_refused(struct scratch *scratch, const char *name, const char *words)
{
    struct diagnostic diagnostic = {0};
    double begin = clock_seconds();
    status code = open_model(scratch, &diagnostic);
    if (code == STATUS_OK || status_exit(code) != 3 || !strstr(diagnostic.text, words) ||
        strchr(diagnostic.text, '\n'))
        CHECK_FAIL("%s, %s: %s '%s'", name, words, status_name(code), diagnostic.text);
    if (clock_seconds() - begin > SECONDS_MAX) CHECK_FAIL("%s, %s: slow", name, words);
}

static void damage_file(struct scratch *scratch, const struct damage *damage)
{
    struct diagnostic diagnostic = {0};
    const char *good = damage->good;
    char *config;
    size_t length;
    write_model(scratch);
    CHECK_OK(
        file_read(ORIGINAL "config.json", 1 << 20, scratch->arena, &config, &length, &diagnostic));
    if (!good) good = config;
    if (!strcmp(damage->file, "tokenizer_config.json"))
        unlink(path_of(scratch, "chat_template.jinja"));
    const char *place = strstr(good, damage->from);
    if (!place) CHECK_FAIL("%s: there is no '%s'", damage->file, damage->from);
    const char *changed = arena_print(scratch->arena, "%.*s%s%s", (int)(place - good), good,
                                      damage->to, place + strlen(damage->from));
    assert_non_null(changed);
    write_text(scratch, damage->file, changed, strlen(changed));
    check_refused(scratch, damage->file, damage->words);
    unlink(path_of(scratch, damage->file));
}

static void write_repeated(struct scratch *scratch, const char *name, const char *begin,
                           const char *unit, size_t count)
{
    struct text text = {.arena = scratch->arena};
    text_append(&text, begin);
    for (size_t i = 0; i < count; i++) text_append(&text, unit);
    write_text(scratch, name, text_finish(&text), text.length);
}

/* Files that are too deep or too long. */
static int refuse_excess(struct scratch *scratch)
{
    static const struct {
        const char *file, *begin, *unit;
        size_t count;
        const char *words;
    } rows[] = {
        {"tokenizer.json", "{\"x\":", "[", 65, "64 levels"},
        {"tokenizer.json", "{\"x\":", "[", 3000, "64 levels"},
        {"tokenizer.json", "{\"x\":", "[", 1000000, "64 levels"},
        {"tokenizer.json", "{\"x\":\"", "xxxxxxxx", 1 << 18, "1 MiB"},
        {"tokenizer.json", "{\"x\":[1", ",1", 4000001, "values"},
        {"config.json", "{\"x\":", "{\"x\":", 65, "64 levels"},
        {"config.json", "{", " ", (1 << 20) + 1, "config.json"},
        {"chat_template.jinja", "", "xxxxxxxx", 1 << 18, "chat_template.jinja"},
        {"chat_template.jinja", "{{ ", "(", 65, "within one another"},
        {"tokenizer_config.json", "{\"x\":", "[", 3000, "64 levels"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_model(scratch);
        if (!strcmp(rows[i].file, "tokenizer_config.json"))
            unlink(path_of(scratch, "chat_template.jinja"));
        write_repeated(scratch, rows[i].file, rows[i].begin, rows[i].unit, rows[i].count);
        check_refused(scratch, rows[i].file, rows[i].words);
        unlink(path_of(scratch, rows[i].file));
    }
    write_model(scratch);
    int file = open(path_of(scratch, "tokenizer.json"), O_WRONLY | O_TRUNC);
    assert_true(file >= 0 && ftruncate(file, (off_t)65 << 20) == 0);
    close(file);
    check_refused(scratch, "tokenizer.json of 65 MiB", "tokenizer.json");
    return (int)(sizeof rows / sizeof *rows) + 1;
}

static void damaged_text_files_are_refused(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    int count = (int)(sizeof damages / sizeof *damages);
    write_model(scratch);
    CHECK_OK(open_model(scratch, &diagnostic));
    write_text(scratch, "tokenizer.json", unigram_json, strlen(unigram_json));
    CHECK_OK(open_model(scratch, &diagnostic));
    for (int i = 0; i < count; i++) damage_file(scratch, &damages[i]);
    count += refuse_excess(scratch);
    print_message("%d damaged tokenizer, config and template files refused\n", count);
    assert_true(count >= 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        damaged_text_files_are_refused, scratch_set_up, scratch_tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

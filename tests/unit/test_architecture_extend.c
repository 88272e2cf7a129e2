/* Descriptions that extend one another, blocks of lines, groups of attributes, weights that are
 * parts of tensors or lists in the metadata: what they mean, and how mistakes are refused. */
#include "models/gguf_write.h"
#include "models/model.h"
#include "ops/op_table.h"
#include "tests/check.h"

#include <unistd.h>

struct scratch {
    struct arena *arena;
    char folder[64];
};

static int set_up(void **state)
{
    struct scratch *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(0);
    strcpy(scratch->folder, "/tmp/hone_test_extend_XXXXXX");
    *state = scratch;
    return mkdtemp(scratch->folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct scratch *scratch = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch->folder);
    int result = system(command);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

/* ---- A model of one layer, width 4, whose tensors count from 0 ---- */

static void announce(struct gguf_writer *writer, const char *name, enum element_type element,
                     int64_t rows, int64_t columns)
{
    struct diagnostic diagnostic = {0};
    struct tensor_type type = {.element = element, .rank = 2};
    int index;
    type.shape[0] = dimension_fixed(rows);
    type.shape[1] = dimension_fixed(columns);
    CHECK_OK(gguf_put_tensor(writer, name, &type, &index, &diagnostic));
}

static const char *write_model(struct scratch *scratch)
{
    enum { COUNT = 48, EIGHTS_BYTES = 4 * 34 };
    struct diagnostic diagnostic = {0};
    struct gguf_writer *writer;
    const char *path = file_join(scratch->arena, scratch->folder, "small.gguf");
    float values[COUNT], list[3] = {0.5f, 1.5f, 2.5f};
    uint8_t eights[EIGHTS_BYTES];
    for (int i = 0; i < COUNT; i++) values[i] = (float)i;
    for (int i = 0; i < EIGHTS_BYTES; i++) eights[i] = (uint8_t)(i / 34);
    CHECK_OK(gguf_writer_create(path, scratch->arena, &writer, &diagnostic));
    gguf_put_text(writer, "general.architecture", "llama");
    gguf_put_integer(writer, "llama.block_count", GGUF_U32, 1);
    gguf_put_integer(writer, "llama.embedding_length", GGUF_U32, 4);
    gguf_put_numbers(writer, "own.list", GGUF_F32, 3, list);
    announce(writer, "fused.weight", ELEMENT_F32, 12, 4);
    announce(writer, "eights.weight", ELEMENT_Q8_0, 2, 64);
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    CHECK_OK(gguf_writer_bytes(writer, 0, 0, values, sizeof values, &diagnostic));
    CHECK_OK(gguf_writer_bytes(writer, 1, 0, eights, sizeof eights, &diagnostic));
    CHECK_OK(gguf_writer_finish(writer, &diagnostic));
    gguf_writer_close(writer);
    return path;
}

/* `second` may have any shape of two dimensions: `embed` takes its rows. */
static const char base_description[] =
    "architecture: basis\n"
    "description: what others extend\n"
    "files: {gguf: [basis, groundwork]}\n"
    "parameters:\n"
    "  layers: {gguf: .block_count, least: 1, most: 9}\n"
    "  width: {gguf: .embedding_length, least: 1, most: 999}\n"
    "  vocabulary: {gguf: .vocab_size, default: 4, least: 1, most: 999}\n"
    "  context: {gguf: .context_length, default: 9, least: 1, most: 999}\n"
    "let: {rows: width, gone: width * 2}\n"
    "checks:\n"
    "  - {require: rows == 4, reason: the base needs four rows}\n"
    "weights:\n"
    "  table: {gguf: fused.weight, view: {stored: [12, 4]}, shape: [rows, width]}\n"
    "  second: {gguf: fused.weight, view: {stored: [12, 4], start: 16}, shape: [2, width]}\n"
    "attributes: {gating: \"activation=silu\"}\n"
    "blocks:\n"
    "  body: ['x = gate(x, x) {*gating}']\n"
    "  outer: [{use: body}]\n"
    "graph:\n"
    "  before: ['x = embed(tokens, table)', 'z = embed(tokens, second)']\n"
    "  layer: [{use: outer}]\n"
    "  after: ['s = select(outputs, x)', 'logits = linear(s, table)']\n"
    "outputs: [logits]\n";

static const char own_description[] =
    "architecture: own\n"
    "description: an extension\n"
    "extends: basis\n"
    "files: {gguf: llama}\n"
    "let: {gone: none, gain: 1 if name == groundwork else 2}\n"
    "checks:\n"
    "  - {require: gain == 2, reason: the extension needs two}\n"
    "weights:\n"
    "  second: {gguf: fused.weight, view: {stored: [12, 4], start: 24}, shape: [3, width]}\n"
    "blocks:\n"
    "  body: ['y = gate(x, x) {*gating}', 'x = add(x, y)']\n"
    "attributes:\n"
    "  gating: \"activation=gelu\"\n";

static void write_description(struct scratch *scratch, const char *name, const char *text)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, name);
    CHECK_OK(file_write(path, text, strlen(text), &diagnostic));
}

/* `from` is replaced by `to` once. */
static const char *replaced(struct scratch *scratch, const char *text, const char *from,
                            const char *to)
{
    const char *place = strstr(text, from);
    if (!place) CHECK_FAIL("'%s' is not in:\n%s", from, text);
    return arena_print(scratch->arena, "%.*s%s%s", (int)(place - text), text, to,
                       place + strlen(from));
}

/* Both descriptions are in the folder; `own` is the one that answers. */
static status open_model(struct scratch *scratch, const char *base, const char *own,
                         struct model **model, struct diagnostic *diagnostic)
{
    const char *path = write_model(scratch);
    struct model_options options = {.ops = op_table(),
                                    .state_element = ELEMENT_F16,
                                    .page_tokens = 16,
                                    .allow_unknown_keys = true,
                                    .architecture_folder = scratch->folder};
    write_description(scratch, "basis.yaml", base);
    write_description(scratch, "own.yaml", own);
    return model_open(path, &options, model, diagnostic);
}

static void check_graph(struct scratch *scratch, const struct model *model, const char *part)
{
    struct text text = {.arena = scratch->arena};
    graph_print(model->graph, &text);
    const char *graph = text_finish(&text);
    if (!strstr(graph, part)) CHECK_FAIL("'%s' is not in:\n%s", part, graph);
}

static void entries_are_replaced_removed_and_added(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    CHECK_OK(open_model(scratch, base_description, own_description, &model, &diagnostic));
    CHECK_TEXT(model->architecture, "own");
    check_graph(scratch, model, "weight table: f32[4,4]\nweight second: f32[3,4]\n");
    check_graph(scratch, model, "y.0 = gate(x, x) {activation=gelu} layer 0\nx.0 = add(x, y.0)");
    check_graph(scratch, model, "logits = linear(s, table, _, _)\n");
    model_close(model);
    const char *own = replaced(scratch, own_description, "gain: 1", "gain: gone if gone else 1");
    CHECK_REFUSED(open_model(scratch, base_description, own, &model, &diagnostic), STATUS_BAD_INPUT,
                  "own.yaml:5:25: column 1 of 'gone if gone else 1 if name == groundwork else 2': "
                  "unknown name 'gone'");
}

static void checks_add_up(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    const char *own = replaced(scratch, own_description, "else 2", "else 3");
    CHECK_REFUSED(open_model(scratch, base_description, own, &model, &diagnostic), STATUS_BAD_INPUT,
                  "the extension needs two");
    own = replaced(scratch, own_description, "gone: none", "gone: none, rows: 5");
    CHECK_REFUSED(open_model(scratch, base_description, own, &model, &diagnostic), STATUS_BAD_INPUT,
                  "the base needs four rows");
}

/* A third one on top of the two; the words of both are still known. */
static void extensions_are_extended(void **state)
{
    static const char third[] = "architecture: third\n"
                                "description: an extension of an extension\n"
                                "extends: middle\n"
                                "files: {gguf: llama}\n"
                                "let: {last: 5 if name == basis or name == between else 6}\n"
                                "checks: [{require: last == 6, reason: six}]\n"
                                "blocks: {body: none, outer: ['x = gate(x, x) {*gating}']}\n";
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    const char *middle = replaced(scratch, own_description, "gguf: llama", "gguf: [between, two]");
    write_description(scratch, "middle.yaml",
                      replaced(scratch, middle, "architecture: own", "architecture: middle"));
    CHECK_OK(open_model(scratch, base_description, third, &model, &diagnostic));
    CHECK_TEXT(model->architecture, "third");
    check_graph(scratch, model, "x.0 = gate(x, x) {activation=gelu} layer 0\n");
    model_close(model);
}

/* Later ones win, whether they stand in a group or in the line. */
static void groups_stand_for_their_attributes(void **state)
{
    static const char *const rows[][2] = {
        {"{*gating}", "gate(x, x) {activation=gelu}"},
        {"{activation=gelu_tanh, *gating}", "gate(x, x) {activation=gelu}"},
        {"{*gating, activation=gelu_tanh}", "gate(x, x) {activation=gelu_tanh}"},
        {"{ * gating , *gating}", "gate(x, x) {activation=gelu}"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *own = replaced(scratch, own_description, "{*gating}", rows[i][0]);
        CHECK_OK(open_model(scratch, base_description, own, &model, &diagnostic));
        check_graph(scratch, model, rows[i][1]);
        model_close(model);
    }
}

/* ---- Weights ---- */

/* The model with `second` as `rule` says. */
static status open_second(struct scratch *scratch, const char *rule, struct model **model,
                          struct diagnostic *diagnostic)
{
    const char *written =
        "{gguf: fused.weight, view: {stored: [12, 4], start: 24}, shape: [3, width]}";
    return open_model(scratch, base_description, replaced(scratch, own_description, written, rule),
                      model, diagnostic);
}

static void parts_of_tensors_are_weights(void **state)
{
    static const struct {
        const char *rule;
        int parts, count;
        float numbers[12];
    } rows[] = {
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 24}, shape: [2, 4]}",
         1,
         8,
         {24, 25, 26, 27, 28, 29, 30, 31}},
        {"{gguf: fused.weight, view: {gguf: {stored: [12, 4], start: 8 * width - 4},\n"
         "    huggingface: {stored: [1]}}, shape: [1, 4]}",
         1,
         4,
         {28, 29, 30, 31}},
        /* every other row */
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 4, strides: [8, 1]}, shape: [3, 4]}",
         3,
         12,
         {4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23}},
        /* turned round */
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [1, 4]}, shape: [4, 3]}",
         1,
         12,
         {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
        /* the last number of all */
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 47}, shape: [1, 1]}", 1, 1, {47}},
        {"{values: {gguf: own.list}, shape: [1, 3], element: f32}", 1, 3, {0.5f, 1.5f, 2.5f}},
        /* a tensor comes before a list */
        {"{gguf: fused.weight, view: {stored: [12, 4]}, values: {gguf: own.list}, shape: [1, 3]}",
         1,
         3,
         {0, 1, 2}},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stored_weight weight;
        struct model *model;
        int each = rows[i].count / rows[i].parts;
        CHECK_OK(open_second(scratch, rows[i].rule, &model, &diagnostic));
        CHECK_OK(model->weights.find(model->weights.context, "second", &weight, &diagnostic));
        assert_int_equal(weight.part_count, rows[i].parts);
        assert_int_equal(weight.part_bytes, each * 4);
        for (int n = 0; n < rows[i].count; n++) {
            float number;
            memcpy(&number, (const char *)weight.parts[n / each] + n % each * 4, sizeof number);
            if (number != rows[i].numbers[n]) {
                CHECK_FAIL("%s: number %d is %g", rows[i].rule, n, (double)number);
            }
        }
        model_close(model);
    }
}

/* Quantised numbers can be parted between their blocks only. */
static void blocks_stay_whole(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct stored_weight weight;
    struct model *model;
    const char *rule = "{gguf: eights.weight, view: {stored: [2, 64], start: 32, strides: [64, 1]},"
                       " shape: [2, 32]}";
    CHECK_OK(open_second(scratch, rule, &model, &diagnostic));
    CHECK_OK(model->weights.find(model->weights.context, "second", &weight, &diagnostic));
    assert_int_equal(weight.part_count, 2);
    assert_int_equal(weight.part_bytes, 34);
    assert_int_equal(*(const uint8_t *)weight.parts[0], 1); /* each block has its number */
    assert_int_equal(*(const uint8_t *)weight.parts[1], 3);
    model_close(model);
    CHECK_REFUSED(open_second(scratch, replaced(scratch, rule, "start: 32", "start: 16"), &model,
                              &diagnostic),
                  STATUS_BAD_INPUT, "second cannot be taken out of its blocks");
}

static void weights_that_do_not_fit_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"{gguf: fused.weight, view: {stored: [11, 4]}, shape: [1, 4]}",
         "tensor 'fused.weight' is f32[12,4], but [11,4] is needed (11, 4)"},
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 45}, shape: [1, 4]}",
         "small.gguf: byte 320: tensor 'fused.weight': second would lie outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], start: -1}, shape: [1, 4]}", "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 48}, shape: [1, 1]}", "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [0, 1]}, shape: [9, 4]}",
         "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [-4, 1]}, shape: [2, 4]}",
         "outside it"},
        /* every number within the tensor, but more of them than it has */
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [1, 1]}, shape: [24, 24]}",
         "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [1000000000000, 1]},\n"
         "    shape: [2, 4]}",
         "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4]}, shape: [2000000000, 2000000000]}",
         "more than 2^48 elements"},
        {"{gguf: fused.weight, view: {stored: [12, 0]}, shape: [1, 4]}",
         "second would have a size of 0 (0)"},
        {"{values: {gguf: own.list}, shape: [1, 4]}", "key 'own.list' must be a list of 4 numbers"},
        {"{values: {gguf: general.architecture}, shape: [1, 4]}", "must be a list of 4 numbers"},
        {"{values: {gguf: own.absent}, shape: [1, 4]}", "tensor 'second' is missing"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_REFUSED(open_second(scratch, rows[i][0], &model, &diagnostic), STATUS_BAD_INPUT,
                      rows[i][1]);
    }
}

/* ---- Mistakes ---- */

static void mistakes_are_located(void **state)
{
    static const char *const rows[][3] = {
        {"extends: basis", "extends: bases", "own.yaml:3:10: there is no description 'bases'"},
        {"extends: basis", "extends: ../basis", "there is no description '../basis'"},
        {"extends: basis", "extends: [basis]", "own.yaml:3:10: 'extends' must name a"},
        {"extends: basis", "extends: own", "own.yaml:3:10: descriptions extend one another"},
        {"extends: basis", "extends: presets", "'parameters'"},
        {"gone: none", "gong: none", "own.yaml:5:13: there is no 'gong' to remove"},
        {"attributes:\n  gating", "words:\n  gating", "own.yaml:13:3: 'words' is no section"},
        {"let: {", "parameters: [rows]\nlet: {", "own.yaml:5:13: a map is needed here"},
        {"checks:\n  - {require: gain == 2,", "checks:\n  {require: gain == 2,",
         "own.yaml:7:3: a list is needed here"},
        {"groundwork", "groundwerk",
         "own.yaml:5:25: column 14 of '1 if name == groundwerk else 2': unknown name 'groundwerk'"},
        {"{*gating}", "{*gaiting}", "own.yaml:11:10: there is no group of attributes 'gaiting'"},
        {"{*gating}", "{*}", "own.yaml:11:10: 'y = gate(x, x) {*}': a name is needed at '}'"},
        {"activation=gelu", "activatoin=gelu",
         "own.yaml:13:11: gate has no attribute 'activatoin'"},
        {"activation=gelu", "activation=gelu; x", "own.yaml:13:11: "},
        {"activation=gelu", "*gating", "own.yaml:13:11: '*gating': a name is needed"},
        {"activation=gelu", "activation=gelu}", "own.yaml:13:11: "},
        {"'y = gate(x, x) {*gating}'", "{use: bodies}", "own.yaml:11:16: there is no such block"},
        {"'y = gate(x, x) {*gating}'", "{use: [body]}", "own.yaml:11:16: there is no such block"},
        {"'y = gate(x, x) {*gating}'", "{use: body}", "own.yaml:11:16: blocks more than 8 deep"},
        {"blocks:\n", "blocks:\n  outer: [{use: body, then: []}]\n", "unknown key 'then'"},
        {"'y = gate", "{when: rows == 4, then: [], othrewise: []}, 'y = gate",
         "own.yaml:11:38: unknown key 'othrewise'; did you mean 'otherwise'"},
        {"body: ['y = gate(x, x) {*gating}', 'x = add(x, y)']", "body: x = gate(x, x)",
         "own.yaml:11:9: a list of graph lines is needed"},
        {"{stored: [12, 4], start: 24}", "12", "own.yaml:9:38: a view is a map"},
        {"{stored: [12, 4], start: 24}", "{gguf: 12}", "own.yaml:9:45: a view is a map"},
        {"{stored: [12, 4], start: 24}", "{start: 24}", "unknown key 'start'"},
        {"{stored: [12, 4], start: 24}", "{stored: [12, 4], strides: [1]}",
         "own.yaml:9:65: a stride for each of the 2 sizes is needed"},
        {"{stored: [12, 4], start: 24}", "{stored: []}", "a shape has 1 to"},
        {"{stored: [12, 4], start: 24}", "{stored: [12, 4], start: 0.5}", "gives a real number"},
        {"gguf: fused.weight, view", "gguf: 'fused.{expert}.weight', view",
         "a view is of one tensor, not of {expert}"},
        {"gguf: fused.weight, view: {stored: [12, 4], start: 24}", "values: own.list",
         "own.yaml:9:20: 'values' is a map"},
        {"gguf: fused.weight, view: {stored: [12, 4], start: 24}",
         "gguf: 'blk.{layer}.x', values: {gguf: own.list}", "'values' is a map"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *own = replaced(scratch, own_description, rows[i][0], rows[i][1]);
        CHECK_REFUSED(open_model(scratch, base_description, own, &model, &diagnostic),
                      STATUS_BAD_INPUT, rows[i][2]);
    }
}

/* What is wrong with a base is said of the base. */
static void bases_are_checked(void **state)
{
    static const char *const rows[][2] = {
        {"a: [\n", "basis.yaml:"},
        {"- a\n- b\n", "basis.yaml:1:1: a description is a map"},
        {"text\n", "basis.yaml:1:1: a description is a map"},
        {"architecture: basis\nextends: basis\n", "basis.yaml:2:10: descriptions extend one"},
        {"architecture: basis\nwords: {a: {b: c}}\n", "basis.yaml:2:8: 'words' is no section"},
        {"architecture: basis\nfiles: 3\nweights: 3\n", "a.yaml:"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* The folder is read in order: this one comes first. */
        write_description(scratch, "a.yaml", own_description);
        CHECK_REFUSED(open_model(scratch, rows[i][0], own_description, &model, &diagnostic),
                      STATUS_BAD_INPUT, rows[i][1]);
    }
}

/* Small files that would become large: what blocks, groups and sections multiply is limited. */
static void multiplying_descriptions_are_refused(void **state)
{
    enum { USES = 100, ATTRIBUTES = 3000, ENTRIES = 5000 };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    struct text blocks = {.arena = scratch->arena}, group = blocks, entries = blocks;
    text_append(&blocks, "  b0: []\n");
    for (int depth = 1; depth < 6; depth++) {
        text_print(&blocks, "  b%d: [{use: b%d}", depth, depth - 1);
        for (int i = 1; i < USES; i++) text_print(&blocks, ", {use: b%d}", depth - 1);
        text_append(&blocks, "]\n");
    }
    const char *body = "  body: ['y = gate(x, x) {*gating}', 'x = add(x, y)']\n";
    const char *own =
        replaced(scratch, own_description, body,
                 arena_print(scratch->arena, "%s  body: [{use: b5}]\n", text_finish(&blocks)));
    CHECK_REFUSED(open_model(scratch, base_description, own, &model, &diagnostic), STATUS_BAD_INPUT,
                  "the graph would have more than 4194304 bytes");

    text_append(&group, "{*gating");
    for (int i = 1; i < ATTRIBUTES; i++) text_append(&group, ",*gating");
    own = replaced(scratch, own_description, "{*gating", text_finish(&group));
    group = (struct text){.arena = scratch->arena};
    for (int i = 0; i < ATTRIBUTES; i++) text_append(&group, "activation=gelu,");
    own = replaced(scratch, own, "\"activation",
                   arena_print(scratch->arena, "\"%sactivation", text_finish(&group)));
    CHECK_REFUSED(open_model(scratch, base_description, own, &model, &diagnostic), STATUS_BAD_INPUT,
                  "the graph would have more than 4194304 bytes");

    for (int i = 0; i < ENTRIES; i++) text_print(&entries, "n%d: 1, ", i);
    own = replaced(scratch, own_description, "let: {",
                   arena_print(scratch->arena, "let: {%s", text_finish(&entries)));
    CHECK_REFUSED(open_model(scratch, base_description, own, &model, &diagnostic), STATUS_BAD_INPUT,
                  "more than 4096 entries");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(entries_are_replaced_removed_and_added),
        TEST(checks_add_up),
        TEST(extensions_are_extended),
        TEST(groups_stand_for_their_attributes),
        TEST(parts_of_tensors_are_weights),
        TEST(blocks_stay_whole),
        TEST(weights_that_do_not_fit_are_refused),
        TEST(mistakes_are_located),
        TEST(bases_are_checked),
        TEST(multiplying_descriptions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

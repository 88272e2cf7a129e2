/* Descriptions that extend one another, blocks of lines, groups of attributes: what they mean, and how
 * mistakes are refused. */
#include "tests/check.h"
#include "tests/unit/description_harness.h"

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

/* Own entries stand where those stood that they replace, or before, so that both files' defaults find
 * what they use. */
static void entries_keep_their_order(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    const char *own = replaced(scratch, own_description, "let: {gone: none, ",
                               "let: {first: 3, gone: none, rows: first + 1, last: rows, ");
    const char *base =
        replaced(scratch, base_description, "gone: width * 2", "gone: width * 2, behind: rows * 2");
    CHECK_OK(open_model(scratch, base, own, &model, &diagnostic));
    model_close(model);
    own = replaced(scratch, own_description, "let: {gone: none, ",
                   "let: {gone: none, rows: behind, ");
    CHECK_REFUSED(open_model(scratch, base, own, &model, &diagnostic), STATUS_BAD_INPUT,
                  "unknown name 'behind'");
}

/* A name may be given anew within a layer; the graph tells the values apart. */
static void names_are_given_anew(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    const char *own = replaced(scratch, own_description, "'x = add(x, y)'",
                               "'y = add(y, y)', 'y = add(y, x)', 'x = add(x, y)'");
    CHECK_OK(open_model(scratch, base_description, own, &model, &diagnostic));
    check_graph(scratch, model,
                "y_2.0 = add(y.0, y.0) layer 0\ny_3.0 = add(y_2.0, x) layer 0\n"
                "x.0 = add(x, y_3.0) layer 0\n");
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(entries_are_replaced_removed_and_added),
        TEST(checks_add_up),
        TEST(extensions_are_extended),
        TEST(entries_keep_their_order),
        TEST(names_are_given_anew),
        TEST(groups_stand_for_their_attributes),
        TEST(mistakes_are_located),
        TEST(bases_are_checked),
        TEST(multiplying_descriptions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

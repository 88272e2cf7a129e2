/* Reading a description from YAML: the frame, names and expressions. */
#include "models/architecture.h"

#include "models/architecture_reader.h"

#include <string.h>

enum { SLOTS_MAX = 4096 };

int architecture_slot(const struct architecture *architecture, const char *name, size_t length)
{
    /* From the end: the model's own names come after the words of operators and win. */
    for (int i = architecture->slot_count - 1; i >= 0; i--) {
        const char *own = architecture->slots[i].name;
        if (!strncmp(own, name, length) && !own[length]) return i;
    }
    return -1;
}

int architecture_parameter(const struct architecture *architecture, const char *name)
{
    for (int i = 0; i < architecture->parameter_count; i++) {
        if (!strcmp(architecture->parameters[i].name, name)) return i;
    }
    return -1;
}

int architecture_weight(const struct architecture *architecture, const char *name)
{
    for (int i = 0; i < architecture->weight_count; i++) {
        if (!strcmp(architecture->weights[i].name, name)) return i;
    }
    return -1;
}

bool architecture_answers(const struct architecture *architecture, enum source_format format,
                          const char *name)
{
    for (int i = 0; i < architecture->name_count[format]; i++) {
        if (!strcmp(architecture->names[format][i], name)) return true;
    }
    return false;
}

status add_slot(struct architecture_reader *reader, const struct yaml *node, const char *name,
                enum slot_kind kind, bool real, bool per_layer, int *slot)
{
    struct architecture *architecture = reader->architecture;
    int existing = architecture_slot(architecture, name, strlen(name));
    bool word = existing >= 0 && architecture->slots[existing].kind == SLOT_WORD;
    if (kind == SLOT_WORD && existing >= 0 && word) {
        *slot = existing;
        return STATUS_OK;
    }
    if (existing >= 0 && !word) {
        return yaml_fail(node, reader->diagnostic, "the name '%.100s' is taken", name);
    }
    if (architecture->slot_count == SLOTS_MAX) {
        return yaml_fail(node, reader->diagnostic, "more than %d names", SLOTS_MAX);
    }
    TRY_APPEND(architecture->slots, architecture->slot_count, architecture->slot_capacity,
               reader->arena, reader->diagnostic);
    *slot = architecture->slot_count - 1;
    architecture->slots[*slot] = (struct architecture_slot){
        .name = name, .kind = kind, .real = real, .per_layer = per_layer};
    return STATUS_OK;
}

static int resolve(const void *context, const char *name, size_t length)
{
    return architecture_slot(context, name, length);
}

/* What the names and operations of an expression make of it. */
static void classify(const struct architecture *architecture, struct formula *formula)
{
    const struct expression *expression = formula->expression;
    for (int i = 0; i < expression->step_count; i++) {
        const struct expression_step *step = &expression->steps[i];
        if (step->operation == EXPRESSION_NAME) {
            formula->real |= architecture->slots[step->slot].real;
            formula->per_layer |= architecture->slots[step->slot].per_layer;
        }
        bool real_function =
            step->operation >= EXPRESSION_EXP && step->operation <= EXPRESSION_SIGMOID;
        formula->real |= step->operation == EXPRESSION_REAL || real_function;
    }
}

status read_formula_text(struct architecture_reader *reader, const struct yaml *node,
                         const char *text, enum formula_kind kind, bool per_layer,
                         struct formula *formula)
{
    const char *origin =
        arena_print(reader->arena, "%s:%d:%d", node->file, node->line, node->column);
    struct expression *expression;
    TRY_MEMORY(origin, reader->diagnostic);
    TRY(expression_parse(text, origin, resolve, reader->architecture, reader->arena, &expression,
                         reader->diagnostic));
    *formula = (struct formula){.expression = expression, .node = node};
    classify(reader->architecture, formula);
    if (formula->real && kind == FORMULA_INTEGER) {
        return yaml_fail(node, reader->diagnostic,
                         "'%.200s' gives a real number; a whole one is needed", text);
    }
    if (formula->per_layer && !per_layer) {
        return yaml_fail(node, reader->diagnostic,
                         "'%.200s' differs from layer to layer and cannot be used here", text);
    }
    if (kind == FORMULA_REAL) formula->real = true;
    return STATUS_OK;
}

status read_formula(struct architecture_reader *reader, struct yaml *node, enum formula_kind kind,
                    bool per_layer, struct formula *formula)
{
    if (node->kind != YAML_SCALAR) {
        return yaml_fail(node, reader->diagnostic, "an expression is needed here");
    }
    return read_formula_text(reader, node, node->text, kind, per_layer, formula);
}

status check_name(struct architecture_reader *reader, const struct yaml *node, const char *name,
                  bool dashes)
{
    enum { NAME_BYTES_MAX = 64 };
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
    size_t length = strlen(name), legal = strspn(name, allowed);
    bool letter = strcspn(name, "0123456789-") > 0;
    if (letter && legal == length && length <= NAME_BYTES_MAX && (dashes || !strchr(name, '-'))) {
        return STATUS_OK;
    }
    return yaml_fail(node, reader->diagnostic,
                     "'%.80s' is no name: a letter, then letters, digits and '_', at most %d bytes",
                     name, NAME_BYTES_MAX);
}

void use_items(struct yaml *map)
{
    for (int i = 0; i < map->count; i++) map->items[i].used = true;
}

status read_texts(struct architecture_reader *reader, struct yaml *node, const char ***texts,
                  int *count)
{
    struct yaml *items = node->kind == YAML_SCALAR ? node : node->items;
    *count = node->kind == YAML_SCALAR ? 1 : node->count;
    TRY_NEW(*texts, reader->arena, *count, reader->diagnostic);
    for (int i = 0; i < *count; i++) {
        if (node->kind == YAML_MAP || items[i].kind != YAML_SCALAR) {
            return yaml_fail(&items[i], reader->diagnostic, "a text or a list of texts is needed");
        }
        (*texts)[i] = items[i].text;
    }
    return STATUS_OK;
}

/* `format` and `name`, `layer`, the two formats, the formats' names for models, and the choices of
 * all operators' attributes. */
static status add_words(struct architecture_reader *reader, struct yaml *root)
{
    static const char *const built_in[SLOT_BUILT_IN_COUNT] = {"format", "name", "layer",
                                                              "run_context"};
    struct architecture *architecture = reader->architecture;
    int slot;
    for (int i = 0; i < SLOT_BUILT_IN_COUNT; i++) {
        TRY(add_slot(reader, root, built_in[i], SLOT_BUILT_IN, false, i == SLOT_LAYER, &slot));
    }
    for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
        TRY(add_slot(reader, root, source_format_name((enum source_format)f), SLOT_WORD, false,
                     false, &slot));
        for (int i = 0; i < architecture->name_count[f]; i++) {
            TRY(add_slot(reader, root, architecture->names[f][i], SLOT_WORD, false, false, &slot));
        }
    }
    struct yaml *inherited = yaml_find(root, "words"); /* made by architecture_extend */
    const char **words;
    int count = 0;
    if (inherited) TRY(read_texts(reader, inherited, &words, &count));
    for (int i = 0; i < count; i++) {
        TRY(add_slot(reader, root, words[i], SLOT_WORD, false, false, &slot));
    }
    for (const struct op *const *op = reader->ops; *op; op++) {
        for (int a = 0; a < op_attribute_count(*op); a++) {
            const char *const *choice = (*op)->attributes[a].choices;
            for (; choice && *choice; choice++) {
                TRY(add_slot(reader, root, *choice, SLOT_WORD, false, false, &slot));
            }
        }
    }
    return STATUS_OK;
}

static status read_names(struct architecture_reader *reader, struct yaml *files)
{
    struct architecture *architecture = reader->architecture;
    for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
        struct yaml *names = yaml_find(files, source_format_name((enum source_format)f));
        if (!names) continue;
        TRY(read_texts(reader, names, &architecture->names[f], &architecture->name_count[f]));
    }
    return STATUS_OK;
}

/* parameter: NAME, where a description of a folder says more than a GGUF file must. */
static status read_parameter_name(struct architecture_reader *reader, struct yaml *node,
                                  struct check_rule *check)
{
    TRY(yaml_text(node, "parameter", &check->parameter, reader->diagnostic));
    if (architecture_parameter(reader->architecture, check->parameter) >= 0) return STATUS_OK;
    return yaml_fail(node, reader->diagnostic, "there is no parameter '%s'", check->parameter);
}

static status read_check_list(struct architecture_reader *reader, struct yaml *root,
                              const char *key, struct check_rule **rules, int *count)
{
    struct yaml *checks = yaml_find(root, key);
    if (!checks) return STATUS_OK;
    TRY_NEW(*rules, reader->arena, checks->count, reader->diagnostic);
    for (int i = 0; i < checks->count; i++) {
        struct check_rule *check = &(*rules)[(*count)++];
        struct yaml *require;
        TRY(yaml_require(&checks->items[i], "require", YAML_SCALAR, &require, reader->diagnostic));
        TRY(read_formula(reader, require, FORMULA_ANY, true, &check->require));
        if (yaml_find(&checks->items[i], "reason"))
            TRY(yaml_text(&checks->items[i], "reason", &check->reason, reader->diagnostic));
        else
            TRY(read_parameter_name(reader, &checks->items[i], check));
    }
    return STATUS_OK;
}

static status read_checks(struct architecture_reader *reader, struct yaml *root)
{
    struct architecture *architecture = reader->architecture;
    TRY(read_check_list(reader, root, "checks", &architecture->checks, &architecture->check_count));
    return read_check_list(reader, root, "to_gguf", &architecture->gguf_checks,
                           &architecture->gguf_check_count);
}

static status read_harmless(struct architecture_reader *reader, struct yaml *root)
{
    struct architecture *architecture = reader->architecture;
    struct yaml *harmless = yaml_find(root, "harmless");
    for (int f = 0; harmless && f < SOURCE_FORMAT_COUNT; f++) {
        struct yaml *keys = yaml_find(harmless, source_format_name((enum source_format)f));
        if (!keys) continue;
        TRY(read_texts(reader, keys, &architecture->harmless[f], &architecture->harmless_count[f]));
    }
    return STATUS_OK;
}

static status read_states(struct architecture_reader *reader, struct yaml *root)
{
    struct architecture *architecture = reader->architecture;
    struct yaml *states = yaml_find(root, "state");
    if (!states) return STATUS_OK;
    if (states->kind != YAML_MAP) {
        return yaml_fail(states, reader->diagnostic, "'state' must be a map of widths");
    }
    TRY_NEW(architecture->states, reader->arena, states->count, reader->diagnostic);
    use_items(states);
    for (int i = 0; i < states->count; i++) {
        struct state_rule *state = &architecture->states[architecture->state_count++];
        state->name = states->items[i].key;
        TRY(check_name(reader, &states->items[i], state->name, false));
        TRY(read_formula(reader, &states->items[i], FORMULA_INTEGER, true, &state->width));
    }
    return STATUS_OK;
}

static status read_sections(struct architecture_reader *reader, struct yaml *root)
{
    struct architecture *architecture = reader->architecture;
    struct yaml *files, *when, *outputs;
    TRY(yaml_text(root, "architecture", &architecture->name, reader->diagnostic));
    TRY(check_name(reader, root, architecture->name, true));
    TRY(yaml_text(root, "description", &architecture->description, reader->diagnostic));
    TRY(yaml_require(root, "files", YAML_MAP, &files, reader->diagnostic));
    TRY(read_names(reader, files));
    TRY(add_words(reader, root));
    TRY(read_parameters(reader, root));
    when = yaml_find(files, "when");
    if (when) TRY(read_formula(reader, when, FORMULA_ANY, false, &architecture->when));
    TRY(read_lets(reader, root)); /* behind `when`, which only uses parameters */
    TRY(read_checks(reader, root));
    TRY(read_harmless(reader, root));
    reader->blocks = yaml_find(root, "blocks");
    reader->groups = yaml_find(root, "attributes");
    TRY(read_weights(reader, root));
    TRY(read_states(reader, root));
    TRY(read_graph(reader, root));
    TRY(yaml_require(root, "outputs", YAML_LIST, &outputs, reader->diagnostic));
    return read_texts(reader, outputs, &architecture->outputs, &architecture->output_count);
}

status architecture_read(struct yaml *root, const struct op *const *ops, struct arena *arena,
                         struct architecture **architecture, struct diagnostic *diagnostic)
{
    static const char *const known[] = {
        "architecture", "description", "files",   "parameters", "let",        "checks",
        "harmless",     "weights",     "state",   "ignored",    "graph",      "outputs",
        "gguf",         "huggingface", "when",    "type",       "per",        "default",
        "least",        "most",        "choices", "require",    "reason",     "shape",
        "optional",     "otherwise",   "element", "before",     "layer",      "after",
        "then",         "extends",     "blocks",  "use",        "attributes", "view",
        "stored",       "start",       "strides", "values",     "listed",     "unit",
        "turned",       "to_gguf",     NULL};
    struct architecture_reader reader = {.ops = ops, .arena = arena, .diagnostic = diagnostic};
    TRY_NEW(reader.architecture, arena, 1, diagnostic);
    reader.architecture->file = root->file;
    TRY(read_sections(&reader, root));
    TRY(yaml_check_used(root, known, diagnostic));
    TRY(check_parameters(&reader, root)); /* last: a misspelled key is the better message */
    *architecture = reader.architecture;
    return STATUS_OK;
}

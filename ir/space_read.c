/* Reading a space from YAML. */
#include "base/checked.h"
#include "ir/space_internal.h"

#include <ctype.h>
#include <string.h>

static const char *const known_keys[] = {
    "variant",       "op",
    "target",        "numerics",
    "class",         "accepts",
    "tunables",      "let",
    "rules",         "estimate",
    "values",        "kind",
    "default",       "require",
    "reason",        "operands",
    "accumulation",  "order",
    "launches",      "workspaces",
    "entry",         "rows_per_item",
    "items",         "threads",
    "shared_bytes",  "cluster",
    "when",          "arguments",
    "per_row_bytes", "fixed_bytes",
    "zeroed",        "discovered",
    "call",          "extends",
    "outputs",       "inner",
    "bfloat",        "algorithm",
    "unit",          NULL,
};

/* "compile" -> 0 and so on; -1 when it is none of the words. */
static int word_index(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0) return i;
    return -1;
}

static status read_ops(struct yaml *root, const struct op *const *ops, struct space *space,
                       struct arena *arena, struct diagnostic *diagnostic)
{
    struct yaml *node = yaml_find(root, "op");
    if (!node || node->kind == YAML_MAP || (node->kind == YAML_LIST && !node->count))
        return yaml_fail(node ? node : root, diagnostic,
                         "'op' must name the operators that the variant answers");
    int count = node->kind == YAML_LIST ? node->count : 1;
    const struct op **found;
    TRY_NEW(found, arena, count + 1, diagnostic);
    for (int i = 0; i < count; i++) {
        const struct yaml *name = node->kind == YAML_LIST ? &node->items[i] : node;
        if (name->kind == YAML_SCALAR) found[i] = op_by_name(ops, name->text);
        if (!found[i])
            return yaml_fail(name, diagnostic, "'%s' is no operator",
                             name->kind == YAML_SCALAR ? name->text : "a list");
    }
    space->ops = found;
    return STATUS_OK;
}

static status read_head(struct yaml *root, const struct op *const *ops, struct space *space,
                        struct arena *arena, struct diagnostic *diagnostic)
{
    const char *text;
    TRY(yaml_text(root, "variant", &text, diagnostic));
    space->variant = arena_text(arena, text);
    TRY_MEMORY(space->variant, diagnostic);
    TRY(yaml_text(root, "target", &text, diagnostic));
    if (!target_by_name(text, &space->target))
        return yaml_fail(yaml_find(root, "target"), diagnostic,
                         "'%s' is no target; known are cpu and cuda", text);
    TRY(read_ops(root, ops, space, arena, diagnostic));
    struct yaml *numerics = yaml_find(root, "numerics");
    if (numerics && numerics->kind != YAML_MAP)
        return yaml_fail(numerics, diagnostic,
                         "'numerics' must be a map such as {operands: exact, "
                         "accumulation: f32}");
    TRY(numerics_read(numerics, arena, &space->numerics, diagnostic));
    if (!yaml_find(root, "class")) return STATUS_OK;
    TRY(yaml_text(root, "class", &text, diagnostic));
    if (strcmp(text, "fast") != 0)
        return yaml_fail(yaml_find(root, "class"), diagnostic,
                         "'%s' is no class; the only one is 'fast'", text);
    space->fast = true;
    return STATUS_OK;
}

/* Names start with a letter and hold letters, digits and _; `true` and the like are words of
 * expressions. */
status space_name_check(const struct name_context *context, const struct yaml *node,
                        const char *name)
{
    static const char *const reserved[] = {
        "true",     "false", "and", "or",   "not",  "if",  "else", "min", "max",     "abs", "log2",
        "ceil_div", "align", "exp", "tanh", "sqrt", "log", "sin",  "cos", "sigmoid", NULL};
    size_t length = strlen(name);
    bool good = isalpha((unsigned char)name[0]) != 0;
    for (size_t i = 0; i < length; i++)
        good = good && (isalnum((unsigned char)name[i]) || name[i] == '_');
    if (!good || length > 63)
        return yaml_fail(node, context->diagnostic,
                         "'%.80s' is no name: a letter, then letters, digits and _, 63 at most",
                         name);
    if (word_index(reserved, name) >= 0)
        return yaml_fail(node, context->diagnostic, "'%s' is a word of expressions", name);
    return STATUS_OK;
}

static status read_numbers(const struct yaml *list, struct tunable *tunable, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    int64_t *values;
    TRY_NEW(values, arena, list->count, diagnostic);
    for (int i = 0; i < list->count; i++) {
        TRY(yaml_integer(&list->items[i], &values[i], diagnostic));
        for (int j = 0; j < i; j++)
            if (values[i] == values[j])
                return yaml_fail(&list->items[i], diagnostic, "the value %lld is there twice",
                                 (long long)values[i]);
    }
    tunable->values = values;
    return STATUS_OK;
}

static status read_words(const struct name_context *context, const struct yaml *list,
                         struct tunable *tunable)
{
    struct diagnostic *diagnostic = context->diagnostic;
    const char **words;
    int64_t *values;
    TRY_NEW(words, context->arena, list->count, diagnostic);
    TRY_NEW(values, context->arena, list->count, diagnostic);
    for (int i = 0; i < list->count; i++) {
        const struct yaml *item = &list->items[i];
        if (item->kind != YAML_SCALAR)
            return yaml_fail(item, diagnostic, "a value must be a whole number or a word");
        TRY(space_name_check(context, item, item->text));
        for (int j = 0; j < i; j++)
            if (strcmp(words[j], item->text) == 0)
                return yaml_fail(item, diagnostic, "the word '%s' is there twice", item->text);
        words[i] = arena_text(context->arena, item->text);
        TRY_MEMORY(words[i], diagnostic);
        values[i] = i;
    }
    tunable->words = words;
    tunable->values = values;
    return STATUS_OK;
}

int tunable_index(const struct tunable *tunable, int64_t value)
{
    for (int v = 0; v < tunable->value_count; v++)
        if (tunable->values[v] == value) return v;
    return -1;
}

static status read_default(struct yaml *map, struct tunable *tunable, struct diagnostic *diagnostic)
{
    struct yaml *node = yaml_find(map, "default");
    if (!node) return STATUS_OK;
    int64_t value = 0;
    if (tunable->words) {
        value = -1;
        for (int v = 0; node->kind == YAML_SCALAR && v < tunable->value_count; v++)
            if (strcmp(tunable->words[v], node->text) == 0) value = v;
    } else {
        TRY(yaml_integer(node, &value, diagnostic));
    }
    tunable->otherwise = tunable_index(tunable, value);
    if (tunable->otherwise < 0)
        return yaml_fail(node, diagnostic, "the default of '%s' is not among its values",
                         tunable->name);
    return STATUS_OK;
}

/* Ranks in a list that only the device has. */
static status read_discovered(const struct name_context *context, struct yaml *map,
                              struct tunable *tunable)
{
    int64_t count, *values;
    struct yaml *node = yaml_find(map, "discovered");
    TRY(yaml_integer(node, &count, context->diagnostic));
    if (count < 1 || count > SPACE_VALUES_MAX)
        return yaml_fail(node, context->diagnostic, "'%s' must have 1 to %d ranks", map->key,
                         SPACE_VALUES_MAX);
    TRY_NEW(values, context->arena, (int)count, context->diagnostic);
    for (int v = 0; v < (int)count; v++) values[v] = v;
    tunable->values = values;
    tunable->value_count = (int)count;
    tunable->kind = TUNABLE_DISCOVERED;
    return STATUS_OK;
}

static status read_tunable(const struct name_context *context, struct yaml *map,
                           struct tunable *tunable)
{
    static const char *const kinds[] = {"compile", "launch", "layout", "numerics", NULL};
    struct diagnostic *diagnostic = context->diagnostic;
    TRY(space_name_check(context, map, map->key));
    const char *taken = space_name_taken(context, map->key);
    if (taken) return yaml_fail(map, diagnostic, "'%s' is the name of %s already", map->key, taken);
    tunable->name = arena_text(context->arena, map->key);
    TRY_MEMORY(tunable->name, diagnostic);
    struct yaml *list;
    if (yaml_find(map, "discovered")) return read_discovered(context, map, tunable);
    TRY(yaml_require(map, "values", YAML_LIST, &list, diagnostic));
    if (!list->count || list->count > SPACE_VALUES_MAX)
        return yaml_fail(list, diagnostic, "'%s' must have 1 to %d values", map->key,
                         SPACE_VALUES_MAX);
    tunable->value_count = list->count;
    char first = list->items[0].kind == YAML_SCALAR ? list->items[0].text[0] : '0';
    if (isalpha((unsigned char)first))
        TRY(read_words(context, list, tunable));
    else
        TRY(read_numbers(list, tunable, context->arena, diagnostic));
    TRY(read_default(map, tunable, diagnostic));
    if (!yaml_find(map, "kind")) return STATUS_OK;
    const char *kind;
    TRY(yaml_text(map, "kind", &kind, diagnostic));
    int index = word_index(kinds, kind);
    if (index < 0)
        return yaml_fail(yaml_find(map, "kind"), diagnostic,
                         "'%s' is no kind; known are compile, launch, layout and numerics", kind);
    tunable->kind = (enum tunable_kind)index;
    return STATUS_OK;
}

/* Words may be shared between tunables and attributes, but not with names of other things. */
static status check_words(const struct name_context *context, const struct tunable *tunable,
                          const struct yaml *map)
{
    for (int v = 0; tunable->words && v < tunable->value_count; v++) {
        const char *taken = space_name_taken(context, tunable->words[v]);
        if (taken && strncmp(taken, "a tunable's word", 16) != 0)
            return yaml_fail(map, context->diagnostic, "the word '%s' is the name of %s",
                             tunable->words[v], taken);
    }
    return STATUS_OK;
}

static status read_tunables(const struct name_context *context, struct yaml *root)
{
    struct space *space = context->space;
    if (!yaml_find(root, "tunables")) return STATUS_OK;
    struct yaml *map;
    TRY(yaml_require(root, "tunables", YAML_MAP, &map, context->diagnostic));
    if (map->count > SPACE_TUNABLES_MAX)
        return yaml_fail(map, context->diagnostic, "a space has %d tunables at most",
                         SPACE_TUNABLES_MAX);
    uint64_t product = 1;
    for (int i = 0; i < map->count; i++) {
        struct yaml *item = &map->items[i];
        item->used = true;
        struct tunable *tunable = &space->tunables[i];
        TRY(read_tunable(context, item, tunable));
        space->slots[i] = (struct slot){.name = tunable->name, .kind = SLOT_TUNABLE, .value = i};
        space->tunable_count = i + 1;
        if (!checked_multiply(product, (uint64_t)tunable->value_count, &product) ||
            product > INT64_MAX)
            return yaml_fail(item, context->diagnostic, "the space has more than 2^63 configs");
    }
    for (int i = 0; i < map->count; i++)
        TRY(check_words(context, &space->tunables[i], &map->items[i]));
    return STATUS_OK;
}

status space_expression_read(struct name_context *context, const struct yaml *node,
                             const struct expression **expression)
{
    if (node->kind != YAML_SCALAR)
        return yaml_fail(node, context->diagnostic, "an expression is expected here");
    const char *origin = arena_print(context->arena, "%s:%d:%d", node->file ? node->file : "",
                                     node->line, node->column);
    char *text = arena_text(context->arena, node->text);
    TRY_MEMORY(origin, context->diagnostic);
    TRY_MEMORY(text, context->diagnostic);
    struct expression *parsed;
    context->node = node;
    status code = expression_parse(text, origin, space_name_slot, context, context->arena, &parsed,
                                   context->diagnostic);
    if (code != STATUS_OK) return context->diagnostic->code; /* a name's own failure came first */
    *expression = parsed;
    return STATUS_OK;
}

bool space_expression_is_real(const struct space *space, const struct expression *expression)
{
    for (int s = 0; s < expression->step_count; s++) {
        const struct expression_step *step = &expression->steps[s];
        if (step->operation == EXPRESSION_REAL || step->operation >= EXPRESSION_EXP) return true;
        if (step->operation == EXPRESSION_NAME && space->slots[step->slot].real) return true;
    }
    return false;
}

static status read_lets(struct name_context *context, struct yaml *root)
{
    struct space *space = context->space;
    struct yaml *map = NULL;
    if (yaml_find(root, "let")) TRY(yaml_require(root, "let", YAML_MAP, &map, context->diagnostic));
    int count = map ? map->count : 0;
    if (count > SPACE_LETS_MAX)
        return yaml_fail(map, context->diagnostic, "a space has %d let values at most",
                         SPACE_LETS_MAX);
    space->slot_count = space->tunable_count + count;
    for (int i = 0; i < count; i++) {
        struct yaml *item = &map->items[i];
        item->used = true;
        TRY(space_name_check(context, item, item->key));
        const char *taken = space_name_taken(context, item->key);
        if (taken)
            return yaml_fail(item, context->diagnostic, "'%s' is the name of %s already", item->key,
                             taken);
        struct let *let = &space->lets[i];
        let->name = arena_text(context->arena, item->key);
        TRY_MEMORY(let->name, context->diagnostic);
        TRY(space_expression_read(context, item, &let->value));
        let->real = space_expression_is_real(space, let->value);
        space->slots[space->tunable_count + i] =
            (struct slot){.name = let->name, .kind = SLOT_LET, .value = i, .real = let->real};
        space->let_count = i + 1;
    }
    return STATUS_OK;
}

static status read_rule(struct name_context *context, struct yaml *map, struct rule *rule)
{
    static const char *const classes[] = {"hardware", "algorithm", "soft", NULL};
    struct diagnostic *diagnostic = context->diagnostic;
    struct yaml *require;
    TRY(yaml_require(map, "require", YAML_SCALAR, &require, diagnostic));
    TRY(space_expression_read(context, require, &rule->require));
    rule->real = space_expression_is_real(context->space, rule->require);
    const char *text;
    TRY(yaml_text(map, "class", &text, diagnostic));
    int index = word_index(classes, text);
    if (index < 0)
        return yaml_fail(yaml_find(map, "class"), diagnostic,
                         "'%s' is no class of rules; known are hardware, algorithm and soft", text);
    rule->class = (enum rule_class)index;
    TRY(yaml_text(map, "reason", &text, diagnostic));
    rule->reason = arena_text(context->arena, text);
    TRY_MEMORY(rule->reason, diagnostic);
    return STATUS_OK;
}

static status read_rules(struct name_context *context, struct yaml *root, struct rule **rules)
{
    struct space *space = context->space;
    *rules = NULL;
    if (!yaml_find(root, "rules")) return STATUS_OK;
    struct yaml *list;
    TRY(yaml_require(root, "rules", YAML_LIST, &list, context->diagnostic));
    if (list->count > SPACE_RULES_MAX)
        return yaml_fail(list, context->diagnostic, "a space has %d rules at most",
                         SPACE_RULES_MAX);
    TRY_NEW(*rules, context->arena, list->count, context->diagnostic);
    for (int i = 0; i < list->count; i++) TRY(read_rule(context, &list->items[i], &(*rules)[i]));
    space->rules = *rules;
    space->rule_count = list->count;
    return STATUS_OK;
}

void space_mark_lets(struct space *space, const struct expression *expression, bool real)
{
    for (int l = 0; l < space->let_count; l++) {
        if (!(expression->slots_used >> (space->tunable_count + l) & 1)) continue;
        if (real)
            space->lets[l].used_real = true;
        else
            space->lets[l].used_whole = true;
    }
}

static void mark_all_lets(struct space *space)
{
    if (space->accepts) space_mark_lets(space, space->accepts, space->accepts_real);
    for (int r = 0; r < space->rule_count; r++)
        space_mark_lets(space, space->rules[r].require, space->rules[r].real);
    space_mark_lets(space, space->estimate, true);
    space_launches_mark_lets(space);
    for (int l = space->let_count - 1; l >= 0; l--) {
        const struct let *let = &space->lets[l];
        if (let->used_whole) space_mark_lets(space, let->value, false);
        if (let->used_real) space_mark_lets(space, let->value, true);
    }
}

/* A space that accepts depends on the problem alone. */
static status read_accepts(struct name_context *context, struct yaml *root)
{
    struct space *space = context->space;
    struct yaml *node = yaml_find(root, "accepts");
    if (!node) return STATUS_OK;
    TRY(space_expression_read(context, node, &space->accepts));
    space->accepts_real = space_expression_is_real(space, space->accepts);
    int own_count = space->tunable_count + space->let_count;
    if (space->accepts->slots_used & (slot_bit(own_count) - 1))
        return yaml_fail(node, context->diagnostic,
                         "'accepts' may not read tunables or let values; write a rule");
    return STATUS_OK;
}

/* Which tunables decide in what order terms are summed; all, unless the space says so. */
static status read_order(struct yaml *root, struct space *space, struct diagnostic *diagnostic)
{
    struct yaml *numerics = yaml_find(root, "numerics"), *list = NULL;
    space->order = ~0u;
    if (!numerics || !yaml_find(numerics, "order")) return STATUS_OK;
    TRY(yaml_require(numerics, "order", YAML_LIST, &list, diagnostic));
    space->order = 0;
    for (int i = 0; i < list->count; i++) {
        int t = 0;
        if (list->items[i].kind != YAML_SCALAR)
            return yaml_fail(&list->items[i], diagnostic, "'order' lists names of tunables");
        list->items[i].used = true;
        while (t < space->tunable_count &&
               strcmp(space->tunables[t].name, list->items[i].text) != 0)
            t++;
        if (t == space->tunable_count)
            return yaml_fail(&list->items[i], diagnostic, "'%.63s' is no tunable of this space",
                             list->items[i].text);
        space->order |= 1u << t;
    }
    return STATUS_OK;
}

status space_read(struct yaml *root, const struct op *const *ops, struct arena *arena,
                  struct space **result, struct diagnostic *diagnostic)
{
    struct space *space;
    TRY_NEW(space, arena, 1, diagnostic);
    struct name_context context = {.space = space, .arena = arena, .diagnostic = diagnostic};
    TRY(read_head(root, ops, space, arena, diagnostic));
    TRY(read_tunables(&context, root));
    TRY(read_order(root, space, diagnostic));
    TRY(read_lets(&context, root));
    TRY(read_accepts(&context, root));
    struct rule *rules;
    TRY(read_rules(&context, root, &rules));
    struct yaml *estimate;
    TRY(yaml_require(root, "estimate", YAML_SCALAR, &estimate, diagnostic));
    TRY(space_expression_read(&context, estimate, &space->estimate));
    TRY(space_launches_read(&context, root));
    TRY(yaml_check_used(root, known_keys, diagnostic));
    mark_all_lets(space);
    TRY(space_walk_prepare(space, rules, arena, diagnostic));
    *result = space;
    return STATUS_OK;
}

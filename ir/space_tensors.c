/* The tensor maps of CUDA spaces: reading them, and their numbers for one config. */
#include "ir/space_internal.h"

#include <string.h>

static const struct {
    const char *key;
    int64_t most;
} keys[TENSOR_NUMBER_COUNT] = {
    [TENSOR_COLUMNS] = {"columns", INT32_MAX},
    [TENSOR_ROWS] = {"rows", INT32_MAX},
    [TENSOR_ELEMENT_BYTES] = {"element_bytes", 4},
    [TENSOR_BOX_COLUMNS] = {"box_columns", TENSOR_BOX_MAX},
    [TENSOR_BOX_ROWS] = {"box_rows", TENSOR_BOX_MAX},
    [TENSOR_SWIZZLE_BYTES] = {"swizzle_bytes", 128},
};

static status read_tensor(struct name_context *context, struct yaml *map, struct tensor_rule *rule)
{
    struct diagnostic *diagnostic = context->diagnostic;
    const struct space *space = context->space;
    struct yaml *of;
    if (map->kind != YAML_MAP)
        return yaml_fail(map, diagnostic, "a tensor map is a map such as {of: weight, ...}");
    TRY(space_name_check(context, map, map->key));
    if (space_operand(space, map->key, strlen(map->key)) || space_workspace(space, map->key) >= 0)
        return yaml_fail(map, diagnostic, "'%s' is the name of an operand or workspace already",
                         map->key);
    TRY(yaml_require(map, "of", YAML_SCALAR, &of, diagnostic));
    if (!space_operand(space, of->text, strlen(of->text)) && space_workspace(space, of->text) < 0)
        return yaml_fail(of, diagnostic,
                         "'%.80s' is neither an operand of the variant's operators nor one of its "
                         "workspaces",
                         of->text);
    rule->name = arena_text(context->arena, map->key);
    rule->of = arena_text(context->arena, of->text);
    TRY_MEMORY(rule->name && rule->of, diagnostic);
    for (int n = 0; n < TENSOR_NUMBER_COUNT; n++) {
        TRY(space_whole_read(context, map, keys[n].key, &rule->numbers[n]));
        if (!rule->numbers[n])
            return yaml_fail(map, diagnostic, "'%s' needs '%s'", map->key, keys[n].key);
    }
    return STATUS_OK;
}

status space_tensors_read(struct name_context *context, struct yaml *root)
{
    struct yaml *map;
    struct tensor_rule *rules;
    if (!yaml_find(root, "tensor_maps")) return STATUS_OK;
    TRY(yaml_require(root, "tensor_maps", YAML_MAP, &map, context->diagnostic));
    if (map->count > IMAGE_TENSORS_MAX)
        return yaml_fail(map, context->diagnostic, "a variant has %d tensor maps at most",
                         IMAGE_TENSORS_MAX);
    TRY_NEW(rules, context->arena, map->count, context->diagnostic);
    for (int i = 0; i < map->count; i++) {
        map->items[i].used = true;
        TRY(read_tensor(context, &map->items[i], &rules[i]));
    }
    context->space->tensors = rules;
    context->space->tensor_count = map->count;
    return STATUS_OK;
}

int space_tensor(const struct space *space, const char *name)
{
    for (int t = 0; t < space->tensor_count; t++)
        if (strcmp(space->tensors[t].name, name) == 0) return t;
    return -1;
}

static status fill_tensor(const struct space_numbers *numbers, const struct tensor_rule *rule,
                          struct tensor_argument *tensor)
{
    int64_t values[TENSOR_NUMBER_COUNT];
    *tensor = (struct tensor_argument){.of = space_present_argument(numbers->bound, rule->of)};
    if (tensor->of.kind == ARGUMENT_NULL) return STATUS_OK;
    for (int n = 0; n < TENSOR_NUMBER_COUNT; n++) {
        struct number_place place = {rule->name, keys[n].key, 0, 0, keys[n].most};
        TRY(space_number(numbers, rule->numbers[n], place, &values[n]));
    }
    tensor->columns = values[TENSOR_COLUMNS];
    tensor->rows = values[TENSOR_ROWS];
    tensor->element_bytes = (int)values[TENSOR_ELEMENT_BYTES];
    tensor->box_columns = (int)values[TENSOR_BOX_COLUMNS];
    tensor->box_rows = (int)values[TENSOR_BOX_ROWS];
    tensor->swizzle_bytes = (int)values[TENSOR_SWIZZLE_BYTES];
    const char *fault = tensor_fault(tensor);
    if (!fault) return STATUS_OK;
    return fail(numbers->diagnostic, STATUS_BAD_INPUT, "%s: %s: %s", numbers->bound->space->variant,
                rule->name, fault);
}

status space_tensors_fill(const struct space_numbers *numbers, struct image *image)
{
    const struct space *space = numbers->bound->space;
    image->tensor_count = space->tensor_count;
    for (int t = 0; t < space->tensor_count; t++)
        TRY(fill_tensor(numbers, &space->tensors[t], &image->tensors[t]));
    return STATUS_OK;
}

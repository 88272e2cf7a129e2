/* The launches and workspaces of spaces whose kernels are source texts: reading them, and their numbers for one config. */
#include "ir/image.h"
#include "ir/space_internal.h"

#include <string.h>

static const char matmul_name[] = "cublaslt_matmul";

/* ---- Reading ---- */

status space_whole_read(struct name_context *context, struct yaml *map, const char *key,
                        const struct expression **expression)
{
    struct yaml *node = yaml_find(map, key);
    if (!node) return STATUS_OK;
    TRY(space_expression_read(context, node, expression));
    if (space_expression_is_real(context->space, *expression))
        return yaml_fail(node, context->diagnostic, "'%s' must be a whole number", key);
    return STATUS_OK;
}

static status read_workspace(struct name_context *context, struct yaml *map,
                             struct workspace_rule *workspace)
{
    struct diagnostic *diagnostic = context->diagnostic;
    if (map->kind != YAML_MAP)
        return yaml_fail(map, diagnostic, "a workspace is a map such as {fixed_bytes: 4096}");
    TRY(space_name_check(context, map, map->key));
    if (space_operand(context->space, map->key, strlen(map->key)))
        return yaml_fail(map, diagnostic, "'%s' is the name of an operand already", map->key);
    workspace->name = arena_text(context->arena, map->key);
    TRY_MEMORY(workspace->name, diagnostic);
    TRY(space_whole_read(context, map, "per_row_bytes", &workspace->per_row_bytes));
    TRY(space_whole_read(context, map, "fixed_bytes", &workspace->fixed_bytes));
    if (!workspace->per_row_bytes && !workspace->fixed_bytes)
        return yaml_fail(map, diagnostic, "'%s' has neither per_row_bytes nor fixed_bytes",
                         map->key);
    const struct yaml *zeroed = yaml_find(map, "zeroed");
    return zeroed ? yaml_boolean(zeroed, &workspace->zeroed, diagnostic) : STATUS_OK;
}

static status read_workspaces(struct name_context *context, struct yaml *root)
{
    if (!yaml_find(root, "workspaces")) return STATUS_OK;
    struct yaml *map;
    struct workspace_rule *rules;
    TRY(yaml_require(root, "workspaces", YAML_MAP, &map, context->diagnostic));
    if (map->count > IMAGE_WORKSPACES_MAX)
        return yaml_fail(map, context->diagnostic, "a variant has %d workspaces at most",
                         IMAGE_WORKSPACES_MAX);
    TRY_NEW(rules, context->arena, map->count, context->diagnostic);
    for (int i = 0; i < map->count; i++) {
        map->items[i].used = true;
        TRY(read_workspace(context, &map->items[i], &rules[i]));
    }
    context->space->workspaces = rules;
    context->space->workspace_count = map->count;
    return STATUS_OK;
}

int space_workspace(const struct space *space, const char *name)
{
    for (int w = 0; w < space->workspace_count; w++)
        if (strcmp(space->workspaces[w].name, name) == 0) return w;
    return -1;
}

static status read_arguments(struct name_context *context, struct yaml *map,
                             struct launch_rule *launch)
{
    struct diagnostic *diagnostic = context->diagnostic;
    struct yaml *list;
    TRY(yaml_require(map, "arguments", YAML_LIST, &list, diagnostic));
    if (list->count > LAUNCH_ARGUMENTS_MAX)
        return yaml_fail(list, diagnostic, "a launch has %d arguments at most",
                         LAUNCH_ARGUMENTS_MAX);
    for (int i = 0; i < list->count; i++) {
        const struct yaml *item = &list->items[i];
        if (item->kind != YAML_SCALAR)
            return yaml_fail(item, diagnostic, "an argument is the name of an operand");
        bool known = space_operand(context->space, item->text, strlen(item->text)) ||
                     space_workspace(context->space, item->text) >= 0 ||
                     space_tensor(context->space, item->text) >= 0;
        if (!known)
            return yaml_fail(item, diagnostic,
                             "'%.80s' is neither an operand of the variant's operators nor one of "
                             "its workspaces or tensor maps",
                             item->text);
        launch->arguments[i] = arena_text(context->arena, item->text);
        TRY_MEMORY(launch->arguments[i], diagnostic);
    }
    launch->argument_count = list->count;
    return STATUS_OK;
}

static status read_call(struct name_context *context, struct yaml *map, struct launch_rule *launch)
{
    struct diagnostic *diagnostic = context->diagnostic;
    struct yaml *call;
    TRY(yaml_require(map, "call", YAML_SCALAR, &call, diagnostic));
    if (strcmp(call->text, matmul_name) != 0)
        return yaml_fail(call, diagnostic, "'%.80s' is no call; the only one is %s", call->text,
                         matmul_name);
    launch->kind = LAUNCH_MATMUL;
    launch->entry = matmul_name;
    TRY(space_whole_read(context, map, "outputs", &launch->outputs));
    TRY(space_whole_read(context, map, "inner", &launch->inner));
    TRY(space_whole_read(context, map, "bfloat", &launch->bfloat));
    TRY(space_whole_read(context, map, "algorithm", &launch->algorithm));
    TRY(space_whole_read(context, map, "when", &launch->when));
    if (!launch->outputs || !launch->inner || !launch->bfloat || !launch->algorithm)
        return yaml_fail(map, diagnostic, "%s needs 'outputs', 'inner', 'bfloat' and 'algorithm'",
                         matmul_name);
    TRY(read_arguments(context, map, launch));
    if (launch->argument_count != MATMUL_ARGUMENTS)
        return yaml_fail(map, diagnostic,
                         "%s has %d arguments: x, weight, bias, residual, y and a workspace",
                         matmul_name, MATMUL_ARGUMENTS);
    return STATUS_OK;
}

/* Blocks of threads are for cards, work items that threads take in units for the host. */
static status check_launch(struct name_context *context, const struct yaml *map,
                           const struct launch_rule *launch)
{
    bool card = context->space->target == TARGET_CUDA;
    if (card && launch->unit)
        return yaml_fail(map, context->diagnostic, "only launches on the host have a 'unit'");
    if (!card && (launch->threads || launch->shared_bytes || launch->cluster))
        return yaml_fail(map, context->diagnostic,
                         "a launch on the host has neither 'threads' nor 'shared_bytes' nor "
                         "'cluster': its work items are shared out to the host's threads");
    if (card && (!launch->items || !launch->threads))
        return yaml_fail(map, context->diagnostic,
                         "a launch needs 'items' (blocks) and 'threads' (per block)");
    if (!launch->items)
        return yaml_fail(map, context->diagnostic, "a launch needs 'items' (pieces of work)");
    return STATUS_OK;
}

static status read_launch(struct name_context *context, struct yaml *map,
                          struct launch_rule *launch)
{
    struct diagnostic *diagnostic = context->diagnostic;
    struct yaml *entry;
    if (yaml_find(map, "call") && context->space->target == TARGET_CUDA)
        return read_call(context, map, launch);
    TRY(yaml_require(map, "entry", YAML_SCALAR, &entry, diagnostic));
    TRY(space_name_check(context, entry, entry->text));
    launch->entry = arena_text(context->arena, entry->text);
    TRY_MEMORY(launch->entry, diagnostic);
    TRY(space_whole_read(context, map, "rows_per_item", &launch->rows_per_item));
    TRY(space_whole_read(context, map, "items", &launch->items));
    TRY(space_whole_read(context, map, "threads", &launch->threads));
    TRY(space_whole_read(context, map, "shared_bytes", &launch->shared_bytes));
    TRY(space_whole_read(context, map, "cluster", &launch->cluster));
    TRY(space_whole_read(context, map, "unit", &launch->unit));
    TRY(space_whole_read(context, map, "when", &launch->when));
    TRY(check_launch(context, map, launch));
    return read_arguments(context, map, launch);
}

status space_launches_read(struct name_context *context, struct yaml *root)
{
    struct space *space = context->space;
    struct yaml *list = yaml_find(root, "launches"), *workspaces = yaml_find(root, "workspaces");
    struct yaml *tensors = yaml_find(root, "tensor_maps");
    if (space->target != TARGET_CUDA) {
        if (tensors)
            return yaml_fail(tensors, context->diagnostic, "only CUDA variants have tensor maps");
        if (!list && workspaces)
            return yaml_fail(workspaces, context->diagnostic,
                             "'workspaces' without 'launches': a CPU variant whose kernel is a "
                             "source text has both, an emitter gives its own");
        if (!list) return STATUS_OK;
    }
    TRY(read_workspaces(context, root));
    TRY(space_tensors_read(context, root));
    TRY(yaml_require(root, "launches", YAML_LIST, &list, context->diagnostic));
    if (!list->count || list->count > IMAGE_LAUNCHES_MAX)
        return yaml_fail(list, context->diagnostic, "a variant has 1 to %d launches",
                         IMAGE_LAUNCHES_MAX);
    struct launch_rule *rules;
    TRY_NEW(rules, context->arena, list->count, context->diagnostic);
    for (int i = 0; i < list->count; i++) TRY(read_launch(context, &list->items[i], &rules[i]));
    space->launches = rules;
    space->launch_count = list->count;
    return STATUS_OK;
}

static void mark_optional(struct space *space, const struct expression *expression)
{
    if (expression) space_mark_lets(space, expression, false);
}

/* Beside what launches read, kernels get every let that is a whole number (codegen/kernel_constants.h). */
void space_launches_mark_lets(struct space *space)
{
    for (int w = 0; w < space->workspace_count; w++) {
        mark_optional(space, space->workspaces[w].per_row_bytes);
        mark_optional(space, space->workspaces[w].fixed_bytes);
    }
    for (int t = 0; t < space->tensor_count; t++)
        for (int n = 0; n < TENSOR_NUMBER_COUNT; n++)
            mark_optional(space, space->tensors[t].numbers[n]);
    for (int l = 0; l < space->launch_count; l++) {
        const struct launch_rule *launch = &space->launches[l];
        const struct expression *const all[] = {
            launch->rows_per_item, launch->items,   launch->unit,     launch->threads,
            launch->shared_bytes,  launch->cluster, launch->when,     launch->outputs,
            launch->inner,         launch->bfloat,  launch->algorithm};
        for (size_t e = 0; e < sizeof all / sizeof *all; e++) mark_optional(space, all[e]);
    }
    for (int l = 0; space->launch_count && l < space->let_count; l++)
        if (!space->lets[l].real) space->lets[l].used_whole = true;
}

bool space_calls_library(const struct space *space)
{
    for (int l = 0; l < space->launch_count; l++)
        if (space->launches[l].kind != LAUNCH_KERNEL) return true;
    return false;
}

/* ---- The numbers of one config ---- */

status space_number(const struct space_numbers *numbers, const struct expression *expression,
                    struct number_place place, int64_t *number)
{
    const char *variant = numbers->bound->space->variant;
    *number = place.otherwise;
    if (expression && !value_whole(expression, &numbers->values, number))
        return fail(numbers->diagnostic, STATUS_BAD_INPUT, "%s: %s: %s = %s has no value", variant,
                    place.owner, place.what, expression->text);
    if (*number < place.least || *number > place.most)
        return fail(numbers->diagnostic, STATUS_BAD_INPUT,
                    "%s: %s: %s is %lld; %lld to %lld are possible", variant, place.owner,
                    place.what, (long long)*number, (long long)place.least, (long long)place.most);
    return STATUS_OK;
}

static struct argument argument_of(const struct bound_space *bound, const char *name)
{
    int workspace = space_workspace(bound->space, name);
    if (workspace >= 0) return (struct argument){.kind = ARGUMENT_WORKSPACE, .index = workspace};
    int tensor = space_tensor(bound->space, name);
    if (tensor >= 0) return (struct argument){.kind = ARGUMENT_TENSOR_MAP, .index = tensor};
    int operand = operand_by_name(bound->problem, name);
    if (operand < 0) return (struct argument){.kind = ARGUMENT_NULL};
    return (struct argument){.kind = ARGUMENT_OPERAND, .index = operand};
}

/* As argument_of, null as well where the problem leaves the operand out. */
struct argument space_present_argument(const struct bound_space *bound, const char *name)
{
    struct argument argument = argument_of(bound, name);
    bool absent = argument.kind == ARGUMENT_OPERAND &&
                  argument.index < bound->problem->input_count &&
                  !bound->problem->operands[argument.index].present;
    return absent ? (struct argument){.kind = ARGUMENT_NULL} : argument;
}

/* On cards whose limit is unknown the driver has the last word. */
static int64_t shared_limit(const struct bound_space *bound)
{
    double limit = bound->facts->values[FACT_shared_bytes_per_block];
    return limit > 0 && limit < IMAGE_SHARED_BYTES_MAX ? (int64_t)limit : IMAGE_SHARED_BYTES_MAX;
}

/* One item, so that what counts items counts a call once. */
static status fill_matmul(const struct space_numbers *numbers, const struct launch_rule *rule,
                          struct launch *launch)
{
    struct number_place outputs = {rule->entry, "outputs", 0, 1, INT32_MAX};
    struct number_place inner = {rule->entry, "inner", 0, 1, INT32_MAX};
    struct number_place bfloat = {rule->entry, "bfloat", 0, 0, 1};
    struct number_place algorithm = {rule->entry, "algorithm", 0, 0, SPACE_VALUES_MAX - 1};
    int64_t number;
    *launch = (struct launch){.kind = LAUNCH_MATMUL,
                              .name = rule->entry,
                              .geometry = {.items_per_row_group = 1, .unit = 1},
                              .argument_count = rule->argument_count};
    TRY(space_number(numbers, rule->outputs, outputs, &launch->matmul.outputs));
    TRY(space_number(numbers, rule->inner, inner, &launch->matmul.inner));
    TRY(space_number(numbers, rule->bfloat, bfloat, &number));
    launch->matmul.bfloat = number == 1;
    TRY(space_number(numbers, rule->algorithm, algorithm, &number));
    launch->matmul.algorithm = (int)number;
    for (int a = 0; a < rule->argument_count; a++)
        launch->arguments[a] = space_present_argument(numbers->bound, rule->arguments[a]);
    if (launch_matmul_is_sound(launch)) return STATUS_OK;
    return fail(numbers->diagnostic, STATUS_BAD_INPUT,
                "%s: %s: its arguments must be x, weight, bias, residual, y and a workspace",
                numbers->bound->space->variant, rule->entry);
}

static status fill_launch(const struct space_numbers *numbers, const struct launch_rule *rule,
                          struct launch *launch)
{
    if (rule->kind == LAUNCH_MATMUL) return fill_matmul(numbers, rule, launch);
    struct number_place items = {rule->entry, "items", 1, 1, INT32_MAX};
    bool card = numbers->bound->space->target == TARGET_CUDA;
    struct number_place rows = {rule->entry, "rows_per_item", 0, 0, INT32_MAX};
    struct number_place unit = {rule->entry, "unit", 1, 1, INT32_MAX};
    struct number_place threads = {rule->entry, "threads", card, card, IMAGE_THREADS_MAX};
    struct number_place shared = {rule->entry, "shared_bytes", 0, 0, shared_limit(numbers->bound)};
    struct number_place cluster = {rule->entry, "cluster", 0, 0, IMAGE_CLUSTER_MAX};
    int64_t number;
    *launch = (struct launch){.name = rule->entry, .argument_count = rule->argument_count};
    TRY(space_number(numbers, rule->unit, unit, &launch->geometry.unit));
    TRY(space_number(numbers, rule->rows_per_item, rows, &launch->geometry.rows_per_item));
    TRY(space_number(numbers, rule->items, items, &launch->geometry.items_per_row_group));
    TRY(space_number(numbers, rule->threads, threads, &number));
    launch->threads = (int)number;
    TRY(space_number(numbers, rule->shared_bytes, shared, &number));
    launch->shared_bytes = (int)number;
    TRY(space_number(numbers, rule->cluster, cluster, &number));
    launch->cluster = (int)number;
    for (int a = 0; a < rule->argument_count; a++)
        launch->arguments[a] = argument_of(numbers->bound, rule->arguments[a]);
    return STATUS_OK;
}

static status fill_workspace(const struct space_numbers *numbers, const struct workspace_rule *rule,
                             struct workspace *workspace)
{
    struct number_place per_row = {rule->name, "per_row_bytes", 0, 0, INT32_MAX};
    struct number_place fixed = {rule->name, "fixed_bytes", 0, 0, IMAGE_WORKSPACE_BYTES_MAX};
    workspace->zeroed = rule->zeroed;
    TRY(space_number(numbers, rule->per_row_bytes, per_row, &workspace->per_row_bytes));
    return space_number(numbers, rule->fixed_bytes, fixed, &workspace->fixed_bytes);
}

status space_launches(const struct bound_space *bound, const struct config *config,
                      struct image *image, struct diagnostic *diagnostic)
{
    const struct space *space = bound->space;
    struct space_numbers numbers = {.bound = bound, .diagnostic = diagnostic};
    space_values(bound, config, &numbers.values);
    *image = (struct image){.target = space->target, .workspace_count = space->workspace_count};
    for (int w = 0; w < space->workspace_count; w++)
        TRY(fill_workspace(&numbers, &space->workspaces[w], &image->workspaces[w]));
    TRY(space_tensors_fill(&numbers, image));
    for (int l = 0; l < space->launch_count; l++) {
        const struct launch_rule *rule = &space->launches[l];
        struct number_place when = {rule->entry, "when", 1, INT64_MIN, INT64_MAX};
        int64_t wanted;
        TRY(space_number(&numbers, rule->when, when, &wanted));
        if (!wanted) continue;
        TRY(fill_launch(&numbers, rule, &image->launches[image->launch_count++]));
    }
    if (image->launch_count) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "%s: no launch is left for %s", space->variant,
                bound->problem->text);
}

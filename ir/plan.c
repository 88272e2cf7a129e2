/* Plans as data: the sizes they imply, and what every plan must fulfil before it may run. */
#include "ir/plan.h"

#include "ir/graph_edit.h"
#include "ir/plan_check.h"
#include "ir/problem_text.h"

#include <inttypes.h>

enum { PLAN_STEPS_MAX = 1 << 20, PLAN_IMAGES_MAX = 1 << 20 };
/* Sequences and tokens per page; with the context's bound no product of bounds overflows. */
#define PLAN_COUNT_MAX ((int64_t)1 << 20)

void plan_symbols(const struct plan_bounds *bounds, int64_t symbols[SYMBOL_COUNT])
{
    for (int s = 0; s < SYMBOL_COUNT; s++) symbols[s] = 0;
    symbols[SYMBOL_TOKENS] = bounds->tokens;
    symbols[SYMBOL_OUTPUTS] = bounds->outputs;
    symbols[SYMBOL_SEQUENCES] = bounds->sequences;
    symbols[SYMBOL_PAGES] = bounds->pages;
    symbols[SYMBOL_STRIDE] = (bounds->context + bounds->page_tokens - 1) / bounds->page_tokens;
}

/* They come from one `top`, one row for each of the logits': what reads them relies on their shapes. */
int64_t plan_top_count(const struct plan *plan)
{
    const struct graph *graph = plan->graph;
    if (graph->output_count != PLAN_OUTPUTS) return 0;
    const struct value *ids = &graph->values[graph->outputs[PLAN_TOP_IDS]];
    const struct node *node = &graph->nodes[ids->producer];
    if (!node_is(node, "top") || node->inputs[0] != graph->outputs[PLAN_LOGITS]) return 0;
    for (int o = 0; o < 3; o++)
        if (node->outputs[o] != graph->outputs[PLAN_TOP_IDS + o]) return 0;
    return ids->type.shape[1].scale;
}

static status verify_bound(const char *name, int64_t value, int64_t most,
                           struct diagnostic *diagnostic)
{
    if (value >= 1 && value <= most) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "plan: %" PRId64 " %s; it must be 1 to %" PRId64,
                value, name, most);
}

static status verify_bounds(const struct plan_bounds *bounds, struct diagnostic *diagnostic)
{
    TRY(verify_bound("tokens per step", bounds->tokens, PROBLEM_ROWS_MAX, diagnostic));
    TRY(verify_bound("outputs per step", bounds->outputs, PROBLEM_ROWS_MAX, diagnostic));
    TRY(verify_bound("sequences", bounds->sequences, PLAN_COUNT_MAX, diagnostic));
    TRY(verify_bound("tokens of context", bounds->context, PROBLEM_CONTEXT_MAX, diagnostic));
    TRY(verify_bound("tokens per page", bounds->page_tokens, PLAN_COUNT_MAX, diagnostic));
    int64_t stride = (bounds->context - 1) / bounds->page_tokens + 1;
    if (bounds->pages == stride * bounds->sequences) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "plan: %" PRId64 " pages; %" PRId64 " sequences of %" PRId64 " pages were expected",
                bounds->pages, bounds->sequences, stride);
}

static status verify_counts(const struct plan *plan, struct diagnostic *diagnostic)
{
    if (plan->device_count < 1 || plan->device_count > GRAPH_DEVICES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "plan: %d devices; there may be 1 to %d",
                    plan->device_count, GRAPH_DEVICES_MAX);
    if (plan->step_count < 0 || plan->step_count > PLAN_STEPS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "plan: %d steps; there may be up to %d",
                    plan->step_count, PLAN_STEPS_MAX);
    if (plan->image_count < 0 || plan->image_count > PLAN_IMAGES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "plan: %d images; there may be up to %d",
                    plan->image_count, PLAN_IMAGES_MAX);
    if (plan->event_count < 0 || plan->event_count > plan->step_count)
        return fail(diagnostic, STATUS_BAD_INPUT, "plan: %d events for %d steps", plan->event_count,
                    plan->step_count);
    return STATUS_OK;
}

static status verify_devices(const struct plan *plan, struct diagnostic *diagnostic)
{
    for (int d = 0; d < plan->device_count; d++) {
        const struct plan_device *device = &plan->devices[d];
        if (!device->specification || !device->class_name ||
            (unsigned)device->target >= TARGET_COUNT)
            return fail(diagnostic, STATUS_BAD_INPUT, "plan: device %d is not described", d);
        if (device->arena_bytes < plan->memory.device_bytes[d] || plan->memory.device_bytes[d] < 0)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "plan: device %d has %" PRId64 " bytes for values that take %" PRId64, d,
                        device->arena_bytes, plan->memory.device_bytes[d]);
    }
    for (int v = 0; v < plan->graph->value_count; v++)
        if (plan->graph->values[v].device >= plan->device_count)
            return fail(diagnostic, STATUS_BAD_INPUT, "plan: %s is on device %d of %d",
                        plan->graph->values[v].name, plan->graph->values[v].device,
                        plan->device_count);
    for (int n = 0; n < plan->graph->node_count; n++)
        if (plan->graph->nodes[n].device >= plan->device_count)
            return fail(diagnostic, STATUS_BAD_INPUT, "plan: node %d is on device %d of %d", n,
                        plan->graph->nodes[n].device, plan->device_count);
    return STATUS_OK;
}

static int problem_operands(const struct problem *problem)
{
    return problem->input_count + problem->output_count;
}

static bool launch_is_sound(const struct plan_image *row, const struct launch *launch)
{
    const struct geometry *geometry = &launch->geometry;
    int operands = problem_operands(row->problem);
    if (launch->offset < -1 || launch->offset >= (row->image.code ? row->image.code_bytes : 0))
        return false;
    if (geometry->rows_per_item < 0 || geometry->items_per_row_group < 0 || geometry->unit < 1)
        return false;
    if (launch->argument_count < 0 || launch->argument_count > LAUNCH_ARGUMENTS_MAX) return false;
    for (int a = 0; a < launch->argument_count; a++) {
        if (!argument_is_sound(&row->image, &launch->arguments[a], operands)) return false;
    }
    return launch->kind != LAUNCH_MATMUL || launch_matmul_is_sound(launch);
}

static bool image_is_sound(const struct plan_image *row)
{
    const struct image *image = &row->image;
    if (!row->problem || !row->candidate || image->code_bytes < 0) return false;
    if (image->launch_count < 1 || image->launch_count > IMAGE_LAUNCHES_MAX) return false;
    if (image->workspace_count < 0 || image->workspace_count > IMAGE_WORKSPACES_MAX) return false;
    for (int w = 0; w < image->workspace_count; w++)
        if (image->workspaces[w].per_row_bytes < 0 || image->workspaces[w].fixed_bytes < 0)
            return false;
    if (image->tensor_count < 0 || image->tensor_count > IMAGE_TENSORS_MAX) return false;
    for (int t = 0; t < image->tensor_count; t++)
        if (tensor_fault(&image->tensors[t]) ||
            !argument_is_sound(image, &image->tensors[t].of, problem_operands(row->problem)))
            return false;
    for (int l = 0; l < image->launch_count; l++)
        if (!launch_is_sound(row, &image->launches[l])) return false;
    return true;
}

static bool spare_is_sound(const struct plan *plan, const struct plan_image *row)
{
    if (!row->spare) return true;
    if (row->stands_for < 0 || row->stands_for >= plan->image_count) return false;
    const struct plan_image *other = &plan->images[row->stands_for];
    return !other->spare && other->problem && hash_equal(other->problem->key, row->problem->key) &&
           other->image.target == row->image.target;
}

static status verify_images(const struct plan *plan, struct diagnostic *diagnostic)
{
    for (int i = 0; i < plan->image_count; i++)
        if (!image_is_sound(&plan->images[i]))
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "plan: image %d has a launch outside its code or operands", i);
    for (int i = 0; i < plan->image_count; i++)
        if (!spare_is_sound(plan, &plan->images[i]))
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "plan: image %d stands for an image of another problem", i);
    return STATUS_OK;
}

static status verify_choice(const struct plan *plan, int n, int r, int c,
                            struct diagnostic *diagnostic)
{
    const struct node *node = &plan->graph->nodes[n];
    int choice = plan->choices[n][r][c];
    if (choice < 0 || choice >= plan->image_count)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "plan: node %d (%s) has no image for up to %" PRId64 " rows", n, node->op->name,
                    bucket_rows(r));
    const struct plan_image *image = &plan->images[choice];
    bool known = c > 0 && choice == plan->choices[n][r][c - 1];
    if (!known && !problem_is_of(image->problem, plan->graph, node))
        return fail(diagnostic, STATUS_BAD_INPUT, "plan: node %d (%s) has the image of %s", n,
                    node->op->name, image->problem->text);
    if (image->image.target != plan->devices[node->device].target)
        return fail(diagnostic, STATUS_BAD_INPUT, "plan: node %d (%s) has an image for %s", n,
                    node->op->name, target_name(image->image.target));
    if (image->problem->rows < bucket_rows(r) ||
        (image->problem->context && image->problem->context < bucket_context(c)))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "plan: node %d (%s) has an image for fewer rows or less context", n,
                    node->op->name);
    return STATUS_OK;
}

/* The most rows that a node works on in one step, counted as problems count them: by the leading
 * symbol of its first operand. */
static status most_rows(const struct plan *plan, int n, int64_t *rows,
                        struct diagnostic *diagnostic)
{
    const struct node *node = &plan->graph->nodes[n];
    int64_t symbols[SYMBOL_COUNT];
    enum symbol leading = SYMBOL_NONE;
    plan_symbols(&plan->bounds, symbols);
    if (node->inputs[0] != VALUE_NONE)
        leading = plan->graph->values[node->inputs[0]].type.shape[0].symbol;
    *rows = symbols[leading];
    if (leading == SYMBOL_NONE)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "plan: node %d (%s) works on nothing that a step brings", n, node->op->name);
    if (*rows <= bucket_rows(BUCKET_ROW_COUNT - 1)) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "plan: node %d (%s) works on up to %" PRId64 " rows; buckets end at %" PRId64, n,
                node->op->name, *rows, bucket_rows(BUCKET_ROW_COUNT - 1));
}

/* An image for every bucket that a step within the bounds can reach. */
static status verify_choices(const struct plan *plan, struct diagnostic *diagnostic)
{
    int contexts = bucket_of_context(plan->bounds.context);
    for (int n = 0; n < plan->graph->node_count; n++) {
        int64_t rows;
        if (!node_is_launched(&plan->graph->nodes[n])) continue;
        TRY(most_rows(plan, n, &rows, diagnostic));
        for (int r = 0; r <= bucket_of_rows(rows); r++)
            for (int c = 0; c <= contexts; c++) TRY(verify_choice(plan, n, r, c, diagnostic));
    }
    return STATUS_OK;
}

static status verify_parts(const struct plan *plan, struct arena *scratch,
                           struct diagnostic *diagnostic)
{
    int64_t symbols[SYMBOL_COUNT];
    TRY(verify_bounds(&plan->bounds, diagnostic));
    TRY(verify_counts(plan, diagnostic));
    TRY(graph_verify(plan->graph, diagnostic));
    TRY(verify_devices(plan, diagnostic));
    TRY(verify_images(plan, diagnostic));
    TRY(verify_choices(plan, diagnostic));
    plan_symbols(&plan->bounds, symbols);
    TRY(memory_layout_verify(plan->graph, symbols, &plan->memory, plan->device_count, scratch,
                             diagnostic));
    return plan_verify_order(plan, scratch, diagnostic);
}

status plan_verify(const struct plan *plan, struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = verify_parts(plan, scratch, diagnostic);
    arena_destroy(scratch);
    return code;
}

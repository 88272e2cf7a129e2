/* Runs a graph with its operators' references, so that tests can compare what graphs compute before
 * and after a pass.
 *
 * Weights are filled by the name of their source, states with zeros, so that a value means the same
 * in both graphs. */
#ifndef TESTS_UNIT_GRAPH_RUN_H
#define TESTS_UNIT_GRAPH_RUN_H

#include "base/hash.h"
#include "base/random.h"
#include "ir/graph_edit.h"
#include "ir/problem.h"
#include "tests/check.h"

#include <math.h>

enum { RUN_TOKENS = 5, RUN_OUTPUTS = 2, RUN_PAGES = 3 };

static const struct run graph_run_sizes = {
    .symbols = {[SYMBOL_TOKENS] = RUN_TOKENS,
                [SYMBOL_OUTPUTS] = RUN_OUTPUTS,
                [SYMBOL_SEQUENCES] = 1,
                [SYMBOL_PAGES] = RUN_PAGES,
                [SYMBOL_STRIDE] = RUN_PAGES},
    .context = RUN_TOKENS,
};

/* Small token numbers, positions 0, 1, ..., one sequence whose pages come in reverse, the last
 * tokens' outputs. */
static void graph_run_fill_input(const struct value *value, int32_t *numbers)
{
    int64_t count = tensor_elements(&value->type, graph_run_sizes.symbols);
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = 0;
        if (!strcmp(value->name, "tokens")) numbers[i] = (int32_t)(i * 7 % 11);
        if (!strcmp(value->name, "positions")) numbers[i] = (int32_t)i;
        if (!strcmp(value->name, "pages")) numbers[i] = (int32_t)(count - 1 - i);
        if (!strcmp(value->name, "outputs")) numbers[i] = (int32_t)(RUN_TOKENS - count + i);
    }
}

static void graph_run_fill_real(const char *name, const struct tensor_type *type, void *bytes)
{
    uint64_t seed = hash_text(name).low;
    int64_t columns = tensor_columns(type), rows = tensor_rows(type, graph_run_sizes.symbols);
    float *row = calloc((size_t)columns, sizeof *row);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++)
            row[c] = (float)(random_normal(seed, (uint64_t)r, (uint64_t)c) / sqrt((double)columns));
        element_encode_row(type->element, row, columns,
                           (char *)bytes + r * element_row_bytes(type->element, columns));
    }
    free(row);
}

/* The contents of every value, by number. */
static void **graph_run_allocate(const struct graph *graph, struct arena *arena)
{
    void **contents = arena_allocate(arena, (size_t)graph->value_count, sizeof *contents);
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        int64_t bytes = tensor_bytes(&value->type, graph_run_sizes.symbols);
        contents[v] = arena_allocate(arena, (size_t)bytes, 1);
        if (value->kind == VALUE_WEIGHT)
            graph_run_fill_real(value->source, &value->type, contents[v]);
        if (value->kind == VALUE_INPUT && value->type.element == ELEMENT_I32)
            graph_run_fill_input(value, contents[v]);
        if (value->kind == VALUE_INPUT && value->type.element == ELEMENT_F32)
            graph_run_fill_real(value->name, &value->type, contents[v]);
    }
    return contents;
}

static void graph_run_node(const struct graph *graph, const struct node *node, void **contents,
                           struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    struct run run = graph_run_sizes;
    void *operands[OP_OPERANDS_MAX] = {0};
    const struct tensor_type *first = &graph->values[node->inputs[0]].type;
    run.symbols[SYMBOL_ROWS] = dimension_value(first->shape[0], run.symbols);
    CHECK_OK(problem_create(graph, node, run.symbols[SYMBOL_ROWS], run.context, arena, &problem,
                            &diagnostic));
    for (int i = 0; i < problem->input_count; i++)
        if (node->inputs[i] != VALUE_NONE) operands[i] = contents[node->inputs[i]];
    for (int o = 0; o < problem->output_count; o++)
        if (node->outputs[o] != VALUE_NONE)
            operands[problem->input_count + o] = contents[node->outputs[o]];
    int64_t items = run.symbols[SYMBOL_ROWS];
    if (node->op->reference_items) items = node->op->reference_items(problem, &run);
    node->op->reference(problem, &run, operands, 0, items);
}

static inline void **graph_run(const struct graph *graph, struct arena *arena)
{
    void **contents = graph_run_allocate(graph, arena);
    for (int n = 0; n < graph->node_count; n++)
        graph_run_node(graph, &graph->nodes[n], contents, arena);
    return contents;
}

/* Largest difference of two equally typed values, over the largest magnitude of the first. */
static inline double graph_run_distance(const struct tensor_type *type, const void *a,
                                        const void *b)
{
    int64_t columns = tensor_columns(type), rows = tensor_rows(type, graph_run_sizes.symbols);
    float *x = calloc((size_t)columns, sizeof *x), *y = calloc((size_t)columns, sizeof *y);
    double largest = 1e-30, difference = 0;
    for (int64_t r = 0; r < rows; r++) {
        int64_t offset = r * element_row_bytes(type->element, columns);
        element_decode_row(type->element, (const char *)a + offset, columns, x);
        element_decode_row(type->element, (const char *)b + offset, columns, y);
        for (int64_t c = 0; c < columns; c++) {
            largest = fmax(largest, fabs((double)x[c]));
            difference = fmax(difference, fabs((double)x[c] - y[c]));
            if (isnan(x[c]) != isnan(y[c])) difference = INFINITY;
        }
    }
    free(x), free(y);
    return difference / largest;
}

/* Outputs by position, and states by name, are alike within `bound`. */
static inline void graph_run_check_alike(const struct graph *a, const struct graph *b, double bound)
{
    struct arena *arena = arena_create(0);
    void **x = graph_run(a, arena), **y = graph_run(b, arena);
    assert_int_equal(a->output_count, b->output_count);
    for (int o = 0; o < a->output_count; o++) {
        const struct value *value = &a->values[a->outputs[o]];
        assert_true(tensor_type_equal(&value->type, &b->values[b->outputs[o]].type));
        double distance = graph_run_distance(&value->type, x[a->outputs[o]], y[b->outputs[o]]);
        if (!(distance <= bound)) CHECK_FAIL("output %s differs by %g", value->name, distance);
    }
    for (int v = 0; v < a->value_count; v++) {
        const struct value *value = &a->values[v];
        int other = graph_find_value(b, value->name);
        if (value->kind != VALUE_STATE) continue;
        if (other == VALUE_NONE) CHECK_FAIL("state %s is gone", value->name);
        double distance = graph_run_distance(&value->type, x[v], y[other]);
        if (!(distance <= bound)) CHECK_FAIL("state %s differs by %g", value->name, distance);
    }
    arena_destroy(arena);
}

#endif

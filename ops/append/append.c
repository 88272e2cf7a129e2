/* append: state[pages[sequences[r]][positions[r] / page]][positions[r] % page] = x[r], in the
 * state's element type. */
#include "ops/append/append.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer_paged.h"

static const struct input_rule inputs[] = {
    {.name = "x"},
    {.name = "positions"},
    {.name = "sequences"},
    {.name = "pages"},
    {.name = "state", .written = true},
    {0},
};
static const char *const outputs[] = {NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_append, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, APPEND_X));
    TRY(infer_batch(&inference, APPEND_POSITIONS, APPEND_X));
    TRY(infer_state(&inference, APPEND_STATE));
    return infer_equal(&inference, APPEND_STATE, 2, APPEND_X, 1);
}

/* Each row is read, converted and written. */
static struct cost cost(const struct problem *problem)
{
    const struct tensor_type *state = operand_type(problem, APPEND_STATE);
    double width = (double)state->shape[2].scale;
    double rows = (double)problem_dimension(problem, APPEND_X, 0);
    double row_bytes = width * (double)sizeof(float) +
                       (double)element_row_bytes(state->element, state->shape[2].scale) +
                       3.0 * (double)sizeof(int32_t);
    return (struct cost){.operations = rows * width, .bytes = rows * row_bytes};
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    struct ragged_batch batch = ragged_batch_of(problem, run, APPEND_PAGES, APPEND_STATE, seed);
    return fill_batch(&batch, operand - APPEND_POSITIONS, bytes);
}

const struct op op_append = {
    .name = "append",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = append_reference,
    .fill = fill,
};

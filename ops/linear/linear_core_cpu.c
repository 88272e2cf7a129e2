/* The shape of linear work, and how sums become outputs. */
#include "ops/linear/linear_core_cpu.h"

#include "codegen/cpu/llvm_math.h"

#include <string.h>

/* ---- The problem ---- */

static struct linear_matrix matrix_of(const struct problem *problem, int weight, int bias,
                                      int output)
{
    bool has_bias = bias >= 0 && problem->operands[bias].present;
    return (struct linear_matrix){weight, has_bias ? bias : LINEAR_ABSENT,
                                  problem->input_count + output,
                                  problem_dimension(problem, weight, 0)};
}

/* Operand numbers are those of the operators' descriptors: ops/linear*, in the order of
 * operators.def. */
static bool read_matrices(const struct problem *problem, struct linear_work *work)
{
    const char *name = problem->op->name;
    work->residual = LINEAR_ABSENT;
    if (strcmp(name, "linear") == 0) {
        work->matrix_count = 1;
        work->matrices[0] = matrix_of(problem, 1, 2, 0);
        if (problem->operands[3].present) work->residual = 3;
    } else if (strcmp(name, "linear_group") == 0) {
        work->matrix_count = problem->operands[3].present ? 3 : 2;
        for (int i = 0; i < work->matrix_count; i++)
            work->matrices[i] = matrix_of(problem, 1 + i, 4 + i, i);
    } else if (strcmp(name, "linear_gated") == 0) {
        work->matrix_count = 2;
        work->gated = true;
        for (int i = 0; i < 2; i++) work->matrices[i] = matrix_of(problem, 1 + i, LINEAR_ABSENT, 0);
    } else {
        return false;
    }
    return true;
}

static status check_weights(const struct problem *problem, struct linear_work *work,
                            struct diagnostic *diagnostic)
{
    for (int i = 0; i < work->matrix_count; i++) {
        const struct tensor_type *type = &problem->operands[work->matrices[i].weight].type;
        if (i == 0) work->element = type->element;
        if (type->element != work->element || type->layout != LAYOUT_ROWS)
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "this variant takes weights of one element type stored row by row: %s",
                        problem->text);
    }
    work->form = unpack_form_of(work->element);
    if (work->element != ELEMENT_I8 && work->element != ELEMENT_I32) return STATUS_OK;
    return fail(diagnostic, STATUS_UNSUPPORTED, "this variant does not read %s weights: %s",
                element_of(work->element)->name, problem->text);
}

status linear_work_read(const struct problem *problem, struct linear_work *work,
                        struct diagnostic *diagnostic)
{
    *work = (struct linear_work){0};
    if (!read_matrices(problem, work))
        return fail(diagnostic, STATUS_UNSUPPORTED, "operator %s is no linear map",
                    problem->op->name);
    TRY(linear_work_finish(problem, work, diagnostic));
    if (work->x_rows == 1) return STATUS_OK;
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "this variant takes one row of activations per row of the step: %s", problem->text);
}

status linear_work_finish(const struct problem *problem, struct linear_work *work,
                          struct diagnostic *diagnostic)
{
    struct dimension rows = problem->operands[0].type.shape[0];
    TRY(check_weights(problem, work, diagnostic));
    work->x_rows = rows.symbol == SYMBOL_NONE ? 1 : rows.scale;
    work->columns = problem_dimension(problem, 0, 1);
    work->row_bytes = element_row_bytes(work->element, work->columns);
    int row = work->gated ? attribute_by_name(problem->op, "activation") : -1;
    if (row >= 0) work->activation = (int)problem->attributes[row].integer;
    return STATUS_OK;
}

/* ---- Operands inside a kernel ---- */

void linear_add_arguments(const struct linear_work *work, struct launch *launch, int workspace)
{
    if (workspace == LINEAR_ABSENT)
        launch_add(launch, ARGUMENT_OPERAND, 0);
    else
        launch_add(launch, ARGUMENT_WORKSPACE, workspace);
    for (int i = 0; i < work->matrix_count; i++) {
        launch_add(launch, ARGUMENT_OPERAND, work->matrices[i].weight);
        if (work->matrices[i].bias != LINEAR_ABSENT)
            launch_add(launch, ARGUMENT_OPERAND, work->matrices[i].bias);
        if (!work->gated || i == 0) launch_add(launch, ARGUMENT_OPERAND, work->matrices[i].output);
    }
    if (work->residual != LINEAR_ABSENT) launch_add(launch, ARGUMENT_OPERAND, work->residual);
}

/* In the order of linear_add_arguments. */
struct linear_pointers linear_load_pointers(struct emitter *e, const struct linear_work *work,
                                            const struct kernel_arguments *kernel)
{
    struct linear_pointers pointers = {0};
    int argument = 0;
    pointers.x = kernel_pointer(e, kernel, argument++);
    for (int i = 0; i < work->matrix_count; i++) {
        pointers.weights[i] = kernel_pointer(e, kernel, argument++);
        if (work->matrices[i].bias != LINEAR_ABSENT)
            pointers.biases[i] = kernel_pointer(e, kernel, argument++);
        if (!work->gated || i == 0) pointers.outputs[i] = kernel_pointer(e, kernel, argument++);
    }
    if (work->residual != LINEAR_ABSENT) pointers.residual = kernel_pointer(e, kernel, argument);
    return pointers;
}

/* ---- Outputs ---- */

static value load_place(struct emitter *e, const struct linear_place *place, value pointer)
{
    LLVMTypeRef type = vector_of(e->f32, place->lanes);
    if (place->mask) return masked_load(e, type, pointer, place->mask, 4);
    return load(e, type, pointer, 4);
}

static value activate(struct emitter *e, int activation, value x)
{
    /* The choices of the attribute, in the order of ops/activation.h. */
    switch (activation) {
    case 0: return math_silu(e, x);
    case 1: return math_gelu_tanh(e, x);
    default: return math_gelu(e, x);
    }
}

void linear_finish(struct emitter *e, const struct linear_work *work,
                   const struct linear_pointers *pointers, int matrix,
                   const struct linear_place *place, const value *sums)
{
    value outputs = constant_i64(e, work->matrices[matrix].outputs), four = constant_i64(e, 4);
    value offset = mul(e, add(e, mul(e, place->row, outputs), place->output), four);
    value sum = work->gated ? mulf(e, activate(e, work->activation, sums[0]), sums[1]) : sums[0];
    if (pointers->biases[matrix]) {
        value bias = address(e, pointers->biases[matrix], mul(e, place->output, four));
        sum = addf(e, sum, load_place(e, place, bias));
    }
    if (pointers->residual)
        sum = addf(e, sum, load_place(e, place, address(e, pointers->residual, offset)));
    value y = address(e, pointers->outputs[matrix], offset);
    if (place->mask)
        masked_store(e, sum, y, place->mask, 4);
    else
        store(e, sum, y, 4);
}

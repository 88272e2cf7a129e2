/* transfer: y = x.  Plans turn it into a copy between devices; as an operator it copies. */
#include "ops/transfer/transfer.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "x"}, {0}};
static const char *const outputs[] = {"y", NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_transfer, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    results[0] = *types[TRANSFER_X];
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return (struct cost){.bytes = cost_operand_bytes(problem)};
}

/* One piece, whatever the layout: a copy is a copy. */
static int64_t items(const struct problem *problem, const struct run *run)
{
    (void)problem;
    (void)run;
    return 1;
}

const struct op op_transfer = {
    .name = "transfer",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = items,
    .reference = transfer_reference,
};

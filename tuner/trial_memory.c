/* Copies of workloads on a device, and the tables of operands. */
#include "tuner/trial_memory.h"

#include "base/memory.h"

static bool is_apart(const struct trial *trial)
{
    return trial->runner && trial->runner->allocate;
}

/* From an address in a workload's host memory to that of the copy. */
static void *translate(const struct trial *trial, void *address)
{
    if (!address || !is_apart(trial)) return address;
    for (int part = 0; part < TRIAL_FRESH; part++) {
        const struct workload *workload = &trial->workloads[part];
        const unsigned char *at = address;
        if (workload->memory && at >= workload->memory &&
            at < workload->memory + workload->memory_bytes)
            return (unsigned char *)trial->parts[part].memory + (at - workload->memory);
    }
    return NULL;
}

static status copy_part(struct trial *trial, int part, struct diagnostic *diagnostic)
{
    const struct workload *workload = &trial->workloads[part];
    const struct runner *runner = trial->runner;
    void **memory = &trial->parts[part].memory;
    TRY(runner->allocate(trial->context, workload->memory_bytes, memory, diagnostic));
    return runner->store(trial->context, *memory, workload->memory, workload->memory_bytes,
                         diagnostic);
}

static status list_operands(struct trial *trial, int part, struct diagnostic *diagnostic)
{
    struct trial_part *own = &trial->parts[part];
    const struct workload *workload = &trial->workloads[part];
    void *table;
    TRY(memory_map((size_t)workload->set_count * sizeof *own->operands, &table, diagnostic));
    own->operands = table;
    own->operand_sets = workload->set_count;
    for (int n = 0; n < workload->set_count; n++) {
        workload_addresses(workload, n, own->operands[n]);
        for (int i = 0; i < OP_OPERANDS_MAX; i++)
            own->operands[n][i] = translate(trial, own->operands[n][i]);
    }
    return STATUS_OK;
}

/* The fresh numbers are never where kernels see them but in the first workload's places. */
status trial_memory_create(struct trial *trial, struct diagnostic *diagnostic)
{
    for (int part = 0; part < TRIAL_FRESH && is_apart(trial); part++)
        TRY(copy_part(trial, part, diagnostic));
    for (int part = 0; part < TRIAL_FRESH; part++) TRY(list_operands(trial, part, diagnostic));
    return STATUS_OK;
}

void trial_memory_destroy(struct trial *trial)
{
    for (int part = 0; part < TRIAL_COUNT; part++) {
        struct trial_part *own = &trial->parts[part];
        if (own->memory)
            trial->runner->release(trial->context, own->memory,
                                   trial->workloads[part].memory_bytes);
        memory_unmap(own->operands, (size_t)own->operand_sets * sizeof *own->operands);
    }
}

static status send_operand(const struct trial *trial, int part, int operand,
                           struct diagnostic *diagnostic)
{
    const struct workload *workload = &trial->workloads[part];
    int64_t offset = workload->operands[operand].offset;
    return trial->runner->store(trial->context, (char *)trial->parts[part].memory + offset,
                                workload->memory + offset, workload->operands[operand].bytes,
                                diagnostic);
}

status trial_memory_send(const struct trial *trial, int part, struct diagnostic *diagnostic)
{
    const struct workload *workload = &trial->workloads[part];
    if (!is_apart(trial)) return STATUS_OK;
    for (int i = 0; i < workload->operand_count; i++)
        if (workload->operands[i].output || workload->operands[i].written)
            TRY(send_operand(trial, part, i, diagnostic));
    return STATUS_OK;
}

status trial_memory_send_inputs(const struct trial *trial, int part, struct diagnostic *diagnostic)
{
    const struct workload *workload = &trial->workloads[part];
    if (!is_apart(trial)) return STATUS_OK;
    for (int i = 0; i < workload->problem->input_count; i++)
        if (workload->operands[i].present && workload->problem->operands[i].kind != VALUE_WEIGHT)
            TRY(send_operand(trial, part, i, diagnostic));
    return STATUS_OK;
}

static status fetch_range(const struct trial *trial, int part, int64_t begin, int64_t end,
                          struct diagnostic *diagnostic)
{
    return trial->runner->fetch(trial->context, trial->workloads[part].memory + begin,
                                (const char *)trial->parts[part].memory + begin, end - begin,
                                diagnostic);
}

status trial_memory_fetch_outputs(const struct trial *trial, int part,
                                  struct diagnostic *diagnostic)
{
    const struct workload *workload = &trial->workloads[part];
    if (!is_apart(trial)) return STATUS_OK;
    for (int i = 0; i < workload->operand_count; i++) {
        const struct workload_operand *operand = &workload->operands[i];
        if (operand->output && operand->present)
            TRY(fetch_range(trial, part, operand->offset, operand->offset + operand->bytes,
                            diagnostic));
    }
    return STATUS_OK;
}

status trial_memory_fetch(const struct trial *trial, int sets, struct diagnostic *diagnostic)
{
    for (int part = 0; part < TRIAL_FRESH && is_apart(trial); part++) {
        const struct workload *workload = &trial->workloads[part];
        int64_t end = workload->memory_bytes;
        TRY(fetch_range(trial, part, 0, workload_span(workload, sets), diagnostic));
        TRY(fetch_range(trial, part, end - WORKLOAD_EDGE_BYTES, end, diagnostic));
    }
    return STATUS_OK;
}

void *const *trial_memory_operands(const struct trial *trial, int part, int n)
{
    const struct trial_part *own = &trial->parts[part];
    return own->operands[n % own->operand_sets];
}

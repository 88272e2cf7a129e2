/* Laying out, poisoning and checking the operands of a run.
 *
 *     | band | output | band | output | band | input | band | ... | set 0 | set 1 | ...
 *
 * A set holds one copy of every cold operand, with bands between them. */
#include "tuner/workload.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>

enum {
    BAND_BYTES = 16384,               /* around outputs and hot inputs */
    EDGE_BYTES = WORKLOAD_EDGE_BYTES, /* before and after everything: strays by whole rows */
    COLD_BAND_BYTES = 256,            /* between cold copies, which kernels only read */
    ALIGNMENT_BYTES = 64,             /* what the runtime's arenas give */
    SETS_MAX = 512,                   /* small weights: enough to leave the first two caches */
    ROTATION_BYTES_MAX = 1 << 30,     /* of all sets together */
    BAND_BYTE = 0xa5,
    STREAM_CLASS = 3000, /* of random_bits: which row a row repeats */
    WEIGHT_ROWS_DISTINCT =
        512, /* a kernel that takes one row for another meets the same numbers once in 512 times */
    FENCE_BYTES = 256 << 20, /* of address space, on both sides: far strays fault */
};

bool problem_rows_alike(const struct problem *problem)
{
    if (problem->op->fill || problem->operands[0].type.shape[0].symbol != SYMBOL_ROWS) return false;
    for (int i = 0; i < problem->input_count + problem->output_count; i++) {
        const struct operand *operand = &problem->operands[i];
        if (!operand->present || operand->kind == VALUE_WEIGHT) continue;
        const struct dimension first = operand->type.shape[0];
        if (operand->kind == VALUE_STATE || operand->type.element == ELEMENT_I32 ||
            operand->type.rank < 2 || first.symbol != SYMBOL_ROWS || first.scale != 1)
            return false;
        for (int d = 1; d < operand->type.rank; d++)
            if (operand->type.shape[d].symbol != SYMBOL_NONE) return false;
    }
    return true;
}

int64_t workload_distinct(const struct workload *workload, int operand)
{
    const struct operand *own = &workload->problem->operands[operand];
    int64_t rows = workload_rows(workload, operand), most = rows;
    if (own->kind == VALUE_WEIGHT) most = WEIGHT_ROWS_DISTINCT;
    if (own->kind == VALUE_RESULT && workload->distinct_rows) most = workload->distinct_rows;
    return most < rows ? most : rows;
}

int64_t workload_row_class(const struct workload *workload, int64_t row, int64_t distinct)
{
    if (row < distinct) return row;
    return (int64_t)(random_bits(workload->seed, STREAM_CLASS, (uint64_t)row) % (uint64_t)distinct);
}

int64_t workload_columns(const struct workload *workload, int operand)
{
    const struct tensor_type *type = &workload->problem->operands[operand].type;
    if (type->rank == 0) return 1;
    return dimension_value(type->shape[type->rank - 1], workload->run.symbols);
}

int64_t workload_rows(const struct workload *workload, int operand)
{
    const struct tensor_type *type = &workload->problem->operands[operand].type;
    int64_t columns = workload_columns(workload, operand);
    return columns ? tensor_elements(type, workload->run.symbols) / columns : 0;
}

static void set_run(struct workload *workload, int64_t rows)
{
    const struct problem *problem = workload->problem;
    problem_symbols(problem, workload->run.symbols);
    workload->run.context = problem->context;
    if (rows <= 0 || rows >= problem->rows) return;
    workload->run.symbols[SYMBOL_ROWS] = rows;
    workload->run.symbols[SYMBOL_TOKENS] = rows;
    workload->run.symbols[SYMBOL_OUTPUTS] = rows;
}

static void describe_operands(struct workload *workload, const struct workload *weights)
{
    const struct problem *problem = workload->problem;
    workload->operand_count = problem->input_count + problem->output_count;
    for (int i = 0; i < workload->operand_count; i++) {
        const struct operand *operand = &problem->operands[i];
        struct workload_operand *own = &workload->operands[i];
        if (!operand->present) continue;
        own->present = true;
        own->output = i >= problem->input_count;
        own->written = !own->output && problem->op->inputs[i].written;
        own->cold = !own->output && operand->residency == RESIDENCY_COLD;
        own->bytes = tensor_bytes(&operand->type, workload->run.symbols);
        if (weights && operand->kind == VALUE_WEIGHT)
            own->borrowed = weights->memory + weights->operands[i].offset;
    }
}

static bool advance(int64_t *at, int64_t bytes)
{
    uint64_t end;
    if (!checked_add((uint64_t)*at, (uint64_t)bytes, &end) ||
        !checked_align(end, ALIGNMENT_BYTES, &end) || end > INT64_MAX / 2)
        return false;
    *at = (int64_t)end;
    return true;
}

/* Gives the operands of one kind their places from `at` on, a band after each. */
static bool place(struct workload *workload, bool cold, bool output, int64_t band, int64_t *at)
{
    for (int i = 0; i < workload->operand_count; i++) {
        struct workload_operand *operand = &workload->operands[i];
        if (!operand->present || operand->borrowed || operand->cold != cold ||
            operand->output != output)
            continue;
        operand->offset = *at;
        if (!advance(at, operand->bytes) || !advance(at, band)) return false;
    }
    return true;
}

/* How many copies of the cold operands it takes so that a walk over them never meets what a cache
 * has kept. */
static int count_sets(const struct workload *workload, int64_t cache_bytes)
{
    int64_t touched = (int64_t)problem_cost(workload->problem).bytes;
    if (touched > workload->set_bytes || touched < 1) touched = workload->set_bytes;
    if (!workload->set_bytes || cache_bytes <= 0) return 1;
    int64_t count = 2 * cache_bytes / touched + 1;
    int64_t most = ROTATION_BYTES_MAX / workload->set_bytes;
    if (count > most) count = most;
    if (count > SETS_MAX) count = SETS_MAX;
    return count < 1 ? 1 : (int)count;
}

static status lay_out(struct workload *workload, const struct workload_options *options,
                      struct diagnostic *diagnostic)
{
    int64_t at = EDGE_BYTES;
    bool fits = place(workload, false, true, BAND_BYTES, &at) &&
                place(workload, false, false, BAND_BYTES, &at);
    int64_t sets = at;
    fits = fits && place(workload, true, false, COLD_BAND_BYTES, &at);
    workload->set_bytes = at - sets;
    if (fits && options->memory_limit_bytes && at > options->memory_limit_bytes)
        return fail(diagnostic, STATUS_NO_MEMORY,
                    "measuring it needs %lld bytes of operands, %lld are allowed", (long long)at,
                    (long long)options->memory_limit_bytes);
    workload->set_count = count_sets(workload, options->cache_bytes);
    uint64_t rotation;
    fits = fits && checked_multiply((uint64_t)workload->set_bytes, (uint64_t)workload->set_count,
                                    &rotation);
    if (!fits || rotation > INT64_MAX / 4)
        return fail(diagnostic, STATUS_NO_MEMORY, "the operands are larger than any memory");
    workload->memory_bytes = sets + (int64_t)rotation + EDGE_BYTES;
    return STATUS_OK;
}

static status fill_inputs(struct workload *workload, int magnitude_block,
                          struct diagnostic *diagnostic)
{
    void *table;
    const size_t table_bytes = WORKLOAD_TABLE_COUNT * sizeof(float);
    TRY(memory_map(table_bytes, &table, diagnostic));
    workload_fill_table(workload->seed, table);
    status code = STATUS_OK;
    for (int i = 0; i < workload->operand_count && code == STATUS_OK; i++) {
        struct workload_operand *operand = &workload->operands[i];
        if (!operand->present || operand->output || operand->borrowed) continue;
        unsigned char *bytes = workload->memory + operand->offset;
        code = workload_fill(workload, i, magnitude_block, table, bytes, diagnostic);
        operand->content = hash_bytes(bytes, (size_t)operand->bytes);
    }
    memory_unmap(table, table_bytes);
    return code;
}

static status keep_written(struct workload *workload, struct diagnostic *diagnostic)
{
    for (int i = 0; i < workload->operand_count; i++)
        if (workload->operands[i].written) workload->written_bytes += workload->operands[i].bytes;
    if (!workload->written_bytes) return STATUS_OK;
    void *memory;
    TRY(memory_map((size_t)workload->written_bytes, &memory, diagnostic));
    workload->written = memory;
    unsigned char *to = workload->written;
    for (int i = 0; i < workload->operand_count; i++) {
        const struct workload_operand *operand = &workload->operands[i];
        if (!operand->written) continue;
        memcpy(to, workload->memory + operand->offset, (size_t)operand->bytes);
        to += operand->bytes;
    }
    return STATUS_OK;
}

/* The end of what lies before the cold copies. */
static int64_t sets_offset(const struct workload *workload)
{
    return workload->memory_bytes - EDGE_BYTES - workload->set_bytes * workload->set_count;
}

int64_t workload_span(const struct workload *workload, int sets)
{
    int count = sets < workload->set_count ? sets : workload->set_count;
    return sets_offset(workload) + workload->set_bytes * count;
}

static status fill_memory(struct workload *workload, int magnitude_block,
                          struct diagnostic *diagnostic)
{
    void *memory;
    TRY(memory_map_fenced((size_t)workload->memory_bytes, FENCE_BYTES, &memory, diagnostic));
    workload->memory = memory;
    int64_t sets = sets_offset(workload);
    memset(workload->memory, BAND_BYTE, (size_t)(sets + workload->set_bytes));
    memset(workload->memory + workload->memory_bytes - EDGE_BYTES, BAND_BYTE, EDGE_BYTES);
    TRY(fill_inputs(workload, magnitude_block, diagnostic));
    for (int s = 1; s < workload->set_count; s++)
        memcpy(workload->memory + sets + s * workload->set_bytes, workload->memory + sets,
               (size_t)workload->set_bytes);
    return keep_written(workload, diagnostic);
}

status workload_create(const struct problem *problem, const struct workload_options *options,
                       struct workload *workload, struct diagnostic *diagnostic)
{
    *workload = (struct workload){.problem = problem, .seed = options->seed};
    set_run(workload, options->rows);
    if (options->distinct_rows < workload->run.symbols[SYMBOL_ROWS] && problem_rows_alike(problem))
        workload->distinct_rows = options->distinct_rows;
    describe_operands(workload, options->weights);
    TRY(lay_out(workload, options, diagnostic));
    status code = fill_memory(workload, options->magnitude_block, diagnostic);
    if (code != STATUS_OK) workload_destroy(workload);
    return code;
}

void workload_destroy(struct workload *workload)
{
    memory_unmap_fenced(workload->memory, (size_t)workload->memory_bytes, FENCE_BYTES);
    memory_unmap(workload->written, (size_t)workload->written_bytes);
    *workload = (struct workload){0};
}

void workload_addresses(const struct workload *workload, int n, void *addresses[OP_OPERANDS_MAX])
{
    int64_t shift = n % workload->set_count * workload->set_bytes;
    for (int i = 0; i < OP_OPERANDS_MAX; i++) {
        const struct workload_operand *operand = &workload->operands[i];
        addresses[i] = NULL;
        if (operand->borrowed)
            addresses[i] = operand->borrowed;
        else if (operand->present)
            addresses[i] = workload->memory + operand->offset + (operand->cold ? shift : 0);
    }
}

void workload_poison(const struct workload *workload, unsigned char poison)
{
    const unsigned char *from = workload->written;
    for (int i = 0; i < workload->operand_count; i++) {
        const struct workload_operand *operand = &workload->operands[i];
        unsigned char *bytes = workload->memory + operand->offset;
        if (operand->output && operand->present) memset(bytes, poison, (size_t)operand->bytes);
        if (!operand->written) continue;
        memcpy(bytes, from, (size_t)operand->bytes);
        from += operand->bytes;
    }
}

static const char *operand_name(const struct problem *problem, int operand)
{
    if (operand < problem->input_count) return problem->op->inputs[operand].name;
    return problem->op->outputs[operand - problem->input_count];
}

/* The first byte of [begin, end) that is not a band's, or -1. */
static int64_t broken_band(const struct workload *workload, int64_t begin, int64_t end)
{
    const unsigned char *memory = workload->memory;
    /* Comparing a band with itself, shifted by one, runs as fast as memory is read. */
    if (begin >= end) return -1;
    if (memory[begin] == BAND_BYTE &&
        memcmp(memory + begin, memory + begin + 1, (size_t)(end - begin - 1)) == 0)
        return -1;
    while (memory[begin] == BAND_BYTE) begin++;
    return begin;
}

/* The band between two operands, either of which may be absent (-1).  What was written is nearer to
 * one of them. */
static bool band_intact(const struct workload *workload, int before, int after, int64_t begin,
                        int64_t end, char reason[static 128])
{
    int64_t broken = broken_band(workload, begin, end);
    if (broken < 0) return true;
    bool behind = before >= 0 && (after < 0 || broken - begin < end - broken);
    int culprit = behind ? before : after;
    snprintf(reason, 128, "it wrote %s %s, at %+lld bytes", behind ? "behind" : "before",
             culprit >= 0 ? operand_name(workload->problem, culprit) : "its operands",
             (long long)(behind ? broken - begin : broken - end));
    return false;
}

/* Operands in the order of their places: outputs, hot inputs, cold inputs. */
static int in_order(const struct workload *workload, int order[static OP_OPERANDS_MAX])
{
    int count = 0;
    for (int kind = 0; kind < 3; kind++)
        for (int i = 0; i < workload->operand_count; i++) {
            const struct workload_operand *operand = &workload->operands[i];
            int own = operand->output ? 0 : operand->cold ? 2 : 1;
            if (operand->present && !operand->borrowed && own == kind) order[count++] = i;
        }
    return count;
}

/* The bands from `begin` to `end` round those operands of `order` that are cold or not, `shift`
 * behind their places. */
static bool range_intact(const struct workload *workload, const int *order, int count, bool cold,
                         int64_t shift, int64_t begin, int64_t end, char reason[static 128])
{
    int before = -1;
    for (int n = 0; n < count; n++) {
        const struct workload_operand *operand = &workload->operands[order[n]];
        if (operand->cold != cold) continue;
        int64_t start = operand->offset + shift;
        if (!band_intact(workload, before, order[n], begin, start, reason)) return false;
        before = order[n];
        begin = start + operand->bytes;
    }
    return band_intact(workload, before, -1, begin, end, reason);
}

static bool bands_intact(const struct workload *workload, int sets, char reason[static 128])
{
    int order[OP_OPERANDS_MAX], count = in_order(workload, order);
    int64_t first_set = sets_offset(workload), end = workload->memory_bytes;
    if (!range_intact(workload, order, count, false, 0, 0, first_set, reason)) return false;
    for (int s = 0; s < sets && s < workload->set_count; s++) {
        int64_t shift = s * workload->set_bytes, begin = first_set + shift;
        if (!range_intact(workload, order, count, true, shift, begin, begin + workload->set_bytes,
                          reason))
            return false;
    }
    return band_intact(workload, -1, -1, end - EDGE_BYTES, end, reason);
}

static bool inputs_intact(const struct workload *workload, int sets, char reason[static 128])
{
    for (int i = 0; i < workload->operand_count; i++) {
        const struct workload_operand *operand = &workload->operands[i];
        if (!operand->present || operand->output || operand->written || operand->borrowed) continue;
        int copies = !operand->cold ? 1 : sets < workload->set_count ? sets : workload->set_count;
        for (int s = 0; s < copies; s++) {
            const unsigned char *bytes =
                workload->memory + operand->offset + s * workload->set_bytes * operand->cold;
            if (hash_equal(hash_bytes(bytes, (size_t)operand->bytes), operand->content)) continue;
            snprintf(reason, 128, "it changed its input %s", operand_name(workload->problem, i));
            return false;
        }
    }
    return true;
}

bool workload_intact(const struct workload *workload, int sets, char reason[static 128])
{
    return bands_intact(workload, sets, reason) && inputs_intact(workload, sets, reason);
}

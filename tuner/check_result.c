/* Expected results, the scale of their errors, and comparing a kernel's results with them. */
#include "tuner/check_result.h"

#include "base/memory.h"
#include "tuner/check_reference.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int64_t check_distinct_rows(const struct problem *problem, double operations)
{
    enum { LEAST = 16 }; /* fewer would hide kernels that mix rows up */
    double all = problem_cost(problem).operations;
    if (all <= operations || !problem_rows_alike(problem) || problem->rows <= LEAST) return 0;
    int64_t rows = (int64_t)((double)problem->rows * operations / all);
    return rows < LEAST ? LEAST : rows;
}

static bool is_whole(enum element_type element)
{
    return element == ELEMENT_I32 || element == ELEMENT_I8;
}

/* Only numbers can say that they were not computed, and states hold numbers before. */
static bool can_sample(const struct check *check)
{
    const struct workload *workload = check->workload;
    for (int o = 0; o < check->operand_count; o++) {
        int operand = check->operands[o].operand;
        if (workload->operands[operand].written ||
            workload->problem->operands[operand].type.element != ELEMENT_F32)
            return false;
    }
    return true;
}

static void list_operands(struct check *check)
{
    const struct workload *workload = check->workload;
    double elements = 0;
    for (int i = 0; i < workload->operand_count; i++) {
        const struct workload_operand *operand = &workload->operands[i];
        if (!operand->present || (!operand->output && !operand->written)) continue;
        struct check_operand *own = &check->operands[check->operand_count++];
        own->operand = i;
        own->rows = workload_rows(workload, i);
        own->columns = workload_columns(workload, i);
        own->bytes = operand->bytes;
        elements += (double)own->rows * (double)own->columns;
    }
    double share = (double)workload->run.symbols[SYMBOL_ROWS] / (double)workload->problem->rows;
    double operations = problem_cost(workload->problem).operations * share;
    check->terms = elements > 0 ? fmax(1, operations / (2 * elements)) : 1;
}

/* To cache lines. */
static int64_t round_up(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static int64_t number_bytes(const struct check_operand *operand)
{
    return round_up(operand->rows * operand->columns * (int64_t)sizeof(float));
}

/* Per operand: what is expected, as bytes and as numbers. */
static status allocate(struct check *check, struct diagnostic *diagnostic)
{
    int64_t total = 0, places[OP_OPERANDS_MAX];
    for (int o = 0; o < check->operand_count; o++) {
        const struct check_operand *operand = &check->operands[o];
        places[o] = total;
        total += round_up(operand->bytes) + number_bytes(operand);
        check->scales_bytes += number_bytes(operand);
    }
    TRY(memory_map((size_t)total, &check->memory, diagnostic));
    check->memory_bytes = total;
    for (int o = 0; o < check->operand_count; o++) {
        struct check_operand *operand = &check->operands[o];
        unsigned char *bytes = (unsigned char *)check->memory + places[o];
        operand->expected = bytes;
        enum element_type element =
            check->workload->problem->operands[operand->operand].type.element;
        if (!is_whole(element))
            operand->reference = (float *)(void *)(bytes + round_up(operand->bytes));
    }
    return STATUS_OK;
}

/* Rows of an operand as numbers. */
static void decode(const struct check *check, const struct check_operand *operand,
                   const unsigned char *bytes, float *values)
{
    const struct tensor_type *type = &check->workload->problem->operands[operand->operand].type;
    int64_t row_bytes = element_row_bytes(type->element, operand->columns);
    if (type->element == ELEMENT_F32) {
        memcpy(values, bytes, (size_t)(operand->rows * row_bytes));
        return;
    }
    for (int64_t r = 0; r < operand->rows; r++)
        element_decode_row(type->element, bytes + r * row_bytes, operand->columns,
                           values + r * operand->columns);
}

static status compute_expected(struct check *check, const struct check_options *options,
                               struct diagnostic *diagnostic)
{
    unsigned char *outputs[OP_OPERANDS_MAX];
    for (int o = 0; o < check->operand_count; o++) outputs[o] = check->operands[o].expected;
    const struct workload *workload = check->workload;
    bool repeats = workload->distinct_rows > 0, alike = true;
    if (!repeats) {
        double share = (double)workload->run.symbols[SYMBOL_ROWS] / (double)workload->problem->rows;
        double operations = problem_cost(workload->problem).operations * share;
        check->sampled = operations > options->operations && can_sample(check);
    }
    TRY(check_reference_run(check, workload, options, outputs, diagnostic));
    if (repeats) TRY(check_rows_alike(check, outputs, &alike, diagnostic));
    if (!alike)
        return fail(diagnostic, STATUS_FAILED,
                    "%s treats rows differently although its operands do not tell; give it a "
                    "filling of its own (op.fill)",
                    workload->problem->op->name);
    for (int o = 0; o < check->operand_count; o++)
        if (check->operands[o].reference)
            decode(check, &check->operands[o], outputs[o], check->operands[o].reference);
    return STATUS_OK;
}

status check_create(const struct workload *workload, const struct check_options *options,
                    struct check *check, struct diagnostic *diagnostic)
{
    *check = (struct check){.workload = workload};
    list_operands(check);
    TRY(allocate(check, diagnostic));
    status code = compute_expected(check, options, diagnostic);
    if (code != STATUS_OK) check_destroy(check);
    return code;
}

void check_destroy(struct check *check)
{
    for (int s = 0; s < check->scales_count; s++)
        memory_unmap(check->scales[s].memory, (size_t)check->scales_bytes);
    memory_unmap(check->memory, (size_t)check->memory_bytes);
    *check = (struct check){0};
}

/* A row's scales are at least the results themselves and their root mean square. */
static void raise_scales(const struct check_operand *operand, float *scales)
{
    for (int64_t r = 0; r < operand->rows; r++) {
        const float *reference = operand->reference + r * operand->columns;
        float *scale = scales + r * operand->columns;
        double squares = 0;
        int64_t known = 0;
        for (int64_t c = 0; c < operand->columns; c++) {
            if (!isfinite(reference[c])) continue;
            squares += (double)reference[c] * (double)reference[c];
            known++;
        }
        float mean = known ? (float)sqrt(squares / (double)known) : 0;
        for (int64_t c = 0; c < operand->columns; c++)
            scale[c] = fmaxf(fmaxf(fabsf(scale[c]), fabsf(reference[c])), mean);
    }
}

/* Runs the reference on magnitudes into memory of its own and decodes what it gives into the
 * scales. */
static status fill_scales(const struct check *check, const struct workload *magnitudes,
                          const struct check_options *options, struct check_scales *scales,
                          struct diagnostic *diagnostic)
{
    unsigned char *outputs[OP_OPERANDS_MAX];
    void *memory;
    int64_t total = 0;
    for (int o = 0; o < check->operand_count; o++) total += round_up(check->operands[o].bytes);
    TRY(memory_map((size_t)total, &memory, diagnostic));
    unsigned char *at = memory;
    for (int o = 0; o < check->operand_count; o++) {
        outputs[o] = at;
        at += round_up(check->operands[o].bytes);
    }
    status code = check_reference_run(check, magnitudes, options, outputs, diagnostic);
    for (int o = 0; code == STATUS_OK && o < check->operand_count; o++) {
        const struct check_operand *operand = &check->operands[o];
        if (!operand->reference) continue;
        decode(check, operand, outputs[o], scales->scale[o]);
        raise_scales(operand, scales->scale[o]);
    }
    memory_unmap(memory, (size_t)total);
    return code;
}

static const struct check_scales *find_scales(const struct check *check, int block)
{
    for (int s = 0; s < check->scales_count; s++)
        if (check->scales[s].block == block) return &check->scales[s];
    return NULL;
}

/* Room for one more. */
static status add_scales(struct check *check, int block, struct diagnostic *diagnostic)
{
    if (check->scales_count == CHECK_SCALES_MAX)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "the variants of one problem round in more than %d sizes of blocks",
                    CHECK_SCALES_MAX);
    struct check_scales *scales = &check->scales[check->scales_count];
    TRY(memory_map((size_t)check->scales_bytes, &scales->memory, diagnostic));
    scales->block = block;
    unsigned char *at = scales->memory;
    for (int o = 0; o < check->operand_count; o++) {
        scales->scale[o] = (float *)(void *)at;
        at += number_bytes(&check->operands[o]);
    }
    check->scales_count++;
    return STATUS_OK;
}

status check_prepare(struct check *check, const struct check_options *options, int block,
                     struct diagnostic *diagnostic)
{
    if (find_scales(check, block)) return STATUS_OK;
    const struct workload *workload = check->workload;
    const struct workload_options same = {.seed = workload->seed,
                                          .rows = workload->run.symbols[SYMBOL_ROWS],
                                          .distinct_rows = workload->distinct_rows,
                                          .magnitude_block = block,
                                          .weights = options->magnitudes};
    struct workload magnitudes;
    TRY(workload_create(workload->problem, &same, &magnitudes, diagnostic));
    status code = add_scales(check, block, diagnostic);
    if (code == STATUS_OK)
        code = fill_scales(check, &magnitudes, options, &check->scales[check->scales_count - 1],
                           diagnostic);
    workload_destroy(&magnitudes);
    return code;
}

/* What was found wrong in one operand. */
struct difference {
    int64_t count, first;
    float got, expected, bound;
};

static void note(struct difference *difference, int64_t at, float got, float expected, float bound)
{
    if (difference->count++) return;
    difference->first = at;
    difference->got = got;
    difference->expected = expected;
    difference->bound = bound;
}

static bool is_unknown(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == CHECK_UNKNOWN;
}

static void compare_row(const struct check_operand *operand, const float *scales,
                        struct error_bound bound, bool blocks, bool sampled, int64_t row,
                        const float *actual, struct difference *difference)
{
    int64_t first = row * operand->columns;
    const float *reference = operand->reference + first, *scale = scales + first;
    float largest = 0;
    for (int64_t c = 0; blocks && c < operand->columns; c++)
        largest = fmaxf(largest, fabsf(reference[c]));
    for (int64_t c = 0; c < operand->columns; c++) {
        float stored = blocks ? largest : fabsf(reference[c]);
        float limit = (float)bound.relative * scale[c] + (float)bound.stored * stored;
        if (fabsf(actual[c] - reference[c]) <= limit) continue;
        if (sampled && is_unknown(reference[c])) continue;
        if (memcmp(&actual[c], &reference[c], sizeof *actual) == 0) continue; /* infinities */
        note(difference, first + c, actual[c], reference[c], limit);
    }
}

static void compare_whole(const struct check_operand *operand, enum element_type element,
                          int64_t rows, const unsigned char *actual, struct difference *difference)
{
    int bytes = element_of(element)->block_bytes;
    for (int64_t i = 0; i < rows * operand->columns; i++) {
        if (memcmp(actual + i * bytes, operand->expected + i * bytes, (size_t)bytes) == 0) continue;
        int32_t got = 0, expected = 0;
        memcpy(&got, actual + i * bytes, (size_t)bytes);
        memcpy(&expected, operand->expected + i * bytes, (size_t)bytes);
        note(difference, i, (float)got, (float)expected, 0);
    }
}

static void compare_numbers(const struct check *check, const struct check_operand *operand,
                            const float *scales, struct error_bound bound, int64_t rows,
                            const unsigned char *actual, float *row, struct difference *difference)
{
    enum element_type element = check->workload->problem->operands[operand->operand].type.element;
    bool blocks = element_of(element)->block_elements > 1;
    int64_t row_bytes = element_row_bytes(element, operand->columns);
    for (int64_t r = 0; r < rows; r++) {
        element_decode_row(element, actual + r * row_bytes, operand->columns, row);
        compare_row(operand, scales, bound, blocks, check->sampled, r, row, difference);
    }
}

static const char *operand_name(const struct problem *problem, int operand)
{
    if (operand < problem->input_count) return problem->op->inputs[operand].name;
    return problem->op->outputs[operand - problem->input_count];
}

bool check_compare(const struct check *check, const struct numerics *numerics,
                   void *const *addresses, char reason[static 192])
{
    return check_compare_rows(check, numerics, check->workload->run.symbols[SYMBOL_ROWS], addresses,
                              reason);
}

bool check_compare_rows(const struct check *check, const struct numerics *numerics, int64_t rows,
                        void *const *addresses, char reason[static 192])
{
    const int64_t all_rows = check->workload->run.symbols[SYMBOL_ROWS];
    const struct problem *problem = check->workload->problem;
    int64_t columns = 1;
    for (int o = 0; o < check->operand_count; o++)
        if (check->operands[o].columns > columns) columns = check->operands[o].columns;
    struct arena *scratch = arena_create(0);
    float *row = scratch ? arena_allocate(scratch, (size_t)columns, sizeof *row) : NULL;
    const struct check_scales *scales = find_scales(check, numerics->operand_block);
    struct difference difference = {0};
    assert(scales);
    int o = 0;
    for (; row && o < check->operand_count && !difference.count; o++) {
        const struct check_operand *operand = &check->operands[o];
        enum element_type element = problem->operands[operand->operand].type.element;
        struct error_bound bound = error_bound_of(numerics, check->terms, element);
        int64_t own = rows == all_rows ? operand->rows : operand->rows / all_rows * rows;
        if (operand->reference)
            compare_numbers(check, operand, scales->scale[o], bound, own,
                            addresses[operand->operand], row, &difference);
        else
            compare_whole(operand, element, own, addresses[operand->operand], &difference);
    }
    if (difference.count) {
        const struct check_operand *operand = &check->operands[o - 1];
        snprintf(reason, 192,
                 "%s: %lld of %lld elements differ; [%lld,%lld] is %g, must be %g +- %.2g",
                 operand_name(problem, operand->operand), (long long)difference.count,
                 (long long)(operand->rows * operand->columns),
                 (long long)(difference.first / operand->columns),
                 (long long)(difference.first % operand->columns), (double)difference.got,
                 (double)difference.expected, (double)difference.bound);
    }
    if (!row) snprintf(reason, 192, "out of memory while comparing");
    arena_destroy(scratch);
    return row && !difference.count;
}

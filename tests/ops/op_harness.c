/* The operands, guard bands and comparisons of op_harness.h. */
#include "tests/ops/op_harness.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

enum {
    GUARD_BYTES = 4096, /* more than one kernel's tile */
    ALIGNMENT_BYTES = 64,
    GUARD_BYTE = 0xA5,
    POISON_BYTE = 0xFF /* a NaN in every float type, -1 in integers */
};

static int64_t pages_per_sequence(const struct problem *problem, int64_t context)
{
    for (int i = 0; i < problem->input_count; i++) {
        const struct operand *operand = &problem->operands[i];
        if (operand->present && operand->type.rank == 3 &&
            operand->type.shape[0].symbol == SYMBOL_PAGES)
            return (context + operand->type.shape[1].scale - 1) / operand->type.shape[1].scale;
    }
    return 1;
}

struct run op_step_run(const struct problem *problem, const struct op_step *step)
{
    struct run run = {.context = step->context};
    int64_t pages = pages_per_sequence(problem, step->context);
    run.symbols[SYMBOL_ROWS] = step->rows;
    run.symbols[SYMBOL_TOKENS] = step->rows + 3;
    run.symbols[SYMBOL_OUTPUTS] = step->rows + 1;
    run.symbols[SYMBOL_SEQUENCES] = step->sequences ? step->sequences : 1;
    run.symbols[SYMBOL_STRIDE] = pages + 2;
    run.symbols[SYMBOL_PAGES] = pages * run.symbols[SYMBOL_SEQUENCES] + 5;
    return run;
}

static status allocate_guarded(struct arena *arena, int64_t bytes, void **operand,
                               struct diagnostic *diagnostic)
{
    unsigned char *memory;
    int64_t beside = GUARD_BYTES + ALIGNMENT_BYTES + GUARD_BYTES;
    TRY_NEW(memory, arena, bytes + beside, diagnostic);
    memory += GUARD_BYTES;
    *operand = memory + (ALIGNMENT_BYTES - (uintptr_t)memory % ALIGNMENT_BYTES) % ALIGNMENT_BYTES;
    return STATUS_OK;
}

enum { CHUNK = 256 }; /* a multiple of every block */

static void fill_random(const struct op_trial *trial, int operand, void *bytes)
{
    const struct tensor_type *type = &trial->problem->operands[operand].type;
    int64_t rows = tensor_rows(type, trial->run.symbols);
    int64_t columns = dimension_value(type->shape[type->rank - 1], trial->run.symbols);
    int64_t row_bytes = element_row_bytes(type->element, columns);
    float values[CHUNK];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c += CHUNK) {
            int64_t count = columns - c < CHUNK ? columns - c : CHUNK;
            for (int64_t i = 0; i < count; i++)
                values[i] = (float)(2 * random_uniform(trial->seed, (uint64_t)operand,
                                                       (uint64_t)(r * columns + c + i)) -
                                    1);
            element_encode_row(type->element, values, count,
                               (unsigned char *)bytes + r * row_bytes +
                                   element_row_bytes(type->element, c));
        }
}

bool op_trial_written(const struct op_trial *trial, int i)
{
    return i >= trial->problem->input_count || trial->problem->op->inputs[i].written;
}

static void fill_input(const struct op_trial *trial, int i)
{
    const struct op *op = trial->problem->op;
    if (!op->fill || !op->fill(trial->problem, &trial->run, i, trial->seed, trial->originals[i]))
        fill_random(trial, i, trial->originals[i]);
}

static status allocate_operand(struct op_trial *trial, int i, struct arena *arena,
                               struct diagnostic *diagnostic)
{
    const struct operand *operand = &trial->problem->operands[i];
    if (!operand->present) return STATUS_OK;
    trial->bytes[i] = tensor_bytes(&operand->type, trial->run.symbols);
    TRY(allocate_guarded(arena, trial->bytes[i], &trial->operands[i], diagnostic));
    if (i < trial->problem->input_count) {
        TRY(allocate_guarded(arena, trial->bytes[i], &trial->originals[i], diagnostic));
        fill_input(trial, i);
    }
    if (op_trial_written(trial, i))
        TRY(allocate_guarded(arena, trial->bytes[i], &trial->expected[i], diagnostic));
    return STATUS_OK;
}

int64_t op_trial_items(const struct op_trial *trial)
{
    const struct op *op = trial->problem->op;
    return op->reference_items ? op->reference_items(trial->problem, &trial->run)
                               : trial->run.symbols[SYMBOL_ROWS];
}

status op_trial_create(const struct problem *problem, const struct op_step *step, uint64_t seed,
                       struct arena *arena, struct op_trial **trial, struct diagnostic *diagnostic)
{
    struct op_trial *made;
    TRY_NEW(made, arena, 1, diagnostic);
    made->problem = problem;
    made->run = op_step_run(problem, step);
    made->seed = seed;
    made->count = problem->input_count + problem->output_count;
    for (int i = 0; i < made->count; i++) TRY(allocate_operand(made, i, arena, diagnostic));
    op_trial_reset(made);
    problem->op->reference(problem, &made->run, made->operands, 0, op_trial_items(made));
    for (int i = 0; i < made->count; i++)
        if (made->bytes[i] && op_trial_written(made, i))
            memcpy(made->expected[i], made->operands[i], (size_t)made->bytes[i]);
    *trial = made;
    return STATUS_OK;
}

void op_trial_reset(struct op_trial *trial)
{
    for (int i = 0; i < trial->count; i++) {
        if (!trial->operands[i]) continue;
        unsigned char *operand = trial->operands[i];
        memset(operand - GUARD_BYTES, GUARD_BYTE, GUARD_BYTES);
        memset(operand + trial->bytes[i], GUARD_BYTE, GUARD_BYTES);
        if (trial->originals[i])
            memcpy(operand, trial->originals[i], (size_t)trial->bytes[i]);
        else
            memset(operand, POISON_BYTE, (size_t)trial->bytes[i]);
    }
}

static const char *operand_name(const struct op_trial *trial, int i)
{
    const struct op *op = trial->problem->op;
    return i < trial->problem->input_count ? op->inputs[i].name
                                           : op->outputs[i - trial->problem->input_count];
}

static status check_guards(const struct op_trial *trial, int i, struct diagnostic *diagnostic)
{
    const unsigned char *before = (const unsigned char *)trial->operands[i] - GUARD_BYTES;
    const unsigned char *after = (const unsigned char *)trial->operands[i] + trial->bytes[i];
    for (int b = 0; b < GUARD_BYTES; b++) {
        if (before[b] != GUARD_BYTE)
            return fail(diagnostic, STATUS_MISMATCH, "%s: written %d bytes before operand %s",
                        trial->problem->text, GUARD_BYTES - b, operand_name(trial, i));
        if (after[b] != GUARD_BYTE)
            return fail(diagnostic, STATUS_MISMATCH, "%s: written %d bytes behind operand %s",
                        trial->problem->text, b + 1, operand_name(trial, i));
    }
    return STATUS_OK;
}

status op_trial_values(const struct op_trial *trial, int operand, const void *bytes,
                       struct arena *arena, float **values, struct diagnostic *diagnostic)
{
    const struct tensor_type *type = &trial->problem->operands[operand].type;
    int64_t rows = tensor_rows(type, trial->run.symbols);
    int64_t columns = dimension_value(type->shape[type->rank - 1], trial->run.symbols);
    int64_t row_bytes = element_row_bytes(type->element, columns);
    TRY_NEW(*values, arena, rows * columns + 1, diagnostic);
    for (int64_t r = 0; r < rows; r++)
        element_decode_row(type->element, (const unsigned char *)bytes + r * row_bytes, columns,
                           *values + r * columns);
    return STATUS_OK;
}

/* One step of the element type next to the largest magnitude of a block. */
static double element_step(enum element_type element)
{
    switch (element) {
    case ELEMENT_F16: return 1.0 / 1024;
    case ELEMENT_BF16: return 1.0 / 128;
    case ELEMENT_Q8_0: return 1.0 / 100;
    case ELEMENT_Q4_0: return 1.0 / 6;
    default: return 0;
    }
}

/* One operand, as the reference and as the runner left it. */
struct comparison {
    const struct op_trial *trial;
    int operand;
    double bound;
    float *expected, *got;
    int64_t rows, columns, row_bytes;
};

static double largest_magnitude(const float *values, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i])) largest = fmax(largest, fabs((double)values[i]));
    return largest;
}

/* NaN is expected where the reference has one. */
static bool near_enough(double expected, double got, double tolerance)
{
    if (isnan(expected) || isnan(got)) return isnan(expected) && isnan(got);
    return expected == got || fabs(expected - got) <= tolerance;
}

static status compare_row(const struct comparison *comparison, int64_t row, double tolerance,
                          struct diagnostic *diagnostic)
{
    const struct op_trial *trial = comparison->trial;
    for (int64_t c = 0; c < comparison->columns; c++) {
        double expected = (double)comparison->expected[row * comparison->columns + c];
        double got = (double)comparison->got[row * comparison->columns + c];
        if (!near_enough(expected, got, tolerance))
            return fail(diagnostic, STATUS_MISMATCH,
                        "%s: %s[%lld][%lld] is %.9g, expected %.9g within %.3g",
                        trial->problem->text, operand_name(trial, comparison->operand),
                        (long long)row, (long long)c, got, expected, tolerance);
    }
    return STATUS_OK;
}

static bool row_untouched(const struct comparison *comparison, int64_t row)
{
    const struct op_trial *trial = comparison->trial;
    int i = comparison->operand;
    size_t offset = (size_t)(row * comparison->row_bytes);
    return trial->originals[i] &&
           !memcmp((const char *)trial->originals[i] + offset,
                   (const char *)trial->expected[i] + offset, (size_t)comparison->row_bytes);
}

static status compare_rows(const struct comparison *comparison, struct diagnostic *diagnostic)
{
    const struct op_trial *trial = comparison->trial;
    int i = comparison->operand;
    int64_t count = comparison->rows * comparison->columns;
    enum element_type element = trial->problem->operands[i].type.element;
    double coarse = comparison->bound > 0 ? element_step(element) : 0;
    double tolerance =
        (comparison->bound + coarse) * largest_magnitude(comparison->expected, count);
    if (element == ELEMENT_I32) tolerance = 0;
    for (int64_t r = 0; r < comparison->rows; r++) {
        size_t offset = (size_t)(r * comparison->row_bytes);
        bool same =
            !memcmp((const char *)trial->operands[i] + offset,
                    (const char *)trial->expected[i] + offset, (size_t)comparison->row_bytes);
        if (same) continue;
        bool exact = comparison->bound == 0 || row_untouched(comparison, r);
        TRY(compare_row(comparison, r, exact ? -1 : tolerance, diagnostic));
        if (exact)
            return fail(diagnostic, STATUS_MISMATCH, "%s: bits of row %lld of %s differ",
                        trial->problem->text, (long long)r, operand_name(trial, i));
    }
    return STATUS_OK;
}

static status compare_operand(const struct op_trial *trial, int i, double bound,
                              struct diagnostic *diagnostic)
{
    const struct tensor_type *type = &trial->problem->operands[i].type;
    struct comparison comparison = {.trial = trial, .operand = i, .bound = bound};
    struct arena *arena = arena_create(0);
    if (!arena) return fail_memory(diagnostic, 0);
    comparison.rows = tensor_rows(type, trial->run.symbols);
    comparison.columns = dimension_value(type->shape[type->rank - 1], trial->run.symbols);
    comparison.row_bytes = element_row_bytes(type->element, comparison.columns);
    status result =
        op_trial_values(trial, i, trial->expected[i], arena, &comparison.expected, diagnostic);
    if (result == STATUS_OK)
        result = op_trial_values(trial, i, trial->operands[i], arena, &comparison.got, diagnostic);
    if (result == STATUS_OK) result = compare_rows(&comparison, diagnostic);
    arena_destroy(arena);
    return result;
}

status op_trial_check(struct op_trial *trial, op_runner *runner, void *context, double bound,
                      struct diagnostic *diagnostic)
{
    op_trial_reset(trial);
    TRY(runner(context, trial, diagnostic));
    for (int i = 0; i < trial->count; i++) {
        if (!trial->operands[i]) continue;
        TRY(check_guards(trial, i, diagnostic));
        if (op_trial_written(trial, i))
            TRY(compare_operand(trial, i, bound, diagnostic));
        else if (memcmp(trial->operands[i], trial->originals[i], (size_t)trial->bytes[i]) != 0)
            return fail(diagnostic, STATUS_MISMATCH, "%s: input %s was changed",
                        trial->problem->text, operand_name(trial, i));
    }
    return STATUS_OK;
}

status op_run_pieces(void *context, const struct op_trial *trial, struct diagnostic *diagnostic)
{
    const int64_t *most = context;
    int64_t end = op_trial_items(trial);
    for (int64_t piece = 0; end > 0; piece++) {
        int64_t size =
            1 + (int64_t)(random_bits(trial->seed, 900, (uint64_t)piece) % (uint64_t)*most);
        int64_t begin = end > size ? end - size : 0;
        trial->problem->op->reference(trial->problem, &trial->run, trial->operands, begin, end);
        end = begin;
    }
    (void)diagnostic;
    return STATUS_OK;
}

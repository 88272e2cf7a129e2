/* What inputs hold.  Rows are slices of one table of random numbers at random places: as good as
 * fresh numbers for a kernel, and made as fast as memory is written. */
#include "base/arena.h"
#include "base/random.h"
#include "tuner/workload.h"

#include <math.h>
#include <string.h>

/* Streams of random_bits; the operators' own fillings use the numbers of operands and a little
 * more. */
enum { STREAM_TABLE = 1000, STREAM_ROW = 2000 };

void workload_fill_table(uint64_t seed, float *table)
{
    for (uint64_t i = 0; i < WORKLOAD_TABLE_COUNT; i++)
        table[i] = (float)random_normal(seed, STREAM_TABLE, i);
}

/* Weights of matrices are scaled so that sums over a row stay near 1, where activation functions
 * bend. */
static float scale_of(const struct operand *operand)
{
    bool matrix = operand->kind == VALUE_WEIGHT && operand->type.rank >= 2;
    return matrix ? 1 / sqrtf((float)tensor_columns(&operand->type)) : 1;
}

/* Each number becomes the largest magnitude of its block. */
static void take_magnitudes(float *values, int64_t count, int block)
{
    for (int64_t first = 0; first < count; first += block) {
        int64_t end = first + block < count ? first + block : count;
        float largest = 0;
        for (int64_t c = first; c < end; c++) largest = fmaxf(largest, fabsf(values[c]));
        for (int64_t c = first; c < end; c++) values[c] = largest;
    }
}

/* Makes one row, in `row`, which has room for it. */
typedef void make_row(const struct workload *workload, int operand, int64_t r, const float *table,
                      int block, float *row, const unsigned char *bytes);

static void random_row(const struct workload *workload, int operand, int64_t r, const float *table,
                       int block, float *row, const unsigned char *bytes)
{
    (void)block, (void)bytes;
    int64_t columns = workload_columns(workload, operand);
    float scale = scale_of(&workload->problem->operands[operand]);
    uint64_t at = random_bits(workload->seed, STREAM_ROW + (uint64_t)operand, (uint64_t)r);
    for (int64_t c = 0; c < columns; c++)
        row[c] = scale * table[(at + (uint64_t)c) % WORKLOAD_TABLE_COUNT];
}

/* Weights and states are used as they are, activations may be rounded in blocks. */
static void magnitude_row(const struct workload *workload, int operand, int64_t r,
                          const float *table, int block, float *row, const unsigned char *bytes)
{
    (void)r, (void)table;
    const struct operand *own = &workload->problem->operands[operand];
    int64_t columns = workload_columns(workload, operand);
    element_decode_row(own->type.element, bytes, columns, row);
    take_magnitudes(row, columns, own->kind == VALUE_RESULT ? block : 1);
}

/* Makes `distinct` rows and repeats them. */
static void make_rows(make_row *make, const struct workload *workload, int operand,
                      int64_t distinct, const float *table, int block, float *row,
                      unsigned char *bytes)
{
    enum element_type element = workload->problem->operands[operand].type.element;
    int64_t columns = workload_columns(workload, operand), rows = workload_rows(workload, operand);
    int64_t row_bytes = element_row_bytes(element, columns);
    for (int64_t r = 0; r < rows; r++) {
        unsigned char *own = bytes + r * row_bytes;
        int64_t class = workload_row_class(workload, r, distinct);
        if (class < r) {
            memcpy(own, bytes + class * row_bytes, (size_t)row_bytes);
            continue;
        }
        make(workload, operand, r, table, block, row, own);
        element_encode_row(element, row, columns, own);
    }
}

/* Layouts other than the file's are permutations of whole blocks, so random blocks may be written
 * in any order. */
status workload_fill(const struct workload *workload, int operand, int magnitude_block,
                     const float *table, void *bytes, struct diagnostic *diagnostic)
{
    const struct problem *problem = workload->problem;
    const struct tensor_type *type = &problem->operands[operand].type;
    bool numbers = type->element != ELEMENT_I32 && type->element != ELEMENT_I8;
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    size_t columns = (size_t)workload_columns(workload, operand);
    float *row = arena_allocate(scratch, columns, sizeof *row);
    if (!row) {
        arena_destroy(scratch);
        return fail_memory(diagnostic, columns * sizeof *row);
    }
    bool filled = problem->op->fill &&
                  problem->op->fill(problem, &workload->run, operand, workload->seed, bytes);
    int64_t distinct =
        filled ? workload_rows(workload, operand) : workload_distinct(workload, operand);
    if (!filled && numbers)
        make_rows(random_row, workload, operand, distinct, table, 0, row, bytes);
    if (!filled && !numbers) memset(bytes, 0, (size_t)tensor_bytes(type, workload->run.symbols));
    if (numbers && magnitude_block > 0)
        make_rows(magnitude_row, workload, operand, distinct, table, magnitude_block, row, bytes);
    arena_destroy(scratch);
    return STATUS_OK;
}

/* embed_cpu: a row of the table per work item, decoded from its blocks and scaled.  A token outside
 * the table gives NaN, as in the reference.  Tables of q8_0 and q4_0 may also lie in layout
 * interleave16, where a tied output matrix may want them. */
#include "codegen/cpu/llvm_unpack.h"
#include "codegen/cpu/row_kernel.h"
#include "ir/layout.h"
#include "ops/access.h"
#include "ops/embed/embed.h"

#include <math.h>

enum { BLOCK = 32, HALF = 16, SCALE_BYTES = 2, CHUNK_BYTES = 4, GROUP_ROWS = 16 };

struct embed_kernel {
    struct columns columns;
    enum element_type element;
    bool interleaved;
    int64_t table_rows, row_bytes;
    double scale;
    value tokens, table, y;
};

/* One row: where it comes from and goes to, and what it is multiplied with. */
struct embed_row {
    enum element_type element;
    value from, to, scale;
};

/* ---- Plain types ---- */

static void plain_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct embed_row *row = context;
    int64_t bytes = element_of(row->element)->block_bytes;
    value from = address(e, row->from, mul(e, step->column, constant_i64(e, bytes)));
    value x = load_as_f32(e, row->element, from, step->count, step->lanes);
    column_store(e, step, row->to, mulf(e, x, splat(e, row->scale, step->lanes)));
}

/* ---- Blocks ---- */

/* 16 bytes of quants, in chunks of 4 that lie `stride` apart. */
static value load_chunks(struct emitter *e, value quants, int64_t stride)
{
    LLVMTypeRef bytes = vector_of(e->i8, HALF);
    if (stride == CHUNK_BYTES) return load(e, bytes, quants, 1);
    value words = zero_of(vector_of(e->i32, HALF / CHUNK_BYTES));
    for (int i = 0; i < HALF / CHUNK_BYTES; i++) {
        value word = load(e, e->i32, address_at(e, quants, i * stride), 1);
        words = with_lane(e, words, word, i);
    }
    return reinterpret(e, words, bytes);
}

/* Quants [16 half, 16 half + 16) of a block, as i32. */
static value load_quants(struct emitter *e, enum element_type element, value quants, int64_t stride,
                         int half)
{
    if (element == ELEMENT_Q8_0) {
        value part = address_at(e, quants, half * HALF / CHUNK_BYTES * stride);
        return sign_extend(e, load_chunks(e, part, stride), e->i32);
    }
    value pairs = load_chunks(e, quants, stride);
    value nibbles = half ? shift_right(e, pairs, 4) : bit_and(e, pairs, splat_i8(e, 15, HALF));
    return sub(e, zero_extend(e, nibbles, e->i32), splat_i32(e, 8, HALF));
}

/* The blocks of row `token`.  An interleaved group of 16 rows has the scales of a block column
 * together, then the chunks of its 16 rows in turn. */
static void emit_blocks(struct emitter *e, const struct embed_kernel *k,
                        const struct embed_row *row, value token)
{
    int64_t rows = k->interleaved ? GROUP_ROWS : 1, stride = CHUNK_BYTES * rows;
    int64_t block_bytes = element_of(k->element)->block_bytes * rows;
    value among = remainder_signed(e, token, constant_i64(e, rows));
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, k->columns.columns / BLOCK), 1, NULL,
               0);
    value block = address(e, row->from, mul(e, loop.index, constant_i64(e, block_bytes)));
    value to = address(e, row->to, mul(e, loop.index, constant_i64(e, 4 * BLOCK)));
    value scale_at = address(e, block, mul(e, among, constant_i64(e, SCALE_BYTES)));
    value quants = address_at(e, address(e, block, mul(e, among, constant_i64(e, CHUNK_BYTES))),
                              SCALE_BYTES * rows);
    value scale = mulf(e, widen_f16(e, load(e, e->i16, scale_at, 2)), row->scale);
    for (int half = 0; half < 2; half++) {
        value reals = integer_to_f32(e, load_quants(e, k->element, quants, stride, half));
        store(e, mulf(e, reals, splat(e, scale, HALF)), address_at(e, to, 4 * HALF * (int64_t)half),
              4);
    }
    loop_end(e, &loop, NULL);
}

/* Blocks that lie as in the file, of the types that no layout knows. */
static void emit_unpacked(struct emitter *e, const struct embed_kernel *k,
                          const struct embed_row *row)
{
    int columns = element_of(k->element)->block_elements;
    int64_t block_bytes = element_of(k->element)->block_bytes;
    value scale = splat(e, row->scale, HALF);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, k->columns.columns / columns), 1, NULL,
               0);
    value from = address(e, row->from, mul(e, loop.index, constant_i64(e, block_bytes)));
    value to = address(e, row->to, mul(e, loop.index, constant_i64(e, 4 * (int64_t)columns)));
    struct unpacked block = unpack_block(e, k->element, from);
    for (int g = 0; g < columns / HALF; g++)
        store(e, mulf(e, unpacked_reals(e, &block, g), scale),
              address_at(e, to, 4 * HALF * (int64_t)g), 4);
    loop_end(e, &loop, NULL);
}

/* ---- Rows ---- */

static void begin_embed(struct emitter *e, const struct row_kernel *kernel)
{
    const struct problem *problem = kernel->problem;
    const struct tensor_type *table = operand_type(problem, EMBED_TABLE);
    struct embed_kernel *k = kernel->state;
    *k = (struct embed_kernel){.columns = {fixed_dimension(problem, EMBED_TABLE, 1), e->lanes, 4},
                               .element = table->element,
                               .interleaved = table->layout == LAYOUT_INTERLEAVE16,
                               .table_rows = fixed_dimension(problem, EMBED_TABLE, 0),
                               .scale = problem->attributes[EMBED_SCALE].real,
                               .tokens = kernel->operands[EMBED_TOKENS],
                               .table = kernel->operands[EMBED_TABLE],
                               .y = kernel->operands[EMBED_Y]};
    k->row_bytes = element_row_bytes(k->element, k->columns.columns);
}

static void emit_row(struct emitter *e, const struct row_kernel *kernel, value r)
{
    const struct embed_kernel *k = kernel->state;
    value token = load(e, e->i32, address(e, k->tokens, mul(e, r, constant_i64(e, 4))), 4);
    value wide = sign_extend(e, token, e->i64), zero = constant_i64(e, 0);
    value known =
        bit_and(e, greater_equal(e, wide, zero), less(e, wide, constant_i64(e, k->table_rows)));
    value row_of_table = choose(e, known, wide, zero);
    value group = constant_i64(e, k->interleaved ? GROUP_ROWS : 1);
    value from = mul(e, sub(e, row_of_table, remainder_signed(e, row_of_table, group)),
                     constant_i64(e, k->row_bytes));
    struct embed_row row = {.element = k->element, .from = address(e, k->table, from)};
    row.to = address(e, k->y, mul(e, r, constant_i64(e, 4 * k->columns.columns)));
    row.scale = choose(e, known, constant_f32(e, k->scale), constant_f32(e, (double)NAN));
    if (k->element == ELEMENT_Q8_0 || k->element == ELEMENT_Q4_0)
        emit_blocks(e, k, &row, row_of_table);
    else if (unpack_form_of(k->element))
        emit_unpacked(e, k, &row);
    else
        columns_each(e, &k->columns, plain_step, &row, NULL);
}

static status check_table(const struct problem *problem, struct diagnostic *diagnostic)
{
    const struct tensor_type *table = operand_type(problem, EMBED_TABLE);
    switch (table->element) {
    case ELEMENT_I8:
    case ELEMENT_I32: break;
    case ELEMENT_Q8_0:
    case ELEMENT_Q4_0: return STATUS_OK;
    default:
        if (table->layout == LAYOUT_ROWS) return STATUS_OK;
        break;
    }
    return fail(diagnostic, STATUS_UNSUPPORTED, "embed_cpu does not read such a table: %s",
                problem->text);
}

generate_function embed_cpu_generate;

status embed_cpu_generate(const struct generation *generation, struct arena *arena,
                          struct image *image, struct listing *listing,
                          struct diagnostic *diagnostic)
{
    struct embed_kernel embed;
    struct row_kernel kernel = {.name = "embed",
                                .operand = EMBED_TOKENS,
                                .begin = begin_embed,
                                .body = emit_row,
                                .state = &embed};
    TRY(check_table(generation->problem, diagnostic));
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}

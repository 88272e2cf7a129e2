/* Products of records in registers: f32, pairs of bf16, and bytes, whose whole products are scaled once per record or half of
 * one. */
#include "ops/linear/linear_products_core_cpu.h"

#include "codegen/cpu/llvm_dot.h"
#include "ops/linear/linear_amx_core_cpu.h"

/* ---- Operands ---- */

static value broadcast(struct emitter *e, const struct linear_tile *tile, LLVMTypeRef type, value x,
                       int64_t bytes)
{
    return splat(e, load(e, type, address_at(e, x, bytes), 4), tile->lanes);
}

static value load_outputs(struct emitter *e, const struct linear_tile *tile, LLVMTypeRef type,
                          value record, int unit, int vector)
{
    int64_t at = 4 * ((int64_t)unit * tile->outputs + (int64_t)vector * tile->lanes);
    return load(e, vector_of(type, tile->lanes), address_at(e, record, at), 4);
}

/* sums[row * vectors + vector] += the products of a record of f32 or bf16. */
static void add_reals(struct emitter *e, const struct linear_tile *tile, value weights, value x,
                      value *sums)
{
    bool pairs = tile->dot == LINEAR_DOT_BF16;
    LLVMTypeRef type = pairs ? e->i32 : e->f32;
    for (int unit = 0; unit < LINEAR_UNITS; unit++) {
        value outputs[LINEAR_VECTORS_MAX];
        for (int v = 0; v < tile->vectors; v++)
            outputs[v] = load_outputs(e, tile, type, weights, unit, v);
        for (int row = 0; row < tile->rows; row++) {
            value each =
                broadcast(e, tile, type, x, (int64_t)row * tile->row_bytes + 4 * (int64_t)unit);
            for (int v = 0; v < tile->vectors; v++) {
                value *sum = &sums[row * tile->vectors + v];
                *sum = pairs ? dot_bf16(e, *sum, outputs[v], each)
                             : muladdf(e, outputs[v], each, *sum);
            }
        }
    }
}

/* Word `word` of what follows the units of packed activations, for the row of sum `i`. */
static value broadcast_word(struct emitter *e, const struct linear_tile *tile, LLVMTypeRef type,
                            value x, int word, int i)
{
    int64_t at = (int64_t)tile->rows * (tile->row_bytes + 4 * word);
    return broadcast(e, tile, type, x, at + 4 * (int64_t)(i / tile->vectors));
}

/* products[i] += what unit `unit` gives, by whole products or, where `pairs` is not NULL, as pairs of 16 bits there;
 * `begins`: the pairs begin with it. */
static void multiply_unit(struct emitter *e, const struct linear_tile *tile,
                          const struct linear_byte_units *units, int unit, value *products,
                          value *pairs, bool begins)
{
    value outputs[LINEAR_VECTORS_MAX];
    for (int v = 0; v < tile->vectors; v++)
        outputs[v] = load_outputs(e, tile, e->i32, units->weights, unit, v);
    for (int i = 0; i < tile->rows * tile->vectors; i++) {
        int64_t at = (int64_t)(i / tile->vectors) * tile->row_bytes + 4 * (int64_t)unit;
        value x = broadcast(e, tile, e->i32, units->x, at), w = outputs[i % tile->vectors];
        if (!pairs) {
            products[i] = dot_bytes(e, products[i], w, tile->form->largest, x);
            continue;
        }
        value pair = tile->is_signed ? dot_pairs_of_signed(e, w, x) : dot_pairs(e, w, x);
        pairs[i] = begins ? pair : add(e, pairs[i], pair);
    }
}

/* Pairs are added as long as they fit 16 bits, then widened. */
static void multiply_pairs(struct emitter *e, const struct linear_tile *tile,
                           const struct linear_byte_units *units, int depth, value *products)
{
    value pairs[LINEAR_SUMS_MAX];
    for (int unit = units->first; unit < units->end; unit++) {
        int number = unit - units->first;
        multiply_unit(e, tile, units, unit, products, pairs, number % depth == 0);
        if ((number + 1) % depth && unit + 1 < units->end) continue;
        for (int i = 0; i < tile->rows * tile->vectors; i++)
            products[i] = dot_pairs_sum(e, products[i], pairs[i]);
    }
}

/* Products of one half (or all) of a record of bytes, as whole numbers. */
static void multiply_bytes(struct emitter *e, const struct linear_tile *tile, value weights,
                           value x, int half, value *products)
{
    int per_half = LINEAR_UNITS / tile->halves;
    const struct linear_byte_units units = {weights, x, half * per_half, (half + 1) * per_half};
    for (int i = 0; i < tile->rows * tile->vectors; i++)
        products[i] = tile->form->has_minima || tile->is_signed
                          ? zero_of(vector_of(e->i32, tile->lanes))
                          : broadcast_word(e, tile, e->i32, x, half, i);
    if (tile->dot == LINEAR_DOT_AMX_BYTES) {
        linear_amx_bytes(e, tile, &units, products);
        return;
    }
    int depth = tile->is_signed ? 1 : dot_pairs_depth(e, tile->lanes, tile->form->largest);
    if (depth > 0) {
        multiply_pairs(e, tile, &units, depth, products);
        return;
    }
    for (int unit = units.first; unit < units.end; unit++)
        multiply_unit(e, tile, &units, unit, products, NULL, false);
}

/* The same for a record of bytes: whole products first, then the two scales, then minima. */
static void add_bytes(struct emitter *e, const struct linear_tile *tile, value weights, value x,
                      value *sums)
{
    int count = tile->rows * tile->vectors, vectors = tile->vectors;
    value products[LINEAR_SUMS_MAX], outputs[LINEAR_VECTORS_MAX];
    for (int half = 0; half < tile->halves; half++) {
        multiply_bytes(e, tile, weights, x, half, products);
        for (int v = 0; v < vectors; v++)
            outputs[v] = load_outputs(e, tile, e->f32, weights, LINEAR_UNITS + half, v);
        for (int i = 0; i < count; i++) {
            value scale =
                mulf(e, outputs[i % vectors], broadcast_word(e, tile, e->f32, x, tile->halves, i));
            sums[i] = muladdf(e, integer_to_f32(e, products[i]), scale, sums[i]);
        }
        if (!tile->form->has_minima) continue;
        for (int v = 0; v < vectors; v++)
            outputs[v] =
                load_outputs(e, tile, e->f32, weights, LINEAR_UNITS + tile->halves + half, v);
        for (int i = 0; i < count; i++)
            sums[i] = muladdf(e, outputs[i % vectors], broadcast_word(e, tile, e->f32, x, half, i),
                              sums[i]);
    }
}

void linear_add_products(struct emitter *e, const struct linear_tile *tile, value weights, value x,
                         value *sums)
{
    if (linear_takes_bytes(tile->dot))
        add_bytes(e, tile, weights, x, sums);
    else
        add_reals(e, tile, weights, x, sums);
}

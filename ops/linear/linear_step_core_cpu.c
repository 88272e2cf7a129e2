/* One step along a weight row: sizes, and reading the weights. */
#include "ops/linear/linear_step_core_cpu.h"

struct linear_step linear_step_of(const struct emitter *e, const struct linear_work *work,
                                  enum linear_dot dot)
{
    int lanes = e->lanes, register_bytes = 4 * lanes;
    struct linear_step step = {.dot = dot, .element = work->element, .lanes = lanes};
    if (dot == LINEAR_DOT_BYTES) {
        int packed_bytes = work->element == ELEMENT_Q4_0 ? LINEAR_BLOCK / 2 : LINEAR_BLOCK;
        step.blocks = register_bytes > packed_bytes ? register_bytes / packed_bytes : 1;
        step.columns = step.blocks * LINEAR_BLOCK;
        step.parts = step.columns / register_bytes;
        step.x_bytes = (int64_t)(step.parts + 2) * register_bytes;
    } else {
        step.blocks = 1;
        step.columns = linear_is_blocked(work->element) ? LINEAR_BLOCK : lanes;
        step.parts = step.columns / lanes;
        step.x_bytes = step.columns * 4;
    }
    step.weight_bytes = element_row_bytes(work->element, step.columns);
    step.full = work->columns / step.columns;
    step.rest = (int)(work->columns % step.columns);
    return step;
}

int64_t linear_step_row_bytes(const struct linear_step *step)
{
    if (step->dot == LINEAR_DOT_BYTES) return (step->full + (step->rest != 0)) * step->x_bytes;
    return (step->full * step->columns + step->rest) * 4;
}

/* ---- Scales ---- */

/* The block that a lane belongs to: every block has as many lanes as the others. */
static int block_of_lane(const struct linear_step *step, int lane)
{
    return lane * step->blocks / step->lanes;
}

/* All scales of the step with one load that also covers quants, where that load stays inside the
 * step. */
static value scales_by_load(struct emitter *e, const struct linear_step *step, value pointer,
                            int words)
{
    int lanes[16], block_words = (int)(step->weight_bytes / step->blocks / 2);
    for (int i = 0; i < step->lanes; i++) lanes[i] = block_of_lane(step, i) * block_words;
    value loaded = load(e, vector_of(e->i16, words), pointer, 2);
    return words == 32 ? pick_words(e, loaded, lanes, step->lanes)
                       : shuffle(e, loaded, NULL, lanes, step->lanes);
}

static value scales_by_lane(struct emitter *e, const struct linear_step *step, value pointer,
                            int blocks)
{
    int64_t block_bytes = step->weight_bytes / step->blocks;
    if (step->blocks == 1) return splat(e, load(e, e->i16, pointer, 2), step->lanes);
    value each = zero_of(vector_of(e->i16, step->lanes));
    for (int i = 0; i < blocks; i++)
        each = with_lane(e, each, load(e, e->i16, address_at(e, pointer, i * block_bytes), 2), i);
    int lanes[16];
    for (int i = 0; i < step->lanes; i++) lanes[i] = block_of_lane(step, i);
    return shuffle(e, each, NULL, lanes, step->lanes);
}

static value load_scales(struct emitter *e, const struct linear_step *step, value pointer,
                         int blocks)
{
    int words = 2 * step->lanes, block_words = (int)(step->weight_bytes / step->blocks / 2);
    bool one_load = has(e, FACT_has_avx512) && step->blocks > 1 && blocks == step->blocks &&
                    words * 2 <= step->weight_bytes && (step->blocks - 1) * block_words < words;
    return widen_f16(e, one_load ? scales_by_load(e, step, pointer, words)
                                 : scales_by_lane(e, step, pointer, blocks));
}

/* ---- Bytes ---- */

/* `blocks` pieces of `lanes` lanes each, a block apart, joined and filled up with zeros to the
 * step's blocks. */
static value gather_blocks(struct emitter *e, const struct linear_step *step, value pointer,
                           int blocks, int lanes)
{
    int64_t block_bytes = step->weight_bytes / step->blocks;
    value pieces[16];
    for (int i = 0; i < step->blocks; i++)
        pieces[i] = i < blocks ? load(e, vector_of(e->i32, lanes),
                                      address_at(e, pointer, 2 + i * block_bytes), 2)
                               : zero_of(vector_of(e->i32, lanes));
    for (int n = step->blocks; n > 1; n /= 2)
        for (int i = 0; i < n / 2; i++)
            pieces[i] = concatenate(e, pieces[2 * i], pieces[2 * i + 1]);
    return pieces[0];
}

static void load_bytes(struct emitter *e, const struct linear_step *step, value pointer, int blocks,
                       value *weights)
{
    int lanes = step->lanes;
    if (step->element == ELEMENT_Q4_0) {
        value packed = gather_blocks(e, step, pointer, blocks, 4);
        value low = splat_i32(e, 0x0f0f0f0f, lanes);
        weights[0] = bit_and(e, packed, low);
        weights[1] = bit_and(e, shift_right(e, packed, 4), low);
        return;
    }
    value sign = splat_i32(e, 0x80808080, lanes);
    if (step->parts == 1) {
        weights[0] = bit_xor(e, gather_blocks(e, step, pointer, blocks, 8), sign);
        return;
    }
    for (int i = 0; i < step->parts; i++) {
        value part = address_at(e, pointer, 2 + 4 * (int64_t)lanes * i);
        weights[i] = bit_xor(e, load(e, vector_of(e->i32, lanes), part, 2), sign);
    }
}

/* ---- Reals ---- */

static void load_block_reals(struct emitter *e, const struct linear_step *step, value pointer,
                             value *weights)
{
    int lanes = step->lanes;
    if (step->element == ELEMENT_Q4_0) {
        value packed = load(e, vector_of(e->i8, 16), address_at(e, pointer, 2), 1);
        value halves[] = {bit_and(e, packed, splat_i8(e, 15, 16)), shift_right(e, packed, 4)};
        for (int h = 0; h < 2; h++) {
            value wide = sub(e, zero_extend(e, halves[h], e->i32), splat_i32(e, 8, 16));
            value reals = integer_to_f32(e, wide);
            for (int i = 0; i < 16 / lanes; i++)
                weights[h * 16 / lanes + i] = slice(e, reals, i * lanes, lanes);
        }
        return;
    }
    for (int i = 0; i < step->parts; i++) {
        value bytes = load(e, vector_of(e->i8, lanes), address_at(e, pointer, 2 + i * lanes), 1);
        weights[i] = integer_to_f32(e, sign_extend(e, bytes, e->i32));
    }
}

void linear_step_weights(struct emitter *e, const struct linear_step *step, value pointer,
                         int columns, value *weights, value *scales)
{
    *scales = NULL;
    if (!linear_is_blocked(step->element)) {
        weights[0] = load_as_f32(e, step->element, pointer, columns, step->lanes);
        return;
    }
    *scales = load_scales(e, step, pointer, columns / LINEAR_BLOCK);
    if (step->dot == LINEAR_DOT_BYTES)
        load_bytes(e, step, pointer, columns / LINEAR_BLOCK, weights);
    else
        load_block_reals(e, step, pointer, weights);
}

/* One step along a weight row: sizes, and reading the weights. */
#include "ops/linear/linear_step_core_cpu.h"

/* Blocks of 32 side by side until their codes fill a register. */
static int blocks_of(const struct unpack_form *form, int register_bytes)
{
    if (form->block > LINEAR_BLOCK || register_bytes <= form->low.bytes) return 1;
    return register_bytes / form->low.bytes;
}

static void choose_bytes(struct linear_step *step)
{
    int register_bytes = 4 * step->lanes;
    step->blocks = blocks_of(step->form, register_bytes);
    step->columns = step->blocks * step->form->block;
    step->parts = step->columns / register_bytes;
    step->paired = unpack_is_paired(step->element);
    int behind = step->form->block > LINEAR_BLOCK ? 4 * UNPACK_GROUPS_MAX : register_bytes;
    step->x_bytes = (int64_t)step->parts * register_bytes + (step->paired ? 1 : 2) * behind;
}

struct linear_step linear_step_of(const struct emitter *e, const struct linear_work *work,
                                  enum linear_dot dot)
{
    struct linear_step step = {
        .dot = dot, .element = work->element, .form = work->form, .lanes = e->lanes};
    if (dot == LINEAR_DOT_BYTES) {
        choose_bytes(&step);
    } else if (dot == LINEAR_DOT_BF16) {
        step.blocks = step.parts = 1;
        step.columns = 2 * step.lanes;
        step.x_bytes = step.columns * 2;
    } else {
        step.blocks = 1;
        step.columns = step.form ? step.form->block : step.lanes;
        step.parts = step.columns / step.lanes;
        step.x_bytes = step.columns * 4;
    }
    step.weight_bytes = element_row_bytes(work->element, step.columns);
    step.full = work->columns / step.columns;
    step.rest = (int)(work->columns % step.columns);
    return step;
}

int64_t linear_step_row_bytes(const struct linear_step *step)
{
    if (step->dot != LINEAR_DOT_FMA) return (step->full + (step->rest != 0)) * step->x_bytes;
    return (step->full * step->columns + step->rest) * 4;
}

static struct unpack_request request_of(const struct linear_step *step, int columns)
{
    return (struct unpack_request){step->element, step->blocks, columns / step->form->block,
                                   step->lanes};
}

int linear_step_group_offset(const struct linear_step *step, int group)
{
    struct unpack_request request = request_of(step, step->columns);
    int slots = step->lanes / 4, at = 0;
    while (unpack_group_at(&request, at / slots, at % slots) != group) at++;
    return at * UNPACK_GROUP;
}

/* ---- Bytes ---- */

static void load_bytes(struct emitter *e, const struct linear_step *step, value pointer,
                       int columns, struct linear_weights *weights)
{
    struct unpack_request request = request_of(step, columns);
    if (step->paired)
        weights->scales = unpack_paired_scales(e, pointer);
    else
        unpack_scales(e, &request, pointer, &weights->scales, &weights->minima);
    unpack_parts(e, &request, pointer, weights->parts);
    if (step->form->block > LINEAR_BLOCK && !step->paired && !weights->minima) {
        value offsets = splat_f32(e, -step->form->offset, UNPACK_GROUPS_MAX);
        weights->minima = mulf(e, weights->scales, offsets);
    }
}

/* ---- Reals ---- */

/* Signed bytes need no offset. */
static void load_q8_0_reals(struct emitter *e, const struct linear_step *step, value pointer,
                            struct linear_weights *weights)
{
    for (int i = 0; i < step->parts; i++) {
        value from = address_at(e, pointer, 2 + i * step->lanes);
        value bytes = load(e, vector_of(e->i8, step->lanes), from, 1);
        weights->parts[i] = integer_to_f32(e, sign_extend(e, bytes, e->i32));
    }
}

/* Blocks with one scale for all are multiplied with it at the end. */
static void load_block_reals(struct emitter *e, const struct linear_step *step, value pointer,
                             struct linear_weights *weights)
{
    struct unpacked block = unpack_block(e, step->element, pointer);
    bool scaled = step->form->block == LINEAR_SUPER || block.minima ||
                  step->form->scale_columns == UNPACK_GROUP;
    int per_group = UNPACK_GROUP / step->lanes;
    for (int g = 0; g < step->columns / UNPACK_GROUP; g++) {
        value reals = scaled ? unpacked_reals(e, &block, g) : unpacked_whole(e, &block, g);
        for (int i = 0; i < per_group; i++)
            weights->parts[g * per_group + i] =
                per_group == 1 ? reals : slice(e, reals, i * step->lanes, step->lanes);
    }
    weights->scales = scaled ? NULL : splat(e, lane(e, block.scales, 0), step->lanes);
}

void linear_step_weights(struct emitter *e, const struct linear_step *step, value pointer,
                         int columns, struct linear_weights *weights)
{
    weights->scales = weights->minima = NULL;
    if (step->dot == LINEAR_DOT_BF16) {
        weights->parts[0] = load_first(e, vector_of(e->i16, step->columns), pointer, columns, 2);
    } else if (!step->form) {
        weights->parts[0] = load_as_f32(e, step->element, pointer, columns, step->lanes);
    } else if (step->dot == LINEAR_DOT_BYTES) {
        load_bytes(e, step, pointer, columns, weights);
    } else if (step->element == ELEMENT_Q8_0) {
        value scale = widen_f16(e, load(e, e->i16, pointer, 2));
        weights->scales = splat(e, scale, step->lanes);
        load_q8_0_reals(e, step, pointer, weights);
    } else {
        load_block_reals(e, step, pointer, weights);
    }
}

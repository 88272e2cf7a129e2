/* Rounding activations to bytes or bf16, and the layout that linear_dot_cpu reads. */
#include "ops/linear/linear_quantize_core_cpu.h"

#include "codegen/cpu/llvm_dot.h"
#include "ops/linear/linear_step_core_cpu.h"

enum { HALF = 16 };

/* 1.5 * 2^23: adding it rounds a float to a whole number in the low bits. */
static const double ROUNDER = 12582912;

value linear_round(struct emitter *e, value x, value factor)
{
    int lanes = lanes_of(x);
    LLVMTypeRef integers = vector_of(e->i32, lanes);
    value rounder = splat_f32(e, ROUNDER, lanes);
    value biased = addf(e, mulf(e, x, splat(e, factor, lanes)), rounder);
    return sub(e, reinterpret(e, biased, integers), reinterpret(e, rounder, integers));
}

/* Compared as integers, so that NaN is the largest. */
static value magnitude_bits(struct emitter *e, value x)
{
    value bits = reinterpret(e, x, vector_of(e->i32, HALF));
    return bit_and(e, bits, splat_i32(e, 0x7fffffff, HALF));
}

void linear_choose_scale(struct emitter *e, value bits, value *factor, value *scale)
{
    value tiny = less(e, bits, constant_i32(e, (127 - 100) << 23));
    value zero = constant_f32(e, 0), largest = reinterpret(e, bits, e->f32);
    value most = constant_f32(e, 127);
    *factor = choose(e, tiny, zero, divf(e, most, largest));
    *scale = choose(e, tiny, zero, divf(e, largest, most));
}

struct linear_bytes linear_quantize_block(struct emitter *e, value x)
{
    LLVMTypeRef reals = vector_of(e->f32, HALF);
    value low = load(e, reals, x, 4), high = load(e, reals, address_at(e, x, 4 * HALF), 4);
    value bits = horizontal_maximum_signed(
        e, maximum_signed(e, magnitude_bits(e, low), magnitude_bits(e, high)));
    struct linear_bytes bytes;
    value factor;
    linear_choose_scale(e, bits, &factor, &bytes.scale);
    bytes.halves[0] = truncate_to(e, linear_round(e, low, factor), e->i8);
    bytes.halves[1] = truncate_to(e, linear_round(e, high, factor), e->i8);
    return bytes;
}

value linear_offset_sums(struct emitter *e, value half, int offset)
{
    LLVMTypeRef lanes = vector_of(e->i32, 4);
    value offsets = reinterpret(e, splat_i8(e, offset, HALF), lanes);
    value sums = dot_bytes(e, zero_of(lanes), offsets, offset, reinterpret(e, half, lanes));
    return sub(e, zero_of(lanes), sums);
}

void linear_rows_begin(struct emitter *e, struct linear_row_loop *rows,
                       const struct kernel_arguments *kernel, int64_t pieces)
{
    value zero = constant_i64(e, 0), per_row = constant_i64(e, pieces);
    value round_up = add(e, kernel->end, constant_i64(e, pieces - 1));
    loop_begin(e, &rows->loop, divide_signed(e, kernel->begin, per_row),
               divide_signed(e, round_up, per_row), 1, NULL, 0);
    rows->row = rows->loop.index;
    value start = mul(e, rows->row, per_row);
    rows->first = maximum_signed(e, sub(e, kernel->begin, start), zero);
    rows->last = minimum_signed(e, sub(e, kernel->end, start), per_row);
}

void linear_rows_end(struct emitter *e, struct linear_row_loop *rows)
{
    loop_end(e, &rows->loop, NULL);
}

/* ---- The layout of linear_step_core_cpu.h ---- */

/* What lies behind the bytes, for each slot of a register (blocks of 256: for each group). */
struct behind {
    value scales[UNPACK_GROUPS_MAX], sums[UNPACK_GROUPS_MAX]; /* 4 lanes each; NULL: zero */
};

/* What meets the weights: i32 that take their byte offset away or, where weights have minima, the
 * sums of the numbers. */
static value sums_of(struct emitter *e, const struct linear_step *step,
                     const struct linear_bytes *bytes, int half)
{
    if (!step->form->has_minima && step->form->block == LINEAR_BLOCK)
        return linear_offset_sums(e, bytes->halves[half], step->form->offset);
    value less = linear_offset_sums(e, bytes->halves[half], 1);
    value sums = sub(e, zero_of(LLVMTypeOf(less)), less);
    return mulf(e, integer_to_f32(e, sums), splat(e, bytes->scale, 4));
}

/* Writes the bytes of the 32 columns of number `block`, and adds their sums and scale to those of
 * the slots they fall into: lanes of weights meet lanes of sums. */
static void quantize_into(struct emitter *e, const struct linear_step *step, int block,
                          const struct linear_bytes *bytes, value to, struct behind *behind)
{
    for (int half = 0; half < 2; half++) {
        int at = linear_step_group_offset(step, 2 * block + half);
        int slot = at % (4 * step->lanes) / HALF;
        store(e, bytes->halves[half], address_at(e, to, at), 1);
        value sums = sums_of(e, step, bytes, half);
        bool integers = LLVMGetElementType(LLVMTypeOf(sums)) == e->i32;
        value *sum = &behind->sums[slot];
        *sum = !*sum ? sums : integers ? add(e, *sum, sums) : addf(e, *sum, sums);
        behind->scales[slot] = splat(e, bytes->scale, 4);
    }
}

/* The same for wider blocks: sums and scale of each group of 16 columns. */
static void quantize_super_into(struct emitter *e, const struct linear_step *step, int block,
                                const struct linear_bytes *bytes, value to)
{
    value scales = address_at(e, to, step->columns);
    value all = address_at(e, scales, 4 * UNPACK_GROUPS_MAX);
    for (int half = 0; half < 2; half++) {
        int group = 2 * block + half;
        store(e, bytes->halves[half], address_at(e, to, linear_step_group_offset(step, group)), 1);
        store(e, bytes->scale, address_at(e, scales, 4 * group), 4);
        store(e, horizontal_addf(e, sums_of(e, step, bytes, half)), address_at(e, all, 4 * group),
              4);
    }
}

/* The same where blocks of 32 share a scale and a minimum. */
static void quantize_paired_into(struct emitter *e, const struct linear_step *step, int block,
                                 const struct linear_bytes *bytes, value to)
{
    value scales = address_at(e, to, step->columns), sums = zero_of(vector_of(e->i32, 4));
    value all = address_at(e, scales, 4 * UNPACK_GROUPS_MAX / 2);
    for (int half = 0; half < 2; half++) {
        int at = linear_step_group_offset(step, 2 * block + half);
        store(e, bytes->halves[half], address_at(e, to, at), 1);
        sums = add(e, sums, linear_offset_sums(e, bytes->halves[half], 1));
    }
    value sum = mulf(e, integer_to_f32(e, horizontal_add(e, sums)), bytes->scale);
    store(e, bytes->scale, address_at(e, scales, 4 * block), 4);
    store(e, sum, address_at(e, all, 4 * block), 4);
}

/* Zeros where scales and sums have room for more groups than the block has. */
static void clear_missing_groups(struct emitter *e, const struct linear_step *step, value to)
{
    value zero = zero_of(vector_of(e->f32, 4));
    for (int group = step->columns / HALF; group < UNPACK_GROUPS_MAX; group += 4) {
        int64_t at = step->columns + 4 * (int64_t)group;
        store(e, zero, address_at(e, to, at), 4);
        store(e, zero, address_at(e, to, at + 4 * UNPACK_GROUPS_MAX), 4);
    }
}

static void zero_into(struct emitter *e, const struct linear_step *step, int block, value to)
{
    for (int half = 0; half < 2; half++)
        store(e, zero_of(vector_of(e->i8, HALF)),
              address_at(e, to, linear_step_group_offset(step, 2 * block + half)), 1);
}

static void store_behind(struct emitter *e, const struct linear_step *step,
                         const struct behind *behind, value to)
{
    int register_bytes = 4 * step->lanes;
    value scales = address_at(e, to, (int64_t)step->parts * register_bytes);
    value sums = address_at(e, scales, register_bytes), zero = zero_of(vector_of(e->f32, 4));
    for (int i = 0; i < step->lanes / 4; i++) {
        value scale = behind->scales[i] ? behind->scales[i] : zero;
        value sum = behind->sums[i] ? behind->sums[i] : zero;
        store(e, scale, address_at(e, scales, (int64_t)i * HALF), 4);
        store(e, sum, address_at(e, sums, (int64_t)i * HALF), 4);
    }
}

/* A step of which `columns` exist; the others become zero. */
static void quantize_step(struct emitter *e, const struct linear_step *step, int columns, value x,
                          value to)
{
    if (step->dot == LINEAR_DOT_BF16) {
        value reals = load_first(e, vector_of(e->f32, step->columns), x, columns, 4);
        store(e, narrow_bf16(e, reals), to, 2);
        return;
    }
    struct behind behind = {0};
    bool super = step->form->block > LINEAR_BLOCK;
    if (super) clear_missing_groups(e, step, to);
    for (int i = 0; i < step->columns / LINEAR_BLOCK; i++) {
        if (i * LINEAR_BLOCK >= columns) {
            zero_into(e, step, i, to);
            continue;
        }
        struct linear_bytes bytes =
            linear_quantize_block(e, address_at(e, x, (int64_t)i * LINEAR_BLOCK * 4));
        if (step->paired)
            quantize_paired_into(e, step, i, &bytes, to);
        else if (super)
            quantize_super_into(e, step, i, &bytes, to);
        else
            quantize_into(e, step, i, &bytes, to, &behind);
    }
    if (!super) store_behind(e, step, &behind, to);
}

static void emit_quantize(struct emitter *e, const struct linear_work *work,
                          const struct linear_step *step, int64_t pieces)
{
    struct kernel_arguments kernel = kernel_begin(e, "quantize");
    value x = kernel_pointer(e, &kernel, 0), to = kernel_pointer(e, &kernel, 1);
    struct linear_row_loop rows;
    linear_rows_begin(e, &rows, &kernel, pieces);
    value x_row = address(e, x, mul(e, rows.row, constant_i64(e, work->columns * 4)));
    value to_row = address(e, to, mul(e, rows.row, constant_i64(e, linear_step_row_bytes(step))));
    value x_bytes = constant_i64(e, step->columns * 4), to_bytes = constant_i64(e, step->x_bytes);
    value full = constant_i64(e, step->full);
    struct loop loop;
    loop_begin(e, &loop, rows.first, minimum_signed(e, rows.last, full), 1, NULL, 0);
    quantize_step(e, step, step->columns, address(e, x_row, mul(e, loop.index, x_bytes)),
                  address(e, to_row, mul(e, loop.index, to_bytes)));
    loop_end(e, &loop, NULL);
    if (step->rest) {
        struct branch last;
        if_begin(e, &last, equal(e, rows.last, constant_i64(e, pieces)));
        quantize_step(e, step, step->rest, address_at(e, x_row, step->full * step->columns * 4),
                      address_at(e, to_row, step->full * step->x_bytes));
        if_end(e, &last, NULL, NULL);
    }
    linear_rows_end(e, &rows);
    kernel_end(e);
}

int linear_step_quantize(struct emitter *e, const struct linear_work *work,
                         const struct linear_step *step, struct image *image)
{
    int64_t pieces = step->full + (step->rest != 0);
    int workspace = image_add_workspace(
        image, (struct workspace){.per_row_bytes = work->x_rows * linear_step_row_bytes(step)});
    struct launch *launch = image_add_launch(
        image, "quantize",
        (struct geometry){
            .rows_per_item = 1, .items_per_row_group = work->x_rows * pieces, .unit = 1});
    launch_add(launch, ARGUMENT_OPERAND, 0);
    launch_add(launch, ARGUMENT_WORKSPACE, workspace);
    emit_quantize(e, work, step, pieces);
    return workspace;
}

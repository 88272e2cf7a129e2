/* Shapes, tokens and scores of attention. */
#include "ops/attention/attention_core_cpu.h"

#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/llvm_math.h"
#include "ops/access.h"
#include "ops/append/state_core_cpu.h"

#include <assert.h>
#include <math.h>

enum { LANES_MAX = 16 };

/* ---- The problem ---- */

static struct attention_side side_of(const struct problem *problem, int state, int64_t size,
                                     int64_t stride)
{
    struct attention_side side = {.element = operand_type(problem, state)->element, .size = size};
    side.head_bytes = element_row_bytes(side.element, stride);
    side.row_bytes = element_row_bytes(side.element, fixed_dimension(problem, state, 2));
    return side;
}

status attention_work_read(const struct problem *problem, struct attention_work *work,
                           struct diagnostic *diagnostic)
{
    *work = (struct attention_work){.shape = attention_shape_of(problem->attributes)};
    work->group = work->shape.heads / work->shape.kv_heads;
    work->page_tokens = fixed_dimension(problem, ATTENTION_K_STATE, 1);
    for (int state = ATTENTION_K_STATE; state <= ATTENTION_V_STATE; state++)
        if (!state_is_supported(operand_type(problem, state)->element))
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "this variant reads keys and values in f32, f16, bf16, q8_0 and q4_0: %s",
                        problem->text);
    work->k = side_of(problem, ATTENTION_K_STATE, work->shape.head_size, work->shape.head_size);
    work->v = side_of(problem, ATTENTION_V_STATE, work->shape.value_size, work->shape.value_stride);
    work->has_sinks = problem->operands[ATTENTION_SINKS].present;
    return STATUS_OK;
}

int64_t attention_align(int64_t count, int64_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

value attention_align_value(struct emitter *e, value count, int64_t multiple)
{
    value size = constant_i64(e, multiple);
    return mul(e, divide_signed(e, add(e, count, constant_i64(e, multiple - 1)), size), size);
}

/* ---- Operands ---- */

/* All heads of a token on the stack, whose bytes are all `byte`; 0xff makes a NaN of every type. */
static value constant_token(struct emitter *e, const struct attention_side *side, int byte)
{
    int64_t bytes = attention_align(side->row_bytes, 64);
    value room = stack_room(e, bytes);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, bytes), 16, NULL, 0);
    store(e, splat_i8(e, byte, 16), address(e, room, loop.index), 16);
    loop_end(e, &loop, NULL);
    return room;
}

struct attention_pointers attention_load_pointers(struct emitter *e,
                                                  const struct attention_work *work,
                                                  const struct kernel_arguments *kernel,
                                                  struct launch *launch)
{
    return (struct attention_pointers){
        .sinks = work->has_sinks ? kernel_operand(e, kernel, launch, ATTENTION_SINKS) : NULL,
        .q = kernel_operand(e, kernel, launch, ATTENTION_Q),
        .positions = kernel_operand(e, kernel, launch, ATTENTION_POSITIONS),
        .sequences = kernel_operand(e, kernel, launch, ATTENTION_SEQUENCES),
        .k = kernel_operand(e, kernel, launch, ATTENTION_K_STATE),
        .v = kernel_operand(e, kernel, launch, ATTENTION_V_STATE),
        .y = kernel_operand(e, kernel, launch, ATTENTION_Y),
        .pages = append_load_pages(e, kernel, kernel_operand(e, kernel, launch, ATTENTION_PAGES),
                                   work->page_tokens),
        .no_k = constant_token(e, &work->k, 0xff),
        .no_v = constant_token(e, &work->v, 0),
    };
}

struct attention_sight attention_sight_of(struct emitter *e, const struct attention_work *work,
                                          const struct attention_pointers *pointers, value row)
{
    const struct append_pages *pages = &pointers->pages;
    value zero = constant_i64(e, 0), one = constant_i64(e, 1);
    value sequence = append_load_index(e, pointers->sequences, row);
    value position = append_load_index(e, pointers->positions, row);
    value room = mul(e, pages->stride, constant_i64(e, work->page_tokens));
    value known = bit_and(e, greater_equal(e, sequence, zero), less(e, sequence, pages->sequences));
    known =
        bit_and(e, known, bit_and(e, greater_equal(e, position, zero), less(e, position, room)));
    value end = choose(e, known, add(e, position, one), zero), first = zero;
    if (work->shape.window > 0)
        first = maximum_signed(e, zero, sub(e, end, constant_i64(e, work->shape.window)));
    return (struct attention_sight){choose(e, known, sequence, zero), first, end};
}

static value head_of(struct emitter *e, const struct attention_side *side, value state, value row,
                     value head)
{
    value at = add(e, mul(e, row, constant_i64(e, side->row_bytes)),
                   mul(e, head, constant_i64(e, side->head_bytes)));
    return address(e, state, at);
}

struct attention_token attention_find_token(struct emitter *e, const struct attention_work *work,
                                            const struct attention_pointers *pointers,
                                            value sequence, value token, value head)
{
    value known, row = append_find_row(e, &pointers->pages, sequence, token, &known);
    value k = head_of(e, &work->k, pointers->k, row, head);
    value v = head_of(e, &work->v, pointers->v, row, head);
    return (struct attention_token){choose(e, known, k, pointers->no_k),
                                    choose(e, known, v, pointers->no_v)};
}

/* ---- Scores ---- */

value attention_blind(struct emitter *e, int lanes)
{
    return splat_f32(e, (double)-INFINITY, lanes);
}

double attention_factor(const struct attention_work *work)
{
    double cap = work->shape.softcap;
    return cap > 0 ? work->shape.scale / cap : work->shape.scale;
}

value attention_cap(struct emitter *e, const struct attention_work *work, value products)
{
    double cap = work->shape.softcap;
    if (cap <= 0) return products;
    return mulf(e, math_tanh(e, products), splat_f32(e, cap, lanes_of(products)));
}

/* exp(x) = 2^n exp(r), |r| <= ln 2 / 2.  As x is not positive, the error of n ln 2 in one part is
 * at most 2^-24 |x|, which exp(x) makes harmless.  The rounding constant carries the bias of the
 * exponent, so that the sum's low bits are those of 2^n.  The Taylor series to r^6 is off by 1.2e-7
 * at most. */
value attention_exp(struct emitter *e, value x)
{
    static const double taylor[] = {1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
    int lanes = lanes_of(x);
    LLVMTypeRef bits = vector_of(e->i32, lanes), reals = LLVMTypeOf(x);
    value round = splat_f32(e, 0x1.8p23 + 127, lanes);
    value biased = muladdf(e, x, splat_f32(e, 1.4426950408889634, lanes), round);
    value r = muladdf(e, subf(e, biased, round), splat_f32(e, -0.6931471805599453, lanes), x);
    value power = splat_f32(e, taylor[0], lanes);
    for (int i = 1; i < 7; i++) power = muladdf(e, power, r, splat_f32(e, taylor[i], lanes));
    value whole = reinterpret(e, shift_left(e, reinterpret(e, biased, bits), 23), reals);
    value tiny = lessf(e, x, splat_f32(e, -87, lanes));
    return choose(e, tiny, zero_of(reals), mulf(e, power, whole));
}

/* Adds lanes in pairs, then in fours and so on: in each round a lane keeps half of its vector's
 * sums and gets the other half of its neighbour's. */
value attention_sum_each(struct emitter *e, const value *vectors, int lanes)
{
    value sums[LANES_MAX];
    int kept[LANES_MAX], given[LANES_MAX];
    assert(lanes <= LANES_MAX);
    for (int i = 0; i < lanes; i++) sums[i] = vectors[i];
    for (int step = 1; step < lanes; step *= 2) {
        for (int l = 0; l < lanes; l++) {
            kept[l] = l & step ? lanes + l : l;
            given[l] = l & step ? lanes + (l ^ step) : l ^ step;
        }
        for (int i = 0; i < lanes / step / 2; i++) {
            value a = sums[2 * i], b = sums[2 * i + 1];
            sums[i] = addf(e, shuffle(e, a, b, kept, lanes), shuffle(e, a, b, given, lanes));
        }
    }
    return sums[0];
}

static value group_join(struct emitter *e, value x, int group,
                        value (*join)(struct emitter *e, value a, value b))
{
    int lanes = lanes_of(x), other[LANES_MAX];
    for (int step = 1; step < group; step *= 2) {
        for (int l = 0; l < lanes; l++) other[l] = l ^ step;
        x = join(e, x, shuffle(e, x, NULL, other, lanes));
    }
    return x;
}

value attention_group_maximum(struct emitter *e, value x, int group)
{
    return group_join(e, x, group, maximumf);
}

value attention_group_sum(struct emitter *e, value x, int group)
{
    return group_join(e, x, group, addf);
}

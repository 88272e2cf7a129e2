/* Angles and turns. */
#include "ops/rope/rotation_core_cpu.h"

#include "codegen/cpu/llvm_angle.h"
#include "ops/append/append_core_cpu.h"

enum { LANES_MAX = 16 };

static int64_t whole_registers(const struct emitter *e, int64_t count)
{
    return (count + e->lanes - 1) / e->lanes * e->lanes;
}

static bool is_interleaved(const struct rotation_kernel *k)
{
    return k->rotation.pairing == PAIRING_INTERLEAVED;
}

void rotation_begin(struct emitter *e, const union attribute *attributes, value factors,
                    struct rotation_kernel *k)
{
    double frequencies[ROTATION_PAIRS_MAX + LANES_MAX] = {0};
    rotation_create(attributes, NULL, &k->rotation);
    int64_t room = whole_registers(e, k->rotation.pairs);
    for (int64_t i = 0; i < k->rotation.pairs; i++) frequencies[i] = k->rotation.frequencies[i];
    k->frequencies = table_f64(e, frequencies, (int)room);
    k->factors = factors;
    int64_t bytes = 4 * room * (is_interleaved(k) ? 2 : 1);
    k->cosines = stack_room(e, bytes);
    k->sines = stack_room(e, bytes);
}

/* ---- Angles ---- */

/* Each lane twice, in two registers. */
static void store_twice(struct emitter *e, value x, value pointer)
{
    int lanes[LANES_MAX];
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < e->lanes; i++) lanes[i] = (half * e->lanes + i) / 2;
        store(e, shuffle(e, x, NULL, lanes, e->lanes),
              address_at(e, pointer, 4 * (int64_t)e->lanes * half), 64);
    }
}

/* -x, x, -x, x ... when stored twice: the sign of even elements. */
static void store_signed(struct emitter *e, value x, value pointer)
{
    int lanes[LANES_MAX];
    value negative = negf(e, x);
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < e->lanes; i++)
            lanes[i] = (half * e->lanes + i) / 2 + (i % 2 ? 0 : e->lanes);
        store(e, shuffle(e, x, negative, lanes, e->lanes),
              address_at(e, pointer, 4 * (int64_t)e->lanes * half), 64);
    }
}

static void set_pairs(struct emitter *e, const struct rotation_kernel *k, int64_t first,
                      value position)
{
    int64_t left = k->rotation.pairs - first;
    int count = left < e->lanes ? (int)left : e->lanes;
    LLVMTypeRef reals = vector_of(type_f64(e), e->lanes);
    value frequency = load(e, reals, address_at(e, k->frequencies, 8 * first), 8);
    if (k->factors) {
        value factor = load_first(e, vector_of(e->f32, e->lanes),
                                  address_at(e, k->factors, 4 * first), count, 4);
        frequency = divf(e, frequency, f32_to_f64(e, factor));
    }
    value sine, cosine, magnitude = splat_f32(e, k->rotation.magnitude, e->lanes);
    math_sine_cosine(e, mulf(e, position, frequency), &sine, &cosine);
    if (k->rotation.magnitude != 1) {
        sine = mulf(e, sine, magnitude);
        cosine = mulf(e, cosine, magnitude);
    }
    if (is_interleaved(k)) {
        store_twice(e, cosine, address_at(e, k->cosines, 8 * first));
        store_signed(e, sine, address_at(e, k->sines, 8 * first));
    } else {
        store(e, cosine, address_at(e, k->cosines, 4 * first), 64);
        store(e, sine, address_at(e, k->sines, 4 * first), 64);
    }
}

void rotation_set_position(struct emitter *e, const struct rotation_kernel *k, value position)
{
    value real = splat(e, integer_to_f64(e, position), e->lanes);
    for (int64_t first = 0; first < k->rotation.pairs; first += e->lanes)
        set_pairs(e, k, first, real);
}

/* ---- Turns ---- */

/* Where a head comes from and goes to. */
struct head {
    value from, to;
    enum element_type element;
};

/* Up to a register of the head's elements from `first` on, of which `end` and more are others'. */
struct part {
    int64_t first;
    int count;
};

static struct part part_of(const struct emitter *e, int64_t first, int64_t end)
{
    int64_t left = end - first;
    return (struct part){first, left < e->lanes ? (int)left : e->lanes};
}

static value load_part(struct emitter *e, value from, struct part part)
{
    return load_first(e, vector_of(e->f32, e->lanes), address_at(e, from, 4 * part.first),
                      part.count, 4);
}

static value load_turn(struct emitter *e, value table, int64_t first)
{
    return load(e, vector_of(e->f32, e->lanes), address_at(e, table, 4 * first), 64);
}

static void store_part(struct emitter *e, const struct head *head, struct part part, value x)
{
    value to = address_at(e, head->to, element_row_bytes(head->element, part.first));
    append_store(e, head->element, x, to, part.count);
}

/* Elements i and i + pairs. */
static void turn_halves(struct emitter *e, const struct rotation_kernel *k, const struct head *head)
{
    int64_t pairs = k->rotation.pairs;
    for (int64_t first = 0; first < pairs; first += e->lanes) {
        struct part low = part_of(e, first, pairs), high = {first + pairs, low.count};
        value a = load_part(e, head->from, low), b = load_part(e, head->from, high);
        value cosine = load_turn(e, k->cosines, first), sine = load_turn(e, k->sines, first);
        store_part(e, head, low, muladdf(e, a, cosine, negf(e, mulf(e, b, sine))));
        store_part(e, head, high, muladdf(e, a, sine, mulf(e, b, cosine)));
    }
}

/* Elements 2i and 2i + 1: each has its cosine, and a sine for its neighbour. */
static void turn_neighbours(struct emitter *e, const struct rotation_kernel *k,
                            const struct head *head)
{
    int swap[LANES_MAX];
    for (int i = 0; i < e->lanes; i++) swap[i] = i ^ 1;
    for (int64_t first = 0; first < 2 * k->rotation.pairs; first += e->lanes) {
        struct part part = part_of(e, first, 2 * k->rotation.pairs);
        value x = load_part(e, head->from, part);
        value other = mulf(e, shuffle(e, x, NULL, swap, e->lanes), load_turn(e, k->sines, first));
        store_part(e, head, part, muladdf(e, x, load_turn(e, k->cosines, first), other));
    }
}

static void copy_parts(struct emitter *e, const struct head *head, int64_t first, int64_t end)
{
    for (; first < end; first += e->lanes) {
        struct part part = part_of(e, first, end);
        store_part(e, head, part, load_part(e, head->from, part));
    }
}

void rotation_turn(struct emitter *e, const struct rotation_kernel *k, int64_t heads, value from,
                   enum element_type element, value to)
{
    int64_t size = k->rotation.head_size, start = k->rotation.first;
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, heads), 1, NULL, 0);
    struct head head = {.element = element};
    head.from = address(e, from, mul(e, loop.index, constant_i64(e, 4 * size)));
    head.to = address(e, to, mul(e, loop.index, constant_i64(e, element_row_bytes(element, size))));
    copy_parts(e, &head, 0, start);
    copy_parts(e, &head, start + 2 * k->rotation.pairs, size);
    head.from = address_at(e, head.from, 4 * start);
    head.to = address_at(e, head.to, element_row_bytes(element, start));
    if (is_interleaved(k))
        turn_neighbours(e, k, &head);
    else
        turn_halves(e, k, &head);
    loop_end(e, &loop, NULL);
}

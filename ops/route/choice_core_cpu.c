/* Taking the largest. */
#include "ops/route/choice_core_cpu.h"

#include <math.h>

static int64_t whole_registers(const struct emitter *e, int64_t count)
{
    return (count + e->lanes - 1) / e->lanes * e->lanes;
}

static value number_at(struct emitter *e, const struct choice *choice, value index)
{
    return address(e, choice->values, mul(e, index, constant_i64(e, 4)));
}

struct choice choice_of(struct emitter *e, int64_t count)
{
    return (struct choice){count, stack_room(e, 4 * whole_registers(e, count))};
}

void choice_begin(struct emitter *e, const struct choice *choice)
{
    int64_t last = whole_registers(e, choice->count) - e->lanes;
    store(e, splat_f32(e, (double)-INFINITY, e->lanes), address_at(e, choice->values, 4 * last), 4);
}

void choice_set(struct emitter *e, const struct choice *choice, value index, value number)
{
    store(e, number, number_at(e, choice, index), 4);
}

/* Every lane keeps its largest number and where it stood first; the lanes meet at the end. */
value choice_take(struct emitter *e, const struct choice *choice)
{
    int lanes = e->lanes;
    value state[2] = {splat_f32(e, (double)-INFINITY, lanes),
                      splat_i32(e, choice->count - 1, lanes)};
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, choice->count), lanes, state, 2);
    value x = load(e, vector_of(e->f32, lanes), number_at(e, choice, loop.index), 4);
    value here = splat(e, truncate_to(e, loop.index, e->i32), lanes);
    value better = greaterf(e, x, loop.carried[0]);
    state[0] = choose(e, better, x, loop.carried[0]);
    state[1] = choose(e, better, add(e, here, count_up(e, lanes)), loop.carried[1]);
    loop_end(e, &loop, state);
    value largest = splat(e, horizontal_maximumf(e, loop.carried[0]), lanes);
    value less_than = lessf(e, loop.carried[0], largest), none = splat_i32(e, INT32_MIN, lanes);
    value first = sub(e, splat_i32(e, 0, lanes), loop.carried[1]);
    value index = horizontal_maximum_signed(e, choose(e, less_than, none, first));
    index = sign_extend(e, sub(e, constant_i32(e, 0), index), e->i64);
    choice_set(e, choice, index, constant_f32(e, (double)-INFINITY));
    return index;
}

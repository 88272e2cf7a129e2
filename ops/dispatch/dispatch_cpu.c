/* dispatch_cpu: a stable sort by counting, in one work item.  Ids that are no expert count as the
 * one after the last. */
#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/kernel_rows.h"
#include "ops/access.h"
#include "ops/dispatch/dispatch.h"

struct dispatch_kernel {
    int64_t experts, first, own;
    value ids, order, offsets, places;
    value count; /* assignments */
    value next;  /* i32[experts + 1] on the stack: assignments of each, then its next slot */
};

static value number_at(struct emitter *e, value numbers, value index)
{
    return address(e, numbers, mul(e, index, constant_i64(e, 4)));
}

/* Where the expert of assignment `index` keeps its count. */
static value bin_of(struct emitter *e, const struct dispatch_kernel *k, value index)
{
    value id = load(e, e->i32, number_at(e, k->ids, index), 4);
    value last = constant_i32(e, k->experts);
    value is_expert = bit_and(e, greater_equal(e, id, constant_i32(e, 0)), less(e, id, last));
    return number_at(e, k->next, sign_extend(e, choose(e, is_expert, id, last), e->i64));
}

static void count_assignments(struct emitter *e, const struct dispatch_kernel *k)
{
    value zero = constant_i64(e, 0), one = constant_i32(e, 1);
    struct loop loop;
    loop_begin(e, &loop, zero, constant_i64(e, k->experts + 1), 1, NULL, 0);
    store(e, constant_i32(e, 0), number_at(e, k->next, loop.index), 4);
    loop_end(e, &loop, NULL);
    loop_begin(e, &loop, zero, k->count, 1, NULL, 0);
    value bin = bin_of(e, k, loop.index);
    store(e, add(e, load(e, e->i32, bin, 4), one), bin, 4);
    loop_end(e, &loop, NULL);
}

/* Counts become the first slots, those of own experts the offsets. */
static void add_up(struct emitter *e, const struct dispatch_kernel *k)
{
    value before = constant_i32(e, 0);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, k->experts + 1), 1, &before, 1);
    value bin = number_at(e, k->next, loop.index);
    value own = load(e, e->i32, bin, 4);
    store(e, loop.carried[0], bin, 4);
    before = add(e, loop.carried[0], own);
    loop_end(e, &loop, &before);
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, k->own + 1), 1, NULL, 0);
    value at = number_at(e, k->next, add(e, loop.index, constant_i64(e, k->first)));
    store(e, load(e, e->i32, at, 4), number_at(e, k->offsets, loop.index), 4);
    loop_end(e, &loop, NULL);
}

static void place_assignments(struct emitter *e, const struct dispatch_kernel *k)
{
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), k->count, 1, NULL, 0);
    value bin = bin_of(e, k, loop.index), slot = load(e, e->i32, bin, 4);
    store(e, add(e, slot, constant_i32(e, 1)), bin, 4);
    store(e, truncate_to(e, loop.index, e->i32),
          number_at(e, k->order, sign_extend(e, slot, e->i64)), 4);
    store(e, slot, number_at(e, k->places, loop.index), 4);
    loop_end(e, &loop, NULL);
}

static void emit_dispatch(struct emitter *e, const struct problem *problem, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    struct dispatch_kernel k = {.experts = problem->attributes[DISPATCH_EXPERT_COUNT].integer,
                                .first = problem->attributes[DISPATCH_FIRST].integer,
                                .own = dispatch_own(problem->attributes)};
    k.ids = kernel_operand(e, &kernel, launch, DISPATCH_EXPERTS);
    k.order = kernel_operand(e, &kernel, launch, DISPATCH_ORDER);
    k.offsets = kernel_operand(e, &kernel, launch, DISPATCH_OFFSETS);
    k.places = kernel_operand(e, &kernel, launch, DISPATCH_PLACES);
    k.count = mul(e, kernel_integer_value(e, &kernel, KERNEL_ROWS),
                  constant_i64(e, fixed_dimension(problem, DISPATCH_EXPERTS, 1)));
    k.next = stack_room(e, 4 * (k.experts + 1));
    struct branch branch;
    if_begin(e, &branch, less(e, kernel.begin, kernel.end));
    count_assignments(e, &k);
    add_up(e, &k);
    place_assignments(e, &k);
    if_end(e, &branch, NULL, NULL);
    kernel_end(e);
}

generate_function dispatch_cpu_generate;

status dispatch_cpu_generate(const struct generation *generation, struct arena *arena,
                             struct image *image, struct listing *listing,
                             struct diagnostic *diagnostic)
{
    struct dimension rows = operand_type(generation->problem, DISPATCH_EXPERTS)->shape[0];
    if (rows.symbol != SYMBOL_ROWS || rows.scale != 1)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "dispatch_cpu takes a row per row of the step: %s", generation->problem->text);
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    *image = (struct image){.target = TARGET_CPU};
    emit_dispatch(&e, generation->problem,
                  image_add_launch(image, "dispatch", (struct geometry){0, 1, 1}));
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}

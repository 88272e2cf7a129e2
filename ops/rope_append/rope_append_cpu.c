/* rope_append_cpu: a row per work item: its angles once, then queries to y, keys and values to
 * their pages.  Keys and values of rows without a page are dropped, as in the reference. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/append/append_core_cpu.h"
#include "ops/append/state_core_cpu.h"
#include "ops/rope/rotation_core_cpu.h"
#include "ops/rope_append/rope_append.h"

struct rope_append_kernel {
    int64_t heads, kv_heads, q_width, k_width, v_width;
    enum element_type k_element, v_element;
    struct rotation_kernel rotation;
    struct append_pages pages;
    value q, k, v, positions, sequences, k_state, v_state, y;
    value head; /* f32 of one, on the stack */
};

static value row_of(struct emitter *e, value matrix, value row, int64_t row_bytes)
{
    return address(e, matrix, mul(e, row, constant_i64(e, row_bytes)));
}

/* A block is rounded as a whole, so heads of blocks are turned beside it first. */
static void write_keys(struct emitter *e, const struct rope_append_kernel *k, value from, value to)
{
    int64_t size = k->rotation.rotation.head_size;
    if (!state_is_block(k->k_element)) {
        rotation_turn(e, &k->rotation, k->kv_heads, from, k->k_element, to);
        return;
    }
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, k->kv_heads), 1, NULL, 0);
    rotation_turn(e, &k->rotation, 1, row_of(e, from, loop.index, 4 * size), ELEMENT_F32, k->head);
    state_write(e, k->k_element, size, k->head,
                row_of(e, to, loop.index, element_row_bytes(k->k_element, size)));
    loop_end(e, &loop, NULL);
}

static void emit_row(struct emitter *e, const struct row_kernel *kernel, value r)
{
    const struct rope_append_kernel *k = kernel->state;
    struct branch branch;
    value position = append_load_index(e, k->positions, r), known;
    value sequence = append_load_index(e, k->sequences, r);
    rotation_set_position(e, &k->rotation, truncate_to(e, position, e->i32));
    rotation_turn(e, &k->rotation, k->heads, row_of(e, k->q, r, 4 * k->q_width), ELEMENT_F32,
                  row_of(e, k->y, r, 4 * k->q_width));
    value row = append_find_row(e, &k->pages, sequence, position, &known);
    if_begin(e, &branch, known);
    write_keys(e, k, row_of(e, k->k, r, 4 * k->k_width),
               row_of(e, k->k_state, row, element_row_bytes(k->k_element, k->k_width)));
    state_write(e, k->v_element, k->v_width, row_of(e, k->v, r, 4 * k->v_width),
                row_of(e, k->v_state, row, element_row_bytes(k->v_element, k->v_width)));
    if_end(e, &branch, NULL, NULL);
}

static struct rope_append_kernel operands_of(struct emitter *e, const struct row_kernel *kernel)
{
    const struct problem *problem = kernel->problem;
    return (struct rope_append_kernel){
        .heads = problem->attributes[ROPE_APPEND_HEADS].integer,
        .kv_heads = problem->attributes[ROPE_APPEND_KV_HEADS].integer,
        .q_width = fixed_dimension(problem, ROPE_APPEND_Q, 1),
        .k_width = fixed_dimension(problem, ROPE_APPEND_K, 1),
        .v_width = fixed_dimension(problem, ROPE_APPEND_V, 1),
        .k_element = operand_type(problem, ROPE_APPEND_K_STATE)->element,
        .v_element = operand_type(problem, ROPE_APPEND_V_STATE)->element,
        .q = kernel->operands[ROPE_APPEND_Q],
        .k = kernel->operands[ROPE_APPEND_K],
        .v = kernel->operands[ROPE_APPEND_V],
        .positions = kernel->operands[ROPE_APPEND_POSITIONS],
        .sequences = kernel->operands[ROPE_APPEND_SEQUENCES],
        .pages = append_load_pages(e, &kernel->arguments, kernel->operands[ROPE_APPEND_PAGES],
                                   fixed_dimension(problem, ROPE_APPEND_K_STATE, 1)),
        .k_state = kernel->operands[ROPE_APPEND_K_STATE],
        .v_state = kernel->operands[ROPE_APPEND_V_STATE],
        .y = kernel->operands[ROPE_APPEND_Y],
    };
}

static void begin_rotation(struct emitter *e, const struct row_kernel *kernel)
{
    struct rope_append_kernel *k = kernel->state;
    *k = operands_of(e, kernel);
    rotation_begin(e, kernel->problem->attributes + ROPE_APPEND_ROTATION,
                   kernel->operands[ROPE_APPEND_FACTORS], &k->rotation);
    k->head = stack_room(e, 4 * k->rotation.rotation.head_size);
}

generate_function rope_append_cpu_generate;

status rope_append_cpu_generate(const struct generation *generation, struct arena *arena,
                                struct image *image, struct listing *listing,
                                struct diagnostic *diagnostic)
{
    const struct problem *problem = generation->problem;
    struct rope_append_kernel rope_append;
    struct row_kernel kernel = {.name = "rope_append",
                                .operand = ROPE_APPEND_Q,
                                .begin = begin_rotation,
                                .body = emit_row,
                                .state = &rope_append};
    if (!state_is_supported(operand_type(problem, ROPE_APPEND_K_STATE)->element) ||
        !state_is_supported(operand_type(problem, ROPE_APPEND_V_STATE)->element))
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "rope_append_cpu does not write such states: %s", problem->text);
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}

/* Few rows, each against its whole context.
 *
 * A work item is one row, some strands of heads, each of which shares keys and values, and one of
 * `parts` equal parts of the tokens in sight; so there is work for all threads even with one row.
 * The parts' sums meet in a second launch.  The tokens are walked through in blocks, and a block is
 * answered strand by strand: with all strands in one item keys and values are read in the order in
 * which they lie in memory.  While a block is worked on, the tokens of the next are looked up in the
 * page table and fetched, since no processor follows pages by itself. */
#include "ops/attention/attention_decode_core_cpu.h"

#include "codegen/cpu/kernel_image.h"
#include "ops/access.h"
#include "ops/attention/attention_bytes_core_cpu.h"
#include "ops/attention/attention_parts_core_cpu.h"

#include <string.h>

enum { STATE_MAX = 2 * STRAND_HEADS_MAX };

struct decode_kernel {
    struct emitter *e;
    const struct attention_work *work;
    struct attention_pointers pointers;
    bool by_bytes;
    struct strand strand;      /* an item's first */
    struct bytes_strand bytes; /* the same, where products are of bytes */
    struct attention_parts parts;
    int64_t strands, together; /* per row, and of an item */
    value states;              /* on the stack: the chunks' states, strand by strand */
    int fetched_level;         /* of the caches that the next block is fetched into; 0: none */
};

/* One work item. */
struct decode_item {
    value row, head, kv_head;   /* head: the strand's first */
    value record;               /* its number, see attention_parts_core_cpu.h */
    value sequence, begin, end; /* tokens */
    value is_first;             /* i1: has the first of the tokens in sight */
};

static struct decode_item item_of(const struct decode_kernel *k, value index)
{
    struct emitter *e = k->e;
    value strands = constant_i64(e, k->strands / k->together);
    value heads = constant_i64(e, k->strand.heads * k->together);
    value row_part = divide_signed(e, index, strands);
    struct decode_item item = {.row = divide_signed(e, row_part, constant_i64(e, k->parts.count))};
    value part = sub(e, row_part, mul(e, item.row, constant_i64(e, k->parts.count)));
    item.head = mul(e, sub(e, index, mul(e, row_part, strands)), heads);
    item.kv_head = divide_signed(e, item.head, constant_i64(e, k->work->group));
    item.record = add(e, mul(e, row_part, constant_i64(e, k->work->shape.heads)), item.head);
    struct attention_sight sight = attention_sight_of(e, k->work, &k->pointers, item.row);
    value tokens = attention_part_tokens(e, &k->parts, &sight);
    item.sequence = sight.sequence;
    item.begin = add(e, sight.first, mul(e, part, tokens));
    item.end = minimum_signed(e, sight.end, add(e, item.begin, tokens));
    item.is_first = bit_and(e, equal(e, item.begin, sight.first), less(e, item.begin, item.end));
    return item;
}

/* ---- Tokens ---- */

/* Looks up the tokens from `first` on: those of a block that are left before the item's end, then
 * the last one again, to the end of a register. */
static void find_block(const struct decode_kernel *k, const struct decode_item *item, value first,
                       value slot)
{
    struct emitter *e = k->e;
    value one = constant_i64(e, 1), left = sub(e, item->end, first);
    value count = minimum_signed(e, attention_align_value(e, left, e->lanes),
                                 constant_i64(e, k->strand.block));
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), count, 1, NULL, 0);
    value number = minimum_signed(e, add(e, first, loop.index), sub(e, item->end, one));
    struct attention_token token =
        attention_find_token(e, k->work, &k->pointers, item->sequence, number, item->kv_head);
    value at = mul(e, add(e, slot, loop.index), constant_i64(e, (int64_t)sizeof(void *)));
    store(e, token.k, address(e, k->strand.k_tokens, at), sizeof(void *));
    store(e, token.v, address(e, k->strand.v_tokens, at), sizeof(void *));
    loop_end(e, &loop, NULL);
}

/* ---- Strands ---- */

/* One of the item's strands. */
struct decode_strand {
    struct strand strand;
    value head;  /* the first */
    value state; /* address of its chunks' state */
    struct bytes_strand bytes;
    value queries;          /* rounded; by bytes alone */
    value k_shift, v_shift; /* bytes from the item's first keys and values to its own */
};

static struct decode_strand strand_of(const struct decode_kernel *k, const struct decode_item *item,
                                      value number)
{
    struct emitter *e = k->e;
    int64_t state_bytes = 2 * 4 * (int64_t)k->strand.chunk_count * e->lanes;
    struct decode_strand own = {.strand = k->strand};
    own.head = add(e, item->head, mul(e, number, constant_i64(e, k->strand.heads)));
    value after =
        sub(e, divide_signed(e, own.head, constant_i64(e, k->work->group)), item->kv_head);
    own.k_shift = mul(e, after, constant_i64(e, k->work->k.head_bytes));
    own.v_shift = mul(e, after, constant_i64(e, k->work->v.head_bytes));
    own.state = address(e, k->states, mul(e, number, constant_i64(e, state_bytes)));
    own.strand.sums =
        address(e, k->strand.sums, mul(e, number, constant_i64(e, strand_sum_bytes(&k->strand))));
    if (!k->by_bytes) return own;
    own.bytes = k->bytes;
    own.bytes.strand = own.strand;
    own.queries =
        address(e, k->bytes.queries, mul(e, number, constant_i64(e, bytes_query_bytes(&k->bytes))));
    return own;
}

static void load_state(const struct decode_kernel *k, const struct decode_strand *own, value *state)
{
    struct emitter *e = k->e;
    for (int i = 0; i < 2 * k->strand.chunk_count; i++)
        state[i] = load(e, vector_of(e->f32, e->lanes),
                        address_at(e, own->state, 4 * (int64_t)i * e->lanes), 4 * e->lanes);
}

static void store_state(const struct decode_kernel *k, const struct decode_strand *own,
                        const value *state)
{
    struct emitter *e = k->e;
    for (int i = 0; i < 2 * k->strand.chunk_count; i++)
        store(e, state[i], address_at(e, own->state, 4 * (int64_t)i * e->lanes), 4 * e->lanes);
}

static value query_of(const struct decode_kernel *k, const struct decode_item *item,
                      const struct decode_strand *own)
{
    struct emitter *e = k->e;
    value at = add(e, mul(e, item->row, constant_i64(e, k->work->shape.heads)), own->head);
    return address(e, k->pointers.q, mul(e, at, constant_i64(e, 4 * k->work->k.size)));
}

static void start_strand(const struct decode_kernel *k, const struct decode_item *item,
                         const struct decode_strand *own)
{
    struct emitter *e = k->e;
    value state[STATE_MAX], sinks = k->pointers.sinks;
    if (sinks) sinks = address(e, sinks, mul(e, own->head, constant_i64(e, 4)));
    strand_clear(e, &own->strand);
    strand_start(e, &own->strand, sinks, item->is_first, state);
    store_state(k, own, state);
    if (k->by_bytes) bytes_round_queries(e, &own->bytes, query_of(k, item, own), own->queries);
}

static void attend_strand(const struct decode_kernel *k, const struct decode_item *item,
                          const struct decode_strand *own, struct strand_block *block)
{
    struct emitter *e = k->e;
    value state[STATE_MAX];
    block->k_shift = own->k_shift;
    block->v_shift = own->v_shift;
    load_state(k, own, state);
    if (k->by_bytes)
        bytes_attend(e, &own->bytes, block, own->queries, state);
    else
        strand_attend(e, &own->strand, block, query_of(k, item, own), state);
    store_state(k, own, state);
}

/* ---- Results ---- */

static value sums_of_head(const struct decode_kernel *k, const struct decode_strand *own, int head)
{
    return address_at(k->e, own->strand.sums, 4 * (int64_t)head * k->strand.sum_columns);
}

static value row_of_y(const struct decode_kernel *k, value row, value head)
{
    struct emitter *e = k->e;
    value at = add(e, mul(e, row, constant_i64(e, k->work->shape.heads)), head);
    return address(e, k->pointers.y, mul(e, at, constant_i64(e, 4 * k->work->v.size)));
}

/* A row that sees nothing has weight 0 and becomes NaN, as in the reference. */
static void write_outputs(const struct decode_kernel *k, const struct decode_item *item,
                          const struct decode_strand *own, const value *state)
{
    struct emitter *e = k->e;
    value y = row_of_y(k, item->row, own->head);
    for (int c = 0; c < k->strand.chunk_count; c++) {
        const struct strand_chunk *chunk = &k->strand.chunks[c];
        value inverse = divf(e, splat_f32(e, 1, e->lanes), state[2 * c + 1]);
        for (int h = 0; h < chunk->heads; h++)
            attention_write_scaled(e, k->work, sums_of_head(k, own, chunk->first + h),
                                   lane(e, inverse, h * chunk->tokens),
                                   address_at(e, y, 4 * (chunk->first + h) * k->work->v.size));
    }
}

static void write_records(const struct decode_kernel *k, const struct decode_item *item,
                          const struct decode_strand *own, const value *state)
{
    struct emitter *e = k->e;
    value first = add(e, item->record, sub(e, own->head, item->head));
    for (int c = 0; c < k->strand.chunk_count; c++) {
        const struct strand_chunk *chunk = &k->strand.chunks[c];
        for (int h = 0; h < chunk->heads; h++) {
            int head = chunk->first + h, at = h * chunk->tokens;
            value number = add(e, first, constant_i64(e, head));
            attention_write_part(e, &k->parts, number, lane(e, state[2 * c], at),
                                 lane(e, state[2 * c + 1], at), sums_of_head(k, own, head));
        }
    }
}

static void finish_strand(const struct decode_kernel *k, const struct decode_item *item,
                          const struct decode_strand *own)
{
    value state[STATE_MAX];
    load_state(k, own, state);
    strand_finish(k->e, &own->strand, state);
    if (k->by_bytes) bytes_finish(k->e, &own->bytes);
    if (k->parts.count == 1)
        write_outputs(k, item, own, state);
    else
        write_records(k, item, own, state);
}

/* ---- The kernel ---- */

/* All strands of the item: what is done with each. */
typedef void strand_function(const struct decode_kernel *k, const struct decode_item *item,
                             const struct decode_strand *own);

static void each_strand(const struct decode_kernel *k, const struct decode_item *item,
                        strand_function *function)
{
    struct loop loop;
    loop_begin(k->e, &loop, constant_i64(k->e, 0), constant_i64(k->e, k->together), 1, NULL, 0);
    struct decode_strand own = strand_of(k, item, loop.index);
    function(k, item, &own);
    loop_end(k->e, &loop, NULL);
}

static void attend_block(const struct decode_kernel *k, const struct decode_item *item,
                         struct strand_block *block)
{
    int64_t heads = (k->together * k->strand.heads + k->work->group - 1) / k->work->group;
    block->strands = k->together;
    block->k_bytes = heads * k->work->k.head_bytes;
    block->v_bytes = heads * k->work->v.head_bytes;
    struct loop loop;
    loop_begin(k->e, &loop, constant_i64(k->e, 0), constant_i64(k->e, k->together), 1, NULL, 0);
    block->number = loop.index;
    struct decode_strand own = strand_of(k, item, loop.index);
    attend_strand(k, item, &own, block);
    loop_end(k->e, &loop, NULL);
}

static void attend_tokens(const struct decode_kernel *k, const struct decode_item *item)
{
    struct emitter *e = k->e;
    value block = constant_i64(e, k->strand.block), slot = constant_i64(e, 0);
    each_strand(k, item, start_strand);
    find_block(k, item, item->begin, slot);
    struct loop loop;
    loop_begin(e, &loop, item->begin, item->end, k->strand.block, &slot, 1);
    struct strand_block here = {.slot = loop.carried[0]};
    here.count = minimum_signed(e, block, sub(e, item->end, loop.index));
    slot = sub(e, block, here.slot);
    find_block(k, item, add(e, loop.index, block), slot);
    if (k->fetched_level) here.ahead = slot;
    here.level = k->fetched_level;
    attend_block(k, item, &here);
    loop_end(e, &loop, &slot);
    each_strand(k, item, finish_strand);
}

static void emit_item(const struct decode_kernel *k, value index)
{
    struct emitter *e = k->e;
    struct decode_item item = item_of(k, index);
    if (k->parts.count == 1) {
        attend_tokens(k, &item);
        return;
    }
    struct branch branch;
    if_begin(e, &branch, less(e, item.begin, item.end));
    attend_tokens(k, &item);
    if_end(e, &branch, NULL, NULL);
}

static void begin_strands(struct decode_kernel *k, const struct space *space,
                          const struct config *config)
{
    int heads = (int)(k->work->shape.heads / k->strands), strands = (int)k->together;
    int together = (int)config_value(space, config, "heads_together");
    int block = (int)config_value(space, config, "block");
    if (k->by_bytes) {
        bytes_strand_begin(k->e, k->work, heads, together, block, strands, &k->bytes);
        k->strand = k->bytes.strand;
        return;
    }
    int64_t columns = attention_align(k->work->v.size, k->e->lanes);
    strand_begin(k->e, k->work, heads, together, block, columns, strands, &k->strand);
}

static void emit_attend(struct decode_kernel *k, const struct generation *generation,
                        struct launch *launch)
{
    struct emitter *e = k->e;
    const struct space *space = generation->space;
    const struct config *config = generation->config;
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    k->pointers = attention_load_pointers(e, k->work, &kernel, launch);
    if (k->parts.count > 1)
        k->parts.records = kernel_workspace(e, &kernel, launch, k->parts.workspace);
    begin_strands(k, space, config);
    k->states = stack_room(e, k->together * 2 * 4 * (int64_t)k->strand.chunk_count * e->lanes);
    struct loop loop;
    loop_begin(e, &loop, kernel.begin, kernel.end, 1, NULL, 0);
    emit_item(k, loop.index);
    loop_end(e, &loop, NULL);
    kernel_end(e);
}

static status emit_decode(struct decode_kernel *k, const struct generation *generation,
                          struct image *image, struct diagnostic *diagnostic)
{
    const struct space *space = generation->space;
    const struct config *config = generation->config;
    int64_t heads = config_value(space, config, "heads_per_item");
    struct geometry geometry;
    k->strands = k->work->shape.heads / heads;
    k->together = config_value(space, config, "strands_per_item");
    k->fetched_level = (int)config_value(space, config, "prefetch");
    attention_parts_create(k->work, config_value(space, config, "parts"), image, &k->parts);
    TRY(rows_geometry(generation->problem, ATTENTION_Q, k->parts.count * k->strands / k->together,
                      &geometry, diagnostic));
    emit_attend(k, generation, image_add_launch(image, "attend", geometry));
    if (k->parts.count == 1) return STATUS_OK;
    TRY(rows_geometry(generation->problem, ATTENTION_Q, k->work->shape.heads, &geometry,
                      diagnostic));
    attention_emit_merge(k->e, k->work, &k->parts, image_add_launch(image, "merge", geometry));
    return STATUS_OK;
}

status attention_decode_generate(bool bytes, const struct generation *generation,
                                 struct arena *arena, struct image *image, struct listing *listing,
                                 struct diagnostic *diagnostic)
{
    struct attention_work work;
    TRY(attention_work_read(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct decode_kernel k = {.e = &e, .work = &work, .by_bytes = bytes};
    *image = (struct image){.target = TARGET_CPU};
    status code = emit_decode(&k, generation, image, diagnostic);
    if (code == STATUS_OK) code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}

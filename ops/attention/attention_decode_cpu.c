/* attention_decode_cpu: few rows, each against its whole context.
 *
 * A work item is one row, one strand of heads that share keys and values, and one of `parts` equal
 * parts of the tokens in sight; so there is work for all threads even with one row.  The parts'
 * sums meet in a second launch.  The tokens are walked through in blocks; while one is worked on,
 * the tokens of the next are looked up in the page table and fetched, since no processor follows
 * pages by itself. */
#include "codegen/cpu/kernel_image.h"
#include "ops/access.h"
#include "ops/attention/attention_parts_core_cpu.h"
#include "ops/attention/attention_strand_core_cpu.h"

#include <string.h>

enum { CACHE_LINE_BYTES = 64, STATE_MAX = 2 * STRAND_HEADS_MAX };

struct decode_kernel {
    struct emitter *e;
    const struct attention_work *work;
    struct attention_pointers pointers;
    struct strand strand;
    struct attention_parts parts;
    int64_t strands; /* per row */
    bool prefetches;
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
    value strands = constant_i64(e, k->strands), heads = constant_i64(e, k->strand.heads);
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

static void fetch_head(const struct decode_kernel *k, const struct attention_side *side,
                       value address_of_head)
{
    for (int64_t at = 0; at < side->head_bytes; at += CACHE_LINE_BYTES)
        prefetch(k->e, address_of_head, at, 1);
}

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
    if (k->prefetches) {
        fetch_head(k, &k->work->k, token.k);
        fetch_head(k, &k->work->v, token.v);
    }
    loop_end(e, &loop, NULL);
}

/* All tokens of the item; `state` and the strand's sums at the end. */
static void attend_tokens(const struct decode_kernel *k, const struct decode_item *item,
                          value *state)
{
    struct emitter *e = k->e;
    const struct strand *strand = &k->strand;
    int count = 2 * strand->chunk_count;
    value zero = constant_i64(e, 0), block = constant_i64(e, strand->block), carried[STATE_MAX + 1];
    value at = add(e, mul(e, item->row, constant_i64(e, k->work->shape.heads)), item->head);
    value q = address(e, k->pointers.q, mul(e, at, constant_i64(e, 4 * k->work->k.size)));
    strand_clear(e, strand);
    value sinks = k->pointers.sinks;
    if (sinks) sinks = address(e, sinks, mul(e, item->head, constant_i64(e, 4)));
    strand_start(e, strand, sinks, item->is_first, carried);
    carried[count] = zero;
    find_block(k, item, item->begin, zero);
    struct loop loop;
    loop_begin(e, &loop, item->begin, item->end, strand->block, carried, count + 1);
    struct strand_block here = {.slot = loop.carried[count]};
    here.count = minimum_signed(e, block, sub(e, item->end, loop.index));
    value next = sub(e, block, here.slot);
    find_block(k, item, add(e, loop.index, block), next);
    memcpy(carried, loop.carried, sizeof *carried * (size_t)count);
    strand_attend(e, strand, &here, q, carried);
    carried[count] = next;
    loop_end(e, &loop, carried);
    memcpy(state, loop.carried, sizeof *state * (size_t)count);
    strand_finish(e, strand, state);
}

/* ---- Results ---- */

static value sums_of_head(const struct decode_kernel *k, int head)
{
    return address_at(k->e, k->strand.sums, 4 * (int64_t)head * k->strand.sum_columns);
}

static value row_of_y(const struct decode_kernel *k, value row, value head)
{
    struct emitter *e = k->e;
    value at = add(e, mul(e, row, constant_i64(e, k->work->shape.heads)), head);
    return address(e, k->pointers.y, mul(e, at, constant_i64(e, 4 * k->work->v.size)));
}

/* A row that sees nothing has weight 0 and becomes NaN, as in the reference. */
static void write_outputs(const struct decode_kernel *k, const struct decode_item *item,
                          const value *state)
{
    struct emitter *e = k->e;
    value y = row_of_y(k, item->row, item->head);
    for (int c = 0; c < k->strand.chunk_count; c++) {
        const struct strand_chunk *chunk = &k->strand.chunks[c];
        value inverse = divf(e, splat_f32(e, 1, e->lanes), state[2 * c + 1]);
        for (int h = 0; h < chunk->heads; h++)
            attention_write_scaled(e, k->work, sums_of_head(k, chunk->first + h),
                                   lane(e, inverse, h * chunk->tokens),
                                   address_at(e, y, 4 * (chunk->first + h) * k->work->v.size));
    }
}

static void write_records(const struct decode_kernel *k, const struct decode_item *item,
                          const value *state)
{
    struct emitter *e = k->e;
    for (int c = 0; c < k->strand.chunk_count; c++) {
        const struct strand_chunk *chunk = &k->strand.chunks[c];
        for (int h = 0; h < chunk->heads; h++) {
            int head = chunk->first + h, at = h * chunk->tokens;
            value number = add(e, item->record, constant_i64(e, head));
            attention_write_part(e, &k->parts, number, lane(e, state[2 * c], at),
                                 lane(e, state[2 * c + 1], at), sums_of_head(k, head));
        }
    }
}

/* ---- The kernel ---- */

static void emit_item(const struct decode_kernel *k, value index)
{
    struct emitter *e = k->e;
    struct decode_item item = item_of(k, index);
    value state[STATE_MAX];
    if (k->parts.count == 1) {
        attend_tokens(k, &item, state);
        write_outputs(k, &item, state);
        return;
    }
    struct branch branch;
    if_begin(e, &branch, less(e, item.begin, item.end));
    attend_tokens(k, &item, state);
    write_records(k, &item, state);
    if_end(e, &branch, NULL, NULL);
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
    strand_begin(e, k->work, (int)(k->work->shape.heads / k->strands),
                 (int)config_value(space, config, "heads_together"),
                 (int)config_value(space, config, "block"), &k->strand);
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
    k->prefetches = config_value(space, config, "prefetch");
    attention_parts_create(k->work, config_value(space, config, "parts"), image, &k->parts);
    TRY(rows_geometry(generation->problem, ATTENTION_Q, k->parts.count * k->strands, &geometry,
                      diagnostic));
    emit_attend(k, generation, image_add_launch(image, "attend", geometry));
    if (k->parts.count == 1) return STATUS_OK;
    TRY(rows_geometry(generation->problem, ATTENTION_Q, k->work->shape.heads, &geometry,
                      diagnostic));
    attention_emit_merge(k->e, k->work, &k->parts, image_add_launch(image, "merge", geometry));
    return STATUS_OK;
}

generate_function attention_decode_cpu_generate;

status attention_decode_cpu_generate(const struct generation *generation, struct arena *arena,
                                     struct image *image, struct listing *listing,
                                     struct diagnostic *diagnostic)
{
    struct attention_work work;
    TRY(attention_work_read(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct decode_kernel k = {.e = &e, .work = &work};
    *image = (struct image){.target = TARGET_CPU};
    status code = emit_decode(&k, generation, image, diagnostic);
    if (code == STATUS_OK) code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}

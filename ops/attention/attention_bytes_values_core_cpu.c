/* Sums of values for a strand of heads, byte by byte.
 *
 * A register of codes has slots of 16 bytes: q8_0's blocks fill two (or, with slots for less, two
 * registers), q4_0's one, whose low halves are one part and whose high halves are another.  Bytes
 * of four tokens in a lane make four registers of it: lane 4 s + i of register r has columns
 * 4 r + i of slot s.  Sums lie in that order until the end. */
#include "ops/attention/attention_bytes_core_cpu.h"
#include "ops/linear/linear_quantize_core_cpu.h"

enum { SLOT_LANES = 4, LANES_MAX = 16, QUARTERS = 4, PARTS = 2 };

/* Where a type's columns are. */
struct value_unit {
    enum element_type element;
    bool packed;       /* two codes to a byte */
    int slots, blocks; /* of a register; of a unit */
    int parts;         /* of codes of a unit: register or nibbles */
};

static struct value_unit unit_of(const struct emitter *e, enum element_type element)
{
    struct value_unit unit = {.element = element, .packed = element == ELEMENT_Q4_0};
    unit.slots = e->lanes / SLOT_LANES;
    unit.blocks = unit.packed ? unit.slots : unit.slots > 1 ? unit.slots / 2 : 1;
    unit.parts = unit.packed || unit.slots == 1 ? PARTS : 1;
    return unit;
}

static int block_of_slot(const struct value_unit *unit, int slot)
{
    return unit->packed ? slot : slot / 2;
}

static int64_t column_of(const struct value_unit *unit, int part, int slot)
{
    int64_t half = unit->parts == PARTS ? part : slot % 2;
    return block_of_slot(unit, slot) * (int64_t)BYTES_BLOCK + half * BYTES_HALF;
}

static int64_t unit_columns(const struct value_unit *unit)
{
    return (int64_t)unit->blocks * BYTES_BLOCK;
}

static int64_t blocks_padded(const struct emitter *e, const struct attention_work *work)
{
    struct value_unit unit = unit_of(e, work->v.element);
    return attention_align(work->v.size / BYTES_BLOCK, unit.blocks);
}

int64_t bytes_value_blocks(const struct emitter *e, const struct bytes_strand *strand)
{
    return blocks_padded(e, strand->strand.work);
}

int64_t bytes_sum_columns(const struct emitter *e, const struct attention_work *work)
{
    return blocks_padded(e, work) * BYTES_BLOCK;
}

/* ---- Weights ---- */

static value element_at(struct emitter *e, value array, int64_t row, int64_t columns, value column,
                        int bytes)
{
    value at = add(e, constant_i64(e, row * columns), column);
    return address(e, array, mul(e, at, constant_i64(e, bytes)));
}

/* A head's weights of a register of tokens times the scales of their values. */
static value scaled_weights(struct emitter *e, const struct bytes_strand *strand, int head,
                            value token, value scales)
{
    value at = element_at(e, strand->strand.scores, head, strand->strand.block, token, 4);
    return mulf(e, load(e, vector_of(e->f32, e->lanes), at, 4 * e->lanes), scales);
}

static value load_scales(struct emitter *e, const struct bytes_strand *strand, value number,
                         value token)
{
    return load(e, vector_of(e->f32, e->lanes),
                bytes_scales_at(e, strand, strand->value_scales, number, token), 4 * e->lanes);
}

/* The largest magnitude of each head's products, as bits, so that NaN is the largest. */
static void find_largest(struct emitter *e, const struct bytes_strand *strand,
                         const struct strand_block *block, value number, value *largest)
{
    const struct strand *all = &strand->strand;
    LLVMTypeRef integers = vector_of(e->i32, e->lanes);
    struct loop loop;
    for (int h = 0; h < all->heads; h++) largest[h] = zero_of(integers);
    loop_begin(e, &loop, constant_i64(e, 0), block->count, e->lanes, largest, all->heads);
    value scales = load_scales(e, strand, number, loop.index);
    for (int h = 0; h < all->heads; h++) {
        value bits = reinterpret(e, scaled_weights(e, strand, h, loop.index, scales), integers);
        bits = bit_and(e, bits, splat_i32(e, 0x7fffffff, e->lanes));
        largest[h] = maximum_signed(e, loop.carried[h], bits);
    }
    loop_end(e, &loop, largest);
    for (int h = 0; h < all->heads; h++) largest[h] = horizontal_maximum_signed(e, loop.carried[h]);
}

/* The factors that make the largest 127 * 128. */
static void choose_factors(struct emitter *e, const struct bytes_strand *strand, value number,
                           const value *largest, value *factors)
{
    int64_t blocks = bytes_value_blocks(e, strand);
    for (int h = 0; h < strand->strand.heads; h++) {
        value scale;
        factors[h] = bytes_choose_scale(e, largest[h], &scale);
        store(e, scale, element_at(e, strand->scales, h, blocks, number, 4), 4);
    }
}

/* Where a plane of the bytes of a head and a register of tokens lies for block `number`. */
static value bytes_at(struct emitter *e, const struct bytes_strand *strand, int head, int plane,
                      value token, value number)
{
    int64_t blocks = bytes_value_blocks(e, strand), each = strand->strand.block * blocks;
    value first = address_at(e, strand->weights, (head * BYTES_PLANES + plane) * each);
    value row = address(e, first, mul(e, token, constant_i64(e, blocks)));
    return address(e, row, mul(e, number, constant_i64(e, e->lanes)));
}

/* Stores the bytes, and what the sums of products with codes begin with. */
static void round_weights(struct emitter *e, const struct bytes_strand *strand,
                          const struct strand_block *block, value number, const value *factors)
{
    const struct strand *all = &strand->strand;
    LLVMTypeRef integers = vector_of(e->i32, e->lanes);
    int64_t blocks = bytes_value_blocks(e, strand);
    value sums[STRAND_HEADS_MAX], planes[BYTES_PLANES];
    struct loop loop;
    for (int h = 0; h < all->heads; h++) sums[h] = zero_of(integers);
    loop_begin(e, &loop, constant_i64(e, 0), block->count, e->lanes, sums, all->heads);
    value scales = load_scales(e, strand, number, loop.index);
    for (int h = 0; h < all->heads; h++) {
        value weights = scaled_weights(e, strand, h, loop.index, scales);
        value whole = linear_round(e, weights, factors[h]);
        bytes_split(e, whole, planes);
        for (int p = 0; p < BYTES_PLANES; p++)
            store(e, planes[p], bytes_at(e, strand, h, p, loop.index, number), e->lanes);
        sums[h] = add(e, loop.carried[h], whole);
    }
    loop_end(e, &loop, sums);
    value offset = constant_i32(e, -bytes_offset(e, all->work->v.element));
    for (int h = 0; h < all->heads; h++)
        store(e, mul(e, horizontal_add(e, loop.carried[h]), offset),
              element_at(e, strand->offsets, h, blocks, number, 4), 4);
}

static void weigh_values(struct emitter *e, const struct bytes_strand *strand,
                         const struct strand_block *block)
{
    value largest[STRAND_HEADS_MAX], factors[STRAND_HEADS_MAX];
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0),
               constant_i64(e, strand->strand.work->v.size / BYTES_BLOCK), 1, NULL, 0);
    find_largest(e, strand, block, loop.index, largest);
    choose_factors(e, strand, loop.index, largest, factors);
    round_weights(e, strand, block, loop.index, factors);
    loop_end(e, &loop, NULL);
}

/* ---- Codes of four tokens side by side ---- */

/* The codes of a unit of a token, of which `present` blocks exist. */
static value load_codes(struct emitter *e, const struct value_unit *unit, value token, int part,
                        int present)
{
    int64_t block_bytes = element_of(unit->element)->block_bytes;
    value slots[LANES_MAX / SLOT_LANES];
    int wide = unit->packed || unit->slots == 1 ? 1 : 2, count = unit->slots / wide;
    LLVMTypeRef type = vector_of(e->i32, wide * SLOT_LANES);
    int64_t within = BYTES_SCALE + (unit->packed || wide > 1 ? 0 : (int64_t)part * BYTES_HALF);
    for (int i = 0; i < count; i++)
        slots[i] = i < present ? load(e, type, address_at(e, token, i * block_bytes + within), 1)
                               : zero_of(type);
    for (; count > 1; count /= 2)
        for (int i = 0; i < count / 2; i++)
            slots[i] = concatenate(e, slots[2 * i], slots[2 * i + 1]);
    return slots[0];
}

/* Of each slot, the low or the high half of its `count / slots` numbers, those of a and of b in
 * turn. */
static value interleave(struct emitter *e, value a, value b, int slots, int high)
{
    int picked[4 * LANES_MAX], count = lanes_of(a), each = count / slots;
    for (int i = 0; i < count; i++) {
        int slot = i / each, within = i % each;
        picked[i] = slot * each + high * each / 2 + within / 2 + (within % 2) * count;
    }
    return shuffle(e, a, b, picked, count);
}

/* Bytes of four tokens, of which lanes hold one column each. */
static void join_tokens(struct emitter *e, const value *tokens, value *quarters)
{
    int slots = e->lanes / SLOT_LANES;
    LLVMTypeRef bytes = vector_of(e->i8, 4 * e->lanes), pairs = vector_of(e->i16, 2 * e->lanes);
    value each[4], words[2][2];
    for (int t = 0; t < 4; t++) each[t] = reinterpret(e, tokens[t], bytes);
    for (int pair = 0; pair < 2; pair++)
        for (int high = 0; high < 2; high++)
            words[pair][high] = reinterpret(
                e, interleave(e, each[2 * pair], each[2 * pair + 1], slots, high), pairs);
    for (int r = 0; r < QUARTERS; r++)
        quarters[r] = reinterpret(e, interleave(e, words[0][r / 2], words[1][r / 2], slots, r % 2),
                                  vector_of(e->i32, e->lanes));
}

/* ---- Sums ---- */

/* Some heads and parts of a unit, whose sums stay in registers. */
struct value_tile {
    struct value_unit unit;
    int first, heads, part, parts, present;
    value block; /* the unit's first, i64 */
    struct fetching fetching;
};

static int tile_sums(const struct value_tile *tile)
{
    return tile->heads * BYTES_PLANES * tile->parts * QUARTERS;
}

static value *sum_of(const struct value_tile *tile, value *sums, int head, int plane, int part,
                     int quarter)
{
    return &sums[((head * BYTES_PLANES + plane) * tile->parts + part) * QUARTERS + quarter];
}

static value sum_place(struct emitter *e, const struct bytes_strand *strand,
                       const struct value_tile *tile, int head, int part, int quarter)
{
    int64_t within = ((tile->part + part) * (int64_t)QUARTERS + quarter) * e->lanes;
    int64_t row = (tile->first + head) * strand->strand.sum_columns;
    value column = mul(e, tile->block, constant_i64(e, BYTES_BLOCK));
    return address_at(e, address(e, strand->strand.sums, shift_left(e, column, 2)),
                      4 * (row + within));
}

/* A number of each block of the unit in the lanes of its slots. */
static value spread(struct emitter *e, const struct bytes_strand *strand,
                    const struct value_tile *tile, value array, int head, LLVMTypeRef type)
{
    int lanes[LANES_MAX];
    for (int i = 0; i < e->lanes; i++) lanes[i] = block_of_slot(&tile->unit, i / SLOT_LANES);
    value at =
        element_at(e, array, tile->first + head, bytes_value_blocks(e, strand), tile->block, 4);
    if (tile->unit.blocks == 1) return splat(e, load(e, type, at, 4), e->lanes);
    return shuffle(e, load(e, vector_of(type, tile->unit.blocks), at, 4), NULL, lanes, e->lanes);
}

/* The bytes of weights of four tokens, those of group `group` of the register of tokens. */
static value spread_weights(struct emitter *e, const struct value_tile *tile, value bytes,
                            int group)
{
    int lanes[LANES_MAX], groups = e->lanes / 4, count = tile->unit.blocks * groups;
    for (int i = 0; i < e->lanes; i++)
        lanes[i] = block_of_slot(&tile->unit, i / SLOT_LANES) * groups + group;
    if (count == 1) return splat(e, load(e, e->i32, bytes, 4), e->lanes);
    return shuffle(e, load(e, vector_of(e->i32, count), bytes, 4), NULL, lanes, e->lanes);
}

/* Adds four tokens. */
static void add_tokens(struct emitter *e, const struct value_tile *tile, const value *tokens,
                       const value *weights, int group, value *sums)
{
    value rows[4], quarters[PARTS][QUARTERS];
    const struct value_unit *unit = &tile->unit;
    for (int p = 0; p < tile->parts; p++) {
        if (unit->packed && p) {
            for (int r = 0; r < QUARTERS; r++) quarters[p][r] = quarters[0][r];
            continue;
        }
        for (int t = 0; t < 4; t++)
            rows[t] = load_codes(e, unit, tokens[4 * group + t], tile->part + p, tile->present);
        join_tokens(e, rows, quarters[p]);
    }
    for (int p = 0; p < tile->parts && unit->packed; p++)
        for (int r = 0; r < QUARTERS; r++)
            quarters[p][r] = bytes_nibbles(e, quarters[p][r], tile->part + p);
    for (int i = 0; i < tile->heads * BYTES_PLANES; i++) {
        value weight = spread_weights(e, tile, weights[i], group);
        for (int p = 0; p < tile->parts; p++)
            for (int r = 0; r < QUARTERS; r++) {
                value *sum = sum_of(tile, sums, i / BYTES_PLANES, i % BYTES_PLANES, p, r);
                *sum = bytes_dot(e, unit->element, *sum, quarters[p][r], weight);
            }
    }
}

/* A register of tokens. */
static void add_register(struct emitter *e, const struct bytes_strand *strand,
                         const struct value_tile *tile, const struct strand_block *block,
                         value token, value *sums)
{
    const struct strand *all = &strand->strand;
    value tokens[LANES_MAX], weights[BYTES_PLANES * STRAND_HEADS_MAX],
        slot = add(e, block->slot, token);
    int64_t block_bytes = element_of(tile->unit.element)->block_bytes;
    value after = add(e, block->v_shift, mul(e, tile->block, constant_i64(e, block_bytes)));
    for (int t = 0; t < e->lanes; t++) tokens[t] = strand_token(e, all->v_tokens, slot, t, after);
    for (int i = 0; i < tile->heads * BYTES_PLANES; i++)
        weights[i] = bytes_at(e, strand, tile->first + i / BYTES_PLANES, i % BYTES_PLANES, token,
                              tile->block);
    for (int group = 0; group < e->lanes / 4; group++)
        add_tokens(e, tile, tokens, weights, group, sums);
}

static void add_to_sums(struct emitter *e, const struct bytes_strand *strand,
                        const struct value_tile *tile, const value *shrink, value *products)
{
    LLVMTypeRef reals = vector_of(e->f32, e->lanes);
    for (int h = 0; h < tile->heads; h++) {
        value scale = spread(e, strand, tile, strand->scales, h, e->f32);
        for (int p = 0; p < tile->parts; p++)
            for (int r = 0; r < QUARTERS; r++) {
                value place = sum_place(e, strand, tile, h, p, r);
                value before =
                    mulf(e, load(e, reals, place, 4 * e->lanes), shrink[tile->first + h]);
                value added = integer_to_f32(e, bytes_join(e, *sum_of(tile, products, h, 0, p, r),
                                                           *sum_of(tile, products, h, 1, p, r)));
                store(e, muladdf(e, added, scale, before), place, 4 * e->lanes);
            }
    }
}

static void sum_tile(struct emitter *e, const struct bytes_strand *strand,
                     const struct value_tile *tile, const struct strand_block *block,
                     const value *shrink)
{
    value sums[CARRIED_MAX];
    int count = tile_sums(tile);
    for (int h = 0; h < tile->heads; h++) {
        value start = spread(e, strand, tile, strand->offsets, h, e->i32);
        for (int i = 0; i < tile->parts * QUARTERS; i++) {
            *sum_of(tile, sums, h, 0, 0, i) = start;
            *sum_of(tile, sums, h, 1, 0, i) = zero_of(LLVMTypeOf(start));
        }
    }
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), block->count, e->lanes, sums, count);
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
    bytes_fetch(e, &strand->strand, block, &tile->fetching, loop.index);
    add_register(e, strand, tile, block, loop.index, sums);
    loop_end(e, &loop, sums);
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
    add_to_sums(e, strand, tile, shrink, sums);
}

/* How a unit is cut into tiles: more sums would not fit the registers. */
struct cut {
    int heads, parts, tiles;
};

static struct cut cut_of(const struct emitter *e, const struct bytes_strand *strand,
                         const struct value_unit *unit)
{
    int most = e->lanes == 16 ? 24 : 8, heads = strand->strand.heads;
    struct cut cut = {.parts = unit->parts};
    if (heads * BYTES_PLANES * cut.parts * QUARTERS > most) cut.parts = 1;
    cut.heads = most / (BYTES_PLANES * cut.parts * QUARTERS);
    if (cut.heads > heads) cut.heads = heads;
    cut.tiles = (heads + cut.heads - 1) / cut.heads * (unit->parts / cut.parts);
    return cut;
}

static void sum_unit(struct emitter *e, const struct bytes_strand *strand,
                     const struct strand_block *block, const struct value_unit *unit, value number,
                     int present, const value *shrink)
{
    const struct strand *all = &strand->strand;
    struct cut cut = cut_of(e, strand, unit);
    int64_t units = bytes_value_blocks(e, strand) / unit->blocks;
    struct value_tile tile = {.unit = *unit, .parts = cut.parts, .present = present};
    tile.block = mul(e, number, constant_i64(e, unit->blocks));
    tile.fetching = (struct fetching){all->v_tokens, block->v_bytes, NULL, units * cut.tiles};
    value pass = mul(e, number, constant_i64(e, cut.tiles));
    for (tile.first = 0; tile.first < all->heads; tile.first += cut.heads)
        for (tile.part = 0; tile.part < unit->parts; tile.part += cut.parts) {
            tile.heads = all->heads - tile.first < cut.heads ? all->heads - tile.first : cut.heads;
            tile.fetching.pass = pass;
            sum_tile(e, strand, &tile, block, shrink);
            pass = add(e, pass, constant_i64(e, 1));
        }
}

void bytes_sum_values(struct emitter *e, const struct bytes_strand *strand,
                      const struct strand_block *block, const value *shrink)
{
    const struct attention_side *v = &strand->strand.work->v;
    struct value_unit unit = unit_of(e, v->element);
    int64_t whole = v->size / unit_columns(&unit), rest = v->size % unit_columns(&unit);
    weigh_values(e, strand, block);
    if (whole) {
        struct loop loop;
        loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, whole), 1, NULL, 0);
        sum_unit(e, strand, block, &unit, loop.index, unit.blocks, shrink);
        loop_end(e, &loop, NULL);
    }
    if (rest)
        sum_unit(e, strand, block, &unit, constant_i64(e, whole), (int)(rest / BYTES_BLOCK),
                 shrink);
}

/* ---- The end ---- */

/* The sums of a unit of a head at `sums`, column by column. */
static void order_unit(struct emitter *e, const struct value_unit *unit, value sums)
{
    value registers[PARTS * QUARTERS];
    int count = unit->parts * QUARTERS;
    for (int i = 0; i < count; i++)
        registers[i] = load(e, vector_of(e->f32, e->lanes),
                            address_at(e, sums, 4 * (int64_t)i * e->lanes), 4 * e->lanes);
    for (int i = 0; i < count; i++)
        for (int s = 0; s < unit->slots; s++) {
            int64_t column = column_of(unit, i / QUARTERS, s) + i % QUARTERS * SLOT_LANES;
            value four = unit->slots == 1 ? registers[i]
                                          : slice(e, registers[i], s * SLOT_LANES, SLOT_LANES);
            store(e, four, address_at(e, sums, 4 * column), 4 * SLOT_LANES);
        }
}

void bytes_finish(struct emitter *e, const struct bytes_strand *strand)
{
    struct value_unit unit = unit_of(e, strand->strand.work->v.element);
    int64_t units = strand->strand.heads * strand->strand.sum_columns / unit_columns(&unit);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, units), 1, NULL, 0);
    value at = mul(e, loop.index, constant_i64(e, 4 * unit_columns(&unit)));
    order_unit(e, &unit, address(e, strand->strand.sums, at));
    loop_end(e, &loop, NULL);
}

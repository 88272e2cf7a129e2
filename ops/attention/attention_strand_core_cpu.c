/* Blocks of tokens for a strand of heads. */
#include "ops/attention/attention_strand_core_cpu.h"

#include "ops/append/state_core_cpu.h"

/* A block of many heads is more than the first cache holds. */
enum { LANES_MAX = 16, ADDRESS_BYTES = 8, CACHE_LINE_BYTES = 64 };

static int smaller_of(int a, int b)
{
    return a < b ? a : b;
}

int64_t strand_sum_bytes(const struct strand *strand)
{
    return 4 * strand->heads * strand->sum_columns;
}

void strand_begin(struct emitter *e, const struct attention_work *work, int heads, int together,
                  int block, int64_t sum_columns, int strands, struct strand *strand)
{
    *strand = (struct strand){.work = work, .heads = heads, .block = block};
    strand->sum_columns = sum_columns;
    int size = smaller_of(together, e->lanes);
    for (int first = 0; first < heads; first += size) {
        while (size > heads - first) size /= 2;
        strand->chunks[strand->chunk_count++] = (struct strand_chunk){first, size, e->lanes / size};
    }
    strand->k_tokens = stack_room(e, 2 * (int64_t)block * ADDRESS_BYTES);
    strand->v_tokens = stack_room(e, 2 * (int64_t)block * ADDRESS_BYTES);
    strand->scores = stack_room(e, (int64_t)block * (heads > e->lanes ? heads : e->lanes) * 4);
    strand->sums = stack_room(e, strands * strand_sum_bytes(strand));
}

void strand_clear(struct emitter *e, const struct strand *strand)
{
    LLVMTypeRef reals = vector_of(e->f32, e->lanes);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, strand_sum_bytes(strand)),
               (int64_t)e->lanes * 4, NULL, 0);
    store(e, zero_of(reals), address(e, strand->sums, loop.index), 4 * e->lanes);
    loop_end(e, &loop, NULL);
}

/* A head's sink is in all its lanes, its weight in the first of them: weights are added up. */
static void start_sinks(struct emitter *e, const struct strand_chunk *chunk, value sinks,
                        value counts, value *state)
{
    int lanes[LANES_MAX];
    value ones[LANES_MAX];
    for (int i = 0; i < e->lanes; i++) {
        lanes[i] = i / chunk->tokens;
        ones[i] = constant_f32(e, i % chunk->tokens ? 0 : 1);
    }
    value each = load_first(e, vector_of(e->f32, e->lanes),
                            address_at(e, sinks, 4 * (int64_t)chunk->first), chunk->heads, 4);
    state[0] = choose(e, counts, shuffle(e, each, NULL, lanes, e->lanes), state[0]);
    state[1] = choose(e, counts, LLVMConstVector(ones, (unsigned)e->lanes), state[1]);
}

void strand_start(struct emitter *e, const struct strand *strand, value sinks, value counts,
                  value *state)
{
    for (int c = 0; c < strand->chunk_count; c++) {
        state[2 * c] = splat_f32(e, ATTENTION_LOWEST, e->lanes);
        state[2 * c + 1] = zero_of(vector_of(e->f32, e->lanes));
        if (sinks) start_sinks(e, &strand->chunks[c], sinks, counts, &state[2 * c]);
    }
}

void strand_finish(struct emitter *e, const struct strand *strand, value *state)
{
    for (int c = 0; c < strand->chunk_count; c++)
        state[2 * c + 1] = attention_group_sum(e, state[2 * c + 1], strand->chunks[c].tokens);
}

/* ---- Scores ---- */

value strand_token(struct emitter *e, value tokens, value slot, int64_t after, value shift)
{
    value at = mul(e, slot, constant_i64(e, ADDRESS_BYTES));
    value place = address_at(e, address(e, tokens, at), after * ADDRESS_BYTES);
    return address(e, load(e, e->pointer, place, ADDRESS_BYTES), shift);
}

/* The part that belongs to a register of scores, whose first token is `token`. */
/* Line by line: what computes their addresses keeps them apart; 64 of them at once made f16 with 8 heads a third slower. */
static void fetch_lines(struct emitter *e, const struct strand *strand,
                        const struct strand_chunk *chunk, const struct strand_block *block,
                        const struct fetching *what, value token)
{
    if (!block->ahead || chunk->first) return;
    int64_t lines = attention_align(what->bytes, CACHE_LINE_BYTES) / CACHE_LINE_BYTES;
    int64_t parts = block->strands * what->passes;
    int64_t share = (lines * chunk->tokens + parts - 1) / parts;
    value number = add(e, mul(e, block->number, constant_i64(e, what->passes)), what->pass);
    value done = add(e, mul(e, number, constant_i64(e, strand->block)), token);
    value first = divide_signed(e, mul(e, done, constant_i64(e, lines)), constant_i64(e, parts));
    value most = constant_i64(e, strand->block * lines - 1), each = constant_i64(e, lines);
    for (int64_t i = 0; i < share; i++) {
        value line = minimum_signed(e, add(e, first, constant_i64(e, i)), most);
        value slot = divide_signed(e, line, each);
        value at = mul(e, sub(e, line, mul(e, slot, each)), constant_i64(e, CACHE_LINE_BYTES));
        prefetch(e, strand_token(e, what->tokens, add(e, block->ahead, slot), 0, at), 0,
                 block->level);
    }
}

/* products[h * tokens + t] += the part of head h's query times that of token t's key; NULL is 0. */
static void add_products(struct emitter *e, const struct strand *strand,
                         const struct strand_chunk *chunk, int64_t column, value q,
                         const value *keys, value *products)
{
    const struct attention_side *k = &strand->work->k;
    int64_t left = k->size - column;
    int count = left < e->lanes ? (int)left : e->lanes;
    value queries[LANES_MAX];
    for (int h = 0; h < chunk->heads; h++)
        queries[h] =
            load_first(e, vector_of(e->f32, e->lanes),
                       address_at(e, q, 4 * ((chunk->first + h) * k->size + column)), count, 4);
    for (int t = 0; t < chunk->tokens; t++) {
        value key = state_load(e, k->element, keys[t], column, count, e->lanes);
        for (int h = 0; h < chunk->heads; h++) {
            value *product = &products[h * chunk->tokens + t];
            *product = *product ? muladdf(e, queries[h], key, *product) : mulf(e, queries[h], key);
        }
    }
}

/* Columns of a round of the loop below: enough work to hide the loop, not too much code, and whole
 * blocks. */
static int64_t round_columns(const struct emitter *e)
{
    return e->lanes > 8 ? 4 * e->lanes : 32;
}

/* The scores of the chunk with the block's tokens from `token` on, a register of them. */
static value chunk_products(struct emitter *e, const struct strand *strand,
                            const struct strand_chunk *chunk, const struct strand_block *block,
                            value token, value q)
{
    const struct attention_side *k = &strand->work->k;
    value slot = add(e, block->slot, token);
    int64_t round = round_columns(e), whole = k->size / round * round;
    value keys[LANES_MAX], here[LANES_MAX], products[LANES_MAX] = {0};
    for (int t = 0; t < chunk->tokens; t++)
        keys[t] = strand_token(e, strand->k_tokens, slot, t, block->k_shift);
    if (whole > round) {
        struct loop loop;
        for (int i = 0; i < e->lanes; i++) products[i] = zero_of(vector_of(e->f32, e->lanes));
        loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, whole), round, products, e->lanes);
        for (int i = 0; i < e->lanes; i++) products[i] = loop.carried[i];
        value bytes = state_offset(e, k->element, loop.index);
        for (int t = 0; t < chunk->tokens; t++) here[t] = address(e, keys[t], bytes);
        value q_here = address(e, q, mul(e, loop.index, constant_i64(e, 4)));
        for (int64_t column = 0; column < round; column += e->lanes)
            add_products(e, strand, chunk, column, q_here, here, products);
        loop_end(e, &loop, products);
        for (int i = 0; i < e->lanes; i++) products[i] = loop.carried[i];
    }
    for (int64_t column = whole > round ? whole : 0; column < k->size; column += e->lanes)
        add_products(e, strand, chunk, column, q, keys, products);
    return attention_sum_each(e, products, e->lanes);
}

/* Lanes of tokens that are not seen; `left` of them are, counted from the register's first. */
value strand_hide(struct emitter *e, const struct strand_chunk *chunk, value left, value scores)
{
    value each[LANES_MAX];
    for (int i = 0; i < e->lanes; i++) each[i] = constant_i32(e, i % chunk->tokens);
    value token = LLVMConstVector(each, (unsigned)e->lanes);
    value limit = splat(e, truncate_to(e, left, e->i32), e->lanes);
    return choose(e, less(e, token, limit), scores, attention_blind(e, e->lanes));
}

/* Where the register of scores of the tokens from `token` on lies. */
static value scores_at(struct emitter *e, const struct strand *strand,
                       const struct strand_chunk *chunk, value token)
{
    return address(e, strand->scores, mul(e, token, constant_i64(e, 4 * (int64_t)chunk->heads)));
}

/* Stores the scores and returns the largest of each head, in all its lanes. */
static value score_block(struct emitter *e, const struct strand *strand,
                         const struct strand_chunk *chunk, const struct strand_block *block,
                         value q)
{
    const struct fetching keys = {strand->k_tokens, block->k_bytes, constant_i64(e, 0), 1};
    value largest = attention_blind(e, e->lanes);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), block->count, chunk->tokens, &largest, 1);
    fetch_lines(e, strand, chunk, block, &keys, loop.index);
    value products = chunk_products(e, strand, chunk, block, loop.index, q);
    products = mulf(e, products, splat_f32(e, attention_factor(strand->work), e->lanes));
    value scores = strand_hide(e, chunk, sub(e, block->count, loop.index),
                               attention_cap(e, strand->work, products));
    store(e, scores, scores_at(e, strand, chunk, loop.index), 4 * e->lanes);
    largest = maximumf(e, loop.carried[0], scores);
    loop_end(e, &loop, &largest);
    return attention_group_maximum(e, loop.carried[0], chunk->tokens);
}

value strand_weigh(struct emitter *e, value scores, value count, int tokens, value largest)
{
    LLVMTypeRef reals = vector_of(e->f32, e->lanes);
    int64_t register_bytes = 4 * (int64_t)e->lanes;
    value sum = zero_of(reals);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), count, tokens, &sum, 1);
    value place = address(e, scores, mul(e, loop.index, constant_i64(e, register_bytes / tokens)));
    value weights = attention_exp(e, subf(e, load(e, reals, place, 4 * e->lanes), largest));
    store(e, weights, place, 4 * e->lanes);
    sum = addf(e, loop.carried[0], weights);
    loop_end(e, &loop, &sum);
    return loop.carried[0];
}

/* ---- Sums of values ---- */

/* Registers of sums that are added to side by side: more would not fit, fewer would wait for one
 * another. */
static int sums_together(const struct emitter *e)
{
    return e->lanes == 16 ? 16 : 8;
}

/* `width` registers of columns from `column` on, of every head of the chunk. */
struct sum_tile {
    int64_t column;
    int width, chains; /* chains: sums of one place that take turns */
    struct fetching fetching;
};

static value *sum_of(const struct sum_tile *tile, value *sums, int chain, int head, int i,
                     int heads)
{
    return &sums[(chain * heads + head) * tile->width + i];
}

static value sum_place(struct emitter *e, const struct strand *strand,
                       const struct strand_chunk *chunk, const struct sum_tile *tile, int head,
                       int i)
{
    int64_t column = tile->column + (int64_t)i * e->lanes;
    return address_at(e, strand->sums, 4 * ((chunk->first + head) * strand->sum_columns + column));
}

/* Adds a token's values, times its weight for each head. */
static void add_values(struct emitter *e, const struct strand *strand,
                       const struct strand_chunk *chunk, const struct sum_tile *tile, value token,
                       value weights, int t, value *sums)
{
    const struct attention_side *v = &strand->work->v;
    value values[LANES_MAX];
    for (int i = 0; i < tile->width; i++) {
        int64_t column = tile->column + (int64_t)i * e->lanes, left = v->size - column;
        values[i] = state_load(e, v->element, token, column, left < e->lanes ? (int)left : e->lanes,
                               e->lanes);
    }
    for (int h = 0; h < chunk->heads; h++) {
        value at = address_at(e, weights, 4 * (int64_t)(h * chunk->tokens + t));
        value weight = splat(e, load(e, e->f32, at, 4), e->lanes);
        for (int i = 0; i < tile->width; i++) {
            value *sum = sum_of(tile, sums, t % tile->chains, h, i, chunk->heads);
            *sum = muladdf(e, weight, values[i], *sum);
        }
    }
}

/* The sums so far, shrunk to the new maximum, and zeros for the further chains. */
static int start_sums(struct emitter *e, const struct strand *strand,
                      const struct strand_chunk *chunk, const struct sum_tile *tile, value shrink,
                      value *sums)
{
    LLVMTypeRef reals = vector_of(e->f32, e->lanes);
    int count = tile->chains * chunk->heads * tile->width;
    for (int i = 0; i < count; i++) sums[i] = zero_of(reals);
    for (int h = 0; h < chunk->heads; h++) {
        value factor = splat(e, lane(e, shrink, h * chunk->tokens), e->lanes);
        for (int i = 0; i < tile->width; i++) {
            value before = load(e, reals, sum_place(e, strand, chunk, tile, h, i), 4 * e->lanes);
            *sum_of(tile, sums, 0, h, i, chunk->heads) = mulf(e, before, factor);
        }
    }
    return count;
}

static void sum_columns(struct emitter *e, const struct strand *strand,
                        const struct strand_chunk *chunk, const struct sum_tile *tile,
                        const struct strand_block *block, value shrink)
{
    value sums[LANES_MAX];
    int count = start_sums(e, strand, chunk, tile, shrink, sums);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), block->count, chunk->tokens, sums, count);
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
    fetch_lines(e, strand, chunk, block, &tile->fetching, loop.index);
    value weights = scores_at(e, strand, chunk, loop.index);
    value slot = add(e, block->slot, loop.index);
    for (int t = 0; t < chunk->tokens; t++) {
        value token = strand_token(e, strand->v_tokens, slot, t, block->v_shift);
        add_values(e, strand, chunk, tile, token, weights, t, sums);
    }
    loop_end(e, &loop, sums);
    for (int h = 0; h < chunk->heads; h++)
        for (int i = 0; i < tile->width; i++) {
            int at = h * tile->width + i, stride = chunk->heads * tile->width;
            value sum = loop.carried[at];
            for (int c = 1; c < tile->chains; c++)
                sum = addf(e, sum, loop.carried[c * stride + at]);
            store(e, sum, sum_place(e, strand, chunk, tile, h, i), 4 * e->lanes);
        }
}

static void sum_block(struct emitter *e, const struct strand *strand,
                      const struct strand_chunk *chunk, const struct strand_block *block,
                      value shrink)
{
    int together = sums_together(e), registers = (int)(strand->sum_columns / e->lanes);
    int widest = chunk->heads < together ? together / chunk->heads : 1;
    for (int first = 0; first < registers; first += widest) {
        struct sum_tile tile = {.column = (int64_t)first * e->lanes};
        tile.fetching =
            (struct fetching){strand->v_tokens, block->v_bytes, constant_i64(e, first / widest),
                              (registers + widest - 1) / widest};
        tile.width = smaller_of(widest, registers - first);
        int chains = together / (chunk->heads * tile.width);
        tile.chains = chains < 1 ? 1 : smaller_of(chains, chunk->tokens);
        sum_columns(e, strand, chunk, &tile, block, shrink);
    }
}

void strand_attend(struct emitter *e, const struct strand *strand, const struct strand_block *block,
                   value q, value *state)
{
    for (int c = 0; c < strand->chunk_count; c++) {
        const struct strand_chunk *chunk = &strand->chunks[c];
        value before = state[2 * c], weight = state[2 * c + 1];
        value largest = maximumf(e, score_block(e, strand, chunk, block, q), before);
        value shrink = attention_exp(e, subf(e, before, largest));
        value added = strand_weigh(e, strand->scores, block->count, chunk->tokens, largest);
        state[2 * c] = largest;
        state[2 * c + 1] = muladdf(e, weight, shrink, added);
        sum_block(e, strand, chunk, block, shrink);
    }
}

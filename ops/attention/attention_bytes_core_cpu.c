/* Scores of a strand of heads, byte by byte. */
#include "ops/attention/attention_bytes_core_cpu.h"

#include "codegen/cpu/llvm_dot.h"
#include "ops/linear/linear_quantize_core_cpu.h"

enum { LANES_MAX = 16, WORDS = BYTES_BLOCK / 4, CACHE_LINE_BYTES = 64 };

static int64_t query_blocks(const struct bytes_strand *strand)
{
    return strand->strand.work->k.size / BYTES_BLOCK;
}

/* A head's rounded query: the bytes of each block, the low plane and then the high one; a scale for
 * each block; what the block's sums begin with. */
enum { QUERY_BLOCK = BYTES_PLANES * BYTES_BLOCK };

static int64_t query_head_bytes(const struct bytes_strand *strand)
{
    return query_blocks(strand) * (QUERY_BLOCK + 4 + 4);
}

int64_t bytes_query_bytes(const struct bytes_strand *strand)
{
    return attention_align(strand->strand.heads * query_head_bytes(strand), 64);
}

void bytes_strand_begin(struct emitter *e, const struct attention_work *work, int heads,
                        int together, int block, int strands, struct bytes_strand *strand)
{
    *strand = (struct bytes_strand){.together = together};
    strand_begin(e, work, heads, 1, block, bytes_sum_columns(e, work), strands, &strand->strand);
    int64_t blocks = bytes_value_blocks(e, strand);
    strand->weights = stack_room(e, heads * BYTES_PLANES * block * blocks);
    strand->key_scales = stack_room(e, 4 * block * query_blocks(strand));
    strand->value_scales = stack_room(e, 4 * block * blocks);
    strand->scales = stack_room(e, 4 * heads * blocks);
    strand->offsets = stack_room(e, 4 * heads * blocks);
    strand->queries = stack_room(e, strands * bytes_query_bytes(strand));
}

/* ---- Codes ---- */

/* Without an instruction for bytes of both kinds, q8_0's codes stay signed where signs can be
 * moved to the other factor. */
static bool keeps_signs(const struct emitter *e, enum element_type element)
{
    return element == ELEMENT_Q8_0 && dot_pairs_take_signs(e, e->lanes);
}

int bytes_offset(const struct emitter *e, enum element_type element)
{
    return element == ELEMENT_Q4_0 ? 8 : keeps_signs(e, element) ? 0 : 128;
}

value bytes_dot(struct emitter *e, enum element_type element, value sum, value codes, value signs)
{
    if (element == ELEMENT_Q4_0) return dot_bytes(e, sum, codes, 15, signs);
    /* Codes of states are never -128: kernels write them. */
    if (keeps_signs(e, element)) return dot_pairs_sum(e, sum, dot_pairs_of_signed(e, signs, codes));
    value positive = bit_xor(e, codes, splat_i32(e, (int32_t)0x80808080, lanes_of(codes)));
    return dot_bytes(e, sum, positive, 255, signs);
}

value bytes_choose_scale(struct emitter *e, value largest, value *scale)
{
    value factor, steps = constant_f32(e, 1 << BYTES_PLANE_BITS);
    linear_choose_scale(e, largest, &factor, scale);
    *scale = divf(e, *scale, steps);
    return mulf(e, factor, steps);
}

void bytes_split(struct emitter *e, value whole, value *planes)
{
    value half = splat_i32(e, 1 << (BYTES_PLANE_BITS - 1), lanes_of(whole));
    planes[0] = truncate_to(e, whole, e->i8);
    planes[1] = truncate_to(e, shift_right_signed(e, add(e, whole, half), BYTES_PLANE_BITS), e->i8);
}

value bytes_join(struct emitter *e, value low, value high)
{
    return add(e, low, shift_left(e, high, BYTES_PLANE_BITS));
}

value bytes_nibbles(struct emitter *e, value packed, int high)
{
    return bit_and(e, high ? shift_right(e, packed, 4) : packed,
                   splat_i32(e, 0x0f0f0f0f, lanes_of(packed)));
}

/* ---- Queries ---- */

struct rounded_query {
    value bytes, scales, offsets; /* addresses */
};

static struct rounded_query query_of(struct emitter *e, const struct bytes_strand *strand,
                                     value queries, int64_t head)
{
    int64_t blocks = query_blocks(strand);
    struct rounded_query query = {.bytes = address_at(e, queries, head * query_head_bytes(strand))};
    query.scales = address_at(e, query.bytes, blocks * QUERY_BLOCK);
    query.offsets = address_at(e, query.scales, 4 * blocks);
    return query;
}

/* The 32 numbers at `reals`; returns the sum of the whole numbers they become. */
static value round_block(struct emitter *e, value reals, value bytes, value *scale)
{
    LLVMTypeRef numbers = vector_of(e->f32, BYTES_BLOCK), bits = vector_of(e->i32, BYTES_BLOCK);
    value x = load(e, numbers, reals, 4);
    value magnitudes = bit_and(e, reinterpret(e, x, bits), splat_i32(e, 0x7fffffff, BYTES_BLOCK));
    value factor = bytes_choose_scale(e, horizontal_maximum_signed(e, magnitudes), scale);
    value whole = linear_round(e, x, factor), planes[BYTES_PLANES];
    bytes_split(e, whole, planes);
    for (int p = 0; p < BYTES_PLANES; p++)
        store(e, planes[p], address_at(e, bytes, (int64_t)p * BYTES_BLOCK), 4);
    return horizontal_add(e, whole);
}

void bytes_round_queries(struct emitter *e, const struct bytes_strand *strand, value q,
                         value queries)
{
    const struct attention_side *k = &strand->strand.work->k;
    value scale, offset = constant_i32(e, -bytes_offset(e, k->element));
    for (int h = 0; h < strand->strand.heads; h++) {
        struct rounded_query query = query_of(e, strand, queries, h);
        struct loop loop;
        loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, query_blocks(strand)), 1, NULL, 0);
        value reals = address(e, address_at(e, q, 4 * h * k->size),
                              mul(e, loop.index, constant_i64(e, 4 * BYTES_BLOCK)));
        value bytes = address(e, query.bytes, mul(e, loop.index, constant_i64(e, QUERY_BLOCK)));
        value sum = round_block(e, reals, bytes, &scale), at = shift_left(e, loop.index, 2);
        store(e, scale, address(e, query.scales, at), 4);
        store(e, mul(e, sum, offset), address(e, query.offsets, at), 4);
        loop_end(e, &loop, NULL);
    }
}

/* ---- Fetching ---- */

static value least(struct emitter *e, value a, int64_t b)
{
    return minimum_signed(e, a, constant_i64(e, b));
}

/* Whole tokens where there are enough of them, or one of the pieces of a token; what the last ones
 * have too much is fetched twice. */
void bytes_fetch(struct emitter *e, const struct strand *strand, const struct strand_block *block,
                 const struct fetching *what, value token)
{
    if (!block->ahead) return;
    int tokens = e->lanes;
    int64_t lines = attention_align(what->bytes, CACHE_LINE_BYTES) / CACHE_LINE_BYTES;
    int64_t steps = strand->block / tokens, shares = block->strands * what->passes * steps;
    int64_t each = (strand->block + shares - 1) / shares, cut = shares / strand->block;
    if (cut < 1) cut = 1;
    if (cut > lines) cut = lines;
    value number = mul(e, block->number, constant_i64(e, what->passes));
    number = mul(e, add(e, number, what->pass), constant_i64(e, steps));
    number = add(e, number, divide_signed(e, token, constant_i64(e, tokens)));
    value piece = constant_i64(e, 0), slot = mul(e, number, constant_i64(e, each));
    if (cut > 1) {
        slot = divide_signed(e, number, constant_i64(e, cut));
        piece = sub(e, number, mul(e, slot, constant_i64(e, cut)));
    }
    int64_t share = (lines + cut - 1) / cut;
    slot = add(e, block->ahead, least(e, slot, strand->block - each));
    value at = mul(e, least(e, mul(e, piece, constant_i64(e, share)), lines - share),
                   constant_i64(e, CACHE_LINE_BYTES));
    for (int64_t t = 0; t < each; t++) {
        value place = strand_token(e, what->tokens, slot, t, at);
        for (int64_t i = 0; i < share; i++) prefetch(e, place, i * CACHE_LINE_BYTES, block->level);
    }
}

/* ---- Products ---- */

/* Four columns of all tokens in each of the registers. */
static void load_words(struct emitter *e, enum element_type element, const value *tokens,
                       value after, value *words)
{
    int width = element == ELEMENT_Q4_0 ? WORDS / 2 : WORDS;
    value rows[LANES_MAX];
    for (int t = 0; t < e->lanes; t++)
        rows[t] = load(e, vector_of(e->i32, width),
                       address_at(e, address(e, tokens[t], after), BYTES_SCALE), 1);
    transpose(e, rows, e->lanes, width, words);
    if (element != ELEMENT_Q4_0) return;
    for (int w = 0; w < WORDS / 2; w++) words[WORDS / 2 + w] = bytes_nibbles(e, words[w], 1);
    for (int w = 0; w < WORDS / 2; w++) words[w] = bytes_nibbles(e, words[w], 0);
}

/* A head's products with four columns in each of the registers, in chains short enough that the
 * next block's begin before they end. */
static value multiply_words(struct emitter *e, enum element_type element, const value *words,
                            value query, value offset)
{
    enum { CHAINS = 2 };
    value sums[BYTES_PLANES][CHAINS], zero = zero_of(LLVMTypeOf(words[0]));
    for (int p = 0; p < BYTES_PLANES; p++) {
        for (int w = 0; w < WORDS; w++) {
            value four = load(e, e->i32, address_at(e, query, p * BYTES_BLOCK + 4 * (int64_t)w), 4);
            value *sum = &sums[p][w % CHAINS];
            if (w < CHAINS) *sum = p || w ? zero : splat(e, offset, e->lanes);
            *sum = bytes_dot(e, element, *sum, words[w], splat(e, four, e->lanes));
        }
        sums[p][0] = add(e, sums[p][0], sums[p][1]);
    }
    return integer_to_f32(e, bytes_join(e, sums[0][0], sums[1][0]));
}

/* scores[h] += the products of head first + h with block `number` of the tokens' keys. */
static void add_block(struct emitter *e, const struct bytes_strand *strand, value queries,
                      int first, int heads, const value *tokens, value token, value number,
                      value *scores)
{
    enum element_type element = strand->strand.work->k.element;
    value after = mul(e, number, constant_i64(e, element_of(element)->block_bytes));
    value bytes = mul(e, number, constant_i64(e, QUERY_BLOCK)), at = shift_left(e, number, 2);
    value scales = bytes_scales_at(e, strand, strand->key_scales, number, token), words[WORDS];
    scales = load(e, vector_of(e->f32, e->lanes), scales, 4 * e->lanes);
    load_words(e, element, tokens, after, words);
    for (int h = 0; h < heads; h++) {
        struct rounded_query query = query_of(e, strand, queries, first + h);
        value offset = load(e, e->i32, address(e, query.offsets, at), 4);
        value products = multiply_words(e, element, words, address(e, query.bytes, bytes), offset);
        value scale = splat(e, load(e, e->f32, address(e, query.scales, at), 4), e->lanes);
        scores[h] = muladdf(e, mulf(e, products, scale), scales, scores[h]);
    }
}

/* A loop over few blocks would keep an address for each token in memory and count them all up. */
static void multiply_keys(struct emitter *e, const struct bytes_strand *strand, value queries,
                          int first, int heads, const value *tokens, value token, value *scores)
{
    enum { UNROLLED_MAX = 8 };
    int64_t blocks = query_blocks(strand);
    for (int h = 0; h < heads; h++) scores[h] = zero_of(vector_of(e->f32, e->lanes));
    if (blocks <= UNROLLED_MAX) {
        for (int64_t b = 0; b < blocks; b++)
            add_block(e, strand, queries, first, heads, tokens, token, constant_i64(e, b), scores);
        return;
    }
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, blocks), 1, scores, heads);
    for (int h = 0; h < heads; h++) scores[h] = loop.carried[h];
    add_block(e, strand, queries, first, heads, tokens, token, loop.index, scores);
    loop_end(e, &loop, scores);
    for (int h = 0; h < heads; h++) scores[h] = loop.carried[h];
}

/* Stores a register of scores for each head, and updates their largest ones. */
static void score_tokens(struct emitter *e, const struct bytes_strand *strand,
                         const struct strand_block *block, value queries, value token,
                         value *largest)
{
    const struct strand *all = &strand->strand;
    value tokens[LANES_MAX], scores[STRAND_HEADS_MAX];
    value slot = add(e, block->slot, token);
    for (int t = 0; t < e->lanes; t++)
        tokens[t] = strand_token(e, all->k_tokens, slot, t, block->k_shift);
    for (int first = 0; first < all->heads; first += strand->together) {
        int left = all->heads - first, heads = left < strand->together ? left : strand->together;
        multiply_keys(e, strand, queries, first, heads, tokens, token, &scores[first]);
    }
    value factor = splat_f32(e, attention_factor(all->work), e->lanes);
    for (int h = 0; h < all->heads; h++) {
        value score = attention_cap(e, all->work, mulf(e, scores[h], factor));
        score = strand_hide(e, &all->chunks[h], sub(e, block->count, token), score);
        value at = add(e, constant_i64(e, (int64_t)h * all->block), token);
        store(e, score, address(e, strand->strand.scores, shift_left(e, at, 2)), 4 * e->lanes);
        largest[h] = maximumf(e, largest[h], score);
    }
}

static void score_block(struct emitter *e, const struct bytes_strand *strand,
                        const struct strand_block *block, value queries, value *largest)
{
    int heads = strand->strand.heads;
    struct fetching keys = {strand->strand.k_tokens, block->k_bytes, constant_i64(e, 0), 1};
    for (int h = 0; h < heads; h++) largest[h] = attention_blind(e, e->lanes);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), block->count, e->lanes, largest, heads);
    bytes_fetch(e, &strand->strand, block, &keys, loop.index);
    for (int h = 0; h < heads; h++) largest[h] = loop.carried[h];
    score_tokens(e, strand, block, queries, loop.index, largest);
    loop_end(e, &loop, largest);
    for (int h = 0; h < heads; h++)
        largest[h] = attention_group_maximum(e, loop.carried[h], e->lanes);
}

void bytes_attend(struct emitter *e, const struct bytes_strand *strand,
                  const struct strand_block *block, value queries, value *state)
{
    value largest[STRAND_HEADS_MAX], shrink[STRAND_HEADS_MAX];
    const struct strand *all = &strand->strand;
    bytes_gather_scales(e, strand, &all->work->k, all->k_tokens, block, strand->key_scales);
    bytes_gather_scales(e, strand, &all->work->v, all->v_tokens, block, strand->value_scales);
    score_block(e, strand, block, queries, largest);
    for (int h = 0; h < strand->strand.heads; h++) {
        value before = state[2 * h];
        largest[h] = maximumf(e, largest[h], before);
        shrink[h] = attention_exp(e, subf(e, before, largest[h]));
        value scores = address_at(e, strand->strand.scores, 4 * (int64_t)h * strand->strand.block);
        value added = strand_weigh(e, scores, block->count, e->lanes, largest[h]);
        state[2 * h] = largest[h];
        state[2 * h + 1] = muladdf(e, state[2 * h + 1], shrink[h], added);
    }
    bytes_sum_values(e, strand, block, shrink);
}

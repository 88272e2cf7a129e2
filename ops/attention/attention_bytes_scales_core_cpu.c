/* Scales of keys and values, gathered for a block of tokens. */
#include "ops/attention/attention_bytes_core_cpu.h"

enum { LANES_MAX = 16, REGISTER_WORDS = 32, WORD_BYTES = 2 };

value bytes_scales_at(struct emitter *e, const struct bytes_strand *strand, value scales,
                      value number, value token)
{
    value at = add(e, mul(e, number, constant_i64(e, strand->strand.block)), token);
    return address(e, scales, shift_left(e, at, 2));
}

/* Blocks of a token whose scales one register of 64 bytes holds; the last of them ends behind it. */
static int blocks_together(const struct emitter *e, enum element_type element)
{
    if (e->lanes < LANES_MAX || !has(e, FACT_has_avx512)) return 1;
    return (int)(REGISTER_WORDS * WORD_BYTES / element_of(element)->block_bytes) + 1;
}

/* `together` blocks of 16 tokens, which begin at the tokens' addresses: registers are merged in pairs,
 * so that each round has half as many with twice as many scales; scales[b] has all tokens. */
static void merge_scales(struct emitter *e, enum element_type element, const value *tokens,
                         int64_t after, int together, value *scales)
{
    LLVMTypeRef words = vector_of(e->i16, REGISTER_WORDS);
    int block_words = (int)element_of(element)->block_bytes / WORD_BYTES;
    int places[REGISTER_WORDS], picked[REGISTER_WORDS];
    value registers[LANES_MAX];
    for (int t = 0; t < LANES_MAX; t++)
        registers[t] = load(e, words, address_at(e, tokens[t], after), 1);
    for (int i = 0; i < together; i++) places[i] = i * block_words;
    int count = together, left = LANES_MAX;
    for (; 2 * count <= REGISTER_WORDS && left > 1; count *= 2, left /= 2) {
        /* By block, and by token within it. */
        for (int i = 0; i < 2 * count; i++) {
            int each = count / together, token = i % (2 * each), from = i / (2 * each) * each;
            picked[i] = places[from + token % each] + token / each * REGISTER_WORDS;
        }
        for (int i = 0; i < left / 2; i++)
            registers[i] =
                pick_words_of(e, registers[2 * i], registers[2 * i + 1], picked, 2 * count);
        for (int i = 0; i < 2 * count; i++) places[i] = i;
    }
    int each = count / together;
    for (int b = 0; b < together; b++) {
        value half[2];
        for (int i = 0; i < left; i++) half[i] = slice(e, registers[i], b * each, each);
        scales[b] = widen_f16(e, left == 1 ? half[0] : concatenate(e, half[0], half[1]));
    }
}

static value insert_scales(struct emitter *e, const value *tokens, int64_t after)
{
    value bits = zero_of(vector_of(e->i16, e->lanes));
    for (int t = 0; t < e->lanes; t++)
        bits = with_lane(e, bits, load(e, e->i16, address_at(e, tokens[t], after), 1), t);
    return widen_f16(e, bits);
}

void bytes_gather_scales(struct emitter *e, const struct bytes_strand *strand,
                         const struct attention_side *side, value tokens,
                         const struct strand_block *block, value scales)
{
    int64_t blocks = side->size / BYTES_BLOCK, block_bytes = element_of(side->element)->block_bytes;
    value shift = side == &strand->strand.work->k ? block->k_shift : block->v_shift;
    value each[LANES_MAX], found[LANES_MAX];
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), block->count, e->lanes, NULL, 0);
    value slot = add(e, block->slot, loop.index);
    for (int t = 0; t < e->lanes; t++) each[t] = strand_token(e, tokens, slot, t, shift);
    for (int64_t b = 0; b < blocks;) {
        int together = blocks_together(e, side->element);
        if (b + together > blocks) together = 1;
        if (together > 1)
            merge_scales(e, side->element, each, b * block_bytes, together, found);
        else
            found[0] = insert_scales(e, each, b * block_bytes);
        for (int i = 0; i < together; i++, b++)
            store(e, found[i], bytes_scales_at(e, strand, scales, constant_i64(e, b), loop.index),
                  4 * e->lanes);
    }
    loop_end(e, &loop, NULL);
}

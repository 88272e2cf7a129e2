/* Moving codes and scales into blocks. */
#include "models/relayout.h"

#include <string.h>

enum { WORD_CODES = 8, PIECE = 32, HALF = 16, HEAD_BYTES = 4, STRIP = 16 };

static uint8_t *row_of(const struct relayout *relayout, int64_t row)
{
    return relayout->deferred.bytes + row * element_row_bytes(relayout->element, relayout->columns);
}

static uint32_t word_at(const uint8_t *words, int64_t index)
{
    uint32_t word;
    memcpy(&word, words + 4 * index, sizeof word);
    return word;
}

/* ---- Bytes ---- */

static void make_wide(const struct deferred *deferred)
{
    const struct relayout *relayout = (const struct relayout *)deferred;
    const struct element *element = element_of(relayout->element);
    int64_t block = element->block_elements,
            scale_bytes = element_of(relayout->scale_element)->block_bytes;
    for (int64_t r = 0; r < relayout->rows; r++) {
        uint8_t *to = row_of(relayout, r);
        for (int64_t c = 0; c < relayout->columns; c += block, to += element->block_bytes) {
            int64_t index =
                r / relayout->tile_rows * relayout->scale_width + c / relayout->tile_columns;
            float scale;
            element_decode_row(relayout->scale_element, relayout->scales + index * scale_bytes, 1,
                               &scale);
            memcpy(to, &scale, sizeof scale);
            memcpy(to + HEAD_BYTES, relayout->codes + r * relayout->columns + c, (size_t)block);
        }
    }
}

/* ---- Nibbles with scales and zeros ---- */

/* Into bytes that are zero so far. */
static void put_code(const struct relayout *relayout, int64_t row, int64_t column, uint32_t code)
{
    const struct element *element = element_of(relayout->element);
    int64_t block = element->block_elements, within = column % block;
    uint8_t *to = row_of(relayout, row) + column / block * element->block_bytes + HEAD_BYTES;
    to += within / PIECE * HALF + within % HALF;
    *to = (uint8_t)(*to | code << (within % PIECE < HALF ? 0 : 4));
}

/* Where AWQ keeps row `row` of eight among the nibbles of a word. */
static int awq_place(int64_t row)
{
    static const int places[WORD_CODES] = {0, 4, 1, 5, 2, 6, 3, 7};
    return places[row % WORD_CODES];
}

static uint32_t zero_of_row(const struct relayout *relayout, int64_t group, int64_t row)
{
    int64_t words = relayout->rows / WORD_CODES;
    uint32_t word = word_at(relayout->zeros, group * words + row / WORD_CODES);
    int place = relayout->kind == RELAYOUT_AWQ ? awq_place(row) : (int)(row % WORD_CODES);
    return ((word >> 4 * place) + (uint32_t)relayout->zero_shift) & 15u;
}

static void put_heads(const struct relayout *relayout, int64_t row)
{
    const struct element *element = element_of(relayout->element);
    uint8_t *to = row_of(relayout, row);
    for (int64_t c = 0; c < relayout->columns;
         c += element->block_elements, to += element->block_bytes) {
        int64_t group = c / relayout->tile_columns;
        memcpy(to, relayout->scales + 2 * (group * relayout->rows + row), 2);
        to[2] = (uint8_t)zero_of_row(relayout, group, row);
    }
}

static void put_gptq_word(const struct relayout *relayout, int64_t row, int64_t word_row)
{
    uint32_t word = word_at(relayout->codes, word_row * relayout->rows + row);
    for (int i = 0; i < WORD_CODES; i++)
        put_code(relayout, row, word_row * WORD_CODES + i, word >> 4 * i & 15u);
}

static void put_awq_code(const struct relayout *relayout, int64_t row, int64_t column)
{
    int64_t words = relayout->rows / WORD_CODES;
    uint32_t word = word_at(relayout->codes, column * words + row / WORD_CODES);
    put_code(relayout, row, column, word >> 4 * awq_place(row) & 15u);
}

/* Strips of rows, so that what a line of the file's words holds is used while it is near. */
static void make_grouped(const struct deferred *deferred)
{
    const struct relayout *relayout = (const struct relayout *)deferred;
    bool gptq = relayout->kind == RELAYOUT_GPTQ;
    int64_t steps = gptq ? relayout->columns / WORD_CODES : relayout->columns;
    int64_t strip = gptq ? STRIP : STRIP * WORD_CODES;
    for (int64_t first = 0; first < relayout->rows; first += strip) {
        int64_t end = first + strip < relayout->rows ? first + strip : relayout->rows;
        for (int64_t r = first; r < end; r++) put_heads(relayout, r);
        for (int64_t step = 0; step < steps; step++)
            for (int64_t r = first; r < end; r++)
                if (gptq)
                    put_gptq_word(relayout, r, step);
                else
                    put_awq_code(relayout, r, step);
    }
}

/* ---- mxfp4, nvfp4 ---- */

/* 16 bytes of neighbours become numbers i and 16 + i of 32. */
static void put_pairs(const uint8_t *pairs, uint8_t *to)
{
    for (int i = 0; i < HALF; i++) {
        uint32_t low = (uint32_t)pairs[i / 2] >> (i % 2 * 4) & 15u;
        uint32_t high = (uint32_t)pairs[(HALF + i) / 2] >> (i % 2 * 4) & 15u;
        to[i] = (uint8_t)(low | high << 4);
    }
}

static void make_mxfp4(const struct deferred *deferred)
{
    const struct relayout *relayout = (const struct relayout *)deferred;
    int64_t blocks = relayout->rows * relayout->columns / PIECE;
    uint8_t *to = deferred->bytes;
    for (int64_t b = 0; b < blocks; b++, to += 1 + HALF) {
        to[0] = relayout->scales[b];
        put_pairs(relayout->codes + b * HALF, to + 1);
    }
}

static void make_nvfp4(const struct deferred *deferred)
{
    const struct relayout *relayout = (const struct relayout *)deferred;
    const struct element *element = element_of(relayout->element);
    int64_t scale_count = element->block_elements / HALF,
            pieces = relayout->rows * relayout->columns / PIECE;
    uint8_t *to = deferred->bytes;
    for (int64_t p = 0; p < pieces; p++, to += HALF) {
        if (p % (element->block_elements / PIECE) == 0) {
            memcpy(to, &relayout->factor, HEAD_BYTES);
            memcpy(to + HEAD_BYTES, relayout->scales + p * PIECE / HALF, (size_t)scale_count);
            to += HEAD_BYTES + scale_count;
        }
        put_pairs(relayout->codes + p * HALF, to);
    }
}

void relayout_prepare(struct relayout *relayout)
{
    static void (*const make[])(const struct deferred *) = {make_wide, make_grouped, make_grouped,
                                                            make_mxfp4, make_nvfp4};
    relayout->deferred.make = make[relayout->kind];
    relayout->deferred.byte_count =
        relayout->rows * element_row_bytes(relayout->element, relayout->columns);
}

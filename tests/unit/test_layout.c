/* Layouts: what interleave16 is, byte by byte, and that packing loses nothing. */
#include "base/random.h"
#include "ir/layout.h"
#include "tests/check.h"

static void fill(uint8_t *bytes, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)random_bits(seed, 0, i);
}

static void check_round_trip(enum layout layout, enum element_type element, int64_t rows,
                             int64_t columns)
{
    if (!layout_supports(layout, element, rows, columns)) return;
    size_t count = (size_t)(rows * element_row_bytes(element, columns));
    uint8_t *from = malloc(count), *packed = malloc(count), *back = malloc(count);
    fill(from, count, (uint64_t)(rows * 1000 + columns));
    memset(packed, 0, count);
    layout_pack(layout, element, rows, columns, from, packed);
    layout_unpack(layout, element, rows, columns, packed, back);
    assert_memory_equal(from, back, count);
    if (layout == LAYOUT_ROWS) assert_memory_equal(from, packed, count);
    free(from), free(packed), free(back);
}

static void every_layout_is_lossless(void **unused)
{
    (void)unused;
    static const int64_t rows[] = {1, 16, 17, 32, 48, 160};
    static const int64_t columns[] = {1, 2, 4, 5, 32, 64, 96, 256};
    for (int layout = 0; layout < LAYOUT_COUNT; layout++)
        for (int element = 0; element < ELEMENT_COUNT; element++)
            for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
                for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
                    check_round_trip((enum layout)layout, (enum element_type)element, rows[r],
                                     columns[c]);
}

static void support_follows_groups_and_blocks(void **unused)
{
    (void)unused;
    assert_true(layout_supports(LAYOUT_INTERLEAVE16, ELEMENT_Q8_0, 16, 32));
    assert_true(layout_supports(LAYOUT_INTERLEAVE16, ELEMENT_Q4_0, 32, 64));
    assert_true(layout_supports(LAYOUT_INTERLEAVE16, ELEMENT_F32, 16, 1));
    assert_true(layout_supports(LAYOUT_INTERLEAVE16, ELEMENT_BF16, 16, 2));
    assert_false(layout_supports(LAYOUT_INTERLEAVE16, ELEMENT_F16, 16, 3));
    assert_false(layout_supports(LAYOUT_INTERLEAVE16, ELEMENT_Q8_0, 17, 32));
    assert_false(layout_supports(LAYOUT_INTERLEAVE16, ELEMENT_Q8_0, 16, 33));
    assert_false(layout_supports(LAYOUT_ROWS, ELEMENT_Q8_0, 4, 16));
    assert_false(layout_supports(LAYOUT_ROWS, ELEMENT_F32, 0, 4));
    assert_true(layout_supports(LAYOUT_ROWS, ELEMENT_F32, 3, 5));
}

/* Where interleave16 puts row r's block b, by the words of ir/layouts.def. */
static void check_block(const uint8_t *packed, int64_t columns, int r, int b, int payload_bytes)
{
    const int block_bytes = 2 + payload_bytes;
    int64_t blocks = columns / 32, group = r / 16;
    const uint8_t *column = packed + (group * blocks + b) * 16 * block_bytes;
    int lane = r % 16;
    assert_int_equal(column[2 * lane], r);
    assert_int_equal(column[2 * lane + 1], b);
    for (int i = 0; i < payload_bytes; i++)
        assert_int_equal(column[32 + i / 4 * 64 + lane * 4 + i % 4], (r * 7 + b * 3 + i) & 255);
}

static void check_interleaved_blocks(enum element_type element, int payload_bytes)
{
    enum { ROWS = 48, COLUMNS = 96 };
    static uint8_t from[ROWS * COLUMNS * 2], packed[ROWS * COLUMNS * 2];
    uint8_t *at = from;
    for (int r = 0; r < ROWS; r++)
        for (int b = 0; b < COLUMNS / 32; b++) {
            *at++ = (uint8_t)r, *at++ = (uint8_t)b;
            for (int i = 0; i < payload_bytes; i++) *at++ = (uint8_t)(r * 7 + b * 3 + i);
        }
    layout_pack(LAYOUT_INTERLEAVE16, element, ROWS, COLUMNS, from, packed);
    for (int r = 0; r < ROWS; r++)
        for (int b = 0; b < COLUMNS / 32; b++) check_block(packed, COLUMNS, r, b, payload_bytes);
}

static void interleaved_blocks_lie_as_described(void **unused)
{
    (void)unused;
    check_interleaved_blocks(ELEMENT_Q8_0, 32);
    check_interleaved_blocks(ELEMENT_Q4_0, 16);
}

static void interleaved_plain_types_lie_in_columns(void **unused)
{
    (void)unused;
    float from[32][3], packed[96];
    uint16_t halves[16][4], pairs[64];
    for (int r = 0; r < 32; r++)
        for (int c = 0; c < 3; c++) from[r][c] = (float)(r * 10 + c);
    layout_pack(LAYOUT_INTERLEAVE16, ELEMENT_F32, 32, 3, from, packed);
    for (int r = 0; r < 32; r++)
        for (int c = 0; c < 3; c++)
            assert_true(packed[r / 16 * 48 + c * 16 + r % 16] == (float)(r * 10 + c));
    for (int r = 0; r < 16; r++)
        for (int c = 0; c < 4; c++) halves[r][c] = (uint16_t)(r * 10 + c);
    layout_pack(LAYOUT_INTERLEAVE16, ELEMENT_BF16, 16, 4, halves, pairs);
    for (int r = 0; r < 16; r++)
        for (int c = 0; c < 4; c++) assert_int_equal(pairs[c / 2 * 32 + r * 2 + c % 2], r * 10 + c);
}

/* Slicing whole groups of rows out of the packed bytes equals packing the slice: what experts and
 * devices rely on. */
static void groups_can_be_sliced(void **unused)
{
    (void)unused;
    enum { ROWS = 64, COLUMNS = 64, ROW_BYTES = 68 };
    static uint8_t from[ROWS * ROW_BYTES], packed[ROWS * ROW_BYTES], slice[32 * ROW_BYTES];
    fill(from, sizeof from, 1);
    layout_pack(LAYOUT_INTERLEAVE16, ELEMENT_Q8_0, ROWS, COLUMNS, from, packed);
    layout_pack(LAYOUT_INTERLEAVE16, ELEMENT_Q8_0, 32, COLUMNS, from + 16 * ROW_BYTES, slice);
    assert_memory_equal(slice, packed + 16 * ROW_BYTES, sizeof slice);
}

static void names_go_both_ways(void **unused)
{
    (void)unused;
    enum layout layout;
    for (int i = 0; i < LAYOUT_COUNT; i++)
        assert_true(layout_by_name(layout_name((enum layout)i), &layout) && (int)layout == i);
    assert_false(layout_by_name("columns", &layout));
    assert_int_equal(layout_group_rows(LAYOUT_INTERLEAVE16), 16);
    assert_int_equal(layout_group_rows(LAYOUT_ROWS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_is_lossless),
        cmocka_unit_test(support_follows_groups_and_blocks),
        cmocka_unit_test(interleaved_blocks_lie_as_described),
        cmocka_unit_test(interleaved_plain_types_lie_in_columns),
        cmocka_unit_test(groups_can_be_sliced),
        cmocka_unit_test(names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Packing of weights into layouts.
 *
 * interleave16, for a group of 16 rows, block column by block column: the 16 scales (2 bytes each,
 * if the element type has scales), then the rest of the 16 blocks in chunks of 4 bytes, chunk c of
 * rows 0 to 15 before chunk c + 1.  So each 64 bytes hold the same few columns of 16 rows: 4 quants
 * of q8_0, 8 of q4_0 (columns c..c+3 and 16+c..), 2 f16 or bf16, 1 f32.  Plain types are treated as
 * blocks of 4 bytes without a scale. */
#include "ir/layout.h"

#include <string.h>

enum { GROUP_ROWS = 16, CHUNK_BYTES = 4 };

struct layout_row {
    const char *name;
    int group_rows;
};

static const struct layout_row layout_rows[LAYOUT_COUNT] = {
#define LAYOUT(NAME, name, group) [LAYOUT_##NAME] = {#name, (group)},
#include "ir/layouts.def"
#undef LAYOUT
};

const char *layout_name(enum layout layout)
{
    return layout_rows[layout].name;
}

bool layout_by_name(const char *name, enum layout *layout)
{
    for (int i = 0; i < LAYOUT_COUNT; i++) {
        if (strcmp(name, layout_rows[i].name)) continue;
        *layout = (enum layout)i;
        return true;
    }
    return false;
}

int layout_group_rows(enum layout layout)
{
    return layout_rows[layout].group_rows;
}

/* A block as interleaving sees it. */
struct block_shape {
    size_t scale_bytes, chunks;
};

static struct block_shape block_shape_of(enum element_type element)
{
    const struct element *row = element_of(element);
    if (row->block_elements == 1) return (struct block_shape){0, 1};
    return (struct block_shape){2, (size_t)(row->block_bytes - 2) / CHUNK_BYTES};
}

/* Blocks that begin with one f16 scale, and plain types whose rows divide into chunks. */
static bool element_interleaves(enum element_type element, int64_t columns)
{
    if (element == ELEMENT_Q8_0 || element == ELEMENT_Q4_0) return true;
    return element_of(element)->block_elements == 1 &&
           element_row_bytes(element, columns) % CHUNK_BYTES == 0;
}

bool layout_supports(enum layout layout, enum element_type element, int64_t rows, int64_t columns)
{
    if (rows < 1 || columns < 1 || columns % element_of(element)->block_elements) return false;
    if (layout == LAYOUT_ROWS) return true;
    return rows % GROUP_ROWS == 0 && element_interleaves(element, columns);
}

/* Moves one block of each of 16 rows: between `rows`, the first of 16 blocks that lie `row_bytes`
 * apart, and `packed`, where they lie together. */
struct block_mover {
    struct block_shape shape;
    size_t block_bytes, row_bytes;
};

static void block_pack(const struct block_mover *mover, const uint8_t *rows, uint8_t *packed)
{
    size_t scale_bytes = mover->shape.scale_bytes;
    for (size_t r = 0; r < GROUP_ROWS; r++)
        memcpy(packed + r * scale_bytes, rows + r * mover->row_bytes, scale_bytes);
    uint8_t *to = packed + GROUP_ROWS * scale_bytes;
    for (size_t c = 0; c < mover->shape.chunks; c++)
        for (size_t r = 0; r < GROUP_ROWS; r++, to += CHUNK_BYTES)
            memcpy(to, rows + r * mover->row_bytes + scale_bytes + c * CHUNK_BYTES, CHUNK_BYTES);
}

static void block_unpack(const struct block_mover *mover, const uint8_t *packed, uint8_t *rows)
{
    size_t scale_bytes = mover->shape.scale_bytes;
    for (size_t r = 0; r < GROUP_ROWS; r++)
        memcpy(rows + r * mover->row_bytes, packed + r * scale_bytes, scale_bytes);
    const uint8_t *from = packed + GROUP_ROWS * scale_bytes;
    for (size_t c = 0; c < mover->shape.chunks; c++)
        for (size_t r = 0; r < GROUP_ROWS; r++, from += CHUNK_BYTES)
            memcpy(rows + r * mover->row_bytes + scale_bytes + c * CHUNK_BYTES, from, CHUNK_BYTES);
}

static struct block_mover block_mover_of(enum element_type element, int64_t columns)
{
    struct block_shape shape = block_shape_of(element);
    return (struct block_mover){
        .shape = shape,
        .block_bytes = shape.scale_bytes + shape.chunks * CHUNK_BYTES,
        .row_bytes = (size_t)element_row_bytes(element, columns),
    };
}

void layout_pack(enum layout layout, enum element_type element, int64_t rows, int64_t columns,
                 const void *from, void *to)
{
    struct block_mover mover = block_mover_of(element, columns);
    if (layout == LAYOUT_ROWS) {
        memcpy(to, from, (size_t)rows * mover.row_bytes);
        return;
    }
    uint8_t *packed = to;
    for (int64_t group = 0; group < rows / GROUP_ROWS; group++) {
        const uint8_t *first = (const uint8_t *)from + (size_t)group * GROUP_ROWS * mover.row_bytes;
        for (size_t at = 0; at < mover.row_bytes; at += mover.block_bytes) {
            block_pack(&mover, first + at, packed);
            packed += GROUP_ROWS * mover.block_bytes;
        }
    }
}

void layout_unpack(enum layout layout, enum element_type element, int64_t rows, int64_t columns,
                   const void *from, void *to)
{
    struct block_mover mover = block_mover_of(element, columns);
    if (layout == LAYOUT_ROWS) {
        memcpy(to, from, (size_t)rows * mover.row_bytes);
        return;
    }
    const uint8_t *packed = from;
    for (int64_t group = 0; group < rows / GROUP_ROWS; group++) {
        uint8_t *first = (uint8_t *)to + (size_t)group * GROUP_ROWS * mover.row_bytes;
        for (size_t at = 0; at < mover.row_bytes; at += mover.block_bytes) {
            block_unpack(&mover, packed, first + at);
            packed += GROUP_ROWS * mover.block_bytes;
        }
    }
}

/* ldmatrix and stmatrix: 8x8 matrices of 16 bits between shared memory and a warp's registers. */
#include "emulator/lanes.h"

enum { MATRIX_ROWS = 8, ROW_BYTES = 16 };

/* Where lane `lane` has its element `element` (0, 1): row and column. */
static void place_of(bool transposed, unsigned lane, unsigned element, unsigned *row,
                     unsigned *column)
{
    unsigned along = (lane & 3) * 2 + element, across = lane >> 2;
    *row = transposed ? along : across;
    *column = transposed ? across : along;
}

static enum outcome gather_rows(struct warp *warp, const struct instruction *instruction,
                                const uint64_t addresses[static WARP_LANES], bool write,
                                unsigned char *rows[static WARP_LANES])
{
    unsigned lanes = MATRIX_ROWS * instruction->count;
    for (unsigned lane = 0; lane < lanes; lane++) {
        uint32_t offset;
        struct block *block =
            shared_at(warp, instruction, lane, addresses[lane], ROW_BYTES, ROW_BYTES, &offset);
        if (!block) return OUTCOME_FAULT;
        bool good = write ? shadow_write(warp, instruction, lane, block, offset, ROW_BYTES)
                          : shadow_read(warp, instruction, lane, block, offset, ROW_BYTES);
        if (!good) return OUTCOME_FAULT;
        rows[lane] = block->shared + offset;
    }
    if (warp->block->gang->launch->checks & CHECK_COUNTERS)
        count_shared(warp, addresses, lanes == 32 ? ALL_LANES : (1u << lanes) - 1, ROW_BYTES);
    return OUTCOME_NEXT;
}

OPERATION(matrix_load)
{
    enum outcome outcome;
    uint64_t addresses[WARP_LANES];
    unsigned char *rows[WARP_LANES];
    uint32_t result[4][WARP_LANES];
    bool transposed = instruction->flags & FLAG_TRANSPOSE;
    if (!warp_gathers(warp, instruction, ALL_LANES, &outcome)) return outcome;
    warp_addresses(warp, &instruction->address, addresses);
    if (gather_rows(warp, instruction, addresses, false, rows) == OUTCOME_FAULT)
        return OUTCOME_FAULT;
    for (unsigned m = 0; m < instruction->count; m++)
        for (unsigned lane = 0; lane < WARP_LANES; lane++) {
            uint16_t half[2];
            for (unsigned e = 0; e < 2; e++) {
                unsigned row, column;
                place_of(transposed, lane, e, &row, &column);
                memcpy(&half[e], rows[m * MATRIX_ROWS + row] + column * 2, 2);
            }
            result[m][lane] = (uint32_t)half[1] << 16 | half[0];
        }
    for (unsigned m = 0; m < instruction->count; m++)
        memcpy(lanes32(warp, instruction->list[m]), result[m], sizeof result[m]);
    return OUTCOME_NEXT;
}

OPERATION(matrix_store)
{
    enum outcome outcome;
    uint64_t addresses[WARP_LANES];
    unsigned char *rows[WARP_LANES];
    bool transposed = instruction->flags & FLAG_TRANSPOSE;
    if (!warp_gathers(warp, instruction, ALL_LANES, &outcome)) return outcome;
    warp_addresses(warp, &instruction->address, addresses);
    if (gather_rows(warp, instruction, addresses, true, rows) == OUTCOME_FAULT)
        return OUTCOME_FAULT;
    for (unsigned m = 0; m < instruction->count; m++)
        for (unsigned lane = 0; lane < WARP_LANES; lane++)
            for (unsigned e = 0; e < 2; e++) {
                unsigned row, column;
                uint16_t half = (uint16_t)(lanes32(warp, instruction->list[m])[lane] >> 16 * e);
                place_of(transposed, lane, e, &row, &column);
                memcpy(rows[m * MATRIX_ROWS + row] + column * 2, &half, 2);
            }
    return OUTCOME_NEXT;
}

static status decode_matrix_access(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    uint32_t list[4 + 1];
    uint16_t count = 0;
    bool is_store = opcode->name[0] == 's';
    decoder_take(decoder, "aligned");
    if (!decoder_take(decoder, "m8n8") || decoder->type_count != 1 || decoder->types[0] != TYPE_B16)
        return decoder_refuse(decoder, "only 8x8 matrices of b16");
    instruction->count = decoder_take(decoder, "x4")   ? 4
                         : decoder_take(decoder, "x2") ? 2
                         : decoder_take(decoder, "x1") ? 1
                                                       : 0;
    if (!instruction->count) return decoder_refuse(decoder, "it has no .x1, .x2 or .x4");
    if (decoder_take(decoder, "trans")) instruction->flags |= FLAG_TRANSPOSE;
    if (!decoder_take(decoder, "shared") && !decoder_take(decoder, "shared::cta"))
        return decoder_refuse(decoder, "it is for shared memory");
    instruction->run = is_store ? matrix_store : matrix_load;
    if (is_store) {
        TRY(read_address(decoder, &instruction->address, NULL));
        TRY(read_comma(decoder));
    }
    uint32_t registers[OPERAND_LIST_MAX];
    TRY(read_registers_of(decoder, TYPE_B32, is_store, registers, &count));
    if (count != instruction->count) return decoder_refuse(decoder, "one register per matrix");
    memcpy(list, registers, count * sizeof *list);
    TRY(keep_list(decoder, list, count));
    if (is_store) return STATUS_OK;
    TRY(read_comma(decoder));
    return read_address(decoder, &instruction->address, NULL);
}

const struct opcode opcodes_matrix_load[] = {
    {"ldmatrix.sync", NULL, NULL, CATEGORY_MATRIX_LOAD, decode_matrix_access},
    {"stmatrix.sync", NULL, NULL, CATEGORY_MATRIX_LOAD, decode_matrix_access},
    {0},
};

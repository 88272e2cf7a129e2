/* cp.async.bulk and cp.async.bulk.tensor: copies between global and shared memory that the card's
 * copy engine makes, ended by a transaction barrier (into shared memory) or waited for in groups
 * (out of it). */
#include "emulator/bulk.h"
#include "emulator/lanes.h"
#include "emulator/memory_reach.h"
#include "emulator/tensor_map.h"
#include "emulator/transaction.h"

enum { BULK_ALIGNMENT = 16, BOX_ALIGNMENT = 128, MAP_ALIGNMENT = 64, MAP_BYTES = 128 };

struct bulk_detail {
    struct address global, barrier; /* `global`: of the tensor map, where there is one */
    enum space map_space;
    uint32_t dimensions; /* 0: no tensor */
    uint32_t coordinates[TENSOR_DIMENSIONS_MAX];
    bool multicast; /* source 1: the ranks */
};

static bool read_map(struct warp *warp, const struct instruction *instruction, unsigned lane,
                     uint64_t address, struct bulk_copy *copy)
{
    const struct bulk_detail *detail = instruction->detail;
    const struct tensor_map *map = (const void *)copy->map;
    if (address & (MAP_ALIGNMENT - 1)) {
        warp_fault(warp, instruction, MACHINE_MISALIGNED,
                   "the tensor map at %#llx is not at a multiple of %d",
                   (unsigned long long)address, MAP_ALIGNMENT);
        return false;
    }
    for (uint32_t at = 0; at < MAP_BYTES; at += 32) {
        const unsigned char *from =
            memory_reach(warp, instruction, detail->map_space, lane, address + at, 32, REACH_READ);
        if (!from) return false;
        memcpy(copy->map + at, from, 32);
    }
    if (map->magic == TENSOR_MAP_MAGIC && map->rank == detail->dimensions) return true;
    warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION,
               "no tensor map of %u dimensions, as cuTensorMapEncodeTiled makes it, is at %#llx",
               detail->dimensions, (unsigned long long)address);
    return false;
}

static bool take_box(struct warp *warp, const struct instruction *instruction, unsigned lane,
                     struct bulk_copy *copy)
{
    const struct bulk_detail *detail = instruction->detail;
    const struct tensor_map *map = (const void *)copy->map;
    uint64_t addresses[WARP_LANES];
    warp_addresses(warp, &detail->global, addresses);
    if (!read_map(warp, instruction, lane, addresses[lane], copy)) return false;
    for (uint32_t axis = 0; axis < detail->dimensions; axis++)
        copy->coordinates[axis] = LANES(const int32_t, detail->coordinates[axis])[lane];
    copy->bytes = tensor_row_bytes(map) * tensor_rows(map);
    return true;
}

static bool take_range(struct warp *warp, const struct instruction *instruction, unsigned lane,
                       struct bulk_copy *copy)
{
    const struct bulk_detail *detail = instruction->detail;
    uint64_t addresses[WARP_LANES];
    warp_addresses(warp, &detail->global, addresses);
    copy->bytes = SOURCE(uint32_t, 0)[lane];
    if (!copy->bytes || copy->bytes % BULK_ALIGNMENT) {
        warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION,
                   "a bulk copy of %u bytes; it takes multiples of 16", copy->bytes);
        return false;
    }
    copy->global = global_at(warp, instruction, lane, addresses[lane], copy->bytes, BULK_ALIGNMENT);
    if (copy->global) count_range(warp, addresses[lane], copy->bytes);
    return copy->global != NULL;
}

/* What both directions share: the places in memory. */
static bool take_copy(struct warp *warp, const struct instruction *instruction, unsigned lane,
                      struct bulk_copy *copy)
{
    const struct bulk_detail *detail = instruction->detail;
    uint64_t addresses[WARP_LANES];
    *copy = (struct bulk_copy){.warp = warp->index, .lane = lane};
    bool taken = detail->dimensions ? take_box(warp, instruction, lane, copy)
                                    : take_range(warp, instruction, lane, copy);
    if (!taken) return false;
    warp_addresses(warp, &instruction->address, addresses);
    uint64_t address = addresses[lane];
    if (instruction->space == SPACE_GENERIC) address &= ~TAG_SHARED;
    copy->block = shared_at(warp, instruction, lane, address, 1,
                            detail->dimensions ? BOX_ALIGNMENT : BULK_ALIGNMENT, &copy->offset);
    return copy->block != NULL;
}

static enum outcome issue_load(struct warp *warp, const struct instruction *instruction,
                               const struct bulk_copy *copy)
{
    if (!transaction_find(copy->block, copy->transaction))
        return warp_fault(warp, instruction, MACHINE_HAZARD,
                          "no mbarrier was initialised at shared byte %u of block %u",
                          copy->transaction, copy->block->rank);
    if (bulk_issue(warp, instruction, copy, true) == OUTCOME_FAULT) return OUTCOME_FAULT;
    struct bulk_copy *kept = bulk_add(warp->block->gang, &warp->block->gang->bulk);
    if (!kept) return warp_fault(warp, instruction, MACHINE_RESOURCES, "out of host memory");
    *kept = *copy;
    return OUTCOME_NEXT;
}

/* One lane's copy, to its own or the named block, or to all blocks of a mask. */
static enum outcome load_lane(struct warp *warp, const struct instruction *instruction,
                              unsigned lane, uint64_t barrier)
{
    const struct bulk_detail *detail = instruction->detail;
    const uint32_t *cluster = warp->block->gang->launch->cluster;
    struct bulk_copy copy;
    struct block *block, *first = warp->block - warp->block->rank;
    if (!take_copy(warp, instruction, lane, &copy)) return OUTCOME_FAULT;
    struct transaction *transaction = transaction_at(warp, instruction, lane, barrier, &block);
    if (!transaction) return OUTCOME_FAULT;
    uint32_t blocks = cluster[0] * cluster[1] * cluster[2], ranks = 1u << copy.block->rank;
    copy.transaction = transaction->offset;
    copy.clock = warp->clock[warp->index];
    if (detail->multicast) ranks = SOURCE(uint32_t, 1)[lane] & 0xffff;
    if (ranks >> blocks)
        return warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION,
                          "a copy to blocks %#x of a cluster of %u", ranks, blocks);
    for (uint32_t left = ranks; left; left &= left - 1) {
        copy.block = first + __builtin_ctz(left);
        copy.foreign = copy.block != warp->block;
        if (issue_load(warp, instruction, &copy) == OUTCOME_FAULT) return OUTCOME_FAULT;
        copy.shared_fetch = true;
    }
    return OUTCOME_NEXT;
}

OPERATION(bulk_load)
{
    const struct bulk_detail *detail = instruction->detail;
    uint64_t barriers[WARP_LANES];
    warp_addresses(warp, &detail->barrier, barriers);
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        if (load_lane(warp, instruction, lane, barriers[lane]) == OUTCOME_FAULT)
            return OUTCOME_FAULT;
    }
    warp->clock[warp->index]++;
    return OUTCOME_NEXT;
}

OPERATION(bulk_store_issue)
{
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        struct bulk_copy copy;
        if (!take_copy(warp, instruction, lane, &copy)) return OUTCOME_FAULT;
        copy.group = warp->store_groups[lane];
        if (bulk_issue(warp, instruction, &copy, false) == OUTCOME_FAULT) return OUTCOME_FAULT;
        struct bulk_copy *kept = bulk_add(warp->block->gang, &warp->stores);
        if (!kept) return warp_fault(warp, instruction, MACHINE_RESOURCES, "out of host memory");
        *kept = copy;
    }
    return OUTCOME_NEXT;
}

OPERATION(bulk_commit)
{
    (void)instruction;
    EACH_LANE(warp->store_groups[lane]++);
    return OUTCOME_NEXT;
}

OPERATION(bulk_wait)
{
    return bulk_store(warp, instruction, (uint32_t)instruction->immediate);
}

/* ---- Decoding ---- */

static void take_dimensions(struct decoder *decoder, struct bulk_detail *detail)
{
    static const char *const names[] = {"1d", "2d", "3d", "4d", "5d"};
    for (uint32_t n = 0; n < TENSOR_DIMENSIONS_MAX; n++)
        if (decoder_take(decoder, names[n])) detail->dimensions = n + 1;
}

/* "[map, {x, y}]" */
static status read_box(struct decoder *decoder, struct bulk_detail *detail)
{
    uint32_t list[OPERAND_LIST_MAX];
    uint16_t count = 0;
    enum symbol_kind kind;
    TRY(lexer_expect(decoder->lexer, "["));
    TRY(read_address_inside(decoder, &detail->global, &kind));
    detail->map_space = kind == SYMBOL_PARAMETER ? SPACE_PARAMETER : SPACE_GENERIC;
    TRY(read_comma(decoder));
    TRY(read_registers_of(decoder, TYPE_B32, true, list, &count));
    if (count != detail->dimensions) return decoder_refuse(decoder, "one coordinate per dimension");
    memcpy(detail->coordinates, list, count * sizeof *list);
    return lexer_expect(decoder->lexer, "]");
}

static status read_from(struct decoder *decoder, struct bulk_detail *detail)
{
    if (detail->dimensions) return read_box(decoder, detail);
    TRY(read_address(decoder, &detail->global, NULL));
    return STATUS_OK;
}

static status read_load(struct decoder *decoder, struct bulk_detail *detail, bool policy)
{
    struct instruction *instruction = decoder->instruction;
    TRY(read_address(decoder, &instruction->address, NULL));
    TRY(read_comma(decoder));
    TRY(read_from(decoder, detail));
    TRY(read_comma(decoder));
    if (!detail->dimensions) {
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[0]));
        TRY(read_comma(decoder));
    }
    TRY(read_address(decoder, &detail->barrier, NULL));
    if (detail->multicast) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, TYPE_B16, &instruction->sources[1]));
    }
    if (!policy) return STATUS_OK;
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B64, &instruction->sources[2]);
}

static status read_store(struct decoder *decoder, struct bulk_detail *detail, bool policy)
{
    struct instruction *instruction = decoder->instruction;
    TRY(read_from(decoder, detail));
    TRY(read_comma(decoder));
    TRY(read_address(decoder, &instruction->address, NULL));
    if (!detail->dimensions) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[0]));
    }
    if (!policy) return STATUS_OK;
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B64, &instruction->sources[2]);
}

static status decode_bulk(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    struct bulk_detail *detail;
    (void)opcode;
    TRY_NEW(detail, decoder->parser->module->arena, 1, decoder->lexer->diagnostic);
    instruction->detail = detail;
    instruction->space = SPACE_SHARED;
    instruction->flags |= FLAG_VOLATILE; /* the transaction barrier's bytes */
    take_dimensions(decoder, detail);
    decoder_take(decoder, "tile");
    bool policy = decoder_take(decoder, "L2::cache_hint");
    bool loads = decoder_take(decoder, "mbarrier::complete_tx::bytes");
    detail->multicast = decoder_take(decoder, "multicast::cluster");
    bool shared = decoder_take(decoder, "shared::cluster") || decoder_take(decoder, "shared::cta");
    if (!shared || !decoder_take(decoder, "global") ||
        loads == decoder_take(decoder, "bulk_group") || (detail->multicast && !loads))
        return decoder_refuse(decoder, "between these spaces");
    instruction->run = loads ? bulk_load : bulk_store_issue;
    return loads ? read_load(decoder, detail, policy) : read_store(decoder, detail, policy);
}

static status decode_commit(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    decoder->instruction->run = bulk_commit;
    return STATUS_OK;
}

static status decode_wait(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    decoder_take(decoder, "read");
    decoder->instruction->run = bulk_wait;
    return read_immediate(decoder, 0, 1 << 20, &decoder->instruction->immediate);
}

/* Prefetches: a cache is not modelled. */
OPERATION(bulk_nothing)
{
    (void)warp;
    (void)instruction;
    return OUTCOME_NEXT;
}

static status decode_prefetch(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    for (int i = 0; i < decoder->part_count; i++) decoder->parts[i].taken = true;
    decoder->instruction->run = bulk_nothing;
    while (!token_is(&decoder->lexer->token, ";") && decoder->lexer->token.kind != TOKEN_END)
        lexer_advance(decoder->lexer);
    return STATUS_OK;
}

const struct opcode opcodes_bulk[] = {
    {"cp.async.bulk.prefetch", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_prefetch},
    {"cp.async.bulk.prefetch.tensor", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_prefetch},
    {"cp.async.bulk", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_bulk},
    {"cp.async.bulk.tensor", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_bulk},
    {"cp.async.bulk.commit_group", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_commit},
    {"cp.async.bulk.wait_group", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_wait},
    {0},
};

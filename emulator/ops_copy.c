/* cp.async: each lane's copies from global to shared memory.  They are carried out when the lane
 * waits for their group, not before; until then nobody may touch their destination. */
#include "emulator/lanes.h"

/* The second address of a copy, and how many bytes are read. */
struct copy_detail {
    struct address from;
    uint32_t bytes;
    bool has_size; /* source 0: bytes that are read, the rest is zero */
};

static struct pending_copy *copy_add(struct warp *warp)
{
    struct copy_list *list = &warp->copies;
    void *grown = arena_grow(warp->block->gang->arena, list->items, list->count, &list->capacity,
                             sizeof *list->items);
    if (!grown) return NULL;
    list->items = grown;
    return &list->items[list->count++];
}

static enum outcome issue_lane(struct warp *warp, const struct instruction *instruction,
                               unsigned lane, uint64_t to, uint64_t from, uint32_t valid)
{
    const struct copy_detail *detail = instruction->detail;
    uint32_t offset;
    unsigned char *source = NULL;
    struct block *block =
        shared_at(warp, instruction, lane, to, detail->bytes, detail->bytes, &offset);
    if (!block) return OUTCOME_FAULT;
    if (valid > detail->bytes) valid = detail->bytes;
    if (valid) source = global_at(warp, instruction, lane, from, valid, detail->bytes);
    if (valid && !source) return OUTCOME_FAULT;
    if (!shadow_expect(warp, instruction, lane, block, offset, detail->bytes)) return OUTCOME_FAULT;
    struct pending_copy *copy = copy_add(warp);
    if (!copy) return warp_fault(warp, instruction, MACHINE_RESOURCES, "out of host memory");
    *copy = (struct pending_copy){.offset = offset,
                                  .bytes = detail->bytes,
                                  .valid = valid,
                                  .from = source,
                                  .lane = lane,
                                  .group = warp->copy_groups[lane]};
    return OUTCOME_NEXT;
}

OPERATION(copy_issue)
{
    const struct copy_detail *detail = instruction->detail;
    uint64_t to[WARP_LANES], from[WARP_LANES];
    warp_addresses(warp, &instruction->address, to);
    warp_addresses(warp, &detail->from, from);
    const uint32_t *sizes = detail->has_size ? SOURCE(uint32_t, 0) : NULL;
    uint32_t reading = 0;
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        uint32_t valid = sizes ? sizes[lane] : detail->bytes;
        if (valid) reading |= 1u << lane;
        if (issue_lane(warp, instruction, lane, to[lane], from[lane], valid) == OUTCOME_FAULT)
            return OUTCOME_FAULT;
    }
    if (!(warp->block->gang->launch->checks & CHECK_COUNTERS)) return OUTCOME_NEXT;
    if (reading) count_global(warp, from, reading, detail->bytes);
    count_shared(warp, to, warp->mask, detail->bytes);
    return OUTCOME_NEXT;
}

static void copy_finish(struct warp *warp, const struct pending_copy *copy)
{
    struct block *block = warp->block;
    unsigned char *to = block->shared + copy->offset;
    if (copy->valid) memcpy(to, copy->from, copy->valid);
    memset(to + copy->valid, 0, copy->bytes - copy->valid);
    shadow_arrive(block, copy->offset, copy->bytes, warp->index, warp->clock[warp->index], false);
}

void copies_finish(struct warp *warp, uint32_t kept, bool all)
{
    struct copy_list *list = &warp->copies;
    size_t left = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct pending_copy *copy = &list->items[i];
        uint32_t groups = warp->copy_groups[copy->lane];
        bool due = lane_runs(warp, copy->lane) && (all || copy->group + kept < groups);
        if (due)
            copy_finish(warp, copy);
        else
            list->items[left++] = *copy;
    }
    list->count = left;
}

OPERATION(copy_commit)
{
    (void)instruction;
    EACH_LANE(warp->copy_groups[lane]++);
    return OUTCOME_NEXT;
}

OPERATION(copy_wait)
{
    copies_finish(warp, (uint32_t)instruction->immediate, instruction->count);
    return OUTCOME_NEXT;
}

/* Operands that are left before the semicolon. */
static int count_commas(const struct lexer *lexer)
{
    struct lexer ahead = *lexer;
    int commas = 0;
    while (ahead.token.kind != TOKEN_END && !token_is(&ahead.token, ";")) {
        commas += token_is(&ahead.token, ",");
        lexer_advance(&ahead);
    }
    return commas > 2 ? 2 : commas;
}

static status decode_copy(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    struct copy_detail *detail;
    int64_t bytes;
    size_t length;
    (void)opcode;
    bool all_levels = decoder_take(decoder, "ca"), cached = decoder_take(decoder, "cg");
    bool hint = decoder_take(decoder, "L2::cache_hint");
    while (decoder_take_prefix(decoder, "L2::", &length)) {
    }
    bool shared = decoder_take(decoder, "shared") || decoder_take(decoder, "shared::cta");
    if (!shared || !decoder_take(decoder, "global") || all_levels == cached)
        return decoder_refuse(decoder, "not for these spaces");
    TRY_NEW(detail, decoder->parser->module->arena, 1, decoder->lexer->diagnostic);
    instruction->detail = detail;
    instruction->run = copy_issue;
    TRY(read_address(decoder, &instruction->address, NULL));
    TRY(read_comma(decoder));
    TRY(read_address(decoder, &detail->from, NULL));
    TRY(read_comma(decoder));
    TRY(read_immediate(decoder, 4, 16, &bytes));
    if ((bytes != 4 && bytes != 8 && bytes != 16) || (cached && bytes != 16))
        return decoder_refuse(decoder, "a copy has 4, 8 or 16 bytes; with .cg 16");
    detail->bytes = (uint32_t)bytes;
    int operands = count_commas(decoder->lexer);
    detail->has_size = operands > hint;
    for (int operand = 0; operand < operands; operand++) {
        bool policy = hint && operand == operands - 1;
        TRY(read_comma(decoder));
        TRY(read_source(decoder, policy ? TYPE_B64 : TYPE_B32, &instruction->sources[operand]));
    }
    return STATUS_OK;
}

static status decode_commit(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    decoder->instruction->run = copy_commit;
    return STATUS_OK;
}

static status decode_wait(struct decoder *decoder, const struct opcode *opcode)
{
    decoder->instruction->run = copy_wait;
    decoder->instruction->count = strstr(opcode->name, "wait_all") != NULL;
    if (decoder->instruction->count) return STATUS_OK;
    return read_immediate(decoder, 0, 1 << 20, &decoder->instruction->immediate);
}

const struct opcode opcodes_copy[] = {
    {"cp.async", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_copy},
    {"cp.async.commit_group", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_commit},
    {"cp.async.wait_group", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_wait},
    {"cp.async.wait_all", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_wait},
    {0},
};

/* Barriers of blocks and of warps. */
#include "emulator/lanes.h"

#include <stdio.h>

/* All live lanes of the warp stand here, or they wait for each other. */
static bool warp_is_whole(struct warp *warp)
{
    return warp->mask == warp->live;
}

/* sources[0]: which barrier, sources[1]: how many threads (NO_REGISTER: all). */
static enum outcome arrive(struct warp *warp, const struct instruction *instruction, bool waits)
{
    if (!warp_is_whole(warp)) return OUTCOME_PARK;
    unsigned lane = (unsigned)__builtin_ctz(warp->mask);
    uint32_t id = SOURCE(uint32_t, 0)[lane], threads = 0;
    if (instruction->sources[1] != NO_REGISTER) {
        threads = SOURCE(uint32_t, 1)[lane];
        if (!threads || threads % WARP_LANES)
            return warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION,
                              "a barrier of %u threads; it takes multiples of 32", threads);
    }
    if (id >= BLOCK_BARRIERS)
        return warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION, "there is no barrier %u",
                          id);
    return block_barrier(warp, instruction, id, threads, waits);
}

OPERATION(barrier_wait)
{
    return arrive(warp, instruction, true);
}

OPERATION(barrier_arrive)
{
    return arrive(warp, instruction, false);
}

OPERATION(barrier_warp)
{
    enum outcome outcome = OUTCOME_NEXT;
    uint32_t members = SOURCE(uint32_t, 0)[__builtin_ctz(warp->mask)];
    warp_gathers(warp, instruction, members, &outcome);
    return outcome;
}

static status decode_barrier(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    decoder_take(decoder, "cta");
    decoder_take(decoder, "aligned");
    bool arrives = decoder_take(decoder, "arrive");
    if (!arrives && !decoder_take(decoder, "sync"))
        return decoder_refuse(decoder, "it has no kind");
    instruction->run = arrives ? barrier_arrive : barrier_wait;
    TRY(read_source(decoder, TYPE_B32, &instruction->sources[0]));
    if (lexer_take(decoder->lexer, ","))
        return read_source(decoder, TYPE_B32, &instruction->sources[1]);
    return arrives ? decoder_refuse(decoder, "it needs a number of threads") : STATUS_OK;
}

/* "barrier.red.popc.u32 d, a, p", ".and.pred", ".or.pred". */
static status decode_reduction(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    decoder_take(decoder, "cta");
    decoder_take(decoder, "aligned");
    bool counts = decoder_take(decoder, "popc"), all = decoder_take(decoder, "and");
    if (!counts && !all && !decoder_take(decoder, "or"))
        return decoder_refuse(decoder, "it has no kind");
    instruction->run = barrier_wait;
    instruction->type = counts ? TYPE_U32 : TYPE_PREDICATE;
    instruction->count = all;
    TRY(read_destination(decoder, counts ? TYPE_B32 : TYPE_PREDICATE, &instruction->destination));
    TRY(read_comma(decoder));
    TRY(read_source(decoder, TYPE_B32, &instruction->sources[0]));
    TRY(read_comma(decoder));
    if (decoder->lexer->token.kind == TOKEN_NUMBER) {
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[1]));
        TRY(read_comma(decoder));
    }
    return read_predicate(decoder, &instruction->sources[2]);
}

static status decode_warp_barrier(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    decoder->instruction->run = barrier_warp;
    return read_source(decoder, TYPE_B32, &decoder->instruction->sources[0]);
}

const struct opcode opcodes_barrier[] = {
    {"bar", NULL, NULL, CATEGORY_BARRIER, decode_barrier},
    {"barrier", NULL, NULL, CATEGORY_BARRIER, decode_barrier},
    {"bar.red", NULL, NULL, CATEGORY_BARRIER, decode_reduction},
    {"barrier.red", NULL, NULL, CATEGORY_BARRIER, decode_reduction},
    {"barrier.cta.red", NULL, NULL, CATEGORY_BARRIER, decode_reduction},
    {"bar.warp.sync", NULL, NULL, CATEGORY_BARRIER, decode_warp_barrier},
    {0},
};

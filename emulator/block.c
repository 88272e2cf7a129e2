/* Barriers of a block. */
#include "emulator/warp.h"

static bool barrier_is_full(const struct block *block, const struct barrier *barrier)
{
    if (!barrier->arrived) return false;
    if (barrier->expected) return barrier->arrived >= barrier->expected;
    return barrier->arrived >= block->live_warps * WARP_LANES;
}

/* "barrier.red": every warp that waited gets the votes of all. */
static void give_votes(struct warp *warp, const struct instruction *instruction,
                       const struct barrier *barrier)
{
    if (instruction->destination == NO_REGISTER) return;
    uint32_t *result = lanes32(warp, instruction->destination);
    if (instruction->type == TYPE_PREDICATE) {
        bool all = barrier->lanes_true == barrier->votes, any = barrier->lanes_true > 0;
        *result = (instruction->count ? all : any) ? ALL_LANES : 0;
        return;
    }
    for (unsigned lane = 0; lane < WARP_LANES; lane++) result[lane] = barrier->lanes_true;
}

static void barrier_open(struct block *block, struct barrier *barrier)
{
    const struct instruction *code = block->gang->launch->module->code;
    shadow_join(block, barrier->waiting);
    for (uint32_t w = 0; w < block->warp_count; w++) {
        struct warp *warp = &block->warps[w];
        if (!(barrier->waiting >> w & 1)) continue;
        give_votes(warp, &code[warp->groups[0].pc], barrier);
        warp->groups[0].pc++;
        warp->state = WARP_READY;
    }
    *barrier = (struct barrier){0};
    block->gang->events++;
    block->gang->counters.barriers++;
}

static void count_votes(const struct warp *warp, const struct instruction *instruction,
                        struct barrier *barrier)
{
    if (instruction->destination == NO_REGISTER) return;
    uint32_t votes = *lanes32(warp, instruction->sources[2]);
    if (instruction->flags & FLAG_NEGATE) votes = ~votes;
    barrier->lanes_true += (unsigned)__builtin_popcount(votes & warp->mask);
    barrier->votes += (unsigned)__builtin_popcount(warp->mask);
}

enum outcome block_barrier(struct warp *warp, const struct instruction *instruction, uint32_t id,
                           uint32_t threads, bool waits)
{
    struct block *block = warp->block;
    struct barrier *barrier = &block->barriers[id];
    if (barrier->arrived && barrier->expected != threads)
        return warp_fault(warp, instruction, MACHINE_DIVERGENCE,
                          "barrier %u is waited for with %u and with %u threads", id,
                          barrier->expected, threads);
    barrier->expected = threads;
    barrier->arrived += WARP_LANES;
    count_votes(warp, instruction, barrier);
    if (waits) {
        barrier->waiting |= 1u << warp->index;
        warp->state = WARP_AT_BARRIER;
        warp->group->pc = warp->pc;
    } else {
        uint32_t everyone[BLOCK_WARPS_MAX] = {0};
        shadow_release(warp, everyone);
        for (uint32_t w = 0; w < block->warp_count; w++) shadow_acquire(&block->warps[w], everyone);
    }
    if (barrier_is_full(block, barrier)) barrier_open(block, barrier);
    return waits ? OUTCOME_WAIT : OUTCOME_NEXT;
}

void block_warp_done(struct warp *warp)
{
    struct block *block = warp->block;
    warp->state = WARP_DONE;
    block->live_warps--;
    block->gang->events++;
    cluster_check(block);
    for (int id = 0; id < BLOCK_BARRIERS; id++) {
        struct barrier *barrier = &block->barriers[id];
        if (!barrier->expected && barrier_is_full(block, barrier)) barrier_open(block, barrier);
    }
}

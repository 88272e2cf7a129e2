/* Clusters: their barrier, and addresses in the shared memory of other blocks. */
#include "emulator/lanes.h"

/* ---- The barrier ---- */

static uint32_t cluster_blocks(const struct block *block)
{
    const uint32_t *cluster = block->gang->launch->cluster;
    return cluster[0] * cluster[1] * cluster[2];
}

static bool everyone_arrived(const struct block *first, uint32_t blocks)
{
    bool any = false;
    for (uint32_t b = 0; b < blocks; b++)
        for (uint32_t w = 0; w < first[b].warp_count; w++) {
            const struct warp *warp = &first[b].warps[w];
            if (warp->state == WARP_DONE) continue;
            if (!warp->cluster_arrived || warp->cluster_phase != first->cluster_phase) return false;
            any = true;
        }
    return any;
}

void cluster_check(struct block *block)
{
    struct block *first = block - block->rank;
    uint32_t blocks = cluster_blocks(block);
    if (!everyone_arrived(first, blocks)) return;
    first->cluster_phase++;
    block->gang->events++;
    block->gang->counters.barriers++;
    for (uint32_t b = 0; b < blocks; b++) {
        uint32_t waiting = 0;
        for (uint32_t w = 0; w < first[b].warp_count; w++) {
            struct warp *warp = &first[b].warps[w];
            if (!warp->cluster_waits) continue;
            warp->cluster_waits = warp->cluster_arrived = false;
            warp->groups[0].pc++;
            warp->state = WARP_READY;
            waiting |= 1u << w;
        }
        shadow_join(&first[b], waiting);
    }
}

OPERATION(cluster_arrive)
{
    struct block *first = warp->block - warp->block->rank;
    if (warp->mask != warp->live) return OUTCOME_PARK;
    if (warp->cluster_arrived)
        return warp_fault(warp, instruction, MACHINE_DIVERGENCE,
                          "a warp arrives at the cluster's barrier twice without waiting");
    warp->cluster_arrived = true;
    warp->cluster_phase = first->cluster_phase;
    /* Those that arrive later open the barrier; they have seen this warp then. */
    uint32_t everyone[BLOCK_WARPS_MAX] = {0};
    shadow_release(warp, everyone);
    for (uint32_t w = 0; w < warp->block->warp_count; w++)
        shadow_acquire(&warp->block->warps[w], everyone);
    cluster_check(warp->block);
    return OUTCOME_NEXT;
}

OPERATION(cluster_wait)
{
    const struct block *first = warp->block - warp->block->rank;
    if (warp->mask != warp->live) return OUTCOME_PARK;
    if (!warp->cluster_arrived)
        return warp_fault(warp, instruction, MACHINE_DIVERGENCE,
                          "a warp waits at the cluster's barrier without having arrived");
    if (warp->cluster_phase != first->cluster_phase) {
        warp->cluster_arrived = false;
        return OUTCOME_NEXT;
    }
    warp->cluster_waits = true;
    warp->state = WARP_AT_BARRIER;
    warp->group->pc = warp->pc;
    return OUTCOME_WAIT;
}

/* ---- Addresses ---- */

/* source 0: the address in the own block, source 1: the rank. */
OPERATION(map_address_32)
{
    const uint32_t *a = SOURCE(uint32_t, 0), *rank = SOURCE(uint32_t, 1);
    uint32_t *d = DESTINATION(uint32_t);
    EACH_LANE(d[lane] = (a[lane] & ((1u << SHARED_RANK_SHIFT) - 1)) | rank[lane]
                                                                          << SHARED_RANK_SHIFT);
    return OUTCOME_NEXT;
}

OPERATION(map_address_64)
{
    const uint64_t *a = SOURCE(uint64_t, 0);
    const uint32_t *rank = SOURCE(uint32_t, 1);
    uint64_t tag = (uint64_t)instruction->immediate, *d = DESTINATION(uint64_t);
    EACH_LANE(d[lane] = (a[lane] & ((1u << SHARED_RANK_SHIFT) - 1)) |
                        (uint64_t)rank[lane] << SHARED_RANK_SHIFT | tag);
    return OUTCOME_NEXT;
}

OPERATION(rank_of_address_32)
{
    const uint32_t *a = SOURCE(uint32_t, 0);
    uint32_t *d = DESTINATION(uint32_t);
    EACH_LANE(d[lane] = a[lane] >> SHARED_RANK_SHIFT);
    return OUTCOME_NEXT;
}

OPERATION(rank_of_address_64)
{
    const uint64_t *a = SOURCE(uint64_t, 0);
    uint32_t *d = DESTINATION(uint32_t);
    EACH_LANE(d[lane] = (uint32_t)((a[lane] & ~TAG_MASK) >> SHARED_RANK_SHIFT));
    return OUTCOME_NEXT;
}

static status decode_barrier(struct decoder *decoder, const struct opcode *opcode)
{
    static const char *const manners[] = {"release", "acquire", "relaxed", "aligned"};
    (void)opcode;
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) decoder_take(decoder, manners[i]);
    bool arrives = decoder_take(decoder, "arrive");
    if (!arrives && !decoder_take(decoder, "wait"))
        return decoder_refuse(decoder, "it has no kind");
    decoder->instruction->run = arrives ? cluster_arrive : cluster_wait;
    return STATUS_OK;
}

static status decode_map(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    bool shared = decoder_take(decoder, "shared::cluster");
    if (decoder->type_count != 1) return decoder_refuse(decoder, "it needs one type");
    enum ptx_type type = decoder->types[0];
    instruction->run = type_is_wide(type) ? map_address_64 : map_address_32;
    instruction->immediate = shared ? 0 : (int64_t)TAG_SHARED;
    TRY(read_destination(decoder, type, &instruction->destination));
    TRY(read_comma(decoder));
    TRY(read_source(decoder, type, &instruction->sources[0]));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B32, &instruction->sources[1]);
}

static status decode_rank(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    decoder_take(decoder, "shared::cluster");
    if (decoder->type_count != 1) return decoder_refuse(decoder, "it needs one type");
    enum ptx_type type = decoder->types[0];
    instruction->run = type_is_wide(type) ? rank_of_address_64 : rank_of_address_32;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    TRY(read_comma(decoder));
    return read_source(decoder, type, &instruction->sources[0]);
}

const struct opcode opcodes_cluster[] = {
    {"barrier.cluster", NULL, NULL, CATEGORY_BARRIER, decode_barrier},
    {"mapa", NULL, NULL, CATEGORY_INTEGER, decode_map},
    {"getctarank", NULL, NULL, CATEGORY_INTEGER, decode_rank},
    {0},
};

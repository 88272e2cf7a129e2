/* The state of running blocks and warps, for the operations. */
#ifndef EMULATOR_WARP_H
#define EMULATOR_WARP_H

#include "emulator/machine.h"

#include <stddef.h>

/* Lanes of a warp that stand at the same instruction. */
struct lane_group {
    uint32_t pc, mask;
    bool parked; /* waits for other lanes; runs again when one arrives here */
    bool yielded;
};

enum warp_state { WARP_READY, WARP_AT_BARRIER, WARP_DONE };

struct barrier {
    uint32_t expected; /* threads; 0: every thread of the block that lives */
    uint32_t arrived;
    uint32_t waiting; /* warps */
    uint32_t votes, lanes_true;
};

/* A transaction barrier in shared memory (mbarrier). */
struct transaction {
    uint32_t offset;
    uint32_t count, pending;
    int64_t bytes;  /* expected and not yet there */
    uint32_t phase; /* how many it has completed */
    /* What the arrivals of the completed phases, and of the running one, have seen. */
    uint32_t clock[BLOCK_WARPS_MAX], arriving[BLOCK_WARPS_MAX];
};

/* A copy of cp.async under way: carried out when its lane waits for it. */
struct pending_copy {
    uint32_t offset;       /* in the block's shared memory */
    uint32_t bytes, valid; /* the rest is zero */
    unsigned char *from;
    uint32_t lane, group;
};

enum { TENSOR_DIMENSIONS_MAX = 5 };

/* A copy of cp.async.bulk: into shared memory until somebody waits for its transaction barrier, out
 * of it until its lane waits for its group. */
struct bulk_copy {
    struct block *block; /* whose shared memory it is */
    uint32_t offset, bytes;
    uint32_t transaction;   /* offset of the barrier, in the same block */
    uint32_t warp, clock;   /* that issued it */
    bool foreign;           /* a warp of another block of the cluster did */
    bool shared_fetch;      /* to several blocks: another block's copy counts the traffic */
    uint32_t lane, group;   /* out of shared memory */
    unsigned char *global;  /* without a tensor map */
    unsigned char map[128]; /* struct tensor_map; all zero: none */
    int32_t coordinates[TENSOR_DIMENSIONS_MAX];
};

/* A warpgroup product that is not waited for yet. */
struct pending_product {
    const struct instruction *instruction;
    uint64_t descriptors[2];
    uint32_t group;
    bool accumulates;
};

struct copy_list {
    struct pending_copy *items;
    size_t count, capacity;
};

struct bulk_list {
    struct bulk_copy *items;
    size_t count, capacity;
};

struct product_list {
    struct pending_product *items;
    size_t count, capacity;
};

struct block;

struct warp {
    unsigned char *registers;
    uint32_t mask; /* lanes that execute the current instruction */
    uint32_t pc;
    struct lane_group *group; /* the one that runs */
    struct lane_group groups[WARP_LANES];
    uint32_t group_count;
    uint32_t live;  /* lanes that have not returned */
    uint32_t carry; /* a bit per lane */
    enum warp_state state;
    uint32_t index;
    struct block *block;
    unsigned char *local; /* frames of all lanes, one behind the other */
    struct extent near;   /* the extent touched last */
    uint64_t waves_seen;
    struct copy_list copies;
    uint32_t copy_groups[WARP_LANES];
    struct bulk_list stores; /* bulk copies out of shared memory */
    uint32_t store_groups[WARP_LANES];
    struct product_list products;
    uint32_t product_groups;
    bool product_fenced;    /* wgmma.fence has come by */
    uint32_t cluster_phase; /* of the cluster's barrier that it arrived at */
    bool cluster_arrived, cluster_waits;
    /* What it had seen at its last fence.proxy.async: asynchronous copies out of shared memory and
     * products see that much of what was written with ordinary stores. */
    uint32_t fenced[BLOCK_WARPS_MAX];
    uint32_t clock[BLOCK_WARPS_MAX]; /* how far this warp has seen each warp of its block */
};

/* Shadow of one word of shared memory. */
struct shadow {
    uint32_t written, read; /* warp and clock: shadow.c */
};

struct gang;

struct block {
    struct gang *gang;
    uint32_t index[3];
    uint32_t number, rank; /* within the gang, within the cluster */
    unsigned char *shared;
    uint32_t shared_bytes;
    struct shadow *shadow;
    unsigned char *initialised; /* a bit per byte, four bits per word in each byte */
    struct warp *warps;
    uint32_t warp_count, live_warps;
    struct barrier barriers[BLOCK_BARRIERS];
    struct transaction *transactions;
    size_t transaction_count, transaction_capacity;
    uint32_t cluster_phase; /* of the first block of a cluster: how often its barrier has opened */
};

struct machine; /* machine.c: the launch that all threads work on */

/* What the accesses of one instruction of the module came to. */
struct access_counts {
    uint64_t shared_accesses, shared_waves, global_bytes, global_sectors;
};

/* What one host thread runs. */
struct gang {
    struct machine *machine;
    const struct launch *launch;
    struct arena *arena;
    struct block *blocks;
    uint32_t block_count;
    struct bulk_list bulk; /* copies that complete on transaction barriers */
    struct hone_emulator_counters counters;
    struct access_counts *accesses; /* one per instruction, of all gangs of the thread */
    uint64_t events;                /* things that may end another warp's wait */
    struct machine_fault *fault;
};

static inline uint32_t *lanes32(const struct warp *warp, uint32_t offset)
{
    return (uint32_t *)(void *)(warp->registers + offset);
}

static inline uint64_t *lanes64(const struct warp *warp, uint32_t offset)
{
    return (uint64_t *)(void *)(warp->registers + offset);
}

static inline bool lane_runs(const struct warp *warp, unsigned lane)
{
    return warp->mask >> lane & 1;
}

/* Records why the launch failed, with kernel, block, thread and the line of PTX. */
PRINTF_LIKE(4, 5)
enum outcome warp_fault(struct warp *warp, const struct instruction *instruction,
                        enum machine_error error, const char *format, ...);

/* Runs the warp until it waits, ends, fails, or has run for long enough. */
enum outcome warp_run(struct warp *warp);
/* Gives the lanes of `mask` (part of the running group) the address `pc`; the others keep theirs. */
void warp_move(struct warp *warp, uint32_t mask, uint32_t pc);
void warp_exit_lanes(struct warp *warp, uint32_t mask);

/* True when the lanes of `members` are all here; otherwise the operation returns `*outcome`. */
bool warp_gathers(struct warp *warp, const struct instruction *instruction, uint32_t members,
                  enum outcome *outcome);

/* Addresses of the lanes. */
void warp_addresses(const struct warp *warp, const struct address *address,
                    uint64_t addresses[static WARP_LANES]);

/* Host memory behind a global address; NULL after a fault. */
unsigned char *global_at(struct warp *warp, const struct instruction *instruction, unsigned lane,
                         uint64_t address, uint64_t bytes, uint64_t alignment);
/* The block of the cluster and the offset behind a shared address; NULL after a fault. */
struct block *shared_at(struct warp *warp, const struct instruction *instruction, unsigned lane,
                        uint64_t address, uint32_t bytes, uint32_t alignment, uint32_t *offset);

/* shadow.c: what is known of shared memory.  False after a fault. */
void shadow_reset(struct block *block);
bool shadow_read(struct warp *warp, const struct instruction *instruction, unsigned lane,
                 struct block *block, uint32_t offset, uint32_t bytes);
bool shadow_write(struct warp *warp, const struct instruction *instruction, unsigned lane,
                  struct block *block, uint32_t offset, uint32_t bytes);
void shadow_join(struct block *block, uint32_t warps);         /* a barrier of these warps */
void shadow_release(struct warp *warp, uint32_t *clock);       /* what it did is in `clock` */
void shadow_acquire(struct warp *warp, const uint32_t *clock); /* it has seen what is in there */
/* Bytes that an asynchronous copy will fill: whoever touches them before it is waited for fails. */
bool shadow_expect(struct warp *warp, const struct instruction *instruction, unsigned lane,
                   struct block *block, uint32_t offset, uint32_t bytes);
enum { SHADOW_NOBODY = BLOCK_WARPS_MAX }; /* as a warp: of another block */
void shadow_arrive(struct block *block, uint32_t offset, uint32_t bytes, uint32_t warp,
                   uint32_t clock, bool bulk);

/* A read by the asynchronous proxy, which sees ordinary stores only behind a fence.proxy.async. */
bool shadow_read_async(struct warp *warp, const struct instruction *instruction, uint32_t offset,
                       uint32_t bytes);
void shadow_fence(struct warp *warp);

/* ops_copy.c: finishes the running lanes' copies of all groups but the last `kept`; with `all` those
 * that are in no group yet as well. */
void copies_finish(struct warp *warp, uint32_t kept, bool all);

/* ops_cluster.c: opens the cluster's barrier when every warp that lives has arrived. */
void cluster_check(struct block *block);

/* block.c */
enum outcome block_barrier(struct warp *warp, const struct instruction *instruction, uint32_t id,
                           uint32_t threads, bool waits);
void block_warp_done(struct warp *warp);

/* traffic.c: sectors and bank conflicts of one instruction. */
void count_global(struct warp *warp, const uint64_t addresses[static WARP_LANES], uint32_t mask,
                  uint32_t bytes);
void count_range(struct warp *warp, uint64_t address, uint64_t bytes); /* of a bulk copy */
void count_shared(struct warp *warp, const uint64_t addresses[static WARP_LANES], uint32_t mask,
                  uint32_t bytes);

#endif

/* Launches: blocks shared out to host threads, and the turns of warps within a gang of blocks. */
#include "base/clock.h"
#include "emulator/cost.h"
#include "emulator/traffic.h"

#include <pthread.h>
#include <string.h>

enum {
    MACHINE_THREADS_MAX = 64,
    /* Rounds in which every warp only asked whether it may go on.  Nothing but another warp of the
     * gang could end that wait. */
    IDLE_ROUNDS_MAX = 2000,
    SHARED_POISON = 0xff, /* NaN in every float format */
};

struct machine {
    const struct launch *launch;
    const struct cost_card *card;
    struct launch_result *result;
    pthread_mutex_t lock;           /* of `result` and `clocks` */
    double *clocks;                 /* per multiprocessor */
    struct access_counts *accesses; /* per instruction */
    uint32_t gang_blocks, gang_count;
    atomic_uint next_gang;
    atomic_bool failed;
    status status; /* of what a thread could not allocate */
    _Atomic uint64_t traffic[TRAFFIC_MAP_WORDS];
};

_Atomic uint64_t *machine_traffic_map(struct machine *machine)
{
    return machine->traffic;
}

static uint32_t block_threads(const struct launch *launch)
{
    return launch->block[0] * launch->block[1] * launch->block[2];
}

static uint32_t dynamic_offset(const struct launch *launch)
{
    uint32_t alignment = launch->function->dynamic_alignment;
    if (alignment < 16) alignment = 16;
    return (launch->function->shared_bytes + alignment - 1) / alignment * alignment;
}

/* Constants are the same in all blocks of a gang but for the rank in shared addresses. */
static void fill_constants(struct warp *warp, const struct launch *launch)
{
    const struct module *module = launch->module;
    uint64_t rank = (uint64_t)warp->block->rank << SHARED_RANK_SHIFT;
    for (size_t i = 0; i < module->constant_count; i++) {
        const struct constant *constant = &module->constants[i];
        uint64_t value = constant->value;
        if (constant->kind == CONSTANT_SHARED)
            value += rank + (constant->variable ? dynamic_offset(launch) : 0);
        if (constant->kind == CONSTANT_VARIABLE)
            value += module->variables[constant->variable].address;
        if (constant->kind == CONSTANT_PREDICATE)
            *lanes32(warp, constant->offset) = (uint32_t)value;
        else if (constant->wide)
            for (unsigned l = 0; l < WARP_LANES; l++) lanes64(warp, constant->offset)[l] = value;
        else
            for (unsigned l = 0; l < WARP_LANES; l++)
                lanes32(warp, constant->offset)[l] = (uint32_t)value;
    }
}

static uint64_t special_value(const struct warp *warp, const struct launch *launch,
                              unsigned special, unsigned lane)
{
    const struct block *block = warp->block;
    const uint32_t *grid = launch->grid, *size = launch->block, *cluster = launch->cluster;
    uint32_t thread = warp->index * WARP_LANES + lane, rank = block->rank;
    uint32_t linear = (block->index[2] * grid[1] + block->index[1]) * grid[0] + block->index[0];
    switch (special) {
    case SPECIAL_TID_X: return thread % size[0];
    case SPECIAL_TID_Y: return thread / size[0] % size[1];
    case SPECIAL_TID_Z: return thread / size[0] / size[1];
    case SPECIAL_NTID_X:
    case SPECIAL_NTID_Y:
    case SPECIAL_NTID_Z: return size[special - SPECIAL_NTID_X];
    case SPECIAL_CTAID_X:
    case SPECIAL_CTAID_Y:
    case SPECIAL_CTAID_Z: return block->index[special - SPECIAL_CTAID_X];
    case SPECIAL_NCTAID_X:
    case SPECIAL_NCTAID_Y:
    case SPECIAL_NCTAID_Z: return grid[special - SPECIAL_NCTAID_X];
    case SPECIAL_LANE: return lane;
    case SPECIAL_WARP: return warp->index;
    case SPECIAL_WARPS: return block->warp_count;
    case SPECIAL_MULTIPROCESSOR: return linear % launch->multiprocessors;
    case SPECIAL_MULTIPROCESSORS: return launch->multiprocessors;
    case SPECIAL_LANEMASK_EQ: return 1u << lane;
    case SPECIAL_LANEMASK_LT: return (1u << lane) - 1;
    case SPECIAL_LANEMASK_LE: return (2u << lane) - 1;
    case SPECIAL_LANEMASK_GT: return ~((2u << lane) - 1);
    case SPECIAL_LANEMASK_GE: return ~((1u << lane) - 1);
    case SPECIAL_CLUSTER_RANK: return rank;
    case SPECIAL_CLUSTER_BLOCKS: return cluster[0] * cluster[1] * cluster[2];
    case SPECIAL_CLUSTER_ID_X:
    case SPECIAL_CLUSTER_ID_Y:
    case SPECIAL_CLUSTER_ID_Z:
        special -= SPECIAL_CLUSTER_ID_X;
        return block->index[special] / cluster[special];
    case SPECIAL_CLUSTERS_X:
    case SPECIAL_CLUSTERS_Y:
    case SPECIAL_CLUSTERS_Z: special -= SPECIAL_CLUSTERS_X; return grid[special] / cluster[special];
    case SPECIAL_CLUSTER_BLOCK_X:
    case SPECIAL_CLUSTER_BLOCK_Y:
    case SPECIAL_CLUSTER_BLOCK_Z:
        special -= SPECIAL_CLUSTER_BLOCK_X;
        return block->index[special] % cluster[special];
    case SPECIAL_CLUSTER_SIZE_X:
    case SPECIAL_CLUSTER_SIZE_Y:
    case SPECIAL_CLUSTER_SIZE_Z: return cluster[special - SPECIAL_CLUSTER_SIZE_X];
    case SPECIAL_DYNAMIC_SHARED: return launch->dynamic_shared_bytes;
    case SPECIAL_TOTAL_SHARED: return block->shared_bytes;
    case SPECIAL_CLOCK:
    case SPECIAL_CLOCK64:
    case SPECIAL_TIMER:
    case SPECIAL_TIMER_LOW: return (uint64_t)clock_nanoseconds();
    default: return 0;
    }
}

static void fill_specials(struct warp *warp, const struct launch *launch)
{
    const uint32_t wide[] = {SPECIAL_GRID, SPECIAL_CLOCK64, SPECIAL_TIMER};
    for (int s = 0; s < SPECIAL_COUNT; s++) {
        uint32_t offset = launch->module->specials[s];
        if (offset == NO_REGISTER) continue;
        bool is_wide = false;
        for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) is_wide |= wide[i] == (uint32_t)s;
        for (unsigned lane = 0; lane < WARP_LANES; lane++) {
            uint64_t value = special_value(warp, launch, (unsigned)s, lane);
            if (is_wide)
                lanes64(warp, offset)[lane] = value;
            else
                lanes32(warp, offset)[lane] = (uint32_t)value;
        }
    }
}

static void warp_start(struct warp *warp, const struct launch *launch)
{
    uint32_t left = block_threads(launch) - warp->index * WARP_LANES;
    warp->live = left >= WARP_LANES ? ALL_LANES : (1u << left) - 1;
    warp->group_count = 1;
    warp->groups[0] = (struct lane_group){.pc = launch->function->start, .mask = warp->live};
    warp->state = WARP_READY;
    warp->copies.count = warp->products.count = warp->stores.count = 0;
    warp->product_groups = warp->cluster_phase = 0;
    warp->product_fenced = warp->cluster_arrived = warp->cluster_waits = false;
    memset(warp->copy_groups, 0, sizeof warp->copy_groups);
    memset(warp->store_groups, 0, sizeof warp->store_groups);
    fill_specials(warp, launch);
}

/* Blocks of a cluster follow each other in x, then y, then z; so do those of a whole grid. */
static void block_place(struct block *block, const struct launch *launch, uint32_t gang)
{
    const uint32_t *grid = launch->grid, *cluster = launch->cluster;
    uint32_t inside[3] = {block->rank % cluster[0], block->rank / cluster[0] % cluster[1],
                          block->rank / cluster[0] / cluster[1] % cluster[2]};
    uint32_t blocks = cluster[0] * cluster[1] * cluster[2];
    uint32_t number = launch->cooperative ? block->number / blocks : gang;
    uint32_t counts[2] = {grid[0] / cluster[0], grid[1] / cluster[1]};
    uint32_t outside[3] = {number % counts[0], number / counts[0] % counts[1],
                           number / counts[0] / counts[1]};
    for (int axis = 0; axis < 3; axis++)
        block->index[axis] = outside[axis] * cluster[axis] + inside[axis];
}

static void block_start(struct block *block, const struct launch *launch, uint32_t gang)
{
    block_place(block, launch, gang);
    block->live_warps = block->warp_count;
    block->transaction_count = 0;
    block->cluster_phase = 0;
    memset(block->barriers, 0, sizeof block->barriers);
    memset(block->shared, SHARED_POISON, block->shared_bytes);
    shadow_reset(block);
    for (uint32_t w = 0; w < block->warp_count; w++) warp_start(&block->warps[w], launch);
}

static status warp_create(struct warp *warp, struct gang *gang, struct diagnostic *diagnostic)
{
    const struct module *module = gang->launch->module;
    /* Lanes are whole cache lines. */
    unsigned char *room;
    TRY_NEW(room, gang->arena, module->register_bytes + 64u, diagnostic);
    warp->registers = room + (64 - (uintptr_t)room % 64) % 64;
    TRY_NEW(warp->local, gang->arena, (size_t)module->local_bytes * WARP_LANES, diagnostic);
    fill_constants(warp, gang->launch);
    return STATUS_OK;
}

static status block_create(struct block *block, struct gang *gang, struct diagnostic *diagnostic)
{
    const struct launch *launch = gang->launch;
    block->gang = gang;
    block->number = (uint32_t)(block - gang->blocks);
    block->rank = block->number % (launch->cluster[0] * launch->cluster[1] * launch->cluster[2]);
    block->warp_count = (block_threads(launch) + WARP_LANES - 1) / WARP_LANES;
    block->shared_bytes = launch->function->shared_bytes;
    if (launch->dynamic_shared_bytes)
        block->shared_bytes = dynamic_offset(launch) + launch->dynamic_shared_bytes;
    size_t words = (block->shared_bytes + 3u) / 4u;
    TRY_NEW(block->shared, gang->arena, words * 4 + 16, diagnostic);
    TRY_NEW(block->shadow, gang->arena, words, diagnostic);
    TRY_NEW(block->initialised, gang->arena, words, diagnostic);
    TRY_NEW(block->warps, gang->arena, block->warp_count, diagnostic);
    for (uint32_t w = 0; w < block->warp_count; w++) {
        block->warps[w].block = block;
        block->warps[w].index = w;
        TRY(warp_create(&block->warps[w], gang, diagnostic));
    }
    return STATUS_OK;
}

struct round {
    bool ready; /* a warp could run */
    bool alive;
    enum outcome outcome;
};

static void run_block_round(struct block *block, bool backwards, struct round *round)
{
    for (uint32_t i = 0; i < block->warp_count; i++) {
        struct warp *warp = &block->warps[backwards ? block->warp_count - 1 - i : i];
        if (warp->state != WARP_DONE) round->alive = true;
        if (warp->state != WARP_READY) continue;
        round->ready = true;
        round->outcome = warp_run(warp);
        if (round->outcome == OUTCOME_FAULT) return;
    }
}

static void fault_deadlock(struct gang *gang, const char *why)
{
    for (uint32_t b = 0; b < gang->block_count; b++)
        for (uint32_t w = 0; w < gang->blocks[b].warp_count; w++) {
            struct warp *warp = &gang->blocks[b].warps[w];
            if (warp->state == WARP_DONE || !warp->group_count) continue;
            uint32_t pc = warp->groups[0].pc;
            warp_fault(warp, &gang->launch->module->code[pc], MACHINE_DEADLOCK, "%s", why);
            return;
        }
}

/* Runs the gang's blocks to their end; false when the launch failed. */
static bool gang_run(struct gang *gang, bool backwards)
{
    uint64_t instructions = 0, events = gang->events;
    unsigned idle = 0;
    for (;;) {
        struct round round = {0};
        uint64_t before = gang->counters.lanes;
        for (uint32_t b = 0; b < gang->block_count; b++) {
            run_block_round(&gang->blocks[b], backwards, &round);
            if (round.outcome == OUTCOME_FAULT) return false;
        }
        if (!round.alive) return true;
        if (!round.ready) {
            fault_deadlock(gang, "all warps wait at barriers that never fill up");
            return false;
        }
        if (atomic_load_explicit(&gang->machine->failed, memory_order_relaxed)) return false;
        /* Spinning on a transaction barrier takes a few instructions a turn. */
        instructions = gang->counters.lanes - before;
        bool busy = gang->events != events ||
                    instructions > 64ull * WARP_LANES * BLOCK_WARPS_MAX * gang->block_count;
        idle = busy ? 0 : idle + 1;
        events = gang->events;
        if (idle > IDLE_ROUNDS_MAX) {
            fault_deadlock(gang, "every warp waits for a transaction barrier that never completes");
            return false;
        }
    }
}

static void add_counters(struct hone_emulator_counters *sum,
                         const struct hone_emulator_counters *part)
{
    for (int c = 0; c < EMULATOR_CATEGORIES; c++) sum->instructions[c] += part->instructions[c];
    sum->lanes += part->lanes;
    sum->global_accesses += part->global_accesses;
    sum->global_bytes += part->global_bytes;
    sum->global_sectors += part->global_sectors;
    sum->shared_accesses += part->shared_accesses;
    sum->shared_waves += part->shared_waves;
    sum->matrix_operations += part->matrix_operations;
    sum->matrix_work += part->matrix_work;
    sum->barriers += part->barriers;
}

static void gang_report(struct gang *gang, uint32_t number, const struct machine_fault *fault)
{
    struct machine *machine = gang->machine;
    double clocks = cost_clocks(machine->card, &gang->counters) / gang->block_count;
    pthread_mutex_lock(&machine->lock);
    add_counters(&machine->result->counters, &gang->counters);
    for (uint32_t b = 0; b < gang->block_count; b++)
        machine->clocks[(number * gang->block_count + b) % machine->card->multiprocessors] +=
            clocks;
    if (fault->error != MACHINE_FINE) {
        if (machine->result->fault.error == MACHINE_FINE) machine->result->fault = *fault;
        atomic_store(&machine->failed, true);
    }
    pthread_mutex_unlock(&machine->lock);
}

static status gang_create(struct machine *machine, struct arena *arena, struct gang **result,
                          struct diagnostic *diagnostic)
{
    struct gang *gang;
    TRY_NEW(gang, arena, 1, diagnostic);
    gang->machine = machine;
    gang->launch = machine->launch;
    gang->arena = arena;
    gang->block_count = machine->gang_blocks;
    TRY_NEW(gang->accesses, arena, machine->launch->module->code_count, diagnostic);
    TRY_NEW(gang->blocks, arena, gang->block_count, diagnostic);
    for (uint32_t b = 0; b < gang->block_count; b++)
        TRY(block_create(&gang->blocks[b], gang, diagnostic));
    *result = gang;
    return STATUS_OK;
}

static void add_accesses(struct machine *machine, const struct gang *gang)
{
    pthread_mutex_lock(&machine->lock);
    for (size_t pc = 0; pc < machine->launch->module->code_count; pc++) {
        struct access_counts *sum = &machine->accesses[pc];
        const struct access_counts *part = &gang->accesses[pc];
        sum->shared_accesses += part->shared_accesses;
        sum->shared_waves += part->shared_waves;
        sum->global_bytes += part->global_bytes;
        sum->global_sectors += part->global_sectors;
    }
    pthread_mutex_unlock(&machine->lock);
}

static status run_gangs(struct machine *machine, struct arena *arena, struct diagnostic *diagnostic)
{
    struct gang *gang;
    TRY(gang_create(machine, arena, &gang, diagnostic));
    while (!atomic_load(&machine->failed)) {
        uint32_t number = atomic_fetch_add(&machine->next_gang, 1);
        if (number >= machine->gang_count) break;
        struct machine_fault fault = {0};
        gang->fault = &fault;
        gang->counters = (struct hone_emulator_counters){0};
        gang->bulk.count = 0;
        for (uint32_t b = 0; b < gang->block_count; b++)
            block_start(&gang->blocks[b], gang->launch, number);
        /* Odd gangs run their warps from the last: kernels must not depend on the order. */
        gang_run(gang, number & 1);
        gang_report(gang, number, &fault);
    }
    add_accesses(machine, gang);
    return STATUS_OK;
}

static void *machine_thread(void *argument)
{
    struct machine *machine = argument;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    status code = arena ? run_gangs(machine, arena, &diagnostic) : STATUS_NO_MEMORY;
    arena_destroy(arena);
    if (code == STATUS_OK) return NULL;
    pthread_mutex_lock(&machine->lock);
    machine->status = code;
    pthread_mutex_unlock(&machine->lock);
    atomic_store(&machine->failed, true);
    return NULL;
}

static void run_threads(struct machine *machine)
{
    pthread_t threads[MACHINE_THREADS_MAX];
    int wanted = machine->launch->threads, started = 0;
    if ((uint32_t)wanted > machine->gang_count) wanted = (int)machine->gang_count;
    if (wanted > MACHINE_THREADS_MAX) wanted = MACHINE_THREADS_MAX;
    /* A thread that cannot be had is done without. */
    while (started < wanted - 1 &&
           !pthread_create(&threads[started], NULL, machine_thread, machine))
        started++;
    machine_thread(machine);
    for (int t = 0; t < started; t++) pthread_join(threads[t], NULL);
}

static void finish_result(struct machine *machine)
{
    struct launch_result *result = machine->result;
    double busiest = 0;
    for (uint32_t m = 0; m < machine->card->multiprocessors; m++)
        if (machine->clocks[m] > busiest) busiest = machine->clocks[m];
    double unique = traffic_unique_sectors(machine->traffic);
    result->counters.unique_sectors = (uint64_t)(unique + 0.5);
    if (result->counters.unique_sectors > result->counters.global_sectors)
        result->counters.unique_sectors = result->counters.global_sectors;
    result->seconds = cost_seconds(machine->card, busiest, &result->counters);
    result->counters.seconds = result->seconds;
    traffic_worst(machine->launch->module, machine->accesses, &result->counters);
}

static status machine_run(struct machine *machine, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    const struct launch *launch = machine->launch;
    uint64_t blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
    uint32_t cluster = launch->cluster[0] * launch->cluster[1] * launch->cluster[2];
    machine->gang_blocks = launch->cooperative ? (uint32_t)blocks : cluster;
    machine->gang_count = (uint32_t)(blocks / machine->gang_blocks);
    TRY_NEW(machine->accesses, arena, launch->module->code_count, diagnostic);
    TRY_NEW(machine->clocks, arena, machine->card->multiprocessors, diagnostic);
    run_threads(machine);
    if (machine->status != STATUS_OK) return fail_memory(diagnostic, 0);
    finish_result(machine);
    return STATUS_OK;
}

status machine_launch(const struct launch *launch, const struct cost_card *card,
                      struct launch_result *result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    struct machine *machine = arena ? arena_allocate(arena, 1, sizeof *machine) : NULL;
    *result = (struct launch_result){0};
    if (!machine) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *machine);
    }
    machine->launch = launch;
    machine->card = card;
    machine->result = result;
    pthread_mutex_init(&machine->lock, NULL);
    status code = machine_run(machine, arena, diagnostic);
    pthread_mutex_destroy(&machine->lock);
    arena_destroy(arena);
    return code;
}

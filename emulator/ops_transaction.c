/* mbarrier: barriers in shared memory that count arrivals and bytes of asynchronous copies.
 *
 * The eight bytes that a barrier takes in shared memory are not used; what it knows lies beside
 * (struct transaction).  Their shadow is: a barrier that is used before another warp's mbarrier.init
 * could be seen is a race like any other. */
#include "emulator/bulk.h"
#include "emulator/lanes.h"
#include "emulator/transaction.h"

enum { TRANSACTION_BYTES = 8, COUNT_MAX = (1 << 20) - 1 };

struct transaction *transaction_find(struct block *block, uint32_t offset)
{
    for (size_t i = 0; i < block->transaction_count; i++)
        if (block->transactions[i].offset == offset) return &block->transactions[i];
    return NULL;
}

static struct block *block_at(struct warp *warp, const struct instruction *instruction,
                              unsigned lane, uint64_t address, uint32_t *offset)
{
    if (instruction->space == SPACE_GENERIC) address &= ~TAG_SHARED;
    return shared_at(warp, instruction, lane, address, TRANSACTION_BYTES, TRANSACTION_BYTES,
                     offset);
}

struct transaction *transaction_at(struct warp *warp, const struct instruction *instruction,
                                   unsigned lane, uint64_t address, struct block **block)
{
    uint32_t offset;
    *block = block_at(warp, instruction, lane, address, &offset);
    if (!*block) return NULL;
    struct transaction *transaction = transaction_find(*block, offset);
    if (!transaction) {
        warp_fault(warp, instruction, MACHINE_HAZARD,
                   "no mbarrier was initialised at shared byte %u", offset);
        return NULL;
    }
    return shadow_read(warp, instruction, lane, *block, offset, TRANSACTION_BYTES) ? transaction
                                                                                   : NULL;
}

/* The running phase ends with the last arrival and the last byte. */
static void settle(struct block *block, struct transaction *transaction)
{
    if (transaction->pending || transaction->bytes) return;
    transaction->phase++;
    transaction->pending = transaction->count;
    for (uint32_t w = 0; w < BLOCK_WARPS_MAX; w++)
        if (transaction->arriving[w] > transaction->clock[w])
            transaction->clock[w] = transaction->arriving[w];
    memset(transaction->arriving, 0, sizeof transaction->arriving);
    block->gang->events++;
}

void transaction_bytes(struct block *block, struct transaction *transaction, int64_t bytes)
{
    transaction->bytes -= bytes;
    block->gang->events++;
    settle(block, transaction);
}

static struct transaction *transaction_add(struct block *block)
{
    void *grown = arena_grow(block->gang->arena, block->transactions, block->transaction_count,
                             &block->transaction_capacity, sizeof *block->transactions);
    if (!grown) return NULL;
    block->transactions = grown;
    return &block->transactions[block->transaction_count++];
}

OPERATION(transaction_start)
{
    uint64_t addresses[WARP_LANES];
    const uint32_t *counts = SOURCE(uint32_t, 0);
    warp_addresses(warp, &instruction->address, addresses);
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        uint32_t offset;
        struct block *block = block_at(warp, instruction, lane, addresses[lane], &offset);
        if (!block || !shadow_write(warp, instruction, lane, block, offset, TRANSACTION_BYTES))
            return OUTCOME_FAULT;
        if (!counts[lane] || counts[lane] > COUNT_MAX)
            return warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION,
                              "an mbarrier for %u arrivals", counts[lane]);
        struct transaction *transaction = transaction_find(block, offset);
        if (!transaction) transaction = transaction_add(block);
        if (!transaction)
            return warp_fault(warp, instruction, MACHINE_RESOURCES, "out of host memory");
        *transaction =
            (struct transaction){.offset = offset, .count = counts[lane], .pending = counts[lane]};
    }
    return OUTCOME_NEXT;
}

/* What one lane does with the transaction barrier at its address. */
typedef enum outcome lane_step(struct warp *warp, const struct instruction *instruction,
                               struct block *block, struct transaction *transaction, unsigned lane);

/* The active lanes, one after the other. */
static enum outcome each_lane(struct warp *warp, const struct instruction *instruction,
                              lane_step *step)
{
    uint64_t addresses[WARP_LANES];
    warp_addresses(warp, &instruction->address, addresses);
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        struct block *block;
        unsigned lane = (unsigned)__builtin_ctz(left);
        struct transaction *transaction =
            transaction_at(warp, instruction, lane, addresses[lane], &block);
        if (!transaction || step(warp, instruction, block, transaction, lane) == OUTCOME_FAULT)
            return OUTCOME_FAULT;
    }
    return OUTCOME_NEXT;
}

static enum outcome end_lane(struct warp *warp, const struct instruction *instruction,
                             struct block *block, struct transaction *transaction, unsigned lane)
{
    (void)warp, (void)instruction, (void)lane;
    *transaction = block->transactions[--block->transaction_count];
    return OUTCOME_NEXT;
}

OPERATION(transaction_end)
{
    return each_lane(warp, instruction, end_lane);
}

/* One lane: `count` arrivals, after `bytes` more were expected. */
static enum outcome arrive(struct warp *warp, const struct instruction *instruction,
                           struct block *block, struct transaction *transaction, uint32_t count)
{
    if (count > transaction->pending)
        return warp_fault(warp, instruction, MACHINE_HAZARD,
                          "%u arrivals at the mbarrier at shared byte %u, which waits for %u of %u",
                          count, transaction->offset, transaction->pending, transaction->count);
    transaction->pending -= count;
    if (instruction->flags & FLAG_DROP) transaction->count -= count;
    block->gang->events++;
    settle(block, transaction);
    return OUTCOME_NEXT;
}

/* source 0: arrivals, or bytes with FLAG_BYTES; the destination gets the phase. */
static enum outcome arrive_lane(struct warp *warp, const struct instruction *instruction,
                                struct block *block, struct transaction *transaction, unsigned lane)
{
    const uint32_t value = SOURCE(uint32_t, 0)[lane];
    bool bytes = instruction->flags & FLAG_BYTES;
    if (block == warp->block)
        for (uint32_t w = 0; w < BLOCK_WARPS_MAX; w++)
            if (warp->clock[w] > transaction->arriving[w])
                transaction->arriving[w] = warp->clock[w];
    DESTINATION(uint64_t)[lane] = transaction->phase;
    if (bytes) transaction->bytes += value;
    return arrive(warp, instruction, block, transaction, bytes ? 1 : value);
}

/* What the warp does from now on is behind its arrival. */
OPERATION(transaction_arrive)
{
    enum outcome outcome = each_lane(warp, instruction, arrive_lane);
    if (outcome == OUTCOME_NEXT) warp->clock[warp->index]++;
    return outcome;
}

static enum outcome expect_lane(struct warp *warp, const struct instruction *instruction,
                                struct block *block, struct transaction *transaction, unsigned lane)
{
    (void)warp, (void)instruction, (void)block, (void)lane;
    transaction->pending++;
    return OUTCOME_NEXT;
}

/* cp.async.mbarrier.arrive: arrives when the lane's copies of cp.async are there, which is at once.
 * Without .noinc the barrier waits for that arrival in addition. */
OPERATION(transaction_arrive_copies)
{
    copies_finish(warp, 0, true);
    if (instruction->count && each_lane(warp, instruction, expect_lane) == OUTCOME_FAULT)
        return OUTCOME_FAULT;
    return transaction_arrive(warp, instruction);
}

/* expect_tx and complete_tx. */
static enum outcome count_lane(struct warp *warp, const struct instruction *instruction,
                               struct block *block, struct transaction *transaction, unsigned lane)
{
    const uint32_t bytes = SOURCE(uint32_t, 0)[lane];
    if (instruction->flags & FLAG_BYTES)
        transaction->bytes += bytes;
    else
        transaction_bytes(block, transaction, bytes);
    return OUTCOME_NEXT;
}

OPERATION(transaction_count_bytes)
{
    return each_lane(warp, instruction, count_lane);
}

/* test_wait and try_wait.  source 0: a phase's parity (FLAG_PARITY), or a phase. */
static enum outcome wait_lane(struct warp *warp, const struct instruction *instruction,
                              struct block *block, struct transaction *transaction, unsigned lane)
{
    uint32_t *done = DESTINATION(uint32_t);
    if (bulk_arrive(warp, block, transaction->offset) == OUTCOME_FAULT) return OUTCOME_FAULT;
    uint64_t wanted = instruction->flags & FLAG_PARITY
                          ? (transaction->phase & 1) ^ SOURCE(uint32_t, 0)[lane]
                          : transaction->phase ^ SOURCE(uint64_t, 0)[lane];
    if (!wanted) return OUTCOME_NEXT;
    *done |= 1u << lane;
    if (block == warp->block) shadow_acquire(warp, transaction->clock);
    return OUTCOME_NEXT;
}

OPERATION(transaction_wait)
{
    uint32_t *done = DESTINATION(uint32_t);
    *done &= ~warp->mask;
    if (each_lane(warp, instruction, wait_lane) == OUTCOME_FAULT) return OUTCOME_FAULT;
    return (*done & warp->mask) == warp->mask ? OUTCOME_NEXT : OUTCOME_YIELD;
}

/* ---- Decoding ---- */

static void take_space(struct decoder *decoder)
{
    bool shared = decoder_take(decoder, "shared") || decoder_take(decoder, "shared::cta") ||
                  decoder_take(decoder, "shared::cluster");
    decoder->instruction->space = shared ? SPACE_SHARED : SPACE_GENERIC;
    decoder->instruction->flags |= FLAG_VOLATILE; /* arrivals race with nobody */
    static const char *const manners[] = {"release", "acquire", "relaxed",
                                          "cta",     "cluster", "noComplete"};
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) decoder_take(decoder, manners[i]);
}

static status decode_start(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    bool starts = strstr(opcode->name, "init") != NULL;
    take_space(decoder);
    instruction->run = starts ? transaction_start : transaction_end;
    TRY(read_address(decoder, &instruction->address, NULL));
    if (!starts) return STATUS_OK;
    instruction->flags &= (uint8_t)~FLAG_VOLATILE;
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B32, &instruction->sources[0]);
}

static status decode_arrive(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    struct constant one = {.value = 1};
    take_space(decoder);
    bool bytes = strstr(opcode->name, "expect_tx") != NULL;
    if (bytes) instruction->flags |= FLAG_BYTES;
    if (strstr(opcode->name, "drop")) instruction->flags |= FLAG_DROP;
    instruction->run = transaction_arrive;
    TRY(read_destination(decoder, TYPE_B64, &instruction->destination));
    TRY(read_comma(decoder));
    TRY(read_address(decoder, &instruction->address, NULL));
    if (lexer_take(decoder->lexer, ","))
        return read_source(decoder, TYPE_B32, &instruction->sources[0]);
    if (bytes) return decoder_refuse(decoder, "it needs a number of bytes");
    return constant_register(decoder->parser, one, &instruction->sources[0]);
}

static status decode_arrive_copies(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    struct constant one = {.value = 1};
    (void)opcode;
    take_space(decoder);
    instruction->count = !decoder_take(decoder, "noinc");
    instruction->run = transaction_arrive_copies;
    TRY(registers_allocate(decoder->parser, TYPE_B64, 1, &instruction->destination));
    TRY(read_address(decoder, &instruction->address, NULL));
    return constant_register(decoder->parser, one, &instruction->sources[0]);
}

static status decode_bytes(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    take_space(decoder);
    if (strstr(opcode->name, "expect")) instruction->flags |= FLAG_BYTES;
    instruction->run = transaction_count_bytes;
    TRY(read_address(decoder, &instruction->address, NULL));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B32, &instruction->sources[0]);
}

static status decode_wait(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    take_space(decoder);
    bool parity = decoder_take(decoder, "parity");
    if (parity) instruction->flags |= FLAG_PARITY;
    instruction->run = transaction_wait;
    TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination));
    TRY(read_comma(decoder));
    TRY(read_address(decoder, &instruction->address, NULL));
    TRY(read_comma(decoder));
    TRY(read_source(decoder, parity ? TYPE_B32 : TYPE_B64, &instruction->sources[0]));
    if (!lexer_take(decoder->lexer, ",")) return STATUS_OK;
    return read_source(decoder, TYPE_B32, &instruction->sources[1]); /* a time limit */
}

const struct opcode opcodes_transaction[] = {
    {"cp.async.mbarrier.arrive", NULL, NULL, CATEGORY_BARRIER, decode_arrive_copies},
    {"mbarrier.init", NULL, NULL, CATEGORY_BARRIER, decode_start},
    {"mbarrier.inval", NULL, NULL, CATEGORY_BARRIER, decode_start},
    {"mbarrier.arrive", NULL, NULL, CATEGORY_BARRIER, decode_arrive},
    {"mbarrier.arrive_drop", NULL, NULL, CATEGORY_BARRIER, decode_arrive},
    {"mbarrier.arrive.expect_tx", NULL, NULL, CATEGORY_BARRIER, decode_arrive},
    {"mbarrier.arrive_drop.expect_tx", NULL, NULL, CATEGORY_BARRIER, decode_arrive},
    {"mbarrier.expect_tx", NULL, NULL, CATEGORY_BARRIER, decode_bytes},
    {"mbarrier.complete_tx", NULL, NULL, CATEGORY_BARRIER, decode_bytes},
    {"mbarrier.test_wait", NULL, NULL, CATEGORY_BARRIER, decode_wait},
    {"mbarrier.try_wait", NULL, NULL, CATEGORY_BARRIER, decode_wait},
    {0},
};

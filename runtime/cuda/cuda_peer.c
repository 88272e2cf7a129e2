/* Copies to a card from another device.
 *
 * Cards may reach each other's memory, by the driver's word; boards and settings exist on which bytes then arrive wrong.
 * So a pair is believed only when patterns have arrived as they were sent; otherwise bytes go through the host.  Where copies
 * are checked, each one is compared at both ends. */
#include "base/memory.h"
#include "base/random.h"
#include "runtime/cuda/cuda_device.h"

#include <string.h>

/* Many pages, and little beside what a card keeps free. */
enum { PROBE_BYTES = 64 << 10, PROBE_ROUNDS = 2 };

/* ---- Probing a pair ---- */

static bool driver_allows(const struct cuda_device *card, const struct cuda_device *source)
{
    int pulls = 0;
    return card->driver.cuDeviceCanAccessPeer(&pulls, card->card, source->card) == CUDA_SUCCESS &&
           pulls;
}

static status enable_peer(struct cuda_device *card, struct cuda_device *source,
                          struct diagnostic *diagnostic)
{
    CUresult result = card->driver.cuCtxEnablePeerAccess(source->context, 0);
    if (result == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) return STATUS_OK;
    return cuda_answer(card, result, "reaching another card's memory", diagnostic);
}

static void fill_pattern(uint64_t *words, int round)
{
    for (size_t w = 0; w < PROBE_BYTES / sizeof *words; w++)
        words[w] = random_bits((uint64_t)round, 1, w);
}

/* Pulls a pattern over and compares. */
static status probe_round(struct cuda_device *card, struct cuda_device *source, void *to,
                          void *from, uint64_t *sent, uint64_t *received, bool *right,
                          struct diagnostic *diagnostic)
{
    TRY(device_store(&source->base, from, sent, PROBE_BYTES, diagnostic));
    TRY(device_fetch(&source->base, received, from, PROBE_BYTES, diagnostic)); /* it is there */
    TRY(cuda_enter(card, diagnostic));
    TRY(cuda_answer(card,
                    card->driver.cuMemcpyPeerAsync(card_address(to), card->context,
                                                   card_address(from), source->context, PROBE_BYTES,
                                                   card->side),
                    "copying from another card", diagnostic));
    memset(received, 0, PROBE_BYTES);
    TRY(device_fetch(&card->base, received, to, PROBE_BYTES, diagnostic));
    *right = *right && memcmp(sent, received, PROBE_BYTES) == 0;
    return STATUS_OK;
}

static status probe_rounds(struct cuda_device *card, struct cuda_device *source, void *to,
                           void *from, bool *right, struct diagnostic *diagnostic)
{
    void *memory;
    TRY(memory_map(2 * PROBE_BYTES, &memory, diagnostic));
    uint64_t *sent = memory, *received = sent + PROBE_BYTES / sizeof *sent;
    status code = STATUS_OK;
    for (int round = 0; round < PROBE_ROUNDS && code == STATUS_OK; round++) {
        fill_pattern(sent, round);
        code = probe_round(card, source, to, from, sent, received, right, diagnostic);
    }
    memory_unmap(memory, 2 * PROBE_BYTES);
    return code;
}

static status probe_pair(struct cuda_device *card, struct device *other, bool *direct,
                         struct diagnostic *diagnostic)
{
    struct cuda_device *source = card_of(other);
    void *to = NULL, *from = NULL;
    *direct = false;
    if (source->driver.library != card->driver.library || !driver_allows(card, source))
        return STATUS_OK;
    TRY(enable_peer(card, source, diagnostic));
    status code = device_allocate(other, PROBE_BYTES, &from, diagnostic);
    if (code == STATUS_OK) code = device_allocate(&card->base, PROBE_BYTES, &to, diagnostic);
    *direct = true;
    if (code == STATUS_OK) code = probe_rounds(card, source, to, from, direct, diagnostic);
    device_free(other, from, PROBE_BYTES);
    device_free(&card->base, to, PROBE_BYTES);
    TRY(code);
    return cuda_enter(card, diagnostic);
}

/* ---- Copying ---- */

bool cuda_is_direct(const struct cuda_device *card, const struct device *source)
{
    for (int p = 0; p < card->peer_count; p++)
        if (card->peers[p].source == source) return card->peers[p].direct;
    return false;
}

status cuda_connect(struct device *device, struct device *source, struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    if (source == device || !cuda_is_card(source) || card->peer_count == PEERS_MAX)
        return STATUS_OK;
    for (int p = 0; p < card->peer_count; p++)
        if (card->peers[p].source == source) return STATUS_OK;
    struct cuda_peer peer = {.source = source};
    TRY(cuda_enter(card_of(source), diagnostic));
    TRY(cuda_enter(card, diagnostic));
    TRY(probe_pair(card, source, &peer.direct, diagnostic));
    card->peers[card->peer_count++] = peer;
    return STATUS_OK;
}

/* Both cards' work up to here is what the copy waits for: the stream has waited for the source's event. */
static status copy_through_host(struct cuda_device *card, const struct command *command,
                                struct diagnostic *diagnostic)
{
    void *memory;
    TRY(cuda_answer(card, card->driver.cuStreamSynchronize(card->stream),
                    "copying from another card", diagnostic));
    TRY(memory_map(STAGING_BYTES, &memory, diagnostic));
    status code = STATUS_OK;
    for (int64_t at = 0; at < command->bytes && code == STATUS_OK; at += STAGING_BYTES) {
        int64_t piece = command->bytes - at < STAGING_BYTES ? command->bytes - at : STAGING_BYTES;
        code = device_fetch(command->source, memory, (const char *)command->from + at, piece,
                            diagnostic);
        if (code == STATUS_OK) code = cuda_enter(card, diagnostic);
        if (code == STATUS_OK)
            code = cuda_move_in(card, card->stream, (char *)command->to + at, memory, piece,
                                diagnostic);
    }
    memory_unmap(memory, STAGING_BYTES);
    return code;
}

/* What lies at both ends, once the stream is there. */
static status compare_ends(struct cuda_device *card, const struct command *command, char *memory,
                           bool *same, struct diagnostic *diagnostic)
{
    *same = true;
    TRY(cuda_answer(card, card->driver.cuStreamSynchronize(card->stream),
                    "copying from another card", diagnostic));
    for (int64_t at = 0; at < command->bytes && *same; at += STAGING_BYTES) {
        int64_t piece = command->bytes - at < STAGING_BYTES ? command->bytes - at : STAGING_BYTES;
        char *sent = memory, *received = memory + STAGING_BYTES;
        TRY(device_fetch(command->source, sent, (const char *)command->from + at, piece,
                         diagnostic));
        TRY(cuda_enter(card, diagnostic));
        TRY(device_fetch(&card->base, received, (const char *)command->to + at, piece, diagnostic));
        *same = memcmp(sent, received, (size_t)piece) == 0;
    }
    return cuda_enter(card, diagnostic);
}

/* A pair that has damaged one copy copies by way of the host from then on. */
static status check_direct(struct cuda_device *card, const struct command *command,
                           struct diagnostic *diagnostic)
{
    void *memory;
    bool same = true;
    TRY(memory_map(2 * STAGING_BYTES, &memory, diagnostic));
    status code = compare_ends(card, command, memory, &same, diagnostic);
    memory_unmap(memory, 2 * STAGING_BYTES);
    TRY(code);
    if (same) return STATUS_OK;
    for (int p = 0; p < card->peer_count; p++)
        if (card->peers[p].source == command->source) card->peers[p].direct = false;
    return copy_through_host(card, command, diagnostic);
}

static status copy_from_card(struct cuda_device *card, const struct command *command,
                             struct diagnostic *diagnostic)
{
    struct cuda_device *source = card_of(command->source);
    if (!cuda_is_direct(card, command->source)) return copy_through_host(card, command, diagnostic);
    TRY(cuda_answer(card,
                    card->driver.cuMemcpyPeerAsync(card_address(command->to), card->context,
                                                   card_address(command->from), source->context,
                                                   (size_t)command->bytes, card->stream),
                    "copying from another card", diagnostic));
    return card->base.checks_copies ? check_direct(card, command, diagnostic) : STATUS_OK;
}

status cuda_copy(struct cuda_device *card, const struct command *command,
                 struct diagnostic *diagnostic)
{
    if (command->source == &card->base)
        return cuda_answer(card,
                           card->driver.cuMemcpyDtoDAsync(card_address(command->to),
                                                          card_address(command->from),
                                                          (size_t)command->bytes, card->stream),
                           "copying", diagnostic);
    if (cuda_is_card(command->source)) return copy_from_card(card, command, diagnostic);
    return cuda_move_in(card, card->stream, command->to, command->from, command->bytes, diagnostic);
}

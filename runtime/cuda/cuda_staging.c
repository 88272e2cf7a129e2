/* Bytes between host and card travel through pinned memory: only from there can the card fetch them by itself. */
#include "runtime/cuda/cuda_device.h"

#include <string.h>

static status allocate_pinned(struct cuda_device *card, size_t bytes, void *address,
                              struct diagnostic *diagnostic)
{
    void *memory = NULL;
    TRY(cuda_answer(card, card->driver.cuMemHostAlloc(&memory, bytes, CU_MEMHOSTALLOC_PORTABLE),
                    "allocating pinned host memory", diagnostic));
    memcpy(address, &memory, sizeof memory);
    return STATUS_OK;
}

status cuda_staging_create(struct cuda_device *card, struct diagnostic *diagnostic)
{
    for (int s = 0; s < STAGING_COUNT; s++) {
        TRY(allocate_pinned(card, STAGING_BYTES, &card->slots[s].host, diagnostic));
        TRY(cuda_answer(card,
                        card->driver.cuEventCreate(&card->slots[s].done, CU_EVENT_DISABLE_TIMING),
                        "creating an event", diagnostic));
    }
    TRY(allocate_pinned(card, INPUT_BYTES, &card->input, diagnostic));
    TRY(allocate_pinned(card, STEPS_MAX * sizeof *card->steps, &card->steps, diagnostic));
    return cuda_answer(card,
                       card->driver.cuMemAlloc(&card->card_steps, STEPS_MAX * sizeof *card->steps),
                       "allocating memory", diagnostic);
}

void cuda_staging_destroy(struct cuda_device *card)
{
    for (int s = 0; s < STAGING_COUNT; s++) {
        if (card->slots[s].done) card->driver.cuEventDestroy(card->slots[s].done);
        if (card->slots[s].host) card->driver.cuMemFreeHost(card->slots[s].host);
    }
    if (card->input) card->driver.cuMemFreeHost(card->input);
    if (card->steps) card->driver.cuMemFreeHost(card->steps);
    if (card->card_steps) card->driver.cuMemFree(card->card_steps);
}

static struct cuda_slot *free_slot(struct cuda_device *card)
{
    for (int s = 0; s < STAGING_COUNT; s++)
        if (!card->slots[s].taken) return &card->slots[s];
    return NULL;
}

/* A slot that nobody uses and whose last copy is done. */
static status take_slot(struct cuda_device *card, struct cuda_slot **slot,
                        struct diagnostic *diagnostic)
{
    pthread_mutex_lock(&card->lock);
    while (!(*slot = free_slot(card))) pthread_cond_wait(&card->slot_freed, &card->lock);
    (*slot)->taken = true;
    pthread_mutex_unlock(&card->lock);
    return cuda_answer(card, card->driver.cuEventSynchronize((*slot)->done), "copying", diagnostic);
}

static void give_slot(struct cuda_device *card, struct cuda_slot *slot)
{
    pthread_mutex_lock(&card->lock);
    slot->taken = false;
    pthread_cond_signal(&card->slot_freed);
    pthread_mutex_unlock(&card->lock);
}

static status send_slot(struct cuda_device *card, struct cuda_slot *slot, CUstream stream, void *to,
                        size_t bytes, struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    TRY(cuda_answer(card, driver->cuMemcpyHtoDAsync(card_address(to), slot->host, bytes, stream),
                    "copying to the card", diagnostic));
    return cuda_answer(card, driver->cuEventRecord(slot->done, stream), "copying to the card",
                       diagnostic);
}

static status receive_slot(struct cuda_device *card, struct cuda_slot *slot, CUstream stream,
                           const void *from, size_t bytes, struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    const char *what = "copying from the card";
    TRY(cuda_answer(card, driver->cuMemcpyDtoHAsync(slot->host, card_address(from), bytes, stream),
                    what, diagnostic));
    TRY(cuda_answer(card, driver->cuEventRecord(slot->done, stream), what, diagnostic));
    return cuda_answer(card, driver->cuEventSynchronize(slot->done), what, diagnostic);
}

status cuda_move_in(struct cuda_device *card, CUstream stream, void *to, const void *from,
                    int64_t bytes, struct diagnostic *diagnostic)
{
    for (int64_t at = 0; at < bytes; at += STAGING_BYTES) {
        size_t piece = (size_t)(bytes - at < STAGING_BYTES ? bytes - at : STAGING_BYTES);
        struct cuda_slot *slot;
        status code = take_slot(card, &slot, diagnostic);
        if (code == STATUS_OK) {
            memcpy(slot->host, (const char *)from + at, piece);
            code = send_slot(card, slot, stream, (char *)to + at, piece, diagnostic);
        }
        give_slot(card, slot);
        TRY(code);
    }
    return STATUS_OK;
}

status cuda_move_out(struct cuda_device *card, CUstream stream, void *to, const void *from,
                     int64_t bytes, struct diagnostic *diagnostic)
{
    for (int64_t at = 0; at < bytes; at += STAGING_BYTES) {
        size_t piece = (size_t)(bytes - at < STAGING_BYTES ? bytes - at : STAGING_BYTES);
        struct cuda_slot *slot;
        status code = take_slot(card, &slot, diagnostic);
        if (code == STATUS_OK)
            code = receive_slot(card, slot, stream, (const char *)from + at, piece, diagnostic);
        if (code == STATUS_OK) memcpy((char *)to + at, slot->host, piece);
        give_slot(card, slot);
        TRY(code);
    }
    return STATUS_OK;
}

status cuda_move_input(struct cuda_device *card, void *to, const void *from, int64_t bytes,
                       struct diagnostic *diagnostic)
{
    if (bytes > INPUT_BYTES - card->input_used)
        return cuda_move_in(card, card->stream, to, from, bytes, diagnostic);
    char *pinned = card->input + card->input_used;
    card->input_used += (bytes + 63) / 64 * 64; /* one line of cache belongs to one copy */
    if (card->input_used > INPUT_BYTES) card->input_used = INPUT_BYTES;
    memcpy(pinned, from, (size_t)bytes);
    return cuda_answer(
        card, card->driver.cuMemcpyHtoDAsync(card_address(to), pinned, (size_t)bytes, card->stream),
        "copying to the card", diagnostic);
}

status cuda_store(struct device *device, void *to, const void *from, int64_t bytes,
                  struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    TRY(cuda_enter(card, diagnostic));
    card->side_used = true;
    return cuda_move_in(card, card->side, to, from, bytes, diagnostic);
}

status cuda_fetch(struct device *device, void *to, const void *from, int64_t bytes,
                  struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    TRY(cuda_enter(card, diagnostic));
    return cuda_move_out(card, card->side, to, from, bytes, diagnostic);
}

status cuda_join_side(struct cuda_device *card, struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    if (!card->side_used) return STATUS_OK;
    card->side_used = false;
    TRY(cuda_answer(card, driver->cuEventRecord(card->side_done, card->side), "ordering its queues",
                    diagnostic));
    return cuda_answer(card, driver->cuStreamWaitEvent(card->stream, card->side_done, 0),
                       "ordering its queues", diagnostic);
}

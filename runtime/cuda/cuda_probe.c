/* What a card's memory and its link really move, by the card's own clock. */
#include "runtime/cuda/cuda_device.h"

enum {
    DEVICE_BYTES = 256 << 20, /* beyond every second-level cache */
    LINK_BYTES = 32 << 20,
    REPEATS = 5
};

/* Bytes of a card's memory and as many pinned ones of the host, twice each: for both directions at once. */
struct probing {
    struct cuda_device *card;
    int64_t device_bytes, link_bytes;
    void *memory[2];
    void *pinned[2];
};

static CUresult copy_within(const struct probing *probing)
{
    const struct cuda_device *card = probing->card;
    return card->driver.cuMemcpyDtoDAsync(card_address(probing->memory[0]),
                                          card_address(probing->memory[1]),
                                          (size_t)probing->device_bytes, card->stream);
}

static CUresult copy_in(const struct probing *probing)
{
    const struct cuda_device *card = probing->card;
    return card->driver.cuMemcpyHtoDAsync(card_address(probing->memory[0]), probing->pinned[0],
                                          (size_t)probing->link_bytes, card->stream);
}

static CUresult copy_out(const struct probing *probing)
{
    const struct cuda_device *card = probing->card;
    return card->driver.cuMemcpyDtoHAsync(probing->pinned[1], card_address(probing->memory[1]),
                                          (size_t)probing->link_bytes, card->stream);
}

/* One way on the stream, the other beside it; the stream then waits for that. */
static CUresult copy_both(const struct probing *probing)
{
    const struct cuda_device *card = probing->card;
    const struct cuda_driver *driver = &card->driver;
    CUresult result = driver->cuStreamWaitEvent(card->side, card->timing[0], 0);
    if (result == CUDA_SUCCESS)
        result = driver->cuMemcpyDtoHAsync(probing->pinned[1], card_address(probing->memory[1]),
                                           (size_t)probing->link_bytes, card->side);
    if (result == CUDA_SUCCESS) result = driver->cuEventRecord(card->side_done, card->side);
    if (result == CUDA_SUCCESS) result = copy_in(probing);
    if (result == CUDA_SUCCESS)
        result = driver->cuStreamWaitEvent(card->stream, card->side_done, 0);
    return result;
}

/* Bytes per second of the best of a few copies. */
static status measure(const struct probing *probing,
                      CUresult (*copy)(const struct probing *probing), double bytes, double *rate,
                      struct diagnostic *diagnostic)
{
    struct cuda_device *card = probing->card;
    const struct cuda_driver *driver = &card->driver;
    const char *what = "measuring its bandwidth";
    *rate = 0;
    for (int r = 0; r < REPEATS; r++) {
        float milliseconds = 0;
        TRY(cuda_answer(card, driver->cuEventRecord(card->timing[0], card->stream), what,
                        diagnostic));
        TRY(cuda_answer(card, copy(probing), what, diagnostic));
        TRY(cuda_answer(card, driver->cuEventRecord(card->timing[1], card->stream), what,
                        diagnostic));
        TRY(cuda_answer(card, driver->cuStreamSynchronize(card->stream), what, diagnostic));
        TRY(cuda_answer(card, driver->elapsed_time(&milliseconds, card->timing[0], card->timing[1]),
                        what, diagnostic));
        double own = milliseconds > 0 ? bytes / ((double)milliseconds * 1e-3) : 0;
        if (own > *rate) *rate = own;
    }
    return STATUS_OK;
}

static status measure_all(const struct probing *probing, struct device_rates *rates,
                          struct diagnostic *diagnostic)
{
    double device = 2 * (double)probing->device_bytes, link = (double)probing->link_bytes;
    TRY(measure(probing, copy_within, device, &rates->memory, diagnostic)); /* read and written */
    TRY(measure(probing, copy_in, link, &rates->link_in, diagnostic));
    TRY(measure(probing, copy_out, link, &rates->link_out, diagnostic));
    return measure(probing, copy_both, 2 * link, &rates->link_both, diagnostic);
}

static status prepare(struct probing *probing, struct diagnostic *diagnostic)
{
    struct cuda_device *card = probing->card;
    int64_t room = (card->base.limit_bytes - card->base.used_bytes) / 4;
    probing->device_bytes = room < DEVICE_BYTES ? room : DEVICE_BYTES;
    probing->link_bytes = probing->device_bytes < LINK_BYTES ? probing->device_bytes : LINK_BYTES;
    for (int m = 0; m < 2; m++) {
        TRY(device_allocate(&card->base, probing->device_bytes, &probing->memory[m], diagnostic));
        TRY(cuda_answer(card,
                        card->driver.cuMemHostAlloc(&probing->pinned[m],
                                                    (size_t)probing->link_bytes,
                                                    CU_MEMHOSTALLOC_PORTABLE),
                        "allocating pinned host memory", diagnostic));
    }
    return cuda_join_side(card, diagnostic);
}

status cuda_rates(struct device *device, struct device_rates *rates, struct diagnostic *diagnostic)
{
    struct probing probing = {.card = card_of(device)};
    TRY(cuda_enter(probing.card, diagnostic));
    status code = prepare(&probing, diagnostic);
    if (code == STATUS_OK) code = measure_all(&probing, rates, diagnostic);
    for (int m = 0; m < 2; m++) {
        if (probing.pinned[m]) probing.card->driver.cuMemFreeHost(probing.pinned[m]);
        device_free(device, probing.memory[m], probing.device_bytes);
    }
    return code;
}

status cuda_probe(struct device *device, struct diagnostic *diagnostic)
{
    struct device_rates rates = {0};
    double *values = device->facts.values;
    TRY(cuda_rates(device, &rates, diagnostic));
    values[FACT_read_bandwidth] = rates.memory;
    values[FACT_link_bandwidth] = rates.link_in < rates.link_out ? rates.link_in : rates.link_out;
    values[FACT_link_both_bandwidth] = rates.link_both;
    return STATUS_OK;
}

/* ---- From card to card ---- */

static status measure_peer(struct cuda_device *card, struct device *source, void *to, void *from,
                           double *rate, struct diagnostic *diagnostic)
{
    for (int r = 0; r < REPEATS; r++) {
        float milliseconds = 0;
        TRY(cuda_enter(card, diagnostic));
        TRY(cuda_answer(card, card->driver.cuEventRecord(card->timing[0], card->stream), "timing",
                        diagnostic));
        TRY(device_copy(&card->base, to, source, from, LINK_BYTES, diagnostic));
        device_submit(&card->base);
        TRY(device_finish(&card->base, diagnostic));
        TRY(cuda_answer(card, card->driver.cuEventRecord(card->timing[1], card->stream), "timing",
                        diagnostic));
        TRY(cuda_answer(card, card->driver.cuEventSynchronize(card->timing[1]), "timing",
                        diagnostic));
        TRY(cuda_answer(card,
                        card->driver.elapsed_time(&milliseconds, card->timing[0], card->timing[1]),
                        "timing", diagnostic));
        double own = milliseconds > 0 ? LINK_BYTES / ((double)milliseconds * 1e-3) : 0;
        if (own > *rate) *rate = own;
    }
    return STATUS_OK;
}

status cuda_peer_rate(struct device *device, struct device *source, struct device_peer *peer,
                      struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    void *to = NULL, *from = NULL;
    *peer = (struct device_peer){0};
    if (!cuda_is_card(source)) return STATUS_OK;
    status code = device_allocate(source, LINK_BYTES, &from, diagnostic);
    if (code == STATUS_OK) code = device_allocate(device, LINK_BYTES, &to, diagnostic);
    if (code == STATUS_OK) code = cuda_connect(device, source, diagnostic);
    if (code == STATUS_OK) code = measure_peer(card, source, to, from, &peer->rate, diagnostic);
    peer->direct = cuda_is_direct(card, source);
    device_free(source, from, LINK_BYTES);
    device_free(device, to, LINK_BYTES);
    return code;
}

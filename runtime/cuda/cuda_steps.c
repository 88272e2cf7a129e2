/* The sizes of a submission's launches: gathered before its first launch, sent to the card in one copy.
 *
 * Launches of equal sizes share a row, and rows are numbered in the order of the launches, so that the steps of a
 * generation find theirs in the same places and captured graphs fit. */
#include "runtime/cuda/cuda_device.h"

#include <string.h>

status cuda_steps_find(struct cuda_device *card, const struct run *run, int *step,
                       struct diagnostic *diagnostic)
{
    const struct kernel_step wanted = {.rows = (int32_t)run->symbols[SYMBOL_ROWS],
                                       .context = (int32_t)run->context,
                                       .stride = (int32_t)run->symbols[SYMBOL_STRIDE],
                                       .sequences = (int32_t)run->symbols[SYMBOL_SEQUENCES]};
    for (*step = 0; *step < card->step_count; ++*step)
        if (memcmp(&card->steps[*step], &wanted, sizeof wanted) == 0) return STATUS_OK;
    if (card->step_count == STEPS_MAX)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%s: one step has launches of more than %d sizes", card->base.specification,
                    STEPS_MAX);
    card->steps[card->step_count++] = wanted;
    return STATUS_OK;
}

status cuda_steps_send(struct cuda_device *card, struct diagnostic *diagnostic)
{
    if (card->step_count == 0) return STATUS_OK;
    return cuda_answer(card,
                       card->driver.cuMemcpyHtoDAsync(
                           card->card_steps, card->steps,
                           (size_t)card->step_count * sizeof *card->steps, card->stream),
                       "sending a step's sizes", diagnostic);
}

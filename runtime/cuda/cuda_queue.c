/* Giving a card what was submitted, and waiting for it. */
#include "runtime/cuda/cuda_device.h"

#include <stdio.h>

/* ---- Failures ---- */

/* The kernels of the submission, of which one did it. */
static void name_kernels(const struct cuda_device *card, char *text, size_t room)
{
    const struct command *first = NULL, *last = NULL;
    int count = 0;
    for (int c = 0; c < card->base.command_count; c++) {
        if (card->base.commands[c].kind != COMMAND_LAUNCH) continue;
        last = &card->base.commands[c];
        if (!first) first = last;
        count++;
    }
    if (count == 0)
        snprintf(text, room, "copying");
    else if (count == 1)
        snprintf(text, room, "kernel %.64s of %.500s", first->kernel->image.launches[0].name,
                 first->kernel->problem->text);
    else
        snprintf(text, room,
                 "one of %d kernels, from %.64s to %.64s (HONE_CUDA_BLOCKING=1 tells which)", count,
                 first->kernel->image.launches[0].name, last->kernel->image.launches[0].name);
}

static void note_failure(struct cuda_device *card, status code, const struct diagnostic *reason)
{
    if (card->failure.code != STATUS_OK) return;
    card->failure = *reason;
    card->failure.code = code;
}

/* What other queues wait for comes all the same; this queue's failure is told by its own finish. */
static void release_waiters(struct cuda_device *card)
{
    for (int c = card->walked; c < card->base.command_count; c++)
        if (card->base.commands[c].kind == COMMAND_SIGNAL) event_mark(card->base.commands[c].event);
    card->walked = card->base.command_count;
}

/* ---- Walking the commands ---- */

static status run_launches(struct cuda_device *card, struct diagnostic *diagnostic)
{
    enum { RUN_MAX = 1024 };
    int steps[RUN_MAX], first = card->walked, count = 0;
    const struct command *commands = &card->base.commands[first];
    while (count < RUN_MAX && first + count < card->base.command_count &&
           commands[count].kind == COMMAND_LAUNCH) {
        TRY(cuda_steps_find(card, &commands[count].run, &steps[count], diagnostic));
        count++;
    }
    TRY(cuda_graph_run(card, steps, first, count, diagnostic));
    card->walked += count;
    return STATUS_OK;
}

static status run_command(struct cuda_device *card, const struct command *command,
                          struct diagnostic *diagnostic)
{
    switch (command->kind) {
    case COMMAND_LAUNCH: return run_launches(card, diagnostic);
    case COMMAND_WRITE:
        TRY(cuda_move_input(card, command->to, command->from, command->bytes, diagnostic));
        break;
    case COMMAND_READ:
        TRY(cuda_move_out(card, card->stream, command->to, command->from, command->bytes,
                          diagnostic));
        break;
    case COMMAND_COPY: TRY(cuda_copy(card, command, diagnostic)); break;
    case COMMAND_SIGNAL: TRY(cuda_signal(card, command->event, diagnostic)); break;
    case COMMAND_WAIT: TRY(cuda_wait(card, command->event, diagnostic)); break;
    }
    card->walked++;
    return STATUS_OK;
}

static bool must_block(const struct command *command)
{
    return command->kind == COMMAND_WAIT && !cuda_wait_is_ready(command->event);
}

/* To the end, or to the first wait for what another queue has not reached. */
static status walk(struct cuda_device *card, bool may_block, struct diagnostic *diagnostic)
{
    TRY(cuda_enter(card, diagnostic));
    while (card->walked < card->base.command_count) {
        const struct command *command = &card->base.commands[card->walked];
        if (!may_block && must_block(command)) break;
        TRY(run_command(card, command, diagnostic));
    }
    return STATUS_OK;
}

static void walk_rest(void *context)
{
    struct cuda_device *card = context;
    struct diagnostic reason = {0};
    status code = walk(card, true, &reason);
    if (code == STATUS_OK) return;
    note_failure(card, code, &reason);
    release_waiters(card);
}

/* ---- Submitting and finishing ---- */

static status begin(struct cuda_device *card, struct diagnostic *diagnostic)
{
    TRY(cuda_enter(card, diagnostic));
    TRY(cuda_join_side(card, diagnostic));
    card->submissions++;
    card->step_count = 0;
    for (int c = 0; c < card->base.command_count; c++) {
        int step;
        if (card->base.commands[c].kind == COMMAND_LAUNCH)
            TRY(cuda_steps_find(card, &card->base.commands[c].run, &step, diagnostic));
    }
    return cuda_steps_send(card, diagnostic);
}

static status hand_over(struct cuda_device *card, struct diagnostic *diagnostic)
{
    if (!card->queue.started)
        TRY(queue_thread_start(&card->queue, walk_rest, card, card->base.specification,
                               diagnostic));
    card->handed_over = true;
    queue_thread_submit(&card->queue);
    return STATUS_OK;
}

void cuda_submit(struct device *device)
{
    struct cuda_device *card = card_of(device);
    struct diagnostic reason = {0};
    if (card->submitted || device->command_count == 0) return;
    card->submitted = true;
    card->walked = 0;
    status code = begin(card, &reason);
    if (code == STATUS_OK) code = walk(card, false, &reason);
    if (code == STATUS_OK && card->walked < device->command_count) code = hand_over(card, &reason);
    if (code == STATUS_OK) return;
    note_failure(card, code, &reason);
    release_waiters(card);
}

static status await_stream(struct cuda_device *card, struct diagnostic *diagnostic)
{
    char what[640];
    TRY(cuda_enter(card, diagnostic));
    CUresult result = card->driver.cuStreamSynchronize(card->stream);
    if (result == CUDA_SUCCESS) return STATUS_OK;
    name_kernels(card, what, sizeof what);
    return cuda_answer(card, result, what, diagnostic);
}

status cuda_finish(struct device *device, struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    struct diagnostic reason = {0};
    if (device->command_count == 0 && !card->submitted) return STATUS_OK;
    cuda_submit(device);
    if (card->handed_over && !queue_thread_await(&card->queue, device->watchdog))
        return device_give_up(device, "what was submitted", diagnostic);
    card->handed_over = false;
    if (card->failure.code == STATUS_OK) {
        status code = await_stream(card, &reason);
        if (code != STATUS_OK) note_failure(card, code, &reason);
    }
    card->submitted = false;
    card->walked = device->command_count = 0;
    card->input_used = 0;
    if (card->failure.code == STATUS_OK) return STATUS_OK;
    reason = card->failure;
    if (!card->fatal) card->failure = (struct diagnostic){0};
    return fail(diagnostic, reason.code, "%s", reason.text);
}

/* ---- Timing ---- */

static status time_launches(struct cuda_device *card, const struct device_timing *timing,
                            struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    int step;
    card->step_count = 0;
    TRY(cuda_enter(card, diagnostic));
    TRY(cuda_join_side(card, diagnostic));
    TRY(cuda_steps_find(card, timing->run, &step, diagnostic));
    TRY(cuda_steps_send(card, diagnostic));
    TRY(cuda_answer(card, driver->cuEventRecord(card->timing[0], card->stream), "timing",
                    diagnostic));
    for (int n = 0; n < timing->count; n++)
        TRY(cuda_launch(card, (const struct cuda_kernel *)timing->kernel,
                        timing->operands[(timing->first + n) % timing->operand_sets], step,
                        diagnostic));
    return cuda_answer(card, driver->cuEventRecord(card->timing[1], card->stream), "timing",
                       diagnostic);
}

status cuda_time(struct device *device, const struct device_timing *timing, double *seconds,
                 struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    float milliseconds = 0;
    char what[640];
    TRY(time_launches(card, timing, diagnostic));
    snprintf(what, sizeof what, "kernel %.64s of %.500s", timing->kernel->image.launches[0].name,
             timing->kernel->problem->text);
    TRY(cuda_answer(card, card->driver.cuStreamSynchronize(card->stream), what, diagnostic));
    TRY(cuda_answer(card,
                    card->driver.elapsed_time(&milliseconds, card->timing[0], card->timing[1]),
                    "timing", diagnostic));
    *seconds = (double)milliseconds * 1e-3;
    return STATUS_OK;
}

/* Copies of the host's queues that hang or arrive damaged: what a queue is at when it is waited for in vain, and what came
 * against what was sent. */
#include "base/fault.h"
#include "base/text.h"
#include "runtime/device_host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *host_activity(const struct host_device *device, char *text, size_t room)
{
    int at = atomic_load(&device->at);
    const struct command *command = &device->running[at];
    char bytes[32];
    switch (command->kind) {
    case COMMAND_LAUNCH:
        snprintf(text, room, "command %d of %d, %.160s,", at + 1, device->running_count,
                 command->kernel->problem->text);
        break;
    case COMMAND_WRITE:
    case COMMAND_READ:
    case COMMAND_COPY:
        snprintf(text, room, "command %d of %d, a copy of %s over the link,", at + 1,
                 device->running_count, text_bytes((double)command->bytes, bytes));
        break;
    case COMMAND_SIGNAL:
    case COMMAND_WAIT:
        snprintf(text, room, "command %d of %d, a wait for another device,", at + 1,
                 device->running_count);
        break;
    }
    return text;
}

/* As a link that never completes: the thread does not come back. */
void host_stall_copy(const struct host_device *device)
{
    if (device->host || !fault_copy()) return;
    for (;;) pause();
}

/* As a link that flips a bit. */
static void damage(unsigned char *bytes)
{
    if (fault_flip()) *bytes ^= 1;
}

void host_check_copy(struct host_device *device, const struct command *command, int64_t begin,
                     int64_t end)
{
    enum { COPIES_MAX = 3 };
    unsigned char *to = (unsigned char *)command->to + begin;
    const unsigned char *from = (const unsigned char *)command->from + begin;
    size_t bytes = (size_t)(end - begin);
    if (bytes == 0) return;
    damage(to);
    for (int copies = 1; device->base.checks_copies && memcmp(to, from, bytes) != 0; copies++) {
        if (copies == COPIES_MAX) {
            atomic_store(&device->damaged, true);
            return;
        }
        memcpy(to, from, bytes);
        damage(to);
    }
}

/* What a queue of the host is at, when it is waited for in vain. */
#include "base/fault.h"
#include "base/text.h"
#include "runtime/device_host.h"

#include <stdio.h>
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

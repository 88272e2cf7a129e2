/* Framed messages with a deadline.  Sockets instead of pipes, because a write to a dead process
 * must give an error and not the signal SIGPIPE. */
#include "base/process_message.h"

#include "base/clock.h"
#include "base/process.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* The number of files that are ready (or broken, which the next call finds out); 0: the deadline passed; -1: failure. */
static int poll_until(struct pollfd *waiting, nfds_t count, int64_t deadline)
{
    for (;;) {
        int timeout_milliseconds = -1;
        if (deadline != INT64_MAX) {
            int64_t left = deadline - clock_nanoseconds();
            left = left > 0 ? left / 1000000 + 1 : 0;
            timeout_milliseconds = left < 1000000 ? (int)left : 1000000;
        }
        int ready = poll(waiting, count, timeout_milliseconds);
        if (ready > 0) return ready;
        if (ready < 0 && errno != EINTR) return -1;
        if (deadline != INT64_MAX && clock_nanoseconds() >= deadline) return 0;
    }
}

static enum message_outcome wait_until_ready(int file, short events, int64_t deadline)
{
    struct pollfd waiting = {.fd = file, .events = events};
    int ready = poll_until(&waiting, 1, deadline);
    return ready > 0 ? MESSAGE_DONE : ready < 0 ? MESSAGE_ENDED : MESSAGE_TIMEOUT;
}

int message_wait(const int *files, int count, int64_t deadline)
{
    struct pollfd waiting[PROCESSES_MAX];
    if (count < 1 || count > PROCESSES_MAX) return -1;
    for (int f = 0; f < count; f++) waiting[f] = (struct pollfd){.fd = files[f], .events = POLLIN};
    if (poll_until(waiting, (nfds_t)count, deadline) <= 0) return -1;
    for (int f = 0; f < count; f++)
        if (waiting[f].revents) return f;
    return -1;
}

/* True when the call moved nothing but may be tried again. */
static bool must_wait(ssize_t moved)
{
    return moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static enum message_outcome send_fully(int file, const char *bytes, size_t byte_count,
                                       int64_t deadline)
{
    while (byte_count) {
        enum message_outcome outcome = wait_until_ready(file, POLLOUT, deadline);
        if (outcome != MESSAGE_DONE) return outcome;
        ssize_t sent = send(file, bytes, byte_count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (must_wait(sent)) continue;
        if (sent < 0) return MESSAGE_ENDED;
        bytes += sent;
        byte_count -= (size_t)sent;
    }
    return MESSAGE_DONE;
}

static enum message_outcome receive_fully(int file, char *bytes, size_t byte_count,
                                          int64_t deadline)
{
    while (byte_count) {
        enum message_outcome outcome = wait_until_ready(file, POLLIN, deadline);
        if (outcome != MESSAGE_DONE) return outcome;
        ssize_t received = recv(file, bytes, byte_count, MSG_DONTWAIT);
        if (must_wait(received)) continue;
        if (received <= 0) return MESSAGE_ENDED;
        bytes += received;
        byte_count -= (size_t)received;
    }
    return MESSAGE_DONE;
}

enum message_outcome message_send(int file, const void *bytes, size_t byte_count, int64_t deadline)
{
    uint64_t length = byte_count;
    if (byte_count > MESSAGE_BYTES_MAX) return MESSAGE_BROKEN;
    enum message_outcome outcome = send_fully(file, (const char *)&length, sizeof length, deadline);
    return outcome ? outcome : send_fully(file, bytes, byte_count, deadline);
}

enum message_outcome message_receive(int file, struct arena *arena, void **bytes,
                                     size_t *byte_count, int64_t deadline)
{
    uint64_t length;
    enum message_outcome outcome = receive_fully(file, (char *)&length, sizeof length, deadline);
    if (outcome) return outcome;
    if (length > MESSAGE_BYTES_MAX) return MESSAGE_BROKEN;
    char *content = arena_allocate(arena, (size_t)length, 1);
    if (!content) return MESSAGE_NO_MEMORY;
    outcome = receive_fully(file, content, (size_t)length, deadline);
    if (outcome) return outcome;
    *bytes = content;
    *byte_count = (size_t)length;
    return MESSAGE_DONE;
}

bool process_read_message(int file, struct arena *arena, void **bytes, size_t *byte_count)
{
    return message_receive(file, arena, bytes, byte_count, INT64_MAX) == MESSAGE_DONE;
}

bool process_write_message(int file, const void *bytes, size_t byte_count)
{
    return message_send(file, bytes, byte_count, INT64_MAX) == MESSAGE_DONE;
}

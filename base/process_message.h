/* Framed messages over a socket: eight bytes of length, then the content.  For base/process.c only.
 */
#ifndef BASE_PROCESS_MESSAGE_H
#define BASE_PROCESS_MESSAGE_H

#include "base/arena.h"

#include <stdint.h>

/* Larger tensors go through shared memory (memory_map_shared). */
enum { MESSAGE_BYTES_MAX = 256 << 20 };

enum message_outcome {
    MESSAGE_DONE,
    MESSAGE_ENDED,   /* the other side is gone */
    MESSAGE_TIMEOUT, /* the deadline passed */
    MESSAGE_BROKEN,  /* longer than MESSAGE_BYTES_MAX */
    MESSAGE_NO_MEMORY
};

/* `deadline` is a time of clock_nanoseconds(); INT64_MAX: none. */
enum message_outcome message_send(int file, const void *bytes, size_t byte_count, int64_t deadline);
/* The first of `count` files, PROCESSES_MAX at most, that can be read from; -1: none by the deadline. */
int message_wait(const int *files, int count, int64_t deadline);
enum message_outcome message_receive(int file, struct arena *arena, void **bytes,
                                     size_t *byte_count, int64_t deadline);

#endif

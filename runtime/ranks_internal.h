/* Messages between rank 0 and those that serve a device (for runtime/ranks*.c, rank_server.c and device_rank.c only).
 *
 * A request is a head and its payload, and so is the reply, which comes when the request is carried out.  One request is
 * under way per rank at any time; different ranks work side by side. */
#ifndef RUNTIME_RANKS_INTERNAL_H
#define RUNTIME_RANKS_INTERNAL_H

#include "base/bytes.h"
#include "base/hash.h"
#include "runtime/ranks.h"
#include "runtime/watchdog.h"

enum rank_request {
    RANK_OPEN,     /* reply: facts, threads, limit of memory */
    RANK_ALLOCATE, /* first: bytes; reply: address */
    RANK_RELEASE,  /* first: address, second: bytes */
    RANK_STORE,    /* first: address; payload: bytes */
    RANK_FETCH,    /* first: address, second: bytes; reply: payload */
    RANK_MOVE,     /* payload: to, from, bytes, within the device's memory */
    RANK_LOAD,     /* payload: problem, image; reply: kernel */
    RANK_UNLOAD,   /* first: kernel */
    RANK_RUN,      /* payload: launches */
    RANK_END       /* no reply */
};

struct rank_head {
    int64_t kind; /* of the request; of a reply: a status */
    int64_t first, second;
    int64_t bytes;    /* of the payload: of a reply that is no STATUS_OK, the message */
    struct hash hash; /* of the payload: set when it is sent, compared when it is there */
};

/* What a rank sends, in the place of a reply's status, while it carries out a request: it is alive. */
enum { RANK_BEAT = -1, RANK_BEAT_SECONDS = 1 };

/* Until everything is there, or, with a watchdog, until that fires: STATUS_TIMEOUT, and no rank can be reached any more.  MPI
 * ends all processes when one is lost. */
CHECKED status ranks_send(struct ranks *ranks, int rank, const struct rank_head *head,
                          const void *payload, struct watchdog *watchdog,
                          struct diagnostic *diagnostic);
CHECKED status ranks_receive_head(struct ranks *ranks, int rank, struct rank_head *head,
                                  struct watchdog *watchdog, struct diagnostic *diagnostic);
/* The payload that `head` announced; STATUS_DEVICE when other bytes come than were sent. */
CHECKED status ranks_receive(struct ranks *ranks, int rank, const struct rank_head *head,
                             void *payload, struct watchdog *watchdog,
                             struct diagnostic *diagnostic);

#endif

/* The ladder: what a run gives up when a device runs out of memory, one thing after the other, what costs least first.
 *
 * A pure function of what the device has: whoever applies it plans again with what is left (engine/demote.c), and asks for
 * the next rung where that does not fit either.  Every rung leaves less, so there is an end. */
#ifndef PLANNER_DEMOTION_H
#define PLANNER_DEMOTION_H

#include "planner/stream.h"

enum demotion_rung {
    DEMOTION_SLOTS,  /* half as many experts of the host are kept on the card for a while */
    DEMOTION_STREAM, /* half as many weights are fetched ahead; then all of the layers' are streamed */
    DEMOTION_STATES, /* the KV cache of the card's layers is the host's, which attends to it */
    DEMOTION_CHUNK,  /* prompts are read in steps of half as many tokens */
    DEMOTION_LAYERS, /* plans count on less of the card's memory, so layers move to the host */
    DEMOTION_NOTHING /* is left */
};

/* A device that has run out, and what is to be given up there. */
struct demotion {
    bool relieved;               /* a host beside it takes what it cannot hold */
    int64_t slots;               /* experts per layer that the card keeps for a while */
    struct stream_choice stream; /* of all cards */
    int64_t state_bytes;         /* of its KV cache */
    int64_t chunk, chunk_least;  /* tokens of a step, and those that there must be room for */
    int64_t room_bytes;          /* that plans count on */
    int64_t missing_bytes;       /* that could not be had; at least 1 */
};

enum {
    /* As long as layers can move instead: shorter steps make prompts as slow as answers and free next to nothing. */
    DEMOTION_CHUNK_LEAST = 32,
    /* A part of its room that a card loses at least, so that it is empty after a few dozen plans. */
    DEMOTION_ROOM_PART = 8
};

/* The next rung; `next` is what the device then has, of what the rung is about. */
enum demotion_rung demotion_next(const struct demotion *now, struct demotion *next);

const char *demotion_name(enum demotion_rung rung); /* "slots", "stream", "kv", "chunk", "layers" */

#endif

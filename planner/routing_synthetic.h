/* Routings that nobody recorded: experts drawn by Zipf's law, to compare cache policies where no model is at hand.
 *
 * Of E experts the one of rank r is drawn with weight 1 / r^zipf; every layer has an order of its own, which may change. */
#ifndef PLANNER_ROUTING_SYNTHETIC_H
#define PLANNER_ROUTING_SYNTHETIC_H

#include "planner/routing_trace.h"

struct synthetic_routing {
    int64_t layers, experts, used, tokens;
    int64_t prompt; /* tokens of the first step; each other one is a step */
    double zipf;    /* 0: all alike */
    int64_t
        drift; /* in so many tokens as many neighbours in rank change places as there are experts; 0: none */
    int64_t phase; /* after so many tokens the order is a new one; 0: never */
    double repeat; /* share of a token's experts that were the token's before it */
    uint64_t seed;
};

/* "zipf=1.1 experts=64 used=8 layers=4 tokens=2000 drift=50 phase=500 repeat=0.3 prompt=100": what is not named has the
 * default that routing_synthetic_default gives.  STATUS_USAGE says what may be written. */
struct synthetic_routing routing_synthetic_default(void);
CHECKED status routing_synthetic_parse(const char *word, struct synthetic_routing *synthetic,
                                       struct diagnostic *diagnostic);
CHECKED status routing_synthesise(const struct synthetic_routing *synthetic, struct arena *arena,
                                  struct routing_trace **trace, struct diagnostic *diagnostic);

#endif

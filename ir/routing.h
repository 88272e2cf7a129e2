/* How tokens spread over experts, as far as the time of a kernel depends on it: how often each expert is chosen, by levels, and
 * how many different ones a batch has.  Part of a problem's text where it was measured in a workload (tuner/capture.h):
 *
 *     grouped_linear(...) -> ... {...} rows<=16 routing=q2n5g1~6
 *
 * reads: two experts of level q, five of level n, one of level g, six different ones in a batch.  Level n is chosen as often
 * as all experts are in the mean, each level further on 2^0.5 times as often, level a never.  Which expert is which does not
 * matter to a kernel, and levels are coarse, so two captures of one workload mostly give the same text. */
#ifndef IR_ROUTING_H
#define IR_ROUTING_H

#include "ir/scanner.h"

enum { ROUTING_LEVELS = 26, ROUTING_EXPERTS_MOST = 1024 };

struct routing {
    int16_t
        counts[ROUTING_LEVELS]; /* experts of each level; level 0 is that of those never chosen */
    int16_t distinct; /* different experts in a batch; 0: nothing is known of the routing */
};

/* `shares` in any unit, at least one above 0; 1 .. ROUTING_EXPERTS_MOST experts. */
struct routing routing_of_shares(const double *shares, int experts, double distinct);
int routing_experts(const struct routing *routing);
/* How often an expert of this level is chosen, in the mean's unit. */
double routing_share(int level);

/* "q2n5g1~6" */
void routing_print(const struct routing *routing, struct text *text);
CHECKED status routing_parse(struct scanner *scanner, struct routing *routing);

#endif

/* What records of other devices say about a device that has none: an order in which to try candidates, never an answer.
 *
 * The nearest class comes first, by facts that the store's origins know of it; its candidates come in the order of their
 * times there. */
#ifndef TUNER_NEAREST_H
#define TUNER_NEAREST_H

#include "ir/variant.h"
#include "tuner/store.h"

/* A new device is tuned in minutes, not hours: so many candidates of a problem are enough where an order is known. */
enum { NEAREST_MOST = 16 };

/* How far apart two devices are: the sum of the logarithms of the ratios of their facts; infinite for other targets. */
double nearest_distance(const struct device_facts *a, const struct device_facts *b);

/* Candidates that are legal here, the most promising first, none twice. */
struct nearest_order {
    const struct catalogue *catalogue;
    const struct bound_space *spaces;
    int space_count;
    struct candidate *candidates; /* room for `most` */
    int count, most;
};
/* Appends the candidate of this text; false where there is no room for it, or it is not legal or there already. */
bool nearest_take(struct nearest_order *order, const char *text);

/* Adds what was best for the problem on other classes; `from` is the class of the first one added, NULL where there is none.
 * It and what else is needed on the way lives in `arena`. */
CHECKED status nearest_candidates(struct store *store, const struct problem *problem,
                                  const struct device_facts *facts, struct nearest_order *order,
                                  struct arena *arena, const char **from,
                                  struct diagnostic *diagnostic);

#endif

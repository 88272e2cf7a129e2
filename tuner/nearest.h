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

/* At most `most` candidates of `spaces` that are legal here, in `arena`; `from` is the class of the first one, NULL where
 * there is none. */
CHECKED status nearest_candidates(struct store *store, const struct problem *problem,
                                  const struct device_facts *facts,
                                  const struct catalogue *catalogue,
                                  const struct bound_space *spaces, int space_count, int most,
                                  struct arena *arena, struct candidate **candidates, int *count,
                                  const char **from, struct diagnostic *diagnostic);

#endif

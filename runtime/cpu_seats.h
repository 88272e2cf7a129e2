/* Where threads sit: one processing unit of each physical core that this process may use, with the memory node that the
 * core is nearest to and its speed.
 *
 * Siblings of a core share its arithmetic and its first caches, so a second thread there gains nothing for kernels that keep
 * either busy.  Seats are in the order in which threads take them: fast cores before slow ones, node by node. */
#ifndef RUNTIME_CPU_SEATS_H
#define RUNTIME_CPU_SEATS_H

#include "base/arena.h"

struct cpu_seat {
    int unit;     /* the system's number of the processing unit */
    int node;     /* 0 .. node_count - 1 */
    double speed; /* relative to the fastest core's, above 0 and at most 1 */
};

struct cpu_seats {
    struct cpu_seat *seats;
    int count, node_count;
};

/* `description` NULL: this machine, as far as the process may use it; else hwloc's synthetic text, for tests. */
CHECKED status cpu_seats_read(const char *description, struct arena *arena, struct cpu_seats *seats,
                              struct diagnostic *diagnostic);

#endif

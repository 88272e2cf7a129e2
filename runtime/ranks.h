/* More than one process, on one machine or several: `mpirun -n 4 hone run ...`.
 *
 * Rank 0 runs the engine.  Every other rank opens a device of its own and serves it: rank 0 has a device "rank:1", "rank:2"
 * ... for each (device_rank.c), whose memory, kernels and queue are there, and which planner, executor and engine treat like
 * any card.  MPI carries what goes between them.  It is loaded only where a launcher of Open MPI has started the process. */
#ifndef RUNTIME_RANKS_H
#define RUNTIME_RANKS_H

#include "runtime/device.h"

struct ranks;

/* NULL where this process was started alone. */
CHECKED status ranks_join(struct ranks **ranks, struct diagnostic *diagnostic);
int ranks_number(const struct ranks *ranks);
int ranks_count(const struct ranks *ranks);

/* Rank 0: the devices of all ranks as a list, its own first.  The host counts with the memory it has, so that it gets its
 * share of the layers and not all of them. */
CHECKED status ranks_device_list(const struct ranks *ranks, const char *own, struct arena *arena,
                                 const char **list, struct diagnostic *diagnostic);

/* The others: serves the first device of the list until rank 0 leaves.  `ops`: the operators of problems. */
CHECKED status ranks_serve(struct ranks *ranks, const char *own,
                           const struct device_options *options, const struct op *const *ops,
                           struct diagnostic *diagnostic);

/* Ends what the others serve (rank 0, whose devices are closed by now), and MPI. */
void ranks_leave(struct ranks *ranks); /* NULL is allowed */

#endif

/* Opening CUDA cards, for runtime/device.c only.  In builds without the CUDA target there is nothing behind this. */
#ifndef RUNTIME_DEVICE_CUDA_H
#define RUNTIME_DEVICE_CUDA_H

#include "runtime/device_internal.h"

/* Opens the cards among the specifications, devices[i] for each of them; on failure none stays open.  Facts are read in
 * a child process, unless the options say that no process will be forked any more; the driver starts in this one with
 * the first use of the card's memory. */
CHECKED status device_cuda_open(const struct device_specification *specifications, int count,
                                const struct device_options *options, struct device **devices,
                                struct diagnostic *diagnostic);

#endif

/* Devices that other ranks serve (runtime/ranks.h). */
#ifndef RUNTIME_DEVICE_RANK_H
#define RUNTIME_DEVICE_RANK_H

#include "runtime/device_internal.h"

CHECKED status device_rank_open(const struct device_specification *specification,
                                const struct device_options *options, struct device **device,
                                struct diagnostic *diagnostic);

#endif

/* Cards known by their profiles only, for runtime/device.c. */
#ifndef RUNTIME_DEVICE_DESCRIBED_H
#define RUNTIME_DEVICE_DESCRIBED_H

#include "runtime/device_internal.h"

CHECKED status device_described_open(const struct device_specification *specification,
                                     struct device **device, struct diagnostic *diagnostic);

#endif

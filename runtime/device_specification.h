/* The text of one device in --devices. */
#ifndef RUNTIME_DEVICE_SPECIFICATION_H
#define RUNTIME_DEVICE_SPECIFICATION_H

#include "base/arena.h"

#include <stdint.h>

enum device_kind {
    DEVICE_CPU,
    DEVICE_VIRTUAL,
    DEVICE_NULL,
    DEVICE_CUDA,
    DEVICE_EMULATED,
    DEVICE_DESCRIBED,
    DEVICE_RANK
};

struct device_specification {
    enum device_kind kind;
    const char *text;
    int ordinal;                  /* cuda, rank */
    int64_t memory_bytes;         /* virtual and emulated; INT64_MAX: no limit of its own */
    double operations_per_second; /* virtual; 0: as fast as it goes */
    double link_bytes_per_second; /* virtual; 0: as fast as it goes */
};

CHECKED status device_specification_parse(const char *text, struct arena *arena,
                                          struct device_specification *specification,
                                          struct diagnostic *diagnostic);

/* Splits at commas; the comma inside "virtual:2GiB@20GFLOPS,2GB/s" belongs to the card. */
CHECKED status device_list_parse(const char *list, struct arena *arena,
                                 struct device_specification **specifications, int *count,
                                 struct diagnostic *diagnostic);

#endif

/* Scripted faults (emulator.h says how they are written). */
#ifndef EMULATOR_FAULTS_H
#define EMULATOR_FAULTS_H

#include "base/status.h"

#include <stdint.h>

enum fault_place {
    FAULT_ALLOC,
    FAULT_LAUNCH,
    FAULT_COPY,
    FAULT_PEER,
    FAULT_LOAD,
    FAULT_LIBRARY,
    FAULT_PLACES
};
enum fault_kind {
    FAULT_NOTHING,
    FAULT_OOM,
    FAULT_ILLEGAL,
    FAULT_HANG,
    FAULT_LOST,
    FAULT_SLOW,
    FAULT_CORRUPT,
    FAULT_INVALID,
    FAULT_KINDS
};

enum { FAULTS_MAX = 32 };

struct faults {
    struct {
        enum fault_place place;
        enum fault_kind kind;
        uint64_t number;
        bool onwards;
    } faults[FAULTS_MAX];
    int count;
    uint64_t seen[FAULT_PLACES];
    bool old_driver, no_device, no_peer, no_library, old_library;
};

CHECKED status faults_read(const char *text, struct faults *faults, struct diagnostic *diagnostic);

/* Counts one more event at `place` and says what happens to it. */
enum fault_kind faults_next(struct faults *faults, enum fault_place place);

#endif

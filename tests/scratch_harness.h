/* A folder of a test's own, below TMPDIR (or /tmp), and its end. */
#ifndef TESTS_SCRATCH_HARNESS_H
#define TESTS_SCRATCH_HARNESS_H

#include "base/arena.h"

enum { SCRATCH_BYTES = 256 }; /* of the folder's path, with its end */

/* 0, or -1: what cmocka's set-ups and tear-downs return. */
int scratch_create(char folder[SCRATCH_BYTES]);
/* With all that lies in it, also in folders that cannot be written. */
int scratch_remove(const char *folder);

/* For tests that want nothing but an arena and a folder each: a set-up that makes `*state` one of these, and its tear-down. */
struct scratch {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
};
int scratch_set_up(void **state);
int scratch_tear_down(void **state);

#endif

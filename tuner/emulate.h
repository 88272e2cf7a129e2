/* One candidate on a card of the stand-in driver: whether it is right there, and what its kernels
 * are counted as.  A profiler that needs no card. */
#ifndef TUNER_EMULATE_H
#define TUNER_EMULATE_H

#include "tuner/trial.h"

struct emulation {
    const char *card;       /* specification of the stand-in's card */
    struct outcome outcome; /* against the reference, for its bound of rows and for fewer */
    /* Of its launches in a run for all rows, or of the one that failed: a JSON array
     * (docs/emulator.md). */
    const char *report;
};

/* The image must be for `facts`, whose architecture the card gets.  The stand-in starts in this
 * process: it must start no others afterwards.  STATUS_OK also when the kernel is wrong. */
CHECKED status emulate_image(const struct generation *generation, const struct image *image,
                             struct arena *arena, struct emulation *emulation,
                             struct diagnostic *diagnostic);

#endif

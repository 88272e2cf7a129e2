/* Tuning on an open device: its rates, and the setting in which its kernels are measured. */
#ifndef ENGINE_TUNE_DEVICE_H
#define ENGINE_TUNE_DEVICE_H

#include "runtime/device.h"
#include "tuner/runner.h"
#include "tuner/tune.h"

/* Estimates, limits and shares need the machine's rates: they are measured and kept in `cache_folder` (NULL: nowhere).  What
 * was kept may be of a busier or a calmer day: `anew` measures them again. */
CHECKED status tune_device_rates(struct device *device, bool anew, const char *cache_folder,
                                 struct arena *arena, const struct progress *progress,
                                 struct diagnostic *diagnostic);

/* `setup` gets facts, compiler, runner and limits; what it points to must stay.  Fails where there is no compiler. */
struct tune_device {
    struct runner_device_setup setup;
    struct runner runner;
};
CHECKED status tune_device_prepare(const struct device *device, const char *cpu,
                                   struct tune_device *tuned, struct tune_setup *setup,
                                   struct diagnostic *diagnostic);

#endif

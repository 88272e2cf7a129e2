/* Runs compiled images on devices with memory of their own (op_harness.h's trials).
 *
 * Each operand lies in a block of device memory between two guard areas that are compared afterwards; outputs are
 * poisoned, and everything travels by the device's own copies. */
#ifndef TESTS_OPS_DEVICE_HARNESS_H
#define TESTS_OPS_DEVICE_HARNESS_H

#include "runtime/device.h"
#include "tests/ops/op_harness.h"

/* An op_runner's context. */
struct device_image_run {
    struct device *device;
    const struct image *image;
};
status device_image_run(void *context, const struct op_trial *trial, struct diagnostic *diagnostic);

/* The list with HONE_TEST_CARD ("cuda:0") in the place of every card of the stand-in driver, where that is set: what is tested
 * on the stand-in is then tested on a card.  Faults cannot be scripted there; who needs them asks first. */
const char *device_harness_list(const char *list, struct arena *arena);
bool device_harness_has_card(void);

/* The devices of a list on the stand-in driver ("emulated:sm_86:1GiB,..."), or false, with one line that says why they are
 * left out: without the CUDA toolkit's headers there is none. */
bool device_harness_open(const char *list, struct arena *arena, struct device ***devices,
                         int *count);

#endif

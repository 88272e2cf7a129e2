/* What tests of cards share: cards of the stand-in driver, and kernels written in PTX, which need no compiler. */
#ifndef TESTS_CUDA_CARD_HARNESS_H
#define TESTS_CUDA_CARD_HARNESS_H

#include "runtime/device.h"

enum { CARDS_MAX = 4 };

struct cards {
    struct arena *arena;
    struct device **devices;
    int count;
};

/* Opens a list with faults for the stand-in driver to make (NULL: none); skips the test, with one line, where there is no
 * stand-in.  Facts are read in a child, as in a run. */
void cards_open(struct cards *cards, const char *list, const char *faults);
void cards_close(struct cards *cards);

/* y = x * 2 + 1 over f32[rows,64], four rows per block; `twist` is added to the third operand when it is there. */
extern const char card_kernel_scale[];
/* Writes far outside of its operands. */
extern const char card_kernel_stray[];

/* An image of one such kernel for problems of two inputs and one output. */
void card_image(const char *text, const char *entry, struct image *image);

/* add(f32[rows,64], f32[rows,64]) with a bound of `rows`. */
const struct problem *card_problem(struct arena *arena, int64_t rows);
struct run card_run(const struct problem *problem, int64_t rows);

/* A block of device memory that holds these bytes (NULL: zeros). */
void *card_block(struct device *device, const void *bytes, int64_t byte_count);

#endif

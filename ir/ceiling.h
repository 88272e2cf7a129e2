/* What bounds a kernel: the bytes that it must move and the operations that it must do, at the rates of the device.
 *
 * The arithmetic ceiling is that of the instruction family that the kernel multiplies with, which its numerics tell:
 * operands rounded to blocks of 8-bit integers are multiplied as integers, those rounded to bf16 or f16 as halves, all others
 * as f32.  Bytes that a step finds cold (weights, states) come from memory, the others from the second-level caches. */
#ifndef IR_CEILING_H
#define IR_CEILING_H

#include "ir/device_facts.h"
#include "ir/numerics.h"
#include "ir/problem.h"

/* The instruction families that have rates of their own. */
enum ceiling_family { CEILING_REAL, CEILING_HALF, CEILING_INTEGER, CEILING_FAMILY_COUNT };
enum ceiling_family ceiling_family_of(const struct numerics *numerics);
const char *ceiling_family_name(enum ceiling_family family); /* "f32", "f16 or bf16", "8-bit" */
double ceiling_family_rate(enum ceiling_family family, const struct device_facts *facts);

/* Operations per second; 0: unknown. */
double ceiling_rate(const struct numerics *numerics, const struct device_facts *facts);

struct ceiling {
    double memory_seconds, arithmetic_seconds; /* 0 where the rate is unknown */
};
struct ceiling ceiling_of(const struct problem *problem, const struct numerics *numerics,
                          const struct device_facts *facts);
/* The larger of both: no run can be shorter. */
double ceiling_seconds(const struct ceiling *ceiling);

#endif

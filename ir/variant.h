/* Variants: the ways to answer a problem.  A CPU variant is ops/OP/NAME_cpu.c, an emitter, with
 * ops/OP/NAME_cpu.yaml, its space; a CUDA variant is ops/OP/NAME_cuda.cu, a kernel, with
 * ops/OP/NAME_cuda.yaml.  CMake makes the tables, so adding a variant touches no other file. */
#ifndef IR_VARIANT_H
#define IR_VARIANT_H

#include "ir/image.h"

/* Everything an emitter may know; it must not look at the machine it runs on. */
struct generation {
    const struct space *space;
    const struct problem *problem;
    const struct config *config;
    const struct device_facts *facts;
};

/* A problem's answer: a variant with a config.  `space` NULL: the operator's reference. */
struct candidate {
    const struct space *space;
    struct config config;
};

/* "linear_dot_cpu streams=4 prefetch=2048", or "reference". */
void candidate_print(const struct candidate *candidate, struct text *text);
bool candidate_equal(const struct candidate *a, const struct candidate *b);

/* How it rounds and sums: candidates with the same text give the same bits for the same operands.  The variant, the rounding of
 * operands and the type of sums, and the values of the tunables that the order of sums depends on (space.order). */
void candidate_numerics(const struct candidate *candidate, struct text *text);

/* What else code generation can say about a kernel, for `hone show`. */
struct listing {
    const char *source;   /* LLVM IR, CUDA */
    const char *assembly; /* CUDA: PTX */
};

/* Turns a generation into an image.  Loaded from a module of its own (codegen/compile.h), never
 * called in a process that must survive: compilers may abort.  `listing`, all zero, may be NULL. */
typedef status generate_function(const struct generation *generation, struct arena *arena,
                                 struct image *image, struct listing *listing,
                                 struct diagnostic *diagnostic);

/* All built-in spaces (from the YAML files beside the operators), read once per catalogue. */
struct catalogue {
    const struct space *const *spaces; /* NULL-terminated */
    int count;
};

/* NULL when there is no such variant. */
const struct space *catalogue_find(const struct catalogue *catalogue, const char *variant);

/* From candidate_print's text. */
CHECKED status candidate_parse(const struct catalogue *catalogue, const char *text,
                               struct candidate *candidate, struct diagnostic *diagnostic);

#endif

/* Turning heads inside kernels: the angles of a position, computed once for all heads of a row.
 *
 *     rotation_begin(e, attributes, factors, &rotation);     once per kernel
 *     rotation_set_position(e, &rotation, position);         once per row
 *     rotation_turn(e, &rotation, heads, from, element, to); any number of times */
#ifndef OPS_ROPE_ROTATION_CORE_CPU_H
#define OPS_ROPE_ROTATION_CORE_CPU_H

#include "codegen/cpu/llvm_vector.h"
#include "ops/rotation.h"

struct rotation_kernel {
    struct rotation rotation; /* before the factors */
    value frequencies;        /* f64[pairs], read-only */
    value factors;            /* f32[pairs] that divide them, or NULL */
    /* On the stack, f32.  Halves: one number per pair.  Interleaved: one per element, the sine with
     * the sign that its element needs. */
    value cosines, sines;
};

/* `attributes` points at row ROTATION_HEAD_SIZE; `factors` may be NULL. */
void rotation_begin(struct emitter *e, const union attribute *attributes, value factors,
                    struct rotation_kernel *k);
/* i32 */
void rotation_set_position(struct emitter *e, const struct rotation_kernel *k, value position);
/* `heads` heads of f32 at `from`, into heads of a plain type at `to`; both may be the same place.
 */
void rotation_turn(struct emitter *e, const struct rotation_kernel *k, int64_t heads, value from,
                   enum element_type element, value to);

#endif

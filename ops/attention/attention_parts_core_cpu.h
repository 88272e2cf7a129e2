/* Contexts cut into parts that are attended to side by side, and the merging of what comes out.
 *
 * A part leaves one record per head: the largest score, the weight (the sum of the exponentials
 * relative to it) and the weighted sums of the values.  Record number (row * parts + part) * heads
 * + head. */
#ifndef OPS_ATTENTION_ATTENTION_PARTS_CORE_CPU_H
#define OPS_ATTENTION_ATTENTION_PARTS_CORE_CPU_H

#include "ops/attention/attention_core_cpu.h"

struct attention_parts {
    const struct attention_work *work;
    int64_t count; /* per row; 1: there are no records */
    int64_t record_bytes;
    int workspace;
    value records; /* set by each kernel that uses them */
};

/* Adds the workspace to the image when there is more than one part. */
void attention_parts_create(const struct attention_work *work, int64_t count, struct image *image,
                            struct attention_parts *parts);

/* Tokens of each part of a row's sight: whole registers, so that only the last has ragged ones. */
value attention_part_tokens(struct emitter *e, const struct attention_parts *parts,
                            const struct attention_sight *sight);

/* `sums`: f32 of all columns of a head's values. */
void attention_write_part(struct emitter *e, const struct attention_parts *parts, value record,
                          value largest, value weight, value sums);

/* A head's columns of sums at `from`, times `factor`, to `to`. */
void attention_write_scaled(struct emitter *e, const struct attention_work *work, value from,
                            value factor, value to);

/* The kernel that makes outputs of records; a work item is a row and a head. */
void attention_emit_merge(struct emitter *e, const struct attention_work *work,
                          struct attention_parts *parts, struct launch *launch);

#endif

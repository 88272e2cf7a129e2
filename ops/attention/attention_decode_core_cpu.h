/* Few rows, each against its whole context: what attention_decode_cpu and attention_decode_bytes_cpu
 * share, which differ in how products are formed (attention_strand_core_cpu.h: widened to f32;
 * attention_bytes_core_cpu.h: byte by byte). */
#ifndef OPS_ATTENTION_ATTENTION_DECODE_CORE_CPU_H
#define OPS_ATTENTION_ATTENTION_DECODE_CORE_CPU_H

#include "ops/attention/attention_core_cpu.h"

CHECKED status attention_decode_generate(bool bytes, const struct generation *generation,
                                         struct arena *arena, struct image *image,
                                         struct listing *listing, struct diagnostic *diagnostic);

#endif

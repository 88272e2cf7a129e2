/* AMX: eight tile registers of up to 16 rows of 64 bytes, by number, and products of whole tiles.
 *
 * A kernel that uses tiles configures them itself and lets go of them before it returns, so a thread
 * has no state between kernels and the system saves none.  The process must have asked the system
 * for tiles before (runtime/cpu_families.h). */
#ifndef CODEGEN_CPU_LLVM_AMX_H
#define CODEGEN_CPU_LLVM_AMX_H

#include "codegen/cpu/llvm_emit.h"

enum { AMX_TILES = 8, AMX_ROWS = 16, AMX_ROW_BYTES = 64 };

/* Rows and bytes of a row of each tile; zero: not used. */
struct amx_shape {
    int rows, row_bytes;
};
void amx_configure(struct emitter *e, const struct amx_shape *shapes);
void amx_release(struct emitter *e);

void amx_zero(struct emitter *e, int tile);
/* The tile's rows lie `stride_bytes` apart from `pointer` on. */
void amx_load(struct emitter *e, int tile, value pointer, int64_t stride_bytes);
void amx_store(struct emitter *e, int tile, value pointer, int64_t stride_bytes);

/* sum[m][n] (f32) += a[m][2k] * b[k][2n] + a[m][2k + 1] * b[k][2n + 1] of bf16. */
void amx_add_bf16(struct emitter *e, int sum, int a, int b);
/* sum[m][n] (i32) += the four products of a[m][4k ..], signed bytes, and b[k][4n ..], unsigned. */
void amx_add_bytes(struct emitter *e, int sum, int a, int b);

#endif

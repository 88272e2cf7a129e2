/* AMX through LLVM's intrinsics with explicit tile numbers: LLVM neither allocates tiles nor
 * configures them, which saves what it would reload at every call. */
#include "codegen/cpu/llvm_amx.h"

#include "codegen/cpu/llvm_vector.h"

#include <assert.h>

/* The 64 bytes that describe the tiles: the only palette there is, bytes of a row, rows. */
enum { CONFIGURATION_BYTES = 64, PALETTE = 1, ROW_BYTES_AT = 16, ROWS_AT = 48 };

void amx_configure(struct emitter *e, const struct amx_shape *shapes)
{
    value bytes[CONFIGURATION_BYTES], room = stack_room(e, CONFIGURATION_BYTES);
    for (int i = 0; i < CONFIGURATION_BYTES; i++) bytes[i] = constant_i8(e, i == 0 ? PALETTE : 0);
    for (int tile = 0; tile < AMX_TILES; tile++) {
        assert(shapes[tile].rows <= AMX_ROWS && shapes[tile].row_bytes <= AMX_ROW_BYTES);
        bytes[ROW_BYTES_AT + 2 * tile] = constant_i8(e, shapes[tile].row_bytes);
        bytes[ROWS_AT + tile] = constant_i8(e, shapes[tile].rows);
    }
    store(e, LLVMConstVector(bytes, CONFIGURATION_BYTES), room, AMX_ROW_BYTES);
    machine_intrinsic(e, "llvm.x86.ldtilecfg", e->nothing, &room, 1);
}

void amx_release(struct emitter *e)
{
    machine_intrinsic(e, "llvm.x86.tilerelease", e->nothing, NULL, 0);
}

void amx_zero(struct emitter *e, int tile)
{
    machine_intrinsic(e, "llvm.x86.tilezero", e->nothing, (value[]){constant_i8(e, tile)}, 1);
}

static void move(struct emitter *e, const char *name, int tile, value pointer, int64_t stride_bytes)
{
    value arguments[] = {constant_i8(e, tile), pointer, constant_i64(e, stride_bytes)};
    machine_intrinsic(e, name, e->nothing, arguments, 3);
}

void amx_load(struct emitter *e, int tile, value pointer, int64_t stride_bytes)
{
    move(e, "llvm.x86.tileloadd64", tile, pointer, stride_bytes);
}

void amx_store(struct emitter *e, int tile, value pointer, int64_t stride_bytes)
{
    move(e, "llvm.x86.tilestored64", tile, pointer, stride_bytes);
}

static void multiply(struct emitter *e, const char *name, int sum, int a, int b)
{
    value arguments[] = {constant_i8(e, sum), constant_i8(e, a), constant_i8(e, b)};
    machine_intrinsic(e, name, e->nothing, arguments, 3);
}

void amx_add_bf16(struct emitter *e, int sum, int a, int b)
{
    multiply(e, "llvm.x86.tdpbf16ps", sum, a, b);
}

void amx_add_bytes(struct emitter *e, int sum, int a, int b)
{
    multiply(e, "llvm.x86.tdpbsud", sum, a, b);
}

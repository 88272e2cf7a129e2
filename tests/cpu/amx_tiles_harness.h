/* The tile registers of AMX in software: what each instruction does, and when it faults.  A fault ends the process. */
#ifndef TESTS_CPU_AMX_TILES_HARNESS_H
#define TESTS_CPU_AMX_TILES_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

enum { AMX_STATE_TILES = 8, AMX_STATE_ROWS = 16, AMX_STATE_ROW_BYTES = 64, AMX_STATE_BYTES = 64 };

/* All zero: no tiles are configured. */
struct amx_state {
    int palette;
    uint8_t start_row;
    struct amx_tile {
        int rows, row_bytes;
        uint8_t bytes[AMX_STATE_ROWS][AMX_STATE_ROW_BYTES];
    } tiles[AMX_STATE_TILES];
};

/* From and to the 64 bytes of ldtilecfg and sttilecfg. */
void amx_tiles_configure(struct amx_state *state, const char *memory);
void amx_tiles_describe(const struct amx_state *state, char *memory);
void amx_tiles_release(struct amx_state *state);

void amx_tiles_zero(struct amx_state *state, int tile);
void amx_tiles_load(struct amx_state *state, int tile, const char *memory, int64_t stride);
void amx_tiles_store(const struct amx_state *state, int tile, char *memory, int64_t stride);

/* sum += a times b, where b has the units of four bytes of a column of a in its rows. */
struct amx_product {
    int sum, a, b;
};
void amx_tiles_add_bf16(struct amx_state *state, const struct amx_product *product);
void amx_tiles_add_bytes(struct amx_state *state, const struct amx_product *product, bool a_signed,
                         bool b_signed);

#endif

/* The runs that show planted mistakes (planted_kernels.h): small, one for each way through a kernel. */
#ifndef TESTS_CUDA_PLANTED_RUNS_H
#define TESTS_CUDA_PLANTED_RUNS_H

#include "tests/ops/op_harness.h"

struct planted_run {
    const char *variant, *problem;
    struct op_step step;
    const char *config; /* "stages=3 split=2": what differs from the default; NULL: nothing */
    const char *card;
    bool strays; /* some experts are none (variant_stray_trial) */
    bool narrow; /* activations that E2M1 keeps (variant_narrow_trial) */
};

#define SMALL_TILE                                                                                 \
    "tile_rows=32 tile_outputs=32 tile_columns=32 row_warps=2 output_warps=1 raster=1 "

static const struct planted_run tile_run = {
    .variant = "linear_tile_f16_cuda",
    .problem = "linear(f32[tokens,200], f16[70,200], f32[70], f32[tokens,70])",
    .step = {.rows = 20},
    .config = SMALL_TILE "stages=3 split=1",
    .card = "sm_86",
};
static const struct planted_run split_run = {
    .variant = "linear_tile_bf16_cuda",
    .problem = "linear(f32[tokens,256], bf16[40,256])",
    .step = {.rows = 20},
    .config = SMALL_TILE "stages=3 split=2",
    .card = "sm_80",
};
static const struct planted_run stream_run = {
    .variant = "linear_tile_bf16_cuda",
    .problem = "linear(f32[tokens,328], bf16[72,328])",
    .step = {.rows = 140},
    .config = SMALL_TILE "stages=3 split=1 stream=1",
    .card = "sm_86",
};
static const struct planted_run nibbles_run = {
    .variant = "linear_tile_f16_cuda",
    .problem = "linear(f32[tokens,96], q4_0[40,96])",
    .step = {.rows = 20},
    .config = SMALL_TILE "stages=2 split=1",
    .card = "sm_75",
};
static const struct planted_run bytes_run = {
    .variant = "linear_tile_bytes_cuda",
    .problem = "linear_gated(f32[tokens,192], q8_0[40,192], q8_0[40,192])",
    .step = {.rows = 20},
    .config = "tile_rows=32 tile_outputs=32 tile_columns=64 row_warps=2 output_warps=1 raster=1 "
              "stages=2 split=1",
    .card = "sm_89",
};
static const struct planted_run raster_run = {
    .variant = "linear_tile_f16_cuda",
    .problem = "linear(f32[tokens,64], f16[70,64])",
    .step = {.rows = 75},
    .config = "tile_rows=16 tile_outputs=32 tile_columns=32 row_warps=1 output_warps=2 raster=4 "
              "stages=2 split=1",
    .card = "sm_90",
};
static const struct planted_run slots_run = {
    .variant = "grouped_tile_f16_cuda",
    .problem = "grouped_linear(f32[tokens,64], i32[2*tokens], i32[9], q8_0[8,40,64])",
    .step = {.rows = 20},
    .config = "tile_rows=16 tile_outputs=32 tile_columns=32 row_warps=1 output_warps=2 stages=2",
    .card = "sm_86",
    .strays = true,
};
static const struct planted_run super_run = {
    .variant = "linear_tile_f16_cuda",
    .problem = "linear(f32[tokens,512], q6_K[40,512])",
    .step = {.rows = 20},
    .config = "tile_rows=32 tile_outputs=32 tile_columns=128 row_warps=2 output_warps=1 raster=1 "
              "stages=2 split=1",
    .card = "sm_86",
};
static const struct planted_run dot_super_run = {
    .variant = "linear_dot_bytes_cuda",
    .problem = "linear(f32[tokens,512], q4_K[9,512])",
    .step = {.rows = 3},
    .config = "warps=4 column_warps=1",
    .card = "sm_86",
};
#define SMALL_PRODUCT "tile_rows=64 tile_outputs=64 consumers=1 stages=2 split=1 raster=1 "
static const struct planted_run warpgroup_run = {
    .variant = "linear_warpgroup_bf16_cuda",
    .problem = "linear(f32[tokens,328], bf16[72,328])",
    .step = {.rows = 70},
    .config = SMALL_PRODUCT "cluster=1 stream=0",
    .card = "sm_90",
};
static const struct planted_run pieces_run = {
    .variant = "linear_warpgroup_bf16_cuda",
    .problem = "linear(f32[tokens,648], bf16[600,648])",
    .step = {.rows = 200},
    .config = SMALL_PRODUCT "cluster=1 stream=1",
    .card = "sm_90",
};
static const struct planted_run cluster_run = {
    .variant = "linear_warpgroup_f16_cuda",
    .problem = "linear_gated(f32[tokens,328], f16[40,328], f16[40,328])",
    .step = {.rows = 100},
    .config =
        "tile_rows=64 tile_outputs=32 consumers=1 stages=2 split=1 raster=1 cluster=2 stream=0",
    .card = "sm_90",
};
static const struct planted_run dot_bytes_run = {
    .variant = "linear_dot_bytes_cuda",
    .problem = "linear(f32[tokens,288], q4_0[33,288])",
    .step = {.rows = 3},
    .config = "warps=4 column_warps=1",
    .card = "sm_86",
};
static const struct planted_run dot_run = {
    .variant = "linear_dot_cuda",
    .problem = "linear(f32[tokens,1024], f16[20,1024], f32[20])",
    .step = {.rows = 3},
    .config = "warps=4 column_warps=2",
    .card = "sm_120",
};

static const struct planted_run wide_run = {
    .variant = "linear_tile_f8_cuda",
    .problem = "linear(f32[tokens,384], f8_e4m3_128[70,384])",
    .step = {.rows = 20},
    .config = "tile_rows=32 tile_outputs=32 row_warps=2 output_warps=1 raster=1 stages=3 split=1",
    .card = "sm_89",
};
static const struct planted_run widened_run = {
    .variant = "linear_tile_f8_f16_cuda",
    .problem = "linear(f32[tokens,384], f8_e4m3_128[70,384])",
    .step = {.rows = 20},
    .config = "tile_rows=32 tile_outputs=32 row_warps=2 output_warps=1 raster=1 stages=2 split=1",
    .card = "sm_86",
};
static const struct planted_run bytes_128_run = {
    .variant = "linear_tile_i8_cuda",
    .problem = "linear(f32[tokens,384], i8_128[64,384])",
    .step = {.rows = 20},
    .config = "tile_rows=32 tile_outputs=32 row_warps=2 output_warps=1 raster=1 stages=2 split=1",
    .card = "sm_86",
};
static const struct planted_run mxfp4_run = {
    .variant = "linear_tile_mxfp4_cuda",
    .problem = "linear(f32[tokens,384], mxfp4[70,384])",
    .step = {.rows = 20},
    .config = "tile_rows=32 tile_outputs=32 row_warps=2 output_warps=1 raster=1 stages=3 split=1",
    .card = "sm_120",
};
static const struct planted_run nvf4_run = {
    .variant = "linear_tile_nvf4_cuda",
    .problem = "linear(f32[tokens,384], nvfp4_128[70,384])",
    .narrow = true,
    .step = {.rows = 20},
    .config = "tile_rows=32 tile_outputs=32 row_warps=2 output_warps=1 raster=1 stages=3 split=1",
    .card = "sm_120",
};
static const struct planted_run top_run = {
    .variant = "top_cuda",
    .problem = "top(f32[outputs,2000]) {count=20}",
    .step = {.rows = 3},
    .config = "threads=64 vector=2 parts=2",
    .card = "sm_86",
};

static const struct planted_run top_all_run = {
    .variant = "top_cuda",
    .problem = "top(f32[outputs,40]) {count=40}",
    .step = {.rows = 3},
    .config = "threads=64 vector=2 parts=2",
    .card = "sm_86",
};

#define STATES "i32[tokens], i32[tokens], i32[sequences,stride], f16[pages,16,64], f16[pages,16,64]"
static const struct planted_run flash_run = {
    .variant = "attention_tile_cuda",
    .problem = "attention(f32[tokens,192], " STATES ") {heads=6 kv_heads=2 head_size=32 window=25}",
    .step = {.rows = 20, .context = 70, .sequences = 1},
    .config = "warps=2 row_fragments=1 tile_tokens=16 stages=3 queries_in_registers=0",
    .card = "sm_86",
};
static const struct planted_run decode_run = {
    .variant = "attention_decode_cuda",
    .problem = "attention(f32[tokens,192], " STATES ") {heads=6 kv_heads=2 head_size=32 window=37}",
    .step = {.rows = 5, .context = 70, .sequences = 2},
    .config = "warps=2 lanes_per_token=8 heads_together=1 depth=1 parts=2",
    .card = "sm_89",
};

static const struct planted_run norm_run = {
    .variant = "rmsnorm_cuda",
    .problem = "rmsnorm(f32[tokens,232], f32[232]) {epsilon=0.01}",
    .step = {.rows = 5},
    .config = "threads_per_row=64 rows_per_block=2 vector=4",
    .card = "sm_86",
};
static const struct planted_run rope_run = {
    .variant = "rope_cuda",
    .problem = "rope(f32[tokens,192], i32[tokens]) {heads=3 head_size=64 pairing=halves}",
    .step = {.rows = 5},
    .config = "threads=64 parts=1",
    .card = "sm_75",
};
static const struct planted_run gather_run = {
    .variant = "grouped_dot_cuda",
    .problem = "grouped_linear(f32[tokens,1024], i32[2*tokens], i32[9], f16[8,20,1024])",
    .step = {.rows = 6},
    .config = "warps=4 column_warps=2 rows_together=2",
    .card = "sm_90",
};
static const struct planted_run dispatch_run = {
    .variant = "dispatch_cuda",
    .problem = "dispatch(i32[tokens,4]) {experts=8}",
    .step = {.rows = 30},
    .config = "warps=2",
    .card = "sm_80",
    .strays = true,
};
static const struct planted_run bias_run = {
    .variant = "grouped_bias_cuda",
    .problem = "grouped_bias(f32[2*tokens,33], i32[9], f32[8,33])",
    .step = {.rows = 6},
    .card = "sm_86",
    .strays = true,
};
static const struct planted_run combine_run = {
    .variant = "combine_cuda",
    .problem = "combine(f32[tokens,3], f32[3*tokens,64], i32[3*tokens])",
    .step = {.rows = 5},
    .card = "sm_120",
};
static const struct planted_run route_run = {
    .variant = "route_cuda",
    .problem = "route(f32[tokens,40]) {used=3 post=renormalise}",
    .step = {.rows = 5},
    .card = "sm_86",
};
static const struct planted_run embed_run = {
    .variant = "embed_cuda",
    .problem = "embed(i32[tokens], q8_0[50,64]) {scale=9.79795897}",
    .step = {.rows = 5},
    .card = "sm_80",
};
static const struct planted_run gate_run = {
    .variant = "gate_cuda",
    .problem = "gate(f32[tokens,40], f32[tokens,40]) {limit=0.5 slope=1.702 shift=1}",
    .step = {.rows = 5},
    .card = "sm_90",
};
static const struct planted_run append_run = {
    .variant = "append_cuda",
    .problem = "append(f32[tokens,40], i32[tokens], i32[tokens], i32[sequences,stride], "
               "f16[pages,16,40])",
    .step = {.rows = 7, .context = 50, .sequences = 2},
    .card = "sm_86",
};
static const struct planted_run rope_append_run = {
    .variant = "rope_append_cuda",
    .problem = "rope_append(f32[tokens,96], f32[tokens,32], f32[tokens,32], i32[tokens], "
               "i32[tokens], i32[sequences,stride], _, f16[pages,16,32], f16[pages,16,32]) "
               "{heads=3 kv_heads=1 head_size=32 pairing=interleaved}",
    .step = {.rows = 5, .context = 50, .sequences = 2},
    .config = "threads=64 parts=1",
    .card = "sm_89",
};
static const struct planted_run rope_append_block_run = {
    .variant = "rope_append_cuda",
    .problem = "rope_append(f32[tokens,96], f32[tokens,64], f32[tokens,64], i32[tokens], "
               "i32[tokens], i32[sequences,stride], _, q8_0[pages,16,64], q8_0[pages,16,64]) "
               "{heads=3 kv_heads=2 head_size=32 pairing=halves}",
    .step = {.rows = 5, .context = 50, .sequences = 2},
    .config = "threads=64 parts=1",
    .card = "sm_89",
};
static const struct planted_run gather_bytes_run = {
    .variant = "grouped_dot_bytes_cuda",
    .problem = "grouped_linear(f32[tokens,288], i32[2*tokens], i32[9], q8_0[8,33,288])",
    .step = {.rows = 5},
    .config = "rows_together=2",
    .card = "sm_120",
};

#endif

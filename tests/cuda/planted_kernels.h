/* Mistakes that are planted in kernels, one at a time, and what must notice each (test_planted_kernels.c).
 *
 * A row names a file of a variant's sources (its .cu, a header beside it or of codegen/cuda), a fragment that occurs in it
 * exactly once, and what is put in its place; then a run that shows it: variant, problem, sizes of the step, tunables that
 * differ from the default config, card.  Rows with the same run stand together: the kernel as it is runs once for them. */
#ifndef TESTS_CUDA_PLANTED_KERNELS_H
#define TESTS_CUDA_PLANTED_KERNELS_H

#include "tests/ops/op_harness.h"

enum caught {
    CAUGHT_NOTHING,
    CAUGHT_RESULT,    /* differs from the reference */
    CAUGHT_RACE,      /* two warps touch shared memory with no barrier between them */
    CAUGHT_UNWRITTEN, /* shared memory is read that nobody has written */
    CAUGHT_UNWAITED,  /* a copy's destination is used before the copy was waited for */
    CAUGHT_BOUNDS,    /* an access outside of an allocation, or a write outside of an operand */
    CAUGHT_ALIGNMENT, /* an access that is not aligned */
    CAUGHT_HANG,      /* lanes or warps wait for what never comes */
    CAUGHT_ARRIVALS,  /* a transaction barrier gets more arrivals than it waits for */
    CAUGHT_FENCE,     /* products of warpgroups, or the copy engine, with no fence before them */
    CAUGHT_KINDS
};

struct planted_run {
    const char *variant, *problem;
    struct op_step step;
    const char *config; /* "stages=3 split=2": what differs from the default; NULL: nothing */
    const char *card;
    bool strays; /* some experts are none (variant_stray_trial) */
};

struct planted {
    const char *bug, *file, *original, *replacement;
    enum caught caught;
    const struct planted_run *run;
};

#define TILE_FILE    "ops/linear/linear_tile.cuh"
#define PARTS_FILE   "ops/linear/linear_tile_parts.cuh"
#define SUMS_FILE    "ops/linear/linear_tile_sums.cuh"
#define STREAM_FILE  "ops/linear/linear_tile_stream.cuh"
#define GROUP_FILE   "ops/linear/linear_warpgroup.cuh"
#define OUTPUTS_FILE "ops/linear/linear_outputs.cuh"
#define WIDE_FILE    "ops/linear/linear_tile_wide.cuh"
#define MXFP4_FILE   "ops/linear/linear_tile_mxfp4.cuh"
#define TOP_FILE     "ops/top/top_cuda.cu"
#define DECODE_FILE  "ops/attention/attention_decode_cuda.cu"
#define TOKENS_FILE  "ops/attention/attention_tile_tokens.cuh"
#define FLASH_FILE   "ops/attention/attention_tile.cuh"

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
    .config = "tile_rows=64 tile_outputs=32 consumers=1 stages=2 split=1 raster=1 cluster=2 stream=0",
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

static const struct planted planted_kernels[] = {
    /* Products of many rows. */
    {"barrier of a stage missing", PARTS_FILE,
     "copy_async_wait<stages - 2>();\n        __syncthreads();", "copy_async_wait<stages - 2>();",
     CAUGHT_UNWRITTEN, &tile_run},
    {"wait for one copy too few", PARTS_FILE, "copy_async_wait<stages - 2>",
     "copy_async_wait<stages - 1>", CAUGHT_UNWAITED, &tile_run},
    {"stage filled that is used next", PARTS_FILE, "int filled = stages - 1, used = 0;",
     "int filled = 0, used = 0;", CAUGHT_UNWAITED, &tile_run},
    {"rows behind the last stored", SUMS_FILE, "if (row >= step->rows) continue;", "",
     CAUGHT_BOUNDS, &tile_run},
    {"outputs behind the last stored", SUMS_FILE, "if (output >= place.end_output) continue;", "",
     CAUGHT_BOUNDS, &tile_run},
    {"fragments of weights swapped", TILE_FILE,
     "multiply_add_f16(to, left[r], right[2 * i], right[2 * i + 1])",
     "multiply_add_f16(to, left[r], right[2 * i + 1], right[2 * i])", CAUGHT_RESULT, &tile_run},
    {"quarters of the left fragment swapped", "codegen/cuda/matrix.cuh",
     "load_matrix_x4(tile + tile_offset<row_chunks>(row + lane % 16, chunk + lane / 16), words)",
     "load_matrix_x4(tile + tile_offset<row_chunks>(row + lane % 8 + lane / 16 * 8, chunk + lane / "
     "8 % 2), words)",
     CAUGHT_RESULT, &tile_run},
    {"weights stored without the turn they are read with", "ops/linear/linear_tile_weights.cuh",
     "copy_async_16(tile + tile_offset<row_chunks>(row, piece)",
     "copy_async_16(tile + (row * row_chunks + piece) * 16", CAUGHT_RESULT, &tile_run},
    {"power of two of a row not multiplied back", "ops/linear/linear_tile_kernels.cuh",
     "brain ? nullptr : scales", "nullptr", CAUGHT_RESULT, &tile_run},
    {"maximum of a row read before it is written", "ops/linear/linear_round.cuh",
     "parts[warp_index()] = largest;\n    __syncthreads();", "parts[warp_index()] = largest;",
     CAUGHT_UNWRITTEN, &tile_run},
    {"bias left out", OUTPUTS_FILE,
     "if constexpr (bias_present) linear_add(o.bias + output, finished);", "", CAUGHT_RESULT,
     &tile_run},
    {"residual added twice", OUTPUTS_FILE, "linear_add(o.residual + at, finished);",
     "linear_add(o.residual + at, finished), linear_add(o.residual + at, finished);", CAUGHT_RESULT,
     &tile_run},
    {"last part of the columns not added", SUMS_FILE, "for (int part = 0; part < split; part++)",
     "for (int part = 0; part < split - 1; part++)", CAUGHT_RESULT, &split_run},
    {"sums of a part stored over another's", SUMS_FILE, "((long long)part * step->rows + row)",
     "((long long)row)", CAUGHT_RESULT, &split_run},
    {"sums of a block in the middle of a tile left out", STREAM_FILE, "block = first_block + 1;",
     "block = first_block + 2;", CAUGHT_RESULT, &stream_run},
    {"sums of two tiles stored over each other", STREAM_FILE, "((long long)block * 2 + begins)",
     "(long long)block", CAUGHT_RESULT, &stream_run},
    {"barrier between the tiles of a block missing", PARTS_FILE,
     "if constexpr (stream > 0) __syncthreads();", "", CAUGHT_RACE, &stream_run},
    {"halves of a block of nibbles swapped", "ops/linear/linear_tile_weights.cuh",
     "unpack_chunk<8>(words[0] & low, words[1] & low, scale)",
     "unpack_chunk<8>(words[0] >> 4 & low, words[1] >> 4 & low, scale)", CAUGHT_RESULT,
     &nibbles_run},
    {"pieces of the first block for all", "ops/linear/linear_tile_weights.cuh",
     "(held.inside ? block : 0)", "0", CAUGHT_RESULT, &super_run},
    {"scale of the neighbouring row", "ops/linear/linear_tile_bytes_cuda.cu",
     "(chunk / 2 * weight_tile_rows + row) * 4", "(chunk / 2 * weight_tile_rows + (row ^ 1)) * 4",
     CAUGHT_RESULT, &bytes_run},
    {"activation left out", OUTPUTS_FILE, "activate<activation>(sums[0][i]) * sums[1][i]",
     "sums[0][i] * sums[1][i]", CAUGHT_RESULT, &bytes_run},
    {"last group of rows taken as whole", SUMS_FILE, "within % group_tiles, within / group_tiles",
     "within % raster, within / raster", CAUGHT_RESULT, &raster_run},
    /* Products of warpgroups. */
    {"stage read before it is full", GROUP_FILE,
     "transaction_wait(full_barrier(memory, turn.stage), turn.parity);",
     "transaction_wait(full_barrier(memory, turn.stage), turn.parity ^ 1);", CAUGHT_UNWRITTEN,
     &warpgroup_run},
    {"stage filled before it is empty", GROUP_FILE,
     "transaction_wait(empty_barrier(memory, turn.stage), turn.parity ^ 1);", "", CAUGHT_ARRIVALS,
     &warpgroup_run},
    {"parity of the first round kept", GROUP_FILE, "parity ^= 1;", "", CAUGHT_ARRIVALS,
     &warpgroup_run},
    {"stage left while products read it", GROUP_FILE,
     "warpgroup_wait<1>();\n        if (k > 0) release_stage(memory, before);",
     "release_stage(memory, turn.stage);\n        warpgroup_wait<1>();", CAUGHT_RACE,
     &warpgroup_run},
    {"stage empty when one warp has left it", GROUP_FILE, "consumer_warps * cluster);", "cluster);",
     CAUGHT_HANG, &warpgroup_run},
    {"fence before products missing", GROUP_FILE, "warpgroup_begin();", "", CAUGHT_FENCE,
     &warpgroup_run},
    {"products not made a group", GROUP_FILE, "warpgroup_commit();", "", CAUGHT_RESULT,
     &warpgroup_run},
    {"last products not waited for", GROUP_FILE, "    warpgroup_wait<0>();\n", "", CAUGHT_RESULT,
     &warpgroup_run},
    {"products read as if swizzled by 64 bytes", "codegen/cuda/warpgroup.cuh", "1ull << 62",
     "2ull << 62", CAUGHT_RESULT, &warpgroup_run},
    {"rows of eight taken as nearer than they are", "codegen/cuda/warpgroup.cuh",
     "(swizzle_pattern_bytes / 16) << 32", "(swizzle_pattern_bytes / 32) << 32", CAUGHT_RESULT,
     &warpgroup_run},
    {"more bytes expected than come", GROUP_FILE,
     "transaction_arrive_expecting(full, stage_bytes);",
     "transaction_arrive_expecting(full, stage_bytes + 16);", CAUGHT_HANG, &warpgroup_run},
    {"last stage of a tile never left", GROUP_FILE,
     "if constexpr (stream > 0) release_stage(memory, before);", "", CAUGHT_HANG, &pieces_run},
    {"products of the piece before not waited for", GROUP_FILE,
     "    warpgroup_wait<0>();\n    if", "    if", CAUGHT_RACE, &pieces_run},
    {"weights fetched for the own block alone", GROUP_FILE, "(1u << cluster) - 1", "1u << rank",
     CAUGHT_HANG, &cluster_run},
    {"weights of up in the place of gate's", GROUP_FILE, "(t * tile_outputs + row) * swizzle_bytes",
     "((1 - t) * tile_outputs + row) * swizzle_bytes", CAUGHT_RESULT, &cluster_run},
    {"stage left for the own block alone", GROUP_FILE,
     "transaction_arrive_at(empty_barrier(memory, stage), lane)",
     "transaction_arrive_at(empty_barrier(memory, stage), cluster_rank())", CAUGHT_UNWAITED,
     &cluster_run},
    /* Products of few rows. */
    {"scale of another block", "ops/linear/byte_pieces.cuh",
     "(first + pieces::place(within, s, 0)) / (scale_elements / 4)",
     "(first / 2 + pieces::place(within, s, 0)) / (scale_elements / 4)", CAUGHT_RESULT,
     &dot_bytes_run},
    {"offset of nibbles not taken away", "ops/linear/byte_pieces.cuh",
     "pieces::minima ? 1 : -pieces::offset", "pieces::minima ? 1 : 0", CAUGHT_RESULT,
     &dot_bytes_run},
    {"minimum of the neighbouring group", "codegen/cuda/block_pieces.cuh",
     "minimum_unit * (float)(minima >> 8 * s & 255u)", "minimum_unit * (float)(minima & 255u)",
     CAUGHT_RESULT, &dot_super_run},
    {"warps' parts added before they are there", "ops/linear/linear_dot.cuh",
     "parts[warp_index()][t][lane] = mine[t];\n        __syncthreads();",
     "parts[warp_index()][t][lane] = mine[t];", CAUGHT_UNWRITTEN, &dot_run},
    {"sum over lanes by one of them", "ops/linear/linear_dot.cuh",
     "const float sum = warp_sum<warp_lanes>(sums.values[t][i][r]);\n"
     "                if (lane == i * rows_together + r) mine[t] = sum;",
     "if (lane == i * rows_together + r) mine[t] = warp_sum<warp_lanes>(sums.values[t][i][r]);",
     CAUGHT_HANG, &dot_run},
    /* Attention. */
    {"tokens behind a row's own seen", FLASH_FILE, "if (token < first || token > last)",
     "if (token < first)", CAUGHT_RESULT, &flash_run},
    {"window one token too wide", TOKENS_FILE, "position - window + 1", "position - window",
     CAUGHT_RESULT, &flash_run},
    {"values not shrunk to the new maximum", FLASH_FILE,
     "sums.values[fragment][n][2 * half + i] *= shrink;", ";", CAUGHT_RESULT, &flash_run},
    {"wait for one tile of tokens too few", FLASH_FILE, "(ahead > 0 ? ahead - 1 : 0)", "ahead",
     CAUGHT_UNWAITED, &flash_run},
    {"barrier of a tile of tokens missing", FLASH_FILE, "__syncthreads_or(missing[s])",
     "missing[s]", CAUGHT_UNWRITTEN, &flash_run},
    {"head of the neighbouring group", FLASH_FILE,
     "(long long)row * heads + kv_head * group + slot % group",
     "(long long)row * heads + kv_head * (group - 1) + slot % group", CAUGHT_RESULT, &flash_run},
    {"page of the first sequence", "codegen/cuda/paging.cuh",
     "pages[(long long)sequence * step->stride + column]", "pages[column]", CAUGHT_RESULT,
     &decode_run},
    {"window one token too narrow", DECODE_FILE, "position - window + 1", "position - window + 2",
     CAUGHT_RESULT, &decode_run},
    {"warps' weights not shrunk to the common maximum", DECODE_FILE,
     "weight += records[w][h][1] * shrink;", "weight += records[w][h][1];", CAUGHT_RESULT,
     &decode_run},
    {"last part of the context not merged", DECODE_FILE, "for (int p = 0; p < parts; p++) value +=",
     "for (int p = 0; p < parts - 1; p++) value +=", CAUGHT_RESULT, &decode_run},
    /* What lies between. */
    {"epsilon left out", "ops/rmsnorm/rmsnorm_cuda.cu", "total / columns + epsilon",
     "total / columns", CAUGHT_RESULT, &norm_run},
    {"columns behind the last summed", "ops/rmsnorm/rmsnorm_cuda.cu",
     "if (active && column < columns) load_terms(x, y, sum, base + column, kept[i]);",
     "if (active) load_terms(x, y, sum, base + column, kept[i]);", CAUGHT_RESULT, &norm_run},
    {"vectors that begin between their places", "ops/rmsnorm/rmsnorm_cuda.cu",
     "threadIdx.x % threads_per_row * vector", "threadIdx.x % threads_per_row * vector + 1",
     CAUGHT_ALIGNMENT, &norm_run},
    {"blocks behind the last row go on", "ops/rope/rope_cuda.cu", "if (row >= step->rows) return;",
     "", CAUGHT_BOUNDS, &rope_run},
    {"pairs of the other pairing", "ops/rope/rotation.cuh",
     "first + (pairing == pairing_halves ? pair : 2 * pair)",
     "first + (pairing != pairing_halves ? pair : 2 * pair)", CAUGHT_RESULT, &rope_run},
    {"sines read before they are written", "ops/rope/rope_cuda.cu", "__syncthreads();", "",
     CAUGHT_RACE, &rope_run},
    /* Experts. */
    {"bound of an expert's slots ignored", "ops/grouped_linear/grouped_dot.cuh",
     "minimum(place.end_slot, o.offsets[before])", "place.end_slot", CAUGHT_RESULT, &gather_run},
    {"tiles counted by slots alone", "ops/grouped_linear/grouped_tile.cuh",
     "(tile - before - until + count) * tile_rows", "(tile - before) * tile_rows", CAUGHT_RESULT,
     &slots_run},
    {"slots without an expert multiplied", "ops/grouped_linear/grouped_tile.cuh",
     "const bool used = tile.expert < expert_count;", "const bool used = true;", CAUGHT_RESULT,
     &slots_run},
    {"parts of the run before overwritten", "ops/grouped_linear/grouped_dot.cuh",
     "__syncthreads(); // the parts of an earlier run have been added up", "", CAUGHT_RACE,
     &gather_run},
    {"ids that are no expert counted", "ops/dispatch/dispatch_cuda.cu",
     "id >= 0 && id < bins - 1 ? id : bins - 1", "id", CAUGHT_BOUNDS, &dispatch_run},
    {"bias of slots without an expert", "ops/grouped_bias/grouped_bias_cuda.cu",
     "if (expert < expert_count) load_floats", "load_floats", CAUGHT_RESULT, &bias_run},
    {"sort that is not stable", "ops/dispatch/dispatch_cuda.cu", "next[bin] + mine.before",
     "next[bin] + mine.count - 1 - mine.before", CAUGHT_RESULT, &dispatch_run},
    {"counts used while they are set to zero", "ops/dispatch/dispatch_cuda.cu",
     "__syncthreads();\n    count_share", "count_share", CAUGHT_RACE, &dispatch_run},
    {"weight of a slot left out", "ops/combine/combine_cuda.cu", "sums[v] += weight * values[v]",
     "sums[v] += values[v]", CAUGHT_RESULT, &combine_run},
    /* Numbers of 8 and 4 bits. */
    {"codes of weights taken from their scale on", WIDE_FILE, "+ 4 + lane_index() * 4;",
     "+ lane_index() * 4;", CAUGHT_RESULT, &wide_run},
    {"copies not handed to a group that is waited for", PARTS_FILE,
     "if (more) copies.begin(stage, (first + k + stages - 1) * tile_columns, held);\n        "
     "copy_async_commit();",
     "copy_async_commit();\n        if (more) copies.begin(stage, (first + k + stages - 1) * "
     "tile_columns, held);",
     CAUGHT_UNWAITED, &wide_run},
    {"whole sums begin with what the block before left", WIDE_FILE,
     "products[e] = __int_as_float(whole[e]) - whole_offset;",
     "products[e] = __int_as_float(whole[e]);", CAUGHT_RESULT, &bytes_128_run},
    {"nibbles of the block's neighbour", MXFP4_FILE, "0x1111u * (block + 1)", "0x1111u * block",
     CAUGHT_RESULT, &mxfp4_run},
    {"high nibbles where low ones belong", MXFP4_FILE, "words[1] << 2 & inner",
     "words[1] >> 2 & inner", CAUGHT_RESULT, &mxfp4_run},
    {"scales of one block for the four", MXFP4_FILE,
     "scales |= __shfl_xor_sync(all_lanes, scales, 2);", "", CAUGHT_RESULT, &mxfp4_run},
    /* The largest of a row. */
    {"equals in the order of the last", TOP_FILE, "<< 32 | ~(unsigned)column",
     "<< 32 | (unsigned)column", CAUGHT_RESULT, &top_run},
    {"sort without its barriers", TOP_FILE,
     "            __syncthreads();\n            for (int pair", "            for (int pair",
     CAUGHT_RACE, &top_run},
    {"threshold read while it is sorted", TOP_FILE,
     "            held = count;\n            __syncthreads();", "            held = count;",
     CAUGHT_RACE, &top_run},
    {"negative numbers upside down", TOP_FILE, "bits >> 31 ? ~bits : bits | 0x80000000u",
     "bits ^ 0x80000000u", CAUGHT_RESULT, &top_all_run},
    {"sum over lanes of which some have left", "ops/route/route_cuda.cu",
     "weight = finish_weight(weight);\n    if (lane >= used) return;",
     "if (lane >= used) return;\n    weight = finish_weight(weight);", CAUGHT_HANG, &route_run},
};

enum { PLANTED_KERNELS = sizeof planted_kernels / sizeof *planted_kernels };

#endif

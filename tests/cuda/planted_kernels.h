/* Mistakes that are planted in kernels, one at a time, and what must notice each (test_planted_kernels.c).
 *
 * A row names a file of a variant's sources (its .cu, a header beside it or of codegen/cuda), a fragment that occurs in it
 * exactly once, and what is put in its place; then a run that shows it: variant, problem, sizes of the step, tunables that
 * differ from the default config, card.  Rows with the same run stand together: the kernel as it is runs once for them. */
#ifndef TESTS_CUDA_PLANTED_KERNELS_H
#define TESTS_CUDA_PLANTED_KERNELS_H

#include "tests/cuda/planted_runs.h"

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
#define NVF4_FILE    "ops/linear/linear_tile_nvf4_cuda.cu"
#define TOP_FILE     "ops/top/top_cuda.cu"
#define DECODE_FILE  "ops/attention/attention_decode_cuda.cu"
#define TOKENS_FILE  "ops/attention/attention_tile_tokens.cuh"
#define FLASH_FILE   "ops/attention/attention_tile.cuh"

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
    {"pieces of the first block for all", "ops/linear/linear_tile_pieces.cuh",
     "(held.inside ? block : 0)", "0", CAUGHT_RESULT, &super_run},
    {"scale of the neighbouring row", "ops/linear/linear_tile_bytes_cuda.cu",
     "(word / 8 * weight_tile_rows + row) * 4", "(word / 8 * weight_tile_rows + (row ^ 1)) * 4",
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
    {"products of the piece before not waited for", GROUP_FILE, "    warpgroup_wait<0>();\n    if",
     "    if", CAUGHT_RACE, &pieces_run},
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
    {"scale of a table left out", "ops/embed/embed_cuda.cu", "values[i] *= scale;", ";",
     CAUGHT_RESULT, &embed_run},
    {"shift of up left out", "ops/gate/gate_cuda.cu", "up += shift;", "", CAUGHT_RESULT, &gate_run},
    {"row of a page one too far", "codegen/cuda/paging.cuh", "position % page_tokens",
     "(position + 1) % page_tokens", CAUGHT_RESULT, &append_run},
    {"rows behind the last gated", "codegen/cuda/rows.cuh",
     "if (row >= step->rows * per_row) return;", "", CAUGHT_BOUNDS, &gate_run},
    {"first of a pair stored twice", "ops/rope_append/rope_append_cuda.cu",
     "pair_second(pair), turned.y);", "pair_second(pair), turned.x);", CAUGHT_RESULT,
     &rope_append_run},
    {"sines of keys read before they are written", "ops/rope_append/rope_append_cuda.cu",
     "__syncthreads();\n    const int first_head", "const int first_head", CAUGHT_RACE,
     &rope_append_run},
    {"keys rounded before they are turned", "ops/rope_append/rope_append_cuda.cu",
     "__syncthreads();\n        store_blocks", "store_blocks", CAUGHT_UNWRITTEN,
     &rope_append_block_run},
    /* Experts. */
    {"bound of an expert's slots ignored", "ops/grouped_linear/grouped_dot.cuh",
     "minimum(place.end_slot, o.offsets[before])", "place.end_slot", CAUGHT_RESULT, &gather_run},
    {"tiles counted by slots alone", "ops/grouped_linear/grouped_tile.cuh",
     "(tile - before - until + count) * tile_rows", "(tile - before) * tile_rows", CAUGHT_RESULT,
     &slots_run},
    {"slots without an expert multiplied", "ops/grouped_linear/grouped_tile.cuh",
     "const bool used = tile.expert >= 0 && tile.expert < expert_count;", "const bool used = true;",
     CAUGHT_RESULT, &slots_run},
    {"parts of the run before overwritten", "ops/grouped_linear/grouped_dot.cuh",
     "__syncthreads(); // the parts of an earlier run have been added up", "", CAUGHT_RACE,
     &gather_run},
    {"ids that are no expert counted", "ops/dispatch/dispatch_cuda.cu",
     "id >= 0 && id < bins - 1 ? id : bins - 1", "id", CAUGHT_BOUNDS, &dispatch_run},
    {"bias of slots without an expert", "ops/grouped_bias/grouped_bias_cuda.cu",
     "if (slot >= offsets[0] && expert < expert_count) load_floats", "load_floats", CAUGHT_RESULT,
     &bias_run},
    {"all slots of a run read the first one's row", "ops/grouped_linear/grouped_dot_bytes_cuda.cu",
     "load_inputs(x, rows[r], piece)", "load_inputs(x, rows[0], piece)", CAUGHT_RESULT,
     &gather_bytes_run},
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
    {"pairs that widened numbers do not meet", "ops/linear/linear_quantize_narrow.cuh",
     "group.at() / 4 * 8 + group.at() % 4;", "group.at() / 4 * 8 + (group.at() + 1) % 4;",
     CAUGHT_RESULT, &widened_run},
    {"power of two of widened numbers forgotten", "ops/linear/linear_tile_f8_f16_cuda.cu",
     "weight_type == narrow::e4m3 ? 8 : 0", "0", CAUGHT_RESULT, &widened_run},
    {"whole sums begin with what the block before left", WIDE_FILE,
     "products[e] = __int_as_float(whole[e]) - whole_offset;",
     "products[e] = __int_as_float(whole[e]);", CAUGHT_RESULT, &bytes_128_run},
    {"nibbles of the block's neighbour", MXFP4_FILE, "0x1111u * (block + 1)", "0x1111u * block",
     CAUGHT_RESULT, &mxfp4_run},
    {"high nibbles where low ones belong", MXFP4_FILE, "words[1] << 2 & inner",
     "words[1] >> 2 & inner", CAUGHT_RESULT, &mxfp4_run},
    {"scales of one block for the four", MXFP4_FILE,
     "scales |= __shfl_xor_sync(all_lanes, scales, 2);", "", CAUGHT_RESULT, &mxfp4_run},
    {"numbers of the neighbouring 16", NVF4_FILE,
     "make_uint4(low_halves(words[0], words[2]), low_halves(words[1], words[3])",
     "make_uint4(high_halves(words[0], words[2]), low_halves(words[1], words[3])", CAUGHT_RESULT,
     &nvf4_run},
    {"scales of the other 64 columns", NVF4_FILE, "((1 + p) * weight_tile_rows",
     "((2 - p) * weight_tile_rows", CAUGHT_RESULT, &nvf4_run},
    {"scale of 128 weights left out", NVF4_FILE,
     "(row_scales[2 * r + e / 2] * (e % 2 ? scales.y : scales.x))", "row_scales[2 * r + e / 2]",
     CAUGHT_RESULT, &nvf4_run},
    {"scale of the neighbouring 16", "ops/linear/linear_quantize_narrow.cuh",
     "head[4 + group.at() / 4 % 8]", "head[4 + (group.at() / 4 ^ 1) % 8]", CAUGHT_RESULT,
     &nvf4_run},
    {"eight neighbours of 16 that weights do not meet", "ops/linear/linear_quantize_narrow.cuh",
     "__shfl_down_sync(all_lanes, word, 2)", "__shfl_down_sync(all_lanes, word, 1)", CAUGHT_RESULT,
     &nvf4_run},
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

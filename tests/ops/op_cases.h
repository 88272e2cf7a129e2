/* Problems on which every implementation of an operator is checked (op_harness.h): odd and even
 * sizes, every element type, ragged batches. */
#ifndef TESTS_OPS_OP_CASES_H
#define TESTS_OPS_OP_CASES_H

#include "tests/ops/op_harness.h"

/* Rows are given by the test, most often op_case_rows. */
struct op_case {
    const char *text; /* NULL ends a table */
    int64_t context, sequences;
    int64_t rows_most; /* larger row counts are left out: they would only be slow; 0: none are */
};

static const int64_t op_case_rows[] = {1, 3, 17, 255, 0};

static const struct op_case dense_cases[] = {
    {"embed(i32[tokens], f32[7,5])", 0, 0, 0},
    {"embed(i32[tokens], f16[100,96]) {scale=9.79795897}", 0, 0, 0},
    {"embed(i32[tokens], bf16[1000,64])", 0, 0, 0},
    {"embed(i32[tokens], q8_0[300,256])", 0, 0, 0},
    {"embed(i32[tokens], q4_0[33,1024]) {scale=0.5}", 0, 0, 0},
    {"linear(f32[tokens,1], f32[1,1])", 0, 0, 0},
    {"linear(f32[tokens,5], f32[3,5], f32[3])", 0, 0, 0},
    {"linear(f32[tokens,63], f32[65,63], _, f32[tokens,65])", 0, 0, 0},
    {"linear(f32[tokens,300], f16[70,300], f32[70], f32[tokens,70])", 0, 0, 0},
    {"linear(f32[tokens,257], bf16[129,257])", 0, 0, 0},
    {"linear(f32[tokens,32], q8_0[1,32])", 0, 0, 0},
    {"linear(f32[tokens,800], q8_0[100,800], f32[100])", 0, 0, 0},
    {"linear(f32[tokens,544], q4_0[96,544], _, f32[tokens,96])", 0, 0, 0},
    {"linear(f32[tokens,2048], q8_0[160,2048])", 0, 0, 17},
    {"linear(f32[outputs,256], q4_0[1024,256])", 0, 0, 17},
    {"linear_group(f32[tokens,64], q8_0[64,64], q8_0[32,64], q8_0[32,64])", 0, 0, 0},
    {"linear_group(f32[tokens,96], f32[40,96], q4_0[24,96], bf16[200,96], f32[40], f32[24], "
     "f32[200])",
     0, 0, 0},
    {"linear_group(f32[tokens,33], f16[5,33], f32[7,33], _, _, f32[7])", 0, 0, 0},
    {"linear_gated(f32[tokens,64], q8_0[160,64], q8_0[160,64])", 0, 0, 0},
    {"linear_gated(f32[tokens,96], q4_0[70,96], f16[70,96]) {activation=gelu_tanh}", 0, 0, 0},
    {"linear_gated(f32[tokens,17], f32[3,17], bf16[3,17]) {activation=gelu}", 0, 0, 0},
    {"rmsnorm(f32[tokens,1], f32[1])", 0, 0, 0},
    {"rmsnorm(f32[tokens,63], f32[63]) {epsilon=1e-06}", 0, 0, 0},
    {"rmsnorm(f32[tokens,2048], f32[2048]) {epsilon=1e-05 offset=1}", 0, 0, 0},
    {"rmsnorm(f32[tokens,96], f32[32]) {epsilon=1e-06}", 0, 0, 0},
    {"rmsnorm(f32[tokens,105], f32[7]) {epsilon=1e-05 offset=1}", 0, 0, 0},
    {"add_rmsnorm(f32[tokens,31], f32[tokens,31], f32[31])", 0, 0, 0},
    {"add_rmsnorm(f32[tokens,1024], f32[tokens,1024], f32[1024]) {epsilon=1e-06 offset=1}", 0, 0,
     0},
    {"add(f32[tokens,1], f32[tokens,1])", 0, 0, 0},
    {"add(f32[tokens,515], f32[tokens,515])", 0, 0, 0},
    {"gate(f32[tokens,3], f32[tokens,3])", 0, 0, 0},
    {"gate(f32[tokens,256], f32[tokens,256]) {activation=gelu}", 0, 0, 0},
    {"gate(f32[2*tokens,77], f32[2*tokens,77]) {activation=gelu_tanh}", 0, 0, 0},
    {"select(i32[outputs], f32[tokens,65])", 0, 0, 0},
    {"hadamard(f32[tokens,6]) {size=2}", 0, 0, 0},
    {"hadamard(f32[tokens,88]) {size=8}", 0, 0, 0},
    {"hadamard(f32[tokens,192]) {size=64}", 0, 0, 0},
    {"hadamard(f32[2*tokens,1024]) {size=1024}", 0, 0, 17},
    {NULL, 0, 0, 0},
};

/* What only some architectures need. */
static const struct op_case dense_rare_cases[] = {
    {"gate(f32[tokens,1], f32[tokens,65]) {activation=sigmoid}", 0, 0, 0},
    {"gate(f32[tokens,33], f32[tokens,33]) {activation=sigmoid}", 0, 0, 0},
    {"gate(f32[tokens,40], f32[tokens,40]) {limit=0.5 slope=1.702 shift=1}", 0, 0, 0},
    {"gate(f32[3*tokens,17], f32[3*tokens,17]) {activation=gelu limit=0.25}", 0, 0, 0},
    {"softcap(f32[tokens,77]) {limit=0.5}", 0, 0, 0},
    {"softcap(f32[outputs,256]) {limit=30}", 0, 0, 0},
    {"part(f32[tokens,60]) {heads=5 first=3 size=7}", 0, 0, 0},
    {"part(f32[tokens,64]) {heads=1 size=64}", 0, 0, 0},
    {"join(f32[tokens,24], f32[tokens,6]) {heads=3}", 0, 0, 0},
    {"join(f32[tokens,24], f32[tokens,5]) {heads=4 shared=1}", 0, 0, 0},
    {"head_linear(f32[tokens,96], q8_0[3,5,32])", 0, 0, 0},
    {"head_linear(f32[tokens,35], bf16[5,9,7])", 0, 0, 0},
    {"head_linear(f32[tokens,33], f32[4,6,33]) {shared=1}", 0, 0, 0},
    {NULL, 0, 0, 0},
};

/* Every block type, where rows are few: two blocks, and one. */
static const struct op_case block_cases[] = {
#define BLOCKS(type, columns)                                                                      \
    {"embed(i32[tokens], " type "[9," columns "])", 0, 0, 3},                                      \
    {                                                                                              \
        "linear(f32[tokens," columns "], " type "[9," columns "])", 0, 0, 17                       \
    }
    BLOCKS("q4_1", "96"),
    BLOCKS("q5_0", "288"),
    BLOCKS("q5_1", "32"),
    BLOCKS("iq4_nl", "160"),
    BLOCKS("mxfp4", "96"),
    BLOCKS("q2_K", "512"),
    BLOCKS("q3_K", "256"),
    BLOCKS("q4_K", "512"),
    BLOCKS("q5_K", "256"),
    BLOCKS("q6_K", "512"),
    BLOCKS("iq4_xs", "256"),
    BLOCKS("f8_e4m3_128", "256"),
    BLOCKS("f8_e5m2_128", "128"),
    BLOCKS("i8_128", "256"),
    BLOCKS("i4_128", "128"),
    BLOCKS("i4_32", "96"),
    BLOCKS("nvfp4_128", "256"),
    BLOCKS("f8_e4m3", "37"),
    BLOCKS("f8_e5m2", "40"),
#undef BLOCKS
    {"linear(f32[tokens,256], mxfp4[40,256])", 0, 0, 17},
    {"linear_group(f32[tokens,256], q4_K[5,256], q4_K[3,256], q4_K[6,256], f32[5], _, f32[6])", 0,
     0, 17},
    {"linear_gated(f32[tokens,512], q6_K[40,512], q6_K[40,512])", 0, 0, 17},
    {"linear(f32[tokens,768], q5_K[70,768], f32[70], f32[tokens,70])", 0, 0, 17},
    {"linear_gated(f32[tokens,288], q5_1[70,288], q5_1[70,288])", 0, 0, 17},
    {"linear_gated(f32[tokens,384], nvfp4_128[70,384], nvfp4_128[70,384])", 0, 0, 17},
    {"grouped_gated(f32[tokens,128], i32[2*tokens], i32[5], nvfp4_128[4,33,128], "
     "nvfp4_128[4,33,128])",
     0, 0, 17},
    {"head_linear(f32[tokens,96], mxfp4[3,5,32])", 0, 0, 3},
    {"grouped_linear(f32[tokens,256], i32[2*tokens], i32[5], q4_K[4,6,256])", 0, 0, 17},
    {"grouped_gated(f32[tokens,64], i32[2*tokens], i32[5], mxfp4[4,33,64], mxfp4[4,33,64])", 0, 0,
     17},
    {NULL, 0, 0, 0},
};

static const struct op_case attention_cases[] = {
#define HEADS(size) "heads=6 kv_heads=2 head_size=" #size
    {"attention(f32[tokens,384], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f16[pages,16,128], f16[pages,16,128]) {" HEADS(64) "}",
     40, 1, 17},
    {"attention(f32[tokens,480], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f16[pages,32,160], f16[pages,32,160]) {" HEADS(80) "}",
     300, 3, 255},
    {"attention(f32[tokens,576], i32[tokens], i32[tokens], i32[sequences,stride], "
     "bf16[pages,8,192], bf16[pages,8,192]) {" HEADS(96) " window=5}",
     77, 4, 17},
    {"attention(f32[tokens,768], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f32[pages,16,256], f32[pages,16,256]) {" HEADS(128) " softcap=50}",
     33, 2, 17},
    {"attention(f32[tokens,1536], i32[tokens], i32[tokens], i32[sequences,stride], "
     "q8_0[pages,4,512], q8_0[pages,4,512]) {" HEADS(256) " softcap=3 window=64 scale=0.1}",
     130, 2, 17},
    {"attention(f32[tokens,192], i32[tokens], i32[tokens], i32[sequences,stride], "
     "q4_0[pages,8,64], q8_0[pages,8,192]) {heads=6 kv_heads=2 head_size=32 value_size=96}",
     70, 3, 17},
    {"attention(f32[tokens,384], i32[tokens], i32[tokens], i32[sequences,stride], "
     "q4_0[pages,16,128], q4_0[pages,16,128]) {" HEADS(64) " window=40}",
     90, 2, 17},
#undef HEADS
    {"attention(f32[tokens,96], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f16[pages,1,96], f16[pages,1,24]) {heads=3 kv_heads=3 head_size=32 value_size=8}",
     20, 5, 17},
    {"attention(f32[tokens,56], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f32[pages,7,8], f32[pages,7,8]) {heads=7 kv_heads=1 head_size=8 window=1}",
     50, 2, 255},
    {"attention(f32[tokens,960], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f16[pages,32,320], f16[pages,32,320]) {heads=15 kv_heads=5 head_size=64}",
     260, 1, 255},
    {NULL, 0, 0, 0},
};

/* Sinks, and values that lie within the keys. */
static const struct op_case attention_rare_cases[] = {
    {"attention(f32[tokens,192], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f16[pages,16,64], f16[pages,16,64], f32[6]) {heads=6 kv_heads=2 head_size=32 window=9}",
     60, 2, 17},
    {"attention(f32[tokens,51], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f32[pages,4,17], f32[pages,4,17], f32[3]) {heads=3 kv_heads=1 head_size=17 scale=0.3}",
     20, 1, 17},
    {"attention(f32[tokens,96], i32[tokens], i32[tokens], i32[sequences,stride], "
     "bf16[pages,8,24], bf16[pages,8,24]) "
     "{heads=4 kv_heads=1 head_size=24 value_size=16 values_in_keys=1}",
     50, 3, 17},
    {"attention(f32[tokens,96], i32[tokens], i32[tokens], i32[sequences,stride], "
     "f32[pages,8,48], f32[pages,8,48]) "
     "{heads=4 kv_heads=2 head_size=24 value_size=5 values_in_keys=1}",
     50, 2, 17},
    {"attention(f32[tokens,384], i32[tokens], i32[tokens], i32[sequences,stride], "
     "q8_0[pages,8,96], q8_0[pages,8,96], f32[4]) "
     "{heads=4 kv_heads=1 head_size=96 value_size=64 values_in_keys=1}",
     100, 2, 17},
    {NULL, 0, 0, 0},
};

/* rope, append and both together. */
static const struct op_case position_cases[] = {
    {"rope(f32[tokens,6], i32[tokens]) {heads=3 head_size=2 pairing=interleaved}", 0, 0, 0},
    {"rope(f32[tokens,192], i32[tokens]) {heads=3 head_size=64 pairing=halves}", 0, 0, 0},
    {"rope(f32[tokens,80], i32[tokens]) {heads=1 head_size=80 rotated=32 pairing=halves "
     "base=1000000}",
     0, 0, 0},
    {"rope(f32[tokens,192], i32[tokens]) {heads=2 head_size=96 rotated=48 pairing=interleaved "
     "scaling=linear factor=8}",
     0, 0, 0},
    {"rope(f32[tokens,640], i32[tokens]) {heads=5 head_size=128 pairing=interleaved "
     "base=500000 scaling=llama3 factor=8 low_factor=1 high_factor=4 original_context=8192}",
     0, 0, 0},
    {"rope(f32[tokens,256], i32[tokens]) {heads=1 head_size=256 pairing=halves scaling=yarn "
     "factor=40 original_context=4096}",
     0, 0, 0},
    {"rope(f32[tokens,128], i32[tokens]) {heads=2 head_size=64 pairing=halves base=150000 "
     "scaling=yarn factor=32 original_context=4096 attention_factor=1.25 truncate=0}",
     0, 0, 0},
    {"rope(f32[tokens,64], i32[tokens], f32[16]) {heads=1 head_size=64 rotated=32 "
     "pairing=interleaved}",
     0, 0, 0},
    {"rope(f32[tokens,40], i32[tokens], f32[4]) {heads=2 head_size=20 first=12 rotated=8 "
     "pairing=interleaved}",
     0, 0, 0},
    {"rope(f32[tokens,63], i32[tokens]) {heads=3 head_size=21 first=5 rotated=6 pairing=halves "
     "scaling=yarn factor=4 original_context=128}",
     0, 0, 0},
    {"rope(f32[tokens,96], i32[tokens], f32[8]) {heads=3 head_size=32 rotated=16 pairing=halves "
     "scaling=long factor=32 original_context=4096}",
     0, 0, 0},
    {"append(f32[tokens,5], i32[tokens], i32[tokens], i32[sequences,stride], f32[pages,3,5])", 300,
     2, 255},
    {"append(f32[tokens,160], i32[tokens], i32[tokens], i32[sequences,stride], f16[pages,16,160])",
     400, 3, 255},
    {"append(f32[tokens,96], i32[tokens], i32[tokens], i32[sequences,stride], q8_0[pages,32,96])",
     256, 1, 255},
    {"append(f32[tokens,64], i32[tokens], i32[tokens], i32[sequences,stride], q4_0[pages,5,64])",
     64, 4, 17},
    {"rope_append(f32[tokens,192], f32[tokens,64], f32[tokens,64], i32[tokens], i32[tokens], "
     "i32[sequences,stride], _, f16[pages,16,64], f16[pages,16,64]) "
     "{heads=3 kv_heads=1 head_size=64 pairing=interleaved}",
     300, 2, 255},
    {"rope_append(f32[tokens,480], f32[tokens,160], f32[tokens,30], i32[tokens], i32[tokens], "
     "i32[sequences,stride], f32[20], f32[pages,8,160], bf16[pages,8,30]) "
     "{heads=6 kv_heads=2 head_size=80 rotated=40 pairing=halves scaling=yarn factor=4}",
     90, 3, 17},
    {"rope_append(f32[tokens,96], f32[tokens,48], f32[tokens,10], i32[tokens], i32[tokens], "
     "i32[sequences,stride], _, f16[pages,8,48], f32[pages,8,10]) "
     "{heads=4 kv_heads=2 head_size=24 first=16 rotated=8 pairing=interleaved}",
     90, 3, 17},
    {"rope_append(f32[tokens,128], f32[tokens,128], f32[tokens,128], i32[tokens], i32[tokens], "
     "i32[sequences,stride], _, q8_0[pages,4,128], q8_0[pages,4,128]) "
     "{heads=4 kv_heads=4 head_size=32 pairing=halves}",
     64, 2, 17},
    {"rope_append(f32[tokens,128], f32[tokens,64], f32[tokens,96], i32[tokens], i32[tokens], "
     "i32[sequences,stride], _, q4_0[pages,8,64], q4_0[pages,8,96]) "
     "{heads=2 kv_heads=1 head_size=64 rotated=48 pairing=interleaved}",
     64, 2, 17},
    {NULL, 0, 0, 0},
};

static const struct op_case expert_cases[] = {
    {"route(f32[tokens,8]) {used=2 post=renormalise}", 0, 0, 0},
    {"route(f32[tokens,64]) {used=8}", 0, 0, 0},
    {"route(f32[tokens,128]) {used=8 post=renormalise}", 0, 0, 0},
    {"route(f32[tokens,160]) {used=6 groups=8 groups_used=3 scale=16}", 0, 0, 17},
    {"route(f32[tokens,256], f32[256]) {used=8 score=sigmoid groups=8 groups_used=4 "
     "group_score=top2sum post=renormalise epsilon=1e-20 scale=2.5}",
     0, 0, 17},
    {"route(f32[tokens,32]) {used=4 score=none weight_from=logit post=softmax}", 0, 0, 0},
    {"route(f32[tokens,16]) {used=1 score=sigmoid}", 0, 0, 0},
    {"route(f32[tokens,12], f32[12]) {used=3 score=sqrt_softplus groups=4 groups_used=2 "
     "group_fill=lowest post=renormalise floor=0.5}",
     0, 0, 0},
    {"route(f32[tokens,64]) {used=3 post=renormalise floor=0.9}", 0, 0, 17},
    {"route(f32[tokens,1]) {used=1}", 0, 0, 0},
    {"dispatch(i32[tokens,2]) {experts=8}", 0, 0, 0},
    {"resolve(i32[tokens,2]) {experts=8 slots=3}", 0, 0, 0},
    {"resolve(i32[tokens,8]) {experts=128 slots=1}", 0, 0, 17},
    {"dispatch(i32[tokens,1]) {experts=1}", 0, 0, 0},
    {"dispatch(i32[tokens,8]) {experts=128}", 0, 0, 17},
    {"grouped_linear(f32[tokens,64], i32[2*tokens], i32[9], q8_0[8,96,64])", 0, 0, 0},
    {"grouped_linear(f32[2*tokens,96], i32[2*tokens], i32[9], q4_0[8,65,96])", 0, 0, 0},
    {"grouped_linear(f32[tokens,7], i32[tokens], i32[4], f32[3,5,7]) {rows=by_token}", 0, 0, 0},
    {"grouped_linear(f32[tokens,7], i32[tokens], i32[4], f16[3,5,7]) {rows=by_slot}", 0, 0, 0},
    {"grouped_linear(f32[tokens,33], i32[6*tokens], i32[65], bf16[64,17,33])", 0, 0, 17},
    {"grouped_gated(f32[tokens,64], i32[2*tokens], i32[9], q8_0[8,96,64], q8_0[8,96,64])", 0, 0, 0},
    {"grouped_gated(f32[tokens,33], i32[4*tokens], i32[17], bf16[16,70,33], f32[16,70,33]) "
     "{activation=gelu_tanh}",
     0, 0, 17},
    {"combine(f32[tokens,2], f32[2*tokens,64], i32[2*tokens])", 0, 0, 0},
    {"combine(f32[tokens,1], f32[tokens,3], i32[tokens])", 0, 0, 0},
    {"combine(f32[tokens,8], f32[8*tokens,129], i32[8*tokens])", 0, 0, 0},
    {"grouped_bias(f32[2*tokens,33], i32[9], f32[8,33])", 0, 0, 0},
    {"grouped_bias(f32[tokens,5], i32[2], f32[1,5])", 0, 0, 0},
    {"top(f32[outputs,1])", 0, 0, 0},
    {"top(f32[outputs,3001])", 0, 0, 0},
    {"top(f32[outputs,1024]) {count=40}", 0, 0, 0},
    {"top(f32[outputs,700]) {count=256}", 0, 0, 6},
    {"top(f32[outputs,5]) {count=5}", 0, 0, 0},
    {"transfer(f32[tokens,77])", 0, 0, 0},
    {"transfer(i32[3*tokens])", 0, 0, 0},
    {"transfer(q8_0[tokens,64])", 0, 0, 0},
    {NULL, 0, 0, 0},
};

#endif

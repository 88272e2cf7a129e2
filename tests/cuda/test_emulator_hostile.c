/* PTX that was cut or changed: the stand-in refuses it, or takes it, but does not fail itself. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

#include <stdlib.h>

static struct emulator emulator;

/* Something of every family. */
static const char source[] =
    "typedef unsigned u32; typedef unsigned long long u64;\n"
    "struct __align__(64) map { u64 opaque[16]; };\n"
    "__constant__ float table[5] = {1, 2, 3, 4, 5}; __device__ int counter = 3;\n"
    "__device__ __noinline__ float half(float x) { return x / 2; }\n"
    "extern \"C\" __global__ void __launch_bounds__(128) k(const u32 *in, u32 *out, const "
    "__grid_constant__ map m) {\n"
    " __shared__ __align__(128) u32 s[1024]; extern __shared__ u32 more[]; int t = threadIdx.x;\n"
    " u32 a = (u32)__cvta_generic_to_shared(s), r[4], d[4] = {0, 0, 0, 0};\n"
    " s[t] = in[t]; more[t] = atomicAdd(&counter, 1); __syncthreads();\n"
    " asm volatile(\"cp.async.cg.shared.global [%0], [%1], 16; cp.async.commit_group; "
    "cp.async.wait_group 0;\" :: \"r\"(a + t * 16), \"l\"(in) : \"memory\");\n"
    " asm volatile(\"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\" : "
    "\"=r\"(r[0]), \"=r\"(r[1]), \"=r\"(r[2]), \"=r\"(r[3]) : \"r\"(a + t % 32 * 16));\n"
    " asm volatile(\"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, "
    "%5, %6, %7}, {%4, %5}, {%0, %1, %2, %3};\" : \"+r\"(d[0]), \"+r\"(d[1]), \"+r\"(d[2]), "
    "\"+r\"(d[3]) : \"r\"(r[0]), \"r\"(r[1]), \"r\"(r[2]), \"r\"(r[3]));\n"
    " asm volatile(\"cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::"
    "bytes [%0], [%1, {%2, %2}], [%0];\" :: \"r\"(a), \"l\"(&m), \"r\"(t) : \"memory\");\n"
    " asm volatile(\"mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], 16;\" :: \"r\"(a));\n"
    " switch (r[0] % 9) { case 0: d[0]++; break; case 1: d[1] = r[3]; break; case 2: d[2] = t; "
    "break; case 3: d[3] *= 7; break; case 5: d[0] = d[1]; break; }\n"
    " out[t] = d[t & 3] + __shfl_xor_sync(~0u, r[0], 5) + (u32)half((float)t) + "
    "(u32)table[t % 5] + (u32)sin((double)t) + __popc(more[t ^ 1]); }\n";

/* Words that make sense somewhere. */
static const char *const words[] = {
    "[",      "]",    "{",           "}",     ",",    ";",      "%r1", "%rd1",       "%p1", "%f1",
    "0",      "-1",   "0xffffffff",  ".b64",  ".u8",  "mov",    "bra", "$L__BB0_1",  "@!",  "+",
    ".param", "call", "99999999999", ".func", "%tid", ".align", "ret", "0f7f800000", "ld",  ".reg",
};

static void load(char *text)
{
    CUmodule module;
    if (emulator.cuModuleLoadData(&module, text) == CUDA_SUCCESS) emulator.cuModuleUnload(module);
}

static char *copy_of(const char *text, size_t room)
{
    char *copy = calloc(strlen(text) + room + 1, 1);
    assert_non_null(copy);
    memcpy(copy, text, strlen(text));
    return copy;
}

static void change(char *text, uint64_t *state)
{
    size_t length = strlen(text);
    uint32_t kind = emulator_random(state) % 4;
    char *at = text + emulator_random(state) % length;
    if (kind == 0) {
        *at = (char)(1 + emulator_random(state) % 255);
    } else if (kind == 1) { /* a word over what is there */
        const char *word = words[emulator_random(state) % (sizeof words / sizeof *words)];
        size_t bytes = strlen(word), left = (size_t)(text + length - at);
        memcpy(at, word, bytes < left ? bytes : left);
    } else if (kind == 2) { /* a piece goes */
        size_t bytes = emulator_random(state) % 40, left = (size_t)(text + length - at);
        if (bytes > left) bytes = left;
        memmove(at, at + bytes, left - bytes + 1);
    } else { /* a piece comes twice */
        size_t bytes = emulator_random(state) % 40, left = (size_t)(text + length - at);
        const char *from = text + emulator_random(state) % length;
        if (bytes > left) bytes = left;
        if (from + bytes <= text + length) memmove(at, from, bytes);
    }
}

static void test_changes(void **unused)
{
    (void)unused;
    enum { ROUNDS = 2000 };
    const char *wanted = getenv("HONE_TEST_ROUNDS");
    int rounds = wanted ? atoi(wanted) : ROUNDS;
    struct arena *arena = arena_create(0);
    const char *ptx = emulator_compile(arena, "sm_90a", source);
    uint64_t state = 80;
    for (int i = 0; i < rounds; i++) {
        char *text = copy_of(ptx, 0);
        for (uint32_t c = emulator_random(&state) % 3 + 1; c; c--) change(text, &state);
        load(text);
        free(text);
    }
    arena_destroy(arena);
}

static void test_cuts(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    const char *ptx = emulator_compile(arena, "sm_90a", source);
    size_t length = strlen(ptx);
    for (size_t end = 0; end < length; end += 13) {
        char *text = copy_of(ptx, 0);
        text[end] = 0;
        load(text);
        free(text);
    }
    arena_destroy(arena);
}

/* Sizes that nobody can have, and depths. */
static void test_sizes(void **unused)
{
    (void)unused;
    static const char *const bodies[] = {
        ".shared .align 4 .b8 s[99999999999999];",
        ".shared .align 4 .b8 s[4294967295]; .shared .b8 t[4294967295];",
        ".local .align 16 .b8 s[18446744073709551615];",
        ".reg .b64 %r<99999999>;",
        ".reg .b64 %r<-1>;",
        "mov.u32 %r, 1;",
        "ld.param.u32 %r, [nobody];",
        "bra $L;",
        "call (x), y, (z);",
        ".reg .b32 %r<4>; prmt.b32.f4e %r1, %r2, %r3;",
        ".reg .b32 %r<4>; mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%r1}, {%r1}, {%r1}, "
        "{%r1};",
        ".reg .b64 %r<4>; .reg .f32 %f<4>; "
        "wgmma.mma_async.sync.aligned.m64n9999999999k16.f32.f16.f16 {%f1}, %r1, %r1, 1, 1, 1, 0, "
        "0;",
        ".reg .b64 %r<4>; .reg .f32 %f<4>; wgmma.mma_async.sync.aligned.m64n8.f32.f16.f16 {%f1}, "
        "%r1, %r1, 1, 1, 1, 0, 0;",
        "{ { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { "
        "{ "
        "{ { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { { "
        "{ ",
    };
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
        char text[1024];
        CUmodule module;
        snprintf(text, sizeof text,
                 ".version 9.0\n.target sm_90a\n.address_size 64\n.visible .entry k()\n{\n%s\n"
                 "ret;\n}\n",
                 bodies[b]);
        assert_int_not_equal(emulator.cuModuleLoadData(&module, text), CUDA_SUCCESS);
    }
}

EMULATOR_TESTS("sm_120:1GiB", NULL, cmocka_unit_test(test_changes), cmocka_unit_test(test_cuts),
               cmocka_unit_test(test_sizes))

#endif

/* Cards and PTX for tests. */
#include "tests/cuda/card_harness.h"

#include "tests/check.h"
#include "tests/ops/op_harness.h"

#include <stdlib.h>
#include <string.h>

#define HEAD       ".version 7.0\n.target sm_75\n.address_size 64\n"
#define PARAMETERS "(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 step)\n"

/* Blocks of 64 threads: block b does rows 4 b to 4 b + 3, one column per thread. */
const char card_kernel_scale[] =
    HEAD ".visible .entry scale" PARAMETERS "{\n"
         ".reg .pred %p<2>;\n.reg .b32 %r<12>;\n.reg .f32 %f<4>;\n.reg .b64 %rd<12>;\n"
         "ld.param.u64 %rd1, [a];\n"
         "ld.param.u64 %rd2, [c];\n"
         "ld.param.u64 %rd3, [step];\n"
         "ld.global.u32 %r1, [%rd3];\n"
         "mov.u32 %r2, %ctaid.x;\n"
         "mov.u32 %r3, %tid.x;\n"
         "shl.b32 %r4, %r2, 2;\n"
         "add.s32 %r5, %r4, 4;\n"
         "$next:\n"
         "setp.ge.s32 %p1, %r4, %r1;\n"
         "@%p1 bra $done;\n"
         "mad.lo.s32 %r6, %r4, 64, %r3;\n"
         "mul.wide.s32 %rd4, %r6, 4;\n"
         "add.s64 %rd5, %rd1, %rd4;\n"
         "add.s64 %rd6, %rd2, %rd4;\n"
         "ld.global.f32 %f1, [%rd5];\n"
         "fma.rn.f32 %f2, %f1, 0f40000000, 0f3F800000;\n"
         "st.global.f32 [%rd6], %f2;\n"
         "add.s32 %r4, %r4, 1;\n"
         "setp.lt.s32 %p1, %r4, %r5;\n"
         "@%p1 bra $next;\n"
         "$done:\n"
         "ret;\n}\n";

const char card_kernel_stray[] = HEAD ".visible .entry stray" PARAMETERS "{\n"
                                      ".reg .b32 %r<2>;\n.reg .b64 %rd<3>;\n"
                                      "ld.param.u64 %rd1, [c];\n"
                                      "add.s64 %rd2, %rd1, 1099511627776;\n"
                                      "mov.u32 %r1, 7;\n"
                                      "st.global.u32 [%rd2], %r1;\n"
                                      "ret;\n}\n";

void cards_open(struct cards *cards, const char *list, const char *faults)
{
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1};
    *cards = (struct cards){.arena = arena_create(0)};
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    if (faults)
        setenv("HONE_EMULATOR_FAULTS", faults, 1);
    else
        unsetenv("HONE_EMULATOR_FAULTS");
    if (device_open_list(list, &options, cards->arena, &cards->devices, &cards->count,
                         &diagnostic) == STATUS_OK)
        return;
    if (strstr(diagnostic.text, "stand-in") || strstr(diagnostic.text, "no CUDA target")) {
        print_message("skipped: %s\n", diagnostic.text);
        arena_destroy(cards->arena);
        skip();
    }
    CHECK_FAIL("%s: %s", list, diagnostic.text);
}

void cards_close(struct cards *cards)
{
    for (int d = 0; d < cards->count; d++) device_close(cards->devices[d]);
    arena_destroy(cards->arena);
}

void card_image(const char *text, const char *entry, struct image *image)
{
    *image = (struct image){
        .target = TARGET_CUDA,
        .code = text,
        .code_bytes = (int64_t)strlen(text) + 1,
        .launch_count = 1,
        .launches =
            {{.name = entry,
              .geometry = {.rows_per_item = 4, .items_per_row_group = 1, .unit = 1},
              .threads = 64,
              .argument_count = 3,
              .arguments = {{ARGUMENT_OPERAND, 0}, {ARGUMENT_OPERAND, 1}, {ARGUMENT_OPERAND, 2}}}},
    };
}

const struct problem *card_problem(struct arena *arena, int64_t rows)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(op_case_problem("add(f32[tokens,64], f32[tokens,64]) {}", rows, 0, arena, &problem,
                             &diagnostic));
    return problem;
}

struct run card_run(const struct problem *problem, int64_t rows)
{
    const struct op_step step = {.rows = rows, .context = 1, .sequences = 1};
    return op_step_run(problem, &step);
}

void *card_block(struct device *device, const void *bytes, int64_t byte_count)
{
    struct diagnostic diagnostic = {0};
    void *address;
    CHECK_OK(device_allocate(device, byte_count, &address, &diagnostic));
    if (bytes) CHECK_OK(device_store(device, address, bytes, byte_count, &diagnostic));
    return address;
}

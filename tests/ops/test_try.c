/* Kernels of strangers on the host: right ones in C and in LLVM's language are accepted or timed, wrong ones are found,
 * whatever they do. */
#include "base/file.h"
#include "codegen/source_c.h"
#include "engine/try_kernel.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

static const char problem_text[] = "add(f32[rows,64], f32[rows,64]) -> f32[rows,64] rows<=8";

static const char space_text[] =
    "variant: add_mine_cpu\n"
    "op: add\n"
    "target: cpu\n"
    "numerics: {operands: exact, accumulation: f32}\n"
    "tunables:\n"
    "  step: {values: [1, 4]}\n"
    "launches:\n"
    "  - {entry: add_mine, rows_per_item: 1, items: 1, arguments: [x, y, sum]}\n"
    "estimate: 1e-7 * rows * step\n";

#define HEAD                                                                                       \
    "void add_mine(void *const *pointers, const long *integers, long begin, long end)\n"           \
    "{\n"                                                                                          \
    "    const float *x = pointers[0], *y = pointers[1];\n"                                        \
    "    float *sum = pointers[2];\n"                                                              \
    "    for (long row = begin; row < end; row++)\n"                                               \
    "        for (long i = row * sum_columns; i < (row + 1) * sum_columns; i++) "
#define RIGHT HEAD "sum[i] = x[i] + y[i];\n"

/* Of Linux on x86-64, with the number 2 as its argument: fork, exit_group, dup. */
#define SYSTEM_CALL(number)                                                                        \
    "    long result = " #number ";\n"                                                             \
    "    __asm__ volatile(\"syscall\" : \"+a\"(result) : \"D\"(2) : \"rcx\", \"r11\", "            \
    "\"memory\");\n"

struct planted {
    const char *name, *text; /* of add_mine.c */
    enum verdict_kind kind;
    const char *words; /* in the reason */
};

static const struct planted planted[] = {
    {"wrong", HEAD "sum[i] = x[i] - y[i];\n}\n", VERDICT_WRONG, "differ"},
    {"wrong for an odd number of rows",
     HEAD
     "sum[i] = x[i] + y[i] + (integers[KERNEL_ROWS] % 2 && row == integers[KERNEL_ROWS] - 1);\n}\n",
     VERDICT_WRONG, "differ"},
    {"wrong in one config", HEAD "sum[i] = x[i] + y[i] * (step == 4 ? 2 : 1);\n}\n", VERDICT_WRONG,
     "differ"},
    {"nothing written", HEAD ";\n}\n", VERDICT_WRONG, "differ"},
    {"behind the end", RIGHT "    sum[integers[KERNEL_ROWS] * sum_columns] = 1;\n}\n",
     VERDICT_WRONG, "outside"},
    {"an input changed", RIGHT "    ((float *)x)[0] = 1;\n}\n", VERDICT_WRONG, ""},
    {"a crash", RIGHT "    *(volatile int *)8 = 1;\n}\n", VERDICT_FAILED, "ended the process"},
    {"no end", RIGHT "    for (volatile int never = 0;; never++) {}\n}\n", VERDICT_FAILED,
     "in time"},
    {"a memory of its own", "static int runs;\n" RIGHT "    if (runs++) sum[0] = 0;\n}\n",
     VERDICT_FAILED, ""},
    {"a call", "void abort(void);\n" RIGHT "    if (end < 0) abort();\n}\n", VERDICT_FAILED,
     "abort"},
    {"work that is left out when the results seem to be there",
     "void add_mine(void *const *pointers, const long *integers, long begin, long end)\n{\n"
     "    const float *x = pointers[0], *y = pointers[1];\n    float *sum = pointers[2];\n"
     "    for (long row = begin; row < end; row++) {\n        long at = row * sum_columns;\n"
     "        if (sum[at] == x[at] + y[at] && sum[at + 1] == x[at + 1] + y[at + 1]) continue;\n"
     "        for (long i = at; i < at + sum_columns; i++) sum[i] = x[i] + y[i];\n    }\n}\n",
     VERDICT_WRONG, "timed runs left results out"},
#if defined(__x86_64__)
    {"another way of rounding", RIGHT "    __builtin_ia32_ldmxcsr(0x5f80);\n}\n", VERDICT_WRONG,
     "rounds"},
    {"a process", RIGHT SYSTEM_CALL(57) "}\n", VERDICT_WRONG, "started a process"},
    {"an end of the process", RIGHT SYSTEM_CALL(231) "}\n", VERDICT_FAILED, "ended the process"},
    {"a file", RIGHT SYSTEM_CALL(32) "}\n", VERDICT_WRONG, "opened or closed files"},
#endif
    {"a slip of the pen", RIGHT "    su[0] = 0;\n}\n", VERDICT_FAILED, "add_mine_cpu.c:7:"},
    {"another entry", "void other(void) {}\n", VERDICT_FAILED, "add_mine"},
};

/* ---- Folders ---- */

static void write_file(const struct scratch *scratch, const char *folder, const char *name,
                       const char *text)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, folder, name);
    CHECK_OK(file_write(path, text, strlen(text), &diagnostic));
}

static const char *make_folder(const struct scratch *scratch, const char *name, const char *kernel,
                               const char *text)
{
    struct diagnostic diagnostic = {0};
    const char *folder = file_join(scratch->arena, scratch->folder, name);
    CHECK_OK(file_make_folders(folder, &diagnostic));
    write_file(scratch, folder, "add_mine_cpu.yaml", space_text);
    if (kernel) write_file(scratch, folder, kernel, text);
    return folder;
}

static status judge(const struct scratch *scratch, const char *folder, const char *problem,
                    struct verdict *verdict, struct diagnostic *diagnostic)
{
    const struct try_options options = {.engine = {.cache_folder = "", .threads = 1},
                                        .folder = folder,
                                        .problem = problem,
                                        .effort = EFFORT_MOST,
                                        .budget_seconds = 30};
    struct try_report report;
    TRY(try_folder(&options, scratch->arena, &report, diagnostic));
    assert_int_equal(report.verdict_count, 1);
    assert_int_equal(report.kind, report.verdicts[0].kind);
    *verdict = report.verdicts[0];
    return STATUS_OK;
}

static bool has_clang(const struct scratch *scratch)
{
    if (source_c_compiler(scratch->arena)) return true;
    print_message("SKIPPED: there is no clang\n");
    return false;
}

/* ---- Tests ---- */

static bool is_right(enum verdict_kind kind)
{
    return kind == VERDICT_ACCEPTED || kind == VERDICT_EQUAL || kind == VERDICT_SLOWER;
}

static void a_right_kernel_in_c_is_raced(void **state)
{
    const struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct verdict verdict;
    if (!has_clang(scratch)) skip();
    const char *folder = make_folder(scratch, "right", "add_mine_cpu.c", RIGHT "}\n");
    CHECK_OK(judge(scratch, folder, problem_text, &verdict, &diagnostic));
    if (!is_right(verdict.kind)) CHECK_FAIL("%s: %s", verdict_name(verdict.kind), verdict.reason);
    assert_non_null(strstr(verdict.candidate, "add_mine_cpu step="));
    assert_non_null(strstr(verdict.incumbent, "add_cpu"));
    assert_true(verdict.seconds > 0 && verdict.incumbent_seconds > 0);
    assert_int_equal(verdict.configurations, 2);
}

static void mistakes_are_found(void **state)
{
    const struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    if (!has_clang(scratch)) skip();
    for (size_t p = 0; p < sizeof planted / sizeof *planted; p++) {
        struct verdict verdict;
        const char *name = arena_print(scratch->arena, "planted%zu", p);
        const char *folder = make_folder(scratch, name, "add_mine_cpu.c", planted[p].text);
        CHECK_OK(judge(scratch, folder, problem_text, &verdict, &diagnostic));
        if (verdict.kind != planted[p].kind || !strstr(verdict.reason, planted[p].words))
            CHECK_FAIL("%s: %s: %s", planted[p].name, verdict_name(verdict.kind), verdict.reason);
    }
    print_message("%zu mistakes\n", sizeof planted / sizeof *planted);
}

static const char llvm_text[] =
    "@sum_columns = external constant i64\n"
    "define void @add_mine(ptr %pointers, ptr %integers, i64 %begin, i64 %end) #0 {\n"
    "  %py = getelementptr ptr, ptr %pointers, i64 1\n"
    "  %ps = getelementptr ptr, ptr %pointers, i64 2\n"
    "  %x = load ptr, ptr %pointers\n"
    "  %y = load ptr, ptr %py\n"
    "  %s = load ptr, ptr %ps\n"
    "  %n = load i64, ptr @sum_columns\n"
    "  %from = mul i64 %begin, %n\n"
    "  %to = mul i64 %end, %n\n"
    "  %any = icmp slt i64 %from, %to\n"
    "  br i1 %any, label %loop, label %done\n"
    "loop:\n"
    "  %i = phi i64 [ %from, %0 ], [ %next, %loop ]\n"
    "  %xi = getelementptr float, ptr %x, i64 %i\n"
    "  %yi = getelementptr float, ptr %y, i64 %i\n"
    "  %si = getelementptr float, ptr %s, i64 %i\n"
    "  %xv = load float, ptr %xi\n"
    "  %yv = load float, ptr %yi\n"
    "  %sum = fadd float %xv, %yv\n"
    "  store float %sum, ptr %si\n"
    "  %next = add i64 %i, 1\n"
    "  %more = icmp slt i64 %next, %to\n"
    "  br i1 %more, label %loop, label %done\n"
    "done:\n"
    "  ret void\n"
    "}\n"
    "attributes #0 = { \"target-features\"=\"+amx-int8\" }\n";

static void a_kernel_in_llvms_language_is_raced(void **state)
{
    const struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct verdict verdict;
    const char *folder = make_folder(scratch, "llvm", "add_mine_cpu.ll", llvm_text);
    CHECK_OK(judge(scratch, folder, problem_text, &verdict, &diagnostic));
    if (!is_right(verdict.kind)) CHECK_FAIL("%s: %s", verdict_name(verdict.kind), verdict.reason);
    static const char *const broken[][2] = {
        {"define void @add_mine(ptr %a, ptr %b, i64 %c) { ret void }\n", "must be 'void (ptr, ptr"},
        {"@no_such = external constant i64\n", "@no_such is external"},
        {"@sum_columns = external constant ptr\n", "must be an integer"},
        {"define void @add_mine(ptr %a) { re void }\n", "expected instruction"},
    };
    for (size_t b = 0; b < sizeof broken / sizeof *broken; b++) {
        const char *name = arena_print(scratch->arena, "broken%zu", b);
        folder = make_folder(scratch, name, "add_mine_cpu.ll", broken[b][0]);
        CHECK_OK(judge(scratch, folder, problem_text, &verdict, &diagnostic));
        if (verdict.kind != VERDICT_FAILED || !strstr(verdict.reason, broken[b][1]))
            CHECK_FAIL("%s: %s: %s", broken[b][0], verdict_name(verdict.kind), verdict.reason);
    }
}

static void folders_without_sense_are_refused(void **state)
{
    const struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct verdict verdict;
    const char *folder = make_folder(scratch, "alone", NULL, NULL);
    CHECK_REFUSED(judge(scratch, folder, problem_text, &verdict, &diagnostic), STATUS_BAD_INPUT,
                  "no kernel add_mine_cpu.c or add_mine_cpu.ll");
    folder = make_folder(scratch, "twice", "add_mine_cpu.ll", llvm_text);
    write_file(scratch, folder, "add_mine_cpu.c", RIGHT "}\n");
    CHECK_REFUSED(judge(scratch, folder, problem_text, &verdict, &diagnostic), STATUS_BAD_INPUT,
                  "two kernels beside it");
    folder = make_folder(scratch, "card", "add_mine_cpu.cu", "");
    CHECK_REFUSED(judge(scratch, folder, problem_text, &verdict, &diagnostic), STATUS_BAD_INPUT,
                  "is not for target cpu");
    folder = make_folder(scratch, "named", "add_mine_cpu.ll", llvm_text);
    write_file(scratch, folder, "add_mine_cpu.yaml",
               "variant: add_cpu\nextends: add_cpu\nestimate: \"1\"\n");
    CHECK_REFUSED(judge(scratch, folder, problem_text, &verdict, &diagnostic), STATUS_BAD_INPUT,
                  "");
    folder = file_join(scratch->arena, scratch->folder, "empty");
    CHECK_OK(file_make_folders(folder, &diagnostic));
    CHECK_REFUSED(judge(scratch, folder, problem_text, &verdict, &diagnostic), STATUS_BAD_INPUT,
                  "there is no variant in it");
}

static void another_problem_is_not_answered(void **state)
{
    const struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct verdict verdict;
    const char *folder = make_folder(scratch, "other", "add_mine_cpu.ll", llvm_text);
    CHECK_OK(judge(scratch, folder, "softcap(f32[rows,64]) -> f32[rows,64] {limit=30} rows<=8",
                   &verdict, &diagnostic));
    assert_int_equal(verdict.kind, VERDICT_UNANSWERED);
    assert_non_null(strstr(verdict.reason, "add_mine_cpu: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_right_kernel_in_c_is_raced, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_found, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(a_kernel_in_llvms_language_is_raced, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(folders_without_sense_are_refused, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(another_problem_is_not_answered, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

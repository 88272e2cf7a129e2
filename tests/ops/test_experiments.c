/* Experiments with a kernel: what is right and faster is kept, everything else is taken back, and the ledger knows all of it. */
#include "base/file.h"
#include "engine/experiments.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

static const char problem_text[] = "add(f32[rows,512], f32[rows,512]) -> f32[rows,512] rows<=64";

static const char space_text[] =
    "variant: add_mine_cpu\n"
    "op: add\n"
    "target: cpu\n"
    "numerics: {operands: exact, accumulation: f32}\n"
    "launches:\n"
    "  - {entry: add_mine, rows_per_item: 1, items: 1, arguments: [x, y, sum]}\n"
    "estimate: 1e-7 * rows\n";

/* Every sum is stored 200 times. */
static const char kernel_text[] =
    "@sum_columns = external constant i64\n"
    "define void @add_mine(ptr %pointers, ptr %integers, i64 %begin, i64 %end) {\n"
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
    "  %i = phi i64 [ %from, %0 ], [ %next, %after ]\n"
    "  %xi = getelementptr float, ptr %x, i64 %i\n"
    "  %yi = getelementptr float, ptr %y, i64 %i\n"
    "  %si = getelementptr float, ptr %s, i64 %i\n"
    "  %xv = load volatile float, ptr %xi\n"
    "  %yv = load volatile float, ptr %yi\n"
    "  %sum = fadd float %xv, %yv\n"
    "  br label %wait\n"
    "wait:\n"
    "  %w = phi i64 [ 0, %loop ], [ %w1, %wait ]\n"
    "  %w1 = add i64 %w, 1\n"
    "  store volatile float %sum, ptr %si\n"
    "  %next = add i64 %i, 1\n"
    "  %enough = icmp sge i64 %w1, 200 ; rounds\n"
    "  %more = icmp slt i64 %next, %to\n"
    "  br i1 %enough, label %after, label %wait\n"
    "after:\n"
    "  br i1 %more, label %loop, label %done\n"
    "done:\n"
    "  ret void\n"
    "}\n";

struct bench {
    struct scratch *scratch;
    const char *folder, *ledger;
};

static void write_file(const struct bench *bench, const char *name, const char *text)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(file_write(file_join(bench->scratch->arena, bench->folder, name), text, strlen(text),
                        &diagnostic));
}

static struct bench bench_make(struct scratch *scratch)
{
    struct diagnostic diagnostic = {0};
    struct bench bench = {.scratch = scratch,
                          .folder = file_join(scratch->arena, scratch->folder, "kernel"),
                          .ledger = file_join(scratch->arena, scratch->folder, "ledger.jsonl")};
    CHECK_OK(file_make_folders(bench.folder, &diagnostic));
    write_file(&bench, "add_mine_cpu.yaml", space_text);
    write_file(&bench, "add_mine_cpu.ll", kernel_text);
    return bench;
}

static status run(const struct bench *bench, const char *propose, int threads,
                  struct experiments_report *report, struct diagnostic *diagnostic)
{
    const struct experiments_options options = {
        .judged = {.engine = {.cache_folder = "", .threads = threads},
                   .folder = bench->folder,
                   .problem = problem_text,
                   .effort = 1,
                   .budget_seconds = 20},
        .ledger = bench->ledger,
        .propose = propose,
        .propose_seconds = 20,
        .most = 1};
    return experiments_run(&options, bench->scratch->arena, report, diagnostic);
}

static bool kernel_has(const struct bench *bench, const char *words)
{
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t count;
    CHECK_OK(file_read(file_join(bench->scratch->arena, bench->folder, "add_mine_cpu.ll"), 1 << 20,
                       bench->scratch->arena, &bytes, &count, &diagnostic));
    return strstr(bytes, words) != NULL;
}

static void the_better_is_kept(void **state)
{
    struct bench bench = bench_make(*state);
    struct diagnostic diagnostic = {0};
    struct experiments_report report;
    CHECK_OK(run(&bench, NULL, 1, &report, &diagnostic));
    assert_true(report.judged == 1 && report.kept == 1);
    struct hash first = report.best.candidate;
    /* the same again */
    CHECK_OK(run(&bench, NULL, 1, &report, &diagnostic));
    assert_true(report.judged == 0 && report.repeated == 1);
    /* a wrong one, quicker */
    CHECK_OK(run(&bench, "sed -i 's/fadd/fsub/; s/i64 %w1, 200/i64 %w1, 1/' add_mine_cpu.ll", 1,
                 &report, &diagnostic));
    assert_int_equal(report.last.verdict, VERDICT_WRONG);
    assert_true(!report.last.kept && hash_equal(report.best.candidate, first));
    assert_true(hash_equal(report.last.parent, first));
    assert_true(kernel_has(&bench, "fadd"));
    /* a slower one */
    CHECK_OK(run(&bench, "sed -i 's/i64 %w1, 200/i64 %w1, 800/' add_mine_cpu.ll", 1, &report,
                 &diagnostic));
    assert_true(!report.last.kept && kernel_has(&bench, "%w1, 200"));
    /* a quicker one, which leaves a file behind */
    CHECK_OK(run(&bench,
                 "test \"$HONE_EXPERIMENT\" = 3 && test -n \"$HONE_PARENT\" && test -f "
                 "\"$HONE_LEDGER\" && sed -i 's/i64 %w1, 200/i64 %w1, 2/' add_mine_cpu.ll",
                 1, &report, &diagnostic));
    if (!report.last.kept) CHECK_FAIL("%s", report.last.reason);
    assert_true(kernel_has(&bench, "%w1, 2 ;") && !hash_equal(report.best.candidate, first));
    assert_true(report.best.share > 0);
}

static void what_goes_wrong_is_told(void **state)
{
    struct bench bench = bench_make(*state);
    struct diagnostic diagnostic = {0};
    struct experiments_report report;
    CHECK_OK(run(&bench, NULL, 1, &report, &diagnostic));
    CHECK_OK(run(&bench, "echo nothing > more_cpu.ll; exit 3", 1, &report, &diagnostic));
    assert_int_equal(report.failed_proposals, 1);
    assert_false(file_exists(file_join(bench.scratch->arena, bench.folder, "more_cpu.ll")));
    CHECK_OK(run(&bench, "echo 'variant: [' > add_mine_cpu.yaml", 1, &report, &diagnostic));
    assert_int_equal(report.last.verdict, VERDICT_FAILED);
    const char *kept = file_join(bench.scratch->arena, report.best_folder, "add_mine_cpu.ll");
    CHECK_REFUSED(run(&bench, NULL, 2, &report, &diagnostic), STATUS_USAGE, "judged on other");
    CHECK_OK(file_write(kept, "", 0, &diagnostic));
    CHECK_REFUSED(run(&bench, "true", 1, &report, &diagnostic), STATUS_BAD_INPUT,
                  "not what the ledger says");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_better_is_kept, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(what_goes_wrong_is_told, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

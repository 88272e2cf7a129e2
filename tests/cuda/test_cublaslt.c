/* cuBLASLt as a variant of linear, on the stand-in's: tuned, equal to the reference for any rows, its algorithms kept in
 * images and looked up anew where these do not fit, captured, refused and failing with a reason. */
#include "codegen/compile.h"
#include "ops/catalogue.h"
#include "runtime/device.h"
#include "tests/check.h"
#include "tests/ops/device_harness.h"
#include "tests/ops/variant_harness.h"
#include "tests/scratch_harness.h"
#include "tuner/artifact.h"
#include "tuner/tune.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char stand_in[] = "emulated:sm_86:1GiB";
static const char product[] = "linear(f32[tokens,64], bf16[48,64], f32[48], f32[tokens,48])";

/* Activations rounded to bf16, over sums of products. */
static const double rounded_bound = 1e-2;

enum { ROWS = 40 };

/* A card, a problem, and the image of its library candidate. */
struct bench {
    struct arena *arena;
    struct catalogue catalogue;
    const char *specification;
    struct device *device;
    struct problem *problem;
    struct op_trial *trial;
    struct image image;
    struct kernel *kernel;
    void *operands[OP_OPERANDS_MAX];
};

static bool has_library(const struct device *device)
{
    if (device_facts(device)->values[FACT_has_cublaslt] > 0) return true;
    print_message("skipped: the stand-in cuBLASLt was not built\n");
    return false;
}

static void bench_open(struct bench *bench, const char *faults)
{
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1};
    *bench = (struct bench){.arena = arena_create(0)};
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    if (faults)
        setenv("HONE_EMULATOR_FAULTS", faults, 1);
    else
        unsetenv("HONE_EMULATOR_FAULTS");
    bench->specification = device_harness_list(stand_in, bench->arena);
    if (device_open(bench->specification, &options, &bench->device, &diagnostic) != STATUS_OK) {
        print_message("skipped: %s\n", diagnostic.text);
        skip();
    }
    if (!has_library(bench->device)) skip();
    CHECK_OK(catalogue_read(NULL, bench->arena, &bench->catalogue, &diagnostic));
    CHECK_OK(op_case_problem(product, ROWS, 0, bench->arena, &bench->problem, &diagnostic));
}

static void bench_close(struct bench *bench)
{
    kernel_unload(bench->kernel);
    device_close(bench->device);
    unsetenv("HONE_EMULATOR_FAULTS");
    arena_destroy(bench->arena);
}

static const struct space *library_space(const struct bench *bench)
{
    const struct space *space = catalogue_find(&bench->catalogue, "linear_library_bf16_cuda");
    assert_non_null(space);
    return space;
}

static void compile_rank(struct bench *bench, int rank)
{
    struct diagnostic diagnostic = {0};
    const struct config config = {.values = {rank}};
    const struct generation generation = {.space = library_space(bench),
                                          .problem = bench->problem,
                                          .config = &config,
                                          .facts = device_facts(bench->device)};
    CHECK_OK(compile_here(&generation, bench->arena, &bench->image, NULL, &diagnostic));
}

static status load(struct bench *bench, struct diagnostic *diagnostic)
{
    kernel_unload(bench->kernel);
    bench->kernel = NULL;
    return kernel_load(bench->device, bench->problem, &bench->image, &bench->kernel, diagnostic);
}

/* A step of fewer rows than the problem's bound. */
static void place_operands(struct bench *bench, int64_t rows)
{
    struct diagnostic diagnostic = {0};
    const struct op_step step = {.rows = rows};
    CHECK_OK(op_trial_create(bench->problem, &step, 5, bench->arena, &bench->trial, &diagnostic));
    for (int o = 0; o < bench->trial->count; o++) {
        int64_t bytes = bench->trial->bytes[o];
        if (bench->operands[o]) device_free(bench->device, bench->operands[o], bytes);
        bench->operands[o] = NULL;
        if (!bytes) continue;
        CHECK_OK(device_allocate(bench->device, bytes, &bench->operands[o], &diagnostic));
        if (o < bench->problem->input_count)
            CHECK_OK(device_store(bench->device, bench->operands[o], bench->trial->originals[o],
                                  bytes, &diagnostic));
    }
}

static status fetch_result(void *context, const struct op_trial *trial,
                           struct diagnostic *diagnostic)
{
    struct bench *bench = context;
    int y = bench->problem->input_count;
    return device_fetch(bench->device, trial->operands[y], bench->operands[y], trial->bytes[y],
                        diagnostic);
}

static void check_result(struct bench *bench)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(op_trial_check(bench->trial, fetch_result, bench, rounded_bound, &diagnostic));
}

static void run_and_check(struct bench *bench, int64_t rows)
{
    struct diagnostic diagnostic = {0};
    place_operands(bench, rows);
    CHECK_OK(
        device_run(bench->device, bench->kernel, &bench->trial->run, bench->operands, &diagnostic));
    check_result(bench);
}

/* ---- Tuning: before any other test, because its children start the driver for themselves ---- */

static int count_records(const struct record *records, int count, enum record_status wanted,
                         const char *detail)
{
    int found = 0;
    for (int r = 0; r < count; r++)
        found += strncmp(records[r].candidate, "linear_library_bf16_cuda", 24) == 0 &&
                 records[r].status == wanted && strstr(records[r].detail, detail) != NULL;
    return found;
}

/* The winner's artifact says what its rank stands for, so that a run need not ask the library. */
static void check_kept(struct bench *bench, const char *winner, const char *folder)
{
    struct diagnostic diagnostic = {0};
    struct candidate candidate;
    void *bytes;
    size_t count;
    CHECK_OK(candidate_parse(&bench->catalogue, winner, &candidate, &diagnostic));
    const struct generation generation = {.space = candidate.space,
                                          .problem = bench->problem,
                                          .config = &candidate.config,
                                          .facts = device_facts(bench->device)};
    assert_true(artifact_read(folder, compile_key(&generation), bench->arena, &bytes, &count));
    CHECK_OK(image_decode(bytes, count, bench->arena, &bench->image, &diagnostic));
    assert_true(image_is_resolved(&bench->image));
}

static void tuning_measures_the_librarys_algorithms(void **unused)
{
    (void)unused;
    char folder[SCRATCH_BYTES];
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct store *store;
    struct tune_report report;
    struct record *records;
    int count;
    bench_open(&bench, NULL);
    assert_int_equal(scratch_create(folder), 0);
    CHECK_OK(store_open(folder, NULL, &store, &diagnostic));
    const struct runner_device_setup setup = {.specification = bench.specification};
    const struct runner runner = runner_device(&setup);
    const struct tune_problem problem = {.problem = bench.problem, .weight = 1};
    struct tune_setup tune = {
        .catalogue = &bench.catalogue,
        .facts = device_facts(bench.device),
        .compiler = compile_identity(TARGET_CUDA),
        .runner = &runner,
        .limits = worker_setup_default(),
        .store = store,
        .problems = &problem,
        .problem_count = 1,
        .options = {.effort = 2, .seed = 1, .budget_seconds = 60, .artifact_folder = folder}};
    tune.limits.child_bytes = 0;
    CHECK_OK(tune_run(&tune, bench.arena, &report, &diagnostic));
    CHECK_OK(store_records(store, bench.problem->key, device_facts(bench.device)->class_name,
                           bench.arena, &records, &count, &diagnostic));
    int right = count_records(records, count, RECORD_OK, "");
    print_message("  winner %s, %d of %d records are the library's and right\n",
                  report.rows[0].winner, right, count);
    assert_true(right >= (device_harness_has_card() ? 1 : 4));
    assert_int_equal(count_records(records, count, RECORD_MISMATCH, ""), 0);
    /* Whoever won, was as fast as the fastest record. */
    for (int r = 0; r < count; r++)
        if (records[r].status == RECORD_OK)
            assert_true(report.rows[0].decision.seconds <= records[r].median_seconds * 1.02);
    check_kept(&bench, report.rows[0].winner, folder);
    store_close(store);
    assert_int_equal(scratch_remove(folder), 0);
    bench_close(&bench);
}

/* ---- Results ---- */

/* Whether the card has an algorithm of that rank; its results are looked at then. */
static bool check_rank(struct bench *bench, int rank)
{
    struct diagnostic diagnostic = {0};
    compile_rank(bench, rank);
    status code = device_resolve(bench->device, bench->problem, &bench->image, &diagnostic);
    if (code != STATUS_OK) {
        assert_int_equal(code, STATUS_UNSUPPORTED);
        assert_non_null(strstr(diagnostic.text, "there is no number"));
        return false;
    }
    CHECK_OK(load(bench, &diagnostic));
    run_and_check(bench, rank % 2 ? 23 : ROWS);
    return true;
}

static void every_rank_gives_the_references_result(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    int ranks = 0;
    bench_open(&bench, NULL);
    for (int rank = 0; rank < 48; rank++) ranks += check_rank(&bench, rank);
    print_message("  %d algorithms\n", ranks);
    assert_true(
        ranks >
        (device_harness_has_card() ? 0 : 24)); /* how many a card's library has, nobody knows */
    /* Beyond the end of the list there is none; who only runs gets the first. */
    if (!device_harness_has_card()) {
        assert_false(check_rank(&bench, 250));
        CHECK_OK(load(&bench, &diagnostic));
        run_and_check(&bench, 27);
    }
    bench_close(&bench);
}

/* The kernels of our own have tests of their own. */
static void keep_library(struct variant_check *check)
{
    const struct catalogue *all = &check->catalogue;
    const struct space **spaces =
        arena_allocate(check->arena, (size_t)all->count + 1, sizeof *spaces);
    int count = 0;
    for (int s = 0; s < all->count; s++)
        if (space_calls_library(all->spaces[s])) spaces[count++] = all->spaces[s];
    check->catalogue = (struct catalogue){.spaces = spaces, .count = count};
}

static void odd_rows_types_and_cards(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "linear(f32[tokens,64], f16[33,64])", "linear(f32[tokens,72], f16[40,72], f32[40])",
        "linear(f32[tokens,1032], bf16[24,1032], _, f32[tokens,24])",
        "linear(f32[tokens,128], bf16[65,128], f32[65], f32[tokens,65])"};
    static const int64_t rows[] = {17, 30, 61};
    struct variant_check check;
    if (!variant_check_open(
            &check, 1,
            "emulated:sm_86:1GiB,emulated:sm_75:1GiB,emulated:sm_90:1GiB,emulated:sm_120:1GiB"))
        skip();
    keep_library(&check);
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            struct diagnostic diagnostic = {0};
            struct arena *arena = arena_create(0);
            const struct op_step step = {.rows = rows[r]};
            struct problem *problem;
            struct op_trial *trial;
            CHECK_OK(op_case_problem(texts[t], rows[r] + 5, 0, arena, &problem, &diagnostic));
            CHECK_OK(op_trial_create(problem, &step, 3, arena, &trial, &diagnostic));
            assert_true(variant_check_trial(&check, trial, rounded_bound) > 0);
            arena_destroy(arena);
        }
    variant_check_destroy(&check);
}

/* ---- What images keep ---- */

static struct matmul_algorithm *found_of(struct bench *bench)
{
    return &bench->image.launches[bench->image.launch_count - 1].matmul.found;
}

static int64_t chosen(const struct bench *bench)
{
    return device_counts(bench->device).chosen_algorithms;
}

static void images_keep_algorithms(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct image decoded;
    void *bytes;
    size_t count;
    bench_open(&bench, NULL);
    compile_rank(&bench, 3);
    assert_int_equal(found_of(&bench)->library, 0);
    CHECK_OK(device_resolve(bench.device, bench.problem, &bench.image, &diagnostic));
    assert_int_equal(chosen(&bench), 1);
    assert_true(found_of(&bench)->library > 0);
    const struct matmul_algorithm right = *found_of(&bench);
    CHECK_OK(image_encode(&bench.image, bench.arena, &bytes, &count, &diagnostic));
    CHECK_OK(image_decode(bytes, count, bench.arena, &decoded, &diagnostic));
    bench.image = decoded;
    assert_memory_equal(found_of(&bench), &right, sizeof right);
    CHECK_OK(load(&bench, &diagnostic));
    assert_int_equal(chosen(&bench), 1); /* taken as it is */
    run_and_check(&bench, 29);
    /* Of another version, of another card, damaged: by its rank again. */
    found_of(&bench)->library--;
    CHECK_OK(load(&bench, &diagnostic));
    assert_int_equal(chosen(&bench), 2);
    *found_of(&bench) = right;
    found_of(&bench)->device.low ^= 1;
    CHECK_OK(load(&bench, &diagnostic));
    assert_int_equal(chosen(&bench), 3);
    *found_of(&bench) = right;
    found_of(&bench)->bytes[0] ^= 1;
    CHECK_OK(load(&bench, &diagnostic));
    assert_int_equal(chosen(&bench), 4);
    run_and_check(&bench, 31);
    bench.image.launches[bench.image.launch_count - 1].matmul.inner++;
    CHECK_REFUSED(load(&bench, &diagnostic), STATUS_BAD_INPUT, "beyond the operands");
    bench_close(&bench);
}

/* ---- Graphs ---- */

static void graphs_hold_a_steps_rows(void **unused)
{
    (void)unused;
    static const int64_t rows[] = {20, 20, 20, 37, 37, 37, 20};
    struct diagnostic diagnostic = {0};
    struct bench bench;
    bench_open(&bench, NULL);
    compile_rank(&bench, 0);
    CHECK_OK(load(&bench, &diagnostic));
    place_operands(&bench, ROWS);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct op_trial *trial = bench.trial;
        const struct op_step step = {.rows = rows[r]};
        trial->run = op_step_run(bench.problem, &step);
        for (int l = 0; l < 4; l++)
            CHECK_OK(device_launch(bench.device, bench.kernel, &trial->run, bench.operands,
                                   &diagnostic));
        CHECK_OK(device_finish(bench.device, &diagnostic));
        CHECK_OK(op_trial_create(bench.problem, &step, 5, bench.arena, &bench.trial, &diagnostic));
        /* The operands are those of the larger trial: rows of one seed differ, so they are sent anew. */
        for (int o = 0; o < bench.problem->input_count; o++)
            CHECK_OK(device_store(bench.device, bench.operands[o], bench.trial->originals[o],
                                  bench.trial->bytes[o], &diagnostic));
        for (int l = 0; l < 4; l++)
            CHECK_OK(device_launch(bench.device, bench.kernel, &bench.trial->run, bench.operands,
                                   &diagnostic));
        CHECK_OK(device_finish(bench.device, &diagnostic));
        check_result(&bench);
    }
    assert_true(device_counts(bench.device).graph_launches >= 8);
    bench_close(&bench);
}

/* ---- Reasons ---- */

static void without_the_library_the_variant_says_so(void **unused)
{
    (void)unused;
    struct bench bench;
    struct bound_space *bound;
    const char *reason = "";
    setenv("HONE_CUBLASLT", "none", 1);
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1};
    bench = (struct bench){.arena = arena_create(0)};
    if (device_open(device_harness_list(stand_in, bench.arena), &options, &bench.device,
                    &diagnostic) != STATUS_OK) {
        unsetenv("HONE_CUBLASLT");
        print_message("skipped: %s\n", diagnostic.text);
        skip();
    }
    unsetenv("HONE_CUBLASLT");
    CHECK_OK(catalogue_read(NULL, bench.arena, &bench.catalogue, &diagnostic));
    CHECK_OK(op_case_problem(product, ROWS, 0, bench.arena, &bench.problem, &diagnostic));
    bound = arena_allocate(bench.arena, 1, sizeof *bound);
    assert_false(space_bind(library_space(&bench), bench.problem, device_facts(bench.device),
                            bench.arena, bound, &reason));
    assert_non_null(strstr(reason, "cuBLASLt is not here"));
    bench_close(&bench);
}

static void failures_have_reasons(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    if (device_harness_has_card()) skip();
    bench_open(&bench, "library=none");
    compile_rank(&bench, 0);
    CHECK_REFUSED(load(&bench, &diagnostic), STATUS_DEVICE, "HONE_CUBLASLT=none");
    bench_close(&bench);
    bench_open(&bench, "library:1=illegal");
    compile_rank(&bench, 0);
    CHECK_OK(load(&bench, &diagnostic));
    place_operands(&bench, 19);
    CHECK_REFUSED(
        device_run(bench.device, bench.kernel, &bench.trial->run, bench.operands, &diagnostic),
        STATUS_DEVICE, "ILLEGAL_ADDRESS");
    bench_close(&bench);
    bench_open(&bench, "library:1=invalid");
    compile_rank(&bench, 0);
    CHECK_OK(load(&bench, &diagnostic));
    place_operands(&bench, 19);
    CHECK_REFUSED(
        device_run(bench.device, bench.kernel, &bench.trial->run, bench.operands, &diagnostic),
        STATUS_DEVICE, "cuBLASLt: a product");
    run_and_check(&bench, 19); /* the card is as good as before */
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tuning_measures_the_librarys_algorithms),
        cmocka_unit_test(every_rank_gives_the_references_result),
        cmocka_unit_test(odd_rows_types_and_cards),
        cmocka_unit_test(images_keep_algorithms),
        cmocka_unit_test(graphs_hold_a_steps_rows),
        cmocka_unit_test(without_the_library_the_variant_says_so),
        cmocka_unit_test(failures_have_reasons),
    };
    if (strcmp(compile_identity(TARGET_CUDA), "none") == 0) {
        print_message("skipped: there is no NVRTC\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

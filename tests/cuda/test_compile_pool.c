/* Children that compile side by side: the same bytes whichever of them made a kernel, errors and deaths of compilers as
 * failures of one candidate, results that are dropped. */
#include "base/clock.h"
#include "codegen/compile_pool.h"
#include "ir/profiles.h"
#include "ops/catalogue.h"
#include "tests/check.h"
#include "tests/ops/op_harness.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 6 };

struct bench {
    struct arena *arena;
    struct catalogue catalogue;
    struct device_facts facts;
    struct problem *problem;
    struct config configs[CANDIDATES];
    struct generation generations[CANDIDATES];
    struct compile_pool *pool;
};

static void bench_open(struct bench *bench, int processes, struct compile_limits limits)
{
    struct diagnostic diagnostic = {0};
    struct bound_space bound;
    const char *reason;
    if (strcmp(compile_identity(TARGET_CUDA), "none") == 0) {
        print_message("skipped: there is no NVRTC\n");
        skip();
    }
    *bench = (struct bench){.arena = arena_create(0)};
    CHECK_OK(catalogue_read(NULL, bench->arena, &bench->catalogue, &diagnostic));
    CHECK_OK(profile_read("rtx3090", bench->arena, &bench->facts, &diagnostic));
    CHECK_OK(op_case_problem("rmsnorm(f32[tokens,512], f32[512])", 64, 0, bench->arena,
                             &bench->problem, &diagnostic));
    const struct space *space = catalogue_find(&bench->catalogue, "rmsnorm_cuda");
    assert_non_null(space);
    assert_true(space_bind(space, bench->problem, &bench->facts, bench->arena, &bound, &reason));
    for (int c = 0; c < CANDIDATES; c++) {
        assert_true(space_unrank(&bound, (uint64_t)c * space_count(&bound) / CANDIDATES,
                                 &bench->configs[c]));
        bench->generations[c] =
            (struct generation){space, bench->problem, &bench->configs[c], &bench->facts};
    }
    CHECK_OK(compile_pool_create(processes, limits, &bench->pool, &diagnostic));
}

static void bench_close(struct bench *bench)
{
    compile_pool_destroy(bench->pool);
    arena_destroy(bench->arena);
}

static void take(struct bench *bench, int c, const void **image, size_t *bytes)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(compile_pool_take(bench->pool, &bench->generations[c], image, bytes, &diagnostic));
}

static void the_same_bytes_from_every_child(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    bench_open(&bench, 3, compile_limits_default());
    for (int c = 0; c < CANDIDATES; c++)
        CHECK_OK(compile_pool_add(bench.pool, &bench.generations[c], &diagnostic));
    for (int c = CANDIDATES - 1; c >= 0; c--) {
        const void *image;
        size_t bytes, again_bytes;
        struct image here;
        void *again;
        take(&bench, c, &image, &bytes);
        CHECK_OK(compile_here(&bench.generations[c], bench.arena, &here, NULL, &diagnostic));
        CHECK_OK(image_encode(&here, bench.arena, &again, &again_bytes, &diagnostic));
        assert_int_equal(bytes, again_bytes);
        assert_memory_equal(image, again, bytes);
        assert_true(here.launches[0].resources.registers > 0 &&
                    here.launches[0].resources.instructions > 0);
    }
    assert_int_equal(compile_pool_restarts(bench.pool), 0);
    bench_close(&bench);
}

static void what_was_dropped_harms_nothing(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    const void *image;
    size_t bytes;
    bench_open(&bench, 2, compile_limits_default());
    for (int round = 0; round < 3; round++) {
        for (int c = 0; c < CANDIDATES; c++)
            CHECK_OK(compile_pool_add(bench.pool, &bench.generations[c], &diagnostic));
        take(&bench, round, &image, &bytes);
        CHECK_OK(compile_pool_clear(bench.pool, &diagnostic));
    }
    take(&bench, 5, &image, &bytes);
    assert_true(bytes > 0);
    bench_close(&bench);
}

/* A compiler that is too slow is killed, one without room fails, one that refuses says why: the next candidate is
 * compiled all the same. */
static void failures_are_of_one_candidate(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    const void *image;
    size_t bytes;
    bench_open(&bench, 2,
               (struct compile_limits){.seconds = 0.001, .memory_bytes = (uint64_t)4 << 30});
    status code = compile_pool_take(bench.pool, &bench.generations[0], &image, &bytes, &diagnostic);
    CHECK_REFUSED(code, STATUS_TIMEOUT, "compile");
    assert_true(compile_pool_restarts(bench.pool) > 0);
    bench_close(&bench);
    diagnostic = (struct diagnostic){0};
    bench_open(&bench, 2, (struct compile_limits){.seconds = 60, .memory_bytes = 1 << 20});
    assert_int_not_equal(
        compile_pool_take(bench.pool, &bench.generations[0], &image, &bytes, &diagnostic),
        STATUS_OK);
    bench_close(&bench);
    diagnostic = (struct diagnostic){0};
    bench_open(&bench, 2, compile_limits_default());
    struct device_facts old = bench.facts;
    struct generation refused = bench.generations[0];
    old.values[FACT_sm] = 61;
    refused.facts = &old;
    if (strcmp(compile_identity(TARGET_CUDA), "nvrtc 13") >= 0)
        CHECK_REFUSED(compile_pool_take(bench.pool, &refused, &image, &bytes, &diagnostic),
                      STATUS_UNSUPPORTED, "sm_61");
    take(&bench, 0, &image, &bytes);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_from_every_child),
        cmocka_unit_test(what_was_dropped_harms_nothing),
        cmocka_unit_test(failures_are_of_one_candidate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

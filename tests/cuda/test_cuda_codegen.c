/* Code generation for CUDA, which needs NVRTC but no card: every variant compiles for every
 * architecture, equal inputs give equal bytes, mistakes in kernels are named, and what reads the
 * compiler's output survives anything.  HONE_TEST_SAMPLES=N takes N configs per variant and problem
 * beside the default one. */
#include "base/random.h"
#include "codegen/compile.h"
#include "codegen/cuda/cubin.h"
#include "codegen/cuda/nvrtc.h"
#include "ir/card.h"
#include "ir/profiles.h"
#include "ops/catalogue.h"
#include "tests/check.h"
#include "tests/ops/op_cases.h"

static struct arena *arena;
static struct catalogue catalogue;
static uint64_t draws;

static int set_up(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    arena = arena_create(0);
    CHECK_OK(catalogue_read(NULL, arena, &catalogue, &diagnostic));
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    arena_destroy(arena);
    return 0;
}

static struct device_facts card_of(int sm)
{
    struct diagnostic diagnostic = {0};
    struct device_facts facts = {.target = TARGET_CUDA, .name = "card", .class_name = "card"};
    facts.values[FACT_sm] = sm;
    facts.values[FACT_cores] = 16;
    facts.values[FACT_memory_bytes] = 8e9;
    CHECK_OK(card_complete(&facts, 1.5e9, &diagnostic));
    return facts;
}

static struct problem *problem_of(const char *text, int64_t rows)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(op_case_problem(text, rows, 300, arena, &problem, &diagnostic));
    return problem;
}

/* ---- Everything compiles ---- */

static const int architectures[] = {75, 80, 86, 89, 90, 120};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

static int compiled, skipped;

static void check_compiles(const struct space *space, const struct problem *problem,
                           const struct device_facts *facts, const struct config *config)
{
    struct diagnostic diagnostic = {0};
    struct arena *scratch = arena_create(0);
    struct generation generation = {space, problem, config, facts};
    struct image image;
    struct listing listing = {0};
    struct text text = {.arena = scratch};
    config_print(space, config, &text);
    if (compile_here(&generation, scratch, &image, &listing, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s %s, sm_%.0f, %s: %s", space->variant, text_finish(&text),
                   facts->values[FACT_sm], problem->text, diagnostic.text);
    assert_true(image.text_offset > 0 && image.text_offset % 16 == 0);
    for (int k = 0; k < image.launch_count; k++) {
        assert_in_range(image.launches[k].resources.registers, 1, 255);
        assert_true(image.launches[k].resources.instructions > 0);
        if (image.launches[k].resources.shared_bytes + image.launches[k].shared_bytes >
            facts->values[FACT_shared_bytes_per_block])
            CHECK_FAIL("%s %s, sm_%.0f: %d bytes of shared memory", space->variant,
                       text_finish(&text), facts->values[FACT_sm],
                       image.launches[k].resources.shared_bytes + image.launches[k].shared_bytes);
    }
    compiled++;
    arena_destroy(scratch);
}

/* The default config and random ones. */
static void compile_samples(const struct space *space, const struct problem *problem, int sm,
                            int samples)
{
    struct device_facts facts = card_of(sm);
    struct bound_space bound;
    struct config config;
    const char *reason;
    if (!space_bind(space, problem, &facts, arena, &bound, &reason)) {
        skipped++;
        return;
    }
    space_default(&bound, &config);
    check_compiles(space, problem, &facts, &config);
    for (int s = 0; s < samples; s++) {
        uint64_t rank = random_bits(11, 0, draws++) % space_count(&bound);
        assert_true(space_unrank(&bound, rank, &config));
        check_compiles(space, problem, &facts, &config);
    }
}

static bool answers(const struct space *space, const struct problem *problem)
{
    for (const struct op *const *op = space->ops; *op; op++)
        if (*op == problem->op) return true;
    return false;
}

/* Architectures take turns, `each` per problem, so that each meets every variant with some problem. */
static void compile_table(const struct space *space, const struct op_case *table, int each,
                          int *turn)
{
    const char *wanted = getenv("HONE_TEST_SAMPLES");
    for (const struct op_case *row = table; row->text; row++) {
        const struct problem *problem = problem_of(row->text, 1);
        if (!answers(space, problem)) continue;
        for (int many = 0; many < 2; many++) {
            problem = problem_of(row->text, many ? 200 : 3);
            for (int a = 0; a < each; a++)
                compile_samples(space, problem, architectures[(*turn)++ % ARCHITECTURES],
                                wanted ? atoi(wanted) : 0);
        }
    }
}

static void every_variant_compiles_for_every_architecture(void **unused)
{
    (void)unused;
    int variants = 0;
    for (int s = 0; s < catalogue.count; s++) {
        const struct space *space = catalogue.spaces[s];
        if (space->target != TARGET_CUDA) continue;
        int turn = 0, before = compiled;
        compile_table(space, dense_cases, 2, &turn);
        compile_table(space, position_cases, 2, &turn);
        compile_table(space, attention_cases, 2, &turn);
        compile_table(space, expert_cases, 2, &turn);
        /* What only few models need. */
        if (compiled == before) compile_table(space, block_cases, ARCHITECTURES, &turn);
        if (compiled == before) compile_table(space, dense_rare_cases, 2, &turn);
        if (compiled == before) print_message("%s takes none of the problems\n", space->variant);
        variants++;
    }
    print_message("%d CUDA variants, %d images compiled, %d problems not theirs\n", variants,
                  compiled, skipped);
    assert_true(variants > 0 && compiled > variants);
}

/* ---- One kernel ---- */

struct fixture {
    struct device_facts facts;
    const struct space *space;
    struct config config;
    struct generation generation;
};

static void fixture_create(struct fixture *fixture, int sm)
{
    struct diagnostic diagnostic = {0};
    fixture->facts = card_of(sm);
    fixture->space = catalogue_find(&catalogue, "rmsnorm_cuda");
    assert_non_null(fixture->space);
    CHECK_OK(config_parse(fixture->space, "threads_per_row=64 rows_per_block=2 vector=4",
                          &fixture->config, &diagnostic));
    fixture->generation = (struct generation){
        fixture->space,
        problem_of("add_rmsnorm(f32[tokens,512], f32[tokens,512], f32[512]) {offset=1}", 7),
        &fixture->config, &fixture->facts};
}

static void equal_inputs_give_equal_bytes(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct image images[2];
    void *bytes[2];
    size_t byte_counts[2];
    fixture_create(&fixture, 86);
    CHECK_OK(compile_here(&fixture.generation, arena, &images[0], NULL, &diagnostic));
    CHECK_OK(compile_candidate(&fixture.generation, compile_limits_default(), arena, &images[1],
                               NULL, &diagnostic));
    for (int i = 0; i < 2; i++)
        CHECK_OK(image_encode(&images[i], arena, &bytes[i], &byte_counts[i], &diagnostic));
    assert_int_equal(byte_counts[0], byte_counts[1]);
    assert_memory_equal(bytes[0], bytes[1], byte_counts[0]);
}

static void keys_follow_what_is_compiled(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    fixture_create(&fixture, 86);
    struct hash key = compile_key(&fixture.generation);
    fixture.facts.values[FACT_read_bandwidth] = 1e12; /* measured, so no kernel depends on it */
    assert_true(hash_equal(key, compile_key(&fixture.generation)));
    CHECK_OK(config_parse(fixture.space, "threads_per_row=32 rows_per_block=4 vector=4",
                          &fixture.config, &diagnostic));
    assert_false(hash_equal(key, compile_key(&fixture.generation)));
    fixture_create(&fixture, 89);
    assert_false(hash_equal(key, compile_key(&fixture.generation)));
    fixture_create(&fixture, 86);
    struct space changed = *fixture.space;
    changed.kernel.text = arena_print(arena, "%s// more\n", changed.kernel.text);
    fixture.generation.space = &changed;
    assert_false(hash_equal(key, compile_key(&fixture.generation)));
}

/* A kernel that includes a header of its variant's folder. */
static void included_files_count(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct image image;
    fixture_create(&fixture, 86);
    struct space changed = *fixture.space;
    struct kernel_source headers[] = {{"mine.cuh", "constexpr int mine = 1;\n"},
                                      {"other.cuh", "constexpr int other = 1;\n"}};
    changed.kernel.text = arena_print(
        arena, "#include \"mine.cuh\"\nstatic_assert(mine > 0, \"\");\n%s", changed.kernel.text);
    changed.headers = headers;
    changed.header_count = 2;
    fixture.generation.space = &changed;
    CHECK_OK(compile_here(&fixture.generation, arena, &image, NULL, &diagnostic));
    struct hash key = compile_key(&fixture.generation);
    headers[1].text = "constexpr int other = 2;\n";
    assert_true(hash_equal(key, compile_key(&fixture.generation)));
    headers[0].text = "constexpr int mine = 2;\n";
    assert_false(hash_equal(key, compile_key(&fixture.generation)));
}

/* ---- Mistakes ---- */

static void mistakes_are_named_with_their_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *words;
    } mistakes[] = {
        {"int broken = ;\n", "ops/rmsnorm/rmsnorm_cuda.cu(1): error"},
        {"#include \"missing.cuh\"\n", "ops/rmsnorm/rmsnorm_cuda.cu(1): catastrophic error"},
        {"#include \"config.cuh\"\nstatic_assert(vector == 3, \"only threes\");\n",
         "ops/rmsnorm/rmsnorm_cuda.cu(2): error: static assertion failed with \"only threes\""},
        {"extern \"C\" __global__ void rmsnorm(int *x) { asm(\"wrong.b32 %0;\" :: \"r\"(x[0])); "
         "}\n",
         "ops/rmsnorm/rmsnorm_cuda.cu: ptxas"},
        {"extern \"C\" __global__ void other(int *x) { *x = 1; }\n", "a kernel is not in it"},
    };
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    fixture_create(&fixture, 86);
    struct space changed = *fixture.space;
    fixture.generation.space = &changed;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct image image;
        struct listing listing = {0};
        changed.kernel.text = mistakes[i].text;
        CHECK_REFUSED(compile_here(&fixture.generation, arena, &image, &listing, &diagnostic),
                      STATUS_COMPILE, mistakes[i].words);
    }
    changed.kernel.text = NULL;
    struct image image;
    CHECK_REFUSED(compile_here(&fixture.generation, arena, &image, NULL, &diagnostic),
                  STATUS_NOT_FOUND, "there is no rmsnorm_cuda.cu");
}

static void other_cards_are_handled(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct image image;
    struct listing listing = {0};
    fixture_create(&fixture, 61);
    if (strcmp(compile_identity(TARGET_CUDA), "nvrtc 13.0") == 0)
        CHECK_REFUSED(compile_here(&fixture.generation, arena, &image, &listing, &diagnostic),
                      STATUS_UNSUPPORTED, "compiles for sm_75 and newer, not for sm_61");
    /* Newer than any that NVRTC knows: PTX alone. */
    fixture_create(&fixture, 86);
    fixture.facts.values[FACT_sm] = 990;
    CHECK_OK(compile_here(&fixture.generation, arena, &image, &listing, &diagnostic));
    assert_int_equal(image.text_offset, 0);
    assert_non_null(strstr(image.code, ".entry rmsnorm"));
    /* A config that the variant's rules forbid. */
    fixture_create(&fixture, 86);
    CHECK_OK(config_parse(fixture.space, "threads_per_row=8 rows_per_block=1 vector=4",
                          &fixture.config, &diagnostic));
    CHECK_REFUSED(compile_here(&fixture.generation, arena, &image, NULL, &diagnostic),
                  STATUS_UNSUPPORTED, "a block has a warp at least");
}

static void a_missing_compiler_is_named(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct image image;
    fixture_create(&fixture, 86);
    setenv("HONE_NVRTC", "/nowhere/libnvrtc.so.13", 1);
    CHECK_REFUSED(compile_here(&fixture.generation, arena, &image, NULL, &diagnostic),
                  STATUS_COMPILE, "HONE_NVRTC: /nowhere/libnvrtc.so.13");
    CHECK_TEXT(compile_identity(TARGET_CUDA), "none");
    setenv("HONE_NVRTC", "libm.so.6", 1);
    CHECK_REFUSED(compile_here(&fixture.generation, arena, &image, NULL, &diagnostic),
                  STATUS_COMPILE, "libm.so.6 is no NVRTC that Hone can use");
    unsetenv("HONE_NVRTC");
}

/* ---- Hostile input ---- */

static void damaged_cubins_are_read_without_harm(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct image image;
    struct kernel_resources resources = {0};
    fixture_create(&fixture, 86);
    CHECK_OK(compile_here(&fixture.generation, arena, &image, NULL, &diagnostic));
    size_t byte_count = (size_t)image.text_offset, refused = 0;
    CHECK_OK(cubin_read(image.code, byte_count, "rmsnorm", &resources, &diagnostic));
    CHECK_REFUSED(cubin_read(image.code, byte_count, "norm", &resources, &diagnostic),
                  STATUS_COMPILE, "a kernel is not in it");
    struct arena *scratch = arena_create(0);
    for (size_t length = 0; length < byte_count; length += length < 4096 ? 1 : 61) {
        char *copy = arena_copy(scratch, image.code, length);
        refused += cubin_read(copy, length, "rmsnorm", &resources, &diagnostic) != STATUS_OK;
        diagnostic = (struct diagnostic){0};
        arena_reset(scratch);
    }
    for (int change = 0; change < 20000; change++) {
        unsigned char *copy = arena_copy(scratch, image.code, byte_count);
        for (int i = 0; i < 1 + change % 4; i++)
            copy[random_bits(12, (uint64_t)i, (uint64_t)change) % byte_count] =
                (unsigned char)random_bits(13, (uint64_t)i, (uint64_t)change);
        refused += cubin_read(copy, byte_count, "rmsnorm", &resources, &diagnostic) != STATUS_OK;
        diagnostic = (struct diagnostic){0};
        arena_reset(scratch);
    }
    assert_true(refused > 1000);
    arena_destroy(scratch);
}

static void logs_are_read(void **unused)
{
    (void)unused;
    static const char log[] =
        "ptxas info    : Function properties for other\n"
        "    16 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
        "ptxas info    : Function properties for dot\n"
        "    32 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads\n";
    assert_int_equal(log_spilled_bytes(log, "dot"), 12);
    assert_int_equal(log_spilled_bytes(log, "other"), 4);
    assert_int_equal(log_spilled_bytes(log, "do"), 0);
    assert_int_equal(log_spilled_bytes("Function properties for dot", "dot"), 0);
    assert_int_equal(log_spilled_bytes("Function properties for dot\n 1 bytes", "dot"), 0);
    assert_int_equal(log_spilled_bytes("", "dot"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_compiles_for_every_architecture),
        cmocka_unit_test(equal_inputs_give_equal_bytes),
        cmocka_unit_test(keys_follow_what_is_compiled),
        cmocka_unit_test(included_files_count),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(other_cards_are_handled),
        cmocka_unit_test(a_missing_compiler_is_named),
        cmocka_unit_test(damaged_cubins_are_read_without_harm),
        cmocka_unit_test(logs_are_read),
    };
    if (strcmp(nvrtc_identity(), "none") == 0) {
        print_message("skipped: NVRTC is not here, so no CUDA kernel can be compiled\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

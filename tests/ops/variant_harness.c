/* Compiling, placing operands at the ends of pages, running in pieces. */
#include "tests/ops/variant_harness.h"

#include "base/memory.h"
#include "base/random.h"
#include "codegen/compile.h"
#include "ops/catalogue.h"
#include "runtime/cpu_facts.h"
#include "tests/check.h"
#include "tests/cpu/amx_harness.h"
#include "tests/ops/device_harness.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REGIONS_MAX = OP_OPERANDS_MAX + IMAGE_WORKSPACES_MAX, POISON_BYTE = 0xff };

static uint64_t draw(uint64_t *draws, uint64_t limit)
{
    return random_bits(5, 0, (*draws)++) % limit;
}

/* ---- Memory that faults behind its end ---- */

struct region {
    char *pages, *start;
    size_t page_bytes, byte_count;
};

struct placement {
    struct region regions[REGIONS_MAX];
    int region_count;
    void *operands[OP_OPERANDS_MAX], *workspaces[IMAGE_WORKSPACES_MAX];
};

static struct region *place(struct placement *placement, int64_t bytes, size_t alignment)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = ((size_t)bytes + page - 1) / page * page + page;
    struct region *region = &placement->regions[placement->region_count++];
    region->byte_count = (size_t)bytes;
    region->page_bytes = inside + page;
    region->pages =
        mmap(NULL, region->page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(region->pages != MAP_FAILED);
    assert_int_equal(mprotect(region->pages + inside, page, PROT_NONE), 0);
    region->start = region->pages + (inside - region->byte_count) / alignment * alignment;
    memset(region->pages, POISON_BYTE, inside);
    return region;
}

static void unplace(struct placement *placement)
{
    for (int i = 0; i < placement->region_count; i++)
        munmap(placement->regions[i].pages, placement->regions[i].page_bytes);
}

/* What lies before the operand is still as it was. */
static status check_before(const struct region *region, int operand, struct diagnostic *diagnostic)
{
    for (const char *at = region->pages; at < region->start; at++)
        if ((unsigned char)*at != POISON_BYTE)
            return fail(diagnostic, STATUS_MISMATCH, "written %ld bytes before operand %d",
                        (long)(region->start - at), operand);
    return STATUS_OK;
}

/* ---- Running ---- */

static void run_launch(const struct image_run *run, const struct op_trial *trial,
                       const struct placement *placement, const char *code,
                       const struct launch *launch)
{
    void *pointers[LAUNCH_ARGUMENTS_MAX];
    for (int a = 0; a < launch->argument_count; a++)
        pointers[a] = launch->arguments[a].kind == ARGUMENT_OPERAND
                          ? placement->operands[launch->arguments[a].index]
                          : placement->workspaces[launch->arguments[a].index];
    const int64_t integers[KERNEL_INTEGER_COUNT] = {
        [KERNEL_ROWS] = trial->run.symbols[SYMBOL_ROWS],
        [KERNEL_CONTEXT] = trial->run.context,
        [KERNEL_STRIDE] = trial->run.symbols[SYMBOL_STRIDE],
        [KERNEL_SEQUENCES] = trial->run.symbols[SYMBOL_SEQUENCES],
    };
    int64_t unit = launch->geometry.unit;
    int64_t items = launch_items(launch, trial->run.symbols[SYMBOL_ROWS]);
    kernel_function *kernel;
    const void *entry = code + launch->offset;
    memcpy(&kernel, &entry, sizeof kernel);
    /* From the last piece to the first: no piece may count on the one before it. */
    for (int64_t units = (items + unit - 1) / unit, end = units; end > 0;) {
        int64_t begin = end - 1 - (int64_t)draw(run->draws, 9);
        if (begin < 0 || draw(run->draws, 8) == 0) begin = 0;
        kernel(pointers, integers, begin * unit, end == units ? items : end * unit);
        end = begin;
    }
}

static status run_placed(const struct image_run *run, const struct op_trial *trial,
                         struct placement *placement, struct diagnostic *diagnostic)
{
    const struct image *image = run->image;
    void *code;
    TRY(memory_map_code(image->code, (size_t)image->code_bytes, &code, diagnostic));
    for (int l = 0; l < image->launch_count; l++)
        run_launch(run, trial, placement, code, &image->launches[l]);
    memory_unmap(code, (size_t)image->code_bytes);
    for (int i = 0, r = 0; i < trial->count; i++) {
        if (!trial->operands[i]) continue;
        TRY(check_before(&placement->regions[r++], i, diagnostic));
        memcpy(trial->operands[i], placement->operands[i], (size_t)trial->bytes[i]);
    }
    return STATUS_OK;
}

status image_run(void *context, const struct op_trial *trial, struct diagnostic *diagnostic)
{
    const struct image_run *run = context;
    struct placement placement = {0};
    for (int i = 0; i < trial->count; i++) {
        if (!trial->operands[i]) continue;
        placement.operands[i] = place(&placement, trial->bytes[i], 1)->start;
        memcpy(placement.operands[i], trial->operands[i], (size_t)trial->bytes[i]);
    }
    for (int w = 0; w < run->image->workspace_count; w++) {
        const struct workspace *workspace = &run->image->workspaces[w];
        int64_t bytes = workspace->per_row_bytes * trial->problem->rows + workspace->fixed_bytes;
        struct region *region = place(&placement, bytes, 64);
        placement.workspaces[w] = region->start;
        if (workspace->zeroed) memset(region->start, 0, region->byte_count);
    }
    status result = run_placed(run, trial, &placement, diagnostic);
    unplace(&placement);
    return result;
}

/* ---- Judging ---- */

/* Of what is exact: a few roundings of f32, relative to the largest output.  Of what rounds
 * activations: a few of these roundings. */
static const double exact_bound = 1e-5, roundings = 4;

/* To bytes, half a step of 127, over sums of products. */
const double variant_rounded_bound = 2e-2;

/* Where two sums are multiplied with each other, the roundings of both count. */
static int sums_of(const struct problem *problem)
{
    return strstr(problem->op->name, "gated") ? 2 : 1;
}

static float largest_of(const float *values, int64_t count)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i])) largest = fmaxf(largest, fabsf(values[i]));
    return largest;
}

status variant_judge_unit(void *context, const struct space *space, const struct op_trial *trial,
                          struct diagnostic *diagnostic)
{
    (void)context;
    const double unit =
        sums_of(trial->problem) * fmax(exact_bound, roundings * space->numerics.operand_unit);
    for (int o = trial->problem->input_count; o < trial->count; o++) {
        if (!trial->bytes[o] || trial->problem->operands[o].type.element != ELEMENT_F32) continue;
        const float *got = trial->operands[o], *expected = trial->expected[o];
        int64_t count = trial->bytes[o] / (int64_t)sizeof(float);
        double bound = unit * (double)largest_of(expected, count);
        for (int64_t i = 0; i < count; i++)
            if (isnan(expected[i]) != isnan(got[i]) ||
                fabs((double)got[i] - (double)expected[i]) > bound)
                return fail(diagnostic, STATUS_MISMATCH, "output %d: element %lld is %g, not %g", o,
                            (long long)i, (double)got[i], (double)expected[i]);
    }
    return STATUS_OK;
}

/* ---- Checking ---- */

static void create_check(struct variant_check *check, int samples)
{
    struct diagnostic diagnostic = {0};
    const char *wanted = getenv("HONE_TEST_SAMPLES");
    *check = (struct variant_check){.samples = wanted ? atoi(wanted) : samples};
    check->arena = arena_create(0);
    CHECK_OK(catalogue_read(NULL, check->arena, &check->catalogue, &diagnostic));
}

void variant_check_create(struct variant_check *check, int samples)
{
    static const char *const names[] = {"native", "x86-64-v4", "x86-64-v3", "x86-64-v2",
                                        "portable"};
    struct diagnostic diagnostic = {0};
    create_check(check, samples);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct device_facts *facts = &check->levels[check->level_count];
        if (cpu_facts_read(names[i], check->arena, facts, &diagnostic) == STATUS_OK)
            check->level_count++;
        else
            print_message("left out: %s\n", diagnostic.text);
        diagnostic = (struct diagnostic){0};
    }
    assert_true(check->level_count > 0);
    if (check->levels[0].values[FACT_has_amx] > 0) {
        assert_int_equal(amx_harness_open(), AMX_REAL);
    } else if (amx_harness_facts(check->arena, &check->levels[check->level_count])) {
        check->trapped_level = check->level_count++;
    }
}

bool variant_check_open(struct variant_check *check, int samples, const char *list)
{
    struct device **devices;
    int count;
    create_check(check, samples);
    if (!device_harness_open(list, check->arena, &devices, &count)) {
        arena_destroy(check->arena);
        return false;
    }
    assert_in_range(count, 1, VARIANT_LEVELS_MAX);
    for (check->level_count = 0; check->level_count < count; check->level_count++) {
        check->devices[check->level_count] = devices[check->level_count];
        check->levels[check->level_count] = *device_facts(devices[check->level_count]);
    }
    return true;
}

void variant_check_destroy(struct variant_check *check)
{
    for (int level = 0; level < check->level_count; level++) device_close(check->devices[level]);
    print_message("%d kernels compiled, run and compared, %d of them with AMX in software\n",
                  check->tried, check->trapped);
    arena_destroy(check->arena);
}

static status run_image(struct variant_check *check, struct device *device,
                        const struct image *image, struct op_trial *trial, double bound,
                        struct diagnostic *diagnostic)
{
    struct image_run run = {image, &check->draws};
    struct device_image_run device_run = {device, image};
    return device ? op_trial_check(trial, device_image_run, &device_run, bound, diagnostic)
                  : op_trial_check(trial, image_run, &run, bound, diagnostic);
}

/* Rounding a single operand may cost as much. */
static double bound_for(const struct generation *generation, double bound)
{
    double unit = generation->space->numerics.operand_unit;
    bound *= sums_of(generation->problem);
    return bound > 0 && unit > bound ? unit : bound;
}

void variant_check_image(struct variant_check *check, int level,
                         const struct generation *generation, struct op_trial *trial,
                         const struct image *image, double bound, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    struct text text = {.arena = arena};
    status result = diagnostic->code;
    bound = bound_for(generation, bound);
    if (image) result = run_image(check, check->devices[level], image, trial, bound, diagnostic);
    if (result == STATUS_OK && check->judge)
        result = check->judge(check->judge_context, generation->space, trial, diagnostic);
    config_print(generation->space, generation->config, &text);
    if (result != STATUS_OK)
        CHECK_FAIL("%s %s on %s, rows %lld of %s: %s", generation->space->variant,
                   text_finish(&text), generation->facts->class_name,
                   (long long)trial->run.symbols[SYMBOL_ROWS], generation->problem->text,
                   diagnostic->text);
    check->tried++;
    check->trapped += level > 0 && level == check->trapped_level;
    arena_destroy(arena);
}

static void check_config(struct variant_check *check, const struct generation *generation,
                         int level, struct op_trial *trial, double bound)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct image image;
    status code = compile_here(generation, arena, &image, NULL, &diagnostic);
    variant_check_image(check, level, generation, trial, code == STATUS_OK ? &image : NULL, bound,
                        &diagnostic);
    arena_destroy(arena);
}

/* The default and sampled configs of one variant; false when it does not answer the problem. */
static bool check_variant(struct variant_check *check, const struct space *space, int level,
                          struct op_trial *trial, double bound)
{
    const struct device_facts *facts = &check->levels[level];
    struct arena *arena = arena_create(0);
    struct bound_space bound_space;
    struct config config;
    const char *reason;
    bool answers =
        space->target == facts->target &&
        !(level > 0 && level == check->trapped_level &&
          space_bind(space, trial->problem, &check->levels[0], arena, &bound_space, &reason)) &&
        space_bind(space, trial->problem, facts, arena, &bound_space, &reason);
    struct generation generation = {space, trial->problem, &config, facts};
    int samples = answers && space_count(&bound_space) > 1 ? check->samples : 0;
    for (int i = 0; answers && i <= samples; i++) {
        if (i == 0)
            space_default(&bound_space, &config);
        else
            assert_true(space_unrank(&bound_space, draw(&check->draws, space_count(&bound_space)),
                                     &config));
        check_config(check, &generation, level, trial, bound);
    }
    arena_destroy(arena);
    return answers;
}

bool variant_check_one(struct variant_check *check, int level, const char *variant,
                       struct op_trial *trial, double bound)
{
    const struct space *space = catalogue_find(&check->catalogue, variant);
    assert_non_null(space);
    return check_variant(check, space, level, trial, bound);
}

bool variant_check_config(struct variant_check *check, int level, const char *variant,
                          const char *text, struct op_trial *trial, double bound)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    const struct device_facts *facts = &check->levels[level];
    struct bound_space bound_space;
    struct config config;
    const char *reason;
    const struct space *space = catalogue_find(&check->catalogue, variant);
    assert_non_null(space);
    CHECK_OK(config_parse(space, text, &config, &diagnostic));
    bool legal =
        space_bind_config(space, trial->problem, facts, &config, arena, &bound_space, &reason);
    struct generation generation = {space, trial->problem, &config, facts};
    if (legal)
        check_config(check, &generation, level, trial, bound);
    else
        print_message("%s %s on %s: %s: %s\n", variant, text, facts->class_name,
                      trial->problem->text, reason);
    arena_destroy(arena);
    return legal;
}

int variant_check_trial(struct variant_check *check, struct op_trial *trial, double bound)
{
    int answers = 0;
    int turn = check->takes_turns ? (int)(check->draws % (uint64_t)check->level_count) : -1;
    /* The level in software runs nothing but what needs it: this machine's own takes its turn too. */
    bool both = turn > 0 && turn == check->trapped_level;
    for (int level = 0; level < check->level_count; level++) {
        bool takes_part = turn < 0 || turn == level || (both && level == 0);
        for (int s = 0; s < check->catalogue.count && takes_part; s++)
            answers += check_variant(check, check->catalogue.spaces[s], level, trial, bound);
    }
    return answers;
}

void variant_renew_trial(struct op_trial *trial)
{
    const struct problem *problem = trial->problem;
    op_trial_reset(trial);
    problem->op->reference(problem, &trial->run, trial->operands, 0, op_trial_items(trial));
    for (int i = 0; i < trial->count; i++)
        if (trial->bytes[i] && op_trial_written(trial, i))
            memcpy(trial->expected[i], trial->operands[i], (size_t)trial->bytes[i]);
}

void variant_stray_trial(struct op_trial *trial)
{
    for (int i = 0; i < trial->problem->input_count; i++) {
        const char *name = trial->problem->op->inputs[i].name;
        int32_t *values = trial->originals[i];
        int64_t count = trial->bytes[i] / (int64_t)sizeof *values;
        if (strcmp(name, "experts") == 0)
            for (int64_t v = 0; v < count; v += 5) values[v] = v % 2 ? -1 : INT32_MAX;
        if (strcmp(name, "offsets") == 0)
            for (int64_t v = 0, end = values[count - 1] * 2 / 3; v < count; v++)
                if (values[v] > end) values[v] = (int32_t)end;
    }
    variant_renew_trial(trial);
}

float variant_e2m1_number(uint64_t bits)
{
    static const float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    float magnitude = magnitudes[bits >> 1 & 7];
    return bits & 1 ? -magnitude : magnitude;
}

void variant_narrow_trial(struct op_trial *trial)
{
    float *x = trial->originals[0];
    for (int64_t i = 0; i < trial->bytes[0] / (int64_t)sizeof *x; i++) {
        uint64_t bits = random_bits(trial->seed, 78, (uint64_t)i) | (i % 16 == 5 ? 14 : 0);
        x[i] = ldexpf(variant_e2m1_number(bits), (int)(i / 16 % 3));
    }
    variant_renew_trial(trial);
}

/* Every other time, bounds above what the step has: what a bucket's kernels meet. */
void variant_check_case(struct variant_check *check, const char *text, const struct op_step *step,
                        double bound)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct problem *problem;
    struct op_trial *trial;
    uint64_t slack = draw(&check->draws, 2);
    int64_t rows = step->rows + (int64_t)(slack * draw(&check->draws, (uint64_t)step->rows));
    int64_t context =
        step->context + (int64_t)(slack * draw(&check->draws, (uint64_t)step->context + 1));
    CHECK_OK(op_case_problem(text, rows, context, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, step, ++check->draws, arena, &trial, &diagnostic));
    if (!variant_check_trial(check, trial, bound))
        CHECK_FAIL("no variant answers %s", problem->text);
    arena_destroy(arena);
}

void variant_check_table(struct variant_check *check, const struct op_case *table,
                         const char *prefix, double bound)
{
    for (const struct op_case *row = table; row->text; row++) {
        if (strncmp(row->text, prefix, strlen(prefix)) != 0) continue;
        for (const int64_t *rows = op_case_rows; *rows; rows++) {
            if (row->rows_most && *rows > row->rows_most) continue;
            struct op_step step = {*rows, row->context, row->sequences};
            variant_check_case(check, row->text, &step, bound);
        }
    }
}

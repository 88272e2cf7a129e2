/* Every CPU variant of linear, linear_group and linear_gated against sums in double: all element
 * types, odd shapes, sampled configs, every --cpu level that this machine runs.
 *
 * Operands end where their pages end, so a kernel that reads or writes past one of them faults;
 * outputs are poisoned. Work items are handed out in uneven pieces.  Natively each type meets
 * each operator, at the other levels one of them; variants for AMX are tried on every x86-64
 * processor, in software where it has no tiles (tests/cpu/amx_harness.h); HONE_TEST_SAMPLES=N takes N shapes each instead of
 * one. */
#include "base/memory.h"
#include "base/random.h"
#include "codegen/compile.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "runtime/cpu_facts.h"
#include "tests/check.h"
#include "tests/cpu/amx_harness.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

static const int64_t row_counts[] = {1, 2, 3, 16, 17, 255};
static const int64_t output_counts[] = {1, 3, 33, 64, 100};
static const int64_t block_columns[] = {32, 64, 96, 2048};
static const int64_t plain_columns[] = {1, 32, 67, 100, 2048};
static const int64_t super_columns[] = {256, 512, 768, 2304};
static const char *const operators[] = {"linear", "linear_group", "linear_gated"};
static const char *const levels[] = {"native", "x86-64-v4", "x86-64-v3", "x86-64-v2", "portable"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t draws;

static uint64_t draw(uint64_t limit)
{
    return random_bits(7, 0, draws++) % limit;
}

/* ---- Memory that faults behind its end ---- */

struct region {
    void *pages;
    size_t page_bytes;
};

struct fixture {
    struct arena *arena;
    struct problem *problem;
    const struct device_facts *facts;
    void *operands[OP_OPERANDS_MAX];
    float *values[OP_OPERANDS_MAX]; /* decoded inputs */
    struct region regions[OP_OPERANDS_MAX + IMAGE_WORKSPACES_MAX];
    int region_count;
};

static void *allocate_region(struct fixture *fixture, int64_t bytes, int64_t alignment)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = ((size_t)bytes + page - 1) / page * page;
    struct region region = {.page_bytes = inside + page};
    region.pages =
        mmap(NULL, region.page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(region.pages != MAP_FAILED);
    assert_int_equal(mprotect((char *)region.pages + inside, page, PROT_NONE), 0);
    fixture->regions[fixture->region_count++] = region;
    uintptr_t start = (uintptr_t)region.pages + inside - (size_t)bytes;
    return (void *)(start / (uintptr_t)alignment * (uintptr_t)alignment);
}

static void free_regions(struct fixture *fixture, int keep)
{
    while (fixture->region_count > keep) {
        struct region *region = &fixture->regions[--fixture->region_count];
        munmap(region->pages, region->page_bytes);
    }
}

/* ---- Problems ---- */

static const char *problem_text(struct arena *arena, const char *operator, enum element_type type,
                                int64_t rows, int64_t n, int64_t k)
{
    const char *e = element_of(type)->name;
    bool bias = draw(2), residual = draw(2), third = draw(2);
    int64_t n1 = n > 8 ? n / 8 : n, n2 = n > 5 ? n / 5 : n;
    if (strcmp(operator, "linear") == 0)
        return arena_print(arena,
                           "linear(f32[rows,%ld], %s[%ld,%ld], %s, %s) -> f32[rows,%ld] rows<=%ld "
                           "context<=0",
                           k, e, n, k, bias ? arena_print(arena, "f32[%ld]", n) : "_",
                           residual ? arena_print(arena, "f32[rows,%ld]", n) : "_", n, rows);
    if (strcmp(operator, "linear_gated") == 0)
        return arena_print(arena,
                           "linear_gated(f32[rows,%ld], %s[%ld,%ld], %s[%ld,%ld]) -> f32[rows,%ld] "
                           "{activation=%s} rows<=%ld context<=0",
                           k, e, n, k, e, n, k, n,
                           (const char *[]){"silu", "gelu_tanh", "gelu"}[draw(3)], rows);
    return arena_print(arena,
                       "linear_group(f32[rows,%ld], %s[%ld,%ld], %s[%ld,%ld], %s, %s, _, _) -> "
                       "f32[rows,%ld], f32[rows,%ld]%s rows<=%ld context<=0",
                       k, e, n, k, e, n1, k,
                       third ? arena_print(arena, "%s[%ld,%ld]", e, n2, k) : "_",
                       bias ? arena_print(arena, "f32[%ld]", n) : "_", n, n1,
                       third ? arena_print(arena, ", f32[rows,%ld]", n2) : ", _", rows);
}

static void fill_inputs(struct fixture *fixture)
{
    const struct problem *problem = fixture->problem;
    for (int i = 0; i < problem->input_count + problem->output_count; i++) {
        if (!problem->operands[i].present) continue;
        int64_t bytes = problem_operand_bytes(problem, i);
        fixture->operands[i] = allocate_region(fixture, bytes, 1);
        if (i >= problem->input_count) continue;
        int64_t symbols[SYMBOL_COUNT];
        problem_symbols(problem, symbols);
        enum element_type type = problem->operands[i].type.element;
        int64_t count = tensor_elements(&problem->operands[i].type, symbols);
        int64_t columns = tensor_columns(&problem->operands[i].type);
        float *values = arena_allocate(fixture->arena, (size_t)count, sizeof *values);
        for (int64_t j = 0; j < count; j++)
            values[j] = (float)random_normal(3, (uint64_t)i, (uint64_t)j);
        for (int64_t row = 0; row < count / columns; row++) {
            char *to = (char *)fixture->operands[i] + row * element_row_bytes(type, columns);
            element_encode_row(type, values + row * columns, columns, to);
            element_decode_row(type, to, columns, values + row * columns);
        }
        fixture->values[i] = values;
    }
}

/* ---- What is right ---- */

struct sum {
    double value,
        magnitude; /* and the sum of the terms' magnitudes, to which errors are relative */
};

/* `block`: activations rounded together err in proportion to the largest of them. */
static struct sum dot(const struct fixture *fixture, int weight, int64_t row, int64_t output,
                      int block)
{
    int64_t columns = problem_dimension(fixture->problem, 0, 1);
    const float *x = fixture->values[0] + row * columns;
    const float *w = fixture->values[weight] + output * columns;
    struct sum sum = {0, 0};
    for (int64_t k = 0; k < columns; k++) {
        double largest = 0;
        for (int64_t j = k / block * block; j < columns && j < (k / block + 1) * block; j++)
            largest = fmax(largest, fabs(x[j]));
        sum.value += (double)x[k] * w[k];
        sum.magnitude += largest * fabs(w[k]);
    }
    return sum;
}

static double activate(const struct problem *problem, double x)
{
    switch (problem->attributes[attribute_by_name(problem->op, "activation")].integer) {
    case 0: return x / (1 + exp(-x));
    case 1: return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    default: return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    }
}

static double added(const struct fixture *fixture, int operand, int64_t at)
{
    return fixture->values[operand] ? fixture->values[operand][at] : 0;
}

/* Output `matrix`, element (row, output), and its allowed error. */
static struct sum expected(const struct fixture *fixture, int matrix, int64_t row, int64_t output,
                           double relative, int block)
{
    const struct problem *problem = fixture->problem;
    struct sum sum = dot(fixture, 1 + matrix, row, output, block);
    double error = relative * sum.magnitude;
    if (strcmp(problem->op->name, "linear_gated") == 0) {
        struct sum up = dot(fixture, 2, row, output, block);
        double gate = activate(problem, sum.value); /* slopes stay below 1.13 */
        error = 1.13 * error * (fabs(up.value) + relative * up.magnitude) +
                fabs(gate) * relative * up.magnitude + 1e-6 * fabs(gate * up.value);
        return (struct sum){gate * up.value, error};
    }
    double bias, residual = 0;
    if (strcmp(problem->op->name, "linear_group") == 0) {
        bias = added(fixture, 4 + matrix, output);
    } else {
        int64_t columns = problem_dimension(problem, problem->input_count, 1);
        bias = added(fixture, 2, output);
        residual = added(fixture, 3, row * columns + output);
    }
    error += 2e-7 * (fabs(sum.value) + fabs(bias) + fabs(residual)); /* three roundings to float */
    return (struct sum){sum.value + bias + residual, error};
}

static void check_outputs(const struct fixture *fixture, const struct space *space,
                          const char *config)
{
    const struct problem *problem = fixture->problem;
    int64_t columns = problem_dimension(problem, 0, 1);
    struct error_bound bound = error_bound_of(&space->numerics, (double)columns, ELEMENT_F32);
    for (int o = 0; o < problem->output_count; o++) {
        int operand = problem->input_count + o;
        if (!problem->operands[operand].present) continue;
        const float *y = fixture->operands[operand];
        int64_t n = problem_dimension(problem, operand, 1);
        /* All of small outputs, a sample of large ones. */
        int64_t total = problem->rows * n, step = total > 3000 ? total / 1500 | 1 : 1;
        for (int64_t at = 0; at < total; at += step) {
            struct sum right =
                expected(fixture, o, at / n, at % n, bound.relative, space->numerics.operand_block);
            double error = fabs(y[at] - right.value);
            if (!(error <= right.magnitude))
                CHECK_FAIL(
                    "%s %s on %s, %s: output %d [%ld,%ld] is %g, not %g (error %g, allowed %g)",
                    space->variant, config, fixture->facts->class_name, problem->text, o, at / n,
                    at % n, (double)y[at], right.value, error, right.magnitude);
        }
    }
}

/* ---- Running ---- */

static void run_launch(struct fixture *fixture, const struct image *image, const char *code,
                       const struct launch *launch, void *const *workspaces)
{
    void *pointers[LAUNCH_ARGUMENTS_MAX];
    for (int a = 0; a < launch->argument_count; a++)
        pointers[a] = launch->arguments[a].kind == ARGUMENT_OPERAND
                          ? fixture->operands[launch->arguments[a].index]
                          : workspaces[launch->arguments[a].index];
    int64_t integers[KERNEL_INTEGER_COUNT] = {fixture->problem->rows, 0, 0, 0};
    int64_t items = launch_items(launch, fixture->problem->rows), unit = launch->geometry.unit;
    assert_true(unit >= 1 && image->code_bytes > launch->offset && launch->offset >= 0);
    kernel_function *kernel;
    const void *entry = code + launch->offset;
    memcpy(&kernel, &entry, sizeof kernel);
    for (int64_t begin = 0; begin < items;) {
        int64_t end = begin + (int64_t)(1 + draw(7)) * unit;
        if (end > items || draw(4) == 0) end = items;
        kernel(pointers, integers, begin, end);
        begin = end;
    }
}

static void run_image(struct fixture *fixture, const struct image *image)
{
    struct diagnostic diagnostic = {0};
    const struct problem *problem = fixture->problem;
    void *code, *workspaces[IMAGE_WORKSPACES_MAX];
    int kept = fixture->region_count;
    for (int w = 0; w < image->workspace_count; w++)
        workspaces[w] = allocate_region(fixture,
                                        image->workspaces[w].per_row_bytes * problem->rows +
                                            image->workspaces[w].fixed_bytes,
                                        64);
    for (int o = problem->input_count; o < problem->input_count + problem->output_count; o++)
        if (problem->operands[o].present)
            memset(fixture->operands[o], 0xff, (size_t)problem_operand_bytes(problem, o));
    CHECK_OK(memory_map_code(image->code, (size_t)image->code_bytes, &code, &diagnostic));
    for (int l = 0; l < image->launch_count; l++)
        run_launch(fixture, image, code, &image->launches[l], workspaces);
    memory_unmap(code, (size_t)image->code_bytes);
    free_regions(fixture, kept);
}

static void try_config(struct fixture *fixture, const struct space *space,
                       const struct config *config)
{
    struct diagnostic diagnostic = {0};
    struct text text = {.arena = fixture->arena};
    config_print(space, config, &text);
    struct generation generation = {space, fixture->problem, config, fixture->facts};
    struct image image;
    if (compile_here(&generation, fixture->arena, &image, NULL, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s %s on %s, %s: %s", space->variant, text_finish(&text),
                   fixture->facts->class_name, fixture->problem->text, diagnostic.text);
    run_image(fixture, &image);
    check_outputs(fixture, space, text_finish(&text));
}

/* One config of every variant that answers the problem, but for those that answer it on a device with these other facts
 * (NULL: of all); the number of variants. */
static int try_variants(struct fixture *fixture, const struct catalogue *catalogue,
                        const struct device_facts *others)
{
    int tried = 0;
    for (int s = 0; s < catalogue->count; s++) {
        struct bound_space bound;
        const char *reason;
        if (catalogue->spaces[s]->target != TARGET_CPU ||
            (others && space_bind(catalogue->spaces[s], fixture->problem, others, fixture->arena,
                                  &bound, &reason)) ||
            !space_bind(catalogue->spaces[s], fixture->problem, fixture->facts, fixture->arena,
                        &bound, &reason))
            continue;
        struct config config;
        if (draw(4) == 0)
            space_default(&bound, &config);
        else
            assert_true(space_unrank(&bound, draw(space_count(&bound)), &config));
        try_config(fixture, catalogue->spaces[s], &config);
        tried++;
    }
    return tried;
}

static int try_shape(const struct catalogue *catalogue, const struct device_facts *facts,
                     const struct device_facts *others, const char *operator,
                     enum element_type type)
{
    struct diagnostic diagnostic = {0};
    struct fixture fixture = {.arena = arena_create(0), .facts = facts};
    int block = element_of(type)->block_elements;
    int64_t rows = row_counts[draw(COUNT(row_counts))];
    int64_t n = output_counts[draw(COUNT(output_counts))];
    int64_t k = block == 1    ? plain_columns[draw(COUNT(plain_columns))]
                : block == 32 ? block_columns[draw(COUNT(block_columns))]
                              : super_columns[draw(COUNT(super_columns))] * block / 256;
    const char *text = problem_text(fixture.arena, operator, type, rows, n, k);
    CHECK_OK(problem_parse(text, op_table(), fixture.arena, &fixture.problem, &diagnostic));
    fill_inputs(&fixture);
    int tried = try_variants(&fixture, catalogue, others);
    free_regions(&fixture, 0);
    arena_destroy(fixture.arena);
    return tried;
}

static void variants_agree_with_sums_in_double(void **state)
{
    (void)state;
    (void)amx_harness_open(); /* asks for the tiles that the processor has */
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct catalogue catalogue;
    CHECK_OK(catalogue_read(NULL, arena, &catalogue, &diagnostic));
    const char *samples = getenv("HONE_TEST_SAMPLES");
    int shapes = samples ? atoi(samples) : 1, tried = 0;
    for (size_t level = 0; level < COUNT(levels); level++) {
        struct device_facts facts;
        if (cpu_facts_read(levels[level], arena, &facts, &diagnostic) != STATUS_OK) {
            print_message("skipped: %s\n", diagnostic.text);
            diagnostic = (struct diagnostic){0};
            continue;
        }
        for (enum element_type t = 0; t < ELEMENT_COUNT; t++) {
            if (t == ELEMENT_I8 || t == ELEMENT_I32) continue;
            int count = shapes * (level ? 1 : (int)COUNT(operators));
            for (int i = 0; i < count; i++)
                tried += try_shape(
                    &catalogue, &facts, NULL,
                    operators[level ? draw(COUNT(operators)) : (size_t)i % COUNT(operators)], t);
        }
    }
    print_message("%d kernels compiled, run and compared\n", tried);
    assert_true(tried >= 80 * shapes);
    arena_destroy(arena);
}

/* Every type meets every operator. */
static void variants_for_amx_agree_with_sums_in_double(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct catalogue catalogue;
    struct device_facts facts, native;
    int tried = 0;
    CHECK_OK(catalogue_read(NULL, arena, &catalogue, &diagnostic));
    CHECK_OK(cpu_facts_read(NULL, arena, &native, &diagnostic));
    bool trapped = !(native.values[FACT_has_amx] > 0) && amx_harness_facts(arena, &facts);
    for (enum element_type t = 0; trapped && t < ELEMENT_COUNT; t++)
        for (size_t i = 0; i < COUNT(operators) && t != ELEMENT_I8 && t != ELEMENT_I32; i++)
            tried += try_shape(&catalogue, &facts, &native, operators[i], t);
    if (trapped) {
        print_message("%d kernels compiled, run and compared, with %ld instructions of AMX in "
                      "software\n",
                      tried, amx_harness_trapped());
        assert_true(tried > 20 && amx_harness_trapped() > 0);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_agree_with_sums_in_double),
        cmocka_unit_test(variants_for_amx_agree_with_sums_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Recorded spaces in every form: what is written reads back the same, Kernel Tuner's files are read as it writes them, and
 * whatever is broken is one clear error. */
#include "base/file.h"
#include "base/random.h"
#include "engine/space_file.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <math.h>

/* Cut off as Kernel Tuner leaves it: a comma at the end, two brackets open. */
static const char cut_cache[] =
    "{\"device_name\": \"A card\", \"kernel_name\": \"vector_add\", \"problem_size\": [1, 2],\n"
    "\"tune_params_keys\": [\"block\", \"mode\"],\n"
    "\"tune_params\": {\"block\": [64, 128, 32], \"mode\": [\"a b\", \"c,\\\"d\"]},\n"
    "\"cache\": {\n"
    "\"64,a b\": {\"block\": 64, \"mode\": \"a b\", \"time\": 2.5, \"times\": [2.5, 2.4, 2.6], "
    "\"compile_time\": 100.0, \"verification_time\": 1, \"benchmark_time\": 9.0},\n"
    "\"128,a b\": {\"block\": 128, \"mode\": \"a b\", \"time\": \"RuntimeFailedConfig\", "
    "\"compile_time\": 90.5, \"verification_time\": 0, \"benchmark_time\": 0},\n"
    "\"32,c\": {\"block\": 32, \"mode\": \"c,\\\"d\", \"time\": 1.25, \"compile_time\": 80, "
    "\"benchmark_time\": 5, \"verification_time\": 0},\n";

static const char plain_csv[] =
    "# a comment\nx,y,milliseconds,GFLOP/s\n1,p,3.5,7\n2,,2.5,9\n4,q,,\n";

static const char ktt[] =
    "{\"Metadata\": {\"Device\": \"D\", \"TimeUnit\": \"Microseconds\"}, \"Results\": [\n"
    "{\"Configuration\": [{\"Name\": \"X\", \"Value\": 4, \"ValueType\": \"UnsignedInt\"}], "
    "\"KernelName\": \"k\", \"Status\": \"Ok\", \"TotalDuration\": 20.0, \"TotalOverhead\": 900.0, "
    "\"DataMovementOverhead\": 100.0, \"ValidationOverhead\": 10.0},\n"
    "{\"Configuration\": [{\"Name\": \"X\", \"Value\": 8, \"ValueType\": \"UnsignedInt\"}], "
    "\"KernelName\": \"k\", \"Status\": \"ValidationFailed\", \"TotalDuration\": 0.0}]}";

static const char *write_text(struct scratch *scratch, const char *name, const char *bytes,
                              size_t count)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, name);
    CHECK_OK(file_write(path, bytes, count, &diagnostic));
    return path;
}

static struct recorded_space *read_text_file(struct scratch *scratch, const char *text)
{
    struct diagnostic diagnostic = {0};
    struct recorded_space *space;
    const char *path = write_text(scratch, "space", text, strlen(text));
    CHECK_OK(space_file_read(path, scratch->arena, &space, &diagnostic));
    return space;
}

static void a_cache_that_was_cut_off_is_read(void **state)
{
    struct recorded_space *space = read_text_file(*state, cut_cache);
    assert_int_equal(space->parameter_count, 2);
    assert_int_equal(space->config_count, 3);
    CHECK_TEXT(space->parameters[0].texts[0], "32"); /* ascending, whatever the file's order */
    CHECK_TEXT(space->device, "A card");
    assert_int_equal(space->configs[0].sample_count, 3);
    assert_true(fabs(space->configs[0].seconds - 2.5e-3) < 1e-9);
    assert_true(fabs(space->configs[0].compile_seconds - 0.1) < 1e-9);
    assert_true(fabs(space->configs[0].measure_seconds - 0.01) < 1e-9);
    assert_int_equal(space->configs[1].status, RECORD_CRASHED);
    assert_int_equal(space->best, 2);
}

static void other_files_are_read(void **state)
{
    struct recorded_space *space = read_text_file(*state, plain_csv);
    assert_int_equal(space->config_count, 3);
    assert_int_equal(space->configs[1].indices[1], -1);
    assert_true(fabs(space->configs[1].seconds - 2.5e-3) < 1e-9);
    assert_int_equal(space->configs[2].status, RECORD_CRASHED); /* it has no time */
    space = read_text_file(*state, ktt);
    assert_int_equal(space->config_count, 2);
    assert_true(fabs(space->configs[0].seconds - 20e-6) < 1e-12);
    assert_true(fabs(space->configs[0].compile_seconds - 800e-6) < 1e-12);
    assert_int_equal(space->configs[1].status, RECORD_MISMATCH);
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-3 * fmax(fabs(a), fabs(b));
}

static void check_same(const struct recorded_space *a, const struct recorded_space *b,
                       const char *format)
{
    if (a->config_count != b->config_count || a->parameter_count != b->parameter_count)
        CHECK_FAIL("%s: %d configs came back as %d", format, a->config_count, b->config_count);
    for (int c = 0; c < a->config_count; c++) {
        const struct recorded_config *x = &a->configs[c], *y = &b->configs[c];
        bool same = (x->status == RECORD_OK) == (y->status == RECORD_OK) &&
                    is_near(x->seconds, y->seconds) &&
                    is_near(x->compile_seconds, y->compile_seconds) &&
                    is_near(x->measure_seconds, y->measure_seconds);
        for (int p = 0; p < a->parameter_count; p++)
            same = same && strcmp(a->parameters[p].texts[x->indices[p]],
                                  b->parameters[p].texts[y->indices[p]]) == 0;
        if (!same) CHECK_FAIL("%s: config %d is not the same", format, c);
    }
}

static void every_form_reads_back(void **state)
{
    static const char *const formats[] = {"csv", "cache", "t4", "ktt"};
    struct scratch *scratch = *state;
    struct recorded_space *space = read_text_file(scratch, cut_cache), *back;
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "written");
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        CHECK_OK(space_file_write(space, path, formats[f], &diagnostic));
        CHECK_OK(space_file_read(path, scratch->arena, &back, &diagnostic));
        check_same(space, back, formats[f]);
    }
    CHECK_OK(space_file_write(space, path, "t1", &diagnostic));
    CHECK_REFUSED(space_file_read(path, scratch->arena, &back, &diagnostic), STATUS_BAD_INPUT,
                  "neither a cache");
    CHECK_REFUSED(space_file_write(space, path, "xml", &diagnostic), STATUS_USAGE, "'xml'");
}

static void broken_files_are_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "nothing to replay"},
        {"a,b\n1,2\n", "columns of parameters"},
        {"a,seconds\n1\n", ":2: 1 columns"},
        {"a,seconds\n1,fast\n", "'fast' is no time"},
        {"a,seconds\n1,-2\n", "is no time"},
        {"a,a,seconds\n1,1,1\n", "there twice"},
        {"a,seconds\n\"1,2\n", "not closed"},
        {"a,status,seconds\n1,good,2\n", "'good' is no status"},
        {"a,samples_us\n1,1 x\n", "is no sample"},
        {"# default: 7\na,seconds\n1,1\n", "the default is row 7"},
        {"a,seconds\n1,\n", "nothing to replay"},
        {"{}", "neither a cache"},
        {"{\"cache\": {}}", "tune_params_keys"},
        {"{\"cache\": {\"1\": 3}, \"tune_params_keys\": [\"a\"]}", "is no object"},
        {"{\"cache\": {\"1\": {\"a\": []}}, \"tune_params_keys\": [\"a\"]}", "no plain value"},
        {"{\"results\": [{\"configuration\": {}}]}", "no \"configuration\""},
        {"{\"results\": [{\"configuration\": {\"a\": 1}}]}", "\"times\" must be"},
        {"{\"Results\": [{\"Configuration\": [{\"Value\": 1}]}]}", "no \"Name\""},
        {"{\"Results\": [", "near end of file"},
    };
    struct scratch *scratch = *state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct diagnostic diagnostic = {0};
        struct recorded_space *space;
        const char *path = write_text(scratch, "broken", cases[c].text, strlen(cases[c].text));
        CHECK_REFUSED(space_file_read(path, scratch->arena, &space, &diagnostic), STATUS_BAD_INPUT,
                      cases[c].words);
    }
}

/* Whatever a byte becomes: a space that makes sense, or one error. */
static void changed_bytes_never_hurt(void **state)
{
    static const char *const seeds[] = {cut_cache, plain_csv, ktt};
    static const char likely[] = "0123456789.-e,\"\n";
    struct scratch *scratch = *state;
    int read = 0, refused = 0;
    for (uint64_t n = 0; n < 400; n++) {
        const char *seed = seeds[n % 3];
        size_t length = strlen(seed);
        char *bytes = arena_text(scratch->arena, seed);
        for (uint64_t m = 0; m <= n % 4; m++)
            bytes[random_bits(5, n, 2 * m) % length] =
                n % 2 ? (char)random_bits(5, n, 2 * m + 1)
                      : likely[random_bits(5, n, 2 * m + 1) % 16];
        struct diagnostic diagnostic = {0};
        struct recorded_space *space;
        const char *path = write_text(scratch, "changed", bytes, length - (n % 7 ? 0 : n % 5));
        status code = space_file_read(path, scratch->arena, &space, &diagnostic);
        if (code != STATUS_OK && (code != STATUS_BAD_INPUT || !*diagnostic.text))
            CHECK_FAIL("change %d: %s '%s'", (int)n, status_name(code), diagnostic.text);
        read += code == STATUS_OK;
        refused += code != STATUS_OK;
    }
    print_message("%d changed files were read, %d refused\n", read, refused);
    assert_true(read > 30 && refused > 30);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_cache_that_was_cut_off_is_read),
        TEST(other_files_are_read),
        TEST(every_form_reads_back),
        TEST(broken_files_are_refused),
        TEST(changed_bytes_never_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

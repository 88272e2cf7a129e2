/* What is left of the machine's memory and of control groups, by files as the kernel writes them; and models that need more. */
#include "base/file.h"
#include "base/host_memory.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

static void put(const struct scratch *scratch, const char *path, const char *text)
{
    struct diagnostic diagnostic = {0};
    const char *whole = arena_print(scratch->arena, "%s%s", scratch->folder, path);
    CHECK_OK(file_make_folders(file_folder_of(scratch->arena, whole), &diagnostic));
    CHECK_OK(file_write(whole, text, strlen(text), &diagnostic));
}

static int64_t available(const struct scratch *scratch)
{
    return host_memory_available(scratch->folder, scratch->arena);
}

static void every_limit_counts(void **state)
{
    struct scratch *scratch = *state;
    assert_int_equal(available(scratch), INT64_MAX);
    put(scratch, "/proc/meminfo", "MemTotal: 8000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n");
    assert_int_equal(available(scratch), 4000 * 1024);
    put(scratch, "/proc/self/cgroup", "0::/outer/inner\n");
    assert_int_equal(available(scratch), 4000 * 1024);
    put(scratch, "/sys/fs/cgroup/outer/inner/memory.max", "max\n");
    put(scratch, "/sys/fs/cgroup/outer/inner/memory.current", "1000\n");
    assert_int_equal(available(scratch), 4000 * 1024);
    put(scratch, "/sys/fs/cgroup/outer/memory.max", "2000000\n");
    put(scratch, "/sys/fs/cgroup/outer/memory.current", "1500000\n");
    assert_int_equal(available(scratch), 500000);
    put(scratch, "/sys/fs/cgroup/outer/memory.stat", "anon 7\ninactive_file 300000\n");
    assert_int_equal(available(scratch), 800000);
    put(scratch, "/sys/fs/cgroup/outer/inner/memory.max", "900\n");
    assert_int_equal(available(scratch), 0); /* more in use than there may be */
}

static void older_groups_count_too(void **state)
{
    struct scratch *scratch = *state;
    put(scratch, "/proc/self/cgroup", "12:cpu:/a\n4:memory:/job\n0::/\n");
    put(scratch, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
    put(scratch, "/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "5\n");
    put(scratch, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "700\n");
    put(scratch, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "500\n");
    assert_int_equal(available(scratch), 200);
}

static void nonsense_bounds_nothing(void **state)
{
    struct scratch *scratch = *state;
    put(scratch, "/proc/meminfo", "MemAvailable: lots\n");
    put(scratch, "/proc/self/cgroup", "::::\n0::\nx\n");
    put(scratch, "/sys/fs/cgroup/memory.max", "99999999999999999999999\n");
    put(scratch, "/sys/fs/cgroup/memory.current", "-1\n");
    assert_int_equal(available(scratch), INT64_MAX);
}

/* A host with too little memory is told before anything is loaded; shorter steps come first. */
static void a_small_host_is_told_before_it_loads(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    static const struct placing host = {"cpu", NULL, NULL, 512};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct engine_options options = placing_options(&host, true, "");
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    struct engine *engine;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    const struct engine_report report = *engine_report(engine);
    int64_t count = split_run(engine, expected);
    engine_close(engine);
    assert_int_equal(report.demotion_count, 0);
    options.host_memory_bytes = report.state_bytes + report.arena_bytes / 3;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    assert_int_equal(engine_report(engine)->demotions[0].rung, DEMOTION_CHUNK);
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)count * sizeof *logits);
    engine_close(engine);
    options.host_memory_bytes = report.state_bytes;
    CHECK_REFUSED(engine_open(model, &options, &engine, &diagnostic), STATUS_NO_MEMORY,
                  "bytes more are needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_limit_counts, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(older_groups_count_too, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(nonsense_bounds_nothing, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(a_small_host_is_told_before_it_loads, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

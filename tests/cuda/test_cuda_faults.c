/* What becomes of a model on cards when something fails: memory that runs out while it is loaded and while it runs, a card
 * that is lost, copies between cards that arrive wrong, kernels that never end, code for other cards, compilers of other
 * versions, folders that cannot be written.  Each has one outcome: a clear error with its exit status, or the right tokens. */
#include "base/fault.h"
#include "base/file.h"
#include "codegen/compile.h"
#include "codegen/cuda/nvrtc.h"
#include "engine/engine.h"
#include "ir/profiles.h"
#include "ops/catalogue.h"
#include "tests/check.h"
#include "tests/cuda/card_harness.h"
#include "tests/scratch_harness.h"
#include "tuner/artifact.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROMPT = 3, CONTEXT = 64 };

static const char model[] = HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf";
static const char alone[] = "emulated:sm_86:1GiB";
static const char one_card[] = "emulated:sm_86:1GiB,cpu";
static const char both_alone[] =
    "emulated:sm_86:1GiB,emulated:sm_89:1GiB"; /* half the layers each */
static const char two_cards[] = "emulated:sm_86:1GiB,emulated:sm_89:1GiB,cpu";
static const int32_t prompt[PROMPT] = {1, 15, 27};

static char folder[SCRATCH_BYTES];
static bool checks_copies;

static struct engine_options options_for(const char *devices)
{
    return (struct engine_options){.devices = devices,
                                   .threads = 1,
                                   .context = CONTEXT,
                                   .chunk = 4,
                                   .sequences = 4,
                                   .state_element = ELEMENT_F16,
                                   .check_copies = checks_copies,
                                   .cache_folder = folder};
}

/* With faults for the stand-in driver to make (NULL: none). */
static status open_with(const char *faults, const struct engine_options *options,
                        struct engine **engine, struct diagnostic *diagnostic)
{
    *diagnostic = (struct diagnostic){0};
    if (faults) setenv("HONE_EMULATOR_FAULTS", faults, 1);
    status code = engine_open(model, options, engine, diagnostic);
    unsetenv("HONE_EMULATOR_FAULTS");
    return code;
}

static status feed(struct engine *engine, float **logits, struct diagnostic *diagnostic)
{
    int sequence;
    *diagnostic = (struct diagnostic){0};
    *logits = test_calloc((size_t)engine_model(engine)->vocabulary * PROMPT, sizeof **logits);
    TRY(engine_sequence_open(engine, &sequence, diagnostic));
    const struct engine_input input = {
        .sequence = sequence, .tokens = prompt, .count = PROMPT, .all_logits = true};
    status code = engine_feed(engine, &input, 1, *logits, diagnostic);
    if (code == STATUS_OK) engine_sequence_close(engine, sequence);
    return code;
}

/* Runs the prompt, which must succeed; the caller frees the logits. */
static float *logits_with(const char *faults, const char *devices, int64_t *count)
{
    struct diagnostic diagnostic;
    const struct engine_options options = options_for(devices);
    struct engine *engine;
    float *logits;
    CHECK_OK(open_with(faults, &options, &engine, &diagnostic));
    CHECK_OK(feed(engine, &logits, &diagnostic));
    *count = engine_model(engine)->vocabulary * PROMPT;
    engine_close(engine);
    return logits;
}

static void close_logits(const float *logits, const float *right, int64_t count, float most)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(logits[i] - right[i]) <= most))
            CHECK_FAIL("logit %lld is %g, must be %g", (long long)i, (double)logits[i],
                       (double)right[i]);
}

static void the_same_logits(const float *logits, const float *right, int64_t count)
{
    close_logits(logits, right, count, 1e-3f);
}

/* Out of memory at the first allocation, the second, the fourth ..., with no host to go to: one error each time, until there
 * are no more; and from then on nothing is allocated any more, whatever runs. */
static void memory_that_runs_out_is_one_error(void **unused)
{
    (void)unused;
    const struct engine_options options = options_for(alone);
    struct diagnostic diagnostic;
    struct engine *engine;
    char faults[32];
    int failed = 0;
    status code = STATUS_NO_MEMORY;
    for (int n = 1; n < 4096 && code != STATUS_OK; n *= 2) {
        snprintf(faults, sizeof faults, "alloc:%d+=oom", n);
        code = open_with(faults, &options, &engine, &diagnostic);
        if (code == STATUS_OK) break;
        failed++;
        CHECK_REFUSED(code, STATUS_NO_MEMORY, "emulated:sm_86:1GiB: ");
    }
    assert_true(failed > 3);
    CHECK_OK(code);
    float *logits;
    CHECK_OK(feed(engine, &logits, &diagnostic));
    test_free(logits);
    engine_close(engine);
    CHECK_REFUSED(open_with("load:2=oom", &options, &engine, &diagnostic), STATUS_NO_MEMORY,
                  "OUT_OF_MEMORY");
}

/* Where the host is among the devices it takes what the card cannot hold: all of it, where the card gives nothing.  Kernels of
 * host and card round otherwise. */
static void a_full_card_leaves_the_work_to_the_host(void **unused)
{
    (void)unused;
    static const struct {
        const char *faults, *like;
        float most;
    } failures[] = {{"alloc:1+=oom", "cpu", 1e-3f},
                    {"alloc:9+=oom", "cpu", 1e-3f},
                    {"load:2=oom", one_card, 0.1f}};
    const struct engine_options options = options_for(one_card);
    for (size_t f = 0; f < sizeof failures / sizeof *failures; f++) {
        struct diagnostic diagnostic;
        struct engine *engine;
        int64_t count;
        float *right = logits_with(NULL, failures[f].like, &count), *logits;
        CHECK_OK(open_with(failures[f].faults, &options, &engine, &diagnostic));
        assert_true(engine_report(engine)->demotion_count > 0);
        CHECK_OK(feed(engine, &logits, &diagnostic));
        close_logits(logits, right, count, failures[f].most);
        test_free(logits);
        test_free(right);
        engine_close(engine);
    }
}

/* In the middle of a run, at a launch. */
static void a_card_that_fails_is_one_error(void **unused)
{
    (void)unused;
    static const struct {
        const char *faults, *words;
    } failures[] = {{"launch:5=lost", "DEVICE_UNAVAILABLE"},
                    {"launch:5=illegal", "ILLEGAL_ADDRESS"}};
    const struct engine_options options = options_for(two_cards);
    for (size_t f = 0; f < sizeof failures / sizeof *failures; f++) {
        struct diagnostic diagnostic;
        struct engine *engine;
        float *logits;
        CHECK_OK(open_with(failures[f].faults, &options, &engine, &diagnostic));
        CHECK_REFUSED(feed(engine, &logits, &diagnostic), STATUS_DEVICE, failures[f].words);
        test_free(logits);
        CHECK_REFUSED(feed(engine, &logits, &diagnostic), STATUS_DEVICE, "cannot be used any more");
        test_free(logits);
        engine_close(engine);
    }
}

/* At any copy, from the first weights to the last logits; until there are no more copies. */
static void a_card_lost_at_a_copy_is_one_error(void **unused)
{
    (void)unused;
    const struct engine_options options = options_for(one_card);
    struct diagnostic diagnostic;
    status code = STATUS_DEVICE;
    int failed = 0;
    for (int n = 1; n < 1 << 20 && code != STATUS_OK; n *= 4) {
        struct engine *engine;
        float *logits;
        char faults[32];
        snprintf(faults, sizeof faults, "copy:%d=lost", n);
        code = open_with(faults, &options, &engine, &diagnostic);
        if (code == STATUS_OK) {
            code = feed(engine, &logits, &diagnostic);
            test_free(logits);
            engine_close(engine);
        }
        if (code == STATUS_OK) break;
        failed++;
        CHECK_REFUSED(code, STATUS_DEVICE, "DEVICE_UNAVAILABLE");
    }
    assert_true(failed > 1 && code == STATUS_OK);
}

/* Cards whose copies to each other arrive wrong are found out before any is used: they copy by way of the host. */
static void corrupting_copies_change_nothing(void **unused)
{
    (void)unused;
    int64_t count;
    float *right = logits_with(NULL, both_alone, &count);
    float *logits = logits_with("peer:1+=corrupt", both_alone, &count);
    the_same_logits(logits, right, count);
    test_free(logits);
    logits = logits_with("peer=none", both_alone, &count);
    the_same_logits(logits, right, count);
    test_free(logits);
    /* From the first after the trial on: nobody notices, unless copies are checked. */
    logits = logits_with("peer:3+=corrupt", both_alone, &count);
    assert_memory_not_equal(logits, right, (size_t)count * sizeof *logits);
    test_free(logits);
    checks_copies = true;
    logits = logits_with("peer:3+=corrupt", both_alone, &count);
    checks_copies = false;
    the_same_logits(logits, right, count);
    test_free(logits);
    test_free(right);
}

/* Only the program has the handlers: a second Ctrl-C ends it, whatever the card does. */
static void a_kernel_that_never_ends_is_interrupted(void **unused)
{
    (void)unused;
    int state = 0, null = open("/dev/null", O_RDWR);
    pid_t child = fork();
    if (child == 0) {
        setenv("HONE_EMULATOR_FAULTS", "launch:3=hang", 1);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execl(HONE_BUILD_FOLDER "/bin/hone", "hone", "run", model, "--devices", one_card,
              "--context", "64", "--chunk", "4", "--cache", folder, "--token-ids", "1,15,27",
              "--threads", "1", (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    close(null);
    int seconds = 0;
    for (; waitpid(child, &state, WNOHANG) == 0 && seconds < 120; seconds++) {
        sleep(1);
        if (seconds > 3) kill(child, SIGINT);
    }
    if (seconds == 120) kill(child, SIGKILL);
    assert_true(seconds > 3 && WIFEXITED(state));
    assert_int_equal(WEXITSTATUS(state), 130);
}

/* PTX of a newer architecture. */
static void code_for_other_cards_is_refused(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    struct image image;
    struct kernel *kernel;
    cards_open(&cards, "emulated:sm_86:64MiB", NULL);
    const struct problem *problem = card_problem(cards.arena, 16);
    char *text = arena_text(cards.arena, card_kernel_scale);
    char *target = strstr(text, "sm_75");
    assert_non_null(target);
    memcpy(target, "sm_89", 5);
    card_image(text, "scale", &image);
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_DEVICE, "sm_89");
    cards_close(&cards);
}

/* What NVRTC makes of a kernel for a card of this profile: a cubin, and PTX behind it. */
static void compile_for(const char *profile, const struct problem *problem, struct arena *arena,
                        struct image *image)
{
    struct diagnostic diagnostic = {0};
    struct catalogue catalogue;
    struct device_facts facts;
    struct bound_space bound;
    struct config config;
    const char *reason;
    CHECK_OK(catalogue_read(NULL, arena, &catalogue, &diagnostic));
    CHECK_OK(profile_read(profile, arena, &facts, &diagnostic));
    const struct space *space = catalogue_find(&catalogue, "add_cuda");
    assert_true(space && space_bind(space, problem, &facts, arena, &bound, &reason));
    space_default(&bound, &config);
    const struct generation generation = {space, problem, &config, &facts};
    CHECK_OK(compile_here(&generation, arena, image, NULL, &diagnostic));
    assert_true(image->text_offset > 0);
}

/* The driver refuses the cubin; what counts is the PTX, which older cards do not take and newer ones translate. */
static void cubins_of_other_cards_are_left_to_the_driver(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    struct image image;
    struct kernel *kernel;
    cards_open(&cards, "emulated:sm_86:64MiB", NULL);
    const struct problem *problem = card_problem(cards.arena, 16);
    compile_for("a100", problem, cards.arena, &image);
    CHECK_OK(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic));
    assert_int_equal(device_counts(cards.devices[0]).translated_images, 1);
    kernel_unload(kernel);
    compile_for("rtx4090", problem, cards.arena, &image);
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_DEVICE, "sm_89");
    char *code = arena_copy(cards.arena, image.code, (size_t)image.code_bytes);
    code[image.text_offset] = 0; /* the cubin alone */
    image.code = code;
    image.code_bytes = image.text_offset + 1;
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_DEVICE, "PTX");
    cards_close(&cards);
}

/* Where a model needs a compiler and there is none, it is named; where all kernels are kept, none is needed. */
static void a_missing_compiler_is_one_error(void **unused)
{
    (void)unused;
    struct engine_options options = options_for(one_card);
    struct diagnostic diagnostic;
    struct engine *engine;
    struct arena *arena = arena_create(0);
    setenv("HONE_NVRTC", "/nowhere/libnvrtc.so", 1);
    options.cache_folder = file_join(arena, folder, "nothing_kept");
    CHECK_REFUSED(open_with(NULL, &options, &engine, &diagnostic), STATUS_COMPILE, "HONE_NVRTC");
    unsetenv("HONE_NVRTC");
    arena_destroy(arena);
}

static void another_compiler_compiles_again(void **unused)
{
    (void)unused;
    const struct engine_options options = options_for(one_card);
    struct diagnostic diagnostic;
    struct engine *engine;
    struct nvrtc nvrtc;
    struct arena *arena = arena_create(0);
    CHECK_OK(nvrtc_open(arena, &nvrtc, &diagnostic));
    setenv("OTHER_NVRTC_REAL", nvrtc.path, 1);
    CHECK_OK(open_with(NULL, &options, &engine, &diagnostic));
    engine_close(engine);
    CHECK_OK(open_with(NULL, &options, &engine, &diagnostic));
    assert_int_equal(engine_report(engine)->kernels_compiled, 0);
    engine_close(engine);
    setenv("HONE_NVRTC", HONE_BUILD_FOLDER "/tests/libother_nvrtc.so", 1);
    setenv("OTHER_NVRTC_VERSION", "12.4", 1);
    CHECK_TEXT(compile_identity(TARGET_CUDA), "nvrtc 12.4");
    CHECK_OK(open_with(NULL, &options, &engine, &diagnostic));
    assert_true(engine_report(engine)->kernels_compiled > 0);
    engine_close(engine);
    setenv("OTHER_NVRTC_VERSION", "11.8", 1);
    CHECK_REFUSED(open_with(NULL, &options, &engine, &diagnostic), STATUS_COMPILE, "is NVRTC 11.8");
    unsetenv("HONE_NVRTC");
    arena_destroy(arena);
}

static int warnings;

static void count_warning(void *context, const char *text)
{
    (void)context;
    warnings += strstr(text, "not kept") != NULL;
}

/* Without a place for records and code a model runs all the same, and says so once. */
static void folders_that_cannot_be_written(void **unused)
{
    (void)unused;
    struct engine_options options = options_for(one_card);
    const struct progress progress = {.warn = count_warning};
    struct diagnostic diagnostic;
    struct engine *engine;
    options.cache_folder = "/proc/hone";
    options.progress = &progress;
    warnings = 0;
    CHECK_OK(open_with(NULL, &options, &engine, &diagnostic));
    assert_true(engine_report(engine)->kernels_compiled > 0);
    assert_int_equal(warnings, 1);
    engine_close(engine);
}

/* A disk that is full at any point of writing leaves no artifact, or the whole one. */
static void a_full_disk_leaves_no_half_artifact(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    static const char content[] = "an image";
    const struct hash key = {.high = 1, .low = 2};
    struct arena *arena = arena_create(0);
    const char *artifacts = arena_print(arena, "%s/full", folder);
    int failed = 0;
    for (long point = 1; point < 100; point++) {
        struct diagnostic diagnostic = {0};
        void *read;
        size_t bytes;
        fault_set(0, point);
        status code = artifact_write(artifacts, key, content, sizeof content, &diagnostic);
        fault_set(0, 0);
        bool there = artifact_read(artifacts, key, arena, &read, &bytes);
        if (there) assert_memory_equal(read, content, sizeof content);
        if (code == STATUS_OK) {
            assert_true(there);
            break;
        }
        failed++;
    }
    assert_true(failed > 0);
    arena_destroy(arena);
#else
    skip();
#endif
}

static int set_up(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1};
    struct device *device;
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    if (scratch_create(folder)) return -1;
    if (strcmp(nvrtc_identity(), "none") == 0) {
        print_message("skipped: there is no NVRTC\n");
        exit(0);
    }
    if (device_open("emulated:sm_86:64MiB", &options, &device, &diagnostic) != STATUS_OK) {
        print_message("skipped: %s\n", diagnostic.text);
        exit(0);
    }
    device_close(device);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    return scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_runs_out_is_one_error),
        cmocka_unit_test(a_full_card_leaves_the_work_to_the_host),
        cmocka_unit_test(a_card_that_fails_is_one_error),
        cmocka_unit_test(a_card_lost_at_a_copy_is_one_error),
        cmocka_unit_test(a_missing_compiler_is_one_error),
        cmocka_unit_test(cubins_of_other_cards_are_left_to_the_driver),
        cmocka_unit_test(corrupting_copies_change_nothing),
        cmocka_unit_test(a_kernel_that_never_ends_is_interrupted),
        cmocka_unit_test(code_for_other_cards_is_refused),
        cmocka_unit_test(another_compiler_compiles_again),
        cmocka_unit_test(folders_that_cannot_be_written),
        cmocka_unit_test(a_full_disk_leaves_no_half_artifact),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

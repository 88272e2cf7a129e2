/* Cards as devices, on the stand-in driver: memory and copies, queues and events, two cards, graphs, and every way in which
 * a card can fail. */
#include "base/process.h"
#include "base/random.h"
#include "tests/check.h"
#include "tests/cuda/card_harness.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 10, COLUMNS = 64, COUNT = ROWS * COLUMNS };

static void fill(float *values, int count, uint64_t seed)
{
    for (int i = 0; i < count; i++) values[i] = (float)(random_bits(seed, 0, (uint64_t)i) % 1000);
}

/* ---- Facts ---- */

static void facts_are_the_cards_own(void **unused)
{
    (void)unused;
    struct cards cards;
    cards_open(&cards, "emulated:sm_86:2GiB,cpu,emulated:sm_120:1GiB", NULL);
    const struct device_facts *first = device_facts(cards.devices[0]),
                              *second = device_facts(cards.devices[2]);
    assert_int_equal(cards.count, 3);
    assert_int_equal(first->target, TARGET_CUDA);
    assert_int_equal(device_facts(cards.devices[1])->target, TARGET_CPU);
    assert_true(first->values[FACT_sm] == 86 && second->values[FACT_sm] == 120);
    assert_true(first->values[FACT_shared_bytes_per_block] == 99 * 1024);
    assert_true(first->values[FACT_cores] > 0 && first->values[FACT_read_bandwidth] > 1e11);
    assert_true(first->values[FACT_half_rate] > 1e12 && first->values[FACT_link_bandwidth] > 1e9);
    assert_memory_equal(first->class_name, "emulated-sm_86", 14);
    assert_in_range(device_memory_limit(cards.devices[0]), 1536LL << 20, 2LL << 30);
    assert_in_range(device_memory_limit(cards.devices[2]), 768LL << 20, 1LL << 30);
    assert_false(device_is_host(cards.devices[0]) || device_memory_is_host(cards.devices[0]));
    cards_close(&cards);
}

/* ---- Memory and copies ---- */

static void copies_arrive_whatever_their_size(void **unused)
{
    (void)unused;
    static const int64_t sizes[] = {1,       63,           4096, (256 << 10) + 3, (2 << 20) - 1,
                                    2 << 20, (9 << 20) + 5};
    struct cards cards;
    struct diagnostic diagnostic = {0};
    cards_open(&cards, "emulated:sm_86:256MiB", NULL);
    struct device *card = cards.devices[0];
    unsigned char *sent = arena_allocate(cards.arena, 10 << 20, 1),
                  *got = arena_allocate(cards.arena, 10 << 20, 1);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t bytes = sizes[s];
        for (int64_t i = 0; i < bytes; i++) sent[i] = (unsigned char)random_bits(s, 1, (uint64_t)i);
        char *a = card_block(card, NULL, bytes), *b = card_block(card, NULL, bytes);
        CHECK_OK(device_fetch(card, got, a, bytes, &diagnostic));
        for (int64_t i = 0; i < bytes; i++) assert_int_equal(got[i], 0); /* memory comes empty */
        CHECK_OK(device_store(card, a, sent, bytes, &diagnostic));
        CHECK_OK(device_copy(card, b, card, a, bytes, &diagnostic)); /* behind the store */
        CHECK_OK(device_read(card, got, b, bytes, &diagnostic));
        CHECK_OK(device_finish(card, &diagnostic));
        assert_memory_equal(got, sent, (size_t)bytes);
        memset(sent, 0x5a, (size_t)bytes);
        CHECK_OK(device_write(card, a, sent, bytes, &diagnostic));
        device_submit(card);
        CHECK_OK(device_finish(card, &diagnostic));
        CHECK_OK(device_fetch(card, got, a, bytes, &diagnostic));
        assert_memory_equal(got, sent, (size_t)bytes);
        device_free(card, a, bytes);
        device_free(card, b, bytes);
    }
    assert_int_equal(device_memory_used(card), 0);
    cards_close(&cards);
}

static void memory_runs_out_with_a_message(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    void *address;
    cards_open(&cards, "emulated:sm_86:64MiB", NULL);
    CHECK_REFUSED(device_allocate(cards.devices[0], 65 << 20, &address, &diagnostic),
                  STATUS_NO_MEMORY, "emulated:sm_86:64MiB: 65 MiB are needed");
    cards_close(&cards);
    /* The driver may have less than it said. */
    cards_open(&cards, "emulated:sm_86:64MiB", "alloc:1+=oom");
    diagnostic = (struct diagnostic){0};
    CHECK_REFUSED(device_allocate(cards.devices[0], 1 << 20, &address, &diagnostic),
                  STATUS_NO_MEMORY, "OUT_OF_MEMORY");
    cards_close(&cards);
}

/* ---- Kernels ---- */

static struct kernel *load_scale(struct device *card, const struct problem *problem)
{
    struct diagnostic diagnostic = {0};
    struct image image;
    struct kernel *kernel;
    card_image(card_kernel_scale, "scale", &image);
    CHECK_OK(kernel_load(card, problem, &image, &kernel, &diagnostic));
    return kernel;
}

static void kernels_find_the_steps_sizes(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    float x[COUNT], y[COUNT];
    fill(x, COUNT, 1);
    cards_open(&cards, "emulated:sm_86:64MiB", NULL);
    struct device *card = cards.devices[0];
    const struct problem *problem = card_problem(cards.arena, ROWS);
    struct kernel *kernel = load_scale(card, problem);
    assert_int_equal(device_counts(card).translated_images, 1);
    void *operands[OP_OPERANDS_MAX] = {card_block(card, x, sizeof x), NULL,
                                       card_block(card, NULL, sizeof y)};
    for (int rows = 1; rows <= ROWS; rows += 3) {
        struct run run = card_run(problem, rows);
        memset(y, 0, sizeof y);
        CHECK_OK(device_store(card, operands[2], y, sizeof y, &diagnostic));
        CHECK_OK(device_run(card, kernel, &run, operands, &diagnostic));
        CHECK_OK(device_fetch(card, y, operands[2], sizeof y, &diagnostic));
        for (int i = 0; i < COUNT; i++)
            assert_true(y[i] == (i < rows * COLUMNS ? 2 * x[i] + 1 : 0));
    }
    double seconds = 0;
    struct run run = card_run(problem, ROWS);
    const struct device_timing timing = {
        .kernel = kernel, .run = &run, .operands = &operands, .operand_sets = 1, .count = 5};
    CHECK_OK(device_time(card, &timing, &seconds, &diagnostic));
    assert_true(seconds > 0 && seconds < 1);
    kernel_unload(kernel);
    cards_close(&cards);
}

static void bad_images_are_refused(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    struct kernel *kernel;
    struct image image;
    cards_open(&cards, "emulated:sm_86:64MiB,cpu", NULL);
    const struct problem *problem = card_problem(cards.arena, ROWS);
    card_image("this is no PTX\n", "scale", &image);
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_DEVICE, "PTX");
    card_image(card_kernel_scale, "absent", &image);
    diagnostic = (struct diagnostic){0};
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_DEVICE, "kernel absent");
    card_image(card_kernel_scale, "scale", &image);
    image.launches[0].shared_bytes = 200 << 10;
    diagnostic = (struct diagnostic){0};
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_UNSUPPORTED, "shared memory");
    card_image(card_kernel_scale, "scale", &image);
    image.launches[0].arguments[1] = (struct argument){ARGUMENT_TENSOR_MAP, 0};
    diagnostic = (struct diagnostic){0};
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_UNSUPPORTED, "from sm_90 on");
    diagnostic = (struct diagnostic){0};
    CHECK_REFUSED(kernel_load(cards.devices[1], problem, &image, &kernel, &diagnostic),
                  STATUS_DEVICE, "made for cuda");
    image_reference(problem, &image);
    diagnostic = (struct diagnostic){0};
    CHECK_REFUSED(kernel_load(cards.devices[0], problem, &image, &kernel, &diagnostic),
                  STATUS_DEVICE, "made for cpu");
    cards_close(&cards);
}

/* A chain of launches, a = f(a) eight times over, is replayed from its second time on, with other sizes too. */
static void repeated_launches_become_graphs(void **unused)
{
    (void)unused;
    enum { CHAIN = 8, TIMES = 6 };
    struct cards cards;
    struct diagnostic diagnostic = {0};
    cards_open(&cards, "emulated:sm_86:64MiB", NULL);
    struct device *card = cards.devices[0];
    const struct problem *problem = card_problem(cards.arena, ROWS);
    struct kernel *kernel = load_scale(card, problem);
    float x[COUNT] = {0}, expected[COUNT] = {0};
    void *block = card_block(card, x, sizeof x);
    void *operands[OP_OPERANDS_MAX] = {block, NULL, block};
    for (int t = 0; t < TIMES; t++) {
        int rows = t % 2 ? ROWS : 3;
        struct run run = card_run(problem, rows);
        for (int c = 0; c < CHAIN; c++)
            CHECK_OK(device_launch(card, kernel, &run, operands, &diagnostic));
        device_submit(card);
        CHECK_OK(device_finish(card, &diagnostic));
        for (int c = 0; c < CHAIN; c++)
            for (int i = 0; i < rows * COLUMNS; i++) expected[i] = 2 * expected[i] + 1;
    }
    CHECK_OK(device_fetch(card, x, block, sizeof x, &diagnostic));
    assert_memory_equal(x, expected, sizeof x);
    assert_int_equal(device_counts(card).graph_launches, TIMES - 1);
    kernel_unload(kernel);
    cards_close(&cards);
}

/* ---- Events ---- */

/* The card doubles and adds one, the host copies forth and back, thrice in one submission; in either order of the list. */
static void queues_of_host_and_card_take_turns(void **unused)
{
    (void)unused;
    static const char *const lists[] = {"emulated:sm_86:64MiB,cpu",
                                        "emulated:sm_86:64MiB,virtual:64MiB",
                                        "emulated:sm_86:64MiB,emulated:sm_89:64MiB"};
    enum { TURNS = 3 };
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        struct cards cards;
        struct diagnostic diagnostic = {0};
        struct event *events[2 * TURNS];
        float x[COUNT], y[COUNT];
        fill(x, COUNT, l);
        cards_open(&cards, lists[l], NULL);
        struct device *card = cards.devices[0], *other = cards.devices[1];
        const struct problem *problem = card_problem(cards.arena, ROWS);
        struct kernel *kernel = load_scale(card, problem);
        struct run run = card_run(problem, ROWS);
        void *here = card_block(card, x, sizeof x), *there = card_block(other, NULL, sizeof x);
        void *operands[OP_OPERANDS_MAX] = {here, NULL, here};
        CHECK_OK(device_connect(card, other, &diagnostic));
        CHECK_OK(device_connect(other, card, &diagnostic));
        for (int e = 0; e < 2 * TURNS; e++) CHECK_OK(event_create(&events[e], &diagnostic));
        for (int round = 0; round < 2; round++) {
            for (int e = 0; e < 2 * TURNS; e++) event_reset(events[e]);
            for (int t = 0; t < TURNS; t++) {
                CHECK_OK(device_launch(card, kernel, &run, operands, &diagnostic));
                CHECK_OK(device_signal(card, events[2 * t], &diagnostic));
                CHECK_OK(device_wait(other, events[2 * t], &diagnostic));
                CHECK_OK(device_copy(other, there, card, here, sizeof x, &diagnostic));
                CHECK_OK(device_signal(other, events[2 * t + 1], &diagnostic));
                CHECK_OK(device_wait(card, events[2 * t + 1], &diagnostic));
                CHECK_OK(device_copy(card, here, other, there, sizeof x, &diagnostic));
            }
            device_submit(card);
            device_submit(other);
            CHECK_OK(device_finish(other, &diagnostic));
            CHECK_OK(device_finish(card, &diagnostic));
        }
        CHECK_OK(device_fetch(card, y, here, sizeof y, &diagnostic));
        for (int i = 0; i < COUNT; i++) assert_true(y[i] == 64 * x[i] + 63); /* six times */
        for (int e = 0; e < 2 * TURNS; e++) event_destroy(events[e]);
        kernel_unload(kernel);
        cards_close(&cards);
    }
}

/* ---- Two cards ---- */

static void copy_between(const char *faults, bool direct)
{
    enum { BYTES = (5 << 20) + 7 };
    struct cards cards;
    struct diagnostic diagnostic = {0};
    struct device_peer peer;
    cards_open(&cards, "emulated:sm_86:128MiB,emulated:sm_86:128MiB", faults);
    unsigned char *sent = arena_allocate(cards.arena, BYTES, 1),
                  *got = arena_allocate(cards.arena, BYTES, 1);
    for (int i = 0; i < BYTES; i++) sent[i] = (unsigned char)random_bits(3, 0, (uint64_t)i);
    void *from = card_block(cards.devices[0], sent, BYTES),
         *to = card_block(cards.devices[1], NULL, BYTES);
    CHECK_OK(device_connect(cards.devices[1], cards.devices[0], &diagnostic));
    CHECK_OK(device_copy(cards.devices[1], to, cards.devices[0], from, BYTES, &diagnostic));
    CHECK_OK(device_finish(cards.devices[1], &diagnostic));
    CHECK_OK(device_fetch(cards.devices[1], got, to, BYTES, &diagnostic));
    assert_memory_equal(got, sent, BYTES);
    CHECK_OK(device_measure_peer(cards.devices[1], cards.devices[0], &peer, &diagnostic));
    assert_int_equal(peer.direct, direct);
    assert_true(peer.rate > 0);
    cards_close(&cards);
}

static void cards_copy_from_each_other(void **unused)
{
    (void)unused;
    copy_between(NULL, true);
    copy_between("peer=none", false);       /* the driver says no */
    copy_between("peer:1+=corrupt", false); /* it says yes, but bytes arrive wrong */
}

/* ---- Failures ---- */

static void a_fault_becomes_one_error_with_the_kernels_name(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    struct image image;
    struct kernel *stray;
    float x[COUNT] = {0};
    cards_open(&cards, "emulated:sm_86:64MiB,emulated:sm_86:64MiB", NULL);
    struct device *card = cards.devices[0], *healthy = cards.devices[1];
    const struct problem *problem = card_problem(cards.arena, ROWS);
    struct run run = card_run(problem, ROWS);
    card_image(card_kernel_stray, "stray", &image);
    CHECK_OK(kernel_load(card, problem, &image, &stray, &diagnostic));
    struct kernel *scale = load_scale(healthy, problem);
    void *operands[OP_OPERANDS_MAX] = {card_block(card, x, sizeof x), NULL,
                                       card_block(card, NULL, sizeof x)};
    assert_int_equal(device_run(card, stray, &run, operands, &diagnostic), STATUS_DEVICE);
    static const char *const words[] = {"kernel stray of add(", "ILLEGAL_ADDRESS",
                                        "cannot be used any more"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (!strstr(diagnostic.text, words[w]))
            CHECK_FAIL("\"%s\" is not in: %s", words[w], diagnostic.text);
    diagnostic = (struct diagnostic){0}; /* and stays: */
    CHECK_REFUSED(device_fetch(card, x, operands[0], sizeof x, &diagnostic), STATUS_DEVICE,
                  "kernel stray");
    void *others[OP_OPERANDS_MAX] = {card_block(healthy, x, sizeof x), NULL,
                                     card_block(healthy, NULL, sizeof x)};
    diagnostic = (struct diagnostic){0};
    CHECK_OK(device_run(healthy, scale, &run, others, &diagnostic));
    kernel_unload(stray);
    kernel_unload(scale);
    cards_close(&cards);
}

/* Others wait for a card that fails; they are let go, and the card tells. */
static void nobody_waits_for_a_card_that_failed(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    struct event *event;
    float x[COUNT] = {0};
    cards_open(&cards, "emulated:sm_86:64MiB,virtual:64MiB", "launch:1=illegal");
    struct device *card = cards.devices[0], *other = cards.devices[1];
    const struct problem *problem = card_problem(cards.arena, ROWS);
    struct run run = card_run(problem, ROWS);
    struct kernel *kernel = load_scale(card, problem);
    void *operands[OP_OPERANDS_MAX] = {card_block(card, x, sizeof x), NULL,
                                       card_block(card, NULL, sizeof x)};
    void *there = card_block(other, NULL, sizeof x);
    CHECK_OK(event_create(&event, &diagnostic));
    CHECK_OK(device_launch(card, kernel, &run, operands, &diagnostic));
    CHECK_OK(device_signal(card, event, &diagnostic));
    CHECK_OK(device_wait(other, event, &diagnostic));
    CHECK_OK(device_copy(other, there, card, operands[2], sizeof x, &diagnostic));
    device_submit(card);
    device_submit(other);
    CHECK_REFUSED(device_finish(card, &diagnostic), STATUS_DEVICE, "kernel scale");
    CHECK_REFUSED(device_finish(other, &diagnostic), STATUS_DEVICE, "kernel scale");
    event_destroy(event);
    kernel_unload(kernel);
    cards_close(&cards);
}

static void refuse_to_open(const char *device, const char *faults, const char *folder,
                           const char *words)
{
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1};
    struct device *opened;
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    if (folder) setenv("HONE_CUDA_PATH", folder, 1);
    if (faults) setenv("HONE_EMULATOR_FAULTS", faults, 1);
    CHECK_REFUSED(device_open(device, &options, &opened, &diagnostic), STATUS_DEVICE, words);
    unsetenv("HONE_CUDA_PATH");
    unsetenv("HONE_EMULATOR_FAULTS");
}

static void missing_drivers_and_cards_are_named(void **unused)
{
    (void)unused;
    struct cards cards;
    cards_open(&cards, "emulated:sm_86:64MiB", NULL); /* skips where there is no stand-in */
    cards_close(&cards);
    refuse_to_open("cuda:0", NULL, "/nonexistent", "no CUDA driver");
    refuse_to_open("emulated:sm_86:64MiB", "driver=old", NULL, "Hone needs 12.0");
    refuse_to_open("emulated:sm_86:64MiB", "device=none", NULL, "sees no card");
    setenv("HONE_EMULATED_CARDS", "sm_86:64MiB", 1);
    refuse_to_open("cuda:1", NULL, HONE_BUILD_FOLDER "/lib/hone/emulator", "there is no such card");
}

/* A child that uses what its parent has started would crash or hang on a real driver. */
static status use_in_child(void *context, struct arena *arena, void **result, size_t *result_bytes,
                           struct diagnostic *diagnostic)
{
    void *address;
    (void)arena;
    *result = NULL;
    *result_bytes = 0;
    return device_allocate(context, 64, &address, diagnostic);
}

static void children_open_their_own_cards(void **unused)
{
    (void)unused;
    struct cards cards;
    struct diagnostic diagnostic = {0};
    void *result;
    size_t bytes;
    cards_open(&cards, "emulated:sm_86:64MiB", NULL);
    const struct process_limits limits = {.seconds = 30};
    CHECK_OK(process_call(use_in_child, cards.devices[0], limits, cards.arena, &result, &bytes,
                          &diagnostic));
    void *address = card_block(cards.devices[0], NULL, 64);
    CHECK_REFUSED(process_call(use_in_child, cards.devices[0], limits, cards.arena, &result, &bytes,
                               &diagnostic),
                  STATUS_FAILED, "before this process was forked");
    device_free(cards.devices[0], address, 64);
    cards_close(&cards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_the_cards_own),
        cmocka_unit_test(copies_arrive_whatever_their_size),
        cmocka_unit_test(memory_runs_out_with_a_message),
        cmocka_unit_test(kernels_find_the_steps_sizes),
        cmocka_unit_test(bad_images_are_refused),
        cmocka_unit_test(repeated_launches_become_graphs),
        cmocka_unit_test(queues_of_host_and_card_take_turns),
        cmocka_unit_test(cards_copy_from_each_other),
        cmocka_unit_test(a_fault_becomes_one_error_with_the_kernels_name),
        cmocka_unit_test(nobody_waits_for_a_card_that_failed),
        cmocka_unit_test(missing_drivers_and_cards_are_named),
        cmocka_unit_test(children_open_their_own_cards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Children that answer, hang, crash, babble, and eat memory. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/process.h"
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena *arena;
static struct diagnostic diagnostic;

static int set_up(void **state)
{
    (void)state;
    arena = arena_create(0);
    diagnostic = (struct diagnostic){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int file = 0; file < 1024; file++) count += fcntl(file, F_GETFD) >= 0;
    return count;
}

static void send_words(int answers, uint64_t first, uint64_t second)
{
    uint64_t words[2] = {first, second};
    if (send(answers, words, sizeof words, 0) < 0) _exit(9);
}

static void hang(void)
{
    for (;;) pause();
}

/* What can go wrong in a child; false: the text is no such command. */
static bool misbehave(const char *command, int answers)
{
    if (strcmp(command, "hang") == 0) hang();
    if (strcmp(command, "exit") == 0) _exit(3);
    if (strcmp(command, "kill") == 0) raise(SIGKILL);
    if (strcmp(command, "none") == 0) return true;
    if (strcmp(command, "segv") == 0) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (strcmp(command, "close") == 0) {
        close(answers);
        hang();
    }
    if (strcmp(command, "huge") == 0) {
        send_words(answers, UINT64_MAX, 0);
        hang();
    }
    if (strcmp(command, "half") == 0) {
        send_words(answers, 100, 0);
        _exit(4);
    }
    return false;
}

/* Answers with the bytes reversed, after `*context` as a letter. */
static void worker(void *context, int requests, int answers)
{
    struct arena *own = arena_create(0);
    size_t byte_count;
    for (void *bytes; process_read_message(requests, own, &bytes, &byte_count); arena_reset(own)) {
        const char *request = bytes;
        if (misbehave(arena_text_range(own, request, byte_count), answers)) return;
        char *answer = arena_allocate(own, byte_count + 1, 1);
        answer[0] = *(const char *)context;
        for (size_t i = 0; i < byte_count; i++) answer[i + 1] = request[byte_count - 1 - i];
        if (!process_write_message(answers, answer, byte_count + 1)) return;
    }
}

static status ask(struct process *process, const char *request, double seconds)
{
    void *answer;
    size_t answer_bytes;
    return process_ask(process, request, strlen(request), seconds, arena, &answer, &answer_bytes,
                       &diagnostic);
}

static void a_child_answers(void **state)
{
    (void)state;
    struct process process;
    char letter = '!';
    int before = open_descriptors();
    const size_t sizes[] = {0, 1, 3, 4096, 1000000, 20000000};
    CHECK_OK(process_start(&process, worker, &letter, (struct process_limits){30, 0}, &diagnostic));
    assert_true(process_running(&process));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *request = arena_allocate(arena, sizes[i], 1), *bytes;
        for (size_t j = 0; j < sizes[i]; j++) request[j] = (unsigned char)(j * 13);
        void *answer;
        size_t answer_bytes;
        CHECK_OK(process_ask(&process, request, sizes[i], 0, arena, &answer, &answer_bytes,
                             &diagnostic));
        assert_int_equal(answer_bytes, sizes[i] + 1);
        bytes = answer;
        assert_int_equal(bytes[0], '!');
        for (size_t j = 0; j < sizes[i]; j++) {
            if (bytes[j + 1] != request[sizes[i] - 1 - j]) CHECK_FAIL("byte %zu differs", j);
        }
    }
    process_stop(&process);
    process_stop(&process);
    assert_false(process_running(&process));
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    CHECK_REFUSED(ask(&process, "x", 0), STATUS_CRASHED, "not running");
}

static void check_death(const char *request, double seconds, status expected, const char *words)
{
    struct process process;
    char letter = 'a';
    int before = open_descriptors();
    CHECK_OK(process_start(&process, worker, &letter, (struct process_limits){20, 0}, &diagnostic));
    CHECK_OK(ask(&process, "hello", 0));
    CHECK_REFUSED(ask(&process, request, seconds), expected, words);
    assert_false(process_running(&process));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(open_descriptors(), before);
    process_stop(&process);
    CHECK_OK(process_start(&process, worker, &letter, (struct process_limits){20, 0}, &diagnostic));
    CHECK_OK(ask(&process, "again", 0));
    process_stop(&process);
}

static void deaths_are_named(void **state)
{
    (void)state;
    check_death("segv", 0, STATUS_CRASHED, "killed by signal 11 (Segmentation fault)");
    check_death("kill", 0, STATUS_CRASHED, "killed by signal 9 (Killed)");
    check_death("exit", 0, STATUS_CRASHED, "exited with status 3");
    check_death("none", 0, STATUS_CRASHED, "exited with status 0 without an answer");
    check_death("half", 0, STATUS_CRASHED, "exited with status 4");
    check_death("huge", 0, STATUS_CRASHED, "broken message");
}

static void a_child_that_hangs_is_killed_in_time(void **state)
{
    (void)state;
    double start = clock_seconds();
    check_death("hang", 0.2, STATUS_TIMEOUT, "no answer from the child process within 200 ms");
    double seconds = clock_seconds() - start;
    assert_true(seconds >= 0.2 && seconds < 2);
    start = clock_seconds();
    check_death("close", 0, STATUS_CRASHED, "stopped listening");
    assert_true(clock_seconds() - start < 5);
}

static void deaf(void *context, int requests, int answers)
{
    (void)context, (void)requests, (void)answers;
    hang();
}

static void sending_has_a_deadline_too(void **state)
{
    (void)state;
    struct process process;
    size_t byte_count = 50000000;
    char *request = arena_allocate(arena, byte_count, 1);
    void *answer;
    double start = clock_seconds();
    CHECK_OK(process_start(&process, deaf, NULL, (struct process_limits){0.2, 0}, &diagnostic));
    CHECK_REFUSED(
        process_ask(&process, request, byte_count, 0, arena, &answer, &byte_count, &diagnostic),
        STATUS_TIMEOUT, "no answer");
    assert_true(clock_seconds() - start < 2);
}

static void a_child_that_died_before_is_noticed(void **state)
{
    (void)state;
    struct process process;
    char letter = 'a';
    CHECK_OK(process_start(&process, worker, &letter, (struct process_limits){5, 0}, &diagnostic));
    kill(process.pid, SIGTERM);
    while (process_running(&process)) usleep(1000);
    CHECK_REFUSED(ask(&process, "hello", 0), STATUS_CRASHED, "killed by signal 15 (Terminated)");
}

static void answers_respect_the_limit_of_the_arena(void **state)
{
    (void)state;
    struct process process;
    char letter = 'a';
    struct arena *small = arena_create(1000);
    char request[2000] = {0};
    void *answer;
    size_t answer_bytes;
    CHECK_OK(process_start(&process, worker, &letter, (struct process_limits){5, 0}, &diagnostic));
    CHECK_REFUSED(process_ask(&process, request, sizeof request, 0, small, &answer, &answer_bytes,
                              &diagnostic),
                  STATUS_NO_MEMORY, "out of memory");
    assert_false(process_running(&process));
    CHECK_OK(process_start(&process, worker, &letter, (struct process_limits){5, 0}, &diagnostic));
    CHECK_REFUSED(process_ask(&process, request, (256 << 20) + 1, 0, small, &answer, &answer_bytes,
                              &diagnostic),
                  STATUS_FAILED, "268435457 bytes");
    CHECK_OK(ask(&process, "still there", 0));
    process_stop(&process);
    arena_destroy(small);
}

/* ---- one-shot calls ---- */

static status square(void *context, struct arena *own, void **result, size_t *result_bytes,
                     struct diagnostic *reason)
{
    int64_t number = *(const int64_t *)context, *squared;
    TRY_NEW(squared, own, 1, reason);
    if (number < 0) return fail(reason, STATUS_UNSUPPORTED, "%d is negative", (int)number);
    if (number == 99) abort();
    if (number == 98) hang();
    *squared = number * number;
    *result = squared;
    *result_bytes = sizeof *squared;
    if (number == 97) *result_bytes = 0;
    if (number == 96) *result_bytes = SIZE_MAX;
    return STATUS_OK;
}

static void calls_bring_back_results_and_reasons(void **state)
{
    (void)state;
    const struct process_limits limits = {10, 0};
    void *result;
    size_t result_bytes;
    for (int64_t number = 0; number < 20; number++) {
        CHECK_OK(process_call(square, &number, limits, arena, &result, &result_bytes, &diagnostic));
        assert_int_equal(result_bytes, sizeof number);
        assert_int_equal(*(int64_t *)result, number * number);
        assert_int_equal((uintptr_t)result % 16, 0);
    }
    int64_t number = -5;
    CHECK_REFUSED(process_call(square, &number, limits, arena, &result, &result_bytes, &diagnostic),
                  STATUS_UNSUPPORTED, "-5 is negative");
    number = 97;
    CHECK_OK(process_call(square, &number, limits, arena, &result, &result_bytes, &diagnostic));
    assert_int_equal(result_bytes, 0);
    number = 96;
    CHECK_REFUSED(process_call(square, &number, limits, arena, &result, &result_bytes, &diagnostic),
                  STATUS_FAILED, "too large");
    number = 99;
    CHECK_REFUSED(process_call(square, &number, limits, arena, &result, &result_bytes, &diagnostic),
                  STATUS_CRASHED, "killed by signal 6 (Aborted)");
    number = 98;
    CHECK_REFUSED(process_call(square, &number, (struct process_limits){0.1, 0}, arena, &result,
                               &result_bytes, &diagnostic),
                  STATUS_TIMEOUT, "within 100 ms");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

enum { CHUNK_BYTES = 16 << 20 };

/* Maps and touches 16 MiB at a time; the result is how many of them could be had. */
static status eat(void *context, struct arena *own, void **result, size_t *result_bytes,
                  struct diagnostic *reason)
{
    int64_t *chunks, most = *(const int64_t *)context;
    TRY_NEW(chunks, own, 1, reason);
    for (; *chunks < most; ++*chunks) {
        void *memory;
        TRY(memory_map(CHUNK_BYTES, &memory, reason));
        memset(memory, 1, CHUNK_BYTES);
    }
    *result = chunks;
    *result_bytes = sizeof *chunks;
    return STATUS_OK;
}

static void memory_is_limited(void **state)
{
    (void)state;
    const struct process_limits limits = {20, 128 << 20};
    int64_t few = 4, many = 1000;
    void *result;
    size_t result_bytes;
    CHECK_OK(process_call(eat, &few, limits, arena, &result, &result_bytes, &diagnostic));
    assert_int_equal(*(int64_t *)result, 4);
    CHECK_REFUSED(process_call(eat, &many, limits, arena, &result, &result_bytes, &diagnostic),
                  STATUS_NO_MEMORY, "16777216 bytes could not be had");
    CHECK_REFUSED(process_call(eat, &many, (struct process_limits){20, UINT64_MAX}, arena, &result,
                               &result_bytes, &diagnostic),
                  STATUS_FAILED, "memory limit");
}

static status write_shared(void *context, struct arena *own, void **result, size_t *result_bytes,
                           struct diagnostic *reason)
{
    (void)own, (void)result, (void)reason;
    memset(context, 7, 10000);
    *result_bytes = 0;
    return STATUS_OK;
}

static void memory_can_be_shared(void **state)
{
    (void)state;
    void *memory, *result;
    size_t result_bytes;
    CHECK_OK(memory_map_shared(10000, &memory, &diagnostic));
    const unsigned char *bytes = memory;
    assert_int_equal(bytes[9999], 0);
    CHECK_OK(process_call(write_shared, memory, (struct process_limits){10, 0}, arena, &result,
                          &result_bytes, &diagnostic));
    for (int i = 0; i < 10000; i++) assert_int_equal(bytes[i], 7);
    memory_unmap(memory, 10000);
#ifdef HONE_FAULTS
    fault_set(1, 0);
    CHECK_REFUSED(memory_map_shared(10000, &memory, &diagnostic), STATUS_NO_MEMORY, "10000 bytes");
    fault_set(1, 0);
    CHECK_REFUSED(memory_map(10 << 20, &memory, &diagnostic), STATUS_NO_MEMORY, "10485760 bytes");
    fault_set(1, 0);
    CHECK_REFUSED(memory_map_code("", 1, &memory, &diagnostic), STATUS_NO_MEMORY, "1 bytes");
    fault_set(0, 0);
#endif
}

static status facts_of_child(void *context, struct arena *own, void **result, size_t *result_bytes,
                             struct diagnostic *reason)
{
    struct rlimit core;
    int *facts;
    (void)context;
    TRY_NEW(facts, own, 2, reason);
    getrlimit(RLIMIT_CORE, &core);
    facts[0] = core.rlim_cur == 0;
    raise(SIGINT); /* Ctrl-C is the parent's business */
    facts[1] = 1;
    *result = facts;
    *result_bytes = 2 * sizeof *facts;
    return STATUS_OK;
}

static void a_child_leaves_no_core_and_ignores_control_c(void **state)
{
    (void)state;
    void *result;
    size_t result_bytes;
    CHECK_OK(process_call(facts_of_child, NULL, (struct process_limits){10, 0}, arena, &result,
                          &result_bytes, &diagnostic));
    assert_int_equal(((int *)result)[0], 1);
    assert_int_equal(((int *)result)[1], 1);
}

/* A parent that dies takes its child along: the pipe's end that the child holds is closed then. */
static void a_child_dies_with_its_parent(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct process process;
        struct diagnostic reason = {0};
        close(ends[0]);
        _exit(process_start(&process, deaf, NULL, (struct process_limits){0}, &reason) !=
              STATUS_OK);
    }
    close(ends[1]);
    int exit_state;
    assert_int_equal(waitpid(middle, &exit_state, 0), middle);
    assert_int_equal(exit_state, 0);
    struct pollfd waiting = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 5000), 1);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void the_child_ends_with_its_input(void **state)
{
    (void)state;
    struct process process;
    char letter = 'a';
    int exit_state;
    CHECK_OK(process_start(&process, worker, &letter, (struct process_limits){5, 0}, &diagnostic));
    CHECK_OK(ask(&process, "hello", 0));
    shutdown(process.channel, SHUT_WR);
    assert_int_equal(waitpid(process.pid, &exit_state, 0), process.pid);
    assert_int_equal(exit_state, 0);
    close(process.channel);
}

static void descriptors_that_run_out_are_reported(void **state)
{
    (void)state;
    struct process process = {0};
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    status result = process_start(&process, deaf, NULL, (struct process_limits){0}, &diagnostic);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(result, STATUS_FAILED);
    assert_non_null(strstr(diagnostic.text, "Too many open files"));
    process_stop(&process);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_answers),
        TEST(deaths_are_named),
        TEST(a_child_that_hangs_is_killed_in_time),
        TEST(sending_has_a_deadline_too),
        TEST(a_child_that_died_before_is_noticed),
        TEST(answers_respect_the_limit_of_the_arena),
        TEST(calls_bring_back_results_and_reasons),
        TEST(memory_is_limited),
        TEST(memory_can_be_shared),
        TEST(a_child_leaves_no_core_and_ignores_control_c),
        TEST(a_child_dies_with_its_parent),
        TEST(the_child_ends_with_its_input),
        TEST(descriptors_that_run_out_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

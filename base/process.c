/* Children that may fail: fork, limits, a deadline for every answer, and the reason when there is
 * none. */
#include "base/process.h"

#include "base/clock.h"
#include "base/process_message.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long a child that closed its channel may take to exit before it is killed. */
static const double exit_grace_seconds = 2;

/* The address space in use, from the first field of /proc/self/statm; 0 when it cannot be read. */
static uint64_t address_space_bytes(void)
{
    char line[256] = {0};
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    if (length <= 0) return 0;
    return strtoull(line, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Ctrl-C on a terminal reaches the whole group; the parent decides what it means for its children.
 * Handlers of the parent for the other signals that end a program have no place here. */
static bool prepare_child(uint64_t address_space_limit, pid_t parent)
{
    const struct rlimit no_core = {0, 0};
    const struct rlimit memory = {address_space_limit, address_space_limit};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (getppid() != parent) return false; /* it died before the line above */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    setrlimit(RLIMIT_CORE, &no_core);
    return !address_space_limit || setrlimit(RLIMIT_AS, &memory) == 0;
}

status process_start(struct process *process, process_body *body, void *context,
                     struct process_limits limits, struct diagnostic *diagnostic)
{
    int ends[2];
    pid_t parent = getpid();
    uint64_t address_space_limit = 0;
    *process = (struct process){.limits = limits, .channel = -1};
    if (limits.memory_bytes) {
        uint64_t used = address_space_bytes();
        if (!used || __builtin_add_overflow(used, limits.memory_bytes, &address_space_limit)) {
            return fail(diagnostic, STATUS_FAILED,
                        "no memory limit can be set for a child process");
        }
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return fail(diagnostic, STATUS_FAILED, "no channel to a child process: %s",
                    strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (!prepare_child(address_space_limit, parent)) _exit(PROCESS_EXIT_UNPREPARED);
        body(context, ends[1], ends[1]);
        _exit(0);
    }
    int reason = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return fail(diagnostic, STATUS_FAILED, "no child process could be started: %s",
                    strerror(reason));
    }
    process->pid = pid;
    process->channel = ends[0];
    return STATUS_OK;
}

static void reap(struct process *process, int *exit_state)
{
    while (waitpid(process->pid, exit_state, 0) < 0 && errno == EINTR) {
    }
    close(process->channel);
    process->pid = 0;
    process->channel = -1;
}

/* The child, and what it has started: they are a group, unless it was stopped before it could make
 * one. */
static void kill_group(const struct process *process)
{
    kill(process->pid, SIGKILL);
    kill(-process->pid, SIGKILL);
}

void process_stop(struct process *process)
{
    int exit_state;
    if (process->pid <= 0) return;
    kill_group(process);
    reap(process, &exit_state);
}

bool process_running(const struct process *process)
{
    siginfo_t facts = {0};
    if (process->pid <= 0) return false;
    int result = waitid(P_PID, (id_t)process->pid, &facts, WEXITED | WNOHANG | WNOWAIT);
    return result == 0 && facts.si_pid == 0;
}

double process_cpu_seconds(const struct process *process)
{
    clockid_t clock;
    struct timespec used;
    if (process->pid <= 0 || clock_getcpuclockid(process->pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* The child ended its channel: waits a little for its own end, which names the reason, then forces
 * it. */
static status fail_crashed(struct process *process, struct diagnostic *diagnostic)
{
    int exit_state = 0;
    double give_up = clock_seconds() + exit_grace_seconds;
    while (process_running(process) && clock_seconds() < give_up) {
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    bool lingering = process_running(process);
    kill_group(process);
    reap(process, &exit_state);
    if (lingering) {
        return fail(diagnostic, STATUS_CRASHED,
                    "the child process stopped listening without an answer");
    }
    if (WIFSIGNALED(exit_state)) {
        int signal_number = WTERMSIG(exit_state);
        const char *name = sigdescr_np(signal_number);
        return fail(diagnostic, STATUS_CRASHED, "the child process was killed by signal %d (%s)%s",
                    signal_number, name ? name : "unknown",
                    signal_number == SIGKILL ? "; the system may have run out of memory" : "");
    }
    if (WEXITSTATUS(exit_state) == PROCESS_EXIT_UNPREPARED) {
        return fail(diagnostic, STATUS_CRASHED, "the limits of the child process could not be set");
    }
    return fail(diagnostic, STATUS_CRASHED,
                "the child process exited with status %d without an answer",
                WEXITSTATUS(exit_state));
}

/* Every failure ends the child: its channel may hold half a message. */
static status conclude(struct process *process, enum message_outcome outcome, double seconds,
                       struct diagnostic *diagnostic)
{
    char buffer[32];
    if (outcome == MESSAGE_DONE) return STATUS_OK;
    if (outcome == MESSAGE_ENDED) return fail_crashed(process, diagnostic);
    process_stop(process);
    if (outcome == MESSAGE_TIMEOUT) {
        return fail(diagnostic, STATUS_TIMEOUT,
                    "no answer from the child process within %s; it was killed",
                    text_seconds(seconds, buffer));
    }
    if (outcome == MESSAGE_NO_MEMORY) return fail_memory(diagnostic, 0);
    return fail(diagnostic, STATUS_CRASHED, "the child process sent a broken message");
}

static int64_t deadline_after(double seconds)
{
    const double longest = 1e9; /* 31 years: no limit, and no overflow */
    if (!(seconds > 0) || seconds > longest) return INT64_MAX;
    return clock_nanoseconds() + (int64_t)(seconds * 1e9);
}

static status send_until(struct process *process, const void *request, size_t request_bytes,
                         int64_t deadline, double seconds, struct diagnostic *diagnostic)
{
    if (process->pid <= 0) {
        return fail(diagnostic, STATUS_CRASHED, "the child process is not running; start it again");
    }
    if (request_bytes > MESSAGE_BYTES_MAX) {
        return fail(diagnostic, STATUS_FAILED, "a request of %zu bytes; at most %d are allowed",
                    request_bytes, MESSAGE_BYTES_MAX);
    }
    enum message_outcome outcome = message_send(process->channel, request, request_bytes, deadline);
    return conclude(process, outcome, seconds, diagnostic);
}

status process_send(struct process *process, const void *request, size_t request_bytes,
                    struct diagnostic *diagnostic)
{
    return send_until(process, request, request_bytes, deadline_after(process->limits.seconds),
                      process->limits.seconds, diagnostic);
}

status process_receive(struct process *process, int64_t deadline, struct arena *arena,
                       void **answer, size_t *answer_bytes, struct diagnostic *diagnostic)
{
    if (process->pid <= 0) {
        return fail(diagnostic, STATUS_CRASHED, "the child process is not running; start it again");
    }
    enum message_outcome outcome =
        message_receive(process->channel, arena, answer, answer_bytes, deadline);
    return conclude(process, outcome, process->limits.seconds, diagnostic);
}

int process_wait_any(const struct process *processes, int count, int64_t deadline)
{
    int channels[PROCESSES_MAX], numbers[PROCESSES_MAX], running = 0;
    for (int p = 0; p < count && running < PROCESSES_MAX; p++) {
        if (processes[p].pid <= 0) continue;
        channels[running] = processes[p].channel;
        numbers[running++] = p;
    }
    int found = message_wait(channels, running, deadline);
    return found < 0 ? -1 : numbers[found];
}

status process_ask(struct process *process, const void *request, size_t request_bytes,
                   double seconds, struct arena *arena, void **answer, size_t *answer_bytes,
                   struct diagnostic *diagnostic)
{
    double limit = seconds > 0 ? seconds : process->limits.seconds;
    int64_t deadline = deadline_after(limit);
    TRY(send_until(process, request, request_bytes, deadline, limit, diagnostic));
    enum message_outcome outcome =
        message_receive(process->channel, arena, answer, answer_bytes, deadline);
    return conclude(process, outcome, limit, diagnostic);
}

/* The answer of a one-shot child: this, then the result. */
struct call_head {
    struct diagnostic diagnostic;
    _Alignas(16) status code; /* so that the result behind it is aligned like any object */
};

struct call {
    process_work *work;
    void *context;
};

static void call_body(void *context, int requests, int answers)
{
    const struct call *call = context;
    struct arena *arena = arena_create(0);
    struct call_head head = {.code = STATUS_NO_MEMORY};
    void *result = NULL;
    size_t result_bytes = 0;
    (void)requests;
    if (arena)
        head.code = call->work(call->context, arena, &result, &result_bytes, &head.diagnostic);
    if (head.code == STATUS_OK && result_bytes > MESSAGE_BYTES_MAX - sizeof head) {
        head.code = fail(&head.diagnostic, STATUS_FAILED, "a result of %zu bytes is too large",
                         result_bytes);
    }
    if (head.code != STATUS_OK) result_bytes = 0;
    char *message = arena ? arena_allocate(arena, sizeof head + result_bytes, 1) : NULL;
    if (message) {
        memcpy(message, &head, sizeof head);
        if (result_bytes) memcpy(message + sizeof head, result, result_bytes);
        process_write_message(answers, message, sizeof head + result_bytes);
        return;
    }
    head.code = STATUS_NO_MEMORY;
    process_write_message(answers, &head, sizeof head);
}

/* The child's answer is taken apart as carefully as a file: the child may have gone wrong. */
static status unpack_call(char *message, size_t message_bytes, void **result, size_t *result_bytes,
                          struct diagnostic *diagnostic)
{
    struct call_head head;
    if (message_bytes < sizeof head) {
        return fail(diagnostic, STATUS_CRASHED, "the child process sent a broken message");
    }
    memcpy(&head, message, sizeof head);
    head.diagnostic.text[DIAGNOSTIC_TEXT_BYTES - 1] = 0;
    if ((unsigned)head.code >= STATUS_COUNT) {
        return fail(diagnostic, STATUS_CRASHED, "the child process sent a broken message");
    }
    if (head.code != STATUS_OK) {
        const char *text = head.diagnostic.text;
        return fail(diagnostic, head.code, "%s", *text ? text : status_message(head.code));
    }
    *result = message + sizeof head;
    *result_bytes = message_bytes - sizeof head;
    return STATUS_OK;
}

status process_call(process_work *work, void *context, struct process_limits limits,
                    struct arena *arena, void **result, size_t *result_bytes,
                    struct diagnostic *diagnostic)
{
    struct call call = {work, context};
    struct process process;
    void *message;
    size_t message_bytes;
    int64_t deadline = deadline_after(limits.seconds);
    TRY(process_start(&process, call_body, &call, limits, diagnostic));
    enum message_outcome outcome =
        message_receive(process.channel, arena, &message, &message_bytes, deadline);
    TRY(conclude(&process, outcome, limits.seconds, diagnostic));
    process_stop(&process);
    return unpack_call(message, message_bytes, result, result_bytes, diagnostic);
}

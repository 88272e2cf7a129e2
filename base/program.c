/* A program between three pipes. */
#include "base/program.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MOST = 64 << 20, READ_BYTES = 64 << 10, EXIT_NO_PROGRAM = 127, SIGNAL_BASE = 128 };

enum { INPUT, OUTPUT, ERRORS, STREAMS };

struct stream {
    int ours, theirs;
    struct text text; /* what came */
};

struct running {
    const struct program *program;
    struct stream streams[STREAMS];
    size_t written; /* of the input */
    pid_t pid;
    int64_t deadline; /* of clock_nanoseconds(); INT64_MAX: none */
};

static void close_file(int *file)
{
    if (*file >= 0) close(*file);
    *file = -1;
}

static status open_pipes(struct running *running, struct diagnostic *diagnostic)
{
    for (int s = 0; s < STREAMS; s++) running->streams[s].ours = running->streams[s].theirs = -1;
    for (int s = 0; s < STREAMS; s++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return fail(diagnostic, STATUS_FAILED, "no pipe to %s: %s",
                        running->program->arguments[0], strerror(errno));
        running->streams[s].ours = ends[s == INPUT];
        running->streams[s].theirs = ends[s != INPUT];
        fcntl(running->streams[s].ours, F_SETFL, O_NONBLOCK);
    }
    return STATUS_OK;
}

/* In the child: never returns. */
static void become(const struct running *running, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(EXIT_NO_PROGRAM);
    setpgid(0,
            0); /* so that a Ctrl-C is its starter's to answer, and its own children end with it */
    signal(SIGPIPE, SIG_DFL);
    for (int s = 0; s < STREAMS; s++)
        if (dup2(running->streams[s].theirs, s) < 0) _exit(EXIT_NO_PROGRAM);
    if (running->program->folder && chdir(running->program->folder) != 0) _exit(EXIT_NO_PROGRAM);
    char *const *arguments; /* execvp does not change them, although its type does not say so */
    memcpy(&arguments, &running->program->arguments, sizeof arguments);
    execvp(arguments[0], arguments);
    _exit(EXIT_NO_PROGRAM);
}

static status start(struct running *running, struct diagnostic *diagnostic)
{
    pid_t parent = getpid();
    TRY(open_pipes(running, diagnostic));
    running->pid = fork();
    if (running->pid == 0) become(running, parent);
    if (running->pid < 0)
        return fail(diagnostic, STATUS_FAILED, "%s could not be started: %s",
                    running->program->arguments[0], strerror(errno));
    for (int s = 0; s < STREAMS; s++) close_file(&running->streams[s].theirs);
    return STATUS_OK;
}

static status send_input(struct running *running)
{
    const struct program *program = running->program;
    struct stream *stream = &running->streams[INPUT];
    size_t left = program->input_bytes - running->written;
    ssize_t sent =
        left ? write(stream->ours, (const char *)program->input + running->written, left) : 0;
    if (sent > 0) running->written += (size_t)sent;
    bool again = sent < 0 && (errno == EAGAIN || errno == EINTR);
    /* A program that stops listening is no failure of ours. */
    if (!again && (sent < 0 || running->written == program->input_bytes)) close_file(&stream->ours);
    return STATUS_OK;
}

static status receive(struct running *running, struct stream *stream, struct diagnostic *diagnostic)
{
    size_t most = running->program->output_most ? running->program->output_most : OUTPUT_MOST;
    char bytes[READ_BYTES];
    ssize_t count = read(stream->ours, bytes, sizeof bytes);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return STATUS_OK;
    if (count > 0) text_append_range(&stream->text, bytes, (size_t)count);
    if (count <= 0) close_file(&stream->ours);
    if (stream->text.length <= most) return STATUS_OK;
    return fail(diagnostic, STATUS_FAILED, "%s says more than %zu bytes",
                running->program->arguments[0], most);
}

static int milliseconds_left(const struct running *running)
{
    if (running->deadline == INT64_MAX) return -1;
    int64_t left = running->deadline - clock_nanoseconds();
    return left <= 0 ? 0 : (int)(left / 1000000 + 1);
}

static bool is_open(const struct running *running)
{
    return running->streams[OUTPUT].ours >= 0 || running->streams[ERRORS].ours >= 0;
}

static status exchange(struct running *running, struct diagnostic *diagnostic)
{
    while (is_open(running)) {
        struct pollfd files[STREAMS];
        for (int s = 0; s < STREAMS; s++)
            files[s] = (struct pollfd){.fd = running->streams[s].ours,
                                       .events = s == INPUT ? POLLOUT : POLLIN};
        int ready = poll(files, STREAMS, milliseconds_left(running));
        if (ready < 0 && errno != EINTR)
            return fail(diagnostic, STATUS_FAILED, "waiting for %s: %s",
                        running->program->arguments[0], strerror(errno));
        if (ready == 0)
            return fail(diagnostic, STATUS_TIMEOUT, "%s did not end within %g s; it was killed",
                        running->program->arguments[0], running->program->seconds);
        if (ready > 0 && files[INPUT].revents) TRY(send_input(running));
        for (int s = OUTPUT; ready > 0 && s < STREAMS; s++)
            if (files[s].revents) TRY(receive(running, &running->streams[s], diagnostic));
    }
    return STATUS_OK;
}

/* It has closed its outputs; what it still does must end in time as well. */
static status await_end(struct running *running, int *state, struct diagnostic *diagnostic)
{
    for (;;) {
        pid_t ended = waitpid(running->pid, state, running->deadline == INT64_MAX ? 0 : WNOHANG);
        if (ended == running->pid) break;
        if (ended < 0 && errno != EINTR) break;
        if (ended == 0 && milliseconds_left(running) == 0)
            return fail(diagnostic, STATUS_TIMEOUT, "%s did not end within %g s; it was killed",
                        running->program->arguments[0], running->program->seconds);
        if (ended == 0) poll(NULL, 0, 1);
    }
    running->pid = 0;
    return STATUS_OK;
}

static status run(struct running *running, struct program_result *result,
                  struct diagnostic *diagnostic)
{
    int state = 0;
    TRY(start(running, diagnostic));
    TRY(exchange(running, diagnostic));
    TRY(await_end(running, &state, diagnostic));
    *result = (struct program_result){
        .exit_status = WIFSIGNALED(state) ? SIGNAL_BASE + WTERMSIG(state) : WEXITSTATUS(state),
        .output = text_finish(&running->streams[OUTPUT].text),
        .output_bytes = running->streams[OUTPUT].text.length,
        .errors = text_finish(&running->streams[ERRORS].text),
    };
    return result->output && result->errors ? STATUS_OK : fail_memory(diagnostic, READ_BYTES);
}

static void end(struct running *running)
{
    for (int s = 0; s < STREAMS; s++) {
        close_file(&running->streams[s].ours);
        close_file(&running->streams[s].theirs);
    }
    if (running->pid <= 0) return;
    kill(-running->pid, SIGKILL);
    kill(running->pid, SIGKILL); /* it may not have made its group yet */
    while (waitpid(running->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

status program_run(const struct program *program, struct arena *arena,
                   struct program_result *result, struct diagnostic *diagnostic)
{
    const char *const names[] = {program->arguments[0], NULL};
    struct running running = {.program = program, .deadline = INT64_MAX};
    if (!program_find(names, arena))
        return fail(diagnostic, STATUS_NOT_FOUND, "there is no program '%s' on PATH", names[0]);
    for (int s = 0; s < STREAMS; s++) running.streams[s].text.arena = arena;
    if (program->seconds > 0)
        running.deadline = clock_nanoseconds() + (int64_t)(program->seconds * 1e9);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    status code = run(&running, result, diagnostic);
    end(&running);
    signal(SIGPIPE, before);
    return code;
}

static const char *find_on_path(const char *name, struct arena *arena)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/')) return access(name, X_OK) == 0 ? name : NULL;
    for (const char *at = path ? path : ""; *at;) {
        size_t length = strcspn(at, ":");
        const char *file = arena_print(arena, "%.*s/%s", (int)length, at, name);
        if (file && length && access(file, X_OK) == 0 && !file_is_folder(file)) return file;
        at += length + (at[length] == ':');
    }
    return NULL;
}

const char *program_find(const char *const *names, struct arena *arena)
{
    for (; *names; names++) {
        const char *found = find_on_path(*names, arena);
        if (found) return found;
    }
    return NULL;
}

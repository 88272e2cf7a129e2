/* The progress line: redrawn at most ten times a second on a terminal, a plain line every ten
 * seconds elsewhere. */
#include "cli/console.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const double TERMINAL_INTERVAL_SECONDS = 0.1, PLAIN_INTERVAL_SECONDS = 10;

/* The one piece of process-wide state: a signal handler has no other way to reach anybody. */
static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    if (++interrupts > 1) _exit(status_exit(STATUS_INTERRUPTED));
}

bool console_interrupted(void)
{
    return interrupts > 0;
}

static bool progress_asks(void *context)
{
    (void)context;
    return console_interrupted();
}

static int line_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
    return 80;
}

static void format_line(const struct progress_state *state, char *line, size_t bytes)
{
    char left[32] = "";
    int length = snprintf(line, bytes, "%s", state->stage);
    if (state->total > 0)
        length += snprintf(line + length, bytes - (size_t)length, " %3.0f %%",
                           100 * state->done / state->total);
    if (state->seconds_left >= 0)
        length += snprintf(line + length, bytes - (size_t)length, ", %s left",
                           text_seconds(state->seconds_left, left));
    if (state->detail && (size_t)length < bytes)
        snprintf(line + length, bytes - (size_t)length, "  %s", state->detail);
}

static void draw(void *context, const struct progress_state *state)
{
    struct console *console = context;
    double now = clock_seconds();
    double interval = console->terminal ? TERMINAL_INTERVAL_SECONDS : PLAIN_INTERVAL_SECONDS;
    if (console->quiet || now - console->last_shown_seconds < interval) return;
    console->last_shown_seconds = now;
    char line[512];
    format_line(state, line, sizeof line);
    if (console->terminal) {
        fprintf(stderr, "\r\033[K%.*s", line_width() - 1, line);
        fflush(stderr);
        console->line_shown = true;
    } else {
        fprintf(stderr, "%s\n", line);
    }
}

static void warn(void *context, const char *message)
{
    struct console *console = context;
    console_clear_line(console);
    fprintf(stderr, "hone: warning: %s\n", message);
}

void console_clear_line(struct console *console)
{
    if (console->line_shown) fprintf(stderr, "\r\033[K");
    console->line_shown = false;
}

/* A model's pages are read from its file when they are used: a file that became shorter meanwhile
 * ends in this signal, in any thread.  Nothing can go on, but it is a bad file, not a crash.
 * Threads that share the work miss their pages together: the first one speaks, the others wait. */
static void on_missing_page(int number)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&told)) pause();
    static const char message[] =
        "\nhone: a model file became shorter while it was in use, or its disk failed; "
        "do not change files that are being run\n";
    (void)number;
    ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    (void)written;
    _exit(status_exit(STATUS_BAD_INPUT));
}

void console_start(struct console *console, bool quiet)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    bool dumb = !term || strcmp(term, "dumb") == 0;
    *console = (struct console){.quiet = quiet, .terminal = isatty(STDERR_FILENO) && !dumb};
    console->colour = console->terminal && !(no_colour && *no_colour);
    console->start_seconds = clock_seconds();
    console->last_shown_seconds = console->terminal ? 0 : console->start_seconds;
    console->progress = (struct progress){
        .context = console, .update = draw, .warn = warn, .interrupted = progress_asks};
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    struct sigaction missing = {.sa_handler = on_missing_page};
    sigaction(SIGBUS, &missing, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void console_error(struct console *console, const struct diagnostic *diagnostic)
{
    console_clear_line(console);
    const char *text = *diagnostic->text ? diagnostic->text : status_message(diagnostic->code);
    fprintf(stderr, "%shone: %s%s\n", console->colour ? "\033[31m" : "", text,
            console->colour ? "\033[0m" : "");
}

status console_flush(struct diagnostic *diagnostic)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return STATUS_OK;
    return fail(diagnostic, STATUS_INPUT_OUTPUT, "standard output: %s",
                errno ? strerror(errno) : "writing failed");
}

static int append_json(const char *bytes, size_t count, void *context)
{
    text_append_range(context, bytes, count);
    return 0;
}

status console_write_json(const char *path, json_t *document, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    struct text text = {.arena = arena};
    status code = STATUS_OK;
    bool printed = document && arena &&
                   json_dump_callback(document, append_json, &text,
                                      JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;
    if (!printed || !text_finish(&text)) code = fail_memory(diagnostic, 0);
    if (code == STATUS_OK) code = file_write(path, text.bytes, text.length, diagnostic);
    json_decref(document);
    if (arena) arena_destroy(arena);
    return code;
}

status console_print_json(json_t *document, struct diagnostic *diagnostic)
{
    if (!document) return fail_memory(diagnostic, 0);
    int failed = json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(document);
    putchar('\n');
    if (failed) return fail(diagnostic, STATUS_INPUT_OUTPUT, "standard output: writing failed");
    return console_flush(diagnostic);
}

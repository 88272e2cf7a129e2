/* The tables behind status.h. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

struct status_row {
    const char *name, *message;
    int exit_status;
};

static const struct status_row status_rows[STATUS_COUNT] = {
#define STATUS(name, exit_status, message) [STATUS_##name] = {#name, (message), (exit_status)},
#include "base/status.def"
#undef STATUS
};

const char *status_name(status code)
{
    return status_rows[code].name;
}

const char *status_message(status code)
{
    return status_rows[code].message;
}

int status_exit(status code)
{
    return status_rows[code].exit_status;
}

/* Messages quote hostile files: nothing that a terminal would obey may pass, and what is said of a file stays one line, so
 * that a name in it cannot pass for a message of its own.  Compilers' messages have several. */
static void remove_controls(char *text, bool one_line)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool allowed = byte >= ' ' || byte == '\t' || (byte == '\n' && !one_line);
        if (!allowed || byte == 0x7f) *text = '?';
    }
}

status(fail)(struct diagnostic *diagnostic, status code, const char *format, ...)
{
    if (diagnostic->code == STATUS_OK) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(diagnostic->text, sizeof diagnostic->text, format, arguments);
        va_end(arguments);
        remove_controls(diagnostic->text, code == STATUS_BAD_INPUT);
        diagnostic->code = code;
    }
    return code;
}

status(fail_memory)(struct diagnostic *diagnostic, size_t bytes)
{
    if (!bytes) return fail(diagnostic, STATUS_NO_MEMORY, "out of memory");
    return fail(diagnostic, STATUS_NO_MEMORY, "out of memory: %zu bytes could not be had", bytes);
}

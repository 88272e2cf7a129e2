/* Calls through struct progress whose members, and which itself, may be missing. */
#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>

enum { WARNING_BYTES = 1024 };

void progress_update(const struct progress *progress, const struct progress_state *state)
{
    if (progress && progress->update) progress->update(progress->context, state);
}

void progress_warn(const struct progress *progress, const char *format, ...)
{
    if (!progress || !progress->warn) return;
    char message[WARNING_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    progress->warn(progress->context, message);
}

bool progress_interrupted(const struct progress *progress)
{
    return progress && progress->interrupted && progress->interrupted(progress->context);
}

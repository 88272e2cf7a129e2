/* Status codes and diagnostics.
 *
 * Every function that can fail returns a status and takes, as its last parameter, the diagnostic
 * that receives the reason in words for the user: what, where, what to do.  The first failure wins,
 * so outer layers may add nothing and the innermost, best informed message survives. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum status {
#define STATUS(name, exit_status, message) STATUS_##name,
#include "base/status.def"
#undef STATUS
    STATUS_COUNT
} status;

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))

enum { DIAGNOSTIC_TEXT_BYTES = 1024 };

/* What went wrong.  Owned by the caller; start with `struct diagnostic d = {0};`. */
struct diagnostic {
    status code;
    char text[DIAGNOSTIC_TEXT_BYTES];
};

const char *status_name(status code);    /* "BAD_INPUT" */
const char *status_message(status code); /* "an input file was refused" */
int status_exit(status code);            /* the process's exit status */

/* Records the failure, unless an earlier one is there, and returns `code`. */
CHECKED PRINTF_LIKE(3, 4) status
    fail(struct diagnostic *diagnostic, status code, const char *format, ...);

/* The message for an allocation of `bytes` that could not be had. */
CHECKED status fail_memory(struct diagnostic *diagnostic, size_t bytes);

/* A failure never passes for success.  Going through this, calls of functions like the two above
 * tell the compiler as much, which then does not warn of values that are unset after a failure; the
 * functions themselves are declared first and called as (name)(...). */
static inline status certain_failure(status code)
{
    return code == STATUS_OK ? STATUS_FAILED : code;
}

#define fail(...)        certain_failure((fail)(__VA_ARGS__))
#define fail_memory(...) certain_failure((fail_memory)(__VA_ARGS__))

/* Returns from the calling function when `expression` fails. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        status try_status_ = (expression);                                                         \
        if (try_status_ != STATUS_OK) return try_status_;                                          \
    } while (0)

#endif

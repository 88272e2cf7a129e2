/* cmocka for Hone's tests.  cmocka's fail() takes the name of base/status.h's, so it is undone
 * here; CHECK_FAIL replaces it and fail_msg.  Include this instead of <cmocka.h>. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include "base/arena.h"
#include "base/fault.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the headers above. */
/* clang-format off */
#pragma push_macro("fail")
#undef fail
#include <cmocka.h>
#undef fail
#undef fail_msg
#pragma pop_macro("fail")
/* clang-format on */

#define CHECK_FAIL(...)                                                                            \
    do {                                                                                           \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
    } while (0)

/* `call` returns a status and reports into the variable `diagnostic`. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        if ((call) != STATUS_OK)                                                                   \
            CHECK_FAIL("%s: %s: %s", #call, status_name(diagnostic.code), diagnostic.text);        \
    } while (0)

/* The call fails with `expected` and a message that contains `words`; the diagnostic is cleared. */
#define CHECK_REFUSED(call, expected, words)                                                       \
    do {                                                                                           \
        status check_got_ = (call);                                                                \
        if (check_got_ != (expected) || diagnostic.code != (expected) ||                           \
            !strstr(diagnostic.text, (words)))                                                     \
            CHECK_FAIL("%s: got %s: '%s', expected %s with '%s'", #call, status_name(check_got_),  \
                       diagnostic.text, status_name(expected), (words));                           \
        diagnostic = (struct diagnostic){0};                                                       \
    } while (0)

#define CHECK_TEXT(actual, expected)                                                               \
    do {                                                                                           \
        const char *check_text_ = (actual);                                                        \
        if (!check_text_ || strcmp(check_text_, (expected)) != 0)                                  \
            CHECK_FAIL("%s: got '%s', expected '%s'", #actual,                                     \
                       check_text_ ? check_text_ : "(null)", (expected));                          \
    } while (0)

#endif

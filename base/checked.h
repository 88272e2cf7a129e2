/* Arithmetic on sizes that come from files: every sum and product is checked.  Each function
 * returns false on overflow and leaves `result` alone. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *result)
{
    return !__builtin_add_overflow(a, b, result);
}

static inline bool checked_multiply(uint64_t a, uint64_t b, uint64_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

/* `alignment` > 0, not necessarily a power of two. */
static inline bool checked_align(uint64_t offset, uint64_t alignment, uint64_t *result)
{
    uint64_t excess = offset % alignment;
    return excess ? checked_add(offset, alignment - excess, result) : (*result = offset, true);
}

#endif

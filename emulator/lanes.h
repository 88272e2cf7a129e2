/* Writing operations: loops over the lanes of a warp that the compiler can make vectors of. */
#ifndef EMULATOR_LANES_H
#define EMULATOR_LANES_H

#include "emulator/ptx_decode.h"
#include "emulator/warp.h"

#include <string.h>

#define OPERATION(name)                                                                            \
    static enum outcome name(struct warp *warp, const struct instruction *instruction)

/* The statement for each running lane.  Lanes do not meet in it: registers are read and written at
 * `lane` only. */
#define EACH_LANE(...)                                                                             \
    do {                                                                                           \
        if (warp->mask == ALL_LANES) {                                                             \
            _Pragma("GCC ivdep") for (unsigned lane = 0; lane < WARP_LANES; lane++)                \
            {                                                                                      \
                __VA_ARGS__;                                                                       \
            }                                                                                      \
        } else {                                                                                   \
            for (uint32_t left_ = warp->mask; left_; left_ &= left_ - 1) {                         \
                unsigned lane = (unsigned)__builtin_ctz(left_);                                    \
                __VA_ARGS__;                                                                       \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Registers as lanes of `type`, which has 32 or 64 bits. */
#define LANES(type, offset) ((type *)(void *)(warp->registers + (offset)))
#define DESTINATION(type)   LANES(type, instruction->destination)
#define SOURCE(type, index) LANES(const type, instruction->sources[index])

/* One to three operands: x, y and z have type `value`, the result is cut to `cut` and kept in
 * lanes of `storage`. */
#define UNARY(name, storage, cut, value, ...)                                                      \
    OPERATION(name)                                                                                \
    {                                                                                              \
        storage *d = DESTINATION(storage);                                                         \
        const storage *a = SOURCE(storage, 0);                                                     \
        EACH_LANE(value x = (value)a[lane]; d[lane] = (storage)(cut)(__VA_ARGS__));                \
        return OUTCOME_NEXT;                                                                       \
    }
#define BINARY(name, storage, cut, value, ...)                                                     \
    OPERATION(name)                                                                                \
    {                                                                                              \
        storage *d = DESTINATION(storage);                                                         \
        const storage *a = SOURCE(storage, 0), *b = SOURCE(storage, 1);                            \
        EACH_LANE(value x = (value)a[lane]; value y = (value)b[lane];                              \
                  d[lane] = (storage)(cut)(__VA_ARGS__));                                          \
        return OUTCOME_NEXT;                                                                       \
    }
#define TERNARY(name, storage, cut, value, ...)                                                    \
    OPERATION(name)                                                                                \
    {                                                                                              \
        storage *d = DESTINATION(storage);                                                         \
        const storage *a = SOURCE(storage, 0), *b = SOURCE(storage, 1), *c = SOURCE(storage, 2);   \
        EACH_LANE(value x = (value)a[lane]; value y = (value)b[lane]; value z = (value)c[lane];    \
                  d[lane] = (storage)(cut)(__VA_ARGS__));                                          \
        return OUTCOME_NEXT;                                                                       \
    }

/* The integer types. */
#define UNSIGNED(form, name, ...)                                                                  \
    form(name##_u16, uint32_t, uint16_t, uint16_t, __VA_ARGS__)                                    \
        form(name##_u32, uint32_t, uint32_t, uint32_t, __VA_ARGS__)                                \
            form(name##_u64, uint64_t, uint64_t, uint64_t, __VA_ARGS__)
#define SIGNED(form, name, ...)                                                                    \
    form(name##_s16, uint32_t, uint16_t, int16_t, __VA_ARGS__)                                     \
        form(name##_s32, uint32_t, uint32_t, int32_t, __VA_ARGS__)                                 \
            form(name##_s64, uint64_t, uint64_t, int64_t, __VA_ARGS__)
#define INTEGERS(form, name, ...)                                                                  \
    UNSIGNED(form, name, __VA_ARGS__)                                                              \
    SIGNED(form, name, __VA_ARGS__)

#define INTEGER_ROWS(name)                                                                         \
    [TYPE_U16] = name##_u16, [TYPE_S16] = name##_s16, [TYPE_U32] = name##_u32,                     \
    [TYPE_S32] = name##_s32, [TYPE_U64] = name##_u64, [TYPE_S64] = name##_s64

#define TABLE(name) static operation *const name[TYPE_COUNT]

static inline float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#endif

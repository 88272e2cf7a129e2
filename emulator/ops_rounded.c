/* Arithmetic with a rounding other than to nearest: exponentials of the CUDA library split numbers
 * with fma.rm.  The processor's rounding mode is changed around the loop; this file is compiled with
 * -frounding-math. */
#include "emulator/lanes.h"

#include <fenv.h>
#include <math.h>

enum { ADD, SUBTRACT, MULTIPLY, DIVIDE, FUSED, ROOT, RECIPROCAL };

#define ROUNDED(name, type, fused, root)                                                           \
    static type name##_value(int kind, type x, type y, type z)                                     \
    {                                                                                              \
        switch (kind) {                                                                            \
        case ADD: return x + y;                                                                    \
        case SUBTRACT: return x - y;                                                               \
        case MULTIPLY: return x * y;                                                               \
        case DIVIDE: return x / y;                                                                 \
        case FUSED: return fused(x, y, z);                                                         \
        case ROOT: return root(x);                                                                 \
        default: return 1 / x;                                                                     \
        }                                                                                          \
    }                                                                                              \
    OPERATION(name)                                                                                \
    {                                                                                              \
        type *d = DESTINATION(type);                                                               \
        const type *a = SOURCE(type, 0), *b = SOURCE(type, 1), *c = SOURCE(type, 2);               \
        fesetround((int)instruction->immediate);                                                   \
        for (uint32_t left = warp->mask; left; left &= left - 1) {                                 \
            unsigned lane = (unsigned)__builtin_ctz(left);                                         \
            d[lane] = name##_value(instruction->count, a[lane], b[lane], c[lane]);                 \
        }                                                                                          \
        fesetround(FE_TONEAREST);                                                                  \
        return OUTCOME_NEXT;                                                                       \
    }
ROUNDED(rounded_f32, float, fmaf, sqrtf)
ROUNDED(rounded_f64, double, fma, sqrt)

TABLE(rounded_runs) = {[TYPE_F32] = rounded_f32, [TYPE_F64] = rounded_f64};

static const struct {
    const char *name;
    int sources;
} kinds[] = {
    [ADD] = {"add", 2},   [SUBTRACT] = {"sub", 2}, [MULTIPLY] = {"mul", 2},   [DIVIDE] = {"div", 2},
    [FUSED] = {"fma", 3}, [ROOT] = {"sqrt", 1},    [RECIPROCAL] = {"rcp", 1},
};

static status decode_rounded(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    const char *mode = strchr(opcode->name, '.') + 1;
    enum ptx_type type = decoder->types[0];
    uint8_t kind = 0;
    while (strncmp(kinds[kind].name, opcode->name, strlen(kinds[kind].name))) kind++;
    instruction->count = kind;
    instruction->immediate = mode[1] == 'z'   ? FE_TOWARDZERO
                             : mode[1] == 'm' ? FE_DOWNWARD
                                              : FE_UPWARD;
    instruction->run = rounded_runs[type];
    instruction->category = type == TYPE_F64 ? CATEGORY_DOUBLE : CATEGORY_FLOAT;
    if (decoder_take(decoder, "ftz")) instruction->flags |= FLAG_FLUSH;
    if (decoder_take(decoder, "sat")) instruction->flags |= FLAG_SATURATE;
    if (instruction->flags && type == TYPE_F64) return decoder_refuse(decoder, "not for f64");
    if (instruction->flags) {
        instruction->inner = instruction->run;
        instruction->run = run_finished;
    }
    TRY(read_destination(decoder, type, &instruction->destination));
    for (int i = 0; i < kinds[kind].sources; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, type, &instruction->sources[i]));
    }
    return STATUS_OK;
}

#define ROWS(name)                                                                                 \
    {name ".rz", NULL, rounded_runs, CATEGORY_FLOAT, decode_rounded},                              \
        {name ".rm", NULL, rounded_runs, CATEGORY_FLOAT, decode_rounded},                          \
    {                                                                                              \
        name ".rp", NULL, rounded_runs, CATEGORY_FLOAT, decode_rounded                             \
    }

const struct opcode opcodes_rounded[] = {
    ROWS("add"), ROWS("sub"), ROWS("mul"), ROWS("div"), ROWS("fma"), ROWS("sqrt"), ROWS("rcp"), {0},
};

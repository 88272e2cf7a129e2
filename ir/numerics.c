/* Units of rounding and the error bound made from them. */
#include "ir/numerics.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* lambda of the probabilistic bound: a failure by chance has a probability below 2 exp(-32) = 3e-14
 * per element, so that a hundred million elements of a right kernel pass. */
static const double confidence = 8;

/* Elementary functions (exp, tanh, 1/sqrt) are approximated by kernels to a few units in the last
 * place of f32. */
static const double function_units = 16;

/* An addition errs in proportion to the sum so far.  Terms of random sign keep that near scale /
 * sqrt(terms), terms of one sign let it grow to the scale, where the errors add up to sqrt(terms)
 * units; kernels sum in 8 chains or more, and rounding errs by less than half of its bound on
 * average. */
static const double chain_root = 8;

static const double unit_f32 = 0x1p-24, unit_f16 = 0x1p-11, unit_bf16 = 0x1p-8;

/* Rounding to one of 127 steps of the block's largest magnitude, half a step off. */
static const double unit_q8 = 0.5 / 127;

struct unit_row {
    const char *name;
    double unit;
};

/* bf16 has 8 significant bits and kernels may truncate; i32 sums are exact, what is left is scaling
 * them in f32. */
static const struct unit_row operand_rows[] = {
    {"exact", 0}, {"f32", 0x1p-24}, {"f16", 0x1p-11}, {"bf16", 0x1p-8}, {NULL, 0},
};
static const struct unit_row accumulation_rows[] = {
    {"f64", 0x1p-53}, {"f32", 0x1p-24}, {"i32", 0x1p-24}, {"f16", 0x1p-11}, {NULL, 0},
};

/* Halves of a step relative to the block's largest magnitude: of e4m3 relative to the number itself, of e2m1 at 5,
 * between 4 and 6. */
static const struct unit_row block_rows[] = {
    {"q8", 0.5 / 127}, {"q11", 0.5 / 1023}, {"e4m3", 0x1p-4}, {"e2m1", 0.2}, {NULL, 0}};

static bool unit_find(const struct unit_row *rows, const char *name, double *unit)
{
    for (; rows->name; rows++) {
        if (strcmp(rows->name, name) != 0) continue;
        *unit = rows->unit;
        return true;
    }
    return false;
}

static status read_operands(struct yaml *map, struct numerics *numerics,
                            struct diagnostic *diagnostic)
{
    static const char block_text[] = " per block of ";
    const char *text;
    TRY(yaml_text(map, "operands", &text, diagnostic));
    if (unit_find(operand_rows, text, &numerics->operand_unit)) return STATUS_OK;
    const char *per_block = strstr(text, block_text);
    char name[8] = "";
    int64_t block;
    if (per_block && per_block - text < (long)sizeof name)
        memcpy(name, text, (size_t)(per_block - text));
    if (unit_find(block_rows, name, &numerics->operand_unit) &&
        text_to_integer(per_block + strlen(block_text), &block) && block >= 1 && block <= 65536) {
        numerics->operand_block = (int)block;
        return STATUS_OK;
    }
    return yaml_fail(yaml_find(map, "operands"), diagnostic,
                     "'%s' is no rounding of operands; known are exact, f32, f16, bf16, and "
                     "q8, q11, e4m3 or e2m1 'per block of N'",
                     text);
}

static status read_accumulation(struct yaml *map, struct numerics *numerics,
                                struct diagnostic *diagnostic)
{
    const char *text;
    TRY(yaml_text(map, "accumulation", &text, diagnostic));
    if (unit_find(accumulation_rows, text, &numerics->accumulation_unit)) return STATUS_OK;
    return yaml_fail(yaml_find(map, "accumulation"), diagnostic,
                     "'%s' is no type to accumulate in; known are f32, f64, f16 and i32", text);
}

status numerics_read(struct yaml *map, struct arena *arena, struct numerics *numerics,
                     struct diagnostic *diagnostic)
{
    *numerics = (struct numerics){.operand_block = 1, .accumulation_unit = unit_f32};
    struct yaml *operands = yaml_find(map, "operands");
    struct yaml *accumulation = yaml_find(map, "accumulation");
    if (operands) TRY(read_operands(map, numerics, diagnostic));
    if (accumulation) TRY(read_accumulation(map, numerics, diagnostic));
    numerics->text =
        arena_print(arena, "operands %s, accumulation %s", operands ? operands->text : "exact",
                    accumulation ? accumulation->text : "f32");
    TRY_MEMORY(numerics->text, diagnostic);
    return STATUS_OK;
}

double element_unit(enum element_type type)
{
    switch (type) {
    case ELEMENT_F32: return unit_f32;
    case ELEMENT_F16: return unit_f16;
    case ELEMENT_BF16: return unit_bf16;
    case ELEMENT_F8_E4M3:
    case ELEMENT_F8_E4M3_128: return 0x1p-4;
    case ELEMENT_F8_E5M2:
    case ELEMENT_F8_E5M2_128: return 0x1p-3;
    case ELEMENT_Q8_0:
    case ELEMENT_I8_128: return unit_q8;
    case ELEMENT_Q6_K: return 0.5 / 31;
    case ELEMENT_Q5_0:
    case ELEMENT_Q5_1:
    case ELEMENT_Q5_K: return 0.5 / 15;
    case ELEMENT_Q4_0:
    case ELEMENT_Q4_1:
    case ELEMENT_Q4_K: return 0.5 / 7;
    case ELEMENT_I4_128:
    case ELEMENT_I4_32: return 2.0 / 15; /* half a step, and half a step of the zero */
    case ELEMENT_IQ4_NL:
    case ELEMENT_IQ4_XS: return 12.0 / 113;   /* half of the widest gap */
    case ELEMENT_MXFP4: return 2.0 / 6;       /* what is above 6 becomes 6 */
    case ELEMENT_NVFP4_128: return 1.0 / 5.6; /* half of the gap below 6, as scales are rounded */
    case ELEMENT_Q3_K: return 0.5 / 3;
    case ELEMENT_Q2_K: return 0.5;
    case ELEMENT_I8:
    case ELEMENT_I32:
    case ELEMENT_COUNT: break;
    }
    return 0; /* integers must agree exactly */
}

struct error_bound error_bound_of(const struct numerics *numerics, double terms,
                                  enum element_type output)
{
    double root = sqrt(fmax(terms, 1));
    double operands = numerics->operand_unit * fmin(1, confidence / root);
    double sums = confidence * numerics->accumulation_unit * (1 + root / chain_root);
    return (struct error_bound){.relative = operands + sums + function_units * unit_f32,
                                .stored = 2 * element_unit(output)}; /* the reference rounds too */
}

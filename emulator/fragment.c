/* Elements of matrices. */
#include "emulator/fragment.h"

static float code_value(enum ptx_type type, uint32_t code)
{
    switch (type) {
    case TYPE_S8: return (float)(int8_t)code;
    case TYPE_U8: return (float)(uint8_t)code;
    case TYPE_S4: return (float)((int8_t)(code << 4) >> 4);
    case TYPE_U4: return (float)(code & 15);
    default: return (float)number_decode(type, code);
    }
}

status element_reader_create(struct decoder *decoder, enum ptx_type type, uint32_t container_bits,
                             struct element_reader *reader)
{
    uint32_t bits = (uint32_t)type_bits(type);
    float *values;
    *reader = (struct element_reader){.type = type, .bits = bits};
    if (bits > 8) return STATUS_OK;
    uint32_t codes = 1u << bits;
    if (container_bits) reader->bits = container_bits;
    /* Four bits stand in the middle of their byte. */
    if (container_bits == 8 && type == TYPE_E2M1) reader->shift = 2;
    TRY_NEW(values, decoder->parser->module->arena, codes, decoder->lexer->diagnostic);
    for (uint32_t code = 0; code < codes; code++) values[code] = code_value(type, code);
    reader->values = values;
    return STATUS_OK;
}

/* Peaks of one multiprocessor: sm_86, 89 and 120 512 operations a clock for f16 into f32, 1024
 * into f16, 2048 for s8; 1024 for fp8 into f32, 2048 into f16 or with block scales, 4096 for fp4 with
 * them.  Cards for computing centres: the same for f16 and f32 sums, twice for 8 bits. */
uint32_t matrix_rate_eighths(const struct matrix_rate *rate)
{
    int target = rate->target;
    bool halved = target == 86 || target == 89 || target == 120 || target == 121;
    int bits = type_bits(rate->element);
    bool whole = rate->sum == TYPE_S32, small = bits <= 8;
    uint32_t eighths = bits == 32 ? 4 : 8;
    /* Without block scales narrower floats stand in bytes. */
    if (small) eighths *= bits == 4 && (whole || rate->scaled) ? 4 : 2;
    if (halved && (whole || rate->scaled || rate->sum == TYPE_F16)) eighths *= 2;
    if (target == 90 && !rate->warpgroup) eighths = eighths * 5 / 8;
    return eighths;
}

void matrix_count(struct warp *warp, uint64_t operations, uint32_t rate_eighths)
{
    struct hone_emulator_counters *counters = &warp->block->gang->counters;
    counters->matrix_operations += operations;
    counters->matrix_work += operations * 8 / rate_eighths;
}

/* Loads and stores. */
#include "emulator/lanes.h"
#include "emulator/memory_reach.h"

enum {
    ACCESS_BYTES_MAX = 32,
    /* Marks in the list of registers. */
    REGISTER_WIDE = 1 << 31,
    REGISTER_HALF = 1 << 30,
    REGISTER_OFFSET = (1 << 30) - 1,
};

/* What the lanes move, before it is spread over registers. */
struct stage {
    unsigned char bytes[WARP_LANES][ACCESS_BYTES_MAX];
};

static inline void copy_some(void *to, const void *from, uint32_t bytes)
{
    switch (bytes) {
    case 1: memcpy(to, from, 1); break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    case 16: memcpy(to, from, 16); break;
    default: memcpy(to, from, 32); break;
    }
}

static uint64_t element_of(const unsigned char *from, uint32_t bytes, bool is_signed)
{
    uint64_t value = 0;
    switch (bytes) {
    case 1: value = *from; break;
    case 2: memcpy(&value, from, 2); break;
    case 4: memcpy(&value, from, 4); break;
    default: memcpy(&value, from, 8); break;
    }
    if (!is_signed || bytes == 8) return value;
    uint32_t shift = 64 - 8 * bytes;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

static void stage_to_registers(struct warp *warp, const struct instruction *instruction,
                               const struct stage *stage)
{
    uint32_t bytes = instruction->bytes;
    bool is_signed = instruction->flags & FLAG_SIGNED;
    for (uint32_t e = 0; e < instruction->count; e++) {
        uint32_t entry = instruction->list[e], offset = entry & REGISTER_OFFSET;
        uint32_t mask = entry & REGISTER_HALF ? 0xffff : UINT32_MAX;
        if (entry & (uint32_t)REGISTER_WIDE) {
            uint64_t *d = LANES(uint64_t, offset);
            EACH_LANE(d[lane] = element_of(stage->bytes[lane] + e * bytes, bytes, is_signed));
        } else if (bytes == 4) {
            uint32_t *d = LANES(uint32_t, offset);
            EACH_LANE(memcpy(&d[lane], stage->bytes[lane] + e * 4, 4));
        } else {
            uint32_t *d = LANES(uint32_t, offset);
            EACH_LANE(d[lane] = mask & (uint32_t)element_of(stage->bytes[lane] + e * bytes, bytes,
                                                            is_signed));
        }
    }
}

/* The lowest `bytes` (1 to 8) of a register's lane; bytes above the fourth come from 64 bits. */
static inline void element_to(unsigned char *to, const void *from, uint32_t bytes, bool wide)
{
    switch (bytes) {
    case 1: memcpy(to, from, 1); break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    default: memcpy(to, from, wide ? 8 : 4); break;
    }
}

static void registers_to_stage(const struct warp *warp, const struct instruction *instruction,
                               struct stage *stage)
{
    uint32_t bytes = instruction->bytes;
    for (uint32_t e = 0; e < instruction->count; e++) {
        uint32_t entry = instruction->list[e], offset = entry & REGISTER_OFFSET;
        bool wide = entry & (uint32_t)REGISTER_WIDE;
        const unsigned char *lanes = warp->registers + offset;
        for (unsigned lane = 0; lane < WARP_LANES; lane++)
            element_to(stage->bytes[lane] + e * bytes, lanes + lane * (wide ? 8 : 4), bytes, wide);
    }
}

OPERATION(load_any)
{
    struct stage stage;
    uint64_t addresses[WARP_LANES];
    uint32_t bytes = (uint32_t)instruction->bytes * instruction->count;
    enum space space = (enum space)instruction->space;
    warp_addresses(warp, &instruction->address, addresses);
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        const unsigned char *from =
            memory_reach(warp, instruction, space, lane, addresses[lane], bytes, REACH_READ);
        if (!from) return OUTCOME_FAULT;
        copy_some(stage.bytes[lane], from, bytes);
    }
    memory_count(warp, space, addresses, bytes);
    stage_to_registers(warp, instruction, &stage);
    return OUTCOME_NEXT;
}

/* A kernel's parameter: one address, one value for all lanes. */
OPERATION(load_parameter)
{
    struct stage stage;
    uint32_t bytes = (uint32_t)instruction->bytes * instruction->count;
    const unsigned char *from =
        memory_reach(warp, instruction, SPACE_PARAMETER, 0, (uint64_t)instruction->address.offset,
                     bytes, REACH_READ);
    if (!from) return OUTCOME_FAULT;
    EACH_LANE(copy_some(stage.bytes[lane], from, bytes));
    stage_to_registers(warp, instruction, &stage);
    return OUTCOME_NEXT;
}

OPERATION(store_any)
{
    struct stage stage;
    uint64_t addresses[WARP_LANES];
    uint32_t bytes = (uint32_t)instruction->bytes * instruction->count;
    enum space space = (enum space)instruction->space;
    warp_addresses(warp, &instruction->address, addresses);
    registers_to_stage(warp, instruction, &stage);
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        unsigned char *to =
            memory_reach(warp, instruction, space, lane, addresses[lane], bytes, REACH_WRITE);
        if (!to) return OUTCOME_FAULT;
        copy_some(to, stage.bytes[lane], bytes);
    }
    memory_count(warp, space, addresses, bytes);
    return OUTCOME_NEXT;
}

static enum space take_space(struct decoder *decoder)
{
    if (decoder_take(decoder, "global") || decoder_take(decoder, "const")) return SPACE_GLOBAL;
    if (decoder_take(decoder, "shared") || decoder_take(decoder, "shared::cta") ||
        decoder_take(decoder, "shared::cluster"))
        return SPACE_SHARED;
    if (decoder_take(decoder, "local")) return SPACE_LOCAL;
    if (decoder_take(decoder, "param") || decoder_take(decoder, "param::entry") ||
        decoder_take(decoder, "param::func"))
        return SPACE_PARAMETER;
    return SPACE_GENERIC;
}

/* Orders, scopes and cache hints.  `hint`: a policy is the last operand. */
static void take_manners(struct decoder *decoder, bool *hint)
{
    static const char *const ordered[] = {"volatile", "relaxed", "acquire", "release", "mmio"};
    static const char *const ignored[] = {"weak", "cta", "cluster", "gpu", "sys", "nc", "ca",
                                          "cg",   "cs",  "lu",      "cv",  "wb",  "wt"};
    size_t length;
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++)
        if (decoder_take(decoder, ordered[i])) decoder->instruction->flags |= FLAG_VOLATILE;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) decoder_take(decoder, ignored[i]);
    *hint = decoder_take(decoder, "L2::cache_hint");
    while (decoder_take_prefix(decoder, "L1::", &length) ||
           decoder_take_prefix(decoder, "L2::", &length)) {
    }
}

static status read_element(struct decoder *decoder, bool is_store, uint32_t *list, uint16_t *count)
{
    enum ptx_type type;
    uint32_t *entry = &list[(*count)++];
    bool number = decoder->lexer->token.kind != TOKEN_WORD;
    if (is_store && number) {
        TRY(read_source(decoder, decoder->types[0], entry));
        type = decoder->types[0];
    } else {
        TRY(read_any_register(decoder, entry, &type));
    }
    if (type == TYPE_PREDICATE || type_bits(type) < type_bits(decoder->types[0]))
        return decoder_refuse(decoder, "a register is too narrow");
    if (type_is_wide(type)) *entry |= (uint32_t)REGISTER_WIDE;
    if (type_bits(type) == 16) *entry |= REGISTER_HALF;
    return STATUS_OK;
}

static status read_elements(struct decoder *decoder, bool is_store)
{
    uint32_t list[8];
    uint16_t count = 0;
    bool vector = lexer_take(decoder->lexer, "{");
    if (vector != (decoder->instruction->count > 1))
        return decoder_refuse(decoder, "its vector has another size");
    for (uint16_t e = 0; e < decoder->instruction->count; e++) {
        if (e) TRY(read_comma(decoder));
        TRY(read_element(decoder, is_store, list, &count));
    }
    if (vector) TRY(lexer_expect(decoder->lexer, "}"));
    return keep_list(decoder, list, count);
}

static status take_shape(struct decoder *decoder)
{
    struct instruction *instruction = decoder->instruction;
    instruction->count = decoder_take(decoder, "v2")   ? 2
                         : decoder_take(decoder, "v4") ? 4
                         : decoder_take(decoder, "v8") ? 8
                                                       : 1;
    if (decoder->type_count != 1) return decoder_refuse(decoder, "it needs one type");
    int bytes = type_bytes(decoder->types[0]);
    if (bytes > 8 || bytes * instruction->count > ACCESS_BYTES_MAX ||
        decoder->types[0] == TYPE_PREDICATE)
        return decoder_refuse(decoder, "not for this type");
    instruction->bytes = (uint8_t)bytes;
    if (type_kind(decoder->types[0]) == KIND_SIGNED) instruction->flags |= FLAG_SIGNED;
    return STATUS_OK;
}

static status decode_access(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    enum symbol_kind kind;
    bool is_store = opcode->name[0] == 's', hint;
    enum space space = take_space(decoder);
    take_manners(decoder, &hint);
    TRY(take_shape(decoder));
    if (!is_store) {
        TRY(read_elements(decoder, false));
        TRY(read_comma(decoder));
    }
    TRY(read_address(decoder, &instruction->address, &kind));
    if (is_store) {
        TRY(read_comma(decoder));
        TRY(read_elements(decoder, true));
    }
    if (space == SPACE_PARAMETER && kind == SYMBOL_LOCAL_PARAMETER) space = SPACE_LOCAL;
    instruction->space = (uint8_t)space;
    instruction->run = is_store ? store_any : load_any;
    if (space == SPACE_PARAMETER) {
        if (is_store) return decoder_refuse(decoder, "parameters are only read");
        if (instruction->address.base == NO_REGISTER) instruction->run = load_parameter;
    }
    instruction->category = space == SPACE_SHARED      ? CATEGORY_SHARED
                            : space == SPACE_LOCAL     ? CATEGORY_LOCAL
                            : space == SPACE_PARAMETER ? CATEGORY_MOVE
                                                       : CATEGORY_GLOBAL;
    if (!hint) return STATUS_OK;
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B64, &instruction->sources[3]);
}

const struct opcode opcodes_memory[] = {
    {"ld", NULL, NULL, CATEGORY_GLOBAL, decode_access},
    {"ldu", NULL, NULL, CATEGORY_GLOBAL, decode_access},
    {"st", NULL, NULL, CATEGORY_GLOBAL, decode_access},
    {0},
};

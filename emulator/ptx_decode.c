/* One instruction: the guard, the opcode looked up in the families' tables, the operands of those
 * that are described by a word of letters. */
#include "emulator/ptx_decode.h"

#include <string.h>

static const struct opcode *const tables[] = {
    opcodes_integer,     opcodes_logic,   opcodes_float,       opcodes_half,   opcodes_convert,
    opcodes_rounded,     opcodes_compare, opcodes_move,        opcodes_memory, opcodes_atomic,
    opcodes_control,     opcodes_barrier, opcodes_exchange,    opcodes_copy,   opcodes_matrix,
    opcodes_matrix_load, opcodes_call,    opcodes_transaction, opcodes_bulk,   opcodes_carry,
    opcodes_warpgroup,   opcodes_cluster,
};

status decoder_refuse(struct decoder *decoder, const char *why)
{
    return lexer_fail(decoder->lexer, "unknown opcode %.*s: %s", (int)decoder->opcode.length,
                      decoder->opcode.text, why);
}

static status split_opcode(struct decoder *decoder)
{
    const char *at = decoder->opcode.text, *end = at + decoder->opcode.length;
    while (at < end) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t length = (size_t)((dot ? dot : end) - at);
        enum ptx_type type;
        if (type_by_name(at, length, &type)) {
            if (decoder->type_count == OPCODE_TYPES_MAX)
                return decoder_refuse(decoder, "too many types");
            decoder->types[decoder->type_count++] = type;
        } else {
            if (decoder->part_count == OPCODE_PARTS_MAX)
                return decoder_refuse(decoder, "too many modifiers");
            decoder->parts[decoder->part_count++] =
                (struct opcode_part){.text = at, .length = length};
        }
        at += length + 1;
    }
    return STATUS_OK;
}

static bool part_is(const struct opcode_part *part, const char *text)
{
    return part->length == strlen(text) && !memcmp(part->text, text, part->length);
}

bool decoder_take(struct decoder *decoder, const char *modifier)
{
    for (int i = 0; i < decoder->part_count; i++) {
        if (decoder->parts[i].taken || !part_is(&decoder->parts[i], modifier)) continue;
        decoder->parts[i].taken = true;
        return true;
    }
    return false;
}

const char *decoder_take_prefix(struct decoder *decoder, const char *prefix, size_t *length)
{
    size_t prefix_length = strlen(prefix);
    for (int i = 0; i < decoder->part_count; i++) {
        struct opcode_part *part = &decoder->parts[i];
        if (part->taken || part->length < prefix_length ||
            memcmp(part->text, prefix, prefix_length))
            continue;
        part->taken = true;
        *length = part->length - prefix_length;
        return part->text + prefix_length;
    }
    return NULL;
}

status decoder_finish(struct decoder *decoder)
{
    for (int i = 0; i < decoder->part_count; i++)
        if (!decoder->parts[i].taken) {
            char why[80] = "modifier .";
            strncat(why, decoder->parts[i].text,
                    decoder->parts[i].length < 60 ? decoder->parts[i].length : 60);
            return decoder_refuse(decoder, why);
        }
    return STATUS_OK;
}

/* Takes the parts of `name` ("mul.wide") from the front of the opcode. */
static bool takes_name(struct decoder *decoder, const char *name)
{
    struct opcode_part saved[OPCODE_PARTS_MAX];
    memcpy(saved, decoder->parts, sizeof saved);
    for (bool first = true; *name; first = false) {
        char word[32];
        size_t length = strcspn(name, ".");
        if (length >= sizeof word) return false;
        memcpy(word, name, length);
        word[length] = 0;
        bool found = first ? part_is(&decoder->parts[0], word) : decoder_take(decoder, word);
        if (first) decoder->parts[0].taken = true;
        if (!found) {
            memcpy(decoder->parts, saved, sizeof saved);
            return false;
        }
        name += length + (name[length] == '.');
    }
    return true;
}

static status read_letter(struct decoder *decoder, char letter, int *sources)
{
    struct instruction *instruction = decoder->instruction;
    enum ptx_type type = decoder->types[0];
    enum ptx_type wide = type_bits(type) == 16   ? TYPE_B32
                         : type_bits(type) == 32 ? TYPE_B64
                                                 : TYPE_B128;
    if (strchr("dDUP", letter)) {
        uint32_t *place =
            instruction->destination ? &instruction->destination2 : &instruction->destination;
        return read_destination(decoder,
                                letter == 'd'   ? type
                                : letter == 'D' ? wide
                                : letter == 'U' ? TYPE_B32
                                                : TYPE_PREDICATE,
                                place);
    }
    if (letter == 'i')
        return read_immediate(decoder, INT32_MIN, UINT32_MAX, &instruction->immediate);
    uint32_t *place = &instruction->sources[(*sources)++];
    if (letter == 'p') return read_predicate(decoder, place);
    return read_source(decoder, letter == 'a' ? type : letter == 'w' ? wide : TYPE_B32, place);
}

/* Reads the operands that `opcode` describes. */
static status decode_plain(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    int sources = 0;
    if (!decoder->type_count) return decoder_refuse(decoder, "it has no type");
    enum ptx_type type = decoder->types[0];
    instruction->run = opcode->runs[type];
    if (!instruction->run) return decoder_refuse(decoder, "not for this type");
    instruction->type = (uint8_t)type;
    for (const char *letter = opcode->operands; *letter; letter++) {
        if (letter != opcode->operands) TRY(read_comma(decoder));
        TRY(read_letter(decoder, *letter, &sources));
    }
    return STATUS_OK;
}

/* .ftz and .sat become flags; the roundings that are the only ones computed here say nothing. */
static void take_common(struct decoder *decoder)
{
    struct instruction *instruction = decoder->instruction;
    bool real = decoder->type_count && type_kind(decoder->types[0]) == KIND_FLOAT;
    if (decoder_take(decoder, "ftz")) instruction->flags |= FLAG_FLUSH;
    if (real && decoder_take(decoder, "sat")) instruction->flags |= FLAG_SATURATE;
    if (real) {
        decoder_take(decoder, "rn");
        decoder_take(decoder, "approx");
        decoder_take(decoder, "full");
    }
}

static enum category refine_category(enum category category, enum ptx_type type)
{
    if (category != CATEGORY_FLOAT && category != CATEGORY_INTEGER) return category;
    if (type == TYPE_F64) return CATEGORY_DOUBLE;
    if (type_kind(type) != KIND_FLOAT) return CATEGORY_INTEGER;
    return type == TYPE_F32 ? CATEGORY_FLOAT : CATEGORY_HALF;
}

static status decode_row(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    instruction->category = (uint8_t)opcode->category;
    if (opcode->decode) {
        TRY(opcode->decode(decoder, opcode));
        return decoder_finish(decoder);
    }
    take_common(decoder);
    TRY(decoder_finish(decoder));
    TRY(decode_plain(decoder, opcode));
    instruction->category =
        (uint8_t)refine_category(opcode->category, (enum ptx_type)instruction->type);
    if (instruction->flags & (FLAG_FLUSH | FLAG_SATURATE) && instruction->type == TYPE_F32) {
        instruction->inner = instruction->run;
        instruction->run = run_finished;
    } else if (instruction->flags & FLAG_SATURATE) {
        return decoder_refuse(decoder, ".sat is for f32 here");
    }
    return STATUS_OK;
}

/* The row for the opcode's type with the longest name that the opcode has: "mul.wide" before
 * "mul". */
static const struct opcode *find_row(struct decoder *decoder)
{
    const struct opcode *best = NULL;
    struct decoder probe;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct opcode *opcode = tables[t]; opcode->name; opcode++) {
            size_t length = strcspn(opcode->name, ".");
            if (length != decoder->parts[0].length ||
                memcmp(opcode->name, decoder->parts[0].text, length))
                continue;
            probe = *decoder;
            if (opcode->runs && !opcode->runs[decoder->types[0]]) continue;
            if (!takes_name(&probe, opcode->name)) continue;
            if (!best || strlen(opcode->name) > strlen(best->name)) best = opcode;
        }
    return best;
}

static status read_guard(struct parser *parser, struct instruction *instruction)
{
    struct token name;
    uint32_t number;
    if (!lexer_take(&parser->lexer, "@")) return STATUS_OK;
    instruction->guard_negated = lexer_take(&parser->lexer, "!");
    TRY(lexer_word(&parser->lexer, "a predicate", &name));
    const struct symbol *symbol = symbol_find(parser, &name, &number);
    if (!symbol || symbol->kind != SYMBOL_REGISTERS || symbol->type != TYPE_PREDICATE)
        return lexer_fail(&parser->lexer, "%.*s is no predicate", (int)name.length, name.text);
    instruction->guard = symbol->value + 4 * number;
    return STATUS_OK;
}

static status append_instruction(struct parser *parser, const struct instruction *instruction)
{
    struct module *module = parser->module;
    TRY_APPEND(module->code, module->code_count, module->code_capacity, module->arena,
               parser->lexer.diagnostic);
    module->code[module->code_count - 1] = *instruction;
    return STATUS_OK;
}

status read_instruction(struct parser *parser)
{
    struct instruction instruction = {.line = (uint32_t)parser->lexer.token.line};
    struct decoder decoder = {
        .parser = parser, .lexer = &parser->lexer, .instruction = &instruction};
    TRY(read_guard(parser, &instruction));
    TRY(lexer_word(&parser->lexer, "an opcode", &decoder.opcode));
    TRY(split_opcode(&decoder));
    const struct opcode *opcode = decoder.part_count ? find_row(&decoder) : NULL;
    if (!opcode) return decoder_refuse(&decoder, "the stand-in does not have it");
    takes_name(&decoder, opcode->name);
    TRY(decode_row(&decoder, opcode));
    TRY(lexer_expect(&parser->lexer, ";"));
    TRY(append_instruction(parser, &instruction));
    if (!parser->behind.run) return STATUS_OK;
    instruction = parser->behind;
    parser->behind = (struct instruction){0};
    return append_instruction(parser, &instruction);
}

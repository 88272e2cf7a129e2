/* The operands of instructions. */
#include "emulator/ptx_decode.h"

#include <string.h>

status read_comma(struct decoder *decoder)
{
    return lexer_expect(decoder->lexer, ",");
}

static uint32_t register_offset(const struct symbol *symbol, uint32_t number)
{
    uint32_t each = symbol->type == TYPE_PREDICATE  ? 4
                    : type_bits(symbol->type) <= 32 ? 128
                                                    : (uint32_t)type_bits(symbol->type) * 4;
    return symbol->value + each * number;
}

static enum ptx_type register_class(enum ptx_type type)
{
    if (type == TYPE_PREDICATE) return TYPE_PREDICATE;
    return type_bits(type) <= 32 ? TYPE_B32 : type_bits(type) == 64 ? TYPE_B64 : TYPE_B128;
}

/* What "_" writes to. */
static status sink_register(struct decoder *decoder, enum ptx_type type, uint32_t *offset)
{
    struct parser *parser = decoder->parser;
    uint32_t *sink = &parser->sinks[type_is_wide(type)];
    if (*sink == NO_REGISTER)
        TRY(registers_allocate(parser, type_is_wide(type) ? TYPE_B64 : TYPE_B32, 1, sink));
    *offset = *sink;
    return STATUS_OK;
}

static status fail_width(struct decoder *decoder, const struct token *name, enum ptx_type type)
{
    return lexer_fail(decoder->lexer, "%.*s: register %.*s does not hold a .%s",
                      (int)decoder->opcode.length, decoder->opcode.text, (int)name->length,
                      name->text, type_name(type));
}

static status find_register(struct decoder *decoder, const struct token *name,
                            const struct symbol **symbol, uint32_t *offset)
{
    uint32_t number;
    *symbol = symbol_find(decoder->parser, name, &number);
    if (!*symbol || (*symbol)->kind != SYMBOL_REGISTERS)
        return lexer_fail(decoder->lexer, "%.*s is no register", (int)name->length, name->text);
    *offset = register_offset(*symbol, number);
    return STATUS_OK;
}

status read_destination(struct decoder *decoder, enum ptx_type type, uint32_t *offset)
{
    struct token name;
    const struct symbol *symbol;
    TRY(lexer_word(decoder->lexer, "a register", &name));
    if (token_is(&name, "_")) return sink_register(decoder, type, offset);
    TRY(find_register(decoder, &name, &symbol, offset));
    if (register_class(symbol->type) != register_class(type))
        return fail_width(decoder, &name, type);
    return STATUS_OK;
}

status read_any_register(struct decoder *decoder, uint32_t *offset, enum ptx_type *type)
{
    struct token name;
    const struct symbol *symbol;
    TRY(lexer_word(decoder->lexer, "a register", &name));
    if (token_is(&name, "_")) {
        *type = TYPE_B32;
        return sink_register(decoder, TYPE_B32, offset);
    }
    TRY(find_register(decoder, &name, &symbol, offset));
    *type = symbol->type;
    return STATUS_OK;
}

static status number_register(struct decoder *decoder, enum ptx_type type, int64_t value,
                              uint32_t *offset)
{
    struct constant constant = {.value = (uint64_t)value, .wide = type_is_wide(type)};
    if (type == TYPE_PREDICATE) {
        constant.kind = CONSTANT_PREDICATE;
        constant.value = value ? UINT32_MAX : 0;
    } else if (type_bits(type) < 64) {
        constant.value &= (UINT64_C(1) << type_bits(type)) - 1;
    }
    return constant_register(decoder->parser, constant, offset);
}

static status read_number_source(struct decoder *decoder, enum ptx_type type, uint32_t *offset)
{
    int64_t value;
    int float_bits;
    TRY(lexer_constant(decoder->lexer, &value, &float_bits));
    if (float_bits && float_bits != type_bits(type)) {
        double real;
        float narrow;
        uint32_t bits = (uint32_t)value;
        if (float_bits == 64) {
            memcpy(&real, &value, sizeof real);
        } else {
            memcpy(&narrow, &bits, sizeof narrow);
            real = (double)narrow;
        }
        if (type_bits(type) == 64) {
            memcpy(&value, &real, sizeof value);
        } else {
            narrow = (float)real;
            memcpy(&bits, &narrow, sizeof bits);
            value = bits;
        }
    }
    return number_register(decoder, type, value, offset);
}

/* The address that a name stands for, as a register of `type`'s width. */
static status read_name_address(struct decoder *decoder, const struct symbol *symbol,
                                enum ptx_type type, uint32_t *offset)
{
    struct constant constant = {.value = symbol->value, .wide = type_is_wide(type)};
    if (symbol->kind == SYMBOL_SHARED) {
        constant.kind = CONSTANT_SHARED;
        constant.variable = symbol->count;
    } else if (symbol->kind == SYMBOL_VARIABLE) {
        constant.kind = CONSTANT_VARIABLE;
        constant.variable = symbol->value;
        constant.value = 0;
    } else if (symbol->kind != SYMBOL_PARAMETER && symbol->kind != SYMBOL_LOCAL &&
               symbol->kind != SYMBOL_LOCAL_PARAMETER) {
        return lexer_fail(decoder->lexer, "%.*s has no address", (int)symbol->length, symbol->name);
    }
    return constant_register(decoder->parser, constant, offset);
}

static status read_word_source(struct decoder *decoder, enum ptx_type type, uint32_t *offset)
{
    struct token name;
    enum special special;
    uint32_t number;
    bool wide;
    TRY(lexer_word(decoder->lexer, "a register", &name));
    const struct symbol *symbol = symbol_find(decoder->parser, &name, &number);
    if (symbol && symbol->kind == SYMBOL_REGISTERS) {
        *offset = register_offset(symbol, number);
        if (register_class(symbol->type) == register_class(type)) return STATUS_OK;
        return fail_width(decoder, &name, type);
    }
    if (symbol) return read_name_address(decoder, symbol, type, offset);
    if (token_is(&name, "WARP_SZ")) return number_register(decoder, type, 32, offset);
    if (!special_by_name(&name, &special, &wide))
        return lexer_fail(decoder->lexer, "%.*s is not known", (int)name.length, name.text);
    if (wide != type_is_wide(type)) return fail_width(decoder, &name, type);
    return special_register(decoder->parser, special, offset);
}

status read_source(struct decoder *decoder, enum ptx_type type, uint32_t *offset)
{
    if (decoder->lexer->token.kind == TOKEN_WORD) return read_word_source(decoder, type, offset);
    return read_number_source(decoder, type, offset);
}

status read_predicate(struct decoder *decoder, uint32_t *offset)
{
    if (lexer_take(decoder->lexer, "!")) decoder->instruction->flags |= FLAG_NEGATE;
    return read_source(decoder, TYPE_PREDICATE, offset);
}

static status read_address_base(struct decoder *decoder, struct address *address,
                                enum symbol_kind *kind)
{
    struct token name;
    uint32_t number;
    TRY(lexer_word(decoder->lexer, "an address", &name));
    const struct symbol *symbol = symbol_find(decoder->parser, &name, &number);
    if (!symbol)
        return lexer_fail(decoder->lexer, "%.*s is not known", (int)name.length, name.text);
    *kind = symbol->kind;
    if (symbol->kind == SYMBOL_REGISTERS) {
        address->base = register_offset(symbol, number);
        address->wide = type_is_wide(symbol->type);
        return STATUS_OK;
    }
    if (symbol->kind == SYMBOL_SHARED || symbol->kind == SYMBOL_VARIABLE) {
        address->wide = symbol->kind == SYMBOL_VARIABLE;
        return read_name_address(decoder, symbol, address->wide ? TYPE_B64 : TYPE_B32,
                                 &address->base);
    }
    address->offset = symbol->value;
    return STATUS_OK;
}

status read_address_inside(struct decoder *decoder, struct address *address, enum symbol_kind *kind)
{
    enum symbol_kind ignored;
    int64_t offset = 0;
    *address = (struct address){0};
    if (!kind) kind = &ignored;
    *kind = SYMBOL_REGISTERS;
    if (decoder->lexer->token.kind != TOKEN_WORD)
        return lexer_number(decoder->lexer, &address->offset);
    TRY(read_address_base(decoder, address, kind));
    if (lexer_take(decoder->lexer, "+")) {
        TRY(lexer_number(decoder->lexer, &offset));
    } else if (token_is(&decoder->lexer->token, "-")) {
        TRY(lexer_number(decoder->lexer, &offset));
    }
    address->offset += offset;
    return STATUS_OK;
}

status read_address(struct decoder *decoder, struct address *address, enum symbol_kind *kind)
{
    TRY(lexer_expect(decoder->lexer, "["));
    TRY(read_address_inside(decoder, address, kind));
    return lexer_expect(decoder->lexer, "]");
}

static status append_register(struct decoder *decoder, enum ptx_type type, bool source,
                              uint32_t *list, uint16_t *count)
{
    if (*count == OPERAND_LIST_MAX)
        return lexer_fail(decoder->lexer, "more than %d registers", OPERAND_LIST_MAX);
    uint32_t *place = &list[(*count)++];
    return source ? read_source(decoder, type, place) : read_destination(decoder, type, place);
}

status read_registers_of(struct decoder *decoder, enum ptx_type type, bool source, uint32_t *list,
                         uint16_t *count)
{
    if (!lexer_take(decoder->lexer, "{"))
        return append_register(decoder, type, source, list, count);
    do {
        TRY(append_register(decoder, type, source, list, count));
    } while (lexer_take(decoder->lexer, ","));
    return lexer_expect(decoder->lexer, "}");
}

status keep_list(struct decoder *decoder, const uint32_t *list, uint16_t count)
{
    struct instruction *instruction = decoder->instruction;
    instruction->list = arena_copy(decoder->parser->module->arena, list, count * sizeof *list);
    TRY_MEMORY(instruction->list, decoder->lexer->diagnostic);
    instruction->list_count = count;
    return STATUS_OK;
}

status read_immediate(struct decoder *decoder, int64_t least, int64_t most, int64_t *value)
{
    TRY(lexer_number(decoder->lexer, value));
    if (*value >= least && *value <= most) return STATUS_OK;
    return lexer_fail(decoder->lexer, "%lld is not within %lld to %lld", (long long)*value,
                      (long long)least, (long long)most);
}

/* Names of a module and their scopes; registers given to constants and special registers. */
#include "emulator/ptx_parser.h"

#include <ctype.h>
#include <string.h>

enum {
    LANES_BYTES = 128,                 /* 32 lanes of 4 bytes */
    REGISTER_BYTES_MAX = 64 << 20,     /* of one warp: 500,000 registers */
    FIRST_REGISTER_BYTES = LANES_BYTES /* offset 0 stands for "none" */
};

static unsigned name_chain(const char *name, size_t length)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash % SYMBOL_CHAINS;
}

static struct symbol *chain_find(const struct parser *parser, const char *name, size_t length,
                                 bool numbered)
{
    struct symbol *symbol = parser->chains[name_chain(name, length)];
    while (symbol && (symbol->numbered != numbered || symbol->length != length ||
                      memcmp(symbol->name, name, length)))
        symbol = symbol->next;
    return symbol;
}

struct symbol *symbol_find(const struct parser *parser, const struct token *name, uint32_t *number)
{
    size_t length = name->length;
    uint32_t value = 0, scale = 1;
    *number = 0;
    struct symbol *symbol = chain_find(parser, name->text, length, false);
    if (symbol) return symbol;
    while (length && isdigit((unsigned char)name->text[length - 1]) && scale < 1000000000u) {
        value += scale * (uint32_t)(name->text[--length] - '0');
        scale *= 10;
    }
    if (length == name->length) return NULL;
    symbol = chain_find(parser, name->text, length, true);
    if (!symbol || value >= symbol->count) return NULL;
    *number = value;
    return symbol;
}

status symbol_declare(struct parser *parser, const struct token *name, enum symbol_kind kind,
                      struct symbol **result)
{
    struct symbol *symbol;
    struct diagnostic *diagnostic = parser->lexer.diagnostic;
    TRY_NEW(symbol, parser->arena, 1, diagnostic);
    symbol->name = name->text;
    symbol->length = name->length;
    symbol->kind = kind;
    struct symbol **chain = &parser->chains[name_chain(name->text, name->length)];
    symbol->next = *chain;
    *chain = symbol;
    TRY_APPEND(parser->declared, parser->declared_count, parser->declared_capacity, parser->arena,
               diagnostic);
    parser->declared[parser->declared_count - 1] = symbol;
    *result = symbol;
    return STATUS_OK;
}

status scope_open(struct parser *parser)
{
    if (parser->depth == SCOPE_DEPTH_MAX)
        return lexer_fail(&parser->lexer, "more than %d nested braces", SCOPE_DEPTH_MAX);
    parser->scope_declared[parser->depth] = parser->declared_count;
    parser->scope_fixups[parser->depth] = parser->fixup_count;
    parser->depth++;
    return STATUS_OK;
}

/* Gives branches of the scope their targets; those to labels of outer scopes stay open. */
static status resolve_fixups(struct parser *parser, size_t first, bool all)
{
    size_t kept = first;
    uint32_t number;
    for (size_t i = first; i < parser->fixup_count; i++) {
        struct fixup *fixup = &parser->fixups[i];
        const struct symbol *symbol = symbol_find(parser, &fixup->label, &number);
        if (symbol && symbol->kind == SYMBOL_LABEL) {
            uint32_t *place =
                fixup->place ? fixup->place : &parser->module->code[fixup->instruction].target;
            *place = symbol->value;
        } else if (all) {
            return lexer_fail(&parser->lexer, "there is no label %.*s", (int)fixup->label.length,
                              fixup->label.text);
        } else {
            parser->fixups[kept++] = *fixup;
        }
    }
    parser->fixup_count = kept;
    return STATUS_OK;
}

status scope_close(struct parser *parser)
{
    if (!parser->depth) return lexer_fail(&parser->lexer, "'}' closes nothing");
    parser->depth--;
    TRY(resolve_fixups(parser, parser->scope_fixups[parser->depth], !parser->depth));
    while (parser->declared_count > parser->scope_declared[parser->depth]) {
        struct symbol *symbol = parser->declared[--parser->declared_count];
        parser->chains[name_chain(symbol->name, symbol->length)] = symbol->next;
    }
    return STATUS_OK;
}

status registers_allocate(struct parser *parser, enum ptx_type type, uint32_t count,
                          uint32_t *offset)
{
    struct module *module = parser->module;
    uint64_t each = type == TYPE_PREDICATE  ? 4
                    : type_bits(type) <= 32 ? LANES_BYTES
                                            : (uint64_t)type_bits(type) / 64 * 2 * LANES_BYTES;
    if (!module->register_bytes) module->register_bytes = FIRST_REGISTER_BYTES;
    uint64_t bytes = (each * count + LANES_BYTES - 1) / LANES_BYTES * LANES_BYTES;
    if (bytes > REGISTER_BYTES_MAX - module->register_bytes)
        return lexer_fail(&parser->lexer, "more registers than a warp's %d MiB hold",
                          REGISTER_BYTES_MAX >> 20);
    *offset = module->register_bytes;
    module->register_bytes += (uint32_t)bytes;
    return STATUS_OK;
}

status constant_register(struct parser *parser, struct constant constant, uint32_t *offset)
{
    struct module *module = parser->module;
    for (size_t i = 0; i < module->constant_count; i++) {
        const struct constant *known = &module->constants[i];
        if (known->kind != constant.kind || known->wide != constant.wide ||
            known->value != constant.value || known->variable != constant.variable)
            continue;
        *offset = known->offset;
        return STATUS_OK;
    }
    enum ptx_type type = constant.kind == CONSTANT_PREDICATE ? TYPE_PREDICATE
                         : constant.wide                     ? TYPE_B64
                                                             : TYPE_B32;
    TRY(registers_allocate(parser, type, 1, &constant.offset));
    TRY_APPEND(module->constants, module->constant_count, module->constant_capacity, module->arena,
               parser->lexer.diagnostic);
    module->constants[module->constant_count - 1] = constant;
    *offset = constant.offset;
    return STATUS_OK;
}

static const struct {
    const char *text;
    bool wide;
} specials[SPECIAL_COUNT] = {
#define SPECIAL(name, text, wide) {text, wide},
#include "emulator/ptx_special.def"
#undef SPECIAL
};

bool special_by_name(const struct token *name, enum special *special, bool *wide)
{
    for (int s = 0; s < SPECIAL_COUNT; s++) {
        if (!token_is(name, specials[s].text)) continue;
        *special = (enum special)s;
        *wide = specials[s].wide;
        return true;
    }
    return false;
}

status special_register(struct parser *parser, enum special special, uint32_t *offset)
{
    uint32_t *home = &parser->module->specials[special];
    if (*home == NO_REGISTER)
        TRY(registers_allocate(parser, specials[special].wide ? TYPE_B64 : TYPE_B32, 1, home));
    *offset = *home;
    return STATUS_OK;
}

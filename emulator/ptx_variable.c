/* Declarations: registers, parameters, variables with their initial values. */
#include "base/checked.h"
#include "emulator/ptx_parser.h"

#include <string.h>

enum {
    VARIABLE_BYTES_MAX = 256 << 20,
    SHARED_BYTES_MAX = 256 << 10,
    LOCAL_BYTES_MAX = 1 << 20,
    PARAMETER_BYTES_MAX = 32764, /* what the driver takes since CUDA 12.1 */
    ALIGNMENT_MAX = 4096,
};

struct declaration {
    struct token name;
    enum ptx_type type;
    uint64_t alignment, bytes;
    bool sized; /* false: "name[]" */
};

static status read_type(struct parser *parser, enum ptx_type *type)
{
    struct token word;
    TRY(lexer_word(&parser->lexer, "a type", &word));
    if (*word.text == '.' && type_by_name(word.text + 1, word.length - 1, type)) return STATUS_OK;
    return lexer_fail(&parser->lexer, "there is no type %.*s", (int)word.length, word.text);
}

status read_registers(struct parser *parser)
{
    enum ptx_type type;
    TRY(read_type(parser, &type));
    do {
        struct token name;
        struct symbol *symbol;
        int64_t count = 1;
        TRY(lexer_word(&parser->lexer, "a register", &name));
        bool numbered = lexer_take(&parser->lexer, "<");
        if (numbered) {
            TRY(lexer_number(&parser->lexer, &count));
            TRY(lexer_expect(&parser->lexer, ">"));
        }
        if (count < 1 || count > 1 << 20)
            return lexer_fail(&parser->lexer, "%lld registers are too many", (long long)count);
        TRY(symbol_declare(parser, &name, SYMBOL_REGISTERS, &symbol));
        symbol->numbered = numbered;
        symbol->type = type;
        symbol->count = (uint32_t)count;
        TRY(registers_allocate(parser, type, symbol->count, &symbol->value));
        if (type != TYPE_PREDICATE)
            parser->register_words += symbol->count * (type_is_wide(type) ? 2u : 1u);
    } while (lexer_take(&parser->lexer, ","));
    return lexer_expect(&parser->lexer, ";");
}

static status read_dimensions(struct parser *parser, struct declaration *declaration)
{
    int64_t size;
    declaration->bytes = (uint64_t)type_bytes(declaration->type);
    declaration->sized = true;
    while (lexer_take(&parser->lexer, "[")) {
        if (lexer_take(&parser->lexer, "]")) {
            declaration->sized = false;
            continue;
        }
        TRY(lexer_number(&parser->lexer, &size));
        if (size < 0 ||
            !checked_multiply(declaration->bytes, (uint64_t)size, &declaration->bytes) ||
            declaration->bytes > VARIABLE_BYTES_MAX)
            return lexer_fail(&parser->lexer, "a variable of more than %d MiB",
                              VARIABLE_BYTES_MAX >> 20);
        TRY(lexer_expect(&parser->lexer, "]"));
    }
    return STATUS_OK;
}

/* ".align 16 .b8 name[64]", also with ".ptr .global .align 1" behind a parameter's type. */
static status read_declaration(struct parser *parser, struct declaration *declaration)
{
    struct lexer *lexer = &parser->lexer;
    int64_t alignment = 0, ignored;
    *declaration = (struct declaration){0};
    lexer_take(lexer, ".attribute");
    if (lexer_take(lexer, ".align")) TRY(lexer_number(lexer, &alignment));
    while (lexer_take(lexer, ".v2") || lexer_take(lexer, ".v4")) {
    }
    TRY(read_type(parser, &declaration->type));
    if (lexer_take(lexer, ".ptr")) {
        while (lexer_take(lexer, ".global") || lexer_take(lexer, ".shared") ||
               lexer_take(lexer, ".const") || lexer_take(lexer, ".local")) {
        }
        if (lexer_take(lexer, ".align")) TRY(lexer_number(lexer, &ignored));
    }
    if (!alignment) alignment = type_bytes(declaration->type);
    if (alignment < 1 || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)))
        return lexer_fail(lexer, "an alignment of %lld", (long long)alignment);
    declaration->alignment = (uint64_t)alignment;
    TRY(lexer_word(lexer, "a name", &declaration->name));
    return read_dimensions(parser, declaration);
}

/* Room for `declaration` behind `*end`. */
static status place(struct parser *parser, const struct declaration *declaration, uint32_t most,
                    uint32_t *end, uint32_t *offset)
{
    uint64_t begin, after;
    if (!checked_align(*end, declaration->alignment, &begin) ||
        !checked_add(begin, declaration->bytes, &after) || after > most)
        return lexer_fail(&parser->lexer, "%.*s does not fit into %u bytes",
                          (int)declaration->name.length, declaration->name.text, most);
    *offset = (uint32_t)begin;
    *end = (uint32_t)after;
    return STATUS_OK;
}

static status read_parameter(struct parser *parser, bool returned)
{
    struct declaration declaration;
    struct symbol *symbol;
    struct function *function = parser->function;
    TRY(lexer_expect(&parser->lexer, ".param"));
    TRY(read_declaration(parser, &declaration));
    TRY(symbol_declare(parser, &declaration.name,
                       function->is_entry ? SYMBOL_PARAMETER : SYMBOL_LOCAL_PARAMETER, &symbol));
    TRY_APPEND(function->parameters, function->parameter_count, function->parameter_capacity,
               parser->arena, parser->lexer.diagnostic);
    struct parameter *parameter = &function->parameters[function->parameter_count - 1];
    uint32_t *end = function->is_entry ? &function->parameter_bytes : &function->local_bytes;
    TRY(place(parser, &declaration, PARAMETER_BYTES_MAX, end, &parameter->offset));
    parameter->bytes = (uint32_t)declaration.bytes;
    parameter->name = returned ? "" : NULL; /* results come first and have a name */
    symbol->value = parameter->offset;
    symbol->bytes = parameter->bytes;
    return STATUS_OK;
}

status read_parameters(struct parser *parser, bool returned)
{
    TRY(lexer_expect(&parser->lexer, "("));
    if (lexer_take(&parser->lexer, ")")) return STATUS_OK;
    do {
        TRY(read_parameter(parser, returned));
    } while (lexer_take(&parser->lexer, ","));
    return lexer_expect(&parser->lexer, ")");
}

/* "{1, 2, 3}", nested or not, or one number. */
static status read_initial(struct parser *parser, enum ptx_type type, struct variable *variable,
                           uint64_t *at)
{
    int64_t value;
    uint64_t bytes = (uint64_t)type_bytes(type);
    if (lexer_take(&parser->lexer, "{")) {
        if (lexer_take(&parser->lexer, "}")) return STATUS_OK;
        do {
            TRY(read_initial(parser, type, variable, at));
        } while (lexer_take(&parser->lexer, ","));
        return lexer_expect(&parser->lexer, "}");
    }
    TRY(lexer_number(&parser->lexer, &value));
    if (*at + bytes > variable->bytes)
        return lexer_fail(&parser->lexer, "more initial values than %s holds", variable->name);
    memcpy(variable->initial + *at, &value, bytes < 8 ? bytes : 8);
    *at += bytes;
    return STATUS_OK;
}

static status read_global(struct parser *parser, const struct declaration *declaration)
{
    struct module *module = parser->module;
    struct diagnostic *diagnostic = parser->lexer.diagnostic;
    struct symbol *symbol;
    uint64_t at = 0;
    TRY_APPEND(module->variables, module->variable_count, module->variable_capacity, module->arena,
               diagnostic);
    struct variable *variable = &module->variables[module->variable_count - 1];
    variable->name =
        arena_text_range(module->arena, declaration->name.text, declaration->name.length);
    TRY_MEMORY(variable->name, diagnostic);
    variable->bytes = declaration->bytes;
    variable->alignment = declaration->alignment;
    TRY_NEW(variable->initial, module->arena, variable->bytes, diagnostic);
    TRY(symbol_declare(parser, &declaration->name, SYMBOL_VARIABLE, &symbol));
    symbol->value = (uint32_t)(module->variable_count - 1);
    if (!lexer_take(&parser->lexer, "=")) return STATUS_OK;
    return read_initial(parser, declaration->type, variable, &at);
}

/* Dynamic shared memory begins behind everything static, which is known only at the launch. */
static status read_shared(struct parser *parser, const struct declaration *declaration)
{
    struct symbol *symbol;
    TRY(symbol_declare(parser, &declaration->name, SYMBOL_SHARED, &symbol));
    if (!declaration->sized) {
        symbol->count = 1; /* dynamic */
        if (declaration->alignment > parser->dynamic_alignment)
            parser->dynamic_alignment = (uint32_t)declaration->alignment;
        if (parser->function) parser->function->dynamic_alignment = parser->dynamic_alignment;
        return STATUS_OK;
    }
    uint32_t *end = parser->function ? &parser->function->shared_bytes : &parser->shared_bytes;
    return place(parser, declaration, SHARED_BYTES_MAX, end, &symbol->value);
}

static status read_local(struct parser *parser, const struct declaration *declaration,
                         enum symbol_kind kind)
{
    struct symbol *symbol;
    if (!parser->function) return lexer_fail(&parser->lexer, "local memory outside a function");
    TRY(symbol_declare(parser, &declaration->name, kind, &symbol));
    symbol->bytes = (uint32_t)declaration->bytes;
    return place(parser, declaration, LOCAL_BYTES_MAX, &parser->function->local_bytes,
                 &symbol->value);
}

status read_variable(struct parser *parser, enum space space, bool constant, bool external)
{
    struct declaration declaration;
    (void)constant; /* constant memory is read like global memory */
    do {
        TRY(read_declaration(parser, &declaration));
        if (space == SPACE_SHARED)
            TRY(read_shared(parser, &declaration));
        else if (space == SPACE_LOCAL)
            TRY(read_local(parser, &declaration, SYMBOL_LOCAL));
        else if (space == SPACE_PARAMETER)
            TRY(read_local(parser, &declaration, SYMBOL_LOCAL_PARAMETER));
        else if (external)
            return lexer_fail(&parser->lexer, "%.*s is external: there is nothing to link with",
                              (int)declaration.name.length, declaration.name.text);
        else
            TRY(read_global(parser, &declaration));
    } while (lexer_take(&parser->lexer, ","));
    return lexer_expect(&parser->lexer, ";");
}

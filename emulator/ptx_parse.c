/* The statements of a module: functions with their bodies, and what can be skipped. */
#include "emulator/ptx_decode.h"

#include <stdio.h>
#include <string.h>

static void skip_rest_of_line(struct parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    int line = lexer->token.line;
    while (lexer->token.kind != TOKEN_END && lexer->token.line == line) lexer_advance(lexer);
}

/* ".branchtargets A, B;" behind its label. */
static status read_targets(struct parser *parser, struct symbol *symbol)
{
    struct token *targets = NULL;
    size_t count = 0, capacity = 0;
    do {
        TRY_APPEND(targets, count, capacity, parser->arena, parser->lexer.diagnostic);
        TRY(lexer_word(&parser->lexer, "a label", &targets[count - 1]));
    } while (lexer_take(&parser->lexer, ","));
    symbol->kind = SYMBOL_TARGETS;
    symbol->targets = targets;
    symbol->count = (uint32_t)count;
    return lexer_expect(&parser->lexer, ";");
}

static status read_label(struct parser *parser, const struct token *name)
{
    struct symbol *symbol;
    TRY(symbol_declare(parser, name, SYMBOL_LABEL, &symbol));
    symbol->value = (uint32_t)parser->module->code_count;
    if (lexer_take(&parser->lexer, ".branchtargets")) return read_targets(parser, symbol);
    return STATUS_OK;
}

static status read_body_directive(struct parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    if (token_is(&lexer->token, ".loc") || token_is(&lexer->token, ".file")) {
        skip_rest_of_line(parser);
        return STATUS_OK;
    }
    if (lexer_take(lexer, ".pragma")) return lexer_skip_to(lexer, ';');
    if (lexer_take(lexer, ".reg")) return read_registers(parser);
    if (lexer_take(lexer, ".shared")) return read_variable(parser, SPACE_SHARED, false, false);
    if (lexer_take(lexer, ".local")) return read_variable(parser, SPACE_LOCAL, false, false);
    if (lexer_take(lexer, ".param")) return read_variable(parser, SPACE_PARAMETER, false, false);
    if (lexer_take(lexer, ".global")) return read_variable(parser, SPACE_GLOBAL, false, false);
    return lexer_fail(lexer, "the directive %.*s is not known here", (int)lexer->token.length,
                      lexer->token.text);
}

static status read_statement(struct parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_take(lexer, "{")) return scope_open(parser);
    if (lexer_take(lexer, "}")) return scope_close(parser);
    if (lexer_take(lexer, ";")) return STATUS_OK;
    if (lexer->token.kind == TOKEN_WORD && *lexer->token.text == '.')
        return read_body_directive(parser);
    struct lexer ahead = *lexer;
    lexer_advance(&ahead);
    if (lexer->token.kind == TOKEN_WORD && token_is(&ahead.token, ":")) {
        struct token name = lexer->token;
        *lexer = ahead;
        lexer_advance(lexer);
        return read_label(parser, &name);
    }
    return read_instruction(parser);
}

/* ".maxntid 128, 1, 1", ".minnctapersm 2" and the like. */
static status read_performance(struct parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    struct token name = lexer->token;
    int64_t product = 1, value;
    lexer_advance(lexer);
    while (lexer->token.kind == TOKEN_NUMBER) {
        TRY(lexer_number(lexer, &value));
        if (value <= 0 || value > 1 << 20)
            return lexer_fail(lexer, "%lld is too many", (long long)value);
        product *= value;
        if (product > 1 << 20) return lexer_fail(lexer, "%lld is too many", (long long)product);
        if (!lexer_take(lexer, ",")) break;
    }
    if (token_is(&name, ".maxntid") || token_is(&name, ".reqntid"))
        parser->function->maximum_threads = (uint32_t)product;
    if (token_is(&name, ".reqnctapercluster"))
        parser->function->required_cluster = (uint32_t)product;
    return STATUS_OK;
}

static status read_body(struct parser *parser)
{
    struct function *function = parser->function;
    function->start = (uint32_t)parser->module->code_count;
    TRY(lexer_expect(&parser->lexer, "{"));
    int outside = parser->depth;
    TRY(scope_open(parser));
    while (parser->depth > outside) {
        if (parser->lexer.token.kind == TOKEN_END)
            return lexer_fail(&parser->lexer, "the text ends within %s", function->name);
        TRY(read_statement(parser));
    }
    /* A body that runs into its end returns. */
    struct module *module = parser->module;
    TRY_APPEND(module->code, module->code_count, module->code_capacity, module->arena,
               parser->lexer.diagnostic);
    module->code[module->code_count - 1] =
        (struct instruction){.run = control_return,
                             .category = CATEGORY_CONTROL,
                             .sources = {function->return_register}};
    return STATUS_OK;
}

static status function_add(struct parser *parser, bool entry)
{
    struct module *module = parser->module;
    struct diagnostic *diagnostic = parser->lexer.diagnostic;
    TRY_APPEND(module->functions, module->function_count, module->function_capacity, module->arena,
               diagnostic);
    parser->function = &module->functions[module->function_count - 1];
    parser->function->is_entry = entry;
    parser->function->shared_bytes = parser->shared_bytes;
    parser->function->dynamic_alignment = parser->dynamic_alignment;
    /* Frames follow each other: a function's is there while its callers' are. */
    parser->function->local_bytes = module->local_bytes;
    parser->register_words = 0;
    if (!entry) TRY(registers_allocate(parser, TYPE_B32, 1, &parser->function->return_register));
    return STATUS_OK;
}

static status read_function(struct parser *parser, bool entry)
{
    struct lexer *lexer = &parser->lexer;
    struct token name;
    struct symbol *symbol;
    TRY(function_add(parser, entry));
    struct function *function = parser->function;
    TRY(scope_open(parser)); /* of the parameters */
    if (!entry && token_is(&lexer->token, "(")) TRY(read_parameters(parser, true));
    TRY(lexer_word(lexer, "a function's name", &name));
    function->name = arena_text_range(parser->arena, name.text, name.length);
    TRY_MEMORY(function->name, lexer->diagnostic);
    if (token_is(&lexer->token, "(")) TRY(read_parameters(parser, false));
    while (lexer->token.kind == TOKEN_WORD && *lexer->token.text == '.')
        TRY(read_performance(parser));
    bool body = token_is(&lexer->token, "{");
    TRY(body ? read_body(parser) : lexer_expect(lexer, ";"));
    if (body) {
        /* The body's own names went with it; a call needs the function's. */
        uint32_t words = parser->register_words + 16;
        function->register_count = words > 255 ? 255 : words;
        parser->module->local_bytes = function->local_bytes;
    }
    TRY(scope_close(parser));
    TRY(symbol_declare(parser, &name, SYMBOL_FUNCTION, &symbol));
    symbol->value = (uint32_t)(parser->module->function_count - 1);
    symbol->count = body;
    parser->function = NULL;
    return STATUS_OK;
}

static status read_target(struct parser *parser)
{
    struct token word;
    TRY(lexer_word(&parser->lexer, "an architecture", &word));
    int number = 0;
    if (word.length < 4 || memcmp(word.text, "sm_", 3) ||
        sscanf(word.text + 3, "%4d", &number) != 1)
        return lexer_fail(&parser->lexer, "expected sm_NN, found %.*s", (int)word.length,
                          word.text);
    parser->module->target = number;
    while (lexer_take(&parser->lexer, ",")) TRY(lexer_word(&parser->lexer, "a word", &word));
    return STATUS_OK;
}

static status read_module_statement(struct parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    bool external = false;
    while (token_is(&lexer->token, ".visible") || token_is(&lexer->token, ".extern") ||
           token_is(&lexer->token, ".weak")) {
        external = token_is(&lexer->token, ".extern");
        lexer_advance(lexer);
    }
    if (token_is(&lexer->token, ".version") || token_is(&lexer->token, ".address_size") ||
        token_is(&lexer->token, ".file")) {
        skip_rest_of_line(parser);
        return STATUS_OK;
    }
    if (lexer_take(lexer, ".target")) return read_target(parser);
    if (lexer_take(lexer, ".entry")) return read_function(parser, true);
    if (lexer_take(lexer, ".func")) return read_function(parser, false);
    if (lexer_take(lexer, ".global")) return read_variable(parser, SPACE_GLOBAL, false, external);
    if (lexer_take(lexer, ".const")) return read_variable(parser, SPACE_GLOBAL, true, external);
    if (lexer_take(lexer, ".shared")) return read_variable(parser, SPACE_SHARED, false, external);
    if (lexer_take(lexer, ".pragma")) return lexer_skip_to(lexer, ';');
    if (lexer_take(lexer, ".section")) return lexer_skip_to(lexer, '}');
    return lexer_fail(lexer, "expected a directive, found '%.*s'", (int)lexer->token.length,
                      lexer->token.text);
}

status module_read(const char *text, size_t length, struct arena *arena, struct module **result,
                   struct diagnostic *diagnostic)
{
    struct parser *parser;
    struct module *module;
    TRY_NEW(parser, arena, 1, diagnostic);
    TRY_NEW(module, arena, 1, diagnostic);
    module->arena = arena;
    module->text = text;
    module->text_length = length;
    parser->arena = arena;
    parser->module = module;
    lexer_open(&parser->lexer, text, length, diagnostic);
    if (!token_is(&parser->lexer.token, ".version"))
        return lexer_fail(&parser->lexer, "PTX begins with .version");
    while (parser->lexer.token.kind != TOKEN_END) TRY(read_module_statement(parser));
    TRY(calls_bind(parser));
    *result = module;
    return STATUS_OK;
}

const struct function *module_find_entry(const struct module *module, const char *name)
{
    for (size_t i = 0; i < module->function_count; i++) {
        const struct function *function = &module->functions[i];
        if (function->is_entry && !strcmp(function->name, name)) return function;
    }
    return NULL;
}

const char *module_line(const struct module *module, uint32_t line, char buffer[static 128])
{
    const char *at = module->text;
    for (uint32_t l = 1; l < line && at; l++) {
        at = strchr(at, '\n');
        if (at) at++;
    }
    if (!at) return "";
    while (*at == ' ' || *at == '\t') at++;
    snprintf(buffer, 128, "%.*s", (int)(strcspn(at, "\n") < 127 ? strcspn(at, "\n") : 127), at);
    return buffer;
}

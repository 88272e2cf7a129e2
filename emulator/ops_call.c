/* Calls of functions, which keep their registers and parameters in places of their own: recursion is
 * refused.  printf and assert, which NVRTC compiles to calls of functions of the driver. */
#include "emulator/lanes.h"
#include "emulator/memory_reach.h"

#include <ctype.h>
#include <stdio.h>

enum { CALL_ARGUMENTS_MAX = 64, PRINT_TEXT_BYTES = 512 };

struct call_copy {
    uint32_t from, to, bytes; /* in the lanes' local frames */
};

struct call {
    const struct module *module;
    uint32_t function; /* of the module */
    struct call_copy arguments[CALL_ARGUMENTS_MAX], result;
    int argument_count;
    bool has_result;
};

static unsigned char *frame_of(const struct warp *warp, unsigned lane)
{
    return warp->local + (size_t)warp->block->gang->launch->module->local_bytes * lane;
}

static void copy_frames(struct warp *warp, const struct call_copy *copy)
{
    EACH_LANE(unsigned char *frame = frame_of(warp, lane);
              memmove(frame + copy->to, frame + copy->from, copy->bytes));
}

OPERATION(call_function)
{
    const struct call *call = instruction->detail;
    const struct function *function = &call->module->functions[call->function];
    for (int i = 0; i < call->argument_count; i++) copy_frames(warp, &call->arguments[i]);
    uint32_t *back = lanes32(warp, function->return_register), pc = warp->pc;
    EACH_LANE(back[lane] = pc + 1);
    bool all = warp->mask == warp->group->mask;
    warp_move(warp, warp->mask, function->start);
    if (!all) warp->group->pc = pc + 1;
    return OUTCOME_JUMP;
}

/* Behind the call: the function's result becomes the caller's. */
OPERATION(call_result)
{
    const struct call *call = instruction->detail;
    copy_frames(warp, &call->result);
    return OUTCOME_NEXT;
}

/* ---- printf ---- */

static void print_one(char *text, size_t room, const char *format, size_t length, char kind,
                      uint64_t bits)
{
    char one[40];
    snprintf(one, sizeof one, "%.*s", (int)length, format);
    bool wide = strstr(one, "l") != NULL;
    size_t used = strlen(text);
    double real;
    memcpy(&real, &bits, sizeof real);
    /* The format is the kernel's own, cut to one conversion and checked to be of this kind. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (strchr("eEfFgGaA", kind))
        snprintf(text + used, room - used, one, real);
    else if (wide || kind == 'p')
        snprintf(text + used, room - used, one, bits);
    else
        snprintf(text + used, room - used, one, (uint32_t)bits);
#pragma GCC diagnostic pop
}

/* "%s" is printed as it stands: strings of kernels are not followed. */
static void print_lane(char *text, const char *format, const unsigned char *arguments)
{
    size_t at = 0;
    text[0] = 0;
    while (*format && strlen(text) + 64 < PRINT_TEXT_BYTES) {
        size_t length = strcspn(format, "%");
        snprintf(text + strlen(text), PRINT_TEXT_BYTES - strlen(text), "%.*s",
                 (int)(length < 256 ? length : 256), format);
        format += length;
        if (!*format) break;
        length = 1 + strspn(format + 1, "-+ #0123456789.hl");
        char kind = format[length];
        if (!kind || length > 30) break;
        length++;
        if (strchr("diouxXcpeEfFgGaA", kind)) {
            bool wide = strchr("eEfFgGaAp", kind) || memchr(format, 'l', length);
            uint64_t bits = 0;
            at = wide ? (at + 7) / 8 * 8 : at;
            memcpy(&bits, arguments + at, wide ? 8 : 4);
            at += wide ? 8 : 4;
            print_one(text, PRINT_TEXT_BYTES, format, length, kind, bits);
        } else if (kind == '%') {
            strcat(text, "%");
        }
        format += length;
    }
}

static const char *text_at(struct warp *warp, const struct instruction *instruction, unsigned lane,
                           uint64_t address)
{
    return (const char *)memory_reach(warp, instruction, SPACE_GENERIC, lane, address, 1,
                                      REACH_READ);
}

OPERATION(call_print)
{
    const struct call *call = instruction->detail;
    char text[PRINT_TEXT_BYTES];
    unsigned char nothing[8] = {0};
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        unsigned char *frame = frame_of(warp, lane);
        uint64_t format, arguments;
        memcpy(&format, frame + call->arguments[0].from, 8);
        memcpy(&arguments, frame + call->arguments[1].from, 8);
        const char *words = text_at(warp, instruction, lane, format);
        if (!words) return OUTCOME_FAULT;
        print_lane(text, words, arguments ? frame + (arguments & ~TAG_MASK) : nothing);
        fputs(text, stdout); /* as a card's driver does */
    }
    return OUTCOME_NEXT;
}

OPERATION(call_assert)
{
    const struct call *call = instruction->detail;
    unsigned lane = (unsigned)__builtin_ctz(warp->mask);
    uint64_t message;
    memcpy(&message, frame_of(warp, lane) + call->arguments[0].from, 8);
    const char *words = text_at(warp, instruction, lane, message);
    if (!words) return OUTCOME_FAULT;
    return warp_fault(warp, instruction, MACHINE_ASSERT, "thread %u: assertion failed: %.120s",
                      warp->index * WARP_LANES + lane, words);
}

/* ---- Reading ---- */

static status read_call_parameter(struct decoder *decoder, struct call_copy *copy)
{
    struct token name;
    uint32_t number;
    TRY(lexer_word(decoder->lexer, "a parameter", &name));
    const struct symbol *symbol = symbol_find(decoder->parser, &name, &number);
    if (!symbol || symbol->kind != SYMBOL_LOCAL_PARAMETER)
        return decoder_refuse(decoder, "its parameters must be .param variables");
    copy->from = symbol->value;
    copy->bytes = symbol->bytes;
    return STATUS_OK;
}

static status read_arguments(struct decoder *decoder, struct call *call)
{
    TRY(lexer_expect(decoder->lexer, "("));
    if (lexer_take(decoder->lexer, ")")) return STATUS_OK;
    do {
        if (call->argument_count == CALL_ARGUMENTS_MAX)
            return decoder_refuse(decoder, "it has too many arguments");
        TRY(read_call_parameter(decoder, &call->arguments[call->argument_count++]));
    } while (lexer_take(decoder->lexer, ","));
    return lexer_expect(decoder->lexer, ")");
}

/* The driver's own functions have no body. */
static operation *system_function(const struct token *name, int arguments)
{
    if (token_is(name, "vprintf") && arguments == 2) return call_print;
    if (token_is(name, "__assertfail") && arguments >= 1) return call_assert;
    return NULL;
}

/* Bodies may come behind their calls, so this waits until all have been read. */
static status bind_function(const struct parser *parser, const struct pending_call *pending)
{
    uint32_t number;
    struct call *call = pending->call;
    struct diagnostic *diagnostic = parser->lexer.diagnostic;
    const struct symbol *symbol = symbol_find(parser, &pending->name, &number);
    if (!symbol || symbol->kind != SYMBOL_FUNCTION || !symbol->count)
        return fail(diagnostic, STATUS_BAD_INPUT, "ptx:%u: the function %.*s has no body",
                    pending->line, (int)pending->name.length, pending->name.text);
    const struct function *function = &parser->module->functions[symbol->value];
    size_t results = call->has_result;
    if (function->parameter_count != (size_t)call->argument_count + results)
        return fail(diagnostic, STATUS_BAD_INPUT, "ptx:%u: %s has other parameters", pending->line,
                    function->name);
    for (int i = 0; i < call->argument_count; i++)
        call->arguments[i].to = function->parameters[results + (size_t)i].offset;
    if (call->has_result) {
        call->result.to = call->result.from;
        call->result.from = function->parameters[0].offset;
    }
    call->function = symbol->value;
    return STATUS_OK;
}

/* A function's frame and registers are there once: nothing may call itself, through others either.
 * Functions are deeper than all that call them; without a circle none is deeper than their number. */
static status check_recursion(const struct parser *parser)
{
    struct module *module = parser->module;
    size_t *depths;
    bool deeper = true;
    TRY_NEW(depths, parser->arena, module->function_count + 1, parser->lexer.diagnostic);
    while (deeper) {
        deeper = false;
        for (size_t c = 0; c < parser->call_count; c++) {
            const struct pending_call *pending = &parser->calls[c];
            size_t wanted = depths[pending->caller] + 1;
            if (depths[pending->call->function] >= wanted) continue;
            if (wanted > module->function_count)
                return fail(parser->lexer.diagnostic, STATUS_BAD_INPUT,
                            "ptx:%u: %s calls itself, which the stand-in does not have",
                            pending->line, module->functions[pending->caller].name);
            depths[pending->call->function] = wanted;
            deeper = true;
        }
    }
    return STATUS_OK;
}

status calls_bind(const struct parser *parser)
{
    for (size_t c = 0; c < parser->call_count; c++) TRY(bind_function(parser, &parser->calls[c]));
    return check_recursion(parser);
}

static status call_later(struct decoder *decoder, struct call *call, const struct token *name)
{
    struct parser *parser = decoder->parser;
    TRY_APPEND(parser->calls, parser->call_count, parser->call_capacity, parser->arena,
               decoder->lexer->diagnostic);
    parser->calls[parser->call_count - 1] =
        (struct pending_call){.call = call,
                              .name = *name,
                              .caller = parser->module->function_count - 1,
                              .line = decoder->instruction->line};
    return STATUS_OK;
}

/* The copy of the result is an instruction of its own, which is appended before the call is: the
 * call goes where the parser puts it, so the result's goes behind through `parser->behind`. */
static status decode_call(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    struct token name;
    struct call *call;
    (void)opcode;
    decoder_take(decoder, "uni");
    TRY_NEW(call, decoder->parser->module->arena, 1, decoder->lexer->diagnostic);
    call->module = decoder->parser->module;
    if (lexer_take(decoder->lexer, "(")) {
        call->has_result = true;
        TRY(read_call_parameter(decoder, &call->result));
        TRY(lexer_expect(decoder->lexer, ")"));
        TRY(read_comma(decoder));
    }
    TRY(lexer_word(decoder->lexer, "a function", &name));
    if (lexer_take(decoder->lexer, ",")) TRY(read_arguments(decoder, call));
    instruction->detail = call;
    instruction->run = system_function(&name, call->argument_count);
    if (instruction->run) return STATUS_OK;
    TRY(call_later(decoder, call, &name));
    instruction->run = call_function;
    if (!call->has_result) return STATUS_OK;
    decoder->parser->behind = (struct instruction){.run = call_result,
                                                   .detail = call,
                                                   .guard = instruction->guard,
                                                   .guard_negated = instruction->guard_negated,
                                                   .line = instruction->line,
                                                   .category = CATEGORY_MOVE};
    return STATUS_OK;
}

const struct opcode opcodes_call[] = {
    {"call", NULL, NULL, CATEGORY_CONTROL, decode_call},
    {0},
};

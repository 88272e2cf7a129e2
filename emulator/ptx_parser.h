/* What the files that read PTX share: names and their scopes, and the decoder of one instruction. */
#ifndef EMULATOR_PTX_PARSER_H
#define EMULATOR_PTX_PARSER_H

#include "emulator/ptx.h"
#include "emulator/ptx_lexer.h"

enum symbol_kind {
    SYMBOL_REGISTERS,       /* `count` registers of `type` from `value` on */
    SYMBOL_LABEL,           /* instruction `value` */
    SYMBOL_TARGETS,         /* .branchtargets */
    SYMBOL_PARAMETER,       /* of the kernel, at byte `value` */
    SYMBOL_LOCAL,           /* at byte `value` of a thread's frame */
    SYMBOL_LOCAL_PARAMETER, /* the same, of a call */
    SYMBOL_SHARED,          /* at byte `value` of the block's shared memory */
    SYMBOL_VARIABLE,        /* number `value` of the module */
    SYMBOL_FUNCTION,
};

struct symbol {
    const char *name;
    size_t length;
    enum symbol_kind kind;
    enum ptx_type type;
    bool numbered; /* declared as NAME<COUNT> */
    uint32_t value, count, bytes;
    struct token *targets;
    struct symbol *next; /* in its hash chain: inner scopes come first */
};

struct fixup {
    struct token label;
    uint32_t instruction;
    uint32_t *place; /* where the number of the target goes; NULL: the instruction's target */
};

/* A call whose function may be defined further down. */
struct pending_call {
    struct call *call; /* ops_call.c */
    struct token name;
    size_t caller; /* function of the module */
    uint32_t line;
};

enum { SYMBOL_CHAINS = 1024, SCOPE_DEPTH_MAX = 64 };

struct parser {
    struct lexer lexer;
    struct arena *arena;
    struct module *module;
    struct function *function; /* NULL outside */
    struct symbol *chains[SYMBOL_CHAINS];
    struct symbol **declared; /* in order, so that a scope's end can take them back */
    size_t declared_count, declared_capacity;
    struct fixup *fixups;
    size_t fixup_count, fixup_capacity;
    struct pending_call *calls;
    size_t call_count, call_capacity;
    size_t scope_declared[SCOPE_DEPTH_MAX], scope_fixups[SCOPE_DEPTH_MAX];
    int depth;
    uint32_t shared_bytes; /* of the module's variables outside functions */
    uint32_t dynamic_alignment;
    uint32_t register_words;
    struct instruction behind; /* what the one that is being read wants behind itself */
    uint32_t sinks[2];         /* what "_" writes to: narrow, wide */
};

/* ptx_symbol.c */
CHECKED status symbol_declare(struct parser *parser, const struct token *name,
                              enum symbol_kind kind, struct symbol **symbol);
/* NULL when there is none.  `number` is the one behind the name of numbered registers. */
struct symbol *symbol_find(const struct parser *parser, const struct token *name, uint32_t *number);
CHECKED status scope_open(struct parser *parser);
CHECKED status scope_close(struct parser *parser);
CHECKED status registers_allocate(struct parser *parser, enum ptx_type type, uint32_t count,
                                  uint32_t *offset);
CHECKED status constant_register(struct parser *parser, struct constant constant, uint32_t *offset);
CHECKED status special_register(struct parser *parser, enum special special, uint32_t *offset);
bool special_by_name(const struct token *name, enum special *special, bool *wide);

/* ptx_variable.c: declarations of state, beginning behind ".shared" or the like. */
CHECKED status read_variable(struct parser *parser, enum space space, bool constant, bool external);
CHECKED status read_registers(struct parser *parser);
CHECKED status read_parameters(struct parser *parser, bool returned);

/* ops_call.c: when the whole module has been read. */
CHECKED status calls_bind(const struct parser *parser);

/* ptx_decode.c: one instruction up to its semicolon. */
CHECKED status read_instruction(struct parser *parser);

static inline bool type_is_wide(enum ptx_type type)
{
    return type_bits(type) == 64;
}

#endif

/* Decoding one instruction: the opcode's modifiers and types, its operands, and the tables of
 * opcodes that each family of operations gives. */
#ifndef EMULATOR_PTX_DECODE_H
#define EMULATOR_PTX_DECODE_H

#include "emulator/ptx_parser.h"

enum { OPCODE_PARTS_MAX = 20, OPCODE_TYPES_MAX = 6, OPERAND_LIST_MAX = 300 };

struct opcode_part {
    const char *text;
    size_t length;
    bool taken;
};

struct decoder {
    struct parser *parser;
    struct lexer *lexer;
    struct token opcode;
    struct opcode_part parts[OPCODE_PARTS_MAX]; /* without the types */
    int part_count;
    enum ptx_type types[OPCODE_TYPES_MAX]; /* in order */
    int type_count;
    struct instruction *instruction; /* moves when the module's array grows: set once per use */
};

/* One row of a table of opcodes.  `name` is the opcode without types and without the modifiers that
 * change nothing here (.rn, .approx, .full) or are flags (.ftz, .sat).
 *
 * With `decode`, the family reads everything itself, and `name` needs to be only the first words.
 * Otherwise `operands` says what follows, one letter each:
 *   d a       destination, source of the opcode's type
 *   D w       destination, source of twice its width
 *   U u       destination, source of 32 bits
 *   P p       destination, source predicate (p: with an optional '!')
 *   i         a number, kept as `immediate`
 * and `runs` has the operation for each type.  With both, `runs` says for which types the row is. */
struct opcode {
    const char *name;
    const char *operands;
    operation *const *runs;
    enum category category;
    status (*decode)(struct decoder *decoder, const struct opcode *opcode);
};

extern const struct opcode opcodes_integer[], opcodes_logic[], opcodes_float[], opcodes_half[],
    opcodes_rounded[], opcodes_convert[], opcodes_compare[], opcodes_move[], opcodes_memory[],
    opcodes_atomic[], opcodes_control[], opcodes_barrier[], opcodes_exchange[], opcodes_copy[],
    opcodes_matrix_load[], opcodes_matrix[], opcodes_transaction[], opcodes_bulk[],
    opcodes_warpgroup[], opcodes_cluster[], opcodes_call[], opcodes_carry[];

/* Takes the modifier if the opcode has it. */
bool decoder_take(struct decoder *decoder, const char *modifier);
/* Takes one that begins with `prefix` and returns what follows it, else NULL. */
const char *decoder_take_prefix(struct decoder *decoder, const char *prefix, size_t *length);
/* Fails unless every modifier was taken. */
CHECKED status decoder_finish(struct decoder *decoder);
/* "unknown opcode": the opcode's text is in the message. */
CHECKED status decoder_refuse(struct decoder *decoder, const char *why);

CHECKED status read_comma(struct decoder *decoder);
/* A register to write to, of exactly the width of `type`; "_" is allowed. */
CHECKED status read_destination(struct decoder *decoder, enum ptx_type type, uint32_t *offset);
/* A register, a special register, a number or the address of a variable. */
CHECKED status read_source(struct decoder *decoder, enum ptx_type type, uint32_t *offset);
/* A predicate; with '!' the instruction gets FLAG_NEGATE. */
CHECKED status read_predicate(struct decoder *decoder, uint32_t *offset);
/* A register of any width, which `type` tells. */
CHECKED status read_any_register(struct decoder *decoder, uint32_t *offset, enum ptx_type *type);
/* "[register + offset]".  `kind` tells what kind of name the base was (SYMBOL_REGISTERS for none). */
CHECKED status read_address(struct decoder *decoder, struct address *address,
                            enum symbol_kind *kind);
/* The same without the brackets. */
CHECKED status read_address_inside(struct decoder *decoder, struct address *address,
                                   enum symbol_kind *kind);
/* "{a, b, ...}" or one register; appended to `list`. */
CHECKED status read_registers_of(struct decoder *decoder, enum ptx_type type, bool source,
                                 uint32_t *list, uint16_t *count);
/* Keeps a copy of `list` in the instruction. */
CHECKED status keep_list(struct decoder *decoder, const uint32_t *list, uint16_t count);
CHECKED status read_immediate(struct decoder *decoder, int64_t least, int64_t most, int64_t *value);

/* Runs the operation, then flushes denormals or saturates its float destination. */
operation run_finished;

/* What a function's end does. */
operation control_return;

#endif

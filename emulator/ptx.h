/* A module of PTX, decoded once: an array of instructions whose operands are byte offsets into a
 * warp's register file.
 *
 * A register of up to 32 bits is 32 lanes of uint32_t, one of 64 bits 32 lanes of uint64_t, a
 * predicate one uint32_t with a bit per lane.  Constants and special registers are registers too,
 * filled in before the kernel starts, so that an operation has one form.  Narrower values are kept
 * zero-extended. */
#ifndef EMULATOR_PTX_H
#define EMULATOR_PTX_H

#include "base/arena.h"
#include "emulator/ptx_type.h"

#include <stdint.h>

struct warp;
struct instruction;

enum outcome {
    OUTCOME_NEXT,  /* the lanes go on behind the instruction */
    OUTCOME_JUMP,  /* the lanes were moved */
    OUTCOME_PARK,  /* the lanes wait here for others of their warp */
    OUTCOME_WAIT,  /* the warp waits for others of its block */
    OUTCOME_YIELD, /* go on behind the instruction, but let others run first */
    OUTCOME_FAULT, /* the launch failed */
};

typedef enum outcome operation(struct warp *warp, const struct instruction *instruction);

/* What instructions are counted as; names and rates are in cost.c. */
enum category {
    CATEGORY_INTEGER,
    CATEGORY_FLOAT,
    CATEGORY_HALF,
    CATEGORY_DOUBLE,
    CATEGORY_CONVERT,
    CATEGORY_SPECIAL,
    CATEGORY_MOVE,
    CATEGORY_CONTROL,
    CATEGORY_BARRIER,
    CATEGORY_GLOBAL,
    CATEGORY_SHARED,
    CATEGORY_LOCAL,
    CATEGORY_ATOMIC,
    CATEGORY_EXCHANGE, /* shuffles, votes */
    CATEGORY_MATRIX_LOAD,
    CATEGORY_MATRIX,
    CATEGORY_ASYNCHRONOUS,
    CATEGORY_COUNT
};

enum space { SPACE_GENERIC, SPACE_GLOBAL, SPACE_SHARED, SPACE_LOCAL, SPACE_PARAMETER };

enum { INSTRUCTION_SOURCES = 4, NO_REGISTER = 0 }; /* offset 0 is never given to a register */

/* "[base + offset]". */
struct address {
    uint32_t base; /* NO_REGISTER: `offset` alone */
    bool wide;     /* the base has 64 bits */
    int64_t offset;
};

struct instruction {
    operation *run;
    operation *inner;   /* what a wrapper (flush, saturate) runs */
    const void *detail; /* what only the instruction's family knows */
    const uint32_t *list;
    struct address address;
    int64_t immediate; /* a count, a table, a second address's offset */
    uint32_t destination, destination2;
    uint32_t sources[INSTRUCTION_SOURCES];
    uint32_t guard; /* predicate; NO_REGISTER: always */
    uint32_t target;
    uint32_t line;
    uint16_t list_count;
    uint8_t guard_negated;
    uint8_t category;
    uint8_t type, type2;
    uint8_t bytes, count; /* of each element, elements */
    uint8_t space;
    uint8_t flags;
};

/* Flags of instructions. */
enum {
    FLAG_FLUSH = 1,
    FLAG_SATURATE = 2,
    FLAG_VOLATILE = 4, /* ordered with other threads: no race */
    FLAG_SIGNED = 8,
    FLAG_TRANSPOSE = 16,
    FLAG_NEGATE = 32, /* a predicate source */
    /* Of mbarrier: */
    FLAG_BYTES = 1,
    FLAG_DROP = 2,
    FLAG_PARITY = 64,
};

enum constant_kind { CONSTANT_NUMBER, CONSTANT_PREDICATE, CONSTANT_SHARED, CONSTANT_VARIABLE };

/* A register that holds the same value in every lane from the start.  CONSTANT_SHARED adds where
 * the block's shared memory begins, with `variable` = 1 where its dynamic part does. */
struct constant {
    enum constant_kind kind;
    uint32_t offset;
    uint32_t variable; /* whose address is added */
    bool wide;
    uint64_t value;
};

enum special {
#define SPECIAL(name, text, wide) SPECIAL_##name,
#include "emulator/ptx_special.def"
#undef SPECIAL
    SPECIAL_COUNT
};

/* A .global or .const variable; the driver gives it memory. */
struct variable {
    const char *name;
    uint64_t bytes, alignment;
    unsigned char *initial; /* `bytes` of them */
    uint64_t address;
};

struct parameter {
    const char *name;
    uint32_t offset, bytes;
};

struct function {
    const char *name;
    bool is_entry;
    uint32_t start; /* its first instruction */
    struct parameter *parameters;
    size_t parameter_count, parameter_capacity;
    uint32_t parameter_bytes;
    uint32_t return_register; /* .func only: where each lane goes back to */
    uint32_t shared_bytes;    /* static */
    uint32_t dynamic_alignment;
    uint32_t local_bytes;     /* per thread */
    uint32_t register_count;  /* estimate: 32-bit registers declared, capped like ptxas caps */
    uint32_t maximum_threads; /* .maxntid or .reqntid; 0: none */
    uint32_t required_cluster;
};

struct module {
    struct arena *arena;
    const char *text; /* the PTX, for messages */
    size_t text_length;
    int target; /* 86 */
    struct instruction *code;
    size_t code_count, code_capacity;
    struct constant *constants;
    size_t constant_count, constant_capacity;
    struct variable *variables;
    size_t variable_count, variable_capacity;
    struct function *functions;
    size_t function_count, function_capacity;
    uint32_t specials[SPECIAL_COUNT]; /* NO_REGISTER where not used */
    uint32_t register_bytes;          /* of one warp's register file */
    uint32_t local_bytes;             /* the largest frame of all functions together */
};

/* Reads PTX text of `length` bytes, followed by a zero byte.  The module is in `arena`. */
CHECKED status module_read(const char *text, size_t length, struct arena *arena,
                           struct module **module, struct diagnostic *diagnostic);

const struct function *module_find_entry(const struct module *module, const char *name);

/* The source line of an instruction, without its end, into `buffer`. */
const char *module_line(const struct module *module, uint32_t line, char buffer[static 128]);

#endif

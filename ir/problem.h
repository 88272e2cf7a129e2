/* A problem: one operator with the types of its operands, its attributes and a bucket of row
 * counts.  The key of everything that is tuned.
 *
 * Its text is canonical (equal problems have equal texts) and readable:
 *
 *     linear(f32[rows,2048], q8_0[5632,2048], _, _) -> f32[rows,5632] {activation=none} rows<=1
 * context<=4096
 *
 * Attributes equal to their default are printed too: a changed default must not change a key's
 * meaning.
 *
 * Operators whose operands route tokens to experts take another time for another routing: a problem as a workload had it
 * says so at the end of its text (ir/routing.h), and has a key of its own.  Its kernels are those of the problem without. */
#ifndef IR_PROBLEM_H
#define IR_PROBLEM_H

#include "base/hash.h"
#include "ir/graph.h"
#include "ir/routing.h"

/* Where an operand is when the kernel starts; measured times depend on it. */
enum residency { RESIDENCY_COLD, RESIDENCY_HOT };

struct operand {
    bool present;
    enum value_kind kind;
    struct tensor_type type;
    enum residency residency; /* weights and states are cold, results and inputs hot */
};

struct problem {
    const struct op *op;
    int input_count, output_count; /* operands[0 .. input_count) are inputs, outputs follow */
    struct operand operands[OP_OPERANDS_MAX];
    union attribute attributes[OP_ATTRIBUTES_MAX];
    int64_t rows;           /* upper bound of SYMBOL_ROWS in this bucket */
    int64_t context;        /* upper bound of the context; 0 when the operator has no state */
    struct routing routing; /* distinct 0: as operators make it up */
    const char *text;       /* canonical */
    struct hash key;        /* problem_text_key() of the text */
    struct hash code_key;   /* of the text without routing: what kernels depend on */
};

/* The key of a canonical text: its hash, but that problems which differ in routing alone share the high half. */
struct hash problem_text_key(const char *text);

/* The problem of a node in the bucket with these bounds. */
CHECKED status problem_create(const struct graph *graph, const struct node *node, int64_t rows,
                              int64_t context, struct arena *arena, struct problem **problem,
                              struct diagnostic *diagnostic);
/* From its canonical text. */
CHECKED status problem_parse(const char *text, const struct op *const *ops, struct arena *arena,
                             struct problem **problem, struct diagnostic *diagnostic);

/* The same problem under a routing of as many experts as it has; STATUS_BAD_INPUT for operators that do not route. */
CHECKED status problem_route(const struct problem *problem, const struct routing *routing,
                             struct arena *arena, struct problem **routed,
                             struct diagnostic *diagnostic);

/* Whether it is the problem of this node, in whatever bucket. */
bool problem_is_of(const struct problem *problem, const struct graph *graph,
                   const struct node *node);

/* The operand's sizes at the problem's bounds. */
void problem_symbols(const struct problem *problem, int64_t symbols[SYMBOL_COUNT]);
int64_t problem_operand_bytes(const struct problem *problem, int operand);
struct cost problem_cost(const struct problem *problem);

/* The tensor's row bound or fixed size, dimension `d` of operand `operand`. */
int64_t problem_dimension(const struct problem *problem, int operand, int d);

#endif

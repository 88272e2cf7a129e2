/* A problem: one operator with the types of its operands, its attributes and a bucket of row
 * counts.  The key of everything that is tuned.
 *
 * Its text is canonical (equal problems have equal texts) and readable:
 *
 *     linear(f32[rows,2048], q8_0[5632,2048], _, _) -> f32[rows,5632] {activation=none} rows<=1
 * context<=4096
 *
 * Attributes equal to their default are printed too: a changed default must not change a key's
 * meaning. */
#ifndef IR_PROBLEM_H
#define IR_PROBLEM_H

#include "base/hash.h"
#include "ir/graph.h"

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
    int64_t rows;     /* upper bound of SYMBOL_ROWS in this bucket */
    int64_t context;  /* upper bound of the context; 0 when the operator has no state */
    const char *text; /* canonical */
    struct hash key;  /* of the text */
};

/* The problem of a node in the bucket with these bounds. */
CHECKED status problem_create(const struct graph *graph, const struct node *node, int64_t rows,
                              int64_t context, struct arena *arena, struct problem **problem,
                              struct diagnostic *diagnostic);
/* From its canonical text. */
CHECKED status problem_parse(const char *text, const struct op *const *ops, struct arena *arena,
                             struct problem **problem, struct diagnostic *diagnostic);

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

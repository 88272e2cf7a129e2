/* What an operator is.  Each operator is a folder ops/NAME with a descriptor `const struct op op_NAME` and a line in
 * ops/operators.def.  How an operator is run lies in variants (ir/variant.h), not here. */
#ifndef IR_OP_H
#define IR_OP_H

#include "ir/tensor.h"

struct graph;
struct node;
struct problem;

enum { OP_INPUTS_MAX = 12, OP_OUTPUTS_MAX = 4, OP_OPERANDS_MAX = OP_INPUTS_MAX + OP_OUTPUTS_MAX };

enum attribute_kind { ATTRIBUTE_INTEGER, ATTRIBUTE_REAL, ATTRIBUTE_CHOICE };

/* A row of an operator's attribute table.  Attributes are stored by row number, so an operator names its rows with an
 * enum of its own. */
struct attribute_rule {
    const char *name;
    enum attribute_kind kind;
    bool required;
    double otherwise;           /* value when absent */
    double least, most;         /* inclusive bounds of integers and reals; both 0: none */
    const char *const *choices; /* CHOICE: NULL-terminated; the value is the index */
};

enum { OP_ATTRIBUTES_MAX = 16 };

union attribute {
    int64_t integer; /* INTEGER and CHOICE */
    double real;
};

/* An input that may be absent, or that is a state written in place, says so. */
struct input_rule {
    const char *name;
    bool optional;
    bool written; /* a state this operator writes */
};

struct cost {
    double operations; /* multiply and add count as two */
    double bytes;      /* read and written once, whatever a kernel does */
};

/* What changes from step to step, seen by one operator. */
struct run {
    int64_t symbols[SYMBOL_COUNT]; /* SYMBOL_ROWS: leading size of the first operand */
    int64_t context;               /* tokens that the longest sequence of the step attends to */
};

struct op {
    const char *name;                        /* part of stored records: never reuse */
    const struct input_rule *inputs;         /* ends with a NULL name */
    const char *const *outputs;              /* NULL-terminated */
    const struct attribute_rule *attributes; /* ends with a NULL name; may be NULL */

    /* Checks the inputs' types and the attributes and sets the outputs' types.  `inputs[i]` is NULL for an absent input.
     * An output that this combination of inputs does not have keeps rank 0. */
    status (*infer)(const union attribute *attributes, const struct tensor_type *const *inputs,
                    struct tensor_type *outputs, struct diagnostic *diagnostic);

    /* Operations and bytes when the symbols have the problem's bounds. */
    struct cost (*cost)(const struct problem *problem);

    /* How many independent pieces the reference can do side by side; NULL: one per row. */
    int64_t (*reference_items)(const struct problem *problem, const struct run *run);

    /* Plain C with double accumulation, pieces [begin, end): the oracle of every variant, and what runs when nothing
     * better is known.  Operands are inputs then outputs; absent ones are NULL. */
    void (*reference)(const struct problem *problem, const struct run *run, void *const *operands,
                      int64_t begin, int64_t end);

    /* Of operators whose operands say which experts rows go to: the number of experts, 0 where the operands do not tell.
     * NULL: nothing is routed. */
    int64_t (*experts)(const struct problem *problem);

    /* Fills inputs for tests and measurements where plain random numbers make no sense (token ids, page tables, routed
     * experts); returns false for operands that may be filled with random numbers.  May be NULL. */
    bool (*fill)(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes);
};

/* `ops` is a NULL-terminated table (op_table() in ops/op_table.h); NULL when there is none of that name. */
const struct op *op_by_name(const struct op *const *ops, const char *name);

int op_input_count(const struct op *op);
int op_output_count(const struct op *op);
int op_attribute_count(const struct op *op);

#endif

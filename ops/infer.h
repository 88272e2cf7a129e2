/* Checks shared by the operators' shape rules.  A rule starts with infer_begin, states what it
 * needs in a few lines, each of which fails with the operand and both shapes; the graph adds the
 * node, and ends with infer_output.  What they accept, the references and the kernels need not
 * check again.
 */
#ifndef OPS_INFER_H
#define OPS_INFER_H

#include "ir/op.h"

/* What a shape rule works on. */
struct inference {
    const struct op *op;
    const struct tensor_type *const *inputs;
    struct tensor_type *outputs;
    struct diagnostic *diagnostic;
};

/* What an operand may be made of. */
enum element_class {
    CLASS_F32,    /* activations: f32, rows in order */
    CLASS_I32,    /* ids, positions, tables: i32, rows in order */
    CLASS_WEIGHT, /* numbers in any element type and layout */
    CLASS_STATE,  /* numbers in any element type, rows in order */
    CLASS_ANY
};

/* All required inputs are there, and legal (tensor_check); clears outputs. */
CHECKED status infer_begin(const struct inference *inference);

/* Rank and elements of an input; an absent one passes. */
CHECKED status infer_operand(const struct inference *inference, int input, int rank,
                             enum element_class class);
/* Dimension `d` of `input` does not change from step to step. */
CHECKED status infer_fixed(const struct inference *inference, int input, int d);
/* Dimension `d` of `input` equals dimension `other_d` of `other`. */
CHECKED status infer_equal(const struct inference *inference, int input, int d, int other,
                           int other_d);
/* Dimension `d` of `input` is `size`, which the message calls `what`: "heads * head_size". */
CHECKED status infer_size(const struct inference *inference, int input, int d, int64_t size,
                          const char *what);
/* Rank 2, f32, fixed width; and the same with one row per row of `like`. */
CHECKED status infer_rows(const struct inference *inference, int input);
CHECKED status infer_rows_like(const struct inference *inference, int input, int like);
/* Rank 1, i32, one number per row of `like`. */
CHECKED status infer_index(const struct inference *inference, int input, int like);
/* A weight [n, k] with fixed sizes whose k is the width of `x`. */
CHECKED status infer_matrix(const struct inference *inference, int input, int x);
/* Rank 1, f32, as long as dimension `d` of `like`; for biases and norms.  An absent one passes. */
CHECKED status infer_vector(const struct inference *inference, int input, int like, int d);

/* `dimension` times `factor`; false when that is more than any tensor has. */
bool infer_multiply(struct dimension dimension, int64_t factor, struct dimension *product);

void infer_output(const struct inference *inference, int output, enum element_type element,
                  struct dimension rows, struct dimension columns);
void infer_output_vector(const struct inference *inference, int output, enum element_type element,
                         struct dimension length);

enum { TYPE_TEXT_BYTES = 160 };
/* "q8_0[64,96]", as tensor_print but without an arena. */
const char *type_text(const struct tensor_type *type, char buffer[static TYPE_TEXT_BYTES]);

#endif

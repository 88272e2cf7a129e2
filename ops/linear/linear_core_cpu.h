/* What the CPU emitters of linear, linear_group and linear_gated share: the shape of the work, and
 * how sums become outputs.
 *
 * All three operators multiply the rows of x [rows, columns] with one to three weights [outputs,
 * columns]:
 *
 *     linear        one weight; bias and residual are optional
 *     linear_group  two or three weights of their own heights, each with an output and an optional
 * bias linear_gated  two weights of one height, whose sums meet in one output: activation(gate) *
 * up */
#ifndef OPS_LINEAR_LINEAR_CORE_CPU_H
#define OPS_LINEAR_LINEAR_CORE_CPU_H

#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/llvm_unpack.h"
#include "ir/layout.h"

enum { LINEAR_MATRICES_MAX = 3, LINEAR_ABSENT = -1 };

/* How products are formed: f32 activations against weights widened to f32; bytes against bytes,
 * with activations rounded to 8 bits per block of 32; bf16 pairs; tiles of AMX, with both sides
 * rounded to bf16, or bytes as before. */
enum linear_dot {
    LINEAR_DOT_FMA,
    LINEAR_DOT_BYTES,
    LINEAR_DOT_BF16,
    LINEAR_DOT_AMX,
    LINEAR_DOT_AMX_BYTES
};

struct linear_matrix {
    int weight, bias, output; /* operands; bias may be LINEAR_ABSENT */
    int64_t outputs;          /* rows of the weight */
};

struct linear_work {
    enum element_type element;      /* of all weights */
    const struct unpack_form *form; /* NULL: a plain type */
    int64_t x_rows;                 /* rows of activations per row of the step */
    int64_t columns, row_bytes;
    int matrix_count;
    struct linear_matrix matrices[LINEAR_MATRICES_MAX];
    int residual; /* operand or LINEAR_ABSENT */
    bool gated;   /* matrices[0] is the gate, [1] is up */
    int activation;
};

/* Fails when the problem is none of the three, when its weights differ in element type, or are not
 * stored row by row. */
CHECKED status linear_work_read(const struct problem *problem, struct linear_work *work,
                                struct diagnostic *diagnostic);
/* The same for operators that know their matrices themselves: fills in all but matrices, residual
 * and gated. */
CHECKED status linear_work_finish(const struct problem *problem, struct linear_work *work,
                                  struct diagnostic *diagnostic);

/* ---- Operands inside a kernel ---- */

/* The pointers of a kernel that writes outputs: one per operand and, first, the activations in the
 * form the kernel wants them (x itself or a workspace). */
struct linear_pointers {
    value x, residual;
    value weights[LINEAR_MATRICES_MAX], biases[LINEAR_MATRICES_MAX], outputs[LINEAR_MATRICES_MAX];
};

/* Adds the arguments to the launch; `workspace` LINEAR_ABSENT: the kernel reads x itself. */
void linear_add_arguments(const struct linear_work *work, struct launch *launch, int workspace);
struct linear_pointers linear_load_pointers(struct emitter *e, const struct linear_work *work,
                                            const struct kernel_arguments *kernel);

/* ---- Outputs ---- */

/* Where `lanes` neighbouring outputs of one row go. */
struct linear_place {
    value row, output; /* i64 */
    int lanes;
    value mask; /* lanes that exist; NULL: all */
};

/* Adds bias and residual to the sums of matrix `matrix`, or joins gate and up, and stores. `sums`
 * has one value, or gate and up. */
void linear_finish(struct emitter *e, const struct linear_work *work,
                   const struct linear_pointers *pointers, int matrix,
                   const struct linear_place *place, const value *sums);

#endif

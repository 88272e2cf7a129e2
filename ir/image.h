/* Images: what code generation returns and a runtime device loads.
 *
 * Code and a list of launches.  A launch has an entry, a number of work items (geometry, evaluated
 * per step) and arguments by kind.  Launches of one image run one after the other: on a CPU a
 * barrier separates them.
 *
 * A CUDA image holds its kernels twice: as a cubin and as PTX, which the driver of a card that does
 * not know the cubin compiles itself.  Kernels take their launch's arguments in order and behind
 * them the address of a `struct kernel_step` (called `struct step` there) in device memory. */
#ifndef IR_IMAGE_H
#define IR_IMAGE_H

#include "base/hash.h"
#include "ir/space.h"

enum argument_kind {
    ARGUMENT_OPERAND,   /* address of operand `index` of the problem */
    ARGUMENT_WORKSPACE, /* address of workspace `index` of the image */
    ARGUMENT_TABLE,     /* address of operand `index`'s table of pointers, one per expert (not every
                           device) */
    ARGUMENT_TENSOR_MAP, /* the tensor map of tensor `index` of the image, by value */
    ARGUMENT_NULL        /* a null pointer: an operand that this problem's operator does not have */
};

struct argument {
    enum argument_kind kind;
    int index;
};

/* Memory that a launch needs beside its operands: bytes = per_row * rows + fixed. */
struct workspace {
    int64_t per_row_bytes, fixed_bytes;
    bool zeroed; /* before each run of the image */
};

/* A matrix in device memory as the copy engine of cards from sm_90 on sees it, CUDA only: `rows` rows
 * of `columns` elements right behind each other, from which one copy brings a box into shared memory.
 * The device encodes it in 128 bytes as soon as it knows the address; they are zeros where `of` is
 * null.  Bits are copied as they are, so a type is its size. */
struct tensor_argument {
    struct argument of; /* an operand, a workspace, or null */
    int64_t columns, rows;
    int element_bytes;         /* 1, 2 or 4 */
    int box_columns, box_rows; /* what lies outside of the matrix arrives as zeros */
    int swizzle_bytes; /* width of a box's rows whose chunks of 16 bytes change places: 32, 64, 128; or 0 */
};

enum { TENSOR_BOX_MAX = 256, TENSOR_CHUNK_BYTES = 16 };

/* A CPU kernel does work items [begin, end).  `pointers` are the launch's arguments in order;
 * `integers` are the KERNEL_ numbers below. */
enum kernel_integer {
    KERNEL_ROWS,
    KERNEL_CONTEXT,
    KERNEL_STRIDE,
    KERNEL_SEQUENCES,
    KERNEL_INTEGER_COUNT
};
typedef void kernel_function(void *const *pointers, const int64_t *integers, int64_t begin,
                             int64_t end);

/* Work items of a launch: ceil(rows / rows_per_item) * items_per_row_group. */
struct geometry {
    int64_t rows_per_item; /* 0: the count does not depend on the rows */
    int64_t items_per_row_group;
    int64_t unit; /* items are handed out in multiples of this, 1 or more */
};

/* What CUDA kernels find behind their last argument: the sizes of the step, which change while the
 * launch (and a graph captured of it) stays.  The grid covers the problem's rows; blocks beyond
 * `rows` have nothing to do. */
struct kernel_step {
    int32_t rows, context, stride, sequences;
};

/* Bounds of what one launch may ask for, above what any card has. */
enum { IMAGE_THREADS_MAX = 1024, IMAGE_CLUSTER_MAX = 16, IMAGE_SHARED_BYTES_MAX = 1 << 20 };
#define IMAGE_WORKSPACE_BYTES_MAX ((int64_t)1 << 40)

/* What the compiler says that a CUDA kernel uses; per thread, shared memory per block. */
struct kernel_resources {
    int registers;
    int spilled_bytes; /* registers that went to memory */
    int local_bytes;   /* of its stack, spilled registers included */
    int shared_bytes;  /* besides the dynamic ones of its launch */
    int instructions;
};

/* A product by cuBLASLt instead of a kernel, CUDA only:
 *
 *     y[rows][outputs] = x[rows][inner] weight[outputs][inner]^T + bias[outputs] + residual[rows][outputs]
 *
 * with x and weight in f16 or bf16, the rest and the sums in f32, and the rows of the step.  Bias and residual may be absent. */
enum matmul_argument {
    MATMUL_X,
    MATMUL_WEIGHT,
    MATMUL_BIAS,
    MATMUL_RESIDUAL,
    MATMUL_Y,
    MATMUL_SCRATCH, /* the workspace that the library may use */
    MATMUL_ARGUMENTS
};

/* The library's own description of an algorithm, which only this version of it understands. */
enum { MATMUL_ALGORITHM_BYTES = 64 };
struct matmul_algorithm {
    uint64_t library;   /* its version; 0: nothing is known yet */
    struct hash device; /* of the class of devices that it was found on */
    uint8_t bytes[MATMUL_ALGORITHM_BYTES];
};

/* The first ranks are those of the library's heuristic for the problem's rows; the others number all that it can do, in the
 * order in which it lists its algorithms and their parameters. */
enum { MATMUL_HEURISTIC_RANKS = 16 };

struct matmul_call {
    int64_t outputs, inner;
    bool bfloat;   /* x and weight are bf16, otherwise f16 */
    int algorithm; /* rank */
    struct matmul_algorithm
        found; /* of that rank, when the image has been on a device (device_resolve) */
};

struct launch {
    enum launch_kind kind;
    const char *name; /* CUDA: of the entry; of the call */
    int64_t offset; /* of the entry in the code (CUDA: 0); -1: the operator's reference, whose work
                     * items the operator counts itself (op.reference_items) whatever the geometry
                     * says */
    struct geometry geometry;          /* CUDA: items are blocks */
    int threads, shared_bytes;         /* CUDA: per block, dynamic shared memory; 0 on the CPU */
    int cluster;                       /* CUDA: blocks per cluster; 0: no clusters */
    struct kernel_resources resources; /* CUDA: of its kernel, for people; zeros where unknown */
    struct matmul_call matmul;         /* MATMUL */
    int argument_count;
    struct argument arguments[LAUNCH_ARGUMENTS_MAX];
};

struct image {
    enum target target;
    const void *code; /* CPU: one position-independent block without external symbols; CUDA: the
                       * cubin (maybe empty), zeros up to a multiple of 16, the PTX, a zero byte */
    int64_t code_bytes, text_offset; /* of the PTX in the code; 0 on the CPU */
    int launch_count, workspace_count, tensor_count;
    struct launch launches[IMAGE_LAUNCHES_MAX];
    struct workspace workspaces[IMAGE_WORKSPACES_MAX];
    struct tensor_argument tensors[IMAGE_TENSORS_MAX];
};

/* The image that runs the operator's reference: always there, for every problem. */
void image_reference(const struct problem *problem, struct image *image);

/* What a space says of launches, workspaces and tensor maps, for one config, in an image that has no code yet. */
CHECKED status space_launches(const struct bound_space *bound, const struct config *config,
                              struct image *image, struct diagnostic *diagnostic);

/* "rmsnorm: 40 registers, 0 bytes spilled, ...; ..."; nothing for images that do not say. */
void image_print_resources(const struct image *image, struct text *text);

int64_t launch_items(const struct launch *launch, int64_t rows);
/* Whether the algorithms of all products are known (device_resolve). */
bool image_is_resolved(const struct image *image);
/* Whether an argument's index is below what it counts; `operands`: how many there are. */
bool argument_is_sound(const struct image *image, const struct argument *argument, int operands);
/* Whether a tensor map can be made of this: NULL, or what is wrong. */
const char *tensor_fault(const struct tensor_argument *tensor);
/* Whether a product has its arguments, each of a kind that can be one. */
bool launch_matmul_is_sound(const struct launch *launch);

/* To and from bytes, for artifacts and plan files.  Decoding treats its input as hostile. */
CHECKED status image_encode(const struct image *image, struct arena *arena, void **bytes,
                            size_t *byte_count, struct diagnostic *diagnostic);
CHECKED status image_decode(const void *bytes, size_t byte_count, struct arena *arena,
                            struct image *image, struct diagnostic *diagnostic);

#endif

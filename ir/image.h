/* Images: what code generation returns and a runtime device loads.
 *
 * Code and a list of launches.  A launch has an entry, a number of work items (geometry, evaluated
 * per step) and arguments by kind.  Launches of one image run one after the other: on a CPU a
 * barrier separates them. */
#ifndef IR_IMAGE_H
#define IR_IMAGE_H

#include "ir/space.h"

enum argument_kind {
    ARGUMENT_OPERAND,   /* address of operand `index` of the problem */
    ARGUMENT_WORKSPACE, /* address of workspace `index` of the image */
    ARGUMENT_TABLE,     /* address of operand `index`'s table of pointers, one per expert (not every
                           device) */
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

enum { IMAGE_LAUNCHES_MAX = 4, LAUNCH_ARGUMENTS_MAX = 24, IMAGE_WORKSPACES_MAX = 4 };

struct launch {
    const char *name;
    int64_t offset; /* of the entry in the code; -1: the operator's reference, whose work items the
                     * operator counts itself (op.reference_items) whatever the geometry says */
    struct geometry geometry;
    int argument_count;
    struct argument arguments[LAUNCH_ARGUMENTS_MAX];
};

struct image {
    enum target target;
    const void *code; /* CPU: one position-independent block without external symbols */
    int64_t code_bytes;
    int launch_count, workspace_count;
    struct launch launches[IMAGE_LAUNCHES_MAX];
    struct workspace workspaces[IMAGE_WORKSPACES_MAX];
};

/* The image that runs the operator's reference: always there, for every problem. */
void image_reference(const struct problem *problem, struct image *image);

int64_t launch_items(const struct launch *launch, int64_t rows);

/* To and from bytes, for artifacts and plan files.  Decoding treats its input as hostile. */
CHECKED status image_encode(const struct image *image, struct arena *arena, void **bytes,
                            size_t *byte_count, struct diagnostic *diagnostic);
CHECKED status image_decode(const void *bytes, size_t byte_count, struct arena *arena,
                            struct image *image, struct diagnostic *diagnostic);

#endif

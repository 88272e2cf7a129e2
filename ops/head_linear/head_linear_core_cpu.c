/* The weights of the heads go by in streams, as those of linear for few rows do (linear_stream_core_cpu.h); each row is
 * read once and multiplied with its head of all rows of x.  Work items are the outputs of all heads. */
#include "ops/head_linear/head_linear_core_cpu.h"

#include "codegen/cpu/kernel_rows.h"
#include "ops/access.h"
#include "ops/head_linear/head_linear.h"
#include "ops/linear/linear_stream_core_cpu.h"

struct head_work {
    struct linear_work linear; /* of one head */
    int64_t heads;
    bool shared;
};

static status read_work(const struct problem *problem, struct head_work *work,
                        struct diagnostic *diagnostic)
{
    *work = (struct head_work){.heads = fixed_dimension(problem, HEAD_LINEAR_WEIGHT, 0),
                               .shared = problem->attributes[HEAD_LINEAR_SHARED].integer};
    work->linear.matrix_count = 1;
    work->linear.residual = LINEAR_ABSENT;
    work->linear.matrices[0] =
        (struct linear_matrix){HEAD_LINEAR_WEIGHT, LINEAR_ABSENT, HEAD_LINEAR_Y,
                               fixed_dimension(problem, HEAD_LINEAR_WEIGHT, 1)};
    TRY(linear_work_finish(problem, &work->linear, diagnostic));
    work->linear.columns = fixed_dimension(problem, HEAD_LINEAR_WEIGHT, 2);
    work->linear.row_bytes = element_row_bytes(work->linear.element, work->linear.columns);
    return STATUS_OK;
}

static void emit_heads(struct linear_stream *k, const struct head_work *work,
                       const struct kernel_arguments *kernel)
{
    struct emitter *e = k->e;
    int64_t outputs = work->linear.matrices[0].outputs;
    value weights = k->pointers.weights[0];
    struct row_loop heads;
    rows_begin(e, &heads, kernel, outputs);
    struct linear_rows rows = {.first = constant_i64(e, 0),
                               .end = kernel_integer_value(e, kernel, KERNEL_ROWS),
                               .heads = work->heads,
                               .head = heads.row,
                               .shared = work->shared};
    value before = mul(e, heads.row, constant_i64(e, outputs * work->linear.row_bytes));
    k->pointers.weights[0] = address(e, weights, before);
    linear_stream_outputs(k, 0, &rows, heads.first, heads.end);
    rows_end(e, &heads);
}

/* Rows of x are a head's each, or the one of all. */
static int round_rows(const struct linear_stream *k, struct head_work *work, struct image *image)
{
    if (k->step.dot == LINEAR_DOT_FMA) return LINEAR_ABSENT;
    work->linear.x_rows = work->shared ? 1 : work->heads;
    return linear_step_quantize(k->e, &work->linear, &k->step, image);
}

static void emit_image(struct linear_stream *k, struct head_work *work, struct image *image)
{
    int workspace = round_rows(k, work, image);
    /* Threads that write to one cache line of y would wait for each other. */
    struct geometry geometry = {0, work->heads * work->linear.matrices[0].outputs,
                                CACHE_LINE_BYTES / 4};
    struct launch *launch = image_add_launch(image, "heads", geometry);
    linear_add_arguments(&work->linear, launch, workspace);
    struct kernel_arguments kernel = kernel_begin(k->e, launch->name);
    k->pointers = linear_load_pointers(k->e, &work->linear, &kernel);
    emit_heads(k, work, &kernel);
    kernel_end(k->e);
}

status head_linear_generate(enum linear_dot dot, const struct generation *generation,
                            struct arena *arena, struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    struct head_work work;
    TRY(read_work(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct linear_stream k = linear_stream_of(&e, &work.linear, dot, generation);
    *image = (struct image){.target = TARGET_CPU};
    emit_image(&k, &work, image);
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}

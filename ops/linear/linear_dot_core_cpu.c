/* Few rows: which weight rows a work item has. */
#include "ops/linear/linear_dot_core_cpu.h"

#include "ops/linear/linear_stream_core_cpu.h"

/* Work items are the outputs of all matrices, one matrix after the other. */
static int64_t emit_matrices(const struct linear_stream *k, const struct kernel_arguments *kernel)
{
    struct emitter *e = k->e;
    int count = k->work->gated ? 1 : k->work->matrix_count;
    struct linear_rows rows = {.first = constant_i64(e, 0),
                               .end = kernel_integer_value(e, kernel, KERNEL_ROWS)};
    int64_t before = 0;
    for (int i = 0; i < count; i++) {
        int64_t outputs = k->work->matrices[i].outputs;
        value shift = constant_i64(e, before), most = constant_i64(e, outputs);
        value zero = constant_i64(e, 0);
        value begin = maximum_signed(e, sub(e, kernel->begin, shift), zero);
        value end = minimum_signed(e, sub(e, kernel->end, shift), most);
        linear_stream_outputs(k, i, &rows, begin, maximum_signed(e, end, begin));
        before += outputs;
    }
    return before;
}

static void emit_dot(struct linear_stream *k, struct image *image)
{
    struct emitter *e = k->e;
    int workspace = k->step.dot != LINEAR_DOT_FMA
                        ? linear_step_quantize(e, k->work, &k->step, image)
                        : LINEAR_ABSENT;
    struct launch *launch = image_add_launch(image, "dot", (struct geometry){0});
    linear_add_arguments(k->work, launch, workspace);
    struct kernel_arguments kernel = kernel_begin(e, "dot");
    k->pointers = linear_load_pointers(e, k->work, &kernel);
    int64_t items = emit_matrices(k, &kernel);
    kernel_end(e);
    /* Threads that write to one cache line of y would wait for each other. */
    launch->geometry = (struct geometry){0, items, CACHE_LINE_BYTES / 4};
}

status linear_dot_generate(enum linear_dot dot, const struct generation *generation,
                           struct arena *arena, struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    struct linear_work work;
    TRY(linear_work_read(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct linear_stream k = linear_stream_of(&e, &work, dot, generation);
    *image = (struct image){.target = TARGET_CPU};
    emit_dot(&k, image);
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}

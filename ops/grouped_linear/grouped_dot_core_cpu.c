/* Few rows for each expert. */
#include "ops/grouped_linear/grouped_dot_core_cpu.h"

#include "ops/grouped_linear/grouped_core_cpu.h"

static void emit_experts(struct linear_stream *k, const struct grouped_work *work,
                         const struct grouped_pointers *pointers,
                         const struct kernel_arguments *kernel)
{
    struct emitter *e = k->e;
    struct grouped_loop experts;
    grouped_loop_begin(e, &experts, work, pointers, 1);
    struct linear_rows rows = grouped_rows_of(work, pointers, experts.first, experts.end);
    k->pointers = grouped_expert_pointers(e, work, pointers, experts.expert);
    linear_stream_outputs(k, 0, &rows, kernel->begin, kernel->end);
    grouped_loop_end(e, &experts);
    grouped_clear_rest(e, work, pointers, kernel->begin, kernel->end);
}

static void emit_dot(struct linear_stream *k, const struct grouped_work *work, struct image *image)
{
    struct emitter *e = k->e;
    int workspace = k->step.dot != LINEAR_DOT_FMA
                        ? linear_step_quantize(e, &work->linear, &k->step, image)
                        : LINEAR_ABSENT;
    /* Threads that write to one cache line of y would wait for each other. */
    struct geometry geometry = {0, work->linear.matrices[0].outputs, CACHE_LINE_BYTES / 4};
    struct launch *launch = image_add_launch(image, "dot", geometry);
    struct kernel_arguments kernel = kernel_begin(e, "dot");
    struct grouped_pointers pointers = grouped_load_pointers(e, work, &kernel, launch, workspace);
    emit_experts(k, work, &pointers, &kernel);
    kernel_end(e);
}

status grouped_dot_generate(enum linear_dot dot, const struct generation *generation,
                            struct arena *arena, struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    struct grouped_work work;
    TRY(grouped_work_read(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct linear_stream k = linear_stream_of(&e, &work.linear, dot, generation);
    *image = (struct image){.target = TARGET_CPU};
    emit_dot(&k, &work, image);
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}

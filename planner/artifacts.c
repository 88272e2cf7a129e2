/* Code for the images of a plan: from the artifact folder where it was compiled before, else from a pool of compilers. */
#include "base/clock.h"
#include "codegen/compile_pool.h"
#include "planner/build.h"
#include "tuner/artifact.h"

static bool read_image(const char *folder, struct hash key, struct arena *arena,
                       struct image *image)
{
    struct diagnostic ignored = {0};
    void *encoded;
    size_t count;
    return artifact_read(folder, key, arena, &encoded, &count) &&
           image_decode(encoded, count, arena, image, &ignored) == STATUS_OK;
}

struct providing {
    struct image_request *requests; /* those without an artifact */
    int count, compiled;
    const struct build_options *options;
    struct compile_pool *pool;
    struct arena *arena; /* the plan's */
    bool warned;
    double start_seconds;
};

static void report_compiling(const struct providing *providing, int done)
{
    double seconds = clock_seconds() - providing->start_seconds;
    const struct progress_state state = {
        .stage = "compiling kernels",
        .detail = providing->requests[done].image->candidate,
        .done = done,
        .total = providing->count,
        .seconds_left = done ? seconds / done * (providing->count - done) : -1,
    };
    progress_update(providing->options->progress, &state);
}

static void keep_artifact(struct providing *providing, const struct plan_image *image,
                          const void *encoded, size_t bytes)
{
    const char *folder = providing->options->artifact_folder;
    struct diagnostic reason = {0};
    if (!folder || artifact_write(folder, image->artifact, encoded, bytes, &reason) == STATUS_OK)
        return;
    if (!providing->warned)
        progress_warn(providing->options->progress, "compiled code is not kept: %s", reason.text);
    providing->warned = true;
}

static status provide(struct providing *providing, int r, struct diagnostic *diagnostic)
{
    struct plan_image *image = providing->requests[r].image;
    struct diagnostic reason = {0};
    const void *encoded;
    size_t bytes;
    status code = compile_pool_take(providing->pool, &providing->requests[r].generation, &encoded,
                                    &bytes, &reason);
    if (code != STATUS_OK)
        return fail(diagnostic, code, "%s for %s: %s", image->candidate, image->problem->text,
                    reason.text);
    keep_artifact(providing, image, encoded, bytes);
    return image_decode(encoded, bytes, providing->arena, &image->image, diagnostic);
}

/* The first of the requests for this artifact: cards of one kind ask for the same. */
static int find_first(const struct providing *providing, int r)
{
    int first = 0;
    while (!hash_equal(providing->requests[first].image->artifact,
                       providing->requests[r].image->artifact))
        first++;
    return first;
}

/* All are added at first: the pool works on them in this order while they are taken. */
static status provide_all(struct providing *providing, struct diagnostic *diagnostic)
{
    for (int r = 0; r < providing->count; r++)
        if (find_first(providing, r) == r)
            TRY(compile_pool_add(providing->pool, &providing->requests[r].generation, diagnostic));
    for (int r = 0; r < providing->count; r++) {
        if (progress_interrupted(providing->options->progress))
            return fail(diagnostic, STATUS_INTERRUPTED, "interrupted while compiling kernels");
        int first = find_first(providing, r);
        report_compiling(providing, r);
        if (first == r)
            TRY(provide(providing, r, diagnostic));
        else
            providing->requests[r].image->image = providing->requests[first].image->image;
        providing->compiled += first == r;
    }
    return STATUS_OK;
}

status artifacts_provide(struct image_request *requests, int count,
                         const struct build_options *options, struct arena *arena,
                         struct build_report *report, struct diagnostic *diagnostic)
{
    struct providing providing = {
        .options = options, .arena = arena, .start_seconds = clock_seconds()};
    TRY_NEW(providing.requests, arena, count, diagnostic);
    for (int r = 0; r < count; r++) {
        requests[r].image->artifact = compile_key(&requests[r].generation);
        bool found = options->artifact_folder &&
                     read_image(options->artifact_folder, requests[r].image->artifact, arena,
                                &requests[r].image->image);
        if (!found) providing.requests[providing.count++] = requests[r];
    }
    report->kernels = count;
    if (providing.count == 0) return STATUS_OK;
    int processes =
        options->compile_processes < providing.count ? options->compile_processes : providing.count;
    TRY(compile_pool_create(processes, compile_limits_default(), &providing.pool, diagnostic));
    status code = provide_all(&providing, diagnostic);
    compile_pool_destroy(providing.pool);
    report->compiled = providing.compiled;
    return code;
}

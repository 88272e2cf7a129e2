/* Code for the images of a plan: from the artifact folder where it was compiled before, else from the compiler, in
 * several child processes side by side. */
#include "planner/build.h"

#include "base/clock.h"
#include "base/process.h"
#include "codegen/compile.h"
#include "runtime/threads.h"
#include "tuner/artifact.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static bool read_image(const char *folder, struct hash key, struct arena *arena,
                       struct image *image)
{
    struct diagnostic ignored = {0};
    void *encoded;
    size_t count;
    return artifact_read(folder, key, arena, &encoded, &count) &&
           image_decode(encoded, count, arena, image, &ignored) == STATUS_OK;
}

/* A child that compiles request after request; it may crash on one without harm to the others. */
struct compiler {
    struct process process;
    const struct image_request *requests;
};

struct answer_head {
    status code;
    struct diagnostic diagnostic;
};

static bool answer_request(int output, struct arena *arena, status code,
                           const struct diagnostic *diagnostic, const void *encoded, size_t count)
{
    struct answer_head head = {.code = code, .diagnostic = *diagnostic};
    char *answer = arena_allocate(arena, 1, sizeof head + count);
    if (!answer) return false;
    memcpy(answer, &head, sizeof head);
    if (count) memcpy(answer + sizeof head, encoded, count);
    return process_write_message(output, answer, sizeof head + count);
}

static void compiler_main(void *context, int input, int output)
{
    const struct compiler *compiler = context;
    for (;;) {
        struct arena *arena = arena_create(0);
        void *bytes;
        size_t count;
        if (!arena || !process_read_message(input, arena, &bytes, &count) || count != sizeof(int))
            return;
        int index;
        memcpy(&index, bytes, sizeof index);
        struct diagnostic diagnostic = {0};
        struct image image;
        void *encoded = NULL;
        size_t encoded_count = 0;
        status code = compile_here(&compiler->requests[index].generation, arena, &image, NULL,
                                   &diagnostic);
        if (code == STATUS_OK)
            code = image_encode(&image, arena, &encoded, &encoded_count, &diagnostic);
        if (!answer_request(output, arena, code, &diagnostic, encoded, encoded_count)) return;
        arena_destroy(arena);
    }
}

struct providing {
    struct image_request *requests; /* those without an artifact */
    int count;
    const struct build_options *options;
    struct process *processes;     /* per thread */
    struct compiler *compilers;    /* per thread */
    struct arena **arenas;         /* per thread; the images end in them until they are copied */
    int started; /* processes */
    atomic_int next, done;
    atomic_bool failed, warned;
    pthread_mutex_t lock;
    struct diagnostic *diagnostic; /* under the lock, like the next */
    status code;
    double start_seconds;
};

static status take_answer(const struct image_request *request, const char *answer, size_t count,
                          struct arena *arena, struct diagnostic *diagnostic)
{
    struct answer_head head;
    if (count < sizeof head)
        return fail(diagnostic, STATUS_CRASHED, "the compiler's answer was cut short");
    memcpy(&head, answer, sizeof head);
    if (head.code != STATUS_OK) {
        *diagnostic = head.diagnostic;
        return head.code;
    }
    return image_decode(answer + sizeof head, count - sizeof head, arena, &request->image->image,
                        diagnostic);
}

static status compile_one(struct providing *providing, int thread, int index,
                          struct diagnostic *diagnostic)
{
    struct image_request *request = &providing->requests[index];
    struct arena *arena = providing->arenas[thread];
    void *answer;
    size_t count;
    TRY(process_ask(&providing->processes[thread], &index, sizeof index, 0, arena, &answer, &count, diagnostic));
    TRY(take_answer(request, answer, count, arena, diagnostic));
    const char *folder = providing->options->artifact_folder;
    struct diagnostic reason = {0};
    if (folder && artifact_write(folder, request->image->artifact, (char *)answer + sizeof(struct answer_head),
                                 count - sizeof(struct answer_head), &reason) != STATUS_OK &&
        !atomic_exchange(&providing->warned, true))
        progress_warn(providing->options->progress, "compiled code is not kept: %s", reason.text);
    return STATUS_OK;
}

static void report_compiling(struct providing *providing, const char *detail)
{
    int done = atomic_load(&providing->done);
    double seconds = clock_seconds() - providing->start_seconds;
    struct progress_state state = {
        .stage = "compiling kernels",
        .detail = detail,
        .done = done,
        .total = providing->count,
        .seconds_left = done ? seconds / done * (providing->count - done) : -1,
    };
    progress_update(providing->options->progress, &state);
}

static void compile_share(void *context, int thread)
{
    struct providing *providing = context;
    for (int index; (index = atomic_fetch_add(&providing->next, 1)) < providing->count;) {
        if (atomic_load(&providing->failed)) return;
        const struct plan_image *image = providing->requests[index].image;
        if (thread == 0) report_compiling(providing, image->candidate);
        struct diagnostic diagnostic = {0};
        status code = compile_one(providing, thread, index, &diagnostic);
        if (code != STATUS_OK) {
            pthread_mutex_lock(&providing->lock);
            providing->code = fail(providing->diagnostic, code, "%s for %s: %s", image->candidate,
                                   image->problem->text, diagnostic.text);
            pthread_mutex_unlock(&providing->lock);
            atomic_store(&providing->failed, true);
            return;
        }
        atomic_fetch_add(&providing->done, 1);
    }
}

/* Images decoded by a thread point into its arena; the plan's arena is not shared between threads. */
static status keep_images(struct providing *providing, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    for (int r = 0; r < providing->count; r++) {
        struct image *image = &providing->requests[r].image->image;
        image->code = arena_copy(arena, image->code, (size_t)image->code_bytes);
        TRY_MEMORY(image->code, diagnostic);
        for (int l = 0; l < image->launch_count; l++) {
            image->launches[l].name = arena_text(arena, image->launches[l].name);
            TRY_MEMORY(image->launches[l].name, diagnostic);
        }
    }
    return STATUS_OK;
}

/* The children are forked here, by the only thread of this process that is at work: one forked while another thread is
 * inside the allocator or the loader could wait for that thread's lock for ever. */
static status start_compilers(struct providing *providing, int threads, struct arena *arena,
                              struct diagnostic *diagnostic)
{
    const struct compile_limits limits = compile_limits_default();
    TRY_NEW(providing->processes, arena, threads, diagnostic);
    TRY_NEW(providing->compilers, arena, threads, diagnostic);
    TRY_NEW(providing->arenas, arena, threads, diagnostic);
    for (int t = 0; t < threads; t++) {
        providing->compilers[t].requests = providing->requests;
        providing->arenas[t] = arena_create(0);
        TRY_MEMORY(providing->arenas[t], diagnostic);
        TRY(process_start(&providing->processes[t], compiler_main, &providing->compilers[t],
                          (struct process_limits){limits.seconds, limits.memory_bytes}, diagnostic));
        providing->started++;
    }
    return STATUS_OK;
}

static status run_compilers(struct providing *providing, int threads,
                            struct diagnostic *diagnostic)
{
    struct thread_pool *pool;
    TRY(thread_pool_create(threads, &pool, diagnostic));
    pthread_mutex_init(&providing->lock, NULL);
    thread_pool_run(pool, compile_share, providing);
    thread_pool_destroy(pool);
    pthread_mutex_destroy(&providing->lock);
    return STATUS_OK;
}

static status compile_all(struct providing *providing, int threads, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    status code = start_compilers(providing, threads, arena, diagnostic);
    if (code == STATUS_OK) code = run_compilers(providing, threads, diagnostic);
    for (int t = 0; t < providing->started; t++) process_stop(&providing->processes[t]);
    TRY(code);
    if (atomic_load(&providing->failed)) return providing->code;
    return keep_images(providing, arena, diagnostic);
}

status artifacts_provide(struct image_request *requests, int count,
                         const struct build_options *options, struct arena *arena,
                         struct build_report *report, struct diagnostic *diagnostic)
{
    struct providing providing = {
        .options = options, .diagnostic = diagnostic, .start_seconds = clock_seconds()};
    TRY_NEW(providing.requests, arena, count, diagnostic);
    for (int r = 0; r < count; r++) {
        requests[r].image->artifact = compile_key(&requests[r].generation);
        bool found = options->artifact_folder &&
                     read_image(options->artifact_folder, requests[r].image->artifact, arena,
                                &requests[r].image->image);
        if (!found) providing.requests[providing.count++] = requests[r];
    }
    report->kernels = count;
    report->compiled = providing.count;
    if (providing.count == 0) return STATUS_OK;
    int threads = options->compile_processes < providing.count ? options->compile_processes
                                                               : providing.count;
    status code = compile_all(&providing, threads, arena, diagnostic);
    for (int t = 0; providing.arenas && t < threads; t++) arena_destroy(providing.arenas[t]);
    return code;
}

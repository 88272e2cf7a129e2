/* Reads requests, compiles, answers; it may die at any moment. */
#include "codegen/compile_child.h"

#include <string.h>

struct answer {
    struct diagnostic diagnostic;
    _Alignas(16) status code;
};

static bool write_answer(int output, struct arena *arena, status code,
                         const struct diagnostic *diagnostic, const void *image, size_t image_bytes)
{
    const struct answer head = {.diagnostic = *diagnostic, .code = code};
    char *answer = arena_allocate(arena, 1, sizeof head + image_bytes);
    if (!answer) return false;
    memcpy(answer, &head, sizeof head);
    if (image_bytes) memcpy(answer + sizeof head, image, image_bytes);
    return process_write_message(output, answer, sizeof head + image_bytes);
}

static bool answer_request(const struct compile_request *request, struct arena *arena, int output)
{
    struct generation generation = request->generation;
    struct diagnostic diagnostic = {0};
    struct image image;
    void *encoded = NULL;
    size_t bytes = 0;
    generation.config = &request->config;
    status code = compile_here(&generation, arena, &image, NULL, &diagnostic);
    if (code == STATUS_OK) code = image_encode(&image, arena, &encoded, &bytes, &diagnostic);
    return write_answer(output, arena, code, &diagnostic, encoded, code == STATUS_OK ? bytes : 0);
}

void compile_child(void *context, int requests, int answers)
{
    (void)context;
    for (bool going = true; going;) {
        struct arena *arena = arena_create(0);
        void *bytes;
        size_t count;
        going = arena && process_read_message(requests, arena, &bytes, &count) &&
                count == sizeof(struct compile_request) && answer_request(bytes, arena, answers);
        arena_destroy(arena);
    }
}

status compile_answer_read(const void *bytes, size_t count, const void **image, size_t *image_bytes,
                           struct diagnostic *diagnostic)
{
    const struct answer *answer = bytes;
    if (count < sizeof *answer || (unsigned)answer->code >= STATUS_COUNT)
        return fail(diagnostic, STATUS_CRASHED, "the compiling process sent a broken answer");
    *image = answer + 1;
    *image_bytes = count - sizeof *answer;
    if (answer->code == STATUS_OK) return STATUS_OK;
    return fail(diagnostic, answer->code, "%.*s", DIAGNOSTIC_TEXT_BYTES - 1,
                answer->diagnostic.text);
}

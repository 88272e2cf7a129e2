/* Counting what ran. */
#include "tuner/capture.h"

#include <math.h>
#include <string.h>

status capture_create(struct arena *arena, struct hash model, const char *description,
                      struct capture **result, struct diagnostic *diagnostic)
{
    struct capture *capture;
    TRY_NEW(capture, arena, 1, diagnostic);
    *capture = (struct capture){
        .arena = arena, .model = model, .description = arena_text(arena, description)};
    TRY_MEMORY(capture->description, diagnostic);
    *result = capture;
    return STATUS_OK;
}

static status refuse_more(int count, const char *what, struct diagnostic *diagnostic)
{
    if (count < CAPTURE_ROWS_MOST) return STATUS_OK;
    return fail(diagnostic, STATUS_UNSUPPORTED, "a capture holds at most %d %s", CAPTURE_ROWS_MOST,
                what);
}

status capture_add_bucket(struct capture *capture, int64_t rows, int64_t context,
                          struct capture_bucket **row, struct diagnostic *diagnostic)
{
    for (int b = 0; b < capture->bucket_count; b++) {
        *row = &capture->buckets[b];
        if ((*row)->rows == rows && (*row)->context == context) return STATUS_OK;
    }
    TRY(refuse_more(capture->bucket_count, "buckets", diagnostic));
    TRY_APPEND(capture->buckets, capture->bucket_count, capture->bucket_capacity, capture->arena,
               diagnostic);
    *row = &capture->buckets[capture->bucket_count - 1];
    **row = (struct capture_bucket){.rows = rows, .context = context};
    return STATUS_OK;
}

status capture_add_problem(struct capture *capture, const char *device_class, const char *problem,
                           struct capture_problem **row, struct diagnostic *diagnostic)
{
    for (int p = 0; p < capture->problem_count; p++) {
        *row = &capture->problems[p];
        if (!strcmp((*row)->problem, problem) && !strcmp((*row)->device_class, device_class))
            return STATUS_OK;
    }
    TRY(refuse_more(capture->problem_count, "problems", diagnostic));
    TRY_APPEND(capture->problems, capture->problem_count, capture->problem_capacity, capture->arena,
               diagnostic);
    *row = &capture->problems[capture->problem_count - 1];
    (*row)->device_class = arena_text(capture->arena, device_class);
    TRY_MEMORY((*row)->device_class, diagnostic);
    (*row)->problem = arena_text(capture->arena, problem);
    TRY_MEMORY((*row)->problem, diagnostic);
    return STATUS_OK;
}

status capture_add_router(struct capture *capture, int layer, int64_t rows, int experts, int used,
                          struct capture_router **row, struct diagnostic *diagnostic)
{
    for (int r = 0; r < capture->router_count; r++) {
        *row = &capture->routers[r];
        if ((*row)->layer == layer && (*row)->rows == rows && (*row)->experts == experts &&
            (*row)->used == used)
            return STATUS_OK;
    }
    TRY(refuse_more(capture->router_count, "routers", diagnostic));
    if (experts < 1 || experts > CAPTURE_EXPERTS_MOST)
        return fail(diagnostic, STATUS_UNSUPPORTED, "a capture counts 1 to %d experts, not %d",
                    CAPTURE_EXPERTS_MOST, experts);
    TRY_APPEND(capture->routers, capture->router_count, capture->router_capacity, capture->arena,
               diagnostic);
    *row = &capture->routers[capture->router_count - 1];
    **row = (struct capture_router){.layer = layer, .experts = experts, .used = used, .rows = rows};
    TRY_NEW((*row)->counts, capture->arena, experts, diagnostic);
    return STATUS_OK;
}

void capture_see_operand(struct capture_problem *row, int operand, const void *address)
{
    int least = row->alignment[operand] ? row->alignment[operand] : CAPTURE_ALIGNMENT_MOST;
    if (operand >= row->operand_count) row->operand_count = operand + 1;
    if (!address) return;
    while (least > 1 && (uintptr_t)address % (uintptr_t)least) least /= 2;
    row->alignment[operand] = least;
}

static int64_t sum(int64_t a, int64_t b)
{
    int64_t both;
    return __builtin_add_overflow(a, b, &both) ? INT64_MAX : both;
}

/* `distinct` experts were met in so many batches. */
static void see_distinct(struct capture_router *row, int64_t batches, int64_t distinct,
                         int64_t least, int64_t most)
{
    if (batches == 0) return;
    if (row->batches == 0 || least < row->distinct_least) row->distinct_least = least;
    if (row->batches == 0 || most > row->distinct_most) row->distinct_most = most;
    row->batches = sum(row->batches, batches);
    row->distinct = sum(row->distinct, distinct);
}

void capture_see_batch(struct capture_router *row, const int32_t *ids, int64_t rows)
{
    uint64_t met[CAPTURE_EXPERTS_MOST / 64] = {0};
    int64_t distinct = 0;
    for (int64_t i = 0; i < rows * row->used; i++) {
        int32_t id = ids[i];
        if (id < 0 || id >= row->experts) continue;
        distinct += !(met[id / 64] >> (id % 64) & 1);
        met[id / 64] |= (uint64_t)1 << (id % 64);
        row->counts[id] = sum(row->counts[id], 1);
    }
    row->tokens = sum(row->tokens, rows);
    see_distinct(row, 1, distinct, distinct, distinct);
}

static status merge_problem(struct capture *capture, const struct capture_problem *other,
                            struct diagnostic *diagnostic)
{
    struct capture_problem *row;
    TRY(capture_add_problem(capture, other->device_class, other->problem, &row, diagnostic));
    row->launches = sum(row->launches, other->launches);
    row->rows = sum(row->rows, other->rows);
    row->seconds += other->seconds;
    if (row->operand_count < other->operand_count) row->operand_count = other->operand_count;
    for (int i = 0; i < other->operand_count; i++) {
        int own = row->alignment[i];
        if (!own || (other->alignment[i] && other->alignment[i] < own))
            row->alignment[i] = other->alignment[i];
    }
    return STATUS_OK;
}

static status merge_router(struct capture *capture, const struct capture_router *other,
                           struct diagnostic *diagnostic)
{
    struct capture_router *row;
    TRY(capture_add_router(capture, other->layer, other->rows, other->experts, other->used, &row,
                           diagnostic));
    row->tokens = sum(row->tokens, other->tokens);
    for (int e = 0; e < row->experts; e++) row->counts[e] = sum(row->counts[e], other->counts[e]);
    see_distinct(row, other->batches, other->distinct, other->distinct_least, other->distinct_most);
    return STATUS_OK;
}

status capture_merge(struct capture *capture, const struct capture *other,
                     struct diagnostic *diagnostic)
{
    if (!hash_equal(capture->model, other->model))
        return fail(diagnostic, STATUS_USAGE,
                    "the capture is of another model, %s: name another file for %s",
                    capture->description, other->description);
    capture->runs = sum(capture->runs, other->runs);
    capture->steps = sum(capture->steps, other->steps);
    for (int b = 0; b < other->bucket_count; b++) {
        struct capture_bucket *row;
        const struct capture_bucket *own = &other->buckets[b];
        TRY(capture_add_bucket(capture, own->rows, own->context, &row, diagnostic));
        row->steps = sum(row->steps, own->steps);
        row->seconds += own->seconds;
    }
    for (int p = 0; p < other->problem_count; p++)
        TRY(merge_problem(capture, &other->problems[p], diagnostic));
    for (int r = 0; r < other->router_count; r++)
        TRY(merge_router(capture, &other->routers[r], diagnostic));
    return STATUS_OK;
}

double capture_seconds(const struct capture *capture)
{
    double seconds = 0;
    for (int p = 0; p < capture->problem_count; p++) seconds += capture->problems[p].seconds;
    return seconds;
}

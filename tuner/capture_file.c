/* The file of a capture: YAML, most seconds first.  What only people read (shares, means) is computed when it is written and
 * passed over when it is read. */
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "tuner/capture.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    FILE_BYTES_MOST = 1 << 20 /* what base/yaml.h reads */
};

/* ---- Writing ---- */

static void print_quoted(struct text *text, const char *string)
{
    text_append(text, "\"");
    for (const char *at = string; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < ' ' || byte == 0x7f)
            text_print(text, "\\x%02x", byte);
        else
            text_print(text, "%s%c", byte == '"' || byte == '\\' ? "\\" : "", byte);
    }
    text_append(text, "\"");
}

static void print_head(const struct capture *capture, struct text *text)
{
    char digits[HASH_TEXT_BYTES];
    text_append(text, "# What a workload ran: `hone run --capture` adds to this file, `hone tune "
                      "--from` tunes what it holds.\n");
    text_print(text, "capture: %d\nmodel: \"%s\"\ndescription: ", VERSION,
               hash_print(capture->model, digits));
    print_quoted(text, capture->description);
    text_print(text, "\nruns: %" PRId64 "\nsteps: %" PRId64 "\nseconds: %.9g\nbuckets:%s\n",
               capture->runs, capture->steps, capture_seconds(capture),
               capture->bucket_count ? "" : " []");
    for (int b = 0; b < capture->bucket_count; b++) {
        const struct capture_bucket *bucket = &capture->buckets[b];
        text_print(text,
                   "- {rows: %" PRId64 ", context: %" PRId64 ", steps: %" PRId64
                   ", seconds: %.9g}\n",
                   bucket->rows, bucket->context, bucket->steps, bucket->seconds);
    }
}

static int compare_problems(const void *a, const void *b)
{
    const struct capture_problem *const *x = a, *const *y = b;
    if ((*x)->seconds != (*y)->seconds) return (*x)->seconds < (*y)->seconds ? 1 : -1;
    int order = strcmp((*x)->problem, (*y)->problem);
    return order ? order : strcmp((*x)->device_class, (*y)->device_class);
}

static void print_problem(const struct capture_problem *row, double all, struct text *text)
{
    text_append(text, "- problem: ");
    print_quoted(text, row->problem);
    text_append(text, "\n  device: ");
    print_quoted(text, row->device_class);
    text_print(text,
               "\n  launches: %" PRId64 "\n  rows: %" PRId64
               "\n  seconds: %.9g\n  share: %.4f\n  alignment: \"",
               row->launches, row->rows, row->seconds, all > 0 ? row->seconds / all : 0);
    for (int i = 0; i < row->operand_count; i++)
        text_print(text, "%s%d", i ? " " : "", row->alignment[i]);
    text_append(text, "\"\n");
}

static status print_problems(const struct capture *capture, struct text *text,
                             struct diagnostic *diagnostic)
{
    const struct capture_problem **sorted;
    TRY_NEW(sorted, text->arena, capture->problem_count + 1, diagnostic);
    for (int p = 0; p < capture->problem_count; p++) sorted[p] = &capture->problems[p];
    qsort(sorted, (size_t)capture->problem_count, sizeof *sorted, compare_problems);
    text_print(text, "problems:%s\n", capture->problem_count ? "" : " []");
    for (int p = 0; p < capture->problem_count; p++)
        print_problem(sorted[p], capture_seconds(capture), text);
    return STATUS_OK;
}

static void print_router(const struct capture_router *row, struct text *text)
{
    double batches = row->batches ? (double)row->batches : 1;
    text_print(text,
               "- layer: %d\n  rows: %" PRId64 "\n  experts: %d\n  used: %d\n  batches: %" PRId64
               "\n  tokens: %" PRId64 "\n",
               row->layer, row->rows, row->experts, row->used, row->batches, row->tokens);
    text_print(text,
               "  distinct: {all: %" PRId64 ", mean: %.4g, least: %" PRId64 ", most: %" PRId64
               "}\n  counts: \"",
               row->distinct, (double)row->distinct / batches, row->distinct_least,
               row->distinct_most);
    for (int e = 0; e < row->experts; e++)
        text_print(text, "%s%" PRId64, e ? " " : "", row->counts[e]);
    text_append(text, "\"\n");
}

status capture_write(const struct capture *capture, const char *path, struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct text text = {.arena = scratch};
    print_head(capture, &text);
    status code = print_problems(capture, &text, diagnostic);
    text_print(&text, "routing:%s\n", capture->router_count ? "" : " []");
    for (int r = 0; r < capture->router_count; r++) print_router(&capture->routers[r], &text);
    const char *bytes = text_finish(&text);
    if (code == STATUS_OK && text.length > FILE_BYTES_MOST)
        code = fail(diagnostic, STATUS_UNSUPPORTED,
                    "%.700s: the capture has grown beyond %d KiB: go on in another file", path,
                    FILE_BYTES_MOST / 1024);
    if (code == STATUS_OK)
        code = bytes ? file_write(path, bytes, text.length, diagnostic)
                     : fail_memory(diagnostic, text.length);
    arena_destroy(scratch);
    return code;
}

/* ---- Reading ---- */

/* What is counted is neither negative nor so large that sums overflow. */
static status read_count(struct yaml *map, const char *key, int64_t least, int64_t most,
                         int64_t *value, struct diagnostic *diagnostic)
{
    struct yaml *node;
    TRY(yaml_require(map, key, YAML_SCALAR, &node, diagnostic));
    TRY(yaml_integer(node, value, diagnostic));
    if (*value < least || *value > most)
        return yaml_fail(node, diagnostic, "%s must be %" PRId64 " to %" PRId64, key, least, most);
    return STATUS_OK;
}

static status read_seconds(struct yaml *map, double *value, struct diagnostic *diagnostic)
{
    const double most = 1e12;
    struct yaml *node;
    TRY(yaml_require(map, "seconds", YAML_SCALAR, &node, diagnostic));
    TRY(yaml_real(node, value, diagnostic));
    if (!(*value >= 0 && *value <= most))
        return yaml_fail(node, diagnostic, "seconds must be 0 to %g", most);
    return STATUS_OK;
}

/* Numbers with spaces between, `most` of them at most, each between 0 and `limit`. */
static status read_numbers(struct yaml *map, const char *key, int64_t limit, int most,
                           int64_t *numbers, int *count, struct diagnostic *diagnostic)
{
    struct yaml *node;
    TRY(yaml_require(map, key, YAML_SCALAR, &node, diagnostic));
    *count = 0;
    for (const char *at = node->text; *at;) {
        char digits[24];
        size_t length = strcspn(at, " ");
        if (length == 0 || length >= sizeof digits || *count == most)
            return yaml_fail(node, diagnostic,
                             "%s must be at most %d numbers with one space between", key, most);
        memcpy(digits, at, length);
        digits[length] = 0;
        if (!text_to_integer(digits, &numbers[*count]) || numbers[*count] < 0 ||
            numbers[*count] > limit)
            return yaml_fail(node, diagnostic, "%s: '%s' is no number from 0 to %" PRId64, key,
                             digits, limit);
        ++*count;
        at += length;
        if (*at == ' ' && at[1]) at++;
    }
    return STATUS_OK;
}

static status read_bucket(struct capture *capture, struct yaml *node, struct diagnostic *diagnostic)
{
    struct capture_bucket read = {0}, *row;
    TRY(read_count(node, "rows", 1, INT32_MAX, &read.rows, diagnostic));
    TRY(read_count(node, "context", 0, INT32_MAX, &read.context, diagnostic));
    TRY(read_count(node, "steps", 0, INT64_MAX, &read.steps, diagnostic));
    TRY(read_seconds(node, &read.seconds, diagnostic));
    int before = capture->bucket_count;
    TRY(capture_add_bucket(capture, read.rows, read.context, &row, diagnostic));
    if (capture->bucket_count == before)
        return yaml_fail(node, diagnostic, "this bucket stands here twice");
    *row = read;
    return STATUS_OK;
}

static status read_problem(struct capture *capture, struct yaml *node,
                           struct diagnostic *diagnostic)
{
    const char *text, *device_class;
    struct capture_problem *row;
    int64_t alignment[OP_OPERANDS_MAX];
    TRY(yaml_text(node, "problem", &text, diagnostic));
    TRY(yaml_text(node, "device", &device_class, diagnostic));
    int before = capture->problem_count;
    TRY(capture_add_problem(capture, device_class, text, &row, diagnostic));
    if (capture->problem_count == before)
        return yaml_fail(node, diagnostic, "this problem stands here twice");
    TRY(read_count(node, "launches", 0, INT64_MAX, &row->launches, diagnostic));
    TRY(read_count(node, "rows", 0, INT64_MAX, &row->rows, diagnostic));
    TRY(read_seconds(node, &row->seconds, diagnostic));
    TRY(read_numbers(node, "alignment", CAPTURE_ALIGNMENT_MOST, OP_OPERANDS_MAX, alignment,
                     &row->operand_count, diagnostic));
    for (int i = 0; i < row->operand_count; i++) row->alignment[i] = (int)alignment[i];
    (void)yaml_find(node, "share");
    return STATUS_OK;
}

static status read_distinct(struct capture_router *row, struct yaml *node,
                            struct diagnostic *diagnostic)
{
    struct yaml *map;
    TRY(yaml_require(node, "distinct", YAML_MAP, &map, diagnostic));
    TRY(read_count(map, "all", 0, INT64_MAX, &row->distinct, diagnostic));
    TRY(read_count(map, "least", 0, row->experts, &row->distinct_least, diagnostic));
    TRY(read_count(map, "most", row->distinct_least, row->experts, &row->distinct_most,
                   diagnostic));
    if (row->distinct / row->experts > row->batches)
        return yaml_fail(map, diagnostic, "more distinct experts than there are in the batches");
    (void)yaml_find(map, "mean");
    return STATUS_OK;
}

static status read_router(struct capture *capture, struct yaml *node, struct diagnostic *diagnostic)
{
    int64_t layer, rows, experts, used;
    int count, before = capture->router_count;
    struct capture_router *row;
    TRY(read_count(node, "layer", -1, INT32_MAX, &layer, diagnostic));
    TRY(read_count(node, "rows", 1, INT32_MAX, &rows, diagnostic));
    TRY(read_count(node, "experts", 1, CAPTURE_EXPERTS_MOST, &experts, diagnostic));
    TRY(read_count(node, "used", 1, experts, &used, diagnostic));
    TRY(capture_add_router(capture, (int)layer, rows, (int)experts, (int)used, &row, diagnostic));
    if (capture->router_count == before)
        return yaml_fail(node, diagnostic, "this router stands here twice");
    TRY(read_count(node, "batches", 0, INT64_MAX, &row->batches, diagnostic));
    TRY(read_count(node, "tokens", 0, INT64_MAX, &row->tokens, diagnostic));
    TRY(read_distinct(row, node, diagnostic));
    TRY(read_numbers(node, "counts", INT64_MAX, row->experts, row->counts, &count, diagnostic));
    if (count == row->experts) return STATUS_OK;
    return yaml_fail(node, diagnostic, "counts has %d numbers for %d experts", count, row->experts);
}

static status read_list(struct capture *capture, struct yaml *root, const char *key,
                        status (*read)(struct capture *, struct yaml *, struct diagnostic *),
                        struct diagnostic *diagnostic)
{
    struct yaml *list;
    TRY(yaml_require(root, key, YAML_LIST, &list, diagnostic));
    for (int i = 0; i < list->count; i++) TRY(read(capture, &list->items[i], diagnostic));
    return STATUS_OK;
}

static status read_root(struct yaml *root, struct arena *arena, struct capture **result,
                        struct diagnostic *diagnostic)
{
    static const char *const keys[] = {"capture", "model",    "description", "runs",    "steps",
                                       "seconds", "buckets",  "problems",    "routing", "problem",
                                       "device",  "launches", "alignment",   NULL};
    const char *model, *description;
    int64_t version;
    struct hash identity;
    TRY(read_count(root, "capture", VERSION, VERSION, &version, diagnostic));
    TRY(yaml_text(root, "model", &model, diagnostic));
    TRY(yaml_text(root, "description", &description, diagnostic));
    if (!hash_parse(model, &identity))
        return yaml_fail(root, diagnostic, "model must be 32 hexadecimal digits");
    TRY(capture_create(arena, identity, description, result, diagnostic));
    TRY(read_count(root, "runs", 0, INT64_MAX, &(*result)->runs, diagnostic));
    TRY(read_count(root, "steps", 0, INT64_MAX, &(*result)->steps, diagnostic));
    TRY(read_list(*result, root, "buckets", read_bucket, diagnostic));
    TRY(read_list(*result, root, "problems", read_problem, diagnostic));
    TRY(read_list(*result, root, "routing", read_router, diagnostic));
    (void)yaml_find(root, "seconds");
    return yaml_check_used(root, keys, diagnostic);
}

status capture_read(const char *path, struct arena *arena, struct capture **capture,
                    struct diagnostic *diagnostic)
{
    struct yaml *root;
    TRY(yaml_read(path, arena, &root, diagnostic));
    return read_root(root, arena, capture, diagnostic);
}

static status append(const struct capture *capture, const char *path, struct arena *scratch,
                     struct diagnostic *diagnostic)
{
    struct capture *whole;
    TRY(capture_read(path, scratch, &whole, diagnostic));
    TRY(capture_merge(whole, capture, diagnostic));
    return capture_write(whole, path, diagnostic);
}

status capture_append(const struct capture *capture, const char *path,
                      struct diagnostic *diagnostic)
{
    if (!file_exists(path)) return capture_write(capture, path, diagnostic);
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = append(capture, path, scratch, diagnostic);
    arena_destroy(scratch);
    return code;
}

/* Lists of sums are read as text of strangers: lines of a fixed form, and names that stay below the list's folder. */
#include "models/check_files.h"

#include "base/clock.h"
#include "base/file.h"

#include <sodium.h>
#include <string.h>

enum {
    SUM_BYTES = crypto_hash_sha256_BYTES,
    SUM_DIGITS = 2 * SUM_BYTES,
    LIST_BYTES_MAX = 1 << 20,
    HASHED_BYTES = 1 << 24 /* between two looks at Ctrl-C */
};

struct file_sum {
    const char *path;
    uint8_t sum[SUM_BYTES];
    bool used;
};

struct sum_list {
    const char *path;
    struct file_sum *sums;
    int count;
    size_t capacity;
};

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The first 64 characters of `text`. */
static bool read_sum(const char *text, uint8_t sum[SUM_BYTES])
{
    if (strnlen(text, SUM_DIGITS) < SUM_DIGITS) return false;
    for (int b = 0; b < SUM_BYTES; b++) {
        int high = digit_value(text[2 * b]), low = digit_value(text[2 * b + 1]);
        if (high < 0 || low < 0) return false;
        sum[b] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ---- Hashing ---- */

struct hashing {
    const struct progress *progress;
    double done, total;
    int64_t begun;
};

static status hash_file(const struct mapped_file *file, struct hashing *hashing,
                        uint8_t sum[SUM_BYTES], struct diagnostic *diagnostic)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t at = 0; at < file->byte_count; at += HASHED_BYTES) {
        size_t left = file->byte_count - at, count = left < HASHED_BYTES ? left : HASHED_BYTES;
        if (progress_interrupted(hashing->progress))
            return fail(diagnostic, STATUS_INTERRUPTED, "interrupted");
        crypto_hash_sha256_update(&state, file->bytes + at, count);
        hashing->done += (double)count;
        double seconds = (double)(clock_nanoseconds() - hashing->begun) / 1e9;
        const struct progress_state state_of_work = {
            .stage = "checking sums",
            .done = hashing->done,
            .total = hashing->total,
            .seconds_left = seconds / hashing->done * (hashing->total - hashing->done)};
        progress_update(hashing->progress, &state_of_work);
    }
    crypto_hash_sha256_final(&state, sum);
    return STATUS_OK;
}

static status compare_file(const struct mapped_file *file, const uint8_t expected[SUM_BYTES],
                           struct hashing *hashing, struct diagnostic *diagnostic)
{
    uint8_t sum[SUM_BYTES];
    char digits[SUM_DIGITS + 1];
    TRY(hash_file(file, hashing, sum, diagnostic));
    if (memcmp(sum, expected, SUM_BYTES) == 0) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.300s: its SHA-256 is %s, which is not the expected one; fetch the file again "
                "from where the sum comes from",
                file->path, sodium_bin2hex(digits, sizeof digits, sum, sizeof sum));
}

/* ---- Lists ---- */

static status refuse_line(const struct sum_list *list, int line, const char *reason,
                          struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.300s:%d: %s; a line is 64 hexadecimal digits, two spaces and a file's name, as "
                "sha256sum writes it",
                list->path, line, reason);
}

static bool leaves_folder(const char *name)
{
    if (name[0] == '/' || !strcmp(name, "..") || !strncmp(name, "../", 3)) return true;
    size_t length = strlen(name);
    return strstr(name, "/../") || (length >= 3 && !strcmp(name + length - 3, "/.."));
}

static status read_line(struct sum_list *list, const char *folder, char *line, int number,
                        struct arena *arena, struct diagnostic *diagnostic)
{
    struct file_sum own = {.used = false};
    if (!read_sum(line, own.sum)) return refuse_line(list, number, "no SHA-256", diagnostic);
    const char *name = line + SUM_DIGITS;
    if (name[0] != ' ' || (name[1] != ' ' && name[1] != '*') || !name[2])
        return refuse_line(list, number, "no name", diagnostic);
    name += 2;
    if (leaves_folder(name))
        return refuse_line(list, number, "the name leaves the list's folder", diagnostic);
    const char *path = file_join(arena, folder, name);
    TRY_MEMORY(path, diagnostic);
    own.path = file_absolute(arena, path);
    if (!own.path) return refuse_line(list, number, "the file is not there", diagnostic);
    TRY_APPEND(list->sums, list->count, list->capacity, arena, diagnostic);
    list->sums[list->count - 1] = own;
    return STATUS_OK;
}

static status read_list(struct sum_list *list, struct arena *arena, struct diagnostic *diagnostic)
{
    char *text, *rest = NULL;
    size_t length;
    int number = 0;
    const char *folder = file_folder_of(arena, list->path);
    TRY_MEMORY(folder, diagnostic);
    TRY(file_read(list->path, LIST_BYTES_MAX, arena, &text, &length, diagnostic));
    if (strlen(text) != length) return refuse_line(list, 1, "a zero byte", diagnostic);
    for (char *line = text; line; line = rest) {
        rest = strchr(line, '\n');
        if (rest) *rest++ = 0;
        number++;
        if (*line) TRY(read_line(list, folder, line, number, arena, diagnostic));
    }
    return STATUS_OK;
}

static struct file_sum *find_sum(const struct sum_list *list, const char *path)
{
    for (int s = 0; s < list->count; s++)
        if (!strcmp(list->sums[s].path, path)) return &list->sums[s];
    return NULL;
}

/* Configuration and vocabulary are listed too, but not mapped. */
static status check_others(const struct sum_list *list, struct hashing *hashing,
                           struct arena *arena, struct diagnostic *diagnostic)
{
    for (int s = 0; s < list->count; s++) {
        struct mapped_file file;
        if (list->sums[s].used) continue;
        TRY(file_map(list->sums[s].path, arena, &file, diagnostic));
        hashing->total += (double)file.byte_count;
        status code = compare_file(&file, list->sums[s].sum, hashing, diagnostic);
        file_unmap(&file);
        TRY(code);
    }
    return STATUS_OK;
}

static status check_listed(const struct model_source *source, const char *path,
                           struct hashing *hashing, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    struct sum_list list = {.path = path};
    TRY(read_list(&list, arena, diagnostic));
    for (int f = 0; f < source->file_count; f++) {
        const char *own = file_absolute(arena, source->files[f].path);
        struct file_sum *sum = own ? find_sum(&list, own) : NULL;
        if (!sum)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.300s: the file is not in the list of sums %.300s", source->files[f].path,
                        path);
        sum->used = true;
        TRY(compare_file(&source->files[f], sum->sum, hashing, diagnostic));
    }
    return check_others(&list, hashing, arena, diagnostic);
}

/* ---- Either ---- */

static status check_one(const struct model_source *source, const uint8_t sum[SUM_BYTES],
                        struct hashing *hashing, struct diagnostic *diagnostic)
{
    if (source->file_count != 1)
        return fail(diagnostic, STATUS_USAGE,
                    "%.300s: the model has %d files of weights; give --sha256 a list as sha256sum "
                    "writes it",
                    source->path, source->file_count);
    return compare_file(&source->files[0], sum, hashing, diagnostic);
}

status check_files(const struct model_source *source, const char *expected,
                   const struct progress *progress, struct diagnostic *diagnostic)
{
    uint8_t sum[SUM_BYTES];
    struct hashing hashing = {.progress = progress, .begun = clock_nanoseconds()};
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    for (int f = 0; f < source->file_count; f++)
        hashing.total += (double)source->files[f].byte_count;
    status code = strlen(expected) == SUM_DIGITS && read_sum(expected, sum)
                      ? check_one(source, sum, &hashing, diagnostic)
                      : check_listed(source, expected, &hashing, scratch, diagnostic);
    arena_destroy(scratch);
    return code;
}

/* Appending, and reading back what was appended. */
#include "base/line_log.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct line_log {
    const char *path;
    int file;
    const char **lines;
    int count;
    size_t capacity, torn_bytes;
    struct arena *arena;
};

/* A stored line is the object without its closing brace, then this, the digits, then that. */
static const char check_begin[] = ",\"check\":\"", check_end[] = "\"}\n";
enum {
    CHECK_BEGIN_BYTES = sizeof check_begin - 1,
    CHECK_END_BYTES = sizeof check_end - 1,
    CHECK_BYTES = CHECK_BEGIN_BYTES + HASH_TEXT_BYTES - 1 + CHECK_END_BYTES,
};

static status failed(const struct line_log *log, const char *what, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.700s: %s failed: %s", log->path, what,
                strerror(errno));
}

/* True when the fault injection lets the next system call fail, as on a full disk. */
static bool injected(void)
{
    if (!fault_io()) return false;
    errno = ENOSPC;
    return true;
}

/* ---- Reading ---- */

/* A whole line with its end; what is left of it without checksum goes to `object`. */
static bool take_line(const char *line, size_t length, struct arena *arena, const char **object)
{
    struct hash told;
    char digits[HASH_TEXT_BYTES] = "";
    if (length < CHECK_BYTES + 2 || length > LINE_LOG_LINE_MAX) return false;
    size_t body = length - CHECK_BYTES;
    const char *check = line + body;
    memcpy(digits, check + CHECK_BEGIN_BYTES, HASH_TEXT_BYTES - 1);
    if (memcmp(check, check_begin, CHECK_BEGIN_BYTES) != 0 || !hash_parse(digits, &told) ||
        memcmp(line + length - CHECK_END_BYTES, check_end, CHECK_END_BYTES) != 0 ||
        !hash_equal(told, hash_bytes(line, body)))
        return false;
    *object = arena_print(arena, "%.*s}", (int)body, line);
    return true;
}

/* What was torn is one line, the last, no longer than its checksum, and where it is the first, it begins like it. */
static bool may_be_torn(const struct line_log *log, const char *rest, size_t length,
                        const char *mark)
{
    size_t shared = strlen(mark) < length ? strlen(mark) : length;
    const char *line_end = memchr(rest, '\n', length);
    const char *check = memmem(rest, length, check_begin, CHECK_BEGIN_BYTES);
    if (line_end && line_end != rest + length - 1) return false;
    if (check && check + CHECK_BYTES < rest + length) return false;
    return log->count > 0 || memcmp(rest, mark, shared) == 0;
}

static status take_lines(struct line_log *log, const char *bytes, size_t count, const char *mark,
                         struct diagnostic *diagnostic)
{
    size_t at = 0;
    while (at < count) {
        const char *line = bytes + at, *end = memchr(line, '\n', count - at), *object = NULL;
        size_t length = end ? (size_t)(end + 1 - line) : count - at;
        if (!end || !take_line(line, length, log->arena, &object)) break;
        TRY_MEMORY(object, diagnostic);
        if (log->count == 0 && strncmp(object, mark, strlen(mark)) != 0) break;
        TRY_APPEND(log->lines, log->count, log->capacity, log->arena, diagnostic);
        log->lines[log->count - 1] = object;
        at += length;
    }
    log->torn_bytes = count - at;
    if (at == count || may_be_torn(log, bytes + at, count - at, mark)) return STATUS_OK;
    if (log->count == 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.700s: is another kind of file; name one that is not there yet", log->path);
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.700s: line %d is damaged; remove it and what follows, or the file, to go on",
                log->path, log->count + 1);
}

static status read_all(const struct line_log *log, size_t count, char **bytes,
                       struct diagnostic *diagnostic)
{
    TRY_NEW(*bytes, log->arena, count + 1, diagnostic);
    for (size_t at = 0; at < count;) {
        ssize_t got = injected() ? -1 : pread(log->file, *bytes + at, count - at, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = EIO; /* it became shorter meanwhile */
        if (got <= 0) return failed(log, "reading", diagnostic);
        at += (size_t)got;
    }
    return STATUS_OK;
}

static status read_lines(struct line_log *log, const char *mark, struct diagnostic *diagnostic)
{
    struct stat facts;
    char *bytes;
    if (injected() || fstat(log->file, &facts) != 0) return failed(log, "reading", diagnostic);
    if (!S_ISREG(facts.st_mode))
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: not a regular file", log->path);
    if (facts.st_size > LINE_LOG_FILE_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: larger than the %d bytes allowed here",
                    log->path, LINE_LOG_FILE_MAX);
    size_t count = (size_t)facts.st_size;
    TRY(read_all(log, count, &bytes, diagnostic));
    TRY(take_lines(log, bytes, count, mark, diagnostic));
    if (log->torn_bytes == 0) return STATUS_OK;
    if (injected() || ftruncate(log->file, (off_t)(count - log->torn_bytes)) != 0)
        return failed(log, "shortening", diagnostic);
    return STATUS_OK;
}

/* ---- Opening ---- */

/* Locks of this kind belong to the process and not to children that it forks, and end with it. */
static status lock(const struct line_log *log, struct diagnostic *diagnostic)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(log->file, F_SETLK, &whole) == 0) return STATUS_OK;
    if (errno != EACCES && errno != EAGAIN) return failed(log, "locking", diagnostic);
    return fail(diagnostic, STATUS_FAILED, "%.700s: in use by another process; wait for it to end",
                log->path);
}

/* A new file lasts only once its folder is on the disk as well. */
static void sync_folder(const struct line_log *log)
{
    const char *folder = file_folder_of(log->arena, log->path);
    int file = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (file < 0) return;
    (void)fsync(file); /* file systems without that say so */
    close(file);
}

status line_log_open(const char *path, const char *mark, struct arena *arena,
                     struct line_log **result, struct diagnostic *diagnostic)
{
    struct line_log *log;
    TRY_NEW(log, arena, 1, diagnostic);
    log->arena = arena;
    log->path = arena_text(arena, path);
    TRY_MEMORY(log->path, diagnostic);
    const char *folder = file_folder_of(arena, path);
    TRY_MEMORY(folder, diagnostic);
    TRY(file_make_folders(folder, diagnostic));
    log->file =
        injected()
            ? -1
            : open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (log->file < 0) return failed(log, "opening", diagnostic);
    status code = lock(log, diagnostic);
    if (code == STATUS_OK) code = read_lines(log, mark, diagnostic);
    if (code != STATUS_OK) {
        close(log->file);
        return code;
    }
    if (log->count == 0) sync_folder(log);
    *result = log;
    return STATUS_OK;
}

void line_log_close(struct line_log *log)
{
    if (log) close(log->file);
}

int line_log_count(const struct line_log *log)
{
    return log->count;
}
const char *line_log_line(const struct line_log *log, int index)
{
    return log->lines[index];
}
size_t line_log_torn_bytes(const struct line_log *log)
{
    return log->torn_bytes;
}

/* ---- Appending ---- */

status line_log_append(struct line_log *log, const char *object, struct diagnostic *diagnostic)
{
    char line[LINE_LOG_LINE_MAX], digits[HASH_TEXT_BYTES];
    size_t body = strlen(object) - 1; /* without the closing brace */
    if (body + CHECK_BYTES > sizeof line)
        return fail(diagnostic, STATUS_FAILED, "%.700s: a line of %zu bytes is too long", log->path,
                    body);
    memcpy(line, object, body);
    memcpy(line + body, check_begin, CHECK_BEGIN_BYTES);
    memcpy(line + body + CHECK_BEGIN_BYTES, hash_print(hash_bytes(object, body), digits),
           HASH_TEXT_BYTES - 1);
    memcpy(line + body + CHECK_BYTES - CHECK_END_BYTES, check_end, CHECK_END_BYTES);
    for (size_t at = 0; at < body + CHECK_BYTES;) {
        ssize_t put = injected() ? -1 : write(log->file, line + at, body + CHECK_BYTES - at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return failed(log, "writing", diagnostic);
        at += (size_t)put;
    }
    if (injected() || fdatasync(log->file) != 0) return failed(log, "writing", diagnostic);
    return STATUS_OK;
}

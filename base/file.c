/* Reading and mapping regular files, and writing them so that no reader sees a half-written one. */
#include "base/file.h"

#include "base/clock.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LONGEST_PATH = 4096, /* PATH_MAX of Linux, with the final zero */
    SMALL_READ_BYTES = 4096,
};

/* Messages show at most 700 bytes of a path, so that the reason still has room. */

/* True when the fault injection lets the next system call fail, as on a full disk. */
static bool injected(void)
{
    if (!fault_io()) return false;
    errno = ENOSPC;
    return true;
}

static int open_retrying(const char *path, int flags, mode_t mode)
{
    int file;
    if (injected()) return -1;
    do {
        file = open(path, flags | O_CLOEXEC, mode);
    } while (file < 0 && errno == EINTR);
    return file;
}

/* A regular file, open for reading.  O_NONBLOCK, so that opening a FIFO does not wait for a writer.
 */
static status open_regular(const char *path, int *file, size_t *byte_count,
                           struct diagnostic *diagnostic)
{
    struct stat facts;
    int opened = open_retrying(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (opened < 0) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: cannot be opened: %s", path,
                    strerror(errno));
    }
    if (fstat(opened, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(opened);
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: not a regular file", path);
    }
    *file = opened;
    *byte_count = (size_t)facts.st_size;
    return STATUS_OK;
}

/* Reads until the end of the file or until `room` bytes are there. */
static bool read_fully(int file, char *bytes, size_t room, size_t *count)
{
    *count = 0;
    while (*count < room) {
        if (injected()) return false;
        ssize_t got = read(file, bytes + *count, room - *count);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        *count += (size_t)got;
    }
    return true;
}

static status too_large(const char *path, size_t limit_bytes, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: larger than the %zu bytes allowed here",
                path, limit_bytes);
}

/* The size is only a guess: files of /proc say 0, and others may change meanwhile. */
static status read_open_file(int file, const char *path, size_t guess, size_t limit_bytes,
                             struct arena *arena, char **bytes, size_t *byte_count,
                             struct diagnostic *diagnostic)
{
    size_t room = guess > SMALL_READ_BYTES ? guess : SMALL_READ_BYTES, count = 0, got;
    if (guess > limit_bytes) return too_large(path, limit_bytes, diagnostic);
    for (char *previous = NULL;; room *= 2) {
        char *buffer = arena_allocate(arena, room + 1, 1);
        if (!buffer) return fail_memory(diagnostic, room + 1);
        if (count) memcpy(buffer, previous, count);
        if (!read_fully(file, buffer + count, room + 1 - count, &got)) {
            return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.700s: reading failed: %s", path,
                        strerror(errno));
        }
        count += got;
        if (count > limit_bytes) return too_large(path, limit_bytes, diagnostic);
        if (count <= room) {
            buffer[count] = 0;
            *bytes = buffer;
            *byte_count = count;
            return STATUS_OK;
        }
        previous = buffer;
    }
}

status file_read(const char *path, size_t limit_bytes, struct arena *arena, char **bytes,
                 size_t *byte_count, struct diagnostic *diagnostic)
{
    int file;
    size_t guess;
    TRY(open_regular(path, &file, &guess, diagnostic));
    status result =
        read_open_file(file, path, guess, limit_bytes, arena, bytes, byte_count, diagnostic);
    close(file);
    return result;
}

status file_map(const char *path, struct arena *arena, struct mapped_file *file,
                struct diagnostic *diagnostic)
{
    static const uint8_t nothing[1] = {0};
    int opened;
    size_t byte_count;
    const char *kept_path = arena_text(arena, path);
    TRY_MEMORY(kept_path, diagnostic);
    TRY(open_regular(path, &opened, &byte_count, diagnostic));
    const void *bytes = nothing; /* an empty file cannot be mapped */
    if (byte_count) {
        bytes = injected() ? MAP_FAILED : mmap(NULL, byte_count, PROT_READ, MAP_PRIVATE, opened, 0);
    }
    int reason = errno;
    close(opened);
    if (bytes == MAP_FAILED) {
        return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.700s: cannot be mapped: %s", path,
                    strerror(reason));
    }
    *file = (struct mapped_file){kept_path, bytes, byte_count};
    return STATUS_OK;
}

void file_unmap(struct mapped_file *file)
{
    if (file->bytes && file->byte_count) munmap((void *)(uintptr_t)file->bytes, file->byte_count);
    *file = (struct mapped_file){.path = file->path};
}

void file_forget(const void *bytes, size_t byte_count)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)bytes;
    uintptr_t first = (start + page - 1) / page * page, end = (start + byte_count) / page * page;
    if (first < end) (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

void file_remove(const char *path)
{
    (void)unlink(path);
}

bool file_exists(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool file_begins_with(const char *path, const void *bytes, size_t byte_count)
{
    struct diagnostic ignored = {0};
    char start[SMALL_READ_BYTES];
    size_t count, got = 0;
    int file;
    if (byte_count > sizeof start || open_regular(path, &file, &count, &ignored) != STATUS_OK)
        return false;
    bool read = read_fully(file, start, byte_count, &got) && got == byte_count;
    close(file);
    return read && memcmp(start, bytes, byte_count) == 0;
}

static bool write_fully(int file, const char *bytes, size_t byte_count)
{
    while (byte_count) {
        if (injected()) return false;
        ssize_t put = write(file, bytes, byte_count);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        bytes += put;
        byte_count -= (size_t)put;
    }
    return true;
}

static bool sync_file(int file)
{
    int result;
    if (injected()) return false;
    do {
        result = fsync(file);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

/* The rename lasts only once the folder is on the disk as well.  EINVAL: a file system without
 * that. */
static bool sync_folder(const char *folder)
{
    int file = open_retrying(folder, O_RDONLY | O_DIRECTORY, 0);
    if (file < 0) return false;
    bool synced = sync_file(file) || errno == EINVAL;
    int reason = errno;
    close(file);
    errno = reason;
    return synced;
}

/* A new file beside `path`; its mode follows the umask, which mkstemp's would not. */
static int create_beside(const char *path, char temporary[static LONGEST_PATH])
{
    for (int attempt = 0; attempt < 100; attempt++) {
        int length = snprintf(temporary, LONGEST_PATH, "%s.%ld-%lld.part", path, (long)getpid(),
                              (long long)clock_nanoseconds());
        if (length >= LONGEST_PATH) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int file = open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (file >= 0 || errno != EEXIST) return file;
    }
    return -1;
}

static bool write_and_rename(const char *path, const void *bytes, size_t byte_count)
{
    char temporary[LONGEST_PATH];
    int file = create_beside(path, temporary);
    if (file < 0) return false;
    bool written = write_fully(file, bytes, byte_count) && sync_file(file);
    int reason = errno;
    bool closed = close(file) == 0 || errno == EINTR;
    if (written && closed && !injected() && rename(temporary, path) == 0) return true;
    if (written) reason = errno;
    unlink(temporary);
    errno = reason;
    return false;
}

/* The folder part of `path` into `folder`; "." when there is none.  False when it is too long. */
static bool folder_part(const char *path, char folder[static LONGEST_PATH])
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= LONGEST_PATH) return false;
    memcpy(folder, path, length);
    if (!length) folder[length++] = slash ? '/' : '.';
    folder[length] = 0;
    return true;
}

status file_write(const char *path, const void *bytes, size_t byte_count,
                  struct diagnostic *diagnostic)
{
    char folder[LONGEST_PATH];
    if (!folder_part(path, folder)) {
        return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.60s...: the path is too long", path);
    }
    TRY(file_make_folders(folder, diagnostic));
    if (write_and_rename(path, bytes, byte_count) && sync_folder(folder)) return STATUS_OK;
    return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.700s: writing failed: %s", path,
                strerror(errno));
}

static bool make_folder(const char *folder)
{
    if (injected()) return false;
    return mkdir(folder, 0777) == 0 || (errno == EEXIST && file_is_folder(folder));
}

status file_make_folders(const char *folder, struct diagnostic *diagnostic)
{
    char path[LONGEST_PATH];
    size_t length = strlen(folder);
    if (file_is_folder(folder)) return STATUS_OK;
    if (!length || length >= sizeof path) {
        return fail(diagnostic, STATUS_INPUT_OUTPUT, "'%.60s': not a usable folder name", folder);
    }
    memcpy(path, folder, length + 1);
    for (char *end = path + 1;; end++) {
        char kept = *end;
        if (kept && kept != '/') continue;
        *end = 0;
        if (!file_is_folder(path) && !make_folder(path)) {
            return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.700s: the folder cannot be made: %s",
                        path, strerror(errno));
        }
        if (!kept) return STATUS_OK;
        *end = '/';
    }
}

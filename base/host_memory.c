/* The kernel's files on memory: /proc/meminfo, and those of control groups. */
#include "base/host_memory.h"

#include "base/file.h"
#include "base/text.h"

#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20 };

/* NULL where the file is not there or cannot be read: what is not known bounds nothing. */
static char *read_text(struct arena *scratch, const char *path)
{
    struct diagnostic ignored = {0};
    char *text;
    size_t count;
    if (!path || file_read(path, FILE_BYTES_MAX, scratch, &text, &count, &ignored) != STATUS_OK)
        return NULL;
    return text;
}

/* The number behind `name` at the beginning of a line; -1: there is none. */
static int64_t number_behind(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line && *line;) {
        if (strncmp(line, name, length) == 0) {
            const char *digits = line + length + strspn(line + length, " \t");
            int64_t number = 0;
            if (*digits < '0' || *digits > '9') return -1;
            for (; *digits >= '0' && *digits <= '9'; digits++)
                if (__builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, *digits - '0', &number))
                    return INT64_MAX;
            return number;
        }
        line = strchr(line, '\n');
        if (line) line++;
    }
    return -1;
}

/* A file that holds a number, or "max". */
static int64_t number_in(struct arena *scratch, const char *folder, const char *name)
{
    const char *text = read_text(scratch, arena_print(scratch, "%s/%s", folder, name));
    return text ? number_behind(text, "") : -1;
}

static const struct group_files {
    const char *line;   /* how its line in /proc/self/cgroup goes on behind the number */
    const char *folder; /* where its groups are */
    const char *limit, *used, *dropped; /* files, and a line of memory.stat */
} versions[] = {
    {"::", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
    {":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_inactive_file"},
};

static int64_t group_leaves(const struct group_files *files, const char *folder,
                            struct arena *scratch)
{
    int64_t limit = number_in(scratch, folder, files->limit);
    int64_t used = number_in(scratch, folder, files->used);
    if (limit < 0 || used < 0) return INT64_MAX;
    const char *details = read_text(scratch, arena_print(scratch, "%s/memory.stat", folder));
    int64_t dropped = details ? number_behind(details, files->dropped) : -1;
    if (dropped > 0) used = used > dropped ? used - dropped : 0;
    return limit > used ? limit - used : 0;
}

/* The group's path within its kind; NULL: this process is in none. */
static char *group_path(const char *groups, const char *kind, struct arena *scratch)
{
    for (const char *line = groups; line && *line;) {
        const char *end = strchr(line, '\n'), *rest = line + strspn(line, "0123456789");
        if (strncmp(rest, kind, strlen(kind)) == 0) {
            rest += strlen(kind);
            int length = (int)(end ? (size_t)(end - rest) : strlen(rest));
            return arena_print(scratch, "%.*s", length, rest);
        }
        line = end ? end + 1 : NULL;
    }
    return NULL;
}

/* The group and all that it is in. */
static int64_t groups_leave(const char *root, const struct group_files *files, const char *groups,
                            struct arena *scratch)
{
    int64_t least = INT64_MAX;
    char *path = group_path(groups, files->line, scratch);
    while (path) {
        const char *folder = arena_print(scratch, "%s%s%s", root, files->folder, path);
        int64_t leaves = folder ? group_leaves(files, folder, scratch) : INT64_MAX;
        if (leaves < least) least = leaves;
        char *slash = strrchr(path, '/');
        if (!slash) break;
        *slash = 0;
    }
    return least;
}

int64_t host_memory_available(const char *root, struct arena *scratch)
{
    int64_t least = INT64_MAX;
    const char *machine = read_text(scratch, arena_print(scratch, "%s/proc/meminfo", root));
    const char *groups = read_text(scratch, arena_print(scratch, "%s/proc/self/cgroup", root));
    int64_t kibibytes = machine ? number_behind(machine, "MemAvailable:") : -1;
    if (kibibytes >= 0 && kibibytes < INT64_MAX / 1024) least = kibibytes * 1024;
    for (size_t v = 0; groups && v < sizeof versions / sizeof *versions; v++) {
        int64_t leaves = groups_leave(root, &versions[v], groups, scratch);
        if (leaves < least) least = leaves;
    }
    return least;
}

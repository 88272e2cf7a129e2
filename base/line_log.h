/* Logs of lines that survive whatever ends the program: a file that is only appended to, one JSON object in a line, each with
 * a checksum as its last member ("check", 32 hexadecimal digits).  A line is on the disk when line_log_append returns.
 *
 * What a write that was cut off has left behind the last whole line is taken away when the log is opened again; damage
 * anywhere else, and files that are no such log, are refused.  One process at a time holds a log. */
#ifndef BASE_LINE_LOG_H
#define BASE_LINE_LOG_H

#include "base/arena.h"

enum {
    LINE_LOG_LINE_MAX = 8192,     /* bytes, with checksum */
    LINE_LOG_FILE_MAX = 64 << 20, /* bytes of a log that is opened */
};

struct line_log;

/* Opens or makes the file, with its folders.  `mark` is how the first line begins, as "{\"hone_rys\":1,": what else begins is
 * no log of the caller's.  Close it in every case where this was STATUS_OK. */
CHECKED status line_log_open(const char *path, const char *mark, struct arena *arena,
                             struct line_log **log, struct diagnostic *diagnostic);
void line_log_close(struct line_log *log); /* NULL is allowed */

/* The lines that were there when it was opened, as they were given to line_log_append. */
int line_log_count(const struct line_log *log);
const char *line_log_line(const struct line_log *log, int index);
size_t line_log_torn_bytes(const struct line_log *log); /* that were taken away at its end */

/* `object` is a JSON object with at least one member, without line ends. */
CHECKED status line_log_append(struct line_log *log, const char *object,
                               struct diagnostic *diagnostic);

#endif

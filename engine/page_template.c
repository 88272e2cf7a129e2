/* Putting a page together: the template's marks, {{title}} or the name of a file beside it, {{page.css}}, are replaced. */
#include "engine/page_template.h"

#include "base/embedded.h"
#include "engine/page_data.h"

#include <string.h>

extern const struct embedded_file embedded_report[];

/* The file of that name in engine/report/; NULL: none. */
static const char *find_file(const char *name, size_t length)
{
    for (const struct embedded_file *file = embedded_report; file->path; file++) {
        const char *own = strrchr(file->path, '/') + 1;
        if (strlen(own) == length && memcmp(own, name, length) == 0) return file->bytes;
    }
    return NULL;
}

static bool is_mark(const char *mark, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(mark, name, length) == 0;
}

static void append_refresh(struct text *page, int seconds)
{
    if (seconds) text_print(page, "<meta http-equiv=\"refresh\" content=\"%d\">", seconds);
}

status page_compose(const char *title, const char *data, int refresh_seconds, struct text *page,
                    struct diagnostic *diagnostic)
{
    static const char name[] = "page.html";
    const char *rest = find_file(name, strlen(name)), *mark;
    for (; (mark = strstr(rest, "{{")); rest = mark + 2) {
        text_append_range(page, rest, (size_t)(mark - rest));
        mark += 2;
        const char *end = strstr(mark, "}}");
        size_t length = end ? (size_t)(end - mark) : 0;
        if (is_mark(mark, length, "title"))
            page_escape(page, title);
        else if (is_mark(mark, length, "data"))
            text_append(page, data);
        else if (is_mark(mark, length, "refresh"))
            append_refresh(page, refresh_seconds);
        else if (find_file(mark, length))
            text_append(page, find_file(mark, length));
        mark += length;
    }
    text_append(page, rest);
    return text_finish(page) ? STATUS_OK : fail_memory(diagnostic, page->length);
}

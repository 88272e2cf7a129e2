/* Reading the text forms of graphs and problems: a cursor that knows its line and column, and the
 * parts that both forms have in common.  Every reader fails with "file:line:column: " and what it
 * expected; texts are treated as hostile. */
#ifndef IR_SCANNER_H
#define IR_SCANNER_H

#include "ir/graph.h"

struct scanner {
    const char *file;
    const char *at, *line_start;
    int line; /* from 1 */
    struct diagnostic *diagnostic;
};

enum { SCANNER_NAME_BYTES = GRAPH_NAME_BYTES_MAX + 1 };

void scanner_open(struct scanner *scanner, const char *file, const char *text,
                  struct diagnostic *diagnostic);

/* fail() with the position of `at`, which is on the current line. */
CHECKED PRINTF_LIKE(4, 5) status scanner_fail(const struct scanner *scanner, const char *at,
                                              status code, const char *format, ...);

/* Skips spaces and tabs. */
void scanner_skip(struct scanner *scanner);

/* Takes `symbol` ("->", "(") or the whole word `word` if that is what comes next. */
bool scanner_take(struct scanner *scanner, const char *symbol);
bool scanner_take_word(struct scanner *scanner, const char *word);
CHECKED status scanner_expect(struct scanner *scanner, const char *symbol);

/* Letters, digits and _ into `word`; names may have . / @ - as well.  `what` is for the message:
 * "an operator". */
CHECKED status scanner_word(struct scanner *scanner, const char *what,
                            char word[static SCANNER_NAME_BYTES]);
CHECKED status scanner_name(struct scanner *scanner, const char *what,
                            char name[static SCANNER_NAME_BYTES]);
CHECKED status scanner_integer(struct scanner *scanner, const char *what, int64_t least,
                               int64_t most, int64_t *value);

/* At the end of a line or of the text, or before a `#` comment. */
bool scanner_line_ends(struct scanner *scanner);
/* Goes to the next line that is not empty; false at the end of the text. */
bool scanner_next_line(struct scanner *scanner);

/* "f32[tokens,2048]@rows" */
CHECKED status tensor_parse(struct scanner *scanner, struct tensor_type *type);

/* " {epsilon=1e-05 mode=silu}", nothing when there is nothing to print.  With `all`, defaults as
 * well. */
void attributes_print(const struct op *op, const union attribute *attributes, bool all,
                      struct text *text);
/* An absent list is an empty one; what it does not name gets its default. */
CHECKED status attributes_parse(struct scanner *scanner, const struct op *op,
                                union attribute *attributes);

#endif

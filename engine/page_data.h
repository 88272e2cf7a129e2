/* Data for a page: JSON that may stand within a <script> element whatever its texts hold.
 *
 * Names come from strangers' files: every character that means something to HTML is written as \u00XX, and bytes that are no
 * UTF-8 become U+FFFD.  Keys are the program's own words.  As with struct text, the error is sticky: emitters check nothing. */
#ifndef ENGINE_PAGE_DATA_H
#define ENGINE_PAGE_DATA_H

#include "base/text.h"

struct page_data {
    struct text text;
    bool follows; /* another item of the same list */
};

/* `key` NULL: an item of a list, or the whole. */
void page_data_open(struct page_data *data, const char *key, char bracket);       /* '{' or '[' */
void page_data_close(struct page_data *data, char bracket);                       /* '}' or ']' */
void page_data_text(struct page_data *data, const char *key, const char *string); /* NULL: null */
void page_data_number(struct page_data *data, const char *key, double value); /* no number: null */
void page_data_flag(struct page_data *data, const char *key, bool value);
/* A value that was made by these functions. */
void page_data_value(struct page_data *data, const char *key, const char *json);

/* Text within HTML. */
void page_escape(struct text *text, const char *string);

#endif

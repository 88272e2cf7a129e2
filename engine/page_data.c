/* JSON for pages, appended to a text. */
#include "engine/page_data.h"

#include "models/tokenizer_utf8.h"

#include <math.h>
#include <string.h>

static void begin(struct page_data *data, const char *key)
{
    if (data->follows) text_append(&data->text, ",");
    if (key) text_print(&data->text, "\"%s\":", key);
    data->follows = true;
}

void page_data_open(struct page_data *data, const char *key, char bracket)
{
    begin(data, key);
    text_append_range(&data->text, &bracket, 1);
    data->follows = false;
}

void page_data_close(struct page_data *data, char bracket)
{
    text_append_range(&data->text, &bracket, 1);
    data->follows = true;
}

enum form { FORM_JSON, FORM_HTML };

static void append_special(struct text *text, enum form form, unsigned character)
{
    if (form == FORM_JSON)
        text_print(text, "\\u%04x", character);
    else
        text_print(text, "&#%u;", character);
}

/* Plain characters as they are, what means something and what is no character by its number. */
static void append_characters(struct text *text, enum form form, const char *string)
{
    enum { REPLACEMENT = 0xfffd };
    size_t length = strlen(string);
    for (size_t at = 0; at < length;) {
        size_t bytes = utf8_character(string + at, length - at);
        unsigned char first = (unsigned char)string[at];
        if (!bytes)
            append_special(text, form, REPLACEMENT);
        else if (bytes == 1 && (first < ' ' || first == 0x7f || strchr("\"\\<>&'", first)))
            append_special(text, form, first);
        else
            text_append_range(text, string + at, bytes);
        at += bytes ? bytes : 1;
    }
}

void page_data_text(struct page_data *data, const char *key, const char *string)
{
    begin(data, key);
    if (!string) {
        text_append(&data->text, "null");
        return;
    }
    text_append(&data->text, "\"");
    append_characters(&data->text, FORM_JSON, string);
    text_append(&data->text, "\"");
}

void page_data_number(struct page_data *data, const char *key, double value)
{
    begin(data, key);
    if (isfinite(value))
        text_print(&data->text, "%.9g", value);
    else
        text_append(&data->text, "null");
}

void page_data_flag(struct page_data *data, const char *key, bool value)
{
    begin(data, key);
    text_append(&data->text, value ? "true" : "false");
}

void page_data_value(struct page_data *data, const char *key, const char *json)
{
    begin(data, key);
    text_append(&data->text, json);
}

void page_escape(struct text *text, const char *string)
{
    append_characters(text, FORM_HTML, string);
}

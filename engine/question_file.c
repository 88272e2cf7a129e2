/* Questions from JSONL files.  A line is
 *
 *     {"question": "...", "choices": ["...", "..."], "answer": 1}
 *
 * where choices may also be {"text": [...], "label": ["A", ...]}, and the answer a number from 0, a label, or a letter; the
 * keys that other collections use for the same are known too.  Other keys are left alone. */
#include "base/file.h"
#include "engine/evaluate_choices.h"
#include "models/json_read.h"

#include <string.h>

enum { FILE_BYTES_MAX = 256 << 20 };

struct reading {
    const char *path;
    int line;
    struct arena *arena;
    struct diagnostic *diagnostic;
};

static status refuse(const struct reading *reading, const char *what)
{
    return fail(reading->diagnostic, STATUS_BAD_INPUT, "%.500s:%d: %s", reading->path,
                reading->line, what);
}

static const json_t *first_of(const json_t *object, const char *const *keys)
{
    for (; *keys; keys++) {
        const json_t *value = json_object_get(object, *keys);
        if (value) return value;
    }
    return NULL;
}

static status take_text(const struct reading *reading, const json_t *value, const char *what,
                        const char **text)
{
    if (!json_is_string(value) || !json_string_length(value)) return refuse(reading, what);
    *text = arena_text_range(reading->arena, json_string_value(value), json_string_length(value));
    TRY_MEMORY(*text, reading->diagnostic);
    return STATUS_OK;
}

static status take_choices(const struct reading *reading, const json_t *object,
                           struct question *question, const json_t **labels)
{
    static const char *const keys[] = {"choices", "endings", NULL};
    const json_t *choices = first_of(object, keys);
    *labels = NULL;
    if (json_is_object(choices)) {
        *labels = json_object_get(choices, "label");
        choices = json_object_get(choices, "text");
    }
    size_t count = json_array_size(choices);
    if (!json_is_array(choices) || count < 2 || count > CHOICES_MAX)
        return refuse(reading, "\"choices\" must be a list of 2 to 32 texts");
    for (size_t i = 0; i < count; i++)
        TRY(take_text(reading, json_array_get(choices, i),
                      "a choice must be a text with something in it", &question->choices[i]));
    question->choice_count = (int)count;
    return STATUS_OK;
}

/* A label of the line's own, else a letter. */
static int find_label(const struct question *question, const json_t *labels, const char *label)
{
    for (int i = 0; i < question->choice_count; i++) {
        const char *own = json_string_value(json_array_get(labels, (size_t)i));
        if (own && !strcmp(own, label)) return i;
    }
    bool letter = !json_is_array(labels) && strlen(label) == 1 && *label >= 'A';
    if (letter) return *label - 'A';
    bool digit = !json_is_array(labels) && strlen(label) == 1 && *label >= '0' && *label <= '9';
    return digit ? *label - '0' : -1;
}

static status take_answer(const struct reading *reading, const json_t *object, const json_t *labels,
                          struct question *question)
{
    static const char *const keys[] = {"answer", "answerKey", "label", "gold", NULL};
    const json_t *answer = first_of(object, keys);
    json_int_t number = json_is_integer(answer) ? json_integer_value(answer)
                        : json_is_string(answer)
                            ? find_label(question, labels, json_string_value(answer))
                            : -1;
    if (number < 0 || number >= question->choice_count)
        return refuse(
            reading,
            "\"answer\" must be a choice's number, counted from 0, its label, or its letter");
    question->answer = (int)number;
    return STATUS_OK;
}

static status take_question(const struct reading *reading, const json_t *object,
                            struct question *question)
{
    static const char *const keys[] = {"question", "query", "ctx", "input", NULL};
    const json_t *labels;
    *question = (struct question){.line = reading->line};
    TRY(take_text(reading, first_of(object, keys),
                  "\"question\" must be a text with something in it", &question->text));
    TRY(take_choices(reading, object, question, &labels));
    return take_answer(reading, object, labels, question);
}

static status take_line(const struct reading *reading, const char *bytes, size_t length,
                        struct question_list *list)
{
    char where[600];
    json_t *object;
    snprintf(where, sizeof where, "%.500s: line %d", reading->path, reading->line);
    TRY(json_read(where, bytes, length, &object, reading->diagnostic));
    struct question question;
    status code = take_question(reading, object, &question);
    json_decref(object);
    TRY(code);
    TRY_APPEND(list->items, list->count, list->capacity, reading->arena, reading->diagnostic);
    list->items[list->count - 1] = question;
    return STATUS_OK;
}

static bool is_blank(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \t\r", bytes[i])) return false;
    return true;
}

status question_file_read(const char *path, int64_t limit, struct arena *arena,
                          struct question_list *list, struct diagnostic *diagnostic)
{
    struct reading reading = {.path = path, .arena = arena, .diagnostic = diagnostic};
    char *bytes;
    size_t count;
    *list = (struct question_list){0};
    TRY(file_read(path, FILE_BYTES_MAX, arena, &bytes, &count, diagnostic));
    for (size_t at = 0; at < count;) {
        const char *end = memchr(bytes + at, '\n', count - at);
        size_t length = end ? (size_t)(end - (bytes + at)) : count - at;
        reading.line++;
        if (list->count >= QUESTIONS_MAX) return refuse(&reading, "more than a million questions");
        if (!is_blank(bytes + at, length)) TRY(take_line(&reading, bytes + at, length, list));
        at += length + 1;
        if (limit && list->count >= limit) break;
    }
    if (list->count) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: there is no question in it", path);
}

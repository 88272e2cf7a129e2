/* Which form a file has, and what the forms share. */
#include "engine/space_file.h"

#include "base/file.h"
#include "engine/space_json.h"
#include "models/json_read.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Values ---- */

/* The shortest text that reads back as the same number, as Python writes it. */
static const char *print_real(double value, char buffer[static SPACE_VALUE_BYTES])
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(buffer, SPACE_VALUE_BYTES - 2, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value) break;
    }
    if (!strpbrk(buffer, ".en")) strcat(buffer, ".0");
    return buffer;
}

const char *space_value_text(const json_t *value, char buffer[static SPACE_VALUE_BYTES])
{
    switch (json_typeof(value)) {
    case JSON_STRING: return json_string_value(value);
    case JSON_INTEGER:
        snprintf(buffer, SPACE_VALUE_BYTES, "%lld", (long long)json_integer_value(value));
        return buffer;
    case JSON_REAL: return print_real(json_real_value(value), buffer);
    case JSON_TRUE: return "True";
    case JSON_FALSE: return "False";
    case JSON_NULL: return "None";
    default: return NULL;
    }
}

json_t *space_text_json(const char *text)
{
    int64_t whole;
    double real;
    if (text_to_integer(text, &whole)) return json_integer(whole);
    if (text_to_real(text, &real) && isfinite(real)) return json_real(real);
    if (strcmp(text, "True") == 0) return json_true();
    if (strcmp(text, "False") == 0) return json_false();
    return strcmp(text, "None") == 0 ? json_null() : json_string(text);
}

json_t *space_value_json(const struct recorded_space *space, const struct recorded_config *config,
                         int p)
{
    int32_t index = config->indices[p];
    return index < 0 ? json_integer(-1) : space_text_json(space->parameters[p].texts[index]);
}

double space_file_number(const json_t *object, const char *key, double unit)
{
    double number = json_number_value(json_object_get(object, key)) * unit;
    return number > 0 && isfinite(number) ? number : 0;
}

status space_file_samples(struct space_document *document, const json_t *list, double unit,
                          struct recorded_config *config)
{
    int count = 0;
    size_t listed = json_is_array(list) ? json_array_size(list) : 0;
    if (listed > RECORDED_SAMPLES_MAX)
        return space_fail(document, "%.256s: more than %d samples of one config", document->path,
                          RECORDED_SAMPLES_MAX);
    for (size_t s = 0; s < listed; s++) {
        double sample = json_number_value(json_array_get(list, s)) * unit;
        if (sample > 0 && isfinite(sample)) document->samples[count++] = sample;
    }
    return recorded_set_samples(document->space, config, document->samples, count,
                                document->diagnostic);
}

/* ---- Reading ---- */

static const char end_of_cache[] = "}\n}";

/* A cache that was cut off ends behind an entry, with or without a comma; two brackets are open then. */
static status close_cache(char **bytes, size_t *count, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    size_t end = *count;
    const char *text = *bytes;
    while (end && isspace((unsigned char)text[end - 1])) end--;
    bool open = end >= 3 && strncmp(text + end - 3, "}\n}", 3) != 0 &&
                strncmp(text + end - 3, "}}}", 3) != 0;
    if (!open || !memmem(text, end, "\"cache\"", 7)) return STATUS_OK;
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < end; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (text[i] == '{') - (text[i] == '}');
    }
    if (quoted || depth != 2) return STATUS_OK; /* the reader says what is wrong */
    if (text[end - 1] == ',') end--;
    char *closed =
        arena_allocate(arena, end + sizeof end_of_cache, 1); /* zero bytes in it are kept */
    TRY_MEMORY(closed, diagnostic);
    memcpy(closed, text, end);
    memcpy(closed + end, end_of_cache, sizeof end_of_cache);
    *bytes = closed;
    *count = end + sizeof end_of_cache - 1;
    return STATUS_OK;
}

static status read_document(struct space_document *document)
{
    const json_t *root = document->root;
    if (json_is_object(json_object_get(root, "cache"))) return space_read_cache(document);
    if (json_is_array(json_object_get(root, "results"))) return space_read_t4(document);
    if (json_is_array(json_object_get(root, "Results"))) return space_read_ktt(document);
    return space_fail(
        document,
        "%.256s: neither a cache of Kernel Tuner (\"cache\"), results in the T4 schema "
        "(\"results\") nor results of the Kernel Tuning Toolkit (\"Results\")",
        document->path);
}

static status read_json(const char *path, char *bytes, size_t count, struct arena *arena,
                        struct recorded_space **space, struct diagnostic *diagnostic)
{
    struct space_document document = {.path = path, .diagnostic = diagnostic};
    TRY(close_cache(&bytes, &count, arena, diagnostic));
    TRY_NEW(document.samples, arena, RECORDED_SAMPLES_MAX, diagnostic);
    TRY(recorded_create(arena, file_name_of(path), &document.space, diagnostic));
    TRY(json_read_repeated(path, bytes, count, &document.root, diagnostic));
    status code = read_document(&document);
    json_decref(document.root);
    TRY(code);
    *space = document.space;
    return recorded_finish(document.space, path, diagnostic);
}

status space_file_read(const char *path, struct arena *arena, struct recorded_space **space,
                       struct diagnostic *diagnostic)
{
    char *bytes;
    size_t count, at = 0;
    TRY(file_read(path, RECORDED_FILE_BYTES_MAX, arena, &bytes, &count, diagnostic));
    while (at < count && isspace((unsigned char)bytes[at])) at++;
    if (at < count && bytes[at] == '{')
        return read_json(path, bytes, count, arena, space, diagnostic);
    return recorded_read_csv(path, bytes, count, arena, space, diagnostic);
}

/* ---- Writing ---- */

static int append(const char *bytes, size_t count, void *context)
{
    text_append_range(context, bytes, count);
    return 0;
}

static status write_json(json_t *document, const char *path, struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena_create(0)};
    status code = STATUS_OK;
    if (!text.arena || !document ||
        json_dump_callback(document, append, &text, JSON_REAL_PRECISION(9)) != 0 ||
        !text_finish(&text))
        code = fail_memory(diagnostic, 0);
    json_decref(document);
    if (code == STATUS_OK) code = file_write(path, text.bytes, text.length, diagnostic);
    arena_destroy(text.arena);
    return code;
}

static status write_csv(const struct recorded_space *space, const char *path,
                        struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena_create(0)};
    TRY_MEMORY(text.arena, diagnostic);
    status code = recorded_print_csv(space, &text, diagnostic);
    if (code == STATUS_OK) code = file_write(path, text.bytes, text.length, diagnostic);
    arena_destroy(text.arena);
    return code;
}

status space_file_write(const struct recorded_space *space, const char *path, const char *format,
                        struct diagnostic *diagnostic)
{
    if (strcmp(format, "csv") == 0) return write_csv(space, path, diagnostic);
    if (strcmp(format, "cache") == 0) return write_json(space_print_cache(space), path, diagnostic);
    if (strcmp(format, "t4") == 0) return write_json(space_print_t4(space), path, diagnostic);
    if (strcmp(format, "t1") == 0) return write_json(space_print_t1(space, path), path, diagnostic);
    if (strcmp(format, "ktt") == 0) return write_json(space_print_ktt(space), path, diagnostic);
    return fail(diagnostic, STATUS_USAGE,
                "the format '%s' is not known; csv, cache, t4, t1 and ktt are", format);
}

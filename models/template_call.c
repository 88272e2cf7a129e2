/* Calls in chat templates: arguments are put in their places, and the functions that templates may use. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>
#include <time.h>

/* The place of a name in "old,new,count", -1 if it is not there. */
static int parameter_place(const char *parameters, struct datum_text name)
{
    for (int place = 0; *parameters; place++) {
        size_t length = strcspn(parameters, ",");
        if (length == name.length && memcmp(parameters, name.bytes, length) == 0) return place;
        parameters += length + (parameters[length] == ',');
    }
    return -1;
}

static size_t parameter_count(const char *parameters)
{
    size_t count = *parameters != 0;
    for (; *parameters; parameters++) count += *parameters == ',';
    return count;
}

static status place_arguments(struct rendering *rendering, const struct template_builtin_row *row,
                              const struct template_call *call,
                              struct datum places[static BUILTIN_PARAMETERS_MAX])
{
    size_t count = parameter_count(row->parameters);
    if (call->count > count)
        return RENDER_REFUSE(rendering, "'%s' takes at most %zu arguments, not %zu", row->name,
                             count, call->count);
    for (size_t i = 0; i < call->count; i++) places[i] = call->positional[i];
    for (size_t i = 0; i < call->keyword_count; i++) {
        struct datum_text name = call->keywords[i].name;
        int place = parameter_place(row->parameters, name);
        char excerpt[EXCERPT_BYTES];
        if (place < 0 || places[place].kind != DATUM_ABSENT)
            return RENDER_REFUSE(rendering, "'%s' does not take '%s' here", row->name,
                                 utf8_excerpt(name.bytes, name.length, excerpt));
        places[place] = call->keyword_values[i];
    }
    for (int i = 0; i < row->needed; i++)
        if (places[i].kind == DATUM_ABSENT)
            return RENDER_REFUSE(rendering, "'%s' needs more arguments", row->name);
    return STATUS_OK;
}

status render_builtin(struct rendering *rendering, const struct template_builtin_row *row,
                      const struct datum *subject, const struct template_call *call,
                      struct datum *result)
{
    struct datum places[BUILTIN_PARAMETERS_MAX] = {0};
    if (row->run_call) return row->run_call(rendering, subject, call, result);
    TRY(place_arguments(rendering, row, call, places));
    return row->run(rendering, subject, places, result);
}

int builtin_find(const struct template_builtin_row *rows, const char *name, size_t length)
{
    for (int row = 0; rows[row].name; row++)
        if (strlen(rows[row].name) == length && memcmp(rows[row].name, name, length) == 0)
            return row;
    return -1;
}

static status function_range(struct rendering *rendering, const struct datum *subject,
                             const struct datum *arguments, struct datum *result)
{
    int64_t numbers[3] = {0, 0, 1};
    (void)subject;
    for (int i = 0; i < 3; i++)
        if (arguments[i].kind != DATUM_ABSENT && !datum_whole(&arguments[i], &numbers[i]))
            return RENDER_REFUSE(rendering, "range takes whole numbers");
    if (arguments[1].kind == DATUM_ABSENT) {
        numbers[1] = numbers[0];
        numbers[0] = 0;
    }
    if (numbers[2] == 0) return RENDER_REFUSE(rendering, "the step of a range is 0");
    double span = (double)numbers[1] - (double)numbers[0], count = span / (double)numbers[2];
    if (count > RENDER_RANGE_MAX)
        return RENDER_REFUSE(rendering, "a range of more than %d numbers", RENDER_RANGE_MAX);
    TRY(datum_new_list(rendering, LIST_RANGE, 0, result));
    for (int64_t i = numbers[0]; numbers[2] > 0 ? i < numbers[1] : i > numbers[1];) {
        TRY(datum_append(rendering, result, datum_integer(i)));
        if (__builtin_add_overflow(i, numbers[2], &i)) break;
    }
    return STATUS_OK;
}

static status function_raise(struct rendering *rendering, const struct datum *subject,
                             const struct datum *arguments, struct datum *result)
{
    enum { MESSAGE_BYTES_MAX = 300 };
    struct datum_text message;
    char shown[MESSAGE_BYTES_MAX + 1];
    (void)subject;
    (void)result;
    TRY(datum_to_text(rendering, &arguments[0], &message));
    size_t length = message.length < MESSAGE_BYTES_MAX ? message.length : MESSAGE_BYTES_MAX;
    length = utf8_valid(message.bytes, length);
    for (size_t i = 0; i < length; i++)
        shown[i] = (uint8_t)message.bytes[i] < ' ' ? ' ' : message.bytes[i];
    shown[length] = 0;
    return RENDER_REFUSE(rendering, "the template refuses this conversation: %s", shown);
}

static status function_time(struct rendering *rendering, const struct datum *subject,
                            const struct datum *arguments, struct datum *result)
{
    enum { FORMAT_BYTES = 256, TIME_BYTES = 1024 };
    char format[FORMAT_BYTES], text[TIME_BYTES], *copy;
    struct tm broken;
    time_t now = (time_t)rendering->now;
    (void)subject;
    const struct datum *given = &arguments[0];
    if (given->kind != DATUM_TEXT || given->text.length >= sizeof format ||
        memchr(given->text.bytes, 0, given->text.length) || !localtime_r(&now, &broken))
        return RENDER_REFUSE(rendering, "strftime_now takes a format of fewer than %d bytes",
                             FORMAT_BYTES);
    memcpy(format, given->text.bytes, given->text.length);
    format[given->text.length] = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t length = strftime(text, sizeof text, format, &broken);
#pragma GCC diagnostic pop
    copy = arena_text_range(rendering->arena, text, length);
    TRY_MEMORY(copy, rendering->diagnostic);
    *result = datum_text(copy, utf8_valid(copy, length));
    return STATUS_OK;
}

/* namespace and dict: at most one mapping, and names. */
static status collect(struct rendering *rendering, const struct template_call *call,
                      struct datum *result)
{
    TRY(datum_new_map(rendering, result));
    bool mapping = call->count == 1 && call->positional[0].kind == DATUM_MAP;
    if (call->count && !mapping)
        return RENDER_REFUSE(rendering, "namespace and dict take one mapping and names");
    for (size_t i = 0; mapping && i < call->positional[0].map->count; i++) {
        const struct datum_pair *pair = &call->positional[0].map->pairs[i];
        TRY(datum_put(rendering, result->map, pair->key, pair->value));
    }
    for (size_t i = 0; i < call->keyword_count; i++) {
        struct datum_text name = call->keywords[i].name;
        TRY(datum_put(rendering, result->map, datum_text(name.bytes, name.length),
                      call->keyword_values[i]));
    }
    return STATUS_OK;
}

static status function_dict(struct rendering *rendering, const struct datum *subject,
                            const struct template_call *call, struct datum *result)
{
    (void)subject;
    return collect(rendering, call, result);
}

static status function_namespace(struct rendering *rendering, const struct datum *subject,
                                 const struct template_call *call, struct datum *result)
{
    (void)subject;
    TRY(collect(rendering, call, result));
    result->kind = DATUM_NAMESPACE;
    for (size_t i = 0; i < result->map->count; i++) {
        const struct datum *key = &result->map->pairs[i].key;
        if (key->kind == DATUM_TEXT && key->text.length && *key->text.bytes == '_')
            return RENDER_REFUSE(rendering, "names in a namespace do not begin with _");
    }
    return STATUS_OK;
}

static const struct template_builtin_row functions[] = {
    {"range", function_range, "start,stop,step", 1, NULL},
    {"raise_exception", function_raise, "message", 1, NULL},
    {"strftime_now", function_time, "format", 1, NULL},
    {"namespace", NULL, NULL, 0, function_namespace},
    {"dict", NULL, NULL, 0, function_dict},
    {NULL, NULL, NULL, 0, NULL},
};

bool function_find(const char *name, size_t length, struct datum *function)
{
    int row = builtin_find(functions, name, length);
    if (row < 0) return false;
    *function = (struct datum){.kind = DATUM_FUNCTION, .detail = row};
    return true;
}

status render_call(struct rendering *rendering, const struct datum *callee,
                   const struct template_call *call, struct datum *result)
{
    char excerpt[EXCERPT_BYTES];
    switch (callee->kind) {
    case DATUM_FUNCTION:
        return render_builtin(rendering, &functions[callee->detail], NULL, call, result);
    case DATUM_METHOD:
        return render_builtin(rendering, method_row(callee->detail), callee->object, call, result);
    case DATUM_MACRO: return render_macro(rendering, callee->macro, call, result);
    case DATUM_UNDEFINED:
        return RENDER_REFUSE(rendering, "'%s' is undefined",
                             utf8_excerpt(callee->text.bytes, callee->text.length, excerpt));
    default: return RENDER_REFUSE(rendering, "%s cannot be called", datum_kind_name(callee));
    }
}

status render_filter(struct rendering *rendering, int filter, const struct datum *subject,
                     const struct template_call *call, struct datum *result)
{
    return render_builtin(rendering, filter_row(filter), subject, call, result);
}

status render_test(struct rendering *rendering, int test, const struct datum *subject,
                   const struct template_call *call, bool *holds)
{
    struct datum result;
    TRY(render_builtin(rendering, test_row(test), subject, call, &result));
    *holds = datum_is_truthy(&result);
    return STATUS_OK;
}

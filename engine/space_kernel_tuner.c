/* Files of Kernel Tuner: its cache, and the open schemas T1 (the space) and T4 (the results). */
#include "base/file.h"
#include "engine/space_json.h"

#include <stdio.h>
#include <string.h>

static const double milliseconds = 1e-3;

static status add_named_value(struct space_document *document, struct recorded_config *config,
                              int parameter, const json_t *value, const char *where)
{
    char buffer[SPACE_VALUE_BYTES];
    const char *text = value ? space_value_text(value, buffer) : NULL;
    if (!text)
        return space_fail(document, "%.256s: %.80s: no plain value for '%.64s'", document->path,
                          where, document->space->parameters[parameter].name);
    return recorded_value(document->space, parameter, text, document->path,
                          &config->indices[parameter], document->diagnostic);
}

static const char *text_member(struct space_document *document, const char *key)
{
    const char *text = json_string_value(json_object_get(document->root, key));
    return text ? arena_text(document->space->arena, text) : "";
}

/* ---- The cache ---- */

static status add_cache_parameters(struct space_document *document)
{
    const json_t *keys = json_object_get(document->root, "tune_params_keys");
    const json_t *values = json_object_get(document->root, "tune_params");
    if (!json_is_array(keys) || !json_array_size(keys))
        return space_fail(document, "%.256s: \"tune_params_keys\" must be a list of names",
                          document->path);
    for (size_t k = 0; k < json_array_size(keys); k++) {
        const char *name = json_string_value(json_array_get(keys, k));
        if (!name)
            return space_fail(document, "%.256s: entry %zu of \"tune_params_keys\" is no name",
                              document->path, k);
        TRY(recorded_add_parameter(document->space, name, document->path, document->diagnostic));
        const json_t *list = json_object_get(values, name);
        for (size_t v = 0; v < json_array_size(list); v++) {
            char buffer[SPACE_VALUE_BYTES];
            int32_t index;
            const char *text = space_value_text(json_array_get(list, v), buffer);
            if (text)
                TRY(recorded_value(document->space, (int)k, text, document->path, &index,
                                   document->diagnostic));
        }
    }
    return STATUS_OK;
}

/* What cannot be timed has the kind of its error in place of the time. */
static enum record_status cache_status(const json_t *entry)
{
    static const struct {
        const char *error;
        enum record_status status;
    } errors[] = {{"CompilationFailedConfig", RECORD_COMPILE},
                  {"RuntimeFailedConfig", RECORD_CRASHED},
                  {"InvalidConfig", RECORD_MEMORY},
                  {"ErrorConfig", RECORD_CRASHED}};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)entry, key, value)
    {
        const char *text = json_string_value(value);
        for (size_t e = 0; text && e < sizeof errors / sizeof *errors; e++)
            if (strcmp(text, errors[e].error) == 0) return errors[e].status;
    }
    return RECORD_OK;
}

static status add_cache_entry(struct space_document *document, const char *key, const json_t *entry)
{
    struct recorded_space *space = document->space;
    struct recorded_config *config;
    if (!json_is_object(entry))
        return space_fail(document, "%.256s: the cache's entry '%.80s' is no object",
                          document->path, key);
    TRY(recorded_add_config(space, document->path, &config, document->diagnostic));
    for (int p = 0; p < space->parameter_count; p++)
        TRY(add_named_value(document, config, p, json_object_get(entry, space->parameters[p].name),
                            key));
    config->status = cache_status(entry);
    config->seconds = space_file_number(entry, "time", milliseconds);
    config->compile_seconds = space_file_number(entry, "compile_time", milliseconds);
    config->measure_seconds = space_file_number(entry, "benchmark_time", milliseconds) +
                              space_file_number(entry, "verification_time", milliseconds);
    return space_file_samples(document, json_object_get(entry, "times"), milliseconds, config);
}

status space_read_cache(struct space_document *document)
{
    const char *key;
    json_t *entry;
    document->space->device = text_member(document, "device_name");
    document->space->kernel = text_member(document, "kernel_name");
    TRY(add_cache_parameters(document));
    json_object_foreach(json_object_get(document->root, "cache"), key, entry)
        TRY(add_cache_entry(document, key, entry));
    return STATUS_OK;
}

static json_t *parameter_values(const struct recorded_parameter *parameter)
{
    json_t *values = json_array();
    for (int v = 0; v < parameter->value_count; v++)
        json_array_append_new(values, space_text_json(parameter->texts[v]));
    return values;
}

/* Whether some config has no value for it: Kernel Tuner knows no such thing, -1 stands for it. */
static bool has_absent(const struct recorded_space *space, int parameter)
{
    for (int c = 0; c < space->config_count; c++)
        if (space->configs[c].indices[parameter] < 0) return true;
    return false;
}

static json_t *all_values(const struct recorded_space *space, int parameter)
{
    json_t *values = parameter_values(&space->parameters[parameter]);
    if (has_absent(space, parameter)) json_array_append_new(values, json_integer(-1));
    return values;
}

static const char *error_name(enum record_status outcome)
{
    return outcome == RECORD_COMPILE  ? "CompilationFailedConfig"
           : outcome == RECORD_MEMORY ? "InvalidConfig"
                                      : "RuntimeFailedConfig";
}

static json_t *samples_json(const struct recorded_config *config)
{
    json_t *times = json_array();
    for (int s = 0; s < config->sample_count; s++)
        json_array_append_new(times, json_real((double)config->samples[s] / milliseconds));
    if (!config->sample_count && config->seconds > 0)
        json_array_append_new(times, json_real(config->seconds / milliseconds));
    return times;
}

static json_t *cache_entry(const struct recorded_space *space, const struct recorded_config *config)
{
    json_t *entry = json_object();
    for (int p = 0; p < space->parameter_count; p++)
        json_object_set_new(entry, space->parameters[p].name, space_value_json(space, config, p));
    json_object_set_new(entry, "time",
                        config->status == RECORD_OK ? json_real(config->seconds / milliseconds)
                                                    : json_string(error_name(config->status)));
    json_object_set_new(entry, "times", samples_json(config));
    json_object_set_new(entry, "compile_time", json_real(config->compile_seconds / milliseconds));
    json_object_set_new(entry, "verification_time", json_integer(0));
    json_object_set_new(entry, "benchmark_time", json_real(config->measure_seconds / milliseconds));
    json_object_set_new(entry, "strategy_time", json_integer(0));
    json_object_set_new(entry, "framework_time", json_integer(0));
    return entry;
}

/* The values with commas between, as Python's str() writes them. */
static const char *cache_key(const struct recorded_space *space,
                             const struct recorded_config *config, struct text *text)
{
    text->length = 0;
    for (int p = 0; p < space->parameter_count; p++) {
        char buffer[SPACE_VALUE_BYTES];
        json_t *value = space_value_json(space, config, p);
        text_print(text, "%s%s", p ? "," : "", space_value_text(value, buffer));
        json_decref(value);
    }
    return text_finish(text);
}

json_t *space_print_cache(const struct recorded_space *space)
{
    json_t *keys = json_array(), *values = json_object(), *cache = json_object();
    struct text key = {.arena = space->arena};
    for (int p = 0; p < space->parameter_count; p++) {
        json_array_append_new(keys, json_string(space->parameters[p].name));
        json_object_set_new(values, space->parameters[p].name, all_values(space, p));
    }
    for (int c = 0; c < space->config_count; c++)
        json_object_set_new(cache, cache_key(space, &space->configs[c], &key),
                            cache_entry(space, &space->configs[c]));
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:s, s:o}", "device_name", space->device,
                     "kernel_name", *space->kernel ? space->kernel : "kernel", "problem_size", 1,
                     "tune_params_keys", keys, "tune_params", values, "objective", "time", "cache",
                     cache);
}

/* ---- T4 ---- */

static enum record_status t4_status(const char *invalidity)
{
    static const struct {
        const char *name;
        enum record_status status;
    } kinds[] = {{"timeout", RECORD_TIMEOUT},
                 {"compile", RECORD_COMPILE},
                 {"runtime", RECORD_CRASHED},
                 {"correctness", RECORD_MISMATCH},
                 {"constraints", RECORD_MEMORY}};
    for (size_t k = 0; invalidity && k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].name, invalidity) == 0) return kinds[k].status;
    return RECORD_OK;
}

static const char *t4_invalidity(enum record_status outcome)
{
    switch (outcome) {
    case RECORD_OK: return "correct";
    case RECORD_MISMATCH:
    case RECORD_NONDETERMINISTIC: return "correctness";
    case RECORD_TIMEOUT: return "timeout";
    case RECORD_COMPILE: return "compile";
    case RECORD_MEMORY: return "constraints";
    default: return "runtime";
    }
}

static double measured_time(const json_t *result)
{
    const json_t *measurements = json_object_get(result, "measurements");
    for (size_t m = 0; m < json_array_size(measurements); m++) {
        const json_t *measurement = json_array_get(measurements, m);
        const char *name = json_string_value(json_object_get(measurement, "name"));
        if (name && strcmp(name, "time") == 0)
            return space_file_number(measurement, "value", milliseconds);
    }
    return 0;
}

static status add_t4_result(struct space_document *document, size_t number, const json_t *result)
{
    struct recorded_space *space = document->space;
    const json_t *configuration = json_object_get(result, "configuration"),
                 *times = json_object_get(result, "times");
    struct recorded_config *config;
    char where[40];
    snprintf(where, sizeof where, "result %zu", number);
    if (!json_is_object(configuration) || !json_is_object(times))
        return space_fail(document, "%.256s: %s: \"configuration\" and \"times\" must be objects",
                          document->path, where);
    TRY(recorded_add_config(space, document->path, &config, document->diagnostic));
    for (int p = 0; p < space->parameter_count; p++)
        TRY(add_named_value(document, config, p,
                            json_object_get(configuration, space->parameters[p].name), where));
    config->status = t4_status(json_string_value(json_object_get(result, "invalidity")));
    config->seconds = measured_time(result);
    config->compile_seconds = space_file_number(times, "compilation", milliseconds) +
                              space_file_number(times, "compilation_time", milliseconds);
    config->measure_seconds = space_file_number(times, "benchmark", milliseconds) +
                              space_file_number(times, "validation", milliseconds);
    return space_file_samples(document, json_object_get(times, "runtimes"), milliseconds, config);
}

status space_read_t4(struct space_document *document)
{
    const json_t *results = json_object_get(document->root, "results");
    json_t *first = json_object_get(json_array_get(results, 0), "configuration"), *value;
    const char *name;
    json_object_foreach(first, name, value)
        TRY(recorded_add_parameter(document->space, name, document->path, document->diagnostic));
    if (!document->space->parameter_count)
        return space_fail(document, "%.256s: the first result has no \"configuration\"",
                          document->path);
    for (size_t r = 0; r < json_array_size(results); r++)
        TRY(add_t4_result(document, r, json_array_get(results, r)));
    return STATUS_OK;
}

static json_t *t4_result(const struct recorded_space *space, const struct recorded_config *config)
{
    json_t *configuration = json_object(), *measurements = json_array();
    for (int p = 0; p < space->parameter_count; p++)
        json_object_set_new(configuration, space->parameters[p].name,
                            space_value_json(space, config, p));
    if (config->status == RECORD_OK)
        json_array_append_new(measurements,
                              json_pack("{s:s, s:f, s:s}", "name", "time", "value",
                                        config->seconds / milliseconds, "unit", "ms"));
    json_t *times = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:o}", "compilation", config->compile_seconds / milliseconds,
        "benchmark", config->measure_seconds / milliseconds, "framework", 0.0, "search_algorithm",
        0.0, "validation", 0.0, "runtimes", samples_json(config));
    return json_pack("{s:o, s:o, s:s, s:i, s:o, s:[s]}", "configuration", configuration, "times",
                     times, "invalidity", t4_invalidity(config->status), "correctness",
                     config->status == RECORD_MISMATCH ? 0 : 1, "measurements", measurements,
                     "objectives", "time");
}

json_t *space_print_t4(const struct recorded_space *space)
{
    json_t *results = json_array();
    for (int c = 0; c < space->config_count; c++)
        json_array_append_new(results, t4_result(space, &space->configs[c]));
    return json_pack("{s:s, s:o, s:{s:s}}", "schema_version", "1.0.0", "results", results,
                     "metadata", "timeunit", "milliseconds");
}

/* ---- T1 ---- */

/* Values are a Python list in a text. */
static json_t *t1_parameter(const struct recorded_space *space, int p)
{
    json_t *values = all_values(space, p);
    bool words = false, reals = false;
    for (size_t v = 0; v < json_array_size(values); v++) {
        const json_t *value = json_array_get(values, v);
        words = words || !json_is_number(value);
        reals = reals || json_is_real(value);
    }
    struct text text = {.arena = space->arena};
    text_append(&text, "[");
    for (size_t v = 0; v < json_array_size(values); v++) {
        char buffer[SPACE_VALUE_BYTES];
        const json_t *value = json_array_get(values, v);
        const char *quote = json_is_string(value) ? "'" : "";
        text_print(&text, "%s%s%s%s", v ? ", " : "", quote, space_value_text(value, buffer), quote);
    }
    text_append(&text, "]");
    json_decref(values);
    return json_pack("{s:s, s:s, s:s}", "Name", space->parameters[p].name, "Type",
                     words   ? "string"
                     : reals ? "float"
                             : "int",
                     "Values", text_finish(&text));
}

/* The rules behind a recorded space are not known, its configs are: one condition lists them. */
static json_t *t1_condition(const struct recorded_space *space)
{
    struct text text = {.arena = space->arena};
    json_t *names = json_array();
    text_append(&text, "(");
    for (int p = 0; p < space->parameter_count; p++) {
        json_array_append_new(names, json_string(space->parameters[p].name));
        text_print(&text, "%s,", space->parameters[p].name);
    }
    text_append(&text, ") in {");
    for (int c = 0; c < space->config_count; c++) {
        text_append(&text, c ? ",(" : "(");
        for (int p = 0; p < space->parameter_count; p++) {
            char buffer[SPACE_VALUE_BYTES];
            json_t *value = space_value_json(space, &space->configs[c], p);
            const char *quote = json_is_string(value) ? "'" : "";
            text_print(&text, "%s%s%s,", quote, space_value_text(value, buffer), quote);
            json_decref(value);
        }
        text_append(&text, ")");
    }
    text_append(&text, "}");
    return json_pack("{s:o, s:s}", "Parameters", names, "Expression", text_finish(&text));
}

/* The schema has no language for a CPU's machine code, and wants a kernel's file: the space's own stands in. */
json_t *space_print_t1(const struct recorded_space *space, const char *path)
{
    json_t *parameters = json_array();
    for (int p = 0; p < space->parameter_count; p++)
        json_array_append_new(parameters, t1_parameter(space, p));
    return json_pack("{s:{s:o, s:[o]}, s:{s:s, s:s, s:s, s:i, s:{s:s}, s:{s:s}, s:{s:s}, s:[]}, "
                     "s:{s:i, s:s}, s:{s:s}}",
                     "ConfigurationSpace", "TuningParameters", parameters, "Conditions",
                     t1_condition(space), "KernelSpecification", "Language", "CUDA", "KernelName",
                     *space->kernel ? space->kernel : "kernel", "KernelFile", file_name_of(path),
                     "ProblemSize", 1, "Device", "Name", space->device, "GlobalSize", "X", "1",
                     "LocalSize", "X", "1", "Arguments", "General", "FormatVersion", 1, "TimeUnit",
                     "Milliseconds", "Search", "Name", "random_sample");
}

/* Results of the Kernel Tuning Toolkit (KTT) as JSON. */
#include "engine/space_json.h"

#include <stdio.h>
#include <string.h>

static double time_unit(const json_t *metadata)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {
        {"Nanoseconds", 1e-9}, {"Microseconds", 1e-6}, {"Milliseconds", 1e-3}, {"Seconds", 1}};
    const char *name = json_string_value(json_object_get(metadata, "TimeUnit"));
    for (size_t u = 0; name && u < sizeof units / sizeof *units; u++)
        if (strcmp(units[u].name, name) == 0) return units[u].seconds;
    return 1e-3; /* KTT's default */
}

static enum record_status ktt_status(const char *name)
{
    static const struct {
        const char *name;
        enum record_status status;
    } kinds[] = {{"Ok", RECORD_OK},
                 {"CompilationFailed", RECORD_COMPILE},
                 {"ValidationFailed", RECORD_MISMATCH},
                 {"DeviceLimitsExceeded", RECORD_MEMORY},
                 {"ComputationFailed", RECORD_CRASHED}};
    for (size_t k = 0; name && k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].name, name) == 0) return kinds[k].status;
    return RECORD_CRASHED;
}

static const char *ktt_name(enum record_status outcome)
{
    switch (outcome) {
    case RECORD_OK: return "Ok";
    case RECORD_COMPILE: return "CompilationFailed";
    case RECORD_MEMORY: return "DeviceLimitsExceeded";
    case RECORD_MISMATCH:
    case RECORD_NONDETERMINISTIC: return "ValidationFailed";
    default: return "ComputationFailed";
    }
}

/* The first result says which parameters there are. */
static status add_ktt_parameters(struct space_document *document, const json_t *result)
{
    const json_t *configuration = json_object_get(result, "Configuration");
    for (size_t p = 0; p < json_array_size(configuration); p++) {
        const char *name =
            json_string_value(json_object_get(json_array_get(configuration, p), "Name"));
        if (!name)
            return space_fail(document, "%.256s: result 0: parameter %zu has no \"Name\"",
                              document->path, p);
        TRY(recorded_add_parameter(document->space, name, document->path, document->diagnostic));
    }
    if (document->space->parameter_count) return STATUS_OK;
    return space_fail(document, "%.256s: the first result has no \"Configuration\"",
                      document->path);
}

static status add_ktt_values(struct space_document *document, size_t number,
                             const json_t *configuration, struct recorded_config *config)
{
    struct recorded_space *space = document->space;
    for (size_t p = 0; p < json_array_size(configuration); p++) {
        const json_t *pair = json_array_get(configuration, p),
                     *value = json_object_get(pair, "Value");
        const char *name = json_string_value(json_object_get(pair, "Name"));
        char buffer[SPACE_VALUE_BYTES];
        const char *text = value ? space_value_text(value, buffer) : NULL;
        int parameter = name ? recorded_parameter_index(space, name) : -1;
        if (parameter < 0 || !text)
            return space_fail(document,
                              "%.256s: result %zu: '%.64s' is no parameter of the first result, or "
                              "it has no plain value",
                              document->path, number, name ? name : "");
        TRY(recorded_value(space, parameter, text, document->path, &config->indices[parameter],
                           document->diagnostic));
    }
    return STATUS_OK;
}

/* KTT runs a config once; what it says of overhead is mostly compiling. */
static status add_ktt_result(struct space_document *document, size_t number, const json_t *result,
                             double unit)
{
    struct recorded_config *config;
    TRY(recorded_add_config(document->space, document->path, &config, document->diagnostic));
    TRY(add_ktt_values(document, number, json_object_get(result, "Configuration"), config));
    config->status = ktt_status(json_string_value(json_object_get(result, "Status")));
    config->seconds = space_file_number(result, "TotalDuration", unit);
    double overhead = space_file_number(result, "TotalOverhead", unit),
           moved = space_file_number(result, "DataMovementOverhead", unit);
    config->compile_seconds = overhead > moved ? overhead - moved : overhead;
    config->measure_seconds =
        config->seconds + moved + space_file_number(result, "ValidationOverhead", unit);
    return STATUS_OK;
}

status space_read_ktt(struct space_document *document)
{
    const json_t *metadata = json_object_get(document->root, "Metadata"),
                 *results = json_object_get(document->root, "Results");
    double unit = time_unit(metadata);
    const char *device = json_string_value(json_object_get(metadata, "Device"));
    const char *kernel =
        json_string_value(json_object_get(json_array_get(results, 0), "KernelName"));
    document->space->device = arena_text(document->space->arena, device ? device : "");
    document->space->kernel = arena_text(document->space->arena, kernel ? kernel : "");
    TRY_MEMORY(document->space->device, document->diagnostic);
    TRY_MEMORY(document->space->kernel, document->diagnostic);
    TRY(add_ktt_parameters(document, json_array_get(results, 0)));
    for (size_t r = 0; r < json_array_size(results); r++)
        TRY(add_ktt_result(document, r, json_array_get(results, r), unit));
    return STATUS_OK;
}

static json_t *ktt_result(const struct recorded_space *space, const struct recorded_config *config)
{
    const double unit = 1e-6;
    json_t *configuration = json_array();
    for (int p = 0; p < space->parameter_count; p++) {
        if (config->indices[p] < 0) continue;
        json_t *value = space_value_json(space, config, p);
        const char *type = json_is_integer(value)   ? "Int"
                           : json_is_real(value)    ? "Double"
                           : json_is_boolean(value) ? "Bool"
                                                    : "String";
        json_array_append_new(configuration,
                              json_pack("{s:s, s:o, s:s}", "Name", space->parameters[p].name,
                                        "Value", value, "ValueType", type));
    }
    return json_pack("{s:[], s:o, s:f, s:f, s:s, s:f, s:s, s:f, s:f, s:f}", "ComputationResults",
                     "Configuration", configuration, "DataMovementOverhead", 0.0, "ExtraDuration",
                     0.0, "KernelName", space->kernel, "SearcherOverhead", 0.0, "Status",
                     ktt_name(config->status), "TotalDuration", config->seconds / unit,
                     "TotalOverhead", config->compile_seconds / unit, "ValidationOverhead",
                     config->measure_seconds > config->seconds
                         ? (config->measure_seconds - config->seconds) / unit
                         : 0.0);
}

json_t *space_print_ktt(const struct recorded_space *space)
{
    json_t *results = json_array();
    for (int c = 0; c < space->config_count; c++)
        json_array_append_new(results, ktt_result(space, &space->configs[c]));
    return json_pack("{s:{s:s, s:s, s:s}, s:o}", "Metadata", "ComputeApi", "CUDA", "Device",
                     space->device, "TimeUnit", "Microseconds", "Results", results);
}

/* hone lab import, export, count: recorded spaces in the files of several tuners. */
#include "cli/lab.h"
#include "engine/space_file.h"
#include "engine/space_t1.h"

#include <stdio.h>

static status read_named(const struct arguments *arguments, struct arena *arena,
                         struct recorded_space **space, struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(arguments, 1, "a recorded space: hone lab ACTION FILE", &path,
                           diagnostic));
    return space_file_read(path, arena, space, diagnostic);
}

static json_t *space_json(const struct recorded_space *space)
{
    json_t *parameters = json_array(), *by_status = json_object();
    for (int p = 0; p < space->parameter_count; p++)
        json_array_append_new(parameters, json_pack("{s:s, s:i}", "name", space->parameters[p].name,
                                                    "values", space->parameters[p].value_count));
    int counts[RECORD_STATUS_COUNT] = {0};
    for (int c = 0; c < space->config_count; c++) counts[space->configs[c].status]++;
    for (int s = 0; s < RECORD_STATUS_COUNT; s++)
        if (counts[s])
            json_object_set_new(by_status, record_status_name((enum record_status)s),
                                json_integer(counts[s]));
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:o, s:o, s:b, s:b, s:f}", "name", space->name,
                     "device", space->device, "kernel", space->kernel, "problem", space->problem,
                     "legal", (json_int_t)space->legal_count, "configs", space->config_count,
                     "by_status", by_status, "parameters", parameters, "estimates",
                     space->has_estimates, "costs", space->has_costs, "best_seconds",
                     space->configs[space->best].seconds);
}

static status report(const struct arguments *arguments, const struct recorded_space *space,
                     struct diagnostic *diagnostic)
{
    char seconds[32];
    if (arguments->json) return console_print_json(space_json(space), diagnostic);
    printf("%s: %d configs of %d parameters, the best takes %s%s%s\n", space->name,
           space->config_count, space->parameter_count,
           text_seconds(space->configs[space->best].seconds, seconds),
           arguments->output ? "; written to " : "", arguments->output ? arguments->output : "");
    return console_flush(diagnostic);
}

static status convert(const struct arguments *arguments, struct arena *arena, const char *format,
                      struct diagnostic *diagnostic)
{
    struct recorded_space *space;
    TRY(read_named(arguments, arena, &space, diagnostic));
    if (!arguments->output)
        return fail(diagnostic, STATUS_USAGE, "the file to write is missing: -o FILE");
    TRY(space_file_write(space, arguments->output, format, diagnostic));
    return report(arguments, space, diagnostic);
}

/* ---- T1: a space without results ---- */

static status read_t1(const struct arguments *arguments, struct arena *arena,
                      struct space_t1 **space, struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(arguments, 1, "a recorded space: hone lab ACTION FILE", &path,
                           diagnostic));
    return space_t1_read(path, arena, space, diagnostic);
}

static status report_t1(const struct arguments *arguments, const struct space_t1 *space,
                        struct diagnostic *diagnostic)
{
    if (arguments->json)
        return console_print_json(json_pack("{s:s, s:i, s:i, s:I, s:I}", "kernel", space->kernel,
                                            "parameters", space->parameter_count, "rules",
                                            space->rule_count, "raw", (json_int_t)space->raw_count,
                                            "legal", (json_int_t)space->legal_count),
                                  diagnostic);
    printf("%d parameters, %d rules: %llu of %llu configs are legal%s%s\n", space->parameter_count,
           space->rule_count, (unsigned long long)space->legal_count,
           (unsigned long long)space->raw_count, arguments->output ? "; written to " : "",
           arguments->output ? arguments->output : "");
    return console_flush(diagnostic);
}

static status import_t1(const struct arguments *arguments, const struct space_t1 *space,
                        struct arena *arena, struct diagnostic *diagnostic)
{
    if (!arguments->output)
        return fail(diagnostic, STATUS_USAGE, "the file to write is missing: -o FILE.yaml");
    if (!arguments->op)
        return fail(diagnostic, STATUS_USAGE,
                    "this is a space in the T1 schema; say which operator its kernel answers: "
                    "--op NAME");
    TRY(space_t1_write(space, arguments->op, arguments->output, arena, diagnostic));
    return report_t1(arguments, space, diagnostic);
}

LAB_ACTION(import)
{
    struct space_t1 *t1;
    (void)console;
    TRY(read_t1(arguments, arena, &t1, diagnostic));
    if (t1) return import_t1(arguments, t1, arena, diagnostic);
    return convert(arguments, arena, "csv", diagnostic);
}

LAB_ACTION(export)
{
    (void)console;
    if (!arguments->format)
        return fail(diagnostic, STATUS_USAGE,
                    "`hone lab export` needs the form: --format csv, cache, t4, t1 or ktt");
    return convert(arguments, arena, arguments->format, diagnostic);
}

LAB_ACTION(count)
{
    (void)console;
    struct recorded_space *space;
    struct space_t1 *t1;
    TRY(read_t1(arguments, arena, &t1, diagnostic));
    if (t1) return report_t1(arguments, t1, diagnostic);
    TRY(read_named(arguments, arena, &space, diagnostic));
    return report(arguments, space, diagnostic);
}

/* hone lab record: every config of a problem's variants, or a sample of them, measured on this machine. */
#include "cli/lab.h"
#include "engine/space_file.h"
#include "engine/space_record.h"

#include <stdio.h>

static status print_recorded(const struct arguments *arguments, const struct recorded_space *space,
                             struct diagnostic *diagnostic)
{
    char seconds[32];
    if (arguments->json)
        return console_print_json(json_pack("{s:s, s:s, s:i, s:I, s:f}", "file", arguments->output,
                                            "problem", space->problem, "configs",
                                            space->config_count, "legal",
                                            (json_int_t)space->legal_count, "best_seconds",
                                            space->configs[space->best].seconds),
                                  diagnostic);
    printf("%s: %d of %llu configs of %s, the best takes %s\n", arguments->output,
           space->config_count, (unsigned long long)space->legal_count, space->problem,
           text_seconds(space->configs[space->best].seconds, seconds));
    return console_flush(diagnostic);
}

LAB_ACTION(record)
{
    enum { SAMPLES = 5, SAMPLES_MAX = 1000 };
    struct lab_record_options options = {
        .model = arguments->positional_count > 1 ? arguments->positional[1] : NULL,
        .op = arguments->op,
        .problem = arguments->problem,
        .variant = arguments->variant,
        .name = arguments->name,
        .most = given_or(arguments->limit, 0),
        .samples = (int)given_or(arguments->repeats, SAMPLES),
        .seconds = real_or(arguments->budget, 0),
        .seed = (uint64_t)given_or(arguments->seed, 0),
        .before = arguments->output,
    };
    struct recorded_space *space;
    if (!options.model == !options.problem)
        return fail(diagnostic, STATUS_USAGE,
                    "`hone lab record` needs a model, whose dearest problem is recorded (of one "
                    "operator: --op NAME), or --problem TEXT as `hone tune` prints it");
    if (!arguments->output)
        return fail(diagnostic, STATUS_USAGE, "the file to write is missing: -o FILE.csv");
    if (options.samples < 1 || options.samples > SAMPLES_MAX)
        return fail(diagnostic, STATUS_USAGE, "--repeats goes from 1 to %d", SAMPLES_MAX);
    TRY(command_engine_options(arguments, console, &options.engine, diagnostic));
    TRY(lab_record_space(&options, arena, &space, diagnostic));
    TRY(space_file_write(space, arguments->output, arguments->format ? arguments->format : "csv",
                         diagnostic));
    console_clear_line(console);
    return print_recorded(arguments, space, diagnostic);
}

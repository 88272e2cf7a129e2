/* hone synth: a model file of a well-known shape with random weights, to tune and measure with. */
#include "cli/command.h"
#include "models/synth.h"
#include "ops/op_table.h"
#include "runtime/threads.h"

#include <stdio.h>
#include <sys/stat.h>

static status missing_preset(struct arena *arena, struct diagnostic *diagnostic)
{
    const char *const *names;
    struct text list = {.arena = arena};
    TRY(synth_presets(arena, &names, diagnostic));
    for (int n = 0; names[n]; n++) text_print(&list, "%s%s", n ? ", " : "", names[n]);
    const char *known = text_finish(&list);
    return fail(diagnostic, STATUS_USAGE, "`hone synth` needs a shape: --preset NAME, one of %s",
                known ? known : "");
}

status command_synth(const struct arguments *arguments, struct console *console,
                     struct arena *arena, struct diagnostic *diagnostic)
{
    struct synth_options options = {
        .ops = op_table(),
        .preset = arguments->preset ? arguments->preset : arguments->positional[0],
        .element = ELEMENT_Q8_0,
        .layers = given_or(arguments->layers, 0),
        .seed = (uint64_t)given_or(arguments->seed, 0),
        .threads = thread_count_default(),
        .architecture_folder = arguments->models,
        .progress = &console->progress,
    };
    if (!options.preset) return missing_preset(arena, diagnostic);
    if (!arguments->output)
        return fail(diagnostic, STATUS_USAGE, "`hone synth` needs the file to write: -o FILE.gguf");
    if (arguments->type && !element_by_name(arguments->type, &options.element))
        return fail(
            diagnostic, STATUS_USAGE,
            "--type: \"%s\" is not known; write f32, f16, bf16, q8_0, q4_K or another block type",
            arguments->type);
    TRY(synth_write(arguments->output, &options, diagnostic));
    console_clear_line(console);
    struct stat facts = {0};
    (void)stat(arguments->output, &facts);
    if (arguments->json)
        return console_print_json(json_pack("{s:s, s:s, s:s, s:I}", "file", arguments->output,
                                            "preset", options.preset, "type",
                                            element_of(options.element)->name, "bytes",
                                            (json_int_t)facts.st_size),
                                  diagnostic);
    char bytes[32];
    printf("%s: %s, %s, %s\n", arguments->output, options.preset, element_of(options.element)->name,
           text_bytes((double)facts.st_size, bytes));
    return console_flush(diagnostic);
}

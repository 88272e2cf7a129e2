/* hone compile: a plan with its kernels in one file, for `hone run PLAN` to start from without tuning or compiling. */
#include "cli/command.h"
#include "planner/signing_key.h"

#include <stdio.h>

static status report(const struct arguments *arguments, const struct engine *engine,
                     struct diagnostic *diagnostic)
{
    const struct engine_report *facts = engine_report(engine);
    const struct plan *plan = engine_plan(engine);
    int measured = 0;
    for (int i = 0; i < plan->image_count; i++) measured += plan->images[i].measured;
    if (arguments->json)
        return console_print_json(json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "plan",
                                            arguments->output, "steps", plan->step_count, "kernels",
                                            facts->kernels, "kernels_compiled",
                                            facts->kernels_compiled, "kernels_packed",
                                            facts->kernels_packed, "kernels_measured", measured),
                                  diagnostic);
    printf("%s: %d steps, %d kernels (%d compiled now, %d chosen by measurement)",
           arguments->output, plan->step_count, facts->kernels, facts->kernels_compiled, measured);
    if (facts->kernels_packed)
        printf(", %d more to race where the cards are", facts->kernels_packed);
    putchar('\n');
    return console_flush(diagnostic);
}

/* A key that is not there is better known before the kernels are compiled. */
static status check_signer(const char *name, struct diagnostic *diagnostic)
{
    uint8_t key[SIGNING_PUBLIC_BYTES], signature[SIGNING_BYTES];
    return signing_key_sign(name, "", 0, key, signature, diagnostic);
}

status command_compile(const struct arguments *arguments, struct console *console,
                       struct arena *arena, struct diagnostic *diagnostic)
{
    (void)arena;
    const char *path;
    TRY(command_positional(arguments, 0, "a model file or folder", &path, diagnostic));
    if (!arguments->output)
        return fail(diagnostic, STATUS_USAGE, "`hone compile` needs the file to write: -o PLAN");
    if (arguments->sign) TRY(check_signer(arguments->sign, diagnostic));
    struct engine_options options;
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    options.largest = command_largest(arguments);
    struct engine *engine = NULL;
    TRY(engine_prepare(path, &options, &engine, diagnostic));
    status code = engine_save_plan(engine, &options, arguments->output, diagnostic);
    if (code == STATUS_OK) code = engine_write_lock(engine, diagnostic);
    if (code == STATUS_OK) code = report(arguments, engine, diagnostic);
    engine_close(engine);
    return code;
}

/* What commands share. */
#include "cli/command.h"

#include "base/text.h"
#include "engine/latent_form.h"
#include "engine/state_type.h"
#include "ops/top/top.h"

#include <string.h>

enum { TOP_K_DEFAULT = 40 };
static const double TEMPERATURE_DEFAULT = 0.8, TOP_P_DEFAULT = 0.95;

status command_positional(const struct arguments *arguments, int index, const char *what,
                          const char **value, struct diagnostic *diagnostic)
{
    if (index >= arguments->positional_count)
        return fail(diagnostic, STATUS_USAGE, "`hone %s` needs %s; see `hone %s --help`",
                    command_name(arguments->command), what, command_name(arguments->command));
    *value = arguments->positional[index];
    return STATUS_OK;
}

struct sampling command_sampling(const struct arguments *arguments)
{
    struct sampling sampling = sampling_default();
    sampling.temperature = real_or(arguments->temperature, TEMPERATURE_DEFAULT);
    sampling.top_k = given_or(arguments->top_k, TOP_K_DEFAULT);
    sampling.top_p = real_or(arguments->top_p, TOP_P_DEFAULT);
    sampling.min_p = real_or(arguments->min_p, 0);
    sampling.repetition_penalty = real_or(arguments->repetition_penalty, 1);
    sampling.seed = (uint64_t)given_or(arguments->seed, 0);
    return sampling;
}

/* At most what an operator `top` finds; whoever needs more reads all. */
int64_t command_largest(const struct arguments *arguments)
{
    const struct sampling sampling = command_sampling(arguments);
    int64_t needed = sampling_needs(&sampling);
    return needed <= TOP_MOST ? needed : 0;
}

static status parse_host_memory(const char *text, int64_t *bytes, struct diagnostic *diagnostic)
{
    uint64_t parsed;
    if (!text) return STATUS_OK;
    if (!text_to_bytes(text, &parsed) || parsed == 0 || parsed > INT64_MAX)
        return fail(diagnostic, STATUS_USAGE,
                    "--host-memory: \"%.100s\" is no size; write 8GiB or 512MiB", text);
    *bytes = (int64_t)parsed;
    return STATUS_OK;
}

status command_engine_options(const struct arguments *arguments, struct console *console,
                              struct engine_options *options, struct diagnostic *diagnostic)
{
    *options = (struct engine_options){
        .devices = arguments->devices,
        .cpu = arguments->cpu,
        .threads = (int)given_or(arguments->threads, 0),
        .context = given_or(arguments->context, 0),
        .sequences = given_or(arguments->sequences, 0),
        .chunk = given_or(arguments->chunk, 0),
        .layer_map = arguments->layer_map,
        .split = arguments->split,
        .stream = arguments->stream,
        .routing = arguments->routing,
        .expert_slots = given_or(arguments->expert_slots, 0),
        .candidates = (int)given_or(arguments->candidates, 0),
        .race_seconds = arguments->race < 0   ? 0
                        : arguments->race > 0 ? arguments->race
                                              : -1,
        .watchdog_seconds = arguments->watchdog < 0   ? 0
                            : arguments->watchdog > 0 ? arguments->watchdog
                                                      : -1,
        .check_copies = arguments->check_copies,
        .references = arguments->references,
        .deterministic = arguments->deterministic,
        .allow_unknown_keys = arguments->allow_unknown_keys,
        .check_numbers = arguments->check_tensors,
        .sums = arguments->sha256,
        .signer = arguments->sign,
        .lock = arguments->lock,
        .lock_mode = arguments->lock_mode,
        .lock_adds = arguments->command == COMMAND_tune || arguments->command == COMMAND_compile,
        .cache_folder = arguments->cache,
        .variants_folder = arguments->variants,
        .models_folder = arguments->models,
        .progress = &console->progress,
    };
    if (arguments->numerics) {
        options->fast = strcmp(arguments->numerics, "fast") == 0;
        if (!options->fast && strcmp(arguments->numerics, "default") != 0)
            return fail(diagnostic, STATUS_USAGE,
                        "--numerics: \"%s\" is not known; write default or fast",
                        arguments->numerics);
    }
    TRY(parse_host_memory(arguments->host_memory, &options->host_memory_bytes, diagnostic));
    TRY(latent_form_parse(arguments->mla, options, diagnostic));
    return state_type_parse(arguments->kv, options, diagnostic);
}

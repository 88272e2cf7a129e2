/* A placement for people and for programs: who keeps and computes what, why, and what comes of it. */
#include "cli/plan_report.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "0:rtx3090"; machines have several devices of one name. */
static const char *device_label(const struct planned_model *planned, int d, struct arena *arena)
{
    if (d == planned->machine->device_count) return "disk";
    return arena_print(arena, "%d:%s", d, planned->machine->devices[d].name);
}

/* "40 of 0:rtx3090, 24 of 2:cpu" */
static const char *describe_units(const struct planned_model *planned, const int64_t *units,
                                  int count, int64_t all, struct arena *arena)
{
    struct text text = {.arena = arena};
    bool first = true;
    for (int d = 0; d < count; d++) {
        if (!units[d]) continue;
        const char *label = device_label(planned, d, arena);
        if (units[d] == all)
            text_print(&text, "%s", label);
        else
            text_print(&text, "%s%s %lld/%lld", first ? "" : " + ", label, (long long)units[d],
                       (long long)all);
        first = false;
    }
    return text_finish(&text);
}

static bool is_same(const int64_t *a, const int64_t *b, int count)
{
    return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* "kept by 2:cpu, prompts on 0:rtx3090, answers on 2:cpu"; shorter where that is the same. */
static const char *describe_piece(const struct planned_model *planned, const int64_t *home,
                                  const int64_t *prefill, const int64_t *decode, int64_t units,
                                  struct arena *arena)
{
    int count = planned->machine->device_count;
    const char *kept = describe_units(planned, home, count + 1, units, arena);
    const char *prompts = describe_units(planned, prefill, count, units, arena);
    const char *answers = describe_units(planned, decode, count, units, arena);
    bool together = is_same(prefill, decode, count);
    if (together && is_same(home, decode, count) && !home[count]) return kept;
    if (together) return arena_print(arena, "kept by %s, computed on %s", kept, prompts);
    return arena_print(arena, "kept by %s, prompts on %s, answers on %s", kept, prompts, answers);
}

static const char *describe_option(const struct planned_model *planned,
                                   const struct place_plan *plan, int index,
                                   enum placement_part part, struct arena *arena)
{
    const struct solve_option *option = &plan->solution.options[index];
    return describe_piece(planned, option->home[part], option->work[PLACEMENT_PREFILL][part],
                          option->work[PLACEMENT_DECODE][part],
                          plan->input->classes[option->class].parts[part].units, arena);
}

/* "layers 0..39" of a class under an option, found in the placement. */
static bool is_under(const struct placement_layer *layer, const struct place_plan *plan, int index)
{
    const struct solve_option *option = &plan->solution.options[index];
    int count = plan->input->device_count;
    for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++) {
        const struct placement_piece *piece = &layer->pieces[part];
        if (!is_same(piece->home, option->home[part], count + 1)) return false;
        for (int p = 0; p < PLACEMENT_PHASES; p++)
            if (!is_same(piece->work[p], option->work[p][part], count)) return false;
    }
    return true;
}

static const char *describe_layers(const struct planned_model *planned,
                                   const struct place_plan *plan, int index, struct arena *arena)
{
    const struct placement *placement = planned->result.placement;
    int class = plan->solution.options[index].class;
    struct text text = {.arena = arena};
    for (int l = 0, end; l < placement->layer_count; l = end) {
        end = l + 1;
        if (planned->result.class_of_layer[l] != class ||
            !is_under(&placement->layers[l], plan, index))
            continue;
        while (end < placement->layer_count && planned->result.class_of_layer[end] == class &&
               is_under(&placement->layers[end], plan, index))
            end++;
        text_print(&text, text.length ? ", " : "%s", text.length ? "" : "layers ");
        text_print(&text, l + 1 == end ? "%d" : "%d..%d", l, end - 1);
    }
    return text_finish(&text);
}

static const char *option_title(const struct planned_model *planned, const struct place_plan *plan,
                                int index, struct arena *arena)
{
    const struct solve_part *parts =
        plan->input->classes[plan->solution.options[index].class].parts;
    if (parts[PLACEMENT_EMBED].units) return "embedding";
    if (parts[PLACEMENT_OUTPUT].units) return "output";
    return describe_layers(planned, plan, index, arena);
}

/* Why a part lies where it does: what the next best home would cost. */
struct reason {
    int other; /* option; -1: nothing else fits */
    double loss_seconds;
};

static status find_reason(const struct place_plan *plan, int index, enum placement_part part,
                          struct arena *arena, struct reason *reason, struct diagnostic *diagnostic)
{
    return place_alternative(plan, index, part, arena, &reason->other, &reason->loss_seconds,
                             diagnostic);
}

static status print_part(const struct planned_model *planned, int index, enum placement_part part,
                         struct arena *arena, struct diagnostic *diagnostic)
{
    const struct place_plan *plan = &planned->result.best;
    struct reason reason;
    TRY(find_reason(plan, index, part, arena, &reason, diagnostic));
    printf("    %-9s %s\n", placement_part_name(part),
           describe_option(planned, plan, index, part, arena));
    if (reason.other < 0) {
        printf("              nothing else fits\n");
        return STATUS_OK;
    }
    char seconds[32];
    printf("              one layer otherwise (%s): %s%s in total\n",
           describe_option(planned, plan, reason.other, part, arena),
           reason.loss_seconds < 0 ? "-" : "+", text_seconds(fabs(reason.loss_seconds), seconds));
    return STATUS_OK;
}

static status print_options(const struct planned_model *planned, struct arena *arena,
                            struct diagnostic *diagnostic)
{
    const struct place_plan *plan = &planned->result.best;
    for (int o = 0; o < plan->solution.option_count; o++) {
        if (!plan->solution.counts[o]) continue;
        const struct solve_part *parts =
            plan->input->classes[plan->solution.options[o].class].parts;
        printf("  %s\n", option_title(planned, plan, o, arena));
        for (int part = 0; part < PLACEMENT_PARTS; part++)
            if (parts[part].units)
                TRY(print_part(planned, o, (enum placement_part)part, arena, diagnostic));
    }
    return STATUS_OK;
}

/* ---- Memory ---- */

struct device_use {
    double weights, states, streams, given;
};

static struct device_use use_of(const struct planned_model *planned, int d)
{
    const struct place_plan *plan = &planned->result.best;
    struct device_use use = {.given = (double)plan->input->devices[d].memory_bytes};
    for (int o = 0; o < plan->solution.option_count; o++) {
        const struct solve_option *option = &plan->solution.options[o];
        int count = plan->solution.counts[o];
        if (!count) continue;
        const struct solve_part *part =
            &plan->input->classes[option->class].parts[PLACEMENT_ATTENTION];
        double states = (double)(option->work[PLACEMENT_DECODE][PLACEMENT_ATTENTION][d] *
                                 part->unit_state_bytes);
        use.states += count * states;
        use.weights += count * (option->use[solve_memory(d)] - states);
        use.streams = fmax(use.streams, option->buffer[d]);
    }
    return use;
}

static void print_devices(const struct planned_model *planned, struct arena *arena)
{
    for (int d = 0; d < planned->machine->device_count; d++) {
        const struct device_use use = use_of(planned, d);
        char weights[32], states[32], streams[32], left[32];
        printf("  %-12s weights %s, states %s, room to stream %s, %s left\n",
               device_label(planned, d, arena), text_bytes(use.weights, weights),
               text_bytes(use.states, states), text_bytes(use.streams, streams),
               text_bytes(use.given - use.weights - use.states - use.streams, left));
    }
}

/* ---- Rates ---- */

static void print_rates(const char *title, double prompt_rate, double answer_rate, const char *rest)
{
    printf("%-12s prompt %.1f tokens/s, answer %.2f tokens/s%s\n", title, prompt_rate, answer_rate,
           rest);
}

static double prompt_rate_of(const struct planned_model *planned, const struct solve_times *times)
{
    return planned->request.prompt_tokens / times->prefill_seconds;
}

static double answer_rate_of(const struct planned_model *planned, const struct solve_times *times)
{
    return (double)planned->request.bounds.sequences / times->decode_seconds;
}

static const char *bound_name(const struct planned_model *planned, enum placement_phase phase,
                              struct arena *arena)
{
    const struct place_plan *plan = &planned->result.best;
    return solve_resource_name(plan->input, plan->solution.times.bounds[phase], arena);
}

/* What no placement on these devices could beat. */
static void print_limit(const struct planned_model *planned)
{
    struct place_limit limit;
    place_limit(&planned->result.best, &limit);
    const struct solve_times times = {.prefill_seconds = limit.prefill_seconds,
                                      .decode_seconds = limit.decode_seconds};
    bool memory = limit.memory_bound[PLACEMENT_DECODE];
    print_rates("limit", prompt_rate_of(planned, &times), answer_rate_of(planned, &times),
                memory ? ", bytes beyond the cards over the host's memory"
                       : ", all devices side by side");
}

static void print_prediction(const struct planned_model *planned, struct arena *arena)
{
    const struct place_result *result = &planned->result;
    const struct solve_times *times = &result->best.solution.times;
    print_rates("predicted", prompt_rate_of(planned, times), answer_rate_of(planned, times), "");
    printf("bound by     prompt: %s; answer: %s\n", bound_name(planned, PLACEMENT_PREFILL, arena),
           bound_name(planned, PLACEMENT_DECODE, arena));
    print_limit(planned);
    if (result->second.solution.option_count) {
        const struct solve_times *second = &result->second.solution.times;
        print_rates("runner-up", prompt_rate_of(planned, second), answer_rate_of(planned, second),
                    arena_print(arena, ", without the lead of most layers: %.2f times as long",
                                second->total_seconds / times->total_seconds));
    }
    if (result->rule.solution.option_count)
        print_rates("by the rule", prompt_rate_of(planned, &result->rule.solution.times),
                    answer_rate_of(planned, &result->rule.solution.times),
                    arena_print(arena, ", layers in order: %.2f times as long",
                                result->rule.solution.times.total_seconds / times->total_seconds));
}

status plan_report_print(const struct planned_model *planned, struct arena *arena,
                         struct diagnostic *diagnostic)
{
    const struct place_result *result = &planned->result;
    double gap = result->best.solution.times.ranked_seconds /
                     fmax(1e-12, result->best.solution.bound_seconds) -
                 1;
    printf("%s; a prompt of %.0f tokens in chunks of %lld, %.0f generated, context %lld\n",
           planned->model->description, planned->request.prompt_tokens,
           (long long)result->best.chunk, planned->request.generated_tokens,
           (long long)planned->request.bounds.context);
    print_prediction(planned, arena);
    printf("no plan of this kind is faster by more than %.1f %%; %d of %d times were measured, the "
           "others estimated; planned in %.2f s\n\n",
           fmax(0, gap) * 100, result->measured, result->problems, planned->seconds);
    print_devices(planned, arena);
    putchar('\n');
    TRY(print_options(planned, arena, diagnostic));
    if (result->placement->stream_rows < result->best.chunk)
        printf("  steps of %lld tokens and more stream what the host keeps, smaller ones compute "
               "it there\n",
               (long long)result->placement->stream_rows);
    return STATUS_OK;
}

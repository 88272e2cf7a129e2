/* The time of a solution: vectors added up, and what layers that change hands cost.
 *
 * A step of decode passes through the layers one after the other, but no faster than any link, memory or disk carries what
 * it needs.  Chunks of a prompt follow each other through the devices, two of them under way at a time: the first takes its
 * way through all layers, each further one as long as the most used resource. */
#include "planner/solve.h"

#include <math.h>
#include <string.h>

/* Chunks that are under way together (planner/placement.h: the executor has two steps in flight). */
static const double chunks_under_way = 2;

status solve_state_create(const struct solve_input *input, const struct solve_option *options,
                          int option_count, struct arena *arena, struct solve_state *state,
                          struct diagnostic *diagnostic)
{
    *state = (struct solve_state){.input = input, .options = options, .option_count = option_count};
    for (int o = 0; o < option_count; o++)
        if (options[o].lead >= state->lead_count) state->lead_count = options[o].lead + 1;
    TRY_NEW(state->counts, arena, option_count, diagnostic);
    TRY_NEW(state->active, arena, option_count, diagnostic);
    TRY_NEW(state->leads, arena, state->lead_count, diagnostic);
    TRY_NEW(state->use, arena, solve_resource_count(input), diagnostic);
    return STATUS_OK;
}

void solve_state_clear(struct solve_state *state)
{
    memset(state->counts, 0, (size_t)state->option_count * sizeof *state->counts);
    memset(state->leads, 0, (size_t)state->lead_count * sizeof *state->leads);
    memset(state->use, 0, (size_t)solve_resource_count(state->input) * sizeof *state->use);
    state->active_count = 0;
}

static bool is_layer(const struct solve_state *state, int option)
{
    const struct solve_class *class = &state->input->classes[state->options[option].class];
    return !class->parts[PLACEMENT_EMBED].units && !class->parts[PLACEMENT_OUTPUT].units;
}

void solve_state_add(struct solve_state *state, int option, int layers)
{
    const double *use = state->options[option].use;
    int count = solve_resource_count(state->input), before = state->counts[option];
    for (int r = 0; r < count; r++) state->use[r] += layers * use[r];
    state->counts[option] += layers;
    if (is_layer(state, option)) state->leads[state->options[option].lead] += layers;
    if (!before && state->counts[option]) state->active[state->active_count++] = option;
    if (!before || state->counts[option]) return;
    for (int a = 0; a < state->active_count; a++)
        if (state->active[a] == option) {
            state->active[a] = state->active[--state->active_count];
            return;
        }
}

void solve_state_set(struct solve_state *state, const int *counts)
{
    solve_state_clear(state);
    for (int o = 0; o < state->option_count; o++)
        if (counts[o]) solve_state_add(state, o, counts[o]);
}

/* Seconds of handing the residual stream on, from embedding to output, through all leads in their order. */
static double hand_on_seconds(const struct solve_state *state, enum placement_phase phase)
{
    const struct solve_input *input = state->input;
    double bytes = input->rows[phase] * input->row_bytes, seconds = 0;
    int first[3] = {-1, -1, -1}; /* devices: embedding, the last lead so far, output */
    for (int a = 0; a < state->active_count; a++) {
        const struct solve_option *option = &state->options[state->active[a]];
        if (input->classes[option->class].parts[PLACEMENT_EMBED].units)
            first[0] = option->lead_device;
        if (input->classes[option->class].parts[PLACEMENT_OUTPUT].units)
            first[2] = option->lead_device;
    }
    for (int l = 0; l < state->lead_count; l++) {
        if (!state->leads[l]) continue;
        int device = -1;
        for (int a = 0; a < state->active_count && device < 0; a++)
            if (is_layer(state, state->active[a]) && state->options[state->active[a]].lead == l)
                device = state->options[state->active[a]].lead_device;
        int before = first[1] >= 0 ? first[1] : first[0];
        if (before >= 0 && device >= 0)
            seconds += solve_transfer_seconds(input, before, device, bytes);
        first[1] = device;
    }
    if (first[1] >= 0 && first[2] >= 0)
        seconds += solve_transfer_seconds(input, first[1], first[2], input->row_bytes);
    return seconds;
}

/* Memory that there is not. */
static void find_shortage(const struct solve_state *state, struct solve_times *times)
{
    const struct solve_input *input = state->input;
    double worst = 0;
    for (int d = 0; d < input->device_count; d++) {
        double buffer = 0;
        for (int a = 0; a < state->active_count; a++)
            buffer = fmax(buffer, state->options[state->active[a]].buffer[d]);
        double missing =
            state->use[solve_memory(d)] + buffer - (double)input->devices[d].memory_bytes;
        if (input->devices[d].host)
            missing = fmax(missing, state->use[solve_pinned(input, d)] -
                                        (double)input->devices[d].pinned_bytes);
        /* Sums of rounded numbers: less than a page is nothing. */
        if (missing < 4096) continue;
        times->short_bytes += missing;
        if (missing > worst) times->short_device = d;
        worst = fmax(worst, missing);
    }
}

/* The most used of links, memories and disks, and, where devices work on several steps, of devices. */
static double busiest(const struct solve_state *state, enum placement_phase phase, int *resource)
{
    int first = solve_serial(state->input, phase) + 1;
    int end = first + SOLVE_TIMES * state->input->device_count;
    double most = 0;
    if (phase == PLACEMENT_DECODE) first = solve_time(state->input, phase, SOLVE_LINK, 0);
    for (int r = first; r < end; r++) {
        if (state->use[r] <= most) continue;
        most = state->use[r];
        *resource = r;
    }
    return most;
}

struct solve_times solve_state_times(const struct solve_state *state)
{
    const struct solve_input *input = state->input;
    struct solve_times times = {
        .bounds = {solve_serial(input, PLACEMENT_PREFILL), solve_serial(input, PLACEMENT_DECODE)}};
    int resource = 0;
    double decode =
        state->use[times.bounds[PLACEMENT_DECODE]] + hand_on_seconds(state, PLACEMENT_DECODE);
    double most = busiest(state, PLACEMENT_DECODE, &resource);
    if (most > decode) times.bounds[PLACEMENT_DECODE] = resource;
    times.decode_seconds = fmax(decode, most);
    double way =
        state->use[times.bounds[PLACEMENT_PREFILL]] + hand_on_seconds(state, PLACEMENT_PREFILL);
    most = busiest(state, PLACEMENT_PREFILL, &resource);
    if (most > way / chunks_under_way && (input->steps[PLACEMENT_PREFILL] > 1 || most > way))
        times.bounds[PLACEMENT_PREFILL] = resource;
    times.prefill_seconds = fmax(way, most) + (input->steps[PLACEMENT_PREFILL] - 1) *
                                                  fmax(way / chunks_under_way, most);
    times.total_seconds =
        times.prefill_seconds + input->steps[PLACEMENT_DECODE] * times.decode_seconds;
    times.ranked_seconds = times.total_seconds;
    for (int a = 0; a < state->active_count; a++)
        times.ranked_seconds +=
            state->counts[state->active[a]] * state->options[state->active[a]].hidden_seconds;
    find_shortage(state, &times);
    return times;
}

/* More than any plan takes: a year. */
static const double never_seconds = 3e7;

double solve_rank(const struct solve_times *times)
{
    if (times->short_bytes <= 0) return times->ranked_seconds;
    return never_seconds + times->short_bytes;
}

const char *solve_resource_name(const struct solve_input *input, int resource, struct arena *arena)
{
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        int serial = solve_serial(input, (enum placement_phase)p);
        if (resource == serial) return "one layer after the other";
        int beyond = resource - serial - 1;
        if (beyond < 0 || beyond >= SOLVE_TIMES * input->device_count) continue;
        const char *name = input->devices[beyond % input->device_count].name;
        switch ((enum solve_time)(beyond / input->device_count)) {
        case SOLVE_BUSY: return arena_print(arena, "computing on %s", name);
        case SOLVE_LINK: return arena_print(arena, "the link of %s", name);
        case SOLVE_DRAM: return arena_print(arena, "the memory of %s", name);
        case SOLVE_LINKS: return arena_print(arena, "the links of %s together", name);
        case SOLVE_DISK: return arena_print(arena, "the disk of %s", name);
        case SOLVE_TIMES: break;
        }
    }
    return "memory";
}

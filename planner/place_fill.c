/* From a solution to a placement: which layer is under which option, and what follows from that. */
#include "planner/place.h"

#include <math.h>
#include <string.h>

struct filling {
    const struct place_plan *plan;
    struct placement *placement;
    int *left;  /* [options] layers that are still to be placed */
    int *order; /* [options] by lead: layers run through the leads in order */
};

static void sort_options(struct filling *filling)
{
    const struct solution *solution = &filling->plan->solution;
    int count = 0;
    for (int lead = 0, seen = 0; seen < solution->option_count; lead++)
        for (int o = 0; o < solution->option_count; o++)
            if (solution->options[o].lead == lead) {
                filling->order[count++] = o;
                seen++;
            }
}

/* The next option of a class in the order of leads; -1: all are used up. */
static int take_option(struct filling *filling, int class)
{
    const struct solution *solution = &filling->plan->solution;
    for (int i = 0; i < solution->option_count; i++) {
        int option = filling->order[i];
        if (solution->options[option].class != class || !filling->left[option]) continue;
        filling->left[option]--;
        return option;
    }
    return -1;
}

static void fill_piece(const struct filling *filling, struct placement_piece *piece,
                       const struct solve_option *option)
{
    size_t devices = (size_t)filling->placement->device_count;
    if (!piece->units) return;
    memcpy(piece->home, option->home[piece->part], (devices + 1) * sizeof *piece->home);
    for (int p = 0; p < PLACEMENT_PHASES; p++)
        memcpy(piece->work[p], option->work[p][piece->part], devices * sizeof *piece->work[p]);
}

static status fill_pieces(struct filling *filling, const int *class_of_layer,
                          struct diagnostic *diagnostic)
{
    struct placement *placement = filling->placement;
    int layers = placement->layer_count;
    for (int l = 0; l < layers + 2; l++) {
        int index = take_option(filling, class_of_layer[l]);
        if (index < 0)
            return fail(diagnostic, STATUS_FAILED, "the solution has no option for layer %d", l);
        const struct solve_option *option = &filling->plan->solution.options[index];
        if (l >= layers) {
            fill_piece(filling, l == layers ? &placement->embed : &placement->output, option);
            continue;
        }
        for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++)
            fill_piece(filling, &placement->layers[l].pieces[part], option);
    }
    return STATUS_OK;
}

/* Memory of a card that the solution leaves over keeps experts of the host for a while: as many of each layer. */
static status fill_slots(struct filling *filling, struct arena *arena,
                         struct diagnostic *diagnostic)
{
    struct placement *placement = filling->placement;
    struct solve_state state;
    TRY(solve_state_create(filling->plan->input, filling->plan->solution.options,
                           filling->plan->solution.option_count, arena, &state, diagnostic));
    solve_state_set(&state, filling->plan->solution.counts);
    for (int d = 0; d < placement->device_count; d++) {
        const struct solve_device *device = &filling->plan->input->devices[d];
        double layer_bytes = 0, buffer = 0;
        if (device->host) continue;
        for (int a = 0; a < state.active_count; a++)
            buffer = fmax(buffer, state.options[state.active[a]].buffer[d]);
        double left = (double)device->memory_bytes - state.use[solve_memory(d)] - buffer;
        for (int pass = 0; pass < 2; pass++)
            for (int l = 0; l < placement->layer_count; l++) {
                struct placement_piece *piece = &placement->layers[l].pieces[PLACEMENT_EXPERTS];
                const struct placement_piece *attention =
                    &placement->layers[l].pieces[PLACEMENT_ATTENTION];
                int64_t kept = 0;
                for (int e = 0; e < placement->device_count; e++)
                    if (!filling->plan->input->devices[e].host) kept += piece->home[e];
                if (!piece->units || kept == piece->units || !attention->work[PLACEMENT_DECODE][d])
                    continue;
                if (pass == 0)
                    layer_bytes += (double)piece->unit_bytes;
                else
                    piece->slots[d] =
                        (int64_t)fmin((double)(piece->units - kept), fmax(0, left) / layer_bytes);
            }
    }
    return STATUS_OK;
}

/* The rows from which streaming a part takes less than computing it on the host: the least over all parts that do both. */
static void fill_threshold(struct filling *filling)
{
    const struct solution *solution = &filling->plan->solution;
    const struct solve_input *input = filling->plan->input;
    double least = (double)filling->plan->chunk;
    for (int o = 0; o < solution->option_count; o++) {
        const struct solve_option *option = &solution->options[o];
        if (!solution->counts[o]) continue;
        for (int part = 0; part < PLACEMENT_PARTS; part++)
            for (int d = 0; d < input->device_count; d++) {
                int64_t moved = option->work[PLACEMENT_DECODE][part][d] -
                                option->work[PLACEMENT_PREFILL][part][d];
                if (!input->devices[d].host || moved <= 0) continue;
                const struct solve_part *costs = &input->classes[option->class].parts[part];
                double link = 0;
                for (int e = 0; e < input->device_count; e++)
                    if (option->work[PLACEMENT_PREFILL][part][e] > option->home[part][e])
                        link += input->devices[e].link_rate;
                double row =
                    costs->variable_seconds[PLACEMENT_PREFILL][d] / input->rows[PLACEMENT_PREFILL];
                if (link > 0 && row > 0)
                    least = fmin(least, (double)(costs->unit_bytes * costs->units) / link / row);
            }
    }
    filling->placement->stream_rows = (int64_t)fmax(2, ceil(least));
}

status place_fill(const struct place_request *request, const struct place_plan *plan,
                  const int *class_of_layer, struct arena *arena, struct placement **placement,
                  struct diagnostic *diagnostic)
{
    struct filling filling = {.plan = plan};
    struct plan_bounds bounds = request->bounds;
    bounds.tokens = plan->chunk;
    TRY(placement_create(request->graph, &bounds, request->machine->device_count, arena,
                         &filling.placement, diagnostic));
    TRY_NEW(filling.left, arena, plan->solution.option_count, diagnostic);
    TRY_NEW(filling.order, arena, plan->solution.option_count, diagnostic);
    memcpy(filling.left, plan->solution.counts,
           (size_t)plan->solution.option_count * sizeof *filling.left);
    sort_options(&filling);
    TRY(fill_pieces(&filling, class_of_layer, diagnostic));
    TRY(fill_slots(&filling, arena, diagnostic));
    fill_threshold(&filling);
    *placement = filling.placement;
    return STATUS_OK;
}

/* What no placement can beat: for saying where a plan is at the machine's end, and not at the planner's.
 *
 * Every part takes at least its least time whole on one device, or, dealt without loss over all of them, the time of all
 * together and, in answers, one hop over a link.  Bytes that cards have no room for are read out of the host's memory, those
 * that are read most seldom first.  Chunks of a prompt follow each other so well that nobody ever waits. */
#include "planner/place.h"

#include <math.h>

/* The hop that is cheapest; 0: no two devices could share a part. */
static double least_hop_seconds(const struct solve_input *input)
{
    double least = INFINITY;
    for (int d = 0; d < input->device_count; d++)
        if (!input->devices[d].host) least = fmin(least, input->devices[d].link_latency_seconds);
    return input->device_count > 1 && least < INFINITY ? least : 0;
}

static double part_seconds(const struct solve_input *input, const struct solve_part *part,
                           enum placement_phase phase)
{
    double whole = INFINITY, rate = 0;
    for (int d = 0; d < input->device_count; d++) {
        double fixed = part->fixed_seconds[phase][d], variable = part->variable_seconds[phase][d];
        whole = fmin(whole, fixed + variable);
        rate += variable > 0 ? 1 / variable : 0;
    }
    double dealt = rate > 0 ? 1 / rate : 0;
    if (phase == PLACEMENT_PREFILL) return dealt;
    return fmin(whole, dealt + least_hop_seconds(input));
}

/* Bytes of weights and states, and of these the experts. */
struct model_bytes {
    double all, experts, expert_share; /* `expert_share`: of the experts', what a step reads */
};

static struct model_bytes count_bytes(const struct solve_input *input, enum placement_phase phase)
{
    struct model_bytes bytes = {.expert_share = 1};
    for (int c = 0; c < input->class_count; c++)
        for (int p = 0; p < PLACEMENT_PARTS; p++) {
            const struct solve_part *part = &input->classes[c].parts[p];
            double own = (double)input->classes[c].count * (double)part->units *
                         (double)(part->unit_bytes + part->unit_state_bytes);
            if (p == PLACEMENT_EMBED) continue; /* one row of it is read */
            bytes.all += own;
            if (p != PLACEMENT_EXPERTS || own <= 0) continue;
            bytes.experts += own;
            bytes.expert_share =
                fmin(bytes.expert_share, solve_read_share(part, input->rows[phase]));
        }
    return bytes;
}

/* Seconds of a step that the hosts' memories are read at least. */
static double memory_seconds(const struct solve_input *input, enum placement_phase phase)
{
    const struct model_bytes bytes = count_bytes(input, phase);
    double room = 0, rate = 0;
    for (int d = 0; d < input->device_count; d++) {
        if (input->devices[d].host)
            rate += input->devices[d].memory_rate;
        else
            room += (double)input->devices[d].memory_bytes;
    }
    double outside = fmax(0, bytes.all - room), experts = fmin(outside, bytes.experts);
    return rate > 0 ? (outside - experts + experts * bytes.expert_share) / rate : 0;
}

static double step_seconds(const struct solve_input *input, enum placement_phase phase,
                           bool *memory_bound)
{
    double computing = 0, memory = memory_seconds(input, phase);
    for (int c = 0; c < input->class_count; c++)
        for (int p = 0; p < PLACEMENT_PARTS; p++)
            if (input->classes[c].parts[p].units)
                computing += input->classes[c].count *
                             part_seconds(input, &input->classes[c].parts[p], phase);
    *memory_bound = memory > computing;
    return fmax(computing, memory);
}

void place_limit(const struct place_plan *plan, struct place_limit *limit)
{
    const struct solve_input *input = plan->input;
    double prefill =
        step_seconds(input, PLACEMENT_PREFILL, &limit->memory_bound[PLACEMENT_PREFILL]);
    limit->prefill_seconds = prefill * input->steps[PLACEMENT_PREFILL];
    limit->decode_seconds =
        step_seconds(input, PLACEMENT_DECODE, &limit->memory_bound[PLACEMENT_DECODE]);
    limit->total_seconds =
        limit->prefill_seconds + limit->decode_seconds * input->steps[PLACEMENT_DECODE];
}

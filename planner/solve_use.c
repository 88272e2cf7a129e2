/* What a layer under an option uses of each resource.
 *
 * A part takes, on each device that works on it, its launches and its share of the units; devices work side by side, so
 * the part takes as long as the slowest.  Of experts in small steps it is chance how many fall to which device, and the
 * slowest is slower than the slowest mean: the expectation is taken over how they fall.  Who works outside the devices
 * that keep the residual stream gets the layer's input and sends back its result.  Weights that are streamed are known
 * ahead and use the link beside the computing; only experts of small steps are fetched when the router has spoken. */
#include "planner/solve.h"

#include <math.h>

/* Draws up to which the expectation over experts is summed exactly, for up to three devices. */
enum { EXACT_DRAWS_MAX = 16, EXACT_DEVICES_MAX = 3, SHARES_MAX = 512 };

/* Of how far the largest of several sums lies above their mean, the share of Gauss's asymptote sqrt(2 ln n). */
static const double spread_share = 0.8;

int solve_resource_count(const struct solve_input *input)
{
    return 2 * input->device_count + PLACEMENT_PHASES * (1 + SOLVE_TIMES * input->device_count);
}

int solve_memory(int d)
{
    return d;
}

int solve_pinned(const struct solve_input *input, int d)
{
    return input->device_count + d;
}

int solve_serial(const struct solve_input *input, enum placement_phase phase)
{
    return 2 * input->device_count + (int)phase * (1 + SOLVE_TIMES * input->device_count);
}

int solve_time(const struct solve_input *input, enum placement_phase phase, enum solve_time time,
               int d)
{
    return solve_serial(input, phase) + 1 + (int)time * input->device_count + d;
}

/* The host of device d's node; -1: none is among the devices. */
static int host_of(const struct solve_input *input, int d)
{
    for (int h = 0; h < input->device_count; h++)
        if (input->devices[h].host && input->devices[h].node == input->devices[d].node) return h;
    return -1;
}

double solve_transfer_seconds(const struct solve_input *input, int from, int to, double bytes)
{
    if (from == to) return 0;
    const struct solve_device *a = &input->devices[from], *b = &input->devices[to];
    bool direct = a->node == b->node && a->peer_rate > 0 && b->peer_rate > 0;
    if (direct)
        return fmax(a->link_latency_seconds, b->link_latency_seconds) +
               bytes / fmin(a->peer_rate, b->peer_rate);
    double seconds = a->link_latency_seconds + b->link_latency_seconds;
    double slowest = 0;
    if (!a->host) slowest = fmax(slowest, bytes / a->link_rate);
    if (!b->host) slowest = fmax(slowest, bytes / b->link_rate);
    if (a->node == b->node) return seconds + slowest;
    return seconds + input->network_latency_seconds + fmax(slowest, bytes / input->network_rate);
}

/* One device's share of a part: seconds whatever it gets, seconds per expert (or of its share), and its part of all. */
struct share {
    double fixed, each, part;
};

/* The mean of the slowest share when `draws` experts fall to devices by their parts: sums over how many of those that are
 * left fall to the first device, and so on. */
static double slowest_exact(const struct share *shares, int count, int draws, double left,
                            double slowest)
{
    if (count == 1) return fmax(slowest, shares->fixed + shares->each * draws);
    double mean = 0, chance = shares->part / left;
    for (int n = 0; n <= draws; n++) {
        double weight = exp(lgamma(draws + 1) - lgamma(n + 1) - lgamma(draws - n + 1)) *
                        pow(chance, n) * pow(1 - chance, draws - n);
        if (weight < 1e-12) continue;
        mean += weight * slowest_exact(shares + 1, count - 1, draws - n, left - shares->part,
                                       fmax(slowest, shares->fixed + shares->each * n));
    }
    return mean;
}

static double slowest_of_experts(const struct share *shares, int count, double draws)
{
    if (count <= EXACT_DEVICES_MAX && draws <= EXACT_DRAWS_MAX && draws == floor(draws))
        return slowest_exact(shares, count, (int)draws, 1, 0);
    double slowest = 0, spread = count > 1 ? spread_share * sqrt(2 * log(count)) : 0;
    for (int s = 0; s < count; s++) {
        double deviation = sqrt(draws * shares[s].part * (1 - shares[s].part));
        double most = fmin(draws, draws * shares[s].part + spread * deviation);
        slowest = fmax(slowest, shares[s].fixed + shares[s].each * most);
    }
    return slowest;
}

double solve_read_share(const struct solve_part *part, double rows)
{
    if (!part->used || part->units <= part->used) return 1;
    return 1 - pow(1 - (double)part->used / (double)part->units, rows);
}

struct counting {
    const struct solve_input *input;
    const struct solve_option *option;
    const struct solve_part *part;
    enum placement_part number;
    enum placement_phase phase;
    const int64_t *home, *work;
    const int64_t *lead; /* work of the part that keeps the residual stream */
    double *use;
};

/* Units that device d gets over its link. */
static double streamed_units(const struct counting *counting, int d)
{
    if (counting->input->devices[d].host) return 0;
    double units = (double)(counting->work[d] - counting->home[d]);
    return units > 0 ? units : 0;
}

static bool is_small_step(const struct counting *counting)
{
    return counting->phase == PLACEMENT_DECODE;
}

static void add_time(const struct counting *counting, enum solve_time time, int d, double seconds)
{
    counting->use[solve_time(counting->input, counting->phase, time, d)] += seconds;
}

/* Bytes that come over links and out of the host's memory, and what the host itself reads. */
static void count_traffic(const struct counting *counting, int d, double share)
{
    const struct solve_input *input = counting->input;
    int host = host_of(input, d);
    double bytes = (double)counting->part->unit_bytes * share;
    if (input->devices[d].host) {
        add_time(counting, SOLVE_DRAM, d,
                 (double)counting->work[d] * bytes / input->devices[d].memory_rate);
        return;
    }
    double streamed = streamed_units(counting, d) * bytes;
    if (streamed <= 0 || host < 0) return;
    add_time(counting, SOLVE_LINK, d, streamed / input->devices[d].link_rate);
    add_time(counting, SOLVE_DRAM, host, streamed / input->devices[host].memory_rate);
    if (input->devices[host].links_rate > 0)
        add_time(counting, SOLVE_LINKS, host, streamed / input->devices[host].links_rate);
}

static void count_disk(const struct counting *counting, double share)
{
    const struct solve_input *input = counting->input;
    double bytes = (double)(counting->home[input->device_count] * counting->part->unit_bytes);
    int host = host_of(input, counting->option->lead_device);
    if (bytes <= 0 || host < 0) return;
    add_time(counting, SOLVE_DISK, host, bytes * share / input->devices[host].disk_rate);
}

/* Bytes that come in for a part's work, and those of its result: of experts the sum, or each one's for itself. */
static double input_bytes(const struct counting *counting)
{
    return counting->input->rows[counting->phase] * counting->input->row_bytes;
}

static double result_bytes(const struct counting *counting)
{
    bool slots = counting->input->gathers_slots && counting->number == PLACEMENT_EXPERTS;
    return input_bytes(counting) *
           (slots && counting->part->used ? (double)counting->part->used : 1);
}

/* Input and result of a device that does not keep the residual stream. */
static double visit_seconds(const struct counting *counting, int d)
{
    const struct solve_input *input = counting->input;
    int lead = counting->option->lead_device;
    if (counting->lead[d] > 0) return 0;
    return solve_transfer_seconds(input, lead, d, input_bytes(counting)) +
           solve_transfer_seconds(input, d, lead, result_bytes(counting));
}

/* What several visitors give goes into the lead's queue, one behind the other, and what all get and give over its link. */
static double queue_seconds(const struct counting *counting)
{
    const struct solve_input *input = counting->input;
    const struct solve_device *lead = &input->devices[counting->option->lead_device];
    double rate = lead->host ? lead->links_rate : fmax(lead->link_rate, lead->peer_rate);
    int visitors = 0;
    for (int d = 0; d < input->device_count; d++)
        visitors += counting->work[d] > 0 && counting->lead[d] == 0;
    if (visitors < 2 || rate <= 0) return 0;
    double latency = 2 * lead->link_latency_seconds;
    return (visitors - 1) * (latency + (input_bytes(counting) + result_bytes(counting)) / rate);
}

/* The slowest way between the first of the leads and another. */
static double lead_seconds(const struct counting *counting, double bytes)
{
    const struct solve_input *input = counting->input;
    int first = counting->option->lead_device;
    double slowest = 0;
    for (int d = 0; d < input->device_count; d++)
        if (counting->lead[d] > 0 && d != first)
            slowest = fmax(slowest, solve_transfer_seconds(input, first, d, bytes));
    return slowest;
}

/* What the devices that keep the residual stream exchange behind a part that is dealt to them: a sum; or the features between
 * its matrices and those of its result, where pieces go one way and then the other, as each waits for the other's copy. */
static double exchange_seconds(const struct counting *counting)
{
    const struct solve_input *input = counting->input;
    double bytes = input_bytes(counting);
    int devices = 0;
    for (int d = 0; d < input->device_count; d++) devices += counting->lead[d] > 0;
    if (devices < 2) return 0;
    double moved = (double)(devices - 1) / devices;
    /* Slots come together on one of the leads, and what they add up to goes to the others. */
    if (result_bytes(counting) > bytes)
        return lead_seconds(counting, bytes + (devices - 1) * result_bytes(counting));
    bool sums = counting->number == PLACEMENT_EXPERTS || counting->number == PLACEMENT_OUTPUT;
    if (sums || input->collectives == 1) return lead_seconds(counting, bytes * moved);
    double inner = fmax(bytes, input->rows[counting->phase] * counting->part->inner_bytes);
    return 2 * (lead_seconds(counting, inner * moved) + lead_seconds(counting, bytes * moved));
}

static double device_seconds(const struct counting *counting, int d, double part)
{
    const struct solve_part *costs = counting->part;
    return costs->fixed_seconds[counting->phase][d] +
           costs->variable_seconds[counting->phase][d] * part;
}

/* Experts of a small step: how many fall to a device is chance, and those that are elsewhere are fetched then. */
static double small_step_seconds(const struct counting *counting)
{
    const struct solve_input *input = counting->input;
    const struct solve_part *part = counting->part;
    double draws = (double)part->used * input->rows[counting->phase];
    struct share shares[SHARES_MAX];
    int count = 0;
    for (int d = 0; d < input->device_count && count < SHARES_MAX; d++) {
        if (!counting->work[d]) continue;
        struct share *share = &shares[count++];
        double fetched = streamed_units(counting, d) / (double)counting->work[d];
        share->part = (double)counting->work[d] / (double)part->units;
        share->fixed = part->fixed_seconds[counting->phase][d] + visit_seconds(counting, d);
        share->each = part->variable_seconds[counting->phase][d] / draws;
        if (fetched <= 0) continue;
        share->fixed += input->devices[d].link_latency_seconds;
        share->each += fetched * (double)part->unit_bytes / input->devices[d].link_rate;
    }
    return slowest_of_experts(shares, count, draws);
}

static void count_phase(const struct counting *counting)
{
    const struct solve_input *input = counting->input;
    const struct solve_part *part = counting->part;
    double share = solve_read_share(part, input->rows[counting->phase]), slowest = 0;
    for (int d = 0; d < input->device_count; d++) {
        if (!counting->work[d]) continue;
        double seconds =
            device_seconds(counting, d, (double)counting->work[d] / (double)part->units);
        add_time(counting, SOLVE_BUSY, d, seconds);
        slowest = fmax(slowest, seconds + visit_seconds(counting, d));
        count_traffic(counting, d, share);
    }
    if (part->used && is_small_step(counting)) slowest = small_step_seconds(counting);
    count_disk(counting, share);
    counting->use[solve_serial(input, counting->phase)] +=
        slowest + queue_seconds(counting) + exchange_seconds(counting);
}

/* Bytes kept, and bytes to stream into: a part has three matrices or more, of which one is used while the next two are on
 * their way, so room is for all that it streams. */
static void count_memory(const struct counting *counting, struct solve_option *option)
{
    const struct solve_input *input = counting->input;
    const struct solve_part *part = counting->part;
    for (int d = 0; d < input->device_count; d++) {
        bool works = false;
        for (int p = 0; p < PLACEMENT_PHASES; p++)
            works = works || option->work[p][counting->number][d] > 0;
        double bytes = (double)(counting->home[d] * part->unit_bytes);
        if (works || counting->home[d]) bytes += (double)part->common_bytes;
        bytes += (double)(counting->work[d] * part->unit_state_bytes);
        option->use[solve_memory(d)] += bytes;
        double streamed = streamed_units(counting, d) * (double)part->unit_bytes;
        option->buffer[d] = fmax(option->buffer[d], streamed);
    }
}

/* What is streamed from the host's memory lies in pinned pages; a part that is streamed in both phases counts once. */
static void count_pinned(const struct solve_input *input, struct solve_option *option, int part)
{
    for (int d = 0; d < input->device_count; d++) {
        if (!input->devices[d].host) continue;
        double streamed = 0;
        for (int p = 0; p < PLACEMENT_PHASES; p++)
            streamed = fmax(streamed, (double)(option->home[part][d] - option->work[p][part][d]));
        option->use[solve_pinned(input, d)] +=
            streamed * (double)input->classes[option->class].parts[part].unit_bytes;
    }
}

/* Of everything that is used, a thousandth counts although it may be hidden behind what takes longer: of two ways that are
 * equally fast the one that uses less is better. */
static const double hidden_share = 1e-3;

static double hidden_seconds(const struct solve_input *input, const struct solve_option *option)
{
    double seconds = 0;
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        int first = solve_serial(input, (enum placement_phase)p) + 1;
        for (int r = first; r < first + SOLVE_TIMES * input->device_count; r++)
            seconds += option->use[r] * input->steps[p];
    }
    return hidden_share * seconds;
}

void solve_count_use(const struct solve_input *input, struct solve_option *option)
{
    const struct solve_class *class = &input->classes[option->class];
    int lead = class->parts[PLACEMENT_EMBED].units    ? PLACEMENT_EMBED
               : class->parts[PLACEMENT_OUTPUT].units ? PLACEMENT_OUTPUT
                                                      : PLACEMENT_ATTENTION;
    for (int number = 0; number < PLACEMENT_PARTS; number++) {
        if (!class->parts[number].units) continue;
        struct counting counting = {.input = input,
                                    .option = option,
                                    .part = &class->parts[number],
                                    .number = (enum placement_part)number,
                                    .home = option->home[number],
                                    .use = option->use};
        for (int p = 0; p < PLACEMENT_PHASES; p++) {
            counting.phase = (enum placement_phase)p;
            counting.work = option->work[p][number];
            counting.lead = option->work[p][lead];
            count_phase(&counting);
            if (p == 0) count_memory(&counting, option);
        }
        count_pinned(input, option, number);
    }
    option->hidden_seconds = hidden_seconds(input, option);
}

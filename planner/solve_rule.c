/* What people do by hand today, as a solution to compare with.
 *
 * Cards take layers in order, each as many as its memory holds, or as its share of all cards' memory asks for; attention
 * and dense parts are whole on their layer's card.  While that does not fit, the experts of one more layer, from the last
 * on, go to the host; where there are no experts, whole layers do.  The host computes them, or in prompts the card to which
 * they are streamed: of these, and of the two ways to deal layers, the best counts. */
#include "planner/solve.h"

#include <math.h>
#include <string.h>

/* Options of a class under which parts are whole. */
struct rule_options {
    int on_card[2]; /* experts beside the rest; experts with the host */
    int on_host;
};

struct custom {
    const struct solve_input *input;
    const struct solution *solution;
    struct solve_state state;
    struct rule_options *options; /* [classes][cards], on_host in the first of each */
    int *cards;
    int card_count, host;
    bool streamed, even;
};

static bool is_whole_at(const struct solve_input *input, const struct solve_option *option,
                        int part, int home, int prefill, int decode)
{
    int64_t units = input->classes[option->class].parts[part].units;
    return option->home[part][home] == units &&
           option->work[PLACEMENT_PREFILL][part][prefill] == units &&
           option->work[PLACEMENT_DECODE][part][decode] == units;
}

/* Everything at `device`, but experts at `experts`, where prompts are streamed to `device` or not. */
static int find_option(const struct custom *custom, int class, int device, int experts)
{
    for (int o = 0; o < custom->solution->option_count; o++) {
        const struct solve_option *option = &custom->solution->options[o];
        bool fits = option->class == class;
        for (int part = 0; part < PLACEMENT_PARTS && fits; part++) {
            bool moved = part == PLACEMENT_EXPERTS && experts != device;
            fits = moved ? is_whole_at(custom->input, option, part, experts,
                                       custom->streamed ? device : experts, experts)
                         : is_whole_at(custom->input, option, part, device, device, device);
        }
        if (fits) return o;
    }
    return -1;
}

/* A dense layer of the host whose prompts may go to the cards. */
static int find_lent(const struct custom *custom, int class)
{
    if (!custom->streamed || !custom->card_count) return -1;
    for (int o = 0; o < custom->solution->option_count; o++) {
        const struct solve_option *option = &custom->solution->options[o];
        const struct solve_part *part = &custom->input->classes[class].parts[PLACEMENT_DENSE];
        if (option->class == class && option->lead_device == custom->host &&
            option->home[PLACEMENT_DENSE][custom->host] == part->units &&
            option->work[PLACEMENT_PREFILL][PLACEMENT_DENSE][custom->host] == 0 &&
            option->work[PLACEMENT_DECODE][PLACEMENT_DENSE][custom->host] == part->units)
            return o;
    }
    return -1;
}

static void find_options(struct custom *custom)
{
    for (int c = 0; c < custom->input->class_count; c++)
        for (int k = 0; k < custom->card_count || k == 0; k++) {
            struct rule_options *found = &custom->options[c * (custom->card_count + 1) + k];
            *found = (struct rule_options){{-1, -1}, -1};
            if (custom->card_count)
                found->on_card[0] = find_option(custom, c, custom->cards[k], custom->cards[k]);
            if (custom->host < 0) continue;
            if (custom->card_count)
                found->on_card[1] = find_option(custom, c, custom->cards[k], custom->host);
            found->on_host = find_option(custom, c, custom->host, custom->host);
            int lent = find_lent(custom, c);
            if (lent >= 0) found->on_host = lent;
        }
}

static bool is_sparse(const struct custom *custom, int class)
{
    return custom->input->classes[class].parts[PLACEMENT_EXPERTS].units > 0;
}

static bool is_end(const struct custom *custom, int class)
{
    const struct solve_part *parts = custom->input->classes[class].parts;
    return parts[PLACEMENT_EMBED].units > 0 || parts[PLACEMENT_OUTPUT].units > 0;
}

static bool has_room(const struct custom *custom, int card, double share)
{
    const struct solve_device *device = &custom->input->devices[custom->cards[card]];
    double limit = (double)device->memory_bytes;
    if (custom->even && card < custom->card_count - 1) limit = fmin(limit, share * limit);
    return custom->state.use[solve_memory(custom->cards[card])] <= limit;
}

/* Puts a layer on the present card, or on the next that has room; false when none has. */
static bool put_layer(struct custom *custom, int class, bool apart, double share, int *card)
{
    for (; *card < custom->card_count; ++*card) {
        int option = custom->options[class * (custom->card_count + 1) + *card].on_card[apart];
        if (option < 0) return false;
        solve_state_add(&custom->state, option, 1);
        if (has_room(custom, *card, share)) return true;
        solve_state_add(&custom->state, option, -1);
    }
    return false;
}

/* Embedding with the host where there is one, output on the last card. */
static bool put_ends(struct custom *custom)
{
    for (int c = 0; c < custom->input->class_count; c++) {
        if (!is_end(custom, c)) continue;
        const struct rule_options *row = &custom->options[c * (custom->card_count + 1)];
        bool embed = custom->input->classes[c].parts[PLACEMENT_EMBED].units > 0;
        int option = embed && custom->host >= 0 ? row->on_host
                     : custom->card_count       ? row[custom->card_count - 1].on_card[0]
                                                : row->on_host;
        if (option < 0) return false;
        solve_state_add(&custom->state, option, 1);
    }
    return true;
}

/* The layers of all classes, mixed as evenly as their counts allow: class `c` has its n-th layer at (n + 1/2) / count. */
static int next_class(const struct custom *custom, const int *taken)
{
    int best = -1;
    double first = INFINITY;
    for (int c = 0; c < custom->input->class_count; c++) {
        if (is_end(custom, c) || taken[c] == custom->input->classes[c].count) continue;
        double place = (taken[c] + 0.5) / custom->input->classes[c].count;
        if (place >= first) continue;
        first = place;
        best = c;
    }
    return best;
}

/* The last `moved` layers with their experts, or whole, on the host. */
static bool try_rule(struct custom *custom, int layers, int moved, double share, int *taken)
{
    solve_state_clear(&custom->state);
    memset(taken, 0, (size_t)custom->input->class_count * sizeof *taken);
    if (!put_ends(custom)) return false;
    int card = 0;
    for (int l = 0; l < layers; l++) {
        int class = next_class(custom, taken);
        bool last = l >= layers - moved;
        taken[class]++;
        if (!last || is_sparse(custom, class)) {
            if (!put_layer(custom, class, last, share, &card)) return false;
            continue;
        }
        int option = custom->options[class * (custom->card_count + 1)].on_host;
        if (option < 0) return false;
        solve_state_add(&custom->state, option, 1);
    }
    return true;
}

/* As few layers as possible go to the host. */
static void run_rule(struct custom *custom, int *taken, int *counts, struct solve_times *best)
{
    int layers = 0;
    for (int c = 0; c < custom->input->class_count; c++)
        if (!is_end(custom, c)) layers += custom->input->classes[c].count;
    find_options(custom);
    for (int moved = 0; moved <= layers; moved++) {
        /* Even shares are the smallest share of every card's memory that is enough. */
        for (double share = custom->even ? 0.1 : 1; share < 1.01; share += 0.1) {
            if (!try_rule(custom, layers, moved, share, taken)) continue;
            const struct solve_times times = solve_state_times(&custom->state);
            if (times.short_bytes > 0) continue;
            if (best->short_bytes > 0 || times.total_seconds < best->total_seconds) {
                *best = times;
                memcpy(counts, custom->state.counts,
                       (size_t)custom->solution->option_count * sizeof *counts);
            }
            return;
        }
    }
}

static status create_custom(const struct solve_input *input, struct arena *arena,
                            struct custom *custom, struct diagnostic *diagnostic)
{
    TRY_NEW(custom->cards, arena, input->device_count, diagnostic);
    for (int d = 0; d < input->device_count; d++) {
        if (!input->devices[d].host)
            custom->cards[custom->card_count++] = d;
        else if (custom->host < 0)
            custom->host = d;
    }
    TRY_NEW(custom->options, arena, input->class_count * (custom->card_count + 1), diagnostic);
    return solve_state_create(input, custom->solution->options, custom->solution->option_count,
                              arena, &custom->state, diagnostic);
}

status solve_by_rule(const struct solve_input *input, struct arena *arena, struct solution *rule,
                     struct solve_times *in_order, struct diagnostic *diagnostic)
{
    struct custom custom = {.input = input, .solution = rule, .host = -1};
    int *taken;
    *rule = (struct solution){.times = {.short_bytes = 1}};
    TRY(solve_list_options(input, arena, &rule->options, &rule->option_count, diagnostic));
    TRY_NEW(rule->counts, arena, rule->option_count, diagnostic);
    TRY_NEW(taken, arena, input->class_count, diagnostic);
    TRY(create_custom(input, arena, &custom, diagnostic));
    for (int way = 0; way < 4; way++) {
        custom.streamed = way & 1;
        custom.even = way & 2;
        run_rule(&custom, taken, rule->counts, &rule->times);
        if (!custom.even) *in_order = rule->times;
    }
    return STATUS_OK;
}

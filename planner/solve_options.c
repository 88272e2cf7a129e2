/* All ways of serving a layer that a solution may use.
 *
 * A lead keeps the residual stream: one card, all cards of a node with attention and dense parts dealt to them, or a host.
 * Around each lead stand the choices of a part: kept where it is computed, kept by the host and computed there or streamed,
 * kept on the disk.  Experts are dealt in eighths to the lead's cards or to all cards of the node, the rest is kept by the
 * host (or the disk), and of that rest a share is streamed; finer mixtures arise from layers under different options.
 * With many devices the steps are coarser, because there each card can be chosen for itself. */
#include "planner/solve.h"

#include <string.h>

enum { MANY_DEVICES = 16, RATIOS_MAX = 3, EXPERT_RATIOS_MAX = 5 };

struct lead {
    int number;
    const int *devices; /* cards of one node, or one host */
    int count;
    bool host;
};

struct option_list {
    const struct solve_input *input;
    struct arena *arena;
    struct solve_option *options;
    int count;
    size_t capacity;
    int lead_count;
    bool coarse;
    int *cards; /* [devices] of the lead's node, in order */
    int card_count;
    int host;        /* of the lead's node; -1: none */
    int64_t *shares; /* [devices] room for dealing */
};

/* An option under way: drafts are changed in place and copied when they are complete. */
struct draft {
    struct solve_option option;
    const struct lead *lead;
};

static status create_arrays(struct option_list *list, struct solve_option *option,
                            struct diagnostic *diagnostic)
{
    int devices = list->input->device_count;
    for (int part = 0; part < PLACEMENT_PARTS; part++) {
        TRY_NEW(option->home[part], list->arena, devices + 1, diagnostic);
        for (int p = 0; p < PLACEMENT_PHASES; p++)
            TRY_NEW(option->work[p][part], list->arena, devices, diagnostic);
    }
    TRY_NEW(option->buffer, list->arena, devices, diagnostic);
    TRY_NEW(option->use, list->arena, solve_resource_count(list->input), diagnostic);
    return STATUS_OK;
}

static status emit(struct option_list *list, const struct draft *draft,
                   struct diagnostic *diagnostic)
{
    struct solve_option option = draft->option;
    int devices = list->input->device_count;
    TRY(create_arrays(list, &option, diagnostic));
    for (int part = 0; part < PLACEMENT_PARTS; part++) {
        memcpy(option.home[part], draft->option.home[part],
               (size_t)(devices + 1) * sizeof *option.home[part]);
        for (int p = 0; p < PLACEMENT_PHASES; p++)
            memcpy(option.work[p][part], draft->option.work[p][part],
                   (size_t)devices * sizeof *option.work[p][part]);
    }
    solve_count_use(list->input, &option);
    TRY_APPEND(list->options, list->count, list->capacity, list->arena, diagnostic);
    list->options[list->count - 1] = option;
    return STATUS_OK;
}

/* ---- Dealing ---- */

/* Shares in proportion to `weights` that add up to `units`: what is left after rounding down goes round in order. */
static void deal(int64_t units, const double *weights, int count, int64_t *shares)
{
    double total = 0;
    int64_t left = units;
    for (int i = 0; i < count; i++) total += weights[i];
    for (int i = 0; i < count; i++) {
        shares[i] = total > 0 ? (int64_t)((double)units * weights[i] / total) : 0;
        left -= shares[i];
    }
    for (int i = 0; left > 0; i = (i + 1) % count, left--) shares[i]++;
}

/* The last two are for experts around a lead of one card, which has the input and needs the result: half as much again as
 * its speed asks for, and twice as much. */
enum ratio { RATIO_DECODE, RATIO_PREFILL, RATIO_MEMORY, RATIO_LEAD_MORE, RATIO_LEAD_TWICE };

/* How much of a part each device should get. */
static double ratio_weight(const struct option_list *list, const struct solve_part *part,
                           enum ratio ratio, int lead, int d)
{
    double more = d != lead                   ? 1
                  : ratio == RATIO_LEAD_MORE  ? 1.5
                  : ratio == RATIO_LEAD_TWICE ? 2
                                              : 1;
    if (ratio == RATIO_MEMORY) return (double)list->input->devices[d].memory_bytes;
    enum placement_phase phase = ratio == RATIO_PREFILL ? PLACEMENT_PREFILL : PLACEMENT_DECODE;
    double seconds = part->variable_seconds[phase][d];
    return seconds > 0 ? more / seconds : 0;
}

/* Deals `units` of a part to `devices` by a ratio: counts per device of the input; false when that says nothing new, or a
 * device gets none. */
static bool deal_part(const struct option_list *list, const struct solve_part *part, int64_t units,
                      const int *devices, int count, enum ratio ratio, int lead, int64_t *home)
{
    double weights[64];
    int64_t shares[EXPERT_RATIOS_MAX][64];
    if (count > 64) return false;
    for (int r = 0; r <= (int)ratio; r++) {
        for (int i = 0; i < count; i++)
            weights[i] = ratio_weight(list, part, (enum ratio)r, lead, devices[i]);
        deal(units, weights, count, shares[r]);
    }
    for (int r = 0; r < (int)ratio; r++)
        if (memcmp(shares[r], shares[ratio], (size_t)count * sizeof shares[r][0]) == 0)
            return false;
    for (int i = 0; i < count; i++) {
        if (count > 1 && shares[ratio][i] == 0 && units >= count) return false;
        home[devices[i]] = shares[ratio][i];
    }
    return true;
}

static void clear_part(const struct option_list *list, struct draft *draft, int part)
{
    size_t devices = (size_t)list->input->device_count;
    memset(draft->option.home[part], 0, (devices + 1) * sizeof(int64_t));
    for (int p = 0; p < PLACEMENT_PHASES; p++)
        memset(draft->option.work[p][part], 0, devices * sizeof(int64_t));
}

/* ---- Dense and attention parts ---- */

enum keeping {
    KEPT_AT_WORK,  /* by the lead */
    KEPT_STREAMED, /* by the host, streamed to the lead in both phases */
    KEPT_MIXED,    /* by the host: streamed in prompts, computed by the host in answers */
    KEPT_BY_HOST,  /* by the host, and computed there */
    DISK_STREAMED, /* on the disk, streamed to the lead */
    DISK_MIXED,    /* on the disk: streamed in prompts, computed by the host in answers */
    DISK_BY_HOST,  /* on the disk, computed by the host */
    KEEPINGS
};

static bool can_keep(const struct option_list *list, const struct lead *lead, enum keeping keeping)
{
    if (keeping == KEPT_AT_WORK) return true;
    if (list->host < 0) return false;
    if (keeping >= DISK_STREAMED && list->input->devices[list->host].disk_rate <= 0) return false;
    if (keeping >= DISK_STREAMED && list->coarse) return false;
    if (lead->host) return keeping == DISK_BY_HOST || (keeping == KEPT_MIXED && list->card_count);
    return true;
}

/* Fills a part whose share of the lead's devices is in `shares`. */
static void keep_part(const struct option_list *list, struct draft *draft, int part,
                      enum keeping keeping, const int64_t *shares)
{
    int devices = list->input->device_count;
    int64_t units = list->input->classes[draft->option.class].parts[part].units;
    bool mixed = keeping == KEPT_MIXED || keeping == DISK_MIXED;
    bool by_host = keeping == KEPT_BY_HOST || keeping == DISK_BY_HOST;
    clear_part(list, draft, part);
    int keeper = keeping >= DISK_STREAMED ? devices : list->host;
    for (int d = 0; d < devices; d++) {
        if (keeping == KEPT_AT_WORK) draft->option.home[part][d] = shares[d];
        if (by_host) continue;
        draft->option.work[PLACEMENT_PREFILL][part][d] = shares[d];
        if (!mixed) draft->option.work[PLACEMENT_DECODE][part][d] = shares[d];
    }
    if (keeping != KEPT_AT_WORK) draft->option.home[part][keeper] = units;
    if (by_host) draft->option.work[PLACEMENT_PREFILL][part][list->host] = units;
    if (by_host || mixed) draft->option.work[PLACEMENT_DECODE][part][list->host] = units;
}

/* Shares of a part among the lead's devices; parts that cannot be dealt lie on the first. */
static bool lead_shares(struct option_list *list, const struct draft *draft, int part,
                        enum ratio ratio)
{
    const struct solve_part *costs = &list->input->classes[draft->option.class].parts[part];
    const struct lead *lead = draft->lead;
    memset(list->shares, 0, (size_t)list->input->device_count * sizeof *list->shares);
    if (costs->units < lead->count || lead->count == 1) {
        list->shares[lead->devices[0]] = costs->units;
        return true;
    }
    return deal_part(list, costs, costs->units, lead->devices, lead->count, ratio, -1,
                     list->shares);
}

/* Shares of a part among all cards of the node, by what their links carry. */
static void card_shares(struct option_list *list, const struct draft *draft, int part)
{
    int64_t shares[64] = {0};
    double weights[64] = {0};
    int count = list->card_count < 64 ? list->card_count : 64;
    for (int i = 0; i < count; i++) weights[i] = list->input->devices[list->cards[i]].link_rate;
    deal(list->input->classes[draft->option.class].parts[part].units, weights, count, shares);
    memset(list->shares, 0, (size_t)list->input->device_count * sizeof *list->shares);
    for (int i = 0; i < count; i++) list->shares[list->cards[i]] = shares[i];
}

/* ---- Experts ---- */

struct expert_choice {
    const int *devices; /* cards that keep experts */
    int count, eighths; /* of the experts that these keep */
    enum ratio ratio;
    bool disk; /* keeps the rest; else the host does */
    double streamed
        [PLACEMENT_PHASES]; /* of the rest: comes to the cards; the host computes the others */
};

static bool set_experts(const struct option_list *list, struct draft *draft,
                        const struct expert_choice *choice)
{
    const struct solve_part *part =
        &list->input->classes[draft->option.class].parts[PLACEMENT_EXPERTS];
    int64_t *home = draft->option.home[PLACEMENT_EXPERTS];
    int devices = list->input->device_count;
    clear_part(list, draft, PLACEMENT_EXPERTS);
    int64_t kept = part->units * choice->eighths / 8, rest = part->units - kept;
    int lead = draft->lead->count == 1 ? draft->lead->devices[0] : -1;
    if (!deal_part(list, part, kept, choice->devices, choice->count, choice->ratio, lead, home))
        return false;
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        int64_t streamed = (int64_t)((double)rest * choice->streamed[p] + 0.5), shares[64];
        int64_t *work = draft->option.work[p][PLACEMENT_EXPERTS];
        double weights[64];
        memcpy(work, home, (size_t)devices * sizeof *work);
        for (int i = 0; i < choice->count; i++)
            weights[i] = list->input->devices[choice->devices[i]].link_rate;
        deal(streamed, weights, choice->count, shares);
        for (int i = 0; i < choice->count; i++) work[choice->devices[i]] += shares[i];
        if (rest > streamed) work[list->host] += rest - streamed;
    }
    if (rest) home[choice->disk ? devices : list->host] += rest;
    return true;
}

/* The share that takes as long over the links as what is left takes the host. */
static double balanced_share(const struct option_list *list, const struct draft *draft,
                             const struct expert_choice *choice, enum placement_phase phase)
{
    const struct solve_part *part =
        &list->input->classes[draft->option.class].parts[PLACEMENT_EXPERTS];
    double rate = 0, host = part->variable_seconds[phase][list->host];
    for (int i = 0; i < choice->count; i++)
        rate += list->input->devices[choice->devices[i]].link_rate;
    double bytes =
        (double)(part->units * part->unit_bytes) * solve_read_share(part, list->input->rows[phase]);
    return rate > 0 ? host / (host + bytes / rate) : 0;
}

static status add_expert_rests(struct option_list *list, struct draft *draft,
                               struct expert_choice *choice, struct diagnostic *diagnostic)
{
    enum { SHARES = 5 };
    double shares[PLACEMENT_PHASES][SHARES];
    bool has_disk = list->input->devices[list->host].disk_rate > 0 && !list->coarse;
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        const double usual[SHARES] = {0, 1, 0.25, 0.5,
                                      balanced_share(list, draft, choice, (enum placement_phase)p)};
        memcpy(shares[p], usual, sizeof usual);
    }
    for (int disk = 0; disk <= has_disk; disk++)
        for (int prefill = 0; prefill < SHARES; prefill++)
            for (int decode = 0; decode < SHARES; decode++) {
                bool fine = prefill > 1 || decode > 1;
                if (fine && (disk || list->coarse || list->input->whole_streams)) continue;
                if (list->input->whole_streams && choice->eighths && (prefill || decode)) continue;
                if (draft->lead->host && decode) continue;
                choice->disk = disk;
                choice->streamed[PLACEMENT_PREFILL] = shares[PLACEMENT_PREFILL][prefill];
                choice->streamed[PLACEMENT_DECODE] = shares[PLACEMENT_DECODE][decode];
                if (set_experts(list, draft, choice)) TRY(emit(list, draft, diagnostic));
            }
    return STATUS_OK;
}

static status add_expert_shares(struct option_list *list, struct draft *draft, const int *devices,
                                int count, struct diagnostic *diagnostic)
{
    struct expert_choice choice = {.devices = devices, .count = count};
    for (int eighths = draft->lead->host ? 0 : 8; eighths >= 0; eighths--) {
        if (list->coarse && eighths % 4) continue;
        choice.eighths = eighths;
        for (int ratio = RATIO_DECODE; ratio < EXPERT_RATIOS_MAX; ratio++) {
            choice.ratio = (enum ratio)ratio;
            if (ratio && (eighths == 0 || count == 1)) break;
            if (ratio >= RATIOS_MAX && (draft->lead->count > 1 || eighths % 4 || list->coarse))
                break;
            memset(choice.streamed, 0, sizeof choice.streamed);
            if (eighths < 8 && list->host >= 0) {
                TRY(add_expert_rests(list, draft, &choice, diagnostic));
            } else if (eighths == 8 && set_experts(list, draft, &choice)) {
                TRY(emit(list, draft, diagnostic));
            }
        }
    }
    return STATUS_OK;
}

static status add_experts(struct option_list *list, struct draft *draft,
                          struct diagnostic *diagnostic)
{
    const struct lead *lead = draft->lead;
    int64_t *shares = list->shares;
    if (!lead->host) {
        TRY(add_expert_shares(list, draft, lead->devices, lead->count, diagnostic));
        if (list->card_count <= lead->count) return STATUS_OK;
        return add_expert_shares(list, draft, list->cards, list->card_count, diagnostic);
    }
    memset(shares, 0, (size_t)list->input->device_count * sizeof *shares);
    shares[lead->devices[0]] =
        list->input->classes[draft->option.class].parts[PLACEMENT_EXPERTS].units;
    for (int keeping = 0; keeping < KEEPINGS; keeping++) {
        if (!can_keep(list, lead, (enum keeping)keeping) || keeping == KEPT_MIXED) continue;
        keep_part(list, draft, PLACEMENT_EXPERTS, (enum keeping)keeping, shares);
        TRY(emit(list, draft, diagnostic));
    }
    if (!list->card_count || list->coarse) return STATUS_OK;
    return add_expert_shares(list, draft, list->cards, list->card_count, diagnostic);
}

/* ---- Layers ---- */

static status add_dense(struct option_list *list, struct draft *draft, enum ratio ratio,
                        struct diagnostic *diagnostic)
{
    const struct solve_class *class = &list->input->classes[draft->option.class];
    bool sparse = class->parts[PLACEMENT_EXPERTS].units > 0;
    if (!class->parts[PLACEMENT_DENSE].units) {
        clear_part(list, draft, PLACEMENT_DENSE);
        return sparse ? add_experts(list, draft, diagnostic) : emit(list, draft, diagnostic);
    }
    for (int keeping = 0; keeping < KEEPINGS; keeping++) {
        if (sparse && keeping != KEPT_AT_WORK) break; /* shared experts and routers are small */
        if (!can_keep(list, draft->lead, (enum keeping)keeping)) continue;
        if (draft->lead->host && keeping == KEPT_MIXED)
            card_shares(list, draft, PLACEMENT_DENSE);
        else if (!lead_shares(list, draft, PLACEMENT_DENSE, ratio))
            return STATUS_OK;
        keep_part(list, draft, PLACEMENT_DENSE, (enum keeping)keeping, list->shares);
        TRY(sparse ? add_experts(list, draft, diagnostic) : emit(list, draft, diagnostic));
    }
    return STATUS_OK;
}

/* Attention works where its states are: the host never computes what cards keep, nor the other way round. */
static status add_attention(struct option_list *list, struct draft *draft,
                            struct diagnostic *diagnostic)
{
    static const enum keeping keepings[] = {KEPT_AT_WORK, KEPT_STREAMED, DISK_STREAMED,
                                            DISK_BY_HOST};
    const struct solve_part *part =
        &list->input->classes[draft->option.class].parts[PLACEMENT_ATTENTION];
    if (draft->lead->count > 1 && part->units < draft->lead->count) return STATUS_OK;
    for (int ratio = RATIO_DECODE; ratio < RATIOS_MAX; ratio++) {
        if (ratio && draft->lead->count == 1) break;
        for (int k = 0; k < 4; k++) {
            if (keepings[k] == DISK_BY_HOST && !draft->lead->host) continue;
            if (!can_keep(list, draft->lead, keepings[k])) continue;
            if (!lead_shares(list, draft, PLACEMENT_ATTENTION, (enum ratio)ratio)) break;
            keep_part(list, draft, PLACEMENT_ATTENTION, keepings[k], list->shares);
            TRY(add_dense(list, draft, (enum ratio)ratio, diagnostic));
        }
    }
    return STATUS_OK;
}

/* Embedding and output: on one device, or, the output, dealt to a lead's cards. */
static status add_end(struct option_list *list, struct draft *draft, int part,
                      struct diagnostic *diagnostic)
{
    for (int ratio = RATIO_DECODE; ratio < RATIOS_MAX; ratio++) {
        if (ratio && draft->lead->count == 1) break;
        if (part == PLACEMENT_EMBED && draft->lead->count > 1) break;
        for (int keeping = KEPT_AT_WORK; keeping < KEEPINGS; keeping++) {
            if (keeping != KEPT_AT_WORK && keeping != KEPT_STREAMED && keeping != DISK_BY_HOST)
                continue;
            if (part == PLACEMENT_EMBED && keeping != KEPT_AT_WORK) continue;
            if (!can_keep(list, draft->lead, (enum keeping)keeping)) continue;
            if (keeping == DISK_BY_HOST && !draft->lead->host) continue;
            if (!lead_shares(list, draft, part, (enum ratio)ratio)) break;
            keep_part(list, draft, part, (enum keeping)keeping, list->shares);
            TRY(emit(list, draft, diagnostic));
        }
    }
    return STATUS_OK;
}

static void look_around(struct option_list *list, const struct lead *lead)
{
    const struct solve_input *input = list->input;
    int node = input->devices[lead->devices[0]].node;
    list->card_count = 0;
    list->host = -1;
    for (int d = 0; d < input->device_count; d++) {
        if (input->devices[d].node != node) continue;
        if (!input->devices[d].host)
            list->cards[list->card_count++] = d;
        else if (list->host < 0)
            list->host = d;
    }
}

static status add_lead(struct option_list *list, struct draft *draft, const struct lead *lead,
                       struct diagnostic *diagnostic)
{
    draft->lead = lead;
    draft->option.lead = lead->number;
    draft->option.lead_device = lead->devices[0];
    look_around(list, lead);
    for (int c = 0; c < list->input->class_count; c++) {
        const struct solve_part *parts = list->input->classes[c].parts;
        draft->option.class = c;
        for (int part = 0; part < PLACEMENT_PARTS; part++) clear_part(list, draft, part);
        if (parts[PLACEMENT_EMBED].units)
            TRY(add_end(list, draft, PLACEMENT_EMBED, diagnostic));
        else if (parts[PLACEMENT_OUTPUT].units)
            TRY(add_end(list, draft, PLACEMENT_OUTPUT, diagnostic));
        else if (lead->number != list->input->banned_lead)
            TRY(add_attention(list, draft, diagnostic));
    }
    return STATUS_OK;
}

/* Each device alone, and behind a node's last card all its cards together. */
static status add_leads(struct option_list *list, struct draft *draft,
                        struct diagnostic *diagnostic)
{
    const struct solve_input *input = list->input;
    int *devices;
    TRY_NEW(devices, list->arena, input->device_count, diagnostic);
    for (int d = 0; d < input->device_count; d++) {
        devices[0] = d;
        struct lead lead = {.number = list->lead_count++,
                            .devices = devices,
                            .count = 1,
                            .host = input->devices[d].host};
        TRY(add_lead(list, draft, &lead, diagnostic));
        int count = 0;
        bool last = !input->devices[d].host;
        for (int e = 0; e < input->device_count; e++) {
            if (input->devices[e].host || input->devices[e].node != input->devices[d].node)
                continue;
            devices[count++] = e;
            last = last && e <= d;
        }
        if (!last || count < 2) continue;
        lead = (struct lead){.number = list->lead_count++, .devices = devices, .count = count};
        TRY(add_lead(list, draft, &lead, diagnostic));
    }
    return STATUS_OK;
}

status solve_list_options(const struct solve_input *input, struct arena *arena,
                          struct solve_option **options, int *count, struct diagnostic *diagnostic)
{
    struct option_list list = {
        .input = input, .arena = arena, .coarse = input->device_count > MANY_DEVICES};
    struct draft draft = {0};
    TRY_NEW(list.cards, arena, input->device_count, diagnostic);
    TRY_NEW(list.shares, arena, input->device_count, diagnostic);
    TRY(create_arrays(&list, &draft.option, diagnostic));
    TRY(add_leads(&list, &draft, diagnostic));
    *options = list.options;
    *count = list.count;
    return STATUS_OK;
}

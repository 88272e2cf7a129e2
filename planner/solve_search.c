/* Betters a solution by moving layers from one option to another, or two at once, as long as that helps. */
#include "planner/solve.h"

#include <math.h>

/* A move must gain this share, so that sums of rounded numbers cannot make the search go round. */
static const double gain_least = 1e-9;

/* Options that pairs of moves are tried with. */
enum { PAIR_OPTIONS_MAX = 24 };

struct move {
    int from, to, layers;
};

struct search {
    struct solve_state *state;
    const bool *wanted;
    double best; /* rank of the state */
    struct move moves[2];
    int move_count;
};

static void apply(struct solve_state *state, const struct move *move, int sign)
{
    solve_state_add(state, move->from, -sign * move->layers);
    solve_state_add(state, move->to, sign * move->layers);
}

static double rank_now(const struct solve_state *state)
{
    const struct solve_times times = solve_state_times(state);
    return solve_rank(&times);
}

static bool is_better(const struct search *search, double rank)
{
    return rank < search->best * (1 - gain_least);
}

static void try_move(struct search *search, const struct move *move)
{
    apply(search->state, move, 1);
    double rank = rank_now(search->state);
    apply(search->state, move, -1);
    if (!is_better(search, rank)) return;
    search->best = rank;
    search->moves[0] = *move;
    search->move_count = 1;
}

/* One layer, halves, and all of those that `from` has. */
static void try_sizes(struct search *search, int from, int to)
{
    int all = search->state->counts[from];
    for (int layers = all; layers > 0; layers /= 2)
        try_move(search, &(struct move){from, to, layers});
    if (all == 3) try_move(search, &(struct move){from, to, 2});
}

static bool may_go(const struct search *search, int from, int to)
{
    const struct solve_option *options = search->state->options;
    return from != to && search->wanted[to] && options[from].class == options[to].class;
}

static void try_singles(struct search *search)
{
    for (int from = 0; from < search->state->option_count; from++) {
        if (!search->state->counts[from]) continue;
        for (int to = 0; to < search->state->option_count; to++)
            if (may_go(search, from, to)) try_sizes(search, from, to);
    }
}

/* The second of two moves, the first being applied. */
static void try_seconds(struct search *search, const struct move *first, const int *some, int count)
{
    for (int f = 0; f < count; f++) {
        int from = some[f];
        if (!search->state->counts[from]) continue;
        for (int t = 0; t < count; t++) {
            struct move move = {from, some[t], 1};
            if (!may_go(search, from, some[t])) continue;
            apply(search->state, &move, 1);
            double rank = rank_now(search->state);
            apply(search->state, &move, -1);
            if (!is_better(search, rank)) continue;
            search->best = rank;
            search->moves[0] = *first;
            search->moves[1] = move;
            search->move_count = 2;
        }
    }
}

/* Two moves of one layer each, among the options in use and the first wanted ones. */
static void try_pairs(struct search *search)
{
    int some[PAIR_OPTIONS_MAX], count = 0;
    for (int o = 0; o < search->state->option_count && count < PAIR_OPTIONS_MAX / 2; o++)
        if (search->state->counts[o]) some[count++] = o;
    for (int o = 0; o < search->state->option_count && count < PAIR_OPTIONS_MAX; o++)
        if (search->wanted[o] && !search->state->counts[o]) some[count++] = o;
    for (int f = 0; f < count; f++) {
        if (!search->state->counts[some[f]]) continue;
        for (int t = 0; t < count; t++) {
            struct move move = {some[f], some[t], 1};
            if (!may_go(search, some[f], some[t])) continue;
            apply(search->state, &move, 1);
            try_seconds(search, &move, some, count);
            apply(search->state, &move, -1);
        }
    }
}

/* Additions and subtractions of moves that were tried leave rounding behind. */
static status settle(struct solve_state *state, struct arena *arena, struct diagnostic *diagnostic)
{
    int *counts;
    TRY_NEW(counts, arena, state->option_count, diagnostic);
    for (int o = 0; o < state->option_count; o++) counts[o] = state->counts[o];
    solve_state_set(state, counts);
    return STATUS_OK;
}

status solve_improve(struct solve_state *state, const bool *wanted, bool pairs, struct arena *arena,
                     struct diagnostic *diagnostic)
{
    struct search search = {.state = state, .wanted = wanted};
    for (;;) {
        TRY(settle(state, arena, diagnostic));
        search.best = rank_now(state);
        search.move_count = 0;
        try_singles(&search);
        if (!search.move_count && pairs) try_pairs(&search);
        if (!search.move_count) return STATUS_OK;
        for (int m = 0; m < search.move_count; m++) apply(state, &search.moves[m], 1);
    }
}

/* Branch and bound over how many layers take which option.
 *
 * The linear program (counts may be broken) gives a bound from below and says which options are worth looking at; rounding
 * and moves of layers make a solution of it; branching on a broken count closes the gap, until nothing better than a
 * thousandth is left, or the number of programs that a problem of this size may cost is used up.  No clock is asked: equal
 * inputs give equal plans. */
#include "planner/solve.h"

#include "base/text.h"
#include "planner/simplex.h"

#include <math.h>
#include <string.h>

static const double gap_least = 1e-3;

/* GiB of room to stream into that a program may leave uncounted. */
static const double buffer_missing_least = 1e-6;

/* Bytes in the program are counted in these, so that they are of the size of counts and seconds. */
static const double gibibyte = 1024.0 * 1024 * 1024;

/* Products of rows and columns that all programs of a solution may have together: about a second. */
static const double effort = 1.4e8;
/* Programs however small, rows of branches under way, options that moves are tried with. */
enum { PROGRAMS_MAX = 4000, BRANCH_ROWS_MAX = 192, WANTED_MAX = 96 };

/* Columns behind the options: the first chunk's way, each further chunk, a token; then room to stream into per device. */
enum { COLUMN_WAY, COLUMN_CHUNK, COLUMN_TOKEN, COLUMN_TIMES };

struct solving {
    const struct solve_input *input;
    struct arena *arena, *scratch;
    struct solution *solution;
    struct solve_state state;
    struct simplex_row *rows; /* of the program without branches, and room for these */
    int row_count, columns;
    double *objective, *x, *reduced;
    int *best_counts;
    double best; /* rank */
    bool *wanted;
    int branch_rows, programs, programs_max;
    bool cut_short;
};

/* ---- The program ---- */

static status add_row(struct solving *solving, double **coefficients,
                      enum simplex_relation relation, double bound, struct diagnostic *diagnostic)
{
    TRY_NEW(*coefficients, solving->arena, solving->columns, diagnostic);
    solving->rows[solving->row_count++] =
        (struct simplex_row){.coefficients = *coefficients, .relation = relation, .bound = bound};
    return STATUS_OK;
}

/* share * (what options use of a resource) + weight * (a column behind the options) <= bound. */
struct resource_row {
    int resource, column;
    double share, weight, bound;
};

/* None where no option uses the resource. */
static status add_resource(struct solving *solving, const struct resource_row *wanted,
                           struct diagnostic *diagnostic)
{
    const struct solution *solution = solving->solution;
    bool used = false;
    double *row;
    for (int o = 0; o < solution->option_count && !used; o++)
        used = solution->options[o].use[wanted->resource] != 0;
    if (!used) return STATUS_OK;
    TRY(add_row(solving, &row, SIMPLEX_LESS, wanted->bound, diagnostic));
    for (int o = 0; o < solution->option_count; o++)
        row[o] = solution->options[o].use[wanted->resource] * wanted->share;
    if (wanted->column >= 0) row[solution->option_count + wanted->column] = wanted->weight;
    return STATUS_OK;
}

static status add_time(struct solving *solving, int resource, int column, double share,
                       struct diagnostic *diagnostic)
{
    const struct resource_row row = {resource, column, share, -1, 0};
    return add_resource(solving, &row, diagnostic);
}

/* Room to stream into is as large as any option in use wants it, and so no smaller than the mean over a class. */
static status add_buffer_rows(struct solving *solving, int d, struct diagnostic *diagnostic)
{
    const struct solution *solution = solving->solution;
    for (int c = 0; c < solving->input->class_count; c++) {
        bool used = false;
        double *row;
        for (int o = 0; o < solution->option_count && !used; o++)
            used = solution->options[o].class == c && solution->options[o].buffer[d] > 0;
        if (!used) continue;
        TRY(add_row(solving, &row, SIMPLEX_LESS, 0, diagnostic));
        for (int o = 0; o < solution->option_count; o++)
            if (solution->options[o].class == c)
                row[o] =
                    solution->options[o].buffer[d] / gibibyte / solving->input->classes[c].count;
        row[solution->option_count + COLUMN_TIMES + d] = -1;
    }
    return STATUS_OK;
}

static status add_memory_rows(struct solving *solving, struct diagnostic *diagnostic)
{
    const struct solve_input *input = solving->input;
    for (int d = 0; d < input->device_count; d++) {
        const struct solve_device *device = &input->devices[d];
        const struct resource_row memory = {solve_memory(d), COLUMN_TIMES + d, 1 / gibibyte, 1,
                                            (double)device->memory_bytes / gibibyte};
        const struct resource_row pinned = {solve_pinned(input, d), -1, 1 / gibibyte, 0,
                                            (double)device->pinned_bytes / gibibyte};
        TRY(add_resource(solving, &memory, diagnostic));
        if (device->host) TRY(add_resource(solving, &pinned, diagnostic));
        TRY(add_buffer_rows(solving, d, diagnostic));
    }
    return STATUS_OK;
}

static status add_time_rows(struct solving *solving, struct diagnostic *diagnostic)
{
    const struct solve_input *input = solving->input;
    int prefill = solve_serial(input, PLACEMENT_PREFILL);
    double *row;
    TRY(add_time(solving, prefill, COLUMN_WAY, 1, diagnostic));
    TRY(add_time(solving, prefill, COLUMN_CHUNK, 0.5, diagnostic));
    TRY(add_time(solving, solve_serial(input, PLACEMENT_DECODE), COLUMN_TOKEN, 1, diagnostic));
    for (int t = 0; t < SOLVE_TIMES; t++)
        for (int d = 0; d < input->device_count; d++) {
            enum solve_time time = (enum solve_time)t;
            TRY(add_time(solving, solve_time(input, PLACEMENT_PREFILL, time, d), COLUMN_CHUNK, 1,
                         diagnostic));
            if (time == SOLVE_BUSY) continue;
            TRY(add_time(solving, solve_time(input, PLACEMENT_DECODE, time, d), COLUMN_TOKEN, 1,
                         diagnostic));
        }
    /* The first chunk takes no less than each further one. */
    TRY(add_row(solving, &row, SIMPLEX_LESS, 0, diagnostic));
    row[solving->solution->option_count + COLUMN_CHUNK] = 1;
    row[solving->solution->option_count + COLUMN_WAY] = -1;
    return STATUS_OK;
}

static status create_program(struct solving *solving, struct diagnostic *diagnostic)
{
    const struct solve_input *input = solving->input;
    int options = solving->solution->option_count;
    solving->columns = options + COLUMN_TIMES + input->device_count;
    int rows = input->class_count * (1 + input->device_count) + solve_resource_count(input) + 3 +
               BRANCH_ROWS_MAX;
    TRY_NEW(solving->rows, solving->arena, rows, diagnostic);
    TRY_NEW(solving->objective, solving->arena, solving->columns, diagnostic);
    TRY_NEW(solving->x, solving->arena, solving->columns, diagnostic);
    TRY_NEW(solving->reduced, solving->arena, solving->columns, diagnostic);
    for (int o = 0; o < options; o++)
        solving->objective[o] = solving->solution->options[o].hidden_seconds;
    solving->objective[options + COLUMN_WAY] = 1;
    solving->objective[options + COLUMN_CHUNK] = input->steps[PLACEMENT_PREFILL] - 1;
    solving->objective[options + COLUMN_TOKEN] = input->steps[PLACEMENT_DECODE];
    for (int c = 0; c < input->class_count; c++) {
        double *row;
        TRY(add_row(solving, &row, SIMPLEX_EQUAL, input->classes[c].count, diagnostic));
        for (int o = 0; o < options; o++) row[o] = solving->solution->options[o].class == c;
    }
    TRY(add_memory_rows(solving, diagnostic));
    return add_time_rows(solving, diagnostic);
}

static status run_program(struct solving *solving, double *value, bool *solved,
                          struct diagnostic *diagnostic)
{
    const struct simplex_program program = {.row_count = solving->row_count + solving->branch_rows,
                                            .column_count = solving->columns,
                                            .rows = solving->rows,
                                            .objective = solving->objective};
    enum simplex_end end;
    arena_reset(solving->scratch);
    solving->programs++;
    TRY(simplex_solve(&program, solving->scratch, solving->x, solving->reduced, value, &end,
                      diagnostic));
    *solved = end == SIMPLEX_SOLVED;
    solving->cut_short = solving->cut_short || end == SIMPLEX_GIVEN_UP;
    return STATUS_OK;
}

/* ---- From a program's answer to a solution ---- */

/* The options that are in use or would cost the least to use. */
static void choose_wanted(struct solving *solving)
{
    int options = solving->solution->option_count;
    memset(solving->wanted, 0, (size_t)options * sizeof *solving->wanted);
    for (int c = 0; c < solving->input->class_count; c++)
        for (int n = 0; n < WANTED_MAX; n++) {
            int least = -1;
            for (int o = 0; o < options; o++) {
                if (solving->solution->options[o].class != c || solving->wanted[o]) continue;
                if (least < 0 || solving->reduced[o] < solving->reduced[least]) least = o;
            }
            if (least < 0) break;
            solving->wanted[least] = true;
        }
}

/* Whole layers first; those that are left over go one by one where they do the least harm. */
static void round_counts(struct solving *solving)
{
    struct solve_state *state = &solving->state;
    int options = solving->solution->option_count;
    solve_state_clear(state);
    for (int o = 0; o < options; o++)
        if (solving->x[o] >= 1) solve_state_add(state, o, (int)(solving->x[o] + 1e-6));
    for (int c = 0; c < solving->input->class_count; c++) {
        int left = solving->input->classes[c].count;
        for (int o = 0; o < options; o++)
            if (solving->solution->options[o].class == c) left -= state->counts[o];
        for (; left > 0; left--) {
            int best = -1;
            double best_rank = INFINITY;
            for (int o = 0; o < options; o++) {
                if (solving->solution->options[o].class != c || solving->x[o] < 1e-6) continue;
                solve_state_add(state, o, 1);
                const struct solve_times times = solve_state_times(state);
                double rank = solve_rank(&times);
                solve_state_add(state, o, -1);
                if (rank >= best_rank) continue;
                best_rank = rank;
                best = o;
            }
            if (best < 0) return;
            solve_state_add(state, best, 1);
        }
    }
}

static void keep_better(struct solving *solving)
{
    const struct solve_times times = solve_state_times(&solving->state);
    double rank = solve_rank(&times);
    if (rank >= solving->best) return;
    solving->best = rank;
    memcpy(solving->best_counts, solving->state.counts,
           (size_t)solving->solution->option_count * sizeof *solving->best_counts);
    solving->solution->times = times;
}

/* ---- Branching ---- */

/* The count that is furthest from a whole number; -1: all are whole. */
static int most_broken(const struct solving *solving)
{
    int worst = -1;
    double most = 1e-6;
    for (int o = 0; o < solving->solution->option_count; o++) {
        double fraction = solving->x[o] - floor(solving->x[o]);
        double broken = fmin(fraction, 1 - fraction);
        if (broken <= most) continue;
        most = broken;
        worst = o;
    }
    return worst;
}

/* Room to stream into that the program has counted in part only: an option in use wants `room` on `device`, the least that is
 * more than was counted there.  The device where most is missing. */
struct half_counted {
    int device;          /* -1: there is none that matters */
    double room, layers; /* layers under options that want so much and more */
};

static double room_of(const struct solving *solving, int option, int device)
{
    return solving->solution->options[option].buffer[device] / gibibyte;
}

static struct half_counted find_half_counted(const struct solving *solving)
{
    const struct solution *solution = solving->solution;
    struct half_counted worst = {.device = -1};
    double most = buffer_missing_least;
    for (int d = 0; d < solving->input->device_count; d++) {
        double counted = solving->x[solution->option_count + COLUMN_TIMES + d], least = INFINITY;
        double missing = 0;
        for (int o = 0; o < solution->option_count; o++) {
            double room = room_of(solving, o, d);
            if (solving->x[o] < 1e-6 || room <= counted + buffer_missing_least) continue;
            missing = fmax(missing, room - counted);
            least = fmin(least, room);
        }
        if (missing <= most) continue;
        most = missing;
        worst = (struct half_counted){.device = d, .room = least};
    }
    for (int o = 0; worst.device >= 0 && o < solution->option_count; o++)
        if (room_of(solving, o, worst.device) >= worst.room - buffer_missing_least)
            worst.layers += solving->x[o];
    return worst;
}

static status add_branch_row(struct solving *solving, enum simplex_relation relation, double bound,
                             double **row, struct diagnostic *diagnostic)
{
    TRY_NEW(*row, solving->arena, solving->columns, diagnostic);
    solving->rows[solving->row_count + solving->branch_rows++] =
        (struct simplex_row){.coefficients = *row, .relation = relation, .bound = bound};
    return STATUS_OK;
}

static status branch(struct solving *solving, struct diagnostic *diagnostic);

/* The program with one more row. */
static status follow(struct solving *solving, struct diagnostic *diagnostic)
{
    status code = branch(solving, diagnostic);
    solving->branch_rows--;
    return code;
}

static bool may_branch(struct solving *solving)
{
    bool may = solving->branch_rows < BRANCH_ROWS_MAX && solving->programs < solving->programs_max;
    solving->cut_short = solving->cut_short || !may;
    return may;
}

/* Either count `option` is at least the next whole number, or at most the one below. */
static status branch_on_count(struct solving *solving, int option, struct diagnostic *diagnostic)
{
    double broken = solving->x[option], *row;
    bool up = broken - floor(broken) >= 0.5;
    for (int way = 0; way < 2 && may_branch(solving); way++, up = !up) {
        TRY(add_branch_row(solving, up ? SIMPLEX_GREATER : SIMPLEX_LESS,
                           up ? ceil(broken) : floor(broken), &row, diagnostic));
        row[option] = 1;
        TRY(follow(solving, diagnostic));
    }
    return STATUS_OK;
}

/* Either the device has the room, or no option is in use that wants so much. */
static status branch_on_room(struct solving *solving, const struct half_counted *half,
                             struct diagnostic *diagnostic)
{
    int options = solving->solution->option_count;
    bool up = half->layers >= 0.5;
    double *row;
    for (int way = 0; way < 2 && may_branch(solving); way++, up = !up) {
        TRY(add_branch_row(solving, up ? SIMPLEX_GREATER : SIMPLEX_LESS, up ? half->room : 0, &row,
                           diagnostic));
        if (up) row[options + COLUMN_TIMES + half->device] = 1;
        for (int o = 0; o < options && !up; o++)
            row[o] = room_of(solving, o, half->device) >= half->room - buffer_missing_least;
        TRY(follow(solving, diagnostic));
    }
    return STATUS_OK;
}

static status branch(struct solving *solving, struct diagnostic *diagnostic)
{
    double value;
    bool solved;
    TRY(run_program(solving, &value, &solved, diagnostic));
    if (!solved) return STATUS_OK;
    if (!solving->branch_rows) {
        solving->solution->bound_seconds = value;
        choose_wanted(solving);
    }
    if (value >= solving->best * (1 - gap_least)) return STATUS_OK;
    const struct half_counted half = find_half_counted(solving);
    int option = most_broken(solving);
    round_counts(solving);
    const struct solve_times times = solve_state_times(&solving->state);
    /* Moves are worth their time at the root, and where rounding came near. */
    if (!solving->branch_rows || solve_rank(&times) < solving->best * 1.02)
        TRY(solve_improve(&solving->state, solving->wanted, !solving->branch_rows, solving->scratch,
                          diagnostic));
    keep_better(solving);
    if (value >= solving->best * (1 - gap_least)) return STATUS_OK;
    if (half.device >= 0) return branch_on_room(solving, &half, diagnostic);
    return option >= 0 ? branch_on_count(solving, option, diagnostic) : STATUS_OK;
}

/* ---- Start and end ---- */

/* Where the program has no answer: every class under the option that it is best with alone, and moves from there. */
static status search_alone(struct solving *solving, struct diagnostic *diagnostic)
{
    for (int o = 0; o < solving->solution->option_count; o++) solving->wanted[o] = true;
    solve_state_clear(&solving->state);
    for (int c = 0; c < solving->input->class_count; c++)
        for (int o = 0; o < solving->solution->option_count; o++)
            if (solving->solution->options[o].class == c) {
                solve_state_add(&solving->state, o, solving->input->classes[c].count);
                break;
            }
    arena_reset(solving->scratch);
    TRY(solve_improve(&solving->state, solving->wanted, false, solving->scratch, diagnostic));
    keep_better(solving);
    return STATUS_OK;
}

static status refuse(const struct solving *solving, struct diagnostic *diagnostic)
{
    const struct solve_times *times = &solving->solution->times;
    char text[32];
    return fail(
        diagnostic, STATUS_NO_MEMORY,
        "the model does not fit: %s lacks %s; lower --context, add a device, or let parts of "
        "it stay on the disk",
        solving->input->devices[times->short_device].name, text_bytes(times->short_bytes, text));
}

static status check_classes(const struct solving *solving, struct diagnostic *diagnostic)
{
    for (int c = 0; c < solving->input->class_count; c++) {
        bool served = false;
        for (int o = 0; o < solving->solution->option_count; o++)
            served = served || solving->solution->options[o].class == c;
        if (!served)
            return fail(diagnostic, STATUS_NO_MEMORY,
                        "no device is left that could serve the layers of class %d", c);
    }
    return STATUS_OK;
}

static status start(struct solving *solving, struct diagnostic *diagnostic)
{
    struct solution *solution = solving->solution;
    TRY(solve_list_options(solving->input, solving->arena, &solution->options,
                           &solution->option_count, diagnostic));
    TRY(check_classes(solving, diagnostic));
    TRY(solve_prune_options(solving->input, solution->options, &solution->option_count,
                            solving->scratch, diagnostic));
    TRY(solve_state_create(solving->input, solution->options, solution->option_count,
                           solving->arena, &solving->state, diagnostic));
    TRY_NEW(solving->best_counts, solving->arena, solution->option_count, diagnostic);
    TRY_NEW(solving->wanted, solving->arena, solution->option_count, diagnostic);
    TRY(create_program(solving, diagnostic));
    double size = (double)solving->row_count * solving->columns;
    solving->programs_max = (int)fmin(PROGRAMS_MAX, 1 + effort / (size * 30));
    return STATUS_OK;
}

static status run_all(struct solving *solving, struct diagnostic *diagnostic)
{
    TRY(start(solving, diagnostic));
    TRY(branch(solving, diagnostic));
    if (solving->best >= 1e300 || solving->solution->times.short_bytes > 0)
        TRY(search_alone(solving, diagnostic));
    if (solving->solution->times.short_bytes > 0) return refuse(solving, diagnostic);
    solving->solution->counts = solving->best_counts;
    solving->solution->programs = solving->programs;
    solving->solution->proven = !solving->cut_short;
    return STATUS_OK;
}

status solve_run(const struct solve_input *input, struct arena *arena, struct solution *solution,
                 struct diagnostic *diagnostic)
{
    struct solving solving = {.input = input,
                              .arena = arena,
                              .scratch = arena_create(0),
                              .solution = solution,
                              .best = INFINITY};
    *solution = (struct solution){0};
    TRY_MEMORY(solving.scratch, diagnostic);
    status code = run_all(&solving, diagnostic);
    arena_destroy(solving.scratch);
    return code;
}

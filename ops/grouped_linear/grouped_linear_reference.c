/* The reference of grouped_linear, in tiles of slots and outputs. */
#include "ops/access.h"
#include "ops/grouped_linear/grouped_linear.h"

int64_t grouped_linear_items(const struct problem *problem, const struct run *run)
{
    return tile_count(run_dimension(problem, run, GROUPED_ORDER, 0),
                      fixed_dimension(problem, GROUPED_LINEAR_WEIGHT, 1));
}

static void run_reference(const struct problem *problem, const struct grouped *grouped,
                          const struct slot_run *run, const struct tile *tile,
                          void *const *operands)
{
    int64_t expert = larger(run->expert, 0);
    struct weight_view weight = weight_view_of(problem, GROUPED_LINEAR_WEIGHT, operands, expert);
    const float *x[DOT_ROWS];
    float *y[DOT_ROWS];
    if (run->expert < 0) {
        grouped_clear(run, tile, operands[GROUPED_LINEAR_Y], weight.rows);
        return;
    }
    int count = grouped_inputs(grouped, run, x);
    tile_outputs(operands[GROUPED_LINEAR_Y], weight.rows, run->first, run->end, y);
    dot_tile(&weight, NULL, tile->first_output, tile->end_output, x, count, y);
}

void grouped_linear_reference(const struct problem *problem, const struct run *run,
                              void *const *operands, int64_t begin, int64_t end)
{
    enum grouped_rows rows = (enum grouped_rows)problem->attributes[GROUPED_LINEAR_ROWS].integer;
    struct grouped grouped = grouped_of(problem, run, GROUPED_LINEAR_WEIGHT, rows, operands);
    int64_t outputs = fixed_dimension(problem, GROUPED_LINEAR_WEIGHT, 1);
    for (int64_t item = begin; item < end; item++) {
        struct tile tile = tile_of(item, grouped.slots, outputs);
        for (int64_t slot = tile.first_row; slot < tile.end_row;) {
            struct slot_run slots = grouped_run(&grouped, slot, tile.end_row);
            run_reference(problem, &grouped, &slots, &tile, operands);
            slot = slots.end;
        }
    }
}

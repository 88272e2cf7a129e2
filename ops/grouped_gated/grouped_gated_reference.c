/* The reference of grouped_gated: both products are rounded to float before the activation, bit for
 * bit what two grouped_linears followed by gate give. */
#include "ops/access.h"
#include "ops/gated_tile.h"
#include "ops/grouped_gated/grouped_gated.h"

int64_t grouped_gated_items(const struct problem *problem, const struct run *run)
{
    return tile_count(run_dimension(problem, run, GROUPED_ORDER, 0),
                      fixed_dimension(problem, GROUPED_GATED_GATE, 1));
}

static void run_reference(const struct problem *problem, const struct grouped *grouped,
                          const struct slot_run *run, const struct tile *tile,
                          void *const *operands)
{
    int64_t expert = larger(run->expert, 0);
    struct weight_view gate = weight_view_of(problem, GROUPED_GATED_GATE, operands, expert);
    struct weight_view up = weight_view_of(problem, GROUPED_GATED_UP, operands, expert);
    const float *x[DOT_ROWS];
    float *y[DOT_ROWS];
    if (run->expert < 0) {
        grouped_clear(run, tile, operands[GROUPED_GATED_Y], gate.rows);
        return;
    }
    int count = grouped_inputs(grouped, run, x);
    tile_outputs(operands[GROUPED_GATED_Y], gate.rows, run->first, run->end, y);
    gated_tile((enum activation)problem->attributes[GROUPED_GATED_ACTIVATION].integer, &gate, &up,
               tile, x, count, y);
}

void grouped_gated_reference(const struct problem *problem, const struct run *run,
                             void *const *operands, int64_t begin, int64_t end)
{
    enum grouped_rows rows = (enum grouped_rows)problem->attributes[GROUPED_GATED_ROWS].integer;
    struct grouped grouped = grouped_of(problem, run, GROUPED_GATED_GATE, rows, operands);
    int64_t outputs = fixed_dimension(problem, GROUPED_GATED_GATE, 1);
    for (int64_t item = begin; item < end; item++) {
        struct tile tile = tile_of(item, grouped.slots, outputs);
        for (int64_t slot = tile.first_row; slot < tile.end_row;) {
            struct slot_run slots = grouped_run(&grouped, slot, tile.end_row);
            run_reference(problem, &grouped, &slots, &tile, operands);
            slot = slots.end;
        }
    }
}

/* The reference of linear_group: the tiles of one weight after those of the other, bit for bit what
 * linears one by one give. */
#include "ops/access.h"
#include "ops/dot.h"
#include "ops/linear_group/linear_group.h"

static int64_t weight_items(const struct problem *problem, const struct run *run, int i)
{
    if (!problem->operands[LINEAR_GROUP_A + i].present) return 0;
    return tile_count(run_dimension(problem, run, LINEAR_GROUP_X, 0),
                      fixed_dimension(problem, LINEAR_GROUP_A + i, 0));
}

int64_t linear_group_items(const struct problem *problem, const struct run *run)
{
    int64_t items = 0;
    for (int i = 0; i < LINEAR_GROUP_WEIGHTS; i++) items += weight_items(problem, run, i);
    return items;
}

/* Tiles [begin, end) of weight i. */
static void weight_tiles(const struct problem *problem, const struct run *run,
                         void *const *operands, int i, int64_t begin, int64_t end)
{
    struct weight_view weight = weight_view_of(problem, LINEAR_GROUP_A + i, operands, 0);
    int64_t rows = run_dimension(problem, run, LINEAR_GROUP_X, 0);
    for (int64_t item = begin; item < end; item++) {
        struct tile tile = tile_of(item, rows, weight.rows);
        const float *x[DOT_ROWS];
        float *y[DOT_ROWS];
        int count =
            tile_inputs(operands[LINEAR_GROUP_X], weight.columns, tile.first_row, tile.end_row, x);
        tile_outputs(operands[LINEAR_GROUP_Y + i], weight.rows, tile.first_row, tile.end_row, y);
        dot_tile(&weight, operands[LINEAR_GROUP_A_BIAS + i], tile.first_output, tile.end_output, x,
                 count, y);
    }
}

void linear_group_reference(const struct problem *problem, const struct run *run,
                            void *const *operands, int64_t begin, int64_t end)
{
    int64_t before = 0;
    for (int i = 0; i < LINEAR_GROUP_WEIGHTS; i++) {
        int64_t items = weight_items(problem, run, i);
        int64_t first = larger(begin - before, 0), last = smaller(end - before, items);
        if (first < last) weight_tiles(problem, run, operands, i, first, last);
        before += items;
    }
}

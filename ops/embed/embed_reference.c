/* The reference of embed.  A token outside the table gives a row of NaN, so that the fault shows
 * and memory stays safe. */
#include "ops/access.h"
#include "ops/dot.h"
#include "ops/embed/embed.h"

#include <math.h>

static void embed_row(const struct weight_view *table, int64_t token, double scale, float *y)
{
    if (token < 0 || token >= table->rows) {
        for (int64_t c = 0; c < table->columns; c++) y[c] = NAN;
        return;
    }
    weight_decode_row(table, token, y);
    for (int64_t c = 0; c < table->columns; c++) y[c] = (float)((double)y[c] * scale);
}

void embed_reference(const struct problem *problem, const struct run *run, void *const *operands,
                     int64_t begin, int64_t end)
{
    (void)run;
    struct weight_view table = weight_view_of(problem, EMBED_TABLE, operands, 0);
    const int32_t *tokens = operands[EMBED_TOKENS];
    float *y = operands[2];
    for (int64_t r = begin; r < end; r++)
        embed_row(&table, tokens[r], problem->attributes[EMBED_SCALE].real, y + r * table.columns);
}

/* The tables of buckets. */
#include "ir/bucket.h"

/* Steps of 4: within one, time per row varies little enough that one candidate serves it. */
static const int64_t row_bounds[BUCKET_ROW_COUNT] = {1, 4, 16, 64, 256, 1024, 4096};
static const int64_t context_bounds[BUCKET_CONTEXT_COUNT] = {1024, 8192, 1048576};

int64_t bucket_rows(int index)
{
    return row_bounds[index];
}

int64_t bucket_context(int index)
{
    return context_bounds[index];
}

static int bucket_of(const int64_t *bounds, int count, int64_t value)
{
    int index = 0;
    while (index < count - 1 && bounds[index] < value) index++;
    return index;
}

int bucket_of_rows(int64_t rows)
{
    return bucket_of(row_bounds, BUCKET_ROW_COUNT, rows);
}

int bucket_of_context(int64_t context)
{
    return bucket_of(context_bounds, BUCKET_CONTEXT_COUNT, context);
}

// y[r] = table[tokens[r]] * scale; a token outside the table gives NaN.
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/rows.cuh"

KERNEL(threads_per_row *rows_per_block)
embed(const int *tokens, const unsigned char *table, float *y, const struct step *step)
{
    for_each_vector<table_columns>(step, [=](int row, int column) {
        const int token = tokens[row];
        float values[vector];
        UNROLL for (int i = 0; i < vector; i++) values[i] = not_a_number();
        if (token >= 0 && token < table_rows) {
            const unsigned char *from = table + token * row_bytes(table_element, table_columns);
            load_elements<table_element>(from, column, values);
            UNROLL for (int i = 0; i < vector; i++) values[i] *= scale;
        }
        store_floats(y + (long long)row * table_columns + column, values);
    });
}

/* Importance matrices: for each column of a weight the mean square of the activations that it meets, so the cost of an
 * error in it.  Names are those of GGUF's tensors.  Files are llama.cpp's: both of its formats are read, the newer one
 * (GGUF with NAME.in_sum2 and NAME.counts) is written. */
#ifndef MODELS_IMPORTANCE_H
#define MODELS_IMPORTANCE_H

#include "base/arena.h"
#include "base/progress.h"

#include <stdint.h>

struct importance_row {
    const char *name;
    int64_t columns, experts; /* experts: 1 for plain matrices */
    double *sums;             /* [experts, columns] of squares */
    double *counts;           /* [experts] of rows that were summed */
};

struct importance {
    struct arena *arena;
    struct importance_row *rows;
    int count;
    size_t capacity;
    int64_t chunks, chunk_tokens; /* of the text; for the file's metadata */
    const char *text_name;
};

/* NULL when there is none. */
struct importance_row *importance_find(const struct importance *importance, const char *name);
/* Found or added with zeros; fails when it is there with another shape. */
CHECKED status importance_add(struct importance *importance, const char *name, int64_t columns,
                              int64_t experts, struct importance_row **row,
                              struct diagnostic *diagnostic);
/* Checks the shape that a weight has; the older files keep all experts' columns in one row, which is split here. */
CHECKED status importance_fit(struct importance *importance, struct importance_row *row,
                              int64_t columns, int64_t experts, struct diagnostic *diagnostic);
/* One row of activations. */
void importance_see(struct importance_row *row, int64_t expert, const float *values);

/* What an error in each column costs, relative to the mean of all.  Columns that the text never reached keep a small
 * cost; so does an expert that no token chose: it gets the mean over the others. */
void importance_costs(const struct importance_row *row, int64_t expert, float *costs);

CHECKED status importance_read(const char *path, struct importance *importance,
                               struct diagnostic *diagnostic);
CHECKED status importance_write(const struct importance *importance, const char *path,
                                struct diagnostic *diagnostic);

#endif

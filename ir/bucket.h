/* Buckets: the ranges of row counts and context lengths for which one candidate is chosen.  One function for all. */
#ifndef IR_BUCKET_H
#define IR_BUCKET_H

#include <stdint.h>

enum { BUCKET_ROW_COUNT = 7, BUCKET_CONTEXT_COUNT = 3 };

/* Upper bounds: rows 1, 4, 16, 64, 256, 1024, 4096; context 1024, 8192, 1048576. */
int64_t bucket_rows(int index);
int64_t bucket_context(int index);

/* The bucket of a count: the first whose bound is not below it, the last one otherwise. */
int bucket_of_rows(int64_t rows);
int bucket_of_context(int64_t context);

#endif

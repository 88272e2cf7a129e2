/* NumPy's .npy files: float32 matrices, written row by row. */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include "base/status.h"

#include <stdint.h>

CHECKED status npy_write(const char *path, const float *values, int64_t rows, int64_t columns,
                         struct diagnostic *diagnostic);

#endif

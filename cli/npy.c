/* Version 1.0 of the format: magic, version, length of the header, a Python literal padded with blanks to 64 bytes. */
#include "cli/npy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_BYTES = 128, PREFIX_BYTES = 10 };

status npy_write(const char *path, const float *values, int64_t rows, int64_t columns,
                 struct diagnostic *diagnostic)
{
    char header[HEADER_BYTES + 1];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER_BYTES - PREFIX_BYTES;
    header[9] = 0;
    int length = snprintf(header + PREFIX_BYTES, sizeof header - PREFIX_BYTES,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                          (long long)rows, (long long)columns);
    header[PREFIX_BYTES + length] = ' ';
    header[HEADER_BYTES - 1] = '\n';
    FILE *file = fopen(path, "wb");
    if (!file) return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s: %s", path, strerror(errno));
    bool good = fwrite(header, 1, HEADER_BYTES, file) == HEADER_BYTES;
    size_t count = (size_t)(rows * columns);
    good = good && fwrite(values, sizeof *values, count, file) == count;
    good = fclose(file) == 0 && good;
    if (!good) return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s: %s", path, strerror(errno));
    return STATUS_OK;
}

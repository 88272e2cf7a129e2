/* Data files compiled into the library (cmake/embed.cmake makes the tables). */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *path;  /* from the root of the source tree; NULL ends a table */
    const char *bytes; /* with a zero byte behind */
    size_t byte_count;
    const char *fingerprint; /* SHA-256 of this file and of the sources that give it its meaning */
};

#endif

/* Artifacts: compiled images, kept by content: FOLDER/ab/abcdef....image, named by compile_key.
 *
 * A file is the hash of what follows, then the encoded image.  Files are written whole or not at
 * all; anything wrong with one is a miss, never an error: the image is compiled again and the file
 * replaced. */
#ifndef TUNER_ARTIFACT_H
#define TUNER_ARTIFACT_H

#include "ir/image.h"

#define ARTIFACT_SUFFIX ".image"

/* The encoded image, in `arena`; false when there is none. */
bool artifact_read(const char *folder, struct hash key, struct arena *arena, void **encoded,
                   size_t *byte_count);
CHECKED status artifact_write(const char *folder, struct hash key, const void *encoded,
                              size_t byte_count, struct diagnostic *diagnostic);

#endif

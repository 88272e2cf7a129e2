/* Whether a model's files are the ones that were meant (--sha256). */
#ifndef MODELS_CHECK_FILES_H
#define MODELS_CHECK_FILES_H

#include "models/model_source.h"

/* `expected` is the SHA-256 of the model's only file as 64 hexadecimal digits, or the path of a list as sha256sum writes it
 * ("DIGITS  NAME" per line, names relative to the list's folder), which must name every file of weights.  What is hashed is the
 * mapping that weights are read from later.  STATUS_BAD_INPUT: a file has other bytes, is not listed or not there;
 * STATUS_USAGE: one sum for several files. */
CHECKED status check_files(const struct model_source *source, const char *expected,
                           const struct progress *progress, struct diagnostic *diagnostic);

#endif

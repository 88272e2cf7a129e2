/* The catalogue of variants: every space that was compiled into Hone (the YAML files beside the operators), and those of
 * a folder that the user names with --variants. */
#ifndef OPS_CATALOGUE_H
#define OPS_CATALOGUE_H

#include "ir/variant.h"

/* `folder` may be NULL.  A file of the folder with the name of a built-in variant replaces it. */
CHECKED status catalogue_read(const char *folder, struct arena *arena, struct catalogue *catalogue,
                              struct diagnostic *diagnostic);

#endif

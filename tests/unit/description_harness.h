/* What tests of descriptions share: a small model, a folder with two descriptions, and changes of them. */
#ifndef TESTS_UNIT_DESCRIPTION_HARNESS_H
#define TESTS_UNIT_DESCRIPTION_HARNESS_H

#include "models/model.h"
#include "tests/scratch_harness.h"

extern const char base_description[], own_description[];

void write_description(struct scratch *scratch, const char *name, const char *text);

/* `from` is replaced by `to` once. */
const char *replaced(struct scratch *scratch, const char *text, const char *from, const char *to);

/* Both descriptions are in the folder, as basis.yaml and own.yaml; the model answers to `own`. */
CHECKED status open_model(struct scratch *scratch, const char *base, const char *own,
                          struct model **model, struct diagnostic *diagnostic);

/* The text of the model's graph contains `part`. */
void check_graph(struct scratch *scratch, const struct model *model, const char *part);

#endif

/* Folders of Hugging Face models with a config.json of the test's own: the reference models of tests/oracle, with something
 * changed, and their tensors linked. */
#ifndef TESTS_CONFIG_HARNESS_H
#define TESTS_CONFIG_HARNESS_H

#include "base/progress.h"
#include "models/model.h"
#include "tests/scratch_harness.h"

/* Files of these tests end the test when they fail. */
char *config_read_file(struct scratch *scratch, const char *path, size_t *count);
void config_write_file(struct scratch *scratch, const char *name, const char *bytes, size_t count);

/* In scratch->folder: the model's config with the first `from` replaced by `to`. */
void config_make_folder(struct scratch *scratch, const char *model, const char *from,
                        const char *to);
/* With these bytes for a config. */
void config_make_folder_of(struct scratch *scratch, const char *model, const char *config,
                           size_t count);

CHECKED status config_open_folder(struct scratch *scratch, const struct progress *progress,
                                  struct model **model, struct diagnostic *diagnostic);

#endif

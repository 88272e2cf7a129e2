/* Recorded spaces as JSON, for engine/space_*.c only. */
#ifndef ENGINE_SPACE_JSON_H
#define ENGINE_SPACE_JSON_H

#include "tuner/recorded.h"

#include <jansson.h>

/* A document that is being read. */
struct space_document {
    const char *path;
    json_t *root;
    struct recorded_space *space;
    double *samples; /* RECORDED_SAMPLES_MAX */
    struct diagnostic *diagnostic;
};

#define space_fail(document, ...)                                                                  \
    certain_failure(fail((document)->diagnostic, STATUS_BAD_INPUT, __VA_ARGS__))

/* A value as Kernel Tuner's keys write it: numbers plainly, True, False; into `buffer` where it is no string.  NULL: it is a
 * list or an object. */
enum { SPACE_VALUE_BYTES = 32 };
const char *space_value_text(const json_t *value, char buffer[static SPACE_VALUE_BYTES]);
/* And back; a config that has no value gets -1. */
json_t *space_value_json(const struct recorded_space *space, const struct recorded_config *config,
                         int parameter);
json_t *space_text_json(const char *text);

/* A member that is a number of that unit, or 0. */
double space_file_number(const json_t *object, const char *key, double unit);
CHECKED status space_file_samples(struct space_document *document, const json_t *list, double unit,
                                  struct recorded_config *config);

CHECKED status space_read_cache(struct space_document *document);
CHECKED status space_read_t4(struct space_document *document);
CHECKED status space_read_ktt(struct space_document *document);

/* NULL when memory is out. */
json_t *space_print_cache(const struct recorded_space *space);
json_t *space_print_t4(const struct recorded_space *space);
json_t *space_print_t1(const struct recorded_space *space, const char *path);
json_t *space_print_ktt(const struct recorded_space *space);

#endif

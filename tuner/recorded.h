/* Recorded spaces: every config of a space, or a sample of them, with what it took on some device.
 *
 * They come from `hone lab record` and from other tuners' files (docs/search.md), and a search can be replayed on them without
 * the device (tuner/replay.h). */
#ifndef TUNER_RECORDED_H
#define TUNER_RECORDED_H

#include "base/arena.h"
#include "base/text.h"
#include "tuner/record.h"

enum {
    RECORDED_PARAMETERS_MAX = 64,
    RECORDED_VALUES_MAX = 1024, /* of one parameter */
    RECORDED_CONFIGS_MAX = 1 << 18,
    RECORDED_SAMPLES_MAX = 1024, /* of one config */
    RECORDED_FILE_BYTES_MAX = 128 << 20
};

struct recorded_parameter {
    const char *name;
    int value_count;
    const char **texts; /* as files write them */
    double *numbers;    /* words: their places in the list */
    bool is_numeric;
    size_t capacity;
    int last; /* the value that was asked for last */
};

struct recorded_config {
    int32_t *indices; /* by parameter; -1: it has none (another variant's) */
    enum record_status status;
    double seconds;                          /* median; 0 unless the status is OK */
    double estimate;                         /* seconds by the analytic estimate; 0: none */
    double compile_seconds, measure_seconds; /* what finding out took; 0: unknown */
    int sample_count;
    const float *samples; /* seconds */
};

struct recorded_space {
    struct arena *arena;
    const char *name, *device, *kernel, *problem; /* "" where unknown */
    uint64_t legal_count;                         /* configs of the whole space; 0: unknown */
    int parameter_count, config_count;
    struct recorded_parameter parameters[RECORDED_PARAMETERS_MAX];
    struct recorded_config *configs;
    size_t config_capacity;
    int default_config;            /* -1: unknown */
    bool has_estimates, has_costs; /* every config has */
    int best;                      /* the fastest config */
    int *slots;                    /* config + 1 by the hash of its indices; 0: free */
    size_t slot_count;
};

/* Building one: parameters, then values and configs, then the end, which sorts values, drops configs that come twice, and
 * fails when nothing good is left.  `place` names the source in messages. */
CHECKED status recorded_create(struct arena *arena, const char *name, struct recorded_space **space,
                               struct diagnostic *diagnostic);
CHECKED status recorded_add_parameter(struct recorded_space *space, const char *name,
                                      const char *place, struct diagnostic *diagnostic);
/* The value's index; it is added if it is new. */
CHECKED status recorded_value(struct recorded_space *space, int parameter, const char *text,
                              const char *place, int32_t *index, struct diagnostic *diagnostic);
/* A new config with indices of -1. */
CHECKED status recorded_add_config(struct recorded_space *space, const char *place,
                                   struct recorded_config **config, struct diagnostic *diagnostic);
CHECKED status recorded_finish(struct recorded_space *space, const char *place,
                               struct diagnostic *diagnostic);

/* The config with these indices, or -1. */
int recorded_find(const struct recorded_space *space, const int32_t *indices);
/* Of a parameter with this name, or -1. */
int recorded_parameter_index(const struct recorded_space *space, const char *name);

/* The median of samples; they are copied. */
CHECKED status recorded_set_samples(struct recorded_space *space, struct recorded_config *config,
                                    const double *samples, int count,
                                    struct diagnostic *diagnostic);

/* recorded_csv.c: Hone's own form, which is a CSV file with a head of `#` lines, and other CSV files. */
CHECKED status recorded_read_csv(const char *path, const char *bytes, size_t byte_count,
                                 struct arena *arena, struct recorded_space **space,
                                 struct diagnostic *diagnostic);
CHECKED status recorded_print_csv(const struct recorded_space *space, struct text *text,
                                  struct diagnostic *diagnostic);

#endif

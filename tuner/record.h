/* Records: one measurement of one candidate for one problem on one class of devices, failures
 * included.
 *
 * Records are facts and are never changed.  Which candidate to use is a pure function of them
 * (tuner/decision.h). */
#ifndef TUNER_RECORD_H
#define TUNER_RECORD_H

#include "base/arena.h"
#include "base/hash.h"

#include <stdint.h>

enum record_status {
#define RECORD_STATUS(NAME, name, meaning) RECORD_##NAME,
#include "tuner/record_status.def"
#undef RECORD_STATUS
    RECORD_STATUS_COUNT
};

/* Finals are measured side by side, one sample of each candidate after the other, so that sample i
 * of one final record and sample i of another of the same session were taken at nearly the same
 * time. */
enum record_stage { RECORD_EXPLORED, RECORD_FINAL, RECORD_STAGE_COUNT };

/* Bits of what a candidate was when it was measured. */
enum record_role {
    RECORD_DEFAULT = 1,  /* the choice without any record */
    RECORD_INCUMBENT = 2 /* the choice before this session */
};

/* Version of how things are measured and checked.  Records of other versions are kept but decide
 * nothing. */
enum { RECORD_PROTOCOL = 1 };

enum { RECORD_SAMPLES_MAX = 1024 };

struct record {
    const char *problem; /* canonical text */
    struct hash problem_key;
    const char *candidate;    /* candidate_print's text */
    struct hash source;       /* of the variant's YAML and emitter; 0 for the reference */
    const char *device_class; /* device_facts.class_name */
    const char *compiler;     /* compile_identity() */
    int protocol;
    enum record_status status;
    const char *detail; /* what went wrong; when nothing did, what a card's kernels use, or "" */
    enum record_stage stage;
    int roles;
    int64_t session;                                      /* one run of the tuner on one problem */
    double median_seconds, least_seconds, spread_seconds; /* 0 unless status is OK */
    int sample_count;
    const float *samples; /* seconds, in the order in which they were taken */
    int64_t wall_time;    /* seconds since 1970, for people */
};

const char *record_status_name(enum record_status outcome);
const char *record_status_meaning(enum record_status outcome);
bool record_status_by_name(const char *name, enum record_status *outcome);
const char *record_stage_name(enum record_stage stage);
bool record_stage_by_name(const char *name, enum record_stage *stage);

/* Of all fields: damaged rows are noticed when they are read, and the same record is stored once.
 */
CHECKED status record_checksum(const struct record *record, struct arena *scratch,
                               struct hash *checksum, struct diagnostic *diagnostic);

/* Whether the numbers make sense: an OK record has a time between a nanosecond and a day, and as
 * many samples as it says. */
bool record_plausible(const struct record *record);

/* Whether a record from elsewhere can be what it says: the key is the problem's, texts are short and
 * can be printed, and times are those of the samples. */
bool record_is_credible(const struct record *record);

#endif

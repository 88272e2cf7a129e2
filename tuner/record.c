/* Names and checksums of records. */
#include "tuner/record.h"

#include "base/text.h"
#include "ir/problem.h"

#include <math.h>
#include <string.h>

struct status_row {
    const char *name, *meaning;
};

static const struct status_row status_rows[RECORD_STATUS_COUNT] = {
#define RECORD_STATUS(NAME, name, meaning) [RECORD_##NAME] = {#name, (meaning)},
#include "tuner/record_status.def"
#undef RECORD_STATUS
};

static const char *const stage_names[RECORD_STAGE_COUNT] = {
    [RECORD_EXPLORED] = "explored", [RECORD_FINAL] = "final"};

const char *record_status_name(enum record_status outcome)
{
    return status_rows[outcome].name;
}

const char *record_status_meaning(enum record_status outcome)
{
    return status_rows[outcome].meaning;
}

bool record_status_by_name(const char *name, enum record_status *outcome)
{
    for (int s = 0; s < RECORD_STATUS_COUNT; s++) {
        if (strcmp(status_rows[s].name, name) != 0) continue;
        *outcome = (enum record_status)s;
        return true;
    }
    return false;
}

const char *record_stage_name(enum record_stage stage)
{
    return stage_names[stage];
}

bool record_stage_by_name(const char *name, enum record_stage *stage)
{
    for (int s = 0; s < RECORD_STAGE_COUNT; s++) {
        if (strcmp(stage_names[s], name) != 0) continue;
        *stage = (enum record_stage)s;
        return true;
    }
    return false;
}

static void add_text(struct text *bytes, const char *string)
{
    text_append_range(bytes, string, strlen(string) + 1); /* the zero keeps neighbours apart */
}

static void add_integer(struct text *bytes, int64_t value)
{
    text_append_range(bytes, (const char *)&value, sizeof value);
}

static void add_real(struct text *bytes, double value)
{
    text_append_range(bytes, (const char *)&value, sizeof value);
}

static void add_hash(struct text *bytes, struct hash hash)
{
    add_integer(bytes, (int64_t)hash.high);
    add_integer(bytes, (int64_t)hash.low);
}

status record_checksum(const struct record *record, struct arena *scratch, struct hash *checksum,
                       struct diagnostic *diagnostic)
{
    struct text bytes = {.arena = scratch};
    add_text(&bytes, record->problem);
    add_hash(&bytes, record->problem_key);
    add_text(&bytes, record->candidate);
    add_hash(&bytes, record->source);
    add_text(&bytes, record->device_class);
    add_text(&bytes, record->compiler);
    add_integer(&bytes, record->protocol);
    add_text(&bytes, record_status_name(record->status));
    add_text(&bytes, record->detail);
    add_text(&bytes, record_stage_name(record->stage));
    add_integer(&bytes, record->roles);
    add_integer(&bytes, record->session);
    add_real(&bytes, record->median_seconds);
    add_real(&bytes, record->least_seconds);
    add_real(&bytes, record->spread_seconds);
    add_integer(&bytes, record->sample_count);
    if (record->sample_count)
        text_append_range(&bytes, (const char *)record->samples,
                          (size_t)record->sample_count * sizeof *record->samples);
    add_integer(&bytes, record->wall_time);
    if (!text_finish(&bytes)) return fail_memory(diagnostic, bytes.length);
    *checksum = hash_bytes(bytes.bytes, bytes.length);
    return STATUS_OK;
}

bool record_plausible(const struct record *record)
{
    const double least = 1e-9, most = 86400;
    if (record->sample_count < 0 || record->sample_count > RECORD_SAMPLES_MAX) return false;
    if (record->status != RECORD_OK) return true;
    if (record->sample_count < 1) return false;
    if (!(record->median_seconds >= least && record->median_seconds <= most)) return false;
    if (!(record->least_seconds >= least &&
          record->least_seconds <= record->median_seconds * 1.001))
        return false;
    return record->spread_seconds >= 0 && record->spread_seconds <= most;
}

/* Bytes that a terminal shows: no control characters but the ends of a compiler's lines. */
static bool is_printable(const char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);
    if (length > most) return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) return false;
    }
    return true;
}

/* The median lies among the samples; they are kept as floats. */
static bool are_times_of_samples(const struct record *record)
{
    const double rounding = 1e-3;
    double least = INFINITY, most = 0;
    for (int i = 0; i < record->sample_count; i++) {
        double sample = (double)record->samples[i];
        if (!(sample > 0 && isfinite(sample))) return false;
        least = fmin(least, sample);
        most = fmax(most, sample);
    }
    return record->status != RECORD_OK || (record->median_seconds >= least * (1 - rounding) &&
                                           record->median_seconds <= most * (1 + rounding) &&
                                           fabs(record->least_seconds - least) <= least * rounding);
}

bool record_is_credible(const struct record *record)
{
    enum { PROBLEM_MOST = 8192, NAME_MOST = 1024, DETAIL_MOST = 65536 };
    return is_printable(record->problem, PROBLEM_MOST) &&
           is_printable(record->candidate, NAME_MOST) && *record->candidate &&
           is_printable(record->device_class, NAME_MOST) && *record->device_class &&
           is_printable(record->compiler, NAME_MOST) && is_printable(record->detail, DETAIL_MOST) &&
           hash_equal(record->problem_key, problem_text_key(record->problem)) &&
           record->protocol >= 0 && (record->roles & ~(RECORD_DEFAULT | RECORD_INCUMBENT)) == 0 &&
           record->wall_time >= 0 && are_times_of_samples(record);
}

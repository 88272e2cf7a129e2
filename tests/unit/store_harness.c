/* A folder for one test of the store, and a family of records. */
#include "tests/unit/store_harness.h"

#include "base/file.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

static void count_warning(void *context, const char *message)
{
    struct place *place = context;
    place->warnings++;
    snprintf(place->last_warning, sizeof place->last_warning, "%s", message);
}

void place_make(struct place *place)
{
    char folder[SCRATCH_BYTES];
    assert_int_equal(scratch_create(folder), 0);
    *place = (struct place){.arena = arena_create(0)};
    place->folder = arena_text(place->arena, folder);
    place->path = file_join(place->arena, folder, "records.db");
    place->progress = (struct progress){.context = place, .warn = count_warning};
}

void place_remove(struct place *place)
{
    scratch_remove(place->folder); /* which some tests take away themselves */
    arena_destroy(place->arena);
}

struct store *open_store(struct place *place)
{
    struct diagnostic diagnostic = {0};
    struct store *store;
    CHECK_OK(store_open(place->folder, &place->progress, &store, &diagnostic));
    return store;
}

static float sample_values[RECORD_SAMPLES_MAX];

/* Of three problems, that of record `n`. */
static const char *problem_of(int n)
{
    static const char *const problems[] = {
        "linear(f32[rows,64], q8_0[32,64], _, _) -> f32[rows,32] rows<=1",
        "linear(f32[rows,64], q8_0[32,64], _, _) -> f32[rows,32] rows<=2",
        "linear(f32[rows,64], q8_0[32,64], _, _) -> f32[rows,32] rows<=4"};
    return problems[n % 3];
}

struct hash record_key(int n)
{
    return hash_text(problem_of(n));
}

/* Record `n` of a family: all fields depend on n. */
struct record make_record(int n)
{
    for (int i = 0; i < 64; i++) sample_values[i] = 1e-6f * (float)(n + 1) * (1 + 0.01f * (float)i);
    static char candidate[64];
    snprintf(candidate, sizeof candidate, "linear_dot_cpu streams=%d", n);
    struct record record = {
        .problem = problem_of(n),
        .problem_key = record_key(n),
        .candidate = candidate,
        .source = {.high = 5, .low = 6},
        .device_class = n % 2 ? "odd" : "even",
        .compiler = "llvm 19.1.7",
        .protocol = RECORD_PROTOCOL,
        .status = n % 4 == 3 ? RECORD_CRASHED : RECORD_OK,
        .detail = n % 4 == 3 ? "killed by signal 11" : "",
        .stage = n % 5 ? RECORD_EXPLORED : RECORD_FINAL,
        .roles = n % 4,
        .session = 1000 + n,
        .wall_time = 1700000000 + n,
    };
    if (record.status == RECORD_OK) {
        record.sample_count = 1 + n % 64;
        record.median_seconds = 1e-6 * (n + 1) * (1 + 0.005 * (record.sample_count - 1));
        record.least_seconds = 1e-6 * (n + 1);
        record.spread_seconds = 1e-8;
        record.samples = sample_values;
    }
    return record;
}

void add_record(struct store *store, int n)
{
    struct diagnostic diagnostic = {0};
    struct record record = make_record(n);
    CHECK_OK(store_add(store, &record, &diagnostic));
}

void check_records_equal(const struct record *a, const struct record *b)
{
    CHECK_TEXT(a->problem, b->problem);
    CHECK_TEXT(a->candidate, b->candidate);
    CHECK_TEXT(a->device_class, b->device_class);
    CHECK_TEXT(a->compiler, b->compiler);
    CHECK_TEXT(a->detail, b->detail);
    assert_true(hash_equal(a->problem_key, b->problem_key) && hash_equal(a->source, b->source));
    assert_true(a->status == b->status && a->stage == b->stage && a->roles == b->roles &&
                a->session == b->session && a->wall_time == b->wall_time &&
                a->protocol == b->protocol && a->sample_count == b->sample_count);
    assert_true(a->median_seconds == b->median_seconds && a->least_seconds == b->least_seconds &&
                a->spread_seconds == b->spread_seconds);
    if (a->sample_count)
        assert_memory_equal(a->samples, b->samples, (size_t)a->sample_count * sizeof *a->samples);
}

/* Each record is one of the family. */
bool check_known(void *context, const struct record *record)
{
    struct record expected = make_record((int)(record->session - 1000));
    check_records_equal(record, &expected);
    if (context) ++*(int *)context;
    return true;
}

int count_records(struct store *store)
{
    struct diagnostic diagnostic = {0};
    int count = 0;
    CHECK_OK(store_each(store, check_known, &count, &diagnostic));
    return count;
}

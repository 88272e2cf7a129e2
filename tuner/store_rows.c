/* Rows of the store: writing, reading, checking. */
#include "tuner/store_internal.h"

#include <string.h>

#define RECORD_COLUMNS                                                                             \
    "problem_key, device_class, protocol, problem, candidate, source, compiler, status, detail, "  \
    "stage, roles, session, median_seconds, least_seconds, spread_seconds, sample_count, "         \
    "samples, wall_time, checksum"

/* In the order of RECORD_COLUMNS. */
enum column {
    COLUMN_PROBLEM_KEY,
    COLUMN_DEVICE_CLASS,
    COLUMN_PROTOCOL,
    COLUMN_PROBLEM,
    COLUMN_CANDIDATE,
    COLUMN_SOURCE,
    COLUMN_COMPILER,
    COLUMN_STATUS,
    COLUMN_DETAIL,
    COLUMN_STAGE,
    COLUMN_ROLES,
    COLUMN_SESSION,
    COLUMN_MEDIAN,
    COLUMN_LEAST,
    COLUMN_SPREAD,
    COLUMN_SAMPLE_COUNT,
    COLUMN_SAMPLES,
    COLUMN_WALL_TIME,
    COLUMN_CHECKSUM
};

/* INSERT OR IGNORE: a record that is there already, as when two stores are merged, is not added
 * again. */
#define ADD_SQL(schema)                                                                            \
    "INSERT OR IGNORE INTO " schema ".records (" RECORD_COLUMNS ") VALUES "                        \
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define FIND_SQL(schema)                                                                           \
    "SELECT " RECORD_COLUMNS " FROM " schema ".records "                                           \
    "WHERE problem_key = ? AND device_class = ? AND protocol = ? ORDER BY id"
#define ROUTED_SQL(schema)                                                                         \
    "SELECT " RECORD_COLUMNS " FROM " schema ".records "                                           \
    "WHERE problem_key BETWEEN ? AND ? AND device_class = ? AND protocol = ? ORDER BY id"
#define ELSEWHERE_SQL(schema)                                                                      \
    "SELECT " RECORD_COLUMNS " FROM " schema ".records "                                           \
    "WHERE problem_key = ? AND device_class <> ? AND protocol = ? ORDER BY id"
#define FINALS_SQL(schema)                                                                         \
    "SELECT " RECORD_COLUMNS " FROM " schema ".records "                                           \
    "WHERE problem >= ? || '(' AND problem < ? || ')' AND device_class = ? AND protocol = ? "      \
    "AND stage = 'final' ORDER BY problem_key, id"
#define ALL_SQL(schema) "SELECT " RECORD_COLUMNS " FROM " schema ".records ORDER BY id"

static const char *const statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_ADD_FILE] = ADD_SQL("main"),
    [STATEMENT_ADD_MEMORY] = ADD_SQL("temp"),
    [STATEMENT_FIND_FILE] = FIND_SQL("main"),
    [STATEMENT_FIND_MEMORY] = FIND_SQL("temp"),
    [STATEMENT_ROUTED_FILE] = ROUTED_SQL("main"),
    [STATEMENT_ROUTED_MEMORY] = ROUTED_SQL("temp"),
    [STATEMENT_ELSEWHERE_FILE] = ELSEWHERE_SQL("main"),
    [STATEMENT_ELSEWHERE_MEMORY] = ELSEWHERE_SQL("temp"),
    [STATEMENT_FINALS_FILE] = FINALS_SQL("main"),
    [STATEMENT_FINALS_MEMORY] = FINALS_SQL("temp"),
    [STATEMENT_ALL_FILE] = ALL_SQL("main"),
    [STATEMENT_ALL_MEMORY] = ALL_SQL("temp"),
};

bool store_prepare(struct store *store)
{
    for (int s = 0; s < STATEMENT_COUNT; s++)
        if (sqlite3_prepare_v3(store->database, statement_texts[s], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[s], NULL) != SQLITE_OK)
            return false;
    return true;
}

static void bind_text(sqlite3_stmt *row, enum column column, const char *text)
{
    sqlite3_bind_text(row, (int)column + 1, text, -1, SQLITE_STATIC);
}

static void bind_hash(sqlite3_stmt *row, enum column column, struct hash hash,
                      char buffer[static HASH_TEXT_BYTES])
{
    bind_text(row, column, hash_print(hash, buffer));
}

static void bind_integer(sqlite3_stmt *row, enum column column, int64_t value)
{
    sqlite3_bind_int64(row, (int)column + 1, value);
}

static void bind_real(sqlite3_stmt *row, enum column column, double value)
{
    sqlite3_bind_double(row, (int)column + 1, value);
}

int store_insert(struct store *store, enum store_statement statement, const struct record *record,
                 struct hash checksum)
{
    sqlite3_stmt *row = store->statements[statement];
    char key[HASH_TEXT_BYTES], source[HASH_TEXT_BYTES], check[HASH_TEXT_BYTES];
    bind_hash(row, COLUMN_PROBLEM_KEY, record->problem_key, key);
    bind_text(row, COLUMN_DEVICE_CLASS, record->device_class);
    bind_integer(row, COLUMN_PROTOCOL, record->protocol);
    bind_text(row, COLUMN_PROBLEM, record->problem);
    bind_text(row, COLUMN_CANDIDATE, record->candidate);
    bind_hash(row, COLUMN_SOURCE, record->source, source);
    bind_text(row, COLUMN_COMPILER, record->compiler);
    bind_text(row, COLUMN_STATUS, record_status_name(record->status));
    bind_text(row, COLUMN_DETAIL, record->detail);
    bind_text(row, COLUMN_STAGE, record_stage_name(record->stage));
    bind_integer(row, COLUMN_ROLES, record->roles);
    bind_integer(row, COLUMN_SESSION, record->session);
    bind_real(row, COLUMN_MEDIAN, record->median_seconds);
    bind_real(row, COLUMN_LEAST, record->least_seconds);
    bind_real(row, COLUMN_SPREAD, record->spread_seconds);
    bind_integer(row, COLUMN_SAMPLE_COUNT, record->sample_count);
    sqlite3_bind_blob(row, COLUMN_SAMPLES + 1,
                      record->sample_count ? (const void *)record->samples : "",
                      record->sample_count * (int)sizeof *record->samples, SQLITE_STATIC);
    bind_integer(row, COLUMN_WALL_TIME, record->wall_time);
    bind_hash(row, COLUMN_CHECKSUM, checksum, check);
    int code = sqlite3_step(row);
    sqlite3_reset(row);
    sqlite3_clear_bindings(row);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* A column's text in the arena; NULL when it holds something else. */
static const char *column_text(sqlite3_stmt *row, enum column column, struct arena *arena)
{
    if (sqlite3_column_type(row, (int)column) != SQLITE_TEXT) return NULL;
    const char *text = (const char *)sqlite3_column_text(row, (int)column);
    int bytes = sqlite3_column_bytes(row, (int)column);
    if (!text || strlen(text) != (size_t)bytes) return NULL;
    return arena_text(arena, text);
}

static bool column_hash(sqlite3_stmt *row, enum column column, struct hash *hash)
{
    const char *text = (const char *)sqlite3_column_text(row, (int)column);
    return text && hash_parse(text, hash);
}

static bool column_samples(sqlite3_stmt *row, struct arena *arena, struct record *record)
{
    int64_t count = sqlite3_column_int64(row, COLUMN_SAMPLE_COUNT);
    int bytes = sqlite3_column_bytes(row, COLUMN_SAMPLES);
    if (count < 0 || count > RECORD_SAMPLES_MAX ||
        (int64_t)bytes != count * (int64_t)sizeof *record->samples)
        return false;
    record->sample_count = (int)count;
    if (!count) return true;
    record->samples = arena_copy(arena, sqlite3_column_blob(row, COLUMN_SAMPLES), (size_t)bytes);
    return record->samples != NULL;
}

/* Fills everything but checks little: the checksum comes after. */
static bool read_columns(sqlite3_stmt *row, struct arena *arena, struct record *record)
{
    record->problem = column_text(row, COLUMN_PROBLEM, arena);
    record->candidate = column_text(row, COLUMN_CANDIDATE, arena);
    record->device_class = column_text(row, COLUMN_DEVICE_CLASS, arena);
    record->compiler = column_text(row, COLUMN_COMPILER, arena);
    record->detail = column_text(row, COLUMN_DETAIL, arena);
    if (!record->problem || !record->candidate || !record->device_class || !record->compiler ||
        !record->detail)
        return false;
    record->protocol = sqlite3_column_int(row, COLUMN_PROTOCOL);
    record->roles = sqlite3_column_int(row, COLUMN_ROLES);
    record->session = sqlite3_column_int64(row, COLUMN_SESSION);
    record->wall_time = sqlite3_column_int64(row, COLUMN_WALL_TIME);
    record->median_seconds = sqlite3_column_double(row, COLUMN_MEDIAN);
    record->least_seconds = sqlite3_column_double(row, COLUMN_LEAST);
    record->spread_seconds = sqlite3_column_double(row, COLUMN_SPREAD);
    const char *status_text = (const char *)sqlite3_column_text(row, COLUMN_STATUS);
    const char *stage_text = (const char *)sqlite3_column_text(row, COLUMN_STAGE);
    return status_text && record_status_by_name(status_text, &record->status) && stage_text &&
           record_stage_by_name(stage_text, &record->stage) &&
           column_hash(row, COLUMN_PROBLEM_KEY, &record->problem_key) &&
           column_hash(row, COLUMN_SOURCE, &record->source) && column_samples(row, arena, record);
}

bool store_read_row(struct store *store, sqlite3_stmt *row, struct arena *arena,
                    struct record *record, status *code, struct diagnostic *diagnostic)
{
    struct hash stored, computed;
    *record = (struct record){0};
    *code = STATUS_OK;
    bool good = read_columns(row, arena, record) && column_hash(row, COLUMN_CHECKSUM, &stored);
    if (good) {
        *code = record_checksum(record, arena, &computed, diagnostic);
        if (*code != STATUS_OK) return false;
        good = hash_equal(stored, computed) && record_plausible(record) &&
               (!store->foreign || record_is_credible(record));
    }
    if (!good && store->damaged++ == 0)
        progress_warn(store->progress,
                      "%s: a damaged record was left out; 'hone store doctor' "
                      "counts them",
                      store->path);
    return good;
}

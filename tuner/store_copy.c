/* Copying records from one store to another: what is there stays, whatever comes. */
#include "tuner/store_internal.h"

#include <string.h>

/* Rows of a transaction: few enough that other writers wait for milliseconds only. */
enum { ROWS_TOGETHER = 256 };

static const char known_sql[] = "SELECT count(*) FROM main.records WHERE checksum = ?1";

/* One measurement of a candidate has one result.  Rows that came with this copy (id above ?9) are not asked. */
static const char conflict_sql[] =
    "SELECT count(*) FROM main.records WHERE problem_key = ?1 AND device_class = ?2 AND "
    "protocol = ?3 AND session = ?4 AND candidate = ?5 AND stage = ?6 AND wall_time = ?7 AND "
    "sample_count = ?8 AND id <= ?9";

struct copying {
    const struct store_copy *copy;
    struct store_copied *copied;
    sqlite3_stmt *known, *conflict;
    int64_t last_id; /* of the rows that were there before */
    int together;
    struct arena *scratch;
    status code;
    struct diagnostic *diagnostic;
};

static status refuse(struct copying *copying, const char *what)
{
    const struct store *to = copying->copy->to;
    return fail(copying->diagnostic, STATUS_INPUT_OUTPUT,
                "%s: %s: %s; %ld records came in before, the same command goes on from there",
                to->path, what, sqlite3_errmsg(to->database), copying->copied->added);
}

static bool run(const struct copying *copying, const char *sql)
{
    return sqlite3_exec(copying->copy->to->database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool has_any(sqlite3_stmt *row)
{
    bool any = sqlite3_step(row) == SQLITE_ROW && sqlite3_column_int64(row, 0) > 0;
    sqlite3_reset(row);
    return any;
}

static bool is_known(const struct copying *copying, struct hash checksum)
{
    char text[HASH_TEXT_BYTES];
    hash_print(checksum, text);
    sqlite3_bind_text(copying->known, 1, text, -1, SQLITE_TRANSIENT);
    return has_any(copying->known);
}

static bool is_conflict(const struct copying *copying, const struct record *record)
{
    char key[HASH_TEXT_BYTES];
    sqlite3_stmt *row = copying->conflict;
    hash_print(record->problem_key, key);
    sqlite3_bind_text(row, 1, key, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(row, 2, record->device_class, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(row, 3, record->protocol);
    sqlite3_bind_int64(row, 4, record->session);
    sqlite3_bind_text(row, 5, record->candidate, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(row, 6, record_stage_name(record->stage), -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 7, record->wall_time);
    sqlite3_bind_int(row, 8, record->sample_count);
    sqlite3_bind_int64(row, 9, copying->last_id);
    return has_any(row);
}

static status begin_anew(struct copying *copying)
{
    if (copying->together++ % ROWS_TOGETHER != 0) return STATUS_OK;
    if (copying->together > 1 && !run(copying, "COMMIT")) return refuse(copying, "not written");
    return run(copying, "BEGIN IMMEDIATE") ? STATUS_OK : refuse(copying, "not open for writing");
}

static status add_row(struct copying *copying, const struct record *record)
{
    struct hash checksum;
    TRY(record_checksum(record, copying->scratch, &checksum, copying->diagnostic));
    TRY(begin_anew(copying));
    if (is_known(copying, checksum)) {
        copying->copied->known++;
    } else if (is_conflict(copying, record)) {
        copying->copied->conflicts++;
    } else {
        if (store_insert(copying->copy->to, STATEMENT_ADD_FILE, record, checksum) != SQLITE_OK)
            return refuse(copying, "a record could not be added");
        copying->copied->added++;
    }
    return STATUS_OK;
}

static bool copy_row(void *context, const struct record *record)
{
    struct copying *copying = context;
    const char *op = copying->copy->op;
    size_t length = op ? strlen(op) : 0;
    if (op && (strncmp(record->problem, op, length) != 0 || record->problem[length] != '('))
        return true;
    copying->code = add_row(copying, record);
    arena_reset(copying->scratch);
    return copying->code == STATUS_OK;
}

static bool copy_origin(void *context, const struct origin *origin)
{
    struct copying *copying = context;
    if (!store_insert_origin(copying->copy->to, origin))
        copying->code = refuse(copying, "an origin could not be added");
    else
        copying->copied->origins += sqlite3_changes(copying->copy->to->database);
    return copying->code == STATUS_OK;
}

static status copy_all(struct copying *copying)
{
    TRY(store_each(copying->copy->from, copy_row, copying, copying->diagnostic));
    TRY(copying->code);
    TRY(store_each_origin(copying->copy->from, copy_origin, copying, copying->diagnostic));
    TRY(copying->code);
    if (copying->together && !run(copying, "COMMIT")) return refuse(copying, "not written");
    return STATUS_OK;
}

static bool prepare(struct copying *copying)
{
    sqlite3 *database = copying->copy->to->database;
    sqlite3_stmt *last;
    if (sqlite3_prepare_v2(database, "SELECT ifnull(max(id), 0) FROM main.records", -1, &last,
                           NULL) != SQLITE_OK)
        return false;
    copying->last_id = sqlite3_step(last) == SQLITE_ROW ? sqlite3_column_int64(last, 0) : 0;
    sqlite3_finalize(last);
    return sqlite3_prepare_v2(database, known_sql, -1, &copying->known, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(database, conflict_sql, -1, &copying->conflict, NULL) == SQLITE_OK;
}

status store_copy(const struct store_copy *copy, struct store_copied *copied,
                  struct diagnostic *diagnostic)
{
    struct copying copying = {.copy = copy, .copied = copied, .diagnostic = diagnostic};
    long damaged = copy->from->damaged;
    copying.scratch = arena_create(0);
    TRY_MEMORY(copying.scratch, diagnostic);
    status code = prepare(&copying) ? copy_all(&copying) : refuse(&copying, "it cannot be read");
    if (!sqlite3_get_autocommit(copy->to->database)) run(&copying, "ROLLBACK");
    sqlite3_finalize(copying.known);
    sqlite3_finalize(copying.conflict);
    copied->left_out += copy->from->damaged - damaged;
    arena_destroy(copying.scratch);
    return code;
}

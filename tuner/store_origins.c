/* Where records come from: the facts of each class of devices.  A record's origin is the latest of its class that is not
 * younger than the record.
 *
 * Origins tell which class is near to which (tuner/nearest.h), and people what was measured on; no decision needs them, so a
 * store that cannot keep them is a store all the same. */
#include "base/clock.h"
#include "base/text.h"
#include "tuner/store_internal.h"
#include "tuner/store_schema.h"

#include <string.h>

static const char insert_sql[] =
    "INSERT OR IGNORE INTO main.origins (device_class, hone, since, facts, checksum) VALUES "
    "(?1, ?2, ?3, ?4, ?5)";
static const char known_sql[] =
    "SELECT count(*) FROM main.origins WHERE device_class = ?1 AND hone = ?2";
static const char each_sql[] =
    "SELECT device_class, hone, since, facts, checksum FROM main.origins ORDER BY since, checksum";

/* Far above what Hone writes. */
enum { TEXT_MOST_BYTES = 16384 };

static struct hash checksum_of(const struct origin *origin)
{
    struct hash hash = hash_combine(hash_text(origin->device_class), hash_text(origin->hone));
    return hash_combine(hash_combine(hash, hash_text(origin->facts)),
                        hash_bytes(&origin->since, sizeof origin->since));
}

bool store_insert_origin(struct store *store, const struct origin *origin)
{
    char checksum[HASH_TEXT_BYTES];
    sqlite3_stmt *row;
    hash_print(checksum_of(origin), checksum);
    if (sqlite3_exec(store->database, MAKE_TABLE("main.") ORIGIN_TABLE, NULL, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_prepare_v2(store->database, insert_sql, -1, &row, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_text(row, 1, origin->device_class, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, origin->hone, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 3, origin->since);
    sqlite3_bind_text(row, 4, origin->facts, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 5, checksum, -1, SQLITE_STATIC);
    int code = sqlite3_step(row);
    sqlite3_finalize(row);
    return code == SQLITE_DONE;
}

static bool is_noted(struct store *store, const struct origin *origin)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(store->database, known_sql, -1, &row, NULL) != SQLITE_OK) return false;
    sqlite3_bind_text(row, 1, origin->device_class, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, origin->hone, -1, SQLITE_STATIC);
    bool noted = sqlite3_step(row) == SQLITE_ROW && sqlite3_column_int(row, 0) > 0;
    sqlite3_finalize(row);
    return noted;
}

status store_note_origin(struct store *store, const struct device_facts *facts,
                         struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct text text = {.arena = scratch};
    device_facts_print(facts, &text);
    const struct origin origin = {.device_class = facts->class_name,
                                  .hone = HONE_VERSION_TEXT,
                                  .facts = text_finish(&text),
                                  .since = clock_wall_seconds()};
    bool writable = !sqlite3_db_readonly(store->database, "main"), kept = true;
    if (origin.facts && writable && !is_noted(store, &origin))
        kept = store_insert_origin(store, &origin);
    if (!kept)
        progress_warn(store->progress, "%s: what this device is was not kept: %s", store->path,
                      sqlite3_errmsg(store->database));
    status code = origin.facts ? STATUS_OK : fail_memory(diagnostic, text.length);
    arena_destroy(scratch);
    return code;
}

static const char *text_of(sqlite3_stmt *row, int column, struct arena *arena)
{
    if (sqlite3_column_type(row, column) != SQLITE_TEXT ||
        sqlite3_column_bytes(row, column) > TEXT_MOST_BYTES)
        return NULL;
    const char *text = (const char *)sqlite3_column_text(row, column);
    if (!text || strlen(text) != (size_t)sqlite3_column_bytes(row, column)) return NULL;
    return arena_text(arena, text);
}

/* False for a row that is damaged. */
static bool read_origin(sqlite3_stmt *row, struct arena *arena, struct origin *origin)
{
    struct hash stored;
    const char *checksum = text_of(row, 4, arena);
    *origin = (struct origin){.device_class = text_of(row, 0, arena),
                              .hone = text_of(row, 1, arena),
                              .facts = text_of(row, 3, arena),
                              .since = sqlite3_column_int64(row, 2)};
    return checksum && origin->device_class && origin->hone && origin->facts &&
           hash_parse(checksum, &stored) && hash_equal(stored, checksum_of(origin));
}

status store_each_origin(struct store *store,
                         bool (*visit)(void *context, const struct origin *origin), void *context,
                         struct diagnostic *diagnostic)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(store->database, each_sql, -1, &row, NULL) != SQLITE_OK)
        return STATUS_OK; /* a store from before there were origins */
    struct arena *scratch = arena_create(0);
    if (!scratch) {
        sqlite3_finalize(row);
        return fail_memory(diagnostic, 0);
    }
    bool go_on = true;
    while (go_on && sqlite3_step(row) == SQLITE_ROW) {
        struct origin origin;
        if (read_origin(row, scratch, &origin))
            go_on = visit(context, &origin);
        else
            store->damaged++;
        arena_reset(scratch);
    }
    sqlite3_finalize(row);
    arena_destroy(scratch);
    return STATUS_OK;
}

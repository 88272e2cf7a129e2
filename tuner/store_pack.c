/* Packs: writing them, and opening files from elsewhere.
 *
 * A pack is a store's file (the same tables, so that the same SQL asks it) with one table more, which names the form, the
 * version of Hone, the time, and a digest of the checksums of all rows: a row that was taken away, added or exchanged is
 * noticed.  It holds no code: that is compiled anew from the candidates' names.
 *
 * A file from elsewhere may have been made to do harm.  It is opened for reading only, as one that does not change; its schema
 * must be ours to the letter, so that there are no triggers, views, or expressions in indexes; and SQLite is told not to
 * trust it before anything is read. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tuner/store_internal.h"
#include "tuner/store_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A record with all samples is below 8 KiB; a million of them is more than a card has ever been asked. */
static const int64_t file_most_bytes = (int64_t)8 << 30;

/* ---- What is not believed ---- */

void store_harden(struct store *store)
{
    enum { VALUE_MOST_BYTES = 1 << 20, SQL_MOST_BYTES = 1 << 16, COLUMNS_MOST = 64 };
    sqlite3 *database = store->database;
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, VALUE_MOST_BYTES);
    sqlite3_limit(database, SQLITE_LIMIT_SQL_LENGTH, SQL_MOST_BYTES);
    sqlite3_limit(database, SQLITE_LIMIT_COLUMN, COLUMNS_MOST);
    sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(database, SQLITE_LIMIT_TRIGGER_DEPTH, 0);
    sqlite3_exec(database, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;", NULL, NULL, NULL);
}

static bool is_ours(const char *sql)
{
    static const char *const texts[] = {"CREATE TABLE " RECORD_TABLE, "CREATE INDEX " RECORD_INDEX,
                                        "CREATE TABLE " ORIGIN_TABLE, "CREATE TABLE " PACK_TABLE};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        if (strcmp(sql, texts[t]) == 0) return true;
    return false;
}

bool store_schema_is_ours(struct store *store)
{
    sqlite3_stmt *row;
    int outcome, records = 0;
    bool ours = true;
    /* Indexes that SQLite makes for UNIQUE have no text. */
    if (sqlite3_prepare_v2(store->database, "SELECT sql, tbl_name, type FROM main.sqlite_master",
                           -1, &row, NULL) != SQLITE_OK)
        return false;
    while ((outcome = sqlite3_step(row)) == SQLITE_ROW) {
        const char *sql = (const char *)sqlite3_column_text(row, 0);
        const char *type = (const char *)sqlite3_column_text(row, 2);
        ours = ours && type && (sql ? is_ours(sql) : strcmp(type, "index") == 0);
        records += sql && strcmp(sql, "CREATE TABLE " RECORD_TABLE) == 0;
    }
    sqlite3_finalize(row);
    return ours && outcome == SQLITE_DONE && records == 1;
}

/* ---- The digest ---- */

static bool digest_rows(struct store *store, const char *sql, struct hash *digest)
{
    sqlite3_stmt *row;
    int outcome;
    if (sqlite3_prepare_v2(store->database, sql, -1, &row, NULL) != SQLITE_OK) return false;
    while ((outcome = sqlite3_step(row)) == SQLITE_ROW) {
        const char *checksum = (const char *)sqlite3_column_text(row, 0);
        *digest = hash_combine(*digest, hash_text(checksum ? checksum : ""));
    }
    sqlite3_finalize(row);
    return outcome == SQLITE_DONE;
}

/* Of what the pack says of itself and of all checksums; false when it cannot be read. */
static bool digest_pack(struct store *store, char text[static HASH_TEXT_BYTES])
{
    struct hash digest = hash_text("pack");
    /* main: a table of that name in memory would come first */
    bool read =
        digest_rows(
            store,
            "SELECT name || '=' || value FROM main.pack WHERE name <> 'digest' ORDER BY name",
            &digest) &&
        digest_rows(store, "SELECT checksum FROM main.origins ORDER BY checksum", &digest) &&
        digest_rows(store, "SELECT checksum FROM main.records ORDER BY checksum", &digest);
    hash_print(digest, text);
    return read;
}

/* ---- Reading ---- */

static bool has_pack_table(struct store *store)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(store->database, "SELECT value FROM main.pack", -1, &row, NULL) !=
        SQLITE_OK)
        return false;
    sqlite3_finalize(row);
    return true;
}

/* The value of a name in the table `pack`, in the store's arena; "" where it is absent. */
static const char *pack_value(struct store *store, const char *name)
{
    sqlite3_stmt *row;
    const char *value = "";
    if (sqlite3_prepare_v2(store->database, "SELECT value FROM main.pack WHERE name = ?1", -1, &row,
                           NULL) != SQLITE_OK)
        return value;
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) == SQLITE_TEXT)
        value = arena_text(store->arena, (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    return value ? value : "";
}

static bool is_whole(struct store *store)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(store->database, "PRAGMA integrity_check(1)", -1, &row, NULL) !=
        SQLITE_OK)
        return false;
    bool whole = sqlite3_step(row) == SQLITE_ROW && sqlite3_column_text(row, 0) &&
                 strcmp((const char *)sqlite3_column_text(row, 0), "ok") == 0;
    sqlite3_finalize(row);
    return whole;
}

static bool count_row(void *context, const struct record *record)
{
    (void)record;
    ++*(long *)context;
    return true;
}

static bool count_origin(void *context, const struct origin *origin)
{
    (void)origin;
    ++*(long *)context;
    return true;
}

/* A pack is taken as it was written, or not at all. */
static status check_pack(struct store *store, struct diagnostic *diagnostic)
{
    char digest[HASH_TEXT_BYTES];
    int64_t form = 0;
    long rows = 0;
    if (!text_to_integer(pack_value(store, "form"), &form) || form != PACK_FORM)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: a pack of the form \"%.20s\"; this Hone reads form %d: export it again "
                    "with the same version",
                    store->path, pack_value(store, "form"), PACK_FORM);
    if (!digest_pack(store, digest) || strcmp(digest, pack_value(store, "digest")) != 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: the pack's rows are not those that were written (its digest differs); "
                    "nothing was taken from it: export or copy it again",
                    store->path);
    TRY(store_each(store, count_row, &rows, diagnostic));
    TRY(store_each_origin(store, count_origin, &rows, diagnostic));
    if (store->damaged)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: %ld of %ld rows are damaged or cannot be what they say; nothing was taken "
                    "from it: export or copy it again",
                    store->path, store->damaged, rows + store->damaged);
    return STATUS_OK;
}

static status check_file(const char *path, struct diagnostic *diagnostic)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: there is no such file", path);
    if (!S_ISREG(facts.st_mode) ||
        !file_begins_with(path, "SQLite format 3", sizeof "SQLite format 3"))
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: this is no pack and no store of Hone", path);
    if (facts.st_size > file_most_bytes)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: a file of %lld bytes is no pack (at most %lld)", path,
                    (long long)facts.st_size, (long long)file_most_bytes);
    return STATUS_OK;
}

/* A store in use has its newest records in a log beside it, which SQLite must read; any other file is read as it is,
 * whatever lies beside it. */
static bool connect_foreign(struct store *store)
{
    struct stat facts;
    const char *log = arena_print(store->arena, "%s-wal", store->path);
    const char *address = store_immutable_address(store);
    if (!log || !address) return false;
    if (stat(log, &facts) == 0 && facts.st_size > 0)
        return store_connect_as(store, store->path, SQLITE_OPEN_READONLY);
    return store_connect_as(store, address, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

static status open_foreign(struct store *store, struct diagnostic *diagnostic)
{
    TRY(check_file(store->path, diagnostic));
    if (!connect_foreign(store))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: this is no pack and no store of Hone (its tables are others)",
                    store->path);
    if (!is_whole(store))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: the file is damaged; nothing was taken from it", store->path);
    return has_pack_table(store) ? check_pack(store, diagnostic) : STATUS_OK;
}

status store_open_foreign(const char *path, const struct progress *progress, struct store **result,
                          struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct store *store = arena_allocate(arena, 1, sizeof *store);
    const char *file =
        file_is_folder(path) ? file_join(arena, path, "records.db") : arena_text(arena, path);
    if (!store || !file) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *store);
    }
    *store = (struct store){.arena = arena, .progress = progress, .path = file, .foreign = true};
    status code = open_foreign(store, diagnostic);
    if (code != STATUS_OK) {
        store_close(store);
        return code;
    }
    *result = store;
    return STATUS_OK;
}

status store_import(struct store *store, const char *path, struct store_copied *copied,
                    struct diagnostic *diagnostic)
{
    struct store *other;
    *copied = (struct store_copied){0};
    if (!store->keeps)
        return fail(diagnostic, STATUS_INPUT_OUTPUT,
                    "%s cannot be written, so nothing can be imported: name another folder with "
                    "--cache",
                    store->path);
    TRY(store_open_foreign(path, store->progress, &other, diagnostic));
    const struct store_copy copy = {.from = other, .to = store};
    status code = store_copy(&copy, copied, diagnostic);
    store_close(other);
    return code;
}

/* ---- Writing ---- */

static bool set_value(struct store *pack, const char *name, const char *value)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(pack->database, "INSERT INTO main.pack (name, value) VALUES (?1, ?2)",
                           -1, &row, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, value, -1, SQLITE_STATIC);
    int code = sqlite3_step(row);
    sqlite3_finalize(row);
    return code == SQLITE_DONE;
}

static bool write_values(struct store *pack)
{
    char form[32], written[32], digest[HASH_TEXT_BYTES];
    snprintf(form, sizeof form, "%d", PACK_FORM);
    snprintf(written, sizeof written, "%lld", (long long)clock_wall_seconds());
    return set_value(pack, "form", form) && set_value(pack, "hone", HONE_VERSION_TEXT) &&
           set_value(pack, "written", written) && digest_pack(pack, digest) &&
           set_value(pack, "digest", digest);
}

static status fill_pack(struct store *pack, struct store *const *stores, int store_count,
                        const char *op, struct store_copied *copied, struct diagnostic *diagnostic)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (!store_connect_as(pack, pack->path, flags) ||
        sqlite3_exec(pack->database,
                     MAKE_TABLE("main.") ORIGIN_TABLE ";" MAKE_TABLE("main.") PACK_TABLE, NULL,
                     NULL, NULL) != SQLITE_OK)
        return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s could not be written", pack->path);
    for (int s = 0; s < store_count; s++) {
        const struct store_copy copy = {.from = stores[s], .to = pack, .op = op};
        TRY(store_copy(&copy, copied, diagnostic));
    }
    if (!write_values(pack))
        return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s could not be written: %s", pack->path,
                    sqlite3_errmsg(pack->database));
    return STATUS_OK;
}

/* Nobody sees a pack that is not finished. */
static status write_and_rename(struct arena *arena, struct store *const *stores, int store_count,
                               const char *op, const char *path, struct store_copied *copied,
                               struct diagnostic *diagnostic)
{
    const char *partial = arena_print(arena, "%s.partial-%d", path, (int)getpid());
    TRY_MEMORY(partial, diagnostic);
    file_remove(partial);
    struct store pack = {.arena = arena, .path = partial, .keeps = true, .alone = true};
    status code = fill_pack(&pack, stores, store_count, op, copied, diagnostic);
    store_disconnect(&pack);
    if (code == STATUS_OK && rename(partial, path) != 0)
        code = fail(diagnostic, STATUS_INPUT_OUTPUT, "%s could not be written", path);
    if (code != STATUS_OK) file_remove(partial);
    return code;
}

status store_write_pack(struct store *const *stores, int store_count, const char *op,
                        const char *path, struct store_copied *copied,
                        struct diagnostic *diagnostic)
{
    *copied = (struct store_copied){0};
    if (file_exists(path))
        return fail(diagnostic, STATUS_USAGE, "%s exists already: name a file that does not", path);
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    status code = write_and_rename(arena, stores, store_count, op, path, copied, diagnostic);
    arena_destroy(arena);
    return code;
}

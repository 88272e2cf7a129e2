/* The store's file: opening it, making its table, and what to do when it is not what it should be.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tuner/store_internal.h"
#include "tuner/store_schema.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    BUSY_MILLISECONDS =
        10000, /* another process writes for microseconds; it may be stopped in a debugger */
};

enum setup { SETUP_DONE, SETUP_BROKEN, SETUP_NEWER, SETUP_UNUSABLE };

static bool is_broken(int code)
{
    return (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT;
}

static int run_sql(struct store *store, const char *sql)
{
    return sqlite3_exec(store->database, sql, NULL, NULL, NULL);
}

/* The first column of the first row. */
static int read_number(struct store *store, const char *sql, int *number)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    *number = code == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* Write-ahead logging needs memory shared between processes, which network file systems do not
 * give. */
static bool is_network(const char *folder)
{
    static const unsigned long kinds[] = {
        0x6969 /* NFS */,      0x517b /* SMB */,        0xff534d42 /* CIFS */,
        0xfe534d42 /* SMB2 */, 0x0bd00bd0 /* Lustre */, 0x00c36400 /* Ceph */,
        0x5346414f /* AFS */,  0x47504653 /* GPFS */,   0x01021997 /* 9P */,
        0x65735546 /* FUSE */,
    };
    struct statfs facts;
    if (statfs(folder, &facts) != 0) return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (((unsigned long)facts.f_type & 0xffffffff) == kinds[i]) return true;
    return false;
}

/* Makes the table unless another process just did. */
static int create_schema(struct store *store)
{
    char mark[128];
    snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%d;", APPLICATION_ID,
             SCHEMA_VERSION);
    int code = run_sql(store, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = run_sql(store, MAKE_TABLE("main.") RECORD_TABLE);
    if (code == SQLITE_OK) code = run_sql(store, MAKE_INDEX("main.") RECORD_INDEX);
    if (code == SQLITE_OK) code = run_sql(store, mark);
    if (code == SQLITE_OK) code = run_sql(store, "COMMIT");
    if (code != SQLITE_OK) run_sql(store, "ROLLBACK");
    return code;
}

static enum setup check_schema(struct store *store)
{
    int application = 0, version = 0, tables = 0;
    int code = read_number(store, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) code = read_number(store, "PRAGMA user_version", &version);
    if (code == SQLITE_OK) code = read_number(store, "SELECT count(*) FROM sqlite_master", &tables);
    if (code != SQLITE_OK) return is_broken(code) ? SETUP_BROKEN : SETUP_UNUSABLE;
    if (!application && !version && !tables) {
        code = create_schema(store);
        if (code == SQLITE_OK) return SETUP_DONE;
        return is_broken(code) ? SETUP_BROKEN : SETUP_UNUSABLE;
    }
    if (application != APPLICATION_ID) return SETUP_BROKEN;
    return version > SCHEMA_VERSION ? SETUP_NEWER : SETUP_DONE;
}

static enum setup set_up(struct store *store)
{
    sqlite3_busy_timeout(store->database, BUSY_MILLISECONDS);
    sqlite3_extended_result_codes(store->database, 1);
    if (store->foreign) store_harden(store);
    enum setup setup = check_schema(store);
    if (setup != SETUP_DONE) return setup;
    if (store->foreign && !store_schema_is_ours(store)) return SETUP_BROKEN;
    /* With write-ahead logging a committed record outlives the process without waiting for the
     * disk.  Failing to switch it on (another process has the file open in another mode) costs
     * speed, nothing else. */
    if (!sqlite3_db_readonly(store->database, "main") && !store->alone &&
        !is_network(store->folder))
        run_sql(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;");
    run_sql(store, "PRAGMA temp_store=MEMORY;");
    if (run_sql(store, MAKE_TABLE("temp.") RECORD_TABLE) != SQLITE_OK) return SETUP_UNUSABLE;
    return store_prepare(store) ? SETUP_DONE : SETUP_BROKEN;
}

static enum setup open_path(struct store *store, const char *path, int flags)
{
    if (sqlite3_open_v2(path, &store->database, flags, NULL) != SQLITE_OK) {
        int code = sqlite3_errcode(store->database);
        store_disconnect(store);
        return is_broken(code) ? SETUP_BROKEN : SETUP_UNUSABLE;
    }
    enum setup setup = set_up(store);
    if (setup != SETUP_DONE) store_disconnect(store);
    return setup;
}

void store_disconnect(struct store *store)
{
    for (int s = 0; s < STATEMENT_COUNT; s++) {
        sqlite3_finalize(store->statements[s]);
        store->statements[s] = NULL;
    }
    sqlite3_close(store->database);
    store->database = NULL;
}

void store_give_up_file(struct store *store, const char *why)
{
    store->keeps = false;
    if (store->warned) return;
    store->warned = true;
    progress_warn(store->progress, "%s: %s; measurements are kept in memory only", store->path,
                  why);
}

/* Renames one of the store's files; nothing to do where it is absent. */
static void rename_aside(const struct store *store, const char *suffix, long long time)
{
    const char *from = arena_print(store->arena, "%s%s", store->path, suffix);
    const char *to = arena_print(store->arena, "%s.corrupt-%lld%s", store->path, time, suffix);
    for (int n = 1; n < 100 && to && access(to, F_OK) == 0; n++)
        to = arena_print(store->arena, "%s.corrupt-%lld-%d%s", store->path, time, n, suffix);
    if (from && access(from, F_OK) == 0 && (!to || rename(from, to) != 0)) unlink(from);
}

/* Whether the file is (still) no store of ours: another process may have moved it aside already. */
static bool is_still_broken(struct store *store)
{
    sqlite3 *database = NULL;
    struct store probe = {.path = store->path};
    bool broken = false;
    if (sqlite3_open_v2(store->path, &database, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        probe.database = database;
        sqlite3_busy_timeout(database, BUSY_MILLISECONDS);
        int application = 0, version = 0, sound = 0;
        int code = read_number(&probe, "PRAGMA application_id", &application);
        if (code == SQLITE_OK) code = read_number(&probe, "PRAGMA user_version", &version);
        if (code == SQLITE_OK)
            code = read_number(
                &probe, "SELECT integrity_check = 'ok' FROM pragma_integrity_check(1)", &sound);
        bool ours = application == APPLICATION_ID || (!application && !version);
        broken = is_broken(code) || (code == SQLITE_OK && (!ours || !sound));
    }
    sqlite3_close(database);
    return broken;
}

void store_move_aside(struct store *store, const char *why)
{
    const char *lock_path = arena_print(store->arena, "%s.lock", store->path);
    int lock = lock_path ? open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600) : -1;
    if (lock >= 0) flock(lock, LOCK_EX);
    if (is_still_broken(store)) {
        long long time = clock_wall_seconds();
        rename_aside(store, "-wal", time);
        rename_aside(store, "-shm", time);
        rename_aside(store, "", time);
        progress_warn(store->progress, "%s: %s; it was moved aside and a new one started",
                      store->path, why);
    }
    if (lock >= 0) close(lock);
}

const char *store_immutable_address(const struct store *store)
{
    struct text address = {.arena = store->arena};
    text_append(&address, "file:");
    for (const char *at = store->path; *at; at++)
        text_print(&address, strchr("%?#", *at) ? "%%%02X" : "%c", *at);
    text_append(&address, "?immutable=1");
    return text_finish(&address);
}

/* A file that cannot be written may still be read; in a folder that cannot be written, only as one
 * that does not change. */
static enum setup open_read_only(struct store *store)
{
    enum setup setup = open_path(store, store->path, SQLITE_OPEN_READONLY);
    if (setup == SETUP_DONE || !file_exists(store->path)) return setup;
    const char *address = store_immutable_address(store);
    if (!address) return SETUP_UNUSABLE;
    return open_path(store, address, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

bool store_connect_as(struct store *store, const char *address, int flags)
{
    return open_path(store, address, flags) == SETUP_DONE;
}

static enum setup open_file(struct store *store)
{
    struct diagnostic ignored = {0};
    if (file_make_folders(store->folder, &ignored) != STATUS_OK && !file_is_folder(store->folder))
        return SETUP_UNUSABLE;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    enum setup setup = open_path(store, store->path, flags);
    if (setup == SETUP_BROKEN) {
        store_move_aside(store, "this is no store of Hone, or it is damaged");
        setup = open_path(store, store->path, flags);
    }
    return setup;
}

static bool open_memory(struct store *store)
{
    return open_path(store, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) == SETUP_DONE;
}

bool store_connect(struct store *store)
{
    if (store->folder && !*store->folder) return open_memory(store); /* nothing was to be kept */
    enum setup setup = store->folder ? open_file(store) : SETUP_UNUSABLE;
    store->keeps = setup == SETUP_DONE && !sqlite3_db_readonly(store->database, "main");
    if (store->keeps) return true;
    if (setup == SETUP_DONE)
        store_give_up_file(store, "it cannot be written");
    else if (!store->folder)
        store_give_up_file(store, "there is no home folder for it");
    else if (setup == SETUP_NEWER)
        store_give_up_file(store, "it was made by a newer version of Hone");
    else
        store_give_up_file(store, "it cannot be opened for writing");
    if (setup == SETUP_DONE) return true;
    if (setup == SETUP_UNUSABLE && store->folder && open_read_only(store) == SETUP_DONE)
        return true;
    return open_memory(store);
}

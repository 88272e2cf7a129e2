/* The store of records: what its users call. */
#include "base/file.h"
#include "tuner/store_internal.h"

#include <string.h>

status store_open(const char *folder, const struct progress *progress, struct store **result,
                  struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct store *store = arena_allocate(arena, 1, sizeof *store);
    if (!store) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *store);
    }
    store->arena = arena;
    store->progress = progress;
    store->folder = folder ? arena_text(arena, folder) : file_cache_folder(arena);
    store->path = store->folder ? file_join(arena, store->folder, "records.db") : "records.db";
    if (!store->path || !store_connect(store)) {
        store_close(store);
        return fail(diagnostic, STATUS_NO_MEMORY, "no store of records can be made in memory");
    }
    *result = store;
    return STATUS_OK;
}

void store_close(struct store *store)
{
    if (!store) return;
    store_disconnect(store);
    arena_destroy(store->arena);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

bool store_keeps(const struct store *store)
{
    return store->keeps;
}

long store_damaged_count(const struct store *store)
{
    return store->damaged;
}

static bool is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* The file turned out to be damaged while it was in use. */
static bool replace_file(struct store *store)
{
    store_disconnect(store);
    store_move_aside(store, "it is damaged");
    return store_connect(store);
}

/* Adds to the file if it can be done; what cannot be kept there is kept in memory. */
static status add_checked(struct store *store, const struct record *record, struct hash checksum,
                          struct diagnostic *diagnostic)
{
    if (store->keeps) {
        int code = store_insert(store, STATEMENT_ADD_FILE, record, checksum);
        if (is_damage(code)) {
            if (!replace_file(store)) return fail_memory(diagnostic, 0);
            if (store->keeps) code = store_insert(store, STATEMENT_ADD_FILE, record, checksum);
        }
        if (code == SQLITE_OK) return STATUS_OK;
        if (store->keeps) store_give_up_file(store, sqlite3_errstr(code));
    }
    if (store_insert(store, STATEMENT_ADD_MEMORY, record, checksum) == SQLITE_OK) return STATUS_OK;
    return fail_memory(diagnostic, 0);
}

status store_add(struct store *store, const struct record *record, struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct hash checksum;
    status code = record_checksum(record, scratch, &checksum, diagnostic);
    if (code == STATUS_OK) code = add_checked(store, record, checksum, diagnostic);
    arena_destroy(scratch);
    return code;
}

/* One statement's rows for which the records are good, appended. */
static status collect(struct store *store, enum store_statement statement, struct arena *arena,
                      struct record **records, int *count, size_t *capacity, int *outcome,
                      struct diagnostic *diagnostic)
{
    sqlite3_stmt *rows = store->statements[statement];
    while ((*outcome = sqlite3_step(rows)) == SQLITE_ROW) {
        struct record record;
        status code;
        if (!store_read_row(store, rows, arena, &record, &code, diagnostic)) {
            TRY(code);
            continue;
        }
        TRY_APPEND(*records, *count, *capacity, arena, diagnostic);
        (*records)[*count - 1] = record;
    }
    return STATUS_OK;
}

/* What the statement of the file and the one of the memory find; both begin with `key_count` keys. */
static status find_records(struct store *store, enum store_statement first, const char *const *keys,
                           int key_count, const char *device_class, struct arena *arena,
                           struct record **records, int *count, struct diagnostic *diagnostic)
{
    size_t capacity = 0;
    *records = NULL;
    *count = 0;
    for (int s = (int)first; s <= (int)first + 1; s++) {
        sqlite3_stmt *rows = store->statements[s];
        for (int k = 0; k < key_count; k++)
            sqlite3_bind_text(rows, k + 1, keys[k], -1, SQLITE_STATIC);
        sqlite3_bind_text(rows, key_count + 1, device_class, -1, SQLITE_STATIC);
        sqlite3_bind_int(rows, key_count + 2, RECORD_PROTOCOL);
        int outcome = SQLITE_DONE;
        status code = collect(store, (enum store_statement)s, arena, records, count, &capacity,
                              &outcome, diagnostic);
        sqlite3_reset(rows);
        TRY(code);
        if (is_damage(outcome) && store->keeps && !replace_file(store))
            return fail_memory(diagnostic, 0);
    }
    return STATUS_OK;
}

status store_records(struct store *store, struct hash problem_key, const char *device_class,
                     struct arena *arena, struct record **records, int *count,
                     struct diagnostic *diagnostic)
{
    char text[HASH_TEXT_BYTES];
    const char *key = hash_print(problem_key, text);
    return find_records(store, STATEMENT_FIND_FILE, &key, 1, device_class, arena, records, count,
                        diagnostic);
}

status store_records_elsewhere(struct store *store, struct hash problem_key,
                               const char *device_class, struct arena *arena,
                               struct record **records, int *count, struct diagnostic *diagnostic)
{
    char text[HASH_TEXT_BYTES];
    const char *key = hash_print(problem_key, text);
    return find_records(store, STATEMENT_ELSEWHERE_FILE, &key, 1, device_class, arena, records,
                        count, diagnostic);
}

/* Their keys have the high half in common (problem_text_key). */
status store_routed_records(struct store *store, struct hash problem_key, const char *device_class,
                            struct arena *arena, struct record **records, int *count,
                            struct diagnostic *diagnostic)
{
    const struct hash least = {problem_key.high, 0}, most = {problem_key.high, UINT64_MAX};
    char texts[2][HASH_TEXT_BYTES];
    const char *const range[2] = {hash_print(least, texts[0]), hash_print(most, texts[1])};
    return find_records(store, STATEMENT_ROUTED_FILE, range, 2, device_class, arena, records, count,
                        diagnostic);
}

status store_finals_of_operator(struct store *store, const char *op, const char *device_class,
                                struct arena *arena, struct record **records, int *count,
                                struct diagnostic *diagnostic)
{
    const char *const range[2] = {op, op};
    return find_records(store, STATEMENT_FINALS_FILE, range, 2, device_class, arena, records, count,
                        diagnostic);
}

static status visit_rows(struct store *store, sqlite3_stmt *rows, struct arena *scratch,
                         bool (*visit)(void *context, const struct record *record), void *context,
                         bool *go_on, struct diagnostic *diagnostic)
{
    int outcome = SQLITE_ROW;
    while (*go_on && (outcome = sqlite3_step(rows)) == SQLITE_ROW) {
        struct record record;
        status code;
        if (store_read_row(store, rows, scratch, &record, &code, diagnostic))
            *go_on = visit(context, &record);
        else
            TRY(code);
        arena_reset(scratch);
    }
    if (store->foreign && outcome != SQLITE_ROW && outcome != SQLITE_DONE) store->damaged++;
    return STATUS_OK;
}

status store_each(struct store *store, bool (*visit)(void *context, const struct record *record),
                  void *context, struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = STATUS_OK;
    bool go_on = true;
    for (enum store_statement s = STATEMENT_ALL_FILE; s <= STATEMENT_ALL_MEMORY; s++) {
        if (code == STATUS_OK)
            code = visit_rows(store, store->statements[s], scratch, visit, context, &go_on,
                              diagnostic);
        sqlite3_reset(store->statements[s]);
    }
    arena_destroy(scratch);
    return code;
}

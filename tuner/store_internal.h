/* The inside of the store, for tuner/store*.c only. */
#ifndef TUNER_STORE_INTERNAL_H
#define TUNER_STORE_INTERNAL_H

#include "tuner/store.h"

#include <sqlite3.h>

enum store_statement {
    STATEMENT_ADD_FILE,
    STATEMENT_ADD_MEMORY,
    STATEMENT_FIND_FILE,
    STATEMENT_FIND_MEMORY,
    STATEMENT_ALL_FILE,
    STATEMENT_ALL_MEMORY,
    STATEMENT_COUNT
};

struct store {
    struct arena *arena;
    const struct progress *progress;
    const char *folder, *path;
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    bool keeps;  /* records go to the file; otherwise to a table in memory beside it */
    bool warned; /* that they do not */
    long damaged;
};

/* store_file.c: opens the file, or memory where there can be none.  False only when even that
 * fails. */
bool store_connect(struct store *store);
/* For reading another store, whose path is set; false when it is none. */
bool store_connect_read_only(struct store *store);
void store_disconnect(struct store *store);
/* Renames the file, its log and its index to FILE.corrupt-TIME, unless another process has done so.
 */
void store_move_aside(struct store *store, const char *why);
/* From now on records go to memory. */
void store_give_up_file(struct store *store, const char *why);

/* store_rows.c */
bool store_prepare(struct store *store);
/* Returns an SQLite code. */
int store_insert(struct store *store, enum store_statement statement, const struct record *record,
                 struct hash checksum);
/* Reads the statement's current row; false when it is damaged.  `status` tells of memory. */
bool store_read_row(struct store *store, sqlite3_stmt *row, struct arena *arena,
                    struct record *record, status *code, struct diagnostic *diagnostic);

#endif

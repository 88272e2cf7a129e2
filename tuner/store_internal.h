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
    STATEMENT_ROUTED_FILE,
    STATEMENT_ROUTED_MEMORY,
    STATEMENT_ELSEWHERE_FILE, /* of a problem on all other classes */
    STATEMENT_ELSEWHERE_MEMORY,
    STATEMENT_FINALS_FILE, /* of an operator, whatever the problem */
    STATEMENT_FINALS_MEMORY,
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
    bool keeps;   /* records go to the file; otherwise to a table in memory beside it */
    bool warned;  /* that they do not */
    bool foreign; /* somebody else's file, read only: nothing in it is believed */
    bool alone;   /* a new file that nobody else knows of: no log for several writers */
    long damaged;
};

/* store_file.c: opens the file, or memory where there can be none.  False only when even that
 * fails. */
bool store_connect(struct store *store);
/* With flags of sqlite3_open_v2; false when it is no store or cannot be opened so. */
bool store_connect_as(struct store *store, const char *address, int flags);
/* The address of a file that nobody changes, for sqlite3_open_v2: characters with a meaning there
 * are escaped.  NULL when memory is out. */
const char *store_immutable_address(const struct store *store);
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

/* store_pack.c: of a file from elsewhere */
/* Before anything is read: its schema can run nothing, and what it holds has limits. */
void store_harden(struct store *store);
/* Whether its tables and indexes are to the letter those that Hone makes, and there is nothing else. */
bool store_schema_is_ours(struct store *store);

/* store_origins.c */
/* False when SQLite fails; a row that is there already is left as it is. */
bool store_insert_origin(struct store *store, const struct origin *origin);

/* store_copy.c */
struct store_copy {
    struct store *from, *to;
    const char *op; /* only problems of this operator; NULL: all */
};
/* Adds what is new; `copied` goes on counting. */
CHECKED status store_copy(const struct store_copy *copy, struct store_copied *copied,
                          struct diagnostic *diagnostic);

#endif

/* A copy of the store in one file that can be sent to another machine and imported there. */
#include "base/file.h"
#include "tuner/store_internal.h"

status store_export(struct store *store, const char *path, struct diagnostic *diagnostic)
{
    if (file_exists(path))
        return fail(diagnostic, STATUS_USAGE, "%s exists already: name a file that does not", path);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->database, "VACUUM INTO ?", -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    if (code == SQLITE_DONE) return STATUS_OK;
    return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s could not be written: %s", path,
                sqlite3_errmsg(store->database));
}

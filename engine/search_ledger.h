/* The ledger of a layer search: every score as soon as it is known, in a log of lines, so that an interrupted search goes on
 * where it stood.  The first line says what the scores belong to; a search for anything else is refused. */
#ifndef ENGINE_SEARCH_LEDGER_H
#define ENGINE_SEARCH_LEDGER_H

#include "engine/probe.h"

struct ledger_head {
    struct hash model, probe, held_out;
    int layers;
    const char *settings; /* what else the scores depend on: devices, numerics, KV type */
};

/* The score of one block of layers, `begin` to `end` - 1 executed twice; 0, 0: of the model as it is. */
struct ledger_entry {
    int begin, end;
    bool held_out;
    struct probe_score score;
    double decode_seconds; /* of a token; held_out only */
};

struct search_ledger;

/* `path` NULL: kept in memory only.  Close it in every case where this was STATUS_OK. */
CHECKED status ledger_open(const char *path, const struct ledger_head *head,
                           const struct progress *progress, struct arena *arena,
                           struct search_ledger **ledger, struct diagnostic *diagnostic);
void ledger_close(struct search_ledger *ledger); /* NULL is allowed */

CHECKED status ledger_add(struct search_ledger *ledger, const struct ledger_entry *entry,
                          struct diagnostic *diagnostic);
/* NULL when it has no such score. */
const struct ledger_entry *ledger_find(const struct search_ledger *ledger, bool held_out, int begin,
                                       int end);

#endif

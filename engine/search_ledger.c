/* Ledgers as text, and back. */
#include "engine/search_ledger.h"

#include "base/line_log.h"
#include "models/json_read.h"

#include <string.h>

struct search_ledger {
    struct arena *arena;
    const char *path;
    struct line_log *log; /* NULL: in memory only */
    struct ledger_entry *entries;
    int count;
    size_t capacity;
};

static const char ledger_mark[] = "{\"hone_rys\":1,";

/* ---- The first line ---- */

static const char *print_head(const struct ledger_head *head, struct arena *arena)
{
    char model[HASH_TEXT_BYTES], probe[HASH_TEXT_BYTES], held_out[HASH_TEXT_BYTES],
        settings[HASH_TEXT_BYTES];
    return arena_print(arena,
                       "%s\"model\":\"%s\",\"layers\":%d,\"probe\":\"%s\",\"held_out\":\"%s\","
                       "\"settings\":\"%s\"}",
                       ledger_mark, hash_print(head->model, model), head->layers,
                       hash_print(head->probe, probe), hash_print(head->held_out, held_out),
                       hash_print(hash_text(head->settings), settings));
}

static bool agrees(const json_t *line, const char *key, struct hash wanted)
{
    struct hash told;
    const char *digits = json_string_value(json_object_get(line, key));
    return digits && hash_parse(digits, &told) && hash_equal(told, wanted);
}

static status compare_heads(const struct search_ledger *ledger, const json_t *line,
                            const struct ledger_head *head, struct diagnostic *diagnostic)
{
    const struct {
        const char *key, *what;
        struct hash wanted;
    } parts[] = {
        {"model", "another model", head->model},
        {"probe", "another probe", head->probe},
        {"held_out", "another held-out probe", head->held_out},
        {"settings", "other devices, numerics or KV types", hash_text(head->settings)},
    };
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        if (!agrees(line, parts[p].key, parts[p].wanted))
            return fail(
                diagnostic, STATUS_USAGE,
                "%.500s: the scores in this ledger belong to %s; name another file with --ledger",
                ledger->path, parts[p].what);
    return STATUS_OK;
}

/* ---- Entries ---- */

static const char *print_entry(const struct ledger_entry *entry, struct arena *arena)
{
    struct text text = {.arena = arena};
    const struct probe_score *score = &entry->score;
    text_print(&text, "{\"part\":\"%s\",\"begin\":%d,\"end\":%d",
               entry->held_out ? "held_out" : "probe", entry->begin, entry->end);
    if (score->finite)
        text_print(&text, ",\"log_likelihood\":%.17g,\"accuracy\":%.17g", score->log_likelihood,
                   score->accuracy);
    text_print(&text, ",\"count\":%lld,\"seconds\":%.6g", (long long)score->count, score->seconds);
    if (entry->held_out) text_print(&text, ",\"decode_seconds\":%.6g", entry->decode_seconds);
    text_append(&text, "}");
    return text_finish(&text);
}

static double number_of(const json_t *line, const char *key)
{
    return json_number_value(json_object_get(line, key));
}

/* Bounds are checked when an entry is asked for: one of layers that a model lacks is never found. */
static void read_entry(const json_t *line, struct ledger_entry *entry)
{
    const char *part = json_string_value(json_object_get(line, "part"));
    *entry = (struct ledger_entry){
        .begin = (int)json_integer_value(json_object_get(line, "begin")),
        .end = (int)json_integer_value(json_object_get(line, "end")),
        .held_out = part && strcmp(part, "held_out") == 0,
        .decode_seconds = number_of(line, "decode_seconds"),
        .score = {.finite = json_is_number(json_object_get(line, "log_likelihood")),
                  .log_likelihood = number_of(line, "log_likelihood"),
                  .accuracy = number_of(line, "accuracy"),
                  .count = json_integer_value(json_object_get(line, "count")),
                  .seconds = number_of(line, "seconds")},
    };
}

static status keep(struct search_ledger *ledger, const struct ledger_entry *entry,
                   struct diagnostic *diagnostic)
{
    TRY_APPEND(ledger->entries, ledger->count, ledger->capacity, ledger->arena, diagnostic);
    ledger->entries[ledger->count - 1] = *entry;
    return STATUS_OK;
}

/* ---- Opening ---- */

static status take_line(struct search_ledger *ledger, int index, const struct ledger_head *head,
                        struct diagnostic *diagnostic)
{
    char where[600];
    const char *text = line_log_line(ledger->log, index);
    struct ledger_entry entry;
    json_t *line;
    snprintf(where, sizeof where, "%.500s: line %d", ledger->path, index + 1);
    TRY(json_read(where, text, strlen(text), &line, diagnostic));
    status code;
    if (index == 0) {
        code = compare_heads(ledger, line, head, diagnostic);
    } else {
        read_entry(line, &entry);
        code = keep(ledger, &entry, diagnostic);
    }
    json_decref(line);
    return code;
}

static status take_lines(struct search_ledger *ledger, const struct ledger_head *head,
                         const struct progress *progress, struct diagnostic *diagnostic)
{
    if (line_log_torn_bytes(ledger->log))
        progress_warn(progress, "%s: the last %zu bytes were written incompletely and are left out",
                      ledger->path, line_log_torn_bytes(ledger->log));
    for (int i = 0; i < line_log_count(ledger->log); i++)
        TRY(take_line(ledger, i, head, diagnostic));
    if (line_log_count(ledger->log)) return STATUS_OK;
    const char *first = print_head(head, ledger->arena);
    TRY_MEMORY(first, diagnostic);
    return line_log_append(ledger->log, first, diagnostic);
}

status ledger_open(const char *path, const struct ledger_head *head,
                   const struct progress *progress, struct arena *arena,
                   struct search_ledger **result, struct diagnostic *diagnostic)
{
    struct search_ledger *ledger;
    TRY_NEW(ledger, arena, 1, diagnostic);
    ledger->arena = arena;
    ledger->path = path;
    if (path) {
        TRY(line_log_open(path, ledger_mark, arena, &ledger->log, diagnostic));
        status code = take_lines(ledger, head, progress, diagnostic);
        if (code != STATUS_OK) {
            ledger_close(ledger);
            return code;
        }
    }
    *result = ledger;
    return STATUS_OK;
}

void ledger_close(struct search_ledger *ledger)
{
    if (ledger) line_log_close(ledger->log);
}

status ledger_add(struct search_ledger *ledger, const struct ledger_entry *entry,
                  struct diagnostic *diagnostic)
{
    const char *line = print_entry(entry, ledger->arena);
    TRY_MEMORY(line, diagnostic);
    if (ledger->log) TRY(line_log_append(ledger->log, line, diagnostic));
    return keep(ledger, entry, diagnostic);
}

const struct ledger_entry *ledger_find(const struct search_ledger *ledger, bool held_out, int begin,
                                       int end)
{
    for (int e = 0; e < ledger->count; e++) {
        const struct ledger_entry *entry = &ledger->entries[e];
        if (entry->held_out == held_out && entry->begin == begin && entry->end == end) return entry;
    }
    return NULL;
}

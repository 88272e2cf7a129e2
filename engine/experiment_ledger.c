/* Experiments as lines of JSON, and back. */
#include "engine/experiment_ledger.h"

#include "base/text.h"
#include "models/json_read.h"

#include <string.h>

static const char ledger_mark[] = "{\"hone_experiments\":1,";

static bool verdict_by_name(const char *name, enum verdict_kind *kind)
{
    for (int k = 0; name && k < VERDICT_KINDS; k++) {
        *kind = (enum verdict_kind)k;
        if (strcmp(verdict_name(*kind), name) == 0) return true;
    }
    return false;
}

static bool read_hash(const json_t *line, const char *key, struct hash *hash)
{
    const char *digits = json_string_value(json_object_get(line, key));
    return digits && hash_parse(digits, hash);
}

static status read_experiment(const struct experiment_ledger *ledger, const json_t *line,
                              const char *where, struct experiment *experiment,
                              struct diagnostic *diagnostic)
{
    const char *reason = json_string_value(json_object_get(line, "reason"));
    *experiment = (struct experiment){
        .reason = arena_text(ledger->arena, reason ? reason : ""),
        .share = json_number_value(json_object_get(line, "share")),
        .error = json_number_value(json_object_get(line, "error")),
        .kept = json_is_true(json_object_get(line, "kept")),
        .seconds = json_number_value(json_object_get(line, "seconds")),
        .wall_time = json_integer_value(json_object_get(line, "wall_time")),
    };
    TRY_MEMORY(experiment->reason, diagnostic);
    if (read_hash(line, "candidate", &experiment->candidate) &&
        read_hash(line, "parent", &experiment->parent) &&
        verdict_by_name(json_string_value(json_object_get(line, "verdict")), &experiment->verdict))
        return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "%s: this is no experiment", where);
}

static status keep(struct experiment_ledger *ledger, const struct experiment *experiment,
                   struct diagnostic *diagnostic)
{
    TRY_APPEND(ledger->experiments, ledger->count, ledger->capacity, ledger->arena, diagnostic);
    ledger->experiments[ledger->count - 1] = *experiment;
    return STATUS_OK;
}

static status take_line(struct experiment_ledger *ledger, int index, const char *setting,
                        struct diagnostic *diagnostic)
{
    char where[600];
    const char *text = line_log_line(ledger->log, index);
    struct experiment experiment;
    struct hash known;
    json_t *line;
    snprintf(where, sizeof where, "%.500s: line %d", ledger->path, index + 1);
    TRY(json_read(where, text, strlen(text), &line, diagnostic));
    status code = STATUS_OK;
    if (index > 0)
        code = read_experiment(ledger, line, where, &experiment, diagnostic);
    else if (!read_hash(line, "setting", &known) || !hash_equal(known, hash_text(setting)))
        code = fail(diagnostic, STATUS_USAGE,
                    "%.500s: these experiments were judged on other problems, devices or efforts; "
                    "name another file with --ledger",
                    ledger->path);
    json_decref(line);
    if (code == STATUS_OK && index > 0) code = keep(ledger, &experiment, diagnostic);
    return code;
}

static status take_lines(struct experiment_ledger *ledger, const char *setting,
                         const struct progress *progress, struct diagnostic *diagnostic)
{
    char digits[HASH_TEXT_BYTES];
    if (line_log_torn_bytes(ledger->log))
        progress_warn(progress, "%s: the last %zu bytes were written incompletely and are left out",
                      ledger->path, line_log_torn_bytes(ledger->log));
    for (int i = 0; i < line_log_count(ledger->log); i++)
        TRY(take_line(ledger, i, setting, diagnostic));
    if (line_log_count(ledger->log)) return STATUS_OK;
    const char *first = arena_print(ledger->arena, "%s\"setting\":\"%s\"}", ledger_mark,
                                    hash_print(hash_text(setting), digits));
    TRY_MEMORY(first, diagnostic);
    return line_log_append(ledger->log, first, diagnostic);
}

status experiments_open(const char *path, const char *setting, const struct progress *progress,
                        struct arena *arena, struct experiment_ledger *ledger,
                        struct diagnostic *diagnostic)
{
    *ledger = (struct experiment_ledger){.arena = arena, .path = path};
    TRY(line_log_open(path, ledger_mark, arena, &ledger->log, diagnostic));
    status code = take_lines(ledger, setting, progress, diagnostic);
    if (code != STATUS_OK) experiments_close(ledger);
    return code;
}

void experiments_close(struct experiment_ledger *ledger)
{
    line_log_close(ledger->log);
    ledger->log = NULL;
}

static int append_text(const char *bytes, size_t count, void *text)
{
    text_append_range(text, bytes, count);
    return 0;
}

status experiments_add(struct experiment_ledger *ledger, const struct experiment *experiment,
                       struct diagnostic *diagnostic)
{
    enum { REASON_MOST = 2000 };
    char candidate[HASH_TEXT_BYTES], parent[HASH_TEXT_BYTES];
    const char *reason = arena_print(ledger->arena, "%.*s", REASON_MOST, experiment->reason);
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:b, s:f, s:I}", "candidate",
                  hash_print(experiment->candidate, candidate), "parent",
                  hash_print(experiment->parent, parent), "verdict",
                  verdict_name(experiment->verdict), "reason", reason ? reason : "", "share",
                  experiment->share, "error", experiment->error, "kept", experiment->kept,
                  "seconds", experiment->seconds, "wall_time", (json_int_t)experiment->wall_time);
    struct text text = {.arena = ledger->arena};
    bool printed = line && json_dump_callback(line, append_text, &text, JSON_COMPACT) == 0;
    status code = printed && text_finish(&text)
                      ? line_log_append(ledger->log, text_finish(&text), diagnostic)
                      : fail_memory(diagnostic, REASON_MOST);
    json_decref(line);
    return code == STATUS_OK ? keep(ledger, experiment, diagnostic) : code;
}

const struct experiment *experiments_kept(const struct experiment_ledger *ledger)
{
    for (int e = ledger->count - 1; e >= 0; e--)
        if (ledger->experiments[e].kept) return &ledger->experiments[e];
    return NULL;
}

const struct experiment *experiments_find(const struct experiment_ledger *ledger,
                                          struct hash candidate)
{
    for (int e = ledger->count - 1; e >= 0; e--)
        if (hash_equal(ledger->experiments[e].candidate, candidate)) return &ledger->experiments[e];
    return NULL;
}

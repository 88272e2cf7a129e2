/* hone store: what was measured: listed, copied to and from other machines, checked. */
#include "cli/store_actions.h"

#include <stdio.h>
#include <string.h>

struct tally {
    const struct arguments *arguments;
    json_t *records; /* with --json */
    long count, by_status[RECORD_STATUS_COUNT];
};

static json_t *record_json(const struct record *record)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:i, s:I}", "problem",
                     record->problem, "candidate", record->candidate, "device_class",
                     record->device_class, "compiler", record->compiler, "status",
                     record_status_name(record->status), "detail", record->detail, "stage",
                     record_stage_name(record->stage), "median_seconds", record->median_seconds,
                     "spread_seconds", record->spread_seconds, "samples", record->sample_count,
                     "wall_time", (json_int_t)record->wall_time);
}

static bool is_wanted(const struct arguments *arguments, const struct record *record)
{
    size_t length = arguments->op ? strlen(arguments->op) : 0;
    return !length ||
           (strncmp(record->problem, arguments->op, length) == 0 && record->problem[length] == '(');
}

static bool list_record(void *context, const struct record *record)
{
    struct tally *tally = context;
    char seconds[32];
    if (!is_wanted(tally->arguments, record)) return true;
    tally->count++;
    if (tally->records)
        json_array_append_new(tally->records, record_json(record));
    else
        printf("%-10s %-8s %-8s %s\n           %s%s%s\n",
               record->median_seconds > 0 ? text_seconds(record->median_seconds, seconds) : "-",
               record_status_name(record->status), record_stage_name(record->stage),
               record->problem, record->candidate, *record->detail ? ": " : "", record->detail);
    return !console_interrupted();
}

static status list(struct store_run *run, struct diagnostic *diagnostic)
{
    struct tally tally = {.arguments = run->arguments};
    if (run->arguments->json) tally.records = json_array();
    TRY(store_each(run->store, list_record, &tally, diagnostic));
    if (tally.records)
        return console_print_json(
            json_pack("{s:s, s:o}", "store", store_path(run->store), "records", tally.records),
            diagnostic);
    printf("%ld records in %s\n", tally.count, store_path(run->store));
    return console_flush(diagnostic);
}

static bool count_record(void *context, const struct record *record)
{
    struct tally *tally = context;
    tally->count++;
    tally->by_status[record->status]++;
    return true;
}

static status print_health(const struct store_run *run, const struct tally *counted, long damaged,
                           struct diagnostic *diagnostic)
{
    if (run->arguments->json) {
        json_t *by_status = json_object();
        for (int s = 0; s < RECORD_STATUS_COUNT; s++)
            json_object_set_new(by_status, record_status_name((enum record_status)s),
                                json_integer(counted->by_status[s]));
        return console_print_json(json_pack("{s:s, s:I, s:I, s:o}", "store", store_path(run->store),
                                            "records", (json_int_t)counted->count, "damaged",
                                            (json_int_t)damaged, "by_status", by_status),
                                  diagnostic);
    }
    printf("%ld good records, %ld damaged rows in %s\n", counted->count, damaged,
           store_path(run->store));
    for (int s = 0; s < RECORD_STATUS_COUNT; s++)
        if (counted->by_status[s])
            printf("%8ld %-16s %s\n", counted->by_status[s],
                   record_status_name((enum record_status)s),
                   record_status_meaning((enum record_status)s));
    return console_flush(diagnostic);
}

/* Reads every row; damaged ones are left out by the store and counted. */
static status doctor(struct store_run *run, struct diagnostic *diagnostic)
{
    struct tally counted = {.arguments = run->arguments};
    TRY(store_each(run->store, count_record, &counted, diagnostic));
    long damaged = store_damaged_count(run->store);
    TRY(print_health(run, &counted, damaged, diagnostic));
    if (damaged)
        return fail(diagnostic, STATUS_MISMATCH, "%ld rows of %s are damaged; they are not used",
                    damaged, store_path(run->store));
    return STATUS_OK;
}

static const struct {
    const char *name;
    store_action *run;
    bool on_files; /* the user's store is not needed */
} actions[] = {
    {"list", list, false},
    {"export", store_run_export, false},
    {"import", store_run_import, false},
    {"merge", store_run_merge, true},
    {"diff", store_run_diff, true},
    {"verify", store_run_verify, false},
    {"gc", store_run_gc, true},
    {"doctor", doctor, false},
};

#define ACTIONS "list, export FILE, import FILE, merge A B -o C, diff A B, verify, gc or doctor"

status command_store(const struct arguments *arguments, struct console *console,
                     struct arena *arena, struct diagnostic *diagnostic)
{
    const char *action;
    TRY(command_positional(arguments, 0, "an action: " ACTIONS, &action, diagnostic));
    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++) {
        if (strcmp(actions[a].name, action) != 0) continue;
        struct store_run run = {.arguments = arguments, .console = console, .arena = arena};
        if (!actions[a].on_files)
            TRY(store_open(arguments->cache, &console->progress, &run.store, diagnostic));
        status code = actions[a].run(&run, diagnostic);
        store_close(run.store);
        return code;
    }
    return fail(diagnostic, STATUS_USAGE, "`hone store %s` is not known; write " ACTIONS, action);
}

/* hone store: what was measured: listed, copied to and from other machines, checked. */
#include "cli/command.h"
#include "tuner/store.h"

#include <stdio.h>
#include <string.h>

struct store_run {
    const struct arguments *arguments;
    struct console *console;
    struct arena *arena;
    struct store *store;
    json_t *records; /* list with --json */
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
    struct store_run *run = context;
    char seconds[32];
    if (!is_wanted(run->arguments, record)) return true;
    run->count++;
    if (run->records)
        json_array_append_new(run->records, record_json(record));
    else
        printf("%-10s %-8s %-8s %s\n           %s%s%s\n",
               record->median_seconds > 0 ? text_seconds(record->median_seconds, seconds) : "-",
               record_status_name(record->status), record_stage_name(record->stage),
               record->problem, record->candidate, *record->detail ? ": " : "", record->detail);
    return !console_interrupted();
}

static status list(struct store_run *run, struct diagnostic *diagnostic)
{
    if (run->arguments->json) run->records = json_array();
    TRY(store_each(run->store, list_record, run, diagnostic));
    if (run->records)
        return console_print_json(
            json_pack("{s:s, s:o}", "store", store_path(run->store), "records", run->records),
            diagnostic);
    printf("%ld records in %s\n", run->count, store_path(run->store));
    return console_flush(diagnostic);
}

static bool count_record(void *context, const struct record *record)
{
    struct store_run *run = context;
    run->count++;
    run->by_status[record->status]++;
    return true;
}

/* Reads every row; damaged ones are left out by the store and counted. */
static status verify(struct store_run *run, struct diagnostic *diagnostic)
{
    TRY(store_each(run->store, count_record, run, diagnostic));
    long damaged = store_damaged_count(run->store);
    if (run->arguments->json) {
        json_t *by_status = json_object();
        for (int s = 0; s < RECORD_STATUS_COUNT; s++)
            json_object_set_new(by_status, record_status_name((enum record_status)s),
                                json_integer(run->by_status[s]));
        TRY(console_print_json(json_pack("{s:s, s:I, s:I, s:o}", "store", store_path(run->store),
                                         "records", (json_int_t)run->count, "damaged",
                                         (json_int_t)damaged, "by_status", by_status),
                               diagnostic));
    } else {
        printf("%ld good records, %ld damaged rows in %s\n", run->count, damaged,
               store_path(run->store));
        for (int s = 0; s < RECORD_STATUS_COUNT; s++)
            if (run->by_status[s])
                printf("%8ld %-16s %s\n", run->by_status[s],
                       record_status_name((enum record_status)s),
                       record_status_meaning((enum record_status)s));
        TRY(console_flush(diagnostic));
    }
    if (damaged)
        return fail(diagnostic, STATUS_MISMATCH, "%ld rows of %s are damaged; they are not used",
                    damaged, store_path(run->store));
    return STATUS_OK;
}

static status copy_out(struct store_run *run, struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(run->arguments, 1, "the file to write: hone store export FILE", &path,
                           diagnostic));
    TRY(store_export(run->store, path, diagnostic));
    if (run->arguments->json)
        return console_print_json(json_pack("{s:s}", "file", path), diagnostic);
    printf("%s written; `hone store import %s` on another machine adds what is new\n", path, path);
    return console_flush(diagnostic);
}

static status copy_in(struct store_run *run, struct diagnostic *diagnostic)
{
    const char *path;
    long added = 0;
    TRY(command_positional(run->arguments, 1, "the file to read: hone store import FILE", &path,
                           diagnostic));
    TRY(store_import(run->store, path, &added, diagnostic));
    if (run->arguments->json)
        return console_print_json(json_pack("{s:I}", "added", (json_int_t)added), diagnostic);
    printf("%ld new records from %s\n", added, path);
    return console_flush(diagnostic);
}

static const struct {
    const char *name;
    status (*run)(struct store_run *run, struct diagnostic *diagnostic);
} actions[] = {{"list", list}, {"export", copy_out}, {"import", copy_in}, {"verify", verify}};

status command_store(const struct arguments *arguments, struct console *console,
                     struct arena *arena, struct diagnostic *diagnostic)
{
    const char *action;
    TRY(command_positional(arguments, 0, "an action: list, export FILE, import FILE or verify",
                           &action, diagnostic));
    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++) {
        if (strcmp(actions[a].name, action) != 0) continue;
        struct store_run run = {.arguments = arguments, .console = console, .arena = arena};
        TRY(store_open(arguments->cache, &console->progress, &run.store, diagnostic));
        status code = actions[a].run(&run, diagnostic);
        store_close(run.store);
        return code;
    }
    return fail(diagnostic, STATUS_USAGE,
                "`hone store %s` is not known; write list, export FILE, import FILE or verify",
                action);
}

/* hone store export, import, merge: records in one file that travels. */
#include "cli/store_actions.h"

#include <stdio.h>

static void print_left(const char *path, const struct store_copied *copied)
{
    if (copied->conflicts)
        printf("%ld records of %s conflict with those here (the same measurement, other numbers): "
               "not taken\n",
               copied->conflicts, path);
    if (copied->left_out)
        printf("%ld rows of %s are damaged or cannot be what they say: left out\n",
               copied->left_out, path);
}

static json_t *copied_json(const struct store_copied *copied)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "added", (json_int_t)copied->added, "known",
                     (json_int_t)copied->known, "conflicts", (json_int_t)copied->conflicts,
                     "left_out", (json_int_t)copied->left_out, "origins",
                     (json_int_t)copied->origins);
}

static status print_written(const struct store_run *run, const char *path,
                            const struct store_copied *copied, struct diagnostic *diagnostic)
{
    if (run->arguments->json) {
        json_t *document = copied_json(copied);
        json_object_set_new(document, "file", json_string(path));
        return console_print_json(document, diagnostic);
    }
    printf("%s: %ld records of %ld origins", path, copied->added, copied->origins);
    if (copied->known) printf(", %ld of them in both", copied->known);
    printf("; `hone store import %s` on another machine adds what is new\n", path);
    print_left("the sources", copied);
    return console_flush(diagnostic);
}

status store_run_export(struct store_run *run, struct diagnostic *diagnostic)
{
    const char *path;
    struct store_copied copied;
    TRY(command_positional(run->arguments, 1, "the file to write: hone store export FILE", &path,
                           diagnostic));
    TRY(store_write_pack(&run->store, 1, run->arguments->op, path, &copied, diagnostic));
    return print_written(run, path, &copied, diagnostic);
}

status store_run_import(struct store_run *run, struct diagnostic *diagnostic)
{
    const char *path;
    struct store_copied copied;
    TRY(command_positional(run->arguments, 1, "the file to read: hone store import FILE", &path,
                           diagnostic));
    TRY(store_import(run->store, path, &copied, diagnostic));
    if (run->arguments->json) return console_print_json(copied_json(&copied), diagnostic);
    printf("%ld new records from %s, %ld known already\n", copied.added, path, copied.known);
    print_left(path, &copied);
    return console_flush(diagnostic);
}

status store_open_two(struct store_run *run, const char *what, struct store *stores[2],
                      struct diagnostic *diagnostic)
{
    const char *paths[2];
    for (int s = 0; s < 2; s++)
        TRY(command_positional(run->arguments, 1 + s, what, &paths[s], diagnostic));
    for (int s = 0; s < 2; s++)
        TRY(store_open_foreign(paths[s], &run->console->progress, &stores[s], diagnostic));
    return STATUS_OK;
}

status store_run_merge(struct store_run *run, struct diagnostic *diagnostic)
{
    const char *output = run->arguments->output;
    struct store *sources[2] = {NULL, NULL};
    struct store_copied copied;
    if (!output)
        return fail(diagnostic, STATUS_USAGE,
                    "the file to write is missing: hone store merge A B -o C");
    status code = store_open_two(run, "two packs: hone store merge A B -o C", sources, diagnostic);
    if (code == STATUS_OK)
        code = store_write_pack(sources, 2, run->arguments->op, output, &copied, diagnostic);
    for (int s = 0; s < 2; s++) store_close(sources[s]);
    TRY(code);
    return print_written(run, output, &copied, diagnostic);
}

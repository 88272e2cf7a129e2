/* hone store gc: compiled kernels that nobody has used for long make room. */
#include "base/file.h"
#include "cli/store_actions.h"
#include "tuner/artifact_sweep.h"

#include <stdio.h>

/* Some ten thousand kernels. */
static const char keep_default[] = "4GiB";

status store_run_gc(struct store_run *run, struct diagnostic *diagnostic)
{
    const char *asked = run->arguments->keep ? run->arguments->keep : keep_default;
    const char *cache =
        run->arguments->cache ? run->arguments->cache : file_cache_folder(run->arena);
    const char *folder = cache && *cache ? file_join(run->arena, cache, "artifacts") : NULL;
    struct artifact_sweep sweep;
    char kept[32], removed[32];
    uint64_t limit;
    if (!text_to_bytes(asked, &limit))
        return fail(diagnostic, STATUS_USAGE, "--keep: \"%s\" is no size; write 4GiB or 500MiB",
                    asked);
    if (!folder)
        return fail(diagnostic, STATUS_USAGE, "there is no cache folder: give --cache DIR");
    TRY(artifact_sweep(folder, limit, &sweep, diagnostic));
    if (run->arguments->json)
        return console_print_json(
            json_pack("{s:s, s:I, s:I, s:I, s:I}", "folder", folder, "kept", (json_int_t)sweep.kept,
                      "kept_bytes", (json_int_t)sweep.kept_bytes, "removed",
                      (json_int_t)sweep.removed, "removed_bytes", (json_int_t)sweep.removed_bytes),
            diagnostic);
    printf("%s: %ld compiled kernels removed (%s), %ld kept (%s); records are never removed\n",
           folder, sweep.removed, text_bytes((double)sweep.removed_bytes, removed), sweep.kept,
           text_bytes((double)sweep.kept_bytes, kept));
    return console_flush(diagnostic);
}

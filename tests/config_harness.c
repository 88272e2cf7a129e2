/* Making and opening such folders. */
#include "tests/config_harness.h"

#include "base/file.h"
#include "ops/op_table.h"
#include "tests/check.h"

#include <unistd.h>

#define MODELS HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/"

char *config_read_file(struct scratch *scratch, const char *path, size_t *count)
{
    struct diagnostic diagnostic = {0};
    char *bytes;
    CHECK_OK(file_read(path, 1 << 24, scratch->arena, &bytes, count, &diagnostic));
    return bytes;
}

void config_write_file(struct scratch *scratch, const char *name, const char *bytes, size_t count)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, name);
    CHECK_OK(file_write(path, bytes, count, &diagnostic));
}

void config_make_folder_of(struct scratch *scratch, const char *model, const char *config,
                           size_t count)
{
    const char *folder = arena_print(scratch->arena, MODELS "%s/huggingface", model);
    const char *link = file_join(scratch->arena, scratch->folder, "model.safetensors");
    config_write_file(scratch, "config.json", config, count);
    unlink(link);
    assert_int_equal(symlink(file_join(scratch->arena, folder, "model.safetensors"), link), 0);
}

void config_make_folder(struct scratch *scratch, const char *model, const char *from,
                        const char *to)
{
    size_t count;
    const char *path = arena_print(scratch->arena, MODELS "%s/huggingface/config.json", model);
    char *config = config_read_file(scratch, path, &count);
    const char *place = strstr(config, from);
    if (!place) CHECK_FAIL("%s: '%s' is not in the config", model, from);
    const char *changed = arena_print(scratch->arena, "%.*s%s%s", (int)(place - config), config, to,
                                      place + strlen(from));
    config_make_folder_of(scratch, model, changed, strlen(changed));
}

status config_open_folder(struct scratch *scratch, const struct progress *progress,
                          struct model **model, struct diagnostic *diagnostic)
{
    struct model_options options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = 16, .progress = progress};
    return model_open(scratch->folder, &options, model, diagnostic);
}

/* Models in several safetensors files: the index says which tensor is where.  It is believed only
 * as far as the files bear it out. */
#include "models/json_read.h"
#include "models/safetensors.h"

#include <inttypes.h>
#include <string.h>

enum { INDEX_BYTES_MAX = 64 << 20 };

/* A file of the same folder, never a path out of it. */
static status check_shard(const char *index_path, const char *shard, struct diagnostic *diagnostic)
{
    static const char suffix[] = ".safetensors";
    size_t length = shard ? strlen(shard) : 0;
    if (length >= sizeof suffix && length < 256 && !strchr(shard, '/') && shard[0] != '.' &&
        !strcmp(shard + length - (sizeof suffix - 1), suffix)) {
        return STATUS_OK;
    }
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: weight_map: '%.100s' must be the name of a .safetensors file in this "
                "folder",
                index_path, shard ? shard : "(not a text)");
}

static bool is_open(const struct model_source *source, const char *path)
{
    for (int i = 0; i < source->file_count; i++) {
        if (!strcmp(source->files[i].path, path)) return true;
    }
    return false;
}

static status open_shards(const char *folder, const char *index_path, json_t *map,
                          struct model_source *source, struct diagnostic *diagnostic)
{
    const char *name, *previous = "";
    json_t *value;
    json_object_foreach(map, name, value)
    {
        const char *shard = json_string_value(value);
        TRY(check_shard(index_path, shard, diagnostic));
        if (!strcmp(shard, previous)) continue; /* files come in runs: saves most of the search */
        previous = shard;
        const char *path = file_join(source->arena, folder, shard);
        TRY_MEMORY(path, diagnostic);
        if (!is_open(source, path)) TRY(safetensors_open(path, source, diagnostic));
    }
    return STATUS_OK;
}

/* Each tensor of the map is in its file, and no file holds others. */
static status check_map(const char *index_path, json_t *map, struct model_source *source,
                        struct diagnostic *diagnostic)
{
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value)
    {
        const struct stored_tensor *tensor = source_tensor(source, name);
        if (tensor && !strcmp(file_name_of(tensor->file), json_string_value(value))) continue;
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: weight_map: tensor '%.200s' is not in '%.100s'", index_path, name,
                    json_string_value(value));
    }
    if (json_object_size(map) == (size_t)source->tensor_count) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: weight_map names %zu tensors, but the files hold %d", index_path,
                json_object_size(map), source->tensor_count);
}

static status check_total(const char *index_path, json_t *root, const struct model_source *source,
                          struct diagnostic *diagnostic)
{
    json_t *total = json_object_get(json_object_get(root, "metadata"), "total_size");
    int64_t bytes = 0; /* cannot overflow: each tensor lies in a mapped file of its own range */
    for (int i = 0; i < source->tensor_count; i++) bytes += source->tensors[i].byte_count;
    if (!total || (int64_t)json_number_value(total) == bytes) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: metadata.total_size differs from the %" PRId64
                " bytes that the files hold; a file may be missing or from another model",
                index_path, bytes);
}

static status read_index(const char *folder, const char *index_path, json_t *root,
                         struct model_source *source, struct diagnostic *diagnostic)
{
    json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map) || !json_object_size(map)) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: weight_map, a map from tensors to files, is missing", index_path);
    }
    TRY(open_shards(folder, index_path, map, source, diagnostic));
    TRY(source_index(source, diagnostic));
    TRY(check_map(index_path, map, source, diagnostic));
    return check_total(index_path, root, source, diagnostic);
}

status safetensors_open_index(const char *folder, const char *index_path,
                              struct model_source *source, struct diagnostic *diagnostic)
{
    char *bytes;
    size_t byte_count;
    json_t *root;
    TRY(file_read(index_path, INDEX_BYTES_MAX, source->arena, &bytes, &byte_count, diagnostic));
    TRY(json_read(index_path, bytes, byte_count, &root, diagnostic));
    status result = read_index(folder, index_path, root, source, diagnostic);
    json_decref(root);
    return result;
}

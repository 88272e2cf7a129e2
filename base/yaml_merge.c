/* Maps over maps. */
#include "base/yaml_merge.h"

#include <string.h>

enum { ENTRIES_MAX = 4096 }; /* of a map: entries are looked for one by one */

static bool is_one_of(const char *key, const char *const *names)
{
    while (*names && strcmp(*names, key) != 0) names++;
    return *names;
}

static bool is_removed(const struct yaml *node)
{
    return node->kind == YAML_SCALAR && node->plain && !strcmp(node->text, "none");
}

static void append(struct yaml *map, const struct yaml *item)
{
    map->items[map->count] = *item;
    map->items[map->count++].used = false;
}

/* An empty map or list like `like` with room for the items of both. */
static status begin(const struct yaml *like, const struct yaml *other, struct arena *arena,
                    struct yaml *merged, struct diagnostic *diagnostic)
{
    *merged = *like;
    merged->count = 0;
    TRY_NEW(merged->items, arena, like->count + other->count, diagnostic);
    return STATUS_OK;
}

static status merge_lists(const struct yaml *base, const struct yaml *own, struct arena *arena,
                          struct yaml *merged, struct diagnostic *diagnostic)
{
    if (own->kind != YAML_LIST) return yaml_fail(own, diagnostic, "a list is needed here");
    TRY(begin(own, base, arena, merged, diagnostic));
    for (int i = 0; i < base->count; i++) append(merged, &base->items[i]);
    for (int i = 0; i < own->count; i++) append(merged, &own->items[i]);
    return STATUS_OK;
}

/* Own entries [from, to) that are no removals. */
static void append_own(const struct yaml *own, int from, int to, struct yaml *merged)
{
    for (int i = from; i < to; i++)
        if (!is_removed(&own->items[i])) append(merged, &own->items[i]);
}

static int index_of(const struct yaml *map, const char *key)
{
    int i = map->count - 1;
    while (i >= 0 && strcmp(map->items[i].key, key) != 0) i--;
    return i;
}

static status check_entries(const struct yaml *base, const struct yaml *own,
                            struct diagnostic *diagnostic)
{
    if (own->kind != YAML_MAP) return yaml_fail(own, diagnostic, "a map is needed here");
    if (own->count > ENTRIES_MAX || base->count > ENTRIES_MAX)
        return yaml_fail(own, diagnostic, "more than %d entries", ENTRIES_MAX);
    for (int i = 0; i < own->count; i++)
        if (is_removed(&own->items[i]) && index_of(base, own->items[i].key) < 0)
            return yaml_fail(&own->items[i], diagnostic, "there is no '%.100s' to remove",
                             own->items[i].key);
    return STATUS_OK;
}

static status merge_entries(const struct yaml *base, const struct yaml *own, struct arena *arena,
                            struct yaml *merged, struct diagnostic *diagnostic)
{
    int taken = 0;
    TRY(check_entries(base, own, diagnostic));
    TRY(begin(own, base, arena, merged, diagnostic));
    for (int i = 0; i < base->count; i++) {
        int replacing = index_of(own, base->items[i].key);
        if (replacing < 0) append(merged, &base->items[i]);
        if (replacing < taken) continue;
        append_own(own, taken, replacing + 1, merged);
        taken = replacing + 1;
    }
    append_own(own, taken, own->count, merged);
    return STATUS_OK;
}

static status merge_value(const struct yaml_merge *merge, const struct yaml *base,
                          const struct yaml *own, struct arena *arena, struct yaml *merged,
                          struct diagnostic *diagnostic)
{
    if (base->kind == YAML_MAP && is_one_of(base->key, merge->by_entry))
        return merge_entries(base, own, arena, merged, diagnostic);
    if (base->kind == YAML_LIST && is_one_of(base->key, merge->lists))
        return merge_lists(base, own, arena, merged, diagnostic);
    return STATUS_OK;
}

status yaml_merge(const struct yaml_merge *merge, struct yaml *base, struct yaml *own,
                  struct arena *arena, struct yaml **result, struct diagnostic *diagnostic)
{
    struct yaml *merged;
    if (base->kind != YAML_MAP) return yaml_fail(base, diagnostic, "a map is needed here");
    if (own->kind != YAML_MAP) return yaml_fail(own, diagnostic, "a map is needed here");
    TRY_NEW(merged, arena, 1, diagnostic);
    TRY(begin(own, base, arena, merged, diagnostic));
    for (int i = 0; i < own->count; i++) {
        const struct yaml *value = &own->items[i], *inherited = yaml_find(base, value->key);
        append(merged, value);
        if (!inherited || is_one_of(value->key, merge->own_only)) continue;
        struct yaml *place = &merged->items[merged->count - 1];
        TRY(merge_value(merge, inherited, value, arena, place, diagnostic));
        place->used = false;
    }
    for (int i = 0; i < base->count; i++) {
        const struct yaml *value = &base->items[i];
        if (is_one_of(value->key, merge->own_only) || yaml_find(own, value->key)) continue;
        append(merged, value);
    }
    *result = merged;
    return STATUS_OK;
}

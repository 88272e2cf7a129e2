/* A description that extends another one: `extends: llama` takes over the sections of llama.yaml.
 *
 * Parameters, derived values, weights, states, attribute groups and blocks are taken over one by
 * one: an entry of one's own replaces the one of its name, `none` removes it.  Own entries keep
 * their order and stand where those that they replace stood, or before; the rest follows behind, so
 * that a default may use whatever stands above it in either file.  Checks and ignored tensors add up.  Everything else (harmless, graph,
 * outputs) is replaced as a whole.  `files` is never taken over, but its names stay words that
 * expressions may compare `name` with. */
#include "models/architecture_extend.h"

#include <string.h>

enum {
    EXTENSIONS_DEPTH_MAX = 4,
    ENTRIES_MAX = 4096, /* of a section: entries are looked for one by one */
};

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
    map->items[map->count++] = *item;
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
    for (int i = from; i < to; i++) {
        if (is_removed(&own->items[i])) continue;
        append(merged, &own->items[i]);
        merged->items[merged->count - 1].used = false;
    }
}

static int index_of(const struct yaml *map, const char *key)
{
    int i = map->count - 1;
    while (i >= 0 && strcmp(map->items[i].key, key) != 0) i--;
    return i;
}

/* Own entries keep their order, and each stands where the one that it replaces stood, or before. */
static status merge_entries(const struct yaml *base, struct yaml *own, struct arena *arena,
                            struct yaml *merged, struct diagnostic *diagnostic)
{
    int taken = 0;
    if (own->kind != YAML_MAP) return yaml_fail(own, diagnostic, "a map is needed here");
    if (own->count > ENTRIES_MAX || base->count > ENTRIES_MAX) {
        return yaml_fail(own, diagnostic, "more than %d entries", ENTRIES_MAX);
    }
    TRY(begin(own, base, arena, merged, diagnostic));
    for (int i = 0; i < own->count; i++) {
        if (!is_removed(&own->items[i]) || index_of(base, own->items[i].key) >= 0) continue;
        return yaml_fail(&own->items[i], diagnostic, "there is no '%.100s' to remove",
                         own->items[i].key);
    }
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

static status merge_section(const struct yaml *base, struct yaml *own, struct arena *arena,
                            struct yaml *merged, struct diagnostic *diagnostic)
{
    static const char *const by_entry[] = {"parameters", "let",        "weights", "state",
                                           "blocks",     "attributes", NULL};
    static const char *const lists[] = {"checks", "ignored", NULL};
    if (base->kind == YAML_MAP && is_one_of(base->key, by_entry)) {
        return merge_entries(base, own, arena, merged, diagnostic);
    }
    if (base->kind == YAML_LIST && is_one_of(base->key, lists)) {
        return merge_lists(base, own, arena, merged, diagnostic);
    }
    *merged = *own;
    return STATUS_OK;
}

/* The names that a base answers to, and those of its own base. */
static int add_words(const struct yaml *node, struct yaml *words)
{
    int count = node->kind == YAML_SCALAR;
    if (count && words) append(words, node);
    for (int i = 0; i < node->count; i++) {
        if (!node->items[i].key || strcmp(node->items[i].key, "when") != 0)
            count += add_words(&node->items[i], words);
    }
    return count;
}

static status merge_words(struct yaml *base, const struct yaml *own, struct arena *arena,
                          struct yaml *merged, struct diagnostic *diagnostic)
{
    struct yaml *sources[] = {yaml_find(base, "files"), yaml_find(base, "words")}, words = *own;
    int count = 0;
    for (int s = 0; s < 2; s++) count += sources[s] ? add_words(sources[s], NULL) : 0;
    words.kind = YAML_LIST;
    words.key = "words";
    words.count = 0;
    TRY_NEW(words.items, arena, count, diagnostic);
    for (int s = 0; s < 2; s++) count += sources[s] ? add_words(sources[s], &words) : 0;
    append(merged, &words);
    return STATUS_OK;
}

static status merge(struct yaml *base, struct yaml *own, struct arena *arena, struct yaml *merged,
                    struct diagnostic *diagnostic)
{
    static const char *const own_only[] = {"architecture", "description", "extends",
                                           "files",        "words",       NULL};
    *merged = *own;
    merged->count = 0;
    TRY_NEW(merged->items, arena, own->count + base->count + 1, diagnostic);
    for (int i = 0; i < own->count; i++) {
        struct yaml *section = &own->items[i], *inherited = yaml_find(base, section->key);
        struct yaml *place = &merged->items[merged->count++];
        *place = *section;
        if (inherited && !is_one_of(section->key, own_only)) {
            TRY(merge_section(inherited, section, arena, place, diagnostic));
        }
        place->used = false;
    }
    for (int i = 0; i < base->count; i++) {
        if (is_one_of(base->items[i].key, own_only) || yaml_find(own, base->items[i].key)) continue;
        append(merged, &base->items[i]);
        merged->items[merged->count - 1].used = false;
    }
    return merge_words(base, own, arena, merged, diagnostic);
}

static status find_base(const struct architecture_files *files, const struct yaml *extends,
                        struct arena *arena, struct yaml **base, struct diagnostic *diagnostic)
{
    struct diagnostic reason = {0};
    status result = files->find(files->context, extends->text, arena, base, &reason);
    if (result == STATUS_OK) return result;
    if (result != STATUS_NOT_FOUND) return fail(diagnostic, result, "%s", reason.text);
    return yaml_fail(extends, diagnostic, "there is no description '%.100s' to extend",
                     extends->text);
}

status architecture_extend(const struct architecture_files *files, struct yaml *own, int depth,
                           struct arena *arena, struct yaml **whole, struct diagnostic *diagnostic)
{
    struct yaml *base, *merged, *extends = yaml_find(own, "extends");
    struct yaml *words = yaml_find(own, "words");
    *whole = own;
    if (words) return yaml_fail(words, diagnostic, "'words' is no section");
    if (!extends) return STATUS_OK;
    if (depth == EXTENSIONS_DEPTH_MAX) {
        return yaml_fail(extends, diagnostic, "descriptions extend one another more than %d deep",
                         EXTENSIONS_DEPTH_MAX);
    }
    if (extends->kind != YAML_SCALAR) {
        return yaml_fail(extends, diagnostic, "'extends' must name a description");
    }
    TRY(find_base(files, extends, arena, &base, diagnostic));
    TRY(architecture_extend(files, base, depth + 1, arena, &base, diagnostic));
    if (base->kind != YAML_MAP) return yaml_fail(base, diagnostic, "a description is a map");
    TRY_NEW(merged, arena, 1, diagnostic);
    TRY(merge(base, own, arena, merged, diagnostic));
    yaml_find(merged, "extends"); /* read here */
    *whole = merged;
    return STATUS_OK;
}

/* A description that extends another one: `extends: llama` takes over the sections of llama.yaml, in the manner of
 * base/yaml_merge.h: parameters, derived values, weights, states, attribute groups and blocks one by one; checks and
 * ignored tensors add up; everything else (harmless, graph, outputs) is replaced as a whole.  `files` is never taken
 * over, but its names stay words that expressions may compare `name` with. */
#include "models/architecture_extend.h"

#include "base/yaml_merge.h"

#include <string.h>

enum { EXTENSIONS_DEPTH_MAX = 4 };

static const struct yaml_merge sections = {
    .by_entry = (const char *const[]){"parameters", "let", "weights", "state", "blocks",
                                      "attributes", NULL},
    .lists = (const char *const[]){"checks", "ignored", NULL},
    .own_only =
        (const char *const[]){"architecture", "description", "extends", "files", "words", NULL},
};

/* The names that a base answers to, and those of its own base. */
static int add_words(const struct yaml *node, struct yaml *words)
{
    int count = node->kind == YAML_SCALAR;
    if (count && words) words->items[words->count++] = *node;
    for (int i = 0; i < node->count; i++) {
        if (!node->items[i].key || strcmp(node->items[i].key, "when") != 0)
            count += add_words(&node->items[i], words);
    }
    return count;
}

/* `own` with these words behind its sections. */
static status with_words(struct yaml *base, const struct yaml *own, struct arena *arena,
                         struct yaml *whole, struct diagnostic *diagnostic)
{
    struct yaml *sources[] = {yaml_find(base, "files"), yaml_find(base, "words")}, words = *own;
    int count = 0;
    for (int s = 0; s < 2; s++) count += sources[s] ? add_words(sources[s], NULL) : 0;
    words.kind = YAML_LIST;
    words.key = "words";
    words.count = 0;
    TRY_NEW(words.items, arena, count, diagnostic);
    for (int s = 0; s < 2; s++) count += sources[s] ? add_words(sources[s], &words) : 0;
    *whole = *own;
    TRY_NEW(whole->items, arena, own->count + 1, diagnostic);
    memcpy(whole->items, own->items, (size_t)own->count * sizeof *own->items);
    whole->items[whole->count++] = words;
    return STATUS_OK;
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
    struct yaml *base, with, *extends = yaml_find(own, "extends");
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
    TRY(with_words(base, own, arena, &with, diagnostic));
    TRY(yaml_merge(&sections, base, &with, arena, whole, diagnostic));
    yaml_find(*whole, "extends"); /* read here */
    return STATUS_OK;
}

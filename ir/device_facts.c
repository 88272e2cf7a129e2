/* The table of facts, and profile files: descriptions of devices that are not here. */
#include "ir/device_facts.h"

#include "ir/card.h"

#include <math.h>
#include <string.h>

static const char *const fact_names[FACT_COUNT + 1] = {
#define FACT(name, meaning) [FACT_##name] = #name,
#include "ir/facts.def"
#undef FACT
};

static const char *const target_names[TARGET_COUNT] = {
    [TARGET_CPU] = "cpu",
    [TARGET_CUDA] = "cuda",
};

const char *fact_name(enum fact fact)
{
    return fact_names[fact];
}

bool fact_by_name(const char *name, enum fact *fact)
{
    for (int f = 0; f < FACT_COUNT; f++) {
        if (strcmp(fact_names[f], name) != 0) continue;
        *fact = (enum fact)f;
        return true;
    }
    return false;
}

bool fact_is_measured(enum fact fact)
{
    return fact >= FACT_read_bandwidth;
}

const char *target_name(enum target target)
{
    return target_names[target];
}

bool target_by_name(const char *name, enum target *target)
{
    for (int t = 0; t < TARGET_COUNT; t++) {
        if (strcmp(target_names[t], name) != 0) continue;
        *target = (enum target)t;
        return true;
    }
    return false;
}

/* In double quotes, without what would have to be escaped there. */
static void print_quoted(const char *key, const char *value, struct text *text)
{
    text_print(text, ", %s: \"", key);
    for (const char *at = value ? value : ""; *at; at++)
        text_print(text, "%c", *at == '"' || *at == '\\' || (unsigned char)*at < ' ' ? '_' : *at);
    text_append(text, "\"");
}

void device_facts_print(const struct device_facts *facts, struct text *text)
{
    const char *separator = "";
    text_print(text, "{target: %s", target_name(facts->target));
    print_quoted("name", facts->name, text);
    print_quoted("class", facts->class_name, text);
    print_quoted("triple", facts->triple, text);
    print_quoted("cpu", facts->cpu, text);
    print_quoted("features", facts->features, text);
    text_append(text, ", facts: {");
    for (int f = 0; f < FACT_COUNT; f++) {
        if (!(facts->values[f] > 0)) continue;
        text_print(text, "%s%s: %.17g", separator, fact_names[f], facts->values[f]);
        separator = ", ";
    }
    text_append(text, "}}");
}

static status read_facts(struct yaml *map, struct device_facts *facts,
                         struct diagnostic *diagnostic)
{
    for (int i = 0; i < map->count; i++) {
        struct yaml *item = &map->items[i];
        enum fact fact;
        if (!fact_by_name(item->key, &fact)) continue; /* yaml_check_used names it */
        item->used = true;
        double value;
        TRY(yaml_real(item, &value, diagnostic));
        if (!isfinite(value) || value < 0)
            return yaml_fail(item, diagnostic, "'%s' must be a number from 0 up", item->key);
        facts->values[fact] = value;
    }
    return STATUS_OK;
}

/* An optional text is "" where it is absent. */
static status read_text(struct yaml *root, const char *key, bool optional, struct arena *arena,
                        const char **text, struct diagnostic *diagnostic)
{
    *text = "";
    if (optional && !yaml_find(root, key)) return STATUS_OK;
    TRY(yaml_text(root, key, text, diagnostic));
    *text = arena_text(arena, *text);
    TRY_MEMORY(*text, diagnostic);
    return STATUS_OK;
}

static status complete_card(const struct yaml *map, struct arena *arena, struct device_facts *facts,
                            struct diagnostic *diagnostic)
{
    if (facts->values[FACT_sm] == 0)
        return yaml_fail(map, diagnostic, "a card must name its architecture, such as sm: 86");
    TRY(card_complete(facts, 0, diagnostic));
    if (!*facts->class_name) facts->class_name = card_class(facts, arena);
    TRY_MEMORY(facts->class_name, diagnostic);
    return STATUS_OK;
}

status device_facts_read(struct yaml *root, struct arena *arena, struct device_facts *facts,
                         struct diagnostic *diagnostic)
{
    *facts = (struct device_facts){0};
    const char *target;
    TRY(yaml_text(root, "target", &target, diagnostic));
    if (!target_by_name(target, &facts->target))
        return yaml_fail(yaml_find(root, "target"), diagnostic,
                         "'%s' is no target; known are cpu and cuda", target);
    TRY(read_text(root, "name", false, arena, &facts->name, diagnostic));
    bool cuda = facts->target == TARGET_CUDA;
    TRY(read_text(root, "class", cuda, arena, &facts->class_name, diagnostic));
    TRY(read_text(root, "triple", true, arena, &facts->triple, diagnostic));
    TRY(read_text(root, "cpu", true, arena, &facts->cpu, diagnostic));
    TRY(read_text(root, "features", true, arena, &facts->features, diagnostic));
    struct yaml *map;
    TRY(yaml_require(root, "facts", YAML_MAP, &map, diagnostic));
    TRY(read_facts(map, facts, diagnostic));
    TRY(yaml_check_used(root, fact_names, diagnostic));
    return cuda ? complete_card(map, arena, facts, diagnostic) : STATUS_OK;
}

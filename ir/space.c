/* Spaces applied to problems: binding, legality, estimates, and the text of configs. */
#include "ir/space_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static bool answers(const struct space *space, const struct op *op)
{
    for (const struct op *const *own = space->ops; *own; own++)
        if (*own == op) return true;
    return false;
}

/* The first hardware or algorithm rule that does not depend on tunables and is broken. */
static const struct rule *broken_first_rule(const struct bound_space *bound)
{
    const struct space *space = bound->space;
    for (uint64_t rules = space->walk->first_rules; rules; rules &= rules - 1) {
        const struct rule *rule = &space->rules[__builtin_ctzll(rules)];
        if (!condition_holds(rule->require, rule->real, &bound->values)) return rule;
    }
    return NULL;
}

/* Values of all that no config changes; false where the space does not answer the problem. */
static bool bind_problem(const struct space *space, const struct problem *problem,
                         const struct device_facts *facts, struct arena *arena,
                         struct bound_space *bound, const char **reason)
{
    *bound = (struct bound_space){.space = space, .problem = problem, .facts = facts};
    *reason = "the device is of another target";
    if (facts->target != space->target) return false;
    *reason = "it is for other operators";
    if (!answers(space, problem->op)) return false;
    space_bind_slots(bound);
    *reason = "out of memory";
    if (space->accepts && !condition_holds(space->accepts, space->accepts_real, &bound->values)) {
        const char *text = arena_print(arena, "it accepts only %s", space->accepts->text);
        if (text) *reason = text;
        return false;
    }
    for (uint64_t lets = space->walk->first_lets; lets; lets &= lets - 1)
        let_evaluate(space, __builtin_ctzll(lets), &bound->values);
    const struct rule *broken = broken_first_rule(bound);
    *reason = broken ? broken->reason : "no config is legal";
    return !broken;
}

bool space_bind(const struct space *space, const struct problem *problem,
                const struct device_facts *facts, struct arena *arena, struct bound_space *bound,
                const char **reason)
{
    struct diagnostic diagnostic = {0};
    if (!bind_problem(space, problem, facts, arena, bound, reason)) return false;
    if (space_counts_create(arena, &bound->counts, &diagnostic) == STATUS_OK)
        return space_count(bound) > 0;
    *reason = "out of memory";
    return false;
}

bool space_bind_config(const struct space *space, const struct problem *problem,
                       const struct device_facts *facts, const struct config *config,
                       struct arena *arena, struct bound_space *bound, const char **reason)
{
    if (!bind_problem(space, problem, facts, arena, bound, reason)) return false;
    const struct rule *broken = space_check(bound, config);
    if (broken) *reason = broken->reason;
    return !broken;
}

static const struct rule *broken_rule(const struct bound_space *bound, const struct config *config,
                                      bool soft)
{
    const struct space *space = bound->space;
    struct slot_values values;
    space_values(bound, config, &values);
    for (int r = 0; r < space->rule_count; r++) {
        const struct rule *rule = &space->rules[r];
        if ((rule->class == RULE_SOFT) != soft) continue;
        if (!condition_holds(rule->require, rule->real, &values)) return rule;
    }
    return NULL;
}

const struct rule *space_check(const struct bound_space *bound, const struct config *config)
{
    return broken_rule(bound, config, false);
}

const struct rule *space_check_soft(const struct bound_space *bound, const struct config *config)
{
    return broken_rule(bound, config, true);
}

double space_estimate(const struct bound_space *bound, const struct config *config)
{
    struct slot_values values;
    space_values(bound, config, &values);
    double seconds;
    if (!value_real(bound->space->estimate, &values, &seconds) || seconds < 0) return INFINITY;
    return seconds;
}

void config_print(const struct space *space, const struct config *config, struct text *text)
{
    for (int t = 0; t < space->tunable_count; t++) {
        const struct tunable *tunable = &space->tunables[t];
        const char *separator = t ? " " : "";
        if (tunable->words)
            text_print(text, "%s%s=%s", separator, tunable->name,
                       tunable->words[config->values[t]]);
        else
            text_print(text, "%s%s=%lld", separator, tunable->name, (long long)config->values[t]);
    }
}

static const struct tunable *tunable_by_name(const struct space *space, const char *name,
                                             size_t length)
{
    for (int t = 0; t < space->tunable_count; t++)
        if (strlen(space->tunables[t].name) == length &&
            memcmp(space->tunables[t].name, name, length) == 0)
            return &space->tunables[t];
    return NULL;
}

/* The value that `text` of `length` characters stands for; false when the tunable has no such
 * value. */
static bool parse_value(const struct tunable *tunable, const char *text, size_t length,
                        int64_t *value)
{
    char copy[72];
    if (length >= sizeof copy) return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    if (!tunable->words) return text_to_integer(copy, value) && tunable_index(tunable, *value) >= 0;
    for (int v = 0; v < tunable->value_count; v++) {
        if (strcmp(tunable->words[v], copy) != 0) continue;
        *value = v;
        return true;
    }
    return false;
}

status config_parse(const struct space *space, const char *text, struct config *config,
                    struct diagnostic *diagnostic)
{
    uint64_t given = 0;
    *config = (struct config){0};
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, " "), name_length = strcspn(at, "= ");
        const struct tunable *tunable = tunable_by_name(space, at, name_length);
        if (!tunable)
            return fail(diagnostic, STATUS_BAD_INPUT, "%s has no tunable '%.*s'", space->variant,
                        (int)name_length, at);
        long index = tunable - space->tunables;
        bool good = at[name_length] == '=' && !(given >> index & 1) &&
                    parse_value(tunable, at + name_length + 1, length - name_length - 1,
                                &config->values[index]);
        if (!good)
            return fail(diagnostic, STATUS_BAD_INPUT, "%s: '%.*s' gives '%s' no value of its list",
                        space->variant, (int)length, at, tunable->name);
        given |= (uint64_t)1 << index;
        at += length;
        at += strspn(at, " ");
    }
    for (int t = 0; t < space->tunable_count; t++)
        if (!(given >> t & 1))
            return fail(diagnostic, STATUS_BAD_INPUT, "%s: the config '%s' has no value for '%s'",
                        space->variant, text, space->tunables[t].name);
    return STATUS_OK;
}

bool config_equal(const struct space *space, const struct config *a, const struct config *b)
{
    return memcmp(a->values, b->values, (size_t)space->tunable_count * sizeof *a->values) == 0;
}

int64_t config_value(const struct space *space, const struct config *config, const char *name)
{
    const struct tunable *tunable = tunable_by_name(space, name, strlen(name));
    assert(tunable);
    return config->values[tunable - space->tunables];
}

/* Spaces: the tunables of a variant, with rules, launch geometry and an analytic estimate, as data.
 *
 *     variant: linear_dot_cpu          # also the name of the emitter file beside it
 *     op: [linear, linear_gated]       # operators it answers
 *     target: cpu
 *     numerics: {operands: q8 per block of 32, accumulation: f32}
 *     class: fast                      # optional: only with --numerics fast
 *     accepts: rows <= 16 and weight.q8_0          # problems it answers
 *     tunables:
 *       streams:  {values: [1, 2, 4, 8], kind: compile, default: 4}
 *       prefetch: {values: [0, 1024, 2048, 4096]}
 *       dot:      {values: [fma, vnni]}             # words become the numbers 0, 1 ...
 *     let:
 *       row_bytes: columns / 32 * 34
 *     rules:
 *       - {require: dot != vnni or has_vnni, class: hardware, reason: this CPU has no VNNI}
 *     estimate: bytes / read_bandwidth * (1.6 if streams == 1 else 1.0)   # seconds
 *
 * Names in expressions: tunables and their words, `let` values, device facts, and what the problem is: rows, columns,
 * outputs, context, bytes, operations, attributes by name, and OPERAND.TYPE as a condition (weight.q8_0).
 *
 * Counting and sampling never build the list: configs are numbered by a depth-first walk in which each rule is tested as
 * soon as its last tunable has a value. */
#ifndef IR_SPACE_H
#define IR_SPACE_H

#include "ir/device_facts.h"
#include "ir/problem.h"

#include "base/expression.h"

enum { SPACE_TUNABLES_MAX = 16, SPACE_LETS_MAX = 16, SPACE_SLOTS_MAX = 160 };

enum tunable_kind { TUNABLE_COMPILE, TUNABLE_LAUNCH, TUNABLE_LAYOUT, TUNABLE_NUMERICS };

struct tunable {
    const char *name;
    enum tunable_kind kind;
    int value_count;
    const int64_t *values;
    const char *const *words; /* NULL when the values are numbers */
    int otherwise;            /* index of the default value */
};

enum rule_class { RULE_HARDWARE, RULE_ALGORITHM, RULE_SOFT };

struct rule {
    const struct expression *require;
    enum rule_class class;
    const char *reason;
    int depth; /* number of tunables that must have values before it can be tested; 0: before any */
};

struct config {
    int64_t values[SPACE_TUNABLES_MAX]; /* by tunable */
};

struct space {
    const char *variant;
    enum target target;
    const char *const *ops; /* NULL-terminated */
    const char *numerics;   /* for people and records */
    bool fast;              /* only with --numerics fast */
    const struct expression *accepts, *estimate;
    int tunable_count, let_count, rule_count;
    struct tunable tunables[SPACE_TUNABLES_MAX];
    const char *let_names[SPACE_LETS_MAX];
    const struct expression *lets[SPACE_LETS_MAX];
    struct rule *rules;
    struct hash source; /* of the YAML text and, where there is one, of the emitter's or kernel's source */
};

CHECKED status space_read(struct yaml *root, struct arena *arena, struct space **space,
                          struct diagnostic *diagnostic);

/* A space applied to one problem on one device: all names have values but the tunables'. */
struct bound_space {
    const struct space *space;
    const struct problem *problem;
    const struct device_facts *facts;
    int64_t slots[SPACE_SLOTS_MAX];
    double real_slots[SPACE_SLOTS_MAX];
};

/* False with a reason (never an error) when the space does not answer the problem or the device lacks something. */
bool space_bind(const struct space *space, const struct problem *problem,
                const struct device_facts *facts, struct bound_space *bound,
                const char **reason);

/* The rule that a config breaks, or NULL. */
const struct rule *space_check(const struct bound_space *bound, const struct config *config);
double space_estimate(const struct bound_space *bound, const struct config *config); /* seconds */
void space_default(const struct bound_space *bound, struct config *config); /* legal if any config is */

uint64_t space_count(const struct bound_space *bound); /* legal configs, exactly */
bool space_unrank(const struct bound_space *bound, uint64_t rank, struct config *config);
bool space_rank(const struct bound_space *bound, const struct config *config, uint64_t *rank);

/* Visits legal configs in order until `visit` returns false. */
void space_each(const struct bound_space *bound,
                bool (*visit)(void *context, const struct config *config), void *context);

/* "streams=4 prefetch=2048 dot=vnni", and back. */
void config_print(const struct space *space, const struct config *config, struct text *text);
CHECKED status config_parse(const struct space *space, const char *text, struct config *config,
                            struct diagnostic *diagnostic);

/* The value of a tunable by name, for emitters; asserts that it exists. */
int64_t config_value(const struct space *space, const struct config *config, const char *name);

#endif

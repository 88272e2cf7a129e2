/* What the files of a space share: ir/space*.c only. */
#ifndef IR_SPACE_INTERNAL_H
#define IR_SPACE_INTERNAL_H

#include "ir/image.h"

/* space_names.c: what names stand for. */

struct name_context {
    struct space *space;
    struct arena *arena;
    const struct yaml *node; /* of the expression that is being read */
    struct diagnostic
        *diagnostic; /* receives what is wrong with a name that is known but may not be used */
};

/* An expression_resolver over a name_context: the slot of a name, which it gets now if it has none.
 */
int space_name_slot(const void *context, const char *name, size_t length);
/* The meaning that a name has already, or NULL: new names must have none.  The text lives until the
 * next call. */
const char *space_name_taken(const struct name_context *context, const char *name);

/* The operand's name as an operator of the space spells it, or NULL. */
const char *space_operand(const struct space *space, const char *name, size_t length);

/* space_read.c */

CHECKED status space_name_check(const struct name_context *context, const struct yaml *node,
                                const char *name);
CHECKED status space_expression_read(struct name_context *context, const struct yaml *node,
                                     const struct expression **expression);
bool space_expression_is_real(const struct space *space, const struct expression *expression);
/* Notes which lets an expression reads, in which arithmetic. */
void space_mark_lets(struct space *space, const struct expression *expression, bool real);

/* space_launches.c: the launches and workspaces of CUDA spaces. */

CHECKED status space_launches_read(struct name_context *context, struct yaml *root);
void space_launches_mark_lets(struct space *space);
/* An optional expression over whole numbers, under the key `key`. */
CHECKED status space_whole_read(struct name_context *context, struct yaml *map, const char *key,
                                const struct expression **expression);
int space_workspace(const struct space *space, const char *name); /* its index, or -1 */

/* The numbers of one config. */
struct space_numbers {
    const struct bound_space *bound;
    struct slot_values values;
    struct diagnostic *diagnostic;
};

/* Where a number belongs, and what it may be. */
struct number_place {
    const char *owner; /* a launch's entry, a workspace or a tensor map */
    const char *what;
    int64_t otherwise, least, most;
};
CHECKED status space_number(const struct space_numbers *numbers,
                            const struct expression *expression, struct number_place place,
                            int64_t *number);
/* What a name stands for; null where the problem has no such operand. */
struct argument space_present_argument(const struct bound_space *bound, const char *name);

/* space_tensors.c: the tensor maps of CUDA spaces. */

CHECKED status space_tensors_read(struct name_context *context, struct yaml *root);
int space_tensor(const struct space *space, const char *name); /* its index, or -1 */
CHECKED status space_tensors_fill(const struct space_numbers *numbers, struct image *image);

/* space_values.c: filling slots and computing expressions. */

/* Values of everything that does not depend on tunables' values. */
void space_bind_slots(struct bound_space *bound);
/* Gives a tunable a value. */
void slot_assign(struct slot_values *values, int slot, int64_t value);
/* Computes a let; marks it undefined where it has no value. */
void let_evaluate(const struct space *space, int let, struct slot_values *values);
/* False when the expression has no value. */
bool value_whole(const struct expression *expression, const struct slot_values *values,
                 int64_t *value);
bool value_real(const struct expression *expression, const struct slot_values *values,
                double *value);
/* Whether a condition holds; one without a value does not. */
bool condition_holds(const struct expression *condition, bool real,
                     const struct slot_values *values);
/* The problem's operand of that name, or -1 when its operator has none. */
int operand_by_name(const struct problem *problem, const char *name);

/* space_walk.c: the order in which tunables get their values. */

/* Part of an unfinished rule that can be computed already. */
struct piece {
    const struct expression *expression;
    bool real;
};

struct walk_step {
    int tunable;    /* which gets its value in this step */
    uint64_t lets;  /* bits of lets that can be computed after it */
    uint64_t rules; /* bits of hardware and algorithm rules that can be tested after it */
    int piece_count;
    const struct piece *pieces; /* after it: all that later steps depend on */
};

struct space_walk {
    struct walk_step steps[SPACE_TUNABLES_MAX];
    uint64_t first_lets, first_rules; /* that need no tunable */
};

/* Fills in the depths of lets and rules as well. */
CHECKED status space_walk_prepare(struct space *space, struct rule *rules, struct arena *arena,
                                  struct diagnostic *diagnostic);
CHECKED status space_counts_create(struct arena *arena, struct space_counts **counts,
                                   struct diagnostic *diagnostic);

#endif

/* What the files of this folder share about graphs and does not concern other rooms: checks of one
 * node, and the tools with which passes rewrite a graph. */
#ifndef IR_GRAPH_EDIT_H
#define IR_GRAPH_EDIT_H

#include "ir/graph.h"

/* Nine significant digits tell all floats apart. */
enum { ATTRIBUTE_REAL_DIGITS = 9, ATTRIBUTE_TEXT_BYTES = 32 };

int attribute_choice_count(const struct attribute_rule *rule);
bool attribute_is_default(const struct op *op, const union attribute *attributes, int row);
/* "%.*g" with a point, whatever the locale. */
const char *attribute_real_print(double value, int digits,
                                 char buffer[static ATTRIBUTE_TEXT_BYTES]);

/* Makes the table of names anew, after values were renamed or renumbered. */
CHECKED status graph_index_names(struct graph *graph, struct diagnostic *diagnostic);

/* Whether `name` may name a value or a graph. */
bool graph_name_legal(const char *name);

/* Checks a node's operator, operands and attributes and infers its outputs' types (rank 0: absent).
 */
CHECKED status node_infer(const struct graph *graph, const struct node *node,
                          struct tensor_type types[OP_OUTPUTS_MAX], struct diagnostic *diagnostic);

/* The input of that name in the operator's table, or -1. */
int op_input_by_name(const struct op *op, const char *name);
bool node_writes_state(const struct node *node);

/* Appends a node as it stands, with existing values as outputs, which become its results. */
CHECKED status graph_append_node(struct graph *graph, const struct node *node,
                                 struct diagnostic *diagnostic);

/* Adds a RESULT value without a producer yet. */
CHECKED status graph_add_result(struct graph *graph, const char *name,
                                const struct tensor_type *type, int *value,
                                struct diagnostic *diagnostic);

/* A name no value has: `name` itself, or with ".2", ".3" ... behind it. */
CHECKED status graph_free_name(const struct graph *graph, const char *name, const char **free_name,
                               struct diagnostic *diagnostic);

/* Drops the nodes with `keep[node]` false, their results, and, where `drop_unused`, weights and
 * states that no node uses.  No kept node may use a dropped one's results.  Values and nodes are
 * renumbered, in their order. */
CHECKED status graph_sweep(struct graph *graph, const bool *keep, bool drop_unused,
                           struct arena *scratch, struct diagnostic *diagnostic);

/* The nodes that use each value: users[starts[v] .. starts[v + 1]), in order. */
struct graph_users {
    int *starts, *users;
};
CHECKED status graph_find_users(const struct graph *graph, struct arena *arena,
                                struct graph_users *users, struct diagnostic *diagnostic);

/* "NAME.7" from "NAME.3" for layers 3 and 7, and NAME with ".7" behind it when it does not end in ".3". */
const char *graph_name_in_layer(struct arena *arena, const char *name, int layer, int new_layer);

bool node_is(const struct node *node, const char *op_name);
/* Whether a plan runs it by a kernel: transfers and resolves are steps of their own kinds. */
bool node_is_launched(const struct node *node);

/* Runs the body of a pass with an arena for what only it needs. */
typedef status pass_body(struct graph *graph, void *context, struct arena *scratch,
                         struct diagnostic *diagnostic);
CHECKED status pass_run(struct graph *graph, pass_body *body, void *context,
                        struct diagnostic *diagnostic);

#endif

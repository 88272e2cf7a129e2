/* What the patterns of fusion share: finding neighbours, taking over attributes, and replacing
 * nodes when that is legal.
 *
 * A pattern looks at one node, collects the members it would join and describes the joined node;
 * fuse_replace checks what is the same for all of them (devices, order, states, types, who else
 * uses the values between) and replaces the members, or does nothing.  So a pattern needs to know
 * its own algebra only. */
#ifndef IR_FUSE_H
#define IR_FUSE_H

#include "ir/graph_edit.h"
#include "ir/pass.h"

struct fuser {
    struct graph *graph;
    struct graph_users users;         /* as they were before the pattern's run */
    bool *dead;                       /* per node */
    int *moved_to;                    /* per dead node: the node that does its work */
    bool *is_output;                  /* per value */
    const struct fuse_filter *filter; /* NULL: whatever matches */
    struct diagnostic *diagnostic;
};

enum { FUSE_MEMBERS_MAX = 4 };

struct fusion {
    struct node node; /* outputs are values that the members make; layer and device are filled in */
    int members[FUSE_MEMBERS_MAX]; /* nodes, in any order */
    int member_count;
    bool done; /* set by fuse_replace */
};

/* Starts a fusion into the operator of that name; false when the graph's operators do not have it.
 */
bool fuse_begin(const struct fuser *fuser, const char *op_name, struct fusion *fusion);
void fuse_add_member(struct fusion *fusion, int node);

/* Sets an input of the joined node by name.  VALUE_NONE for an optional one is nothing; an input
 * that the operator does not have makes the result false. */
bool fuse_input(struct fusion *fusion, const char *name, int value);

/* Copies the attributes of `source` to those of the same name; false when one that the joined
 * operator lacks is not at its default, or when they do not fit. */
bool fuse_attributes(struct fusion *fusion, const struct node *source);
/* Whether all attributes of a node are at their defaults. */
bool fuse_is_plain(const struct node *node);

/* The living node that makes `value`, if its operator is `op_name`; -1 otherwise. */
int fuse_producer(const struct fuser *fuser, int value, const char *op_name);
/* The u-th living user of `value` in node order, -1 at the end; one node may come several times. */
int fuse_user(const struct fuser *fuser, int value, int u);

CHECKED status fuse_replace(struct fuser *fuser, struct fusion *fusion);

/* Tries to join `node` with neighbours.  Not matching is no failure. */
typedef status fuse_pattern(struct fuser *fuser, int node);
fuse_pattern fuse_linear_gated, fuse_grouped_gated, fuse_linear_group, fuse_linear_residual;
fuse_pattern fuse_add_rmsnorm, fuse_rope_append;

#endif

/* The inside of pass_split: which nodes of a graph are cut over devices, and where the pieces of its values lie.
 *
 * A cut is by columns (output features, heads) or by experts.  It has equal units, of which each device gets a number by
 * its share; values with equal cuts fit each other. */
#ifndef IR_SPLIT_H
#define IR_SPLIT_H

#include "ir/graph_edit.h"
#include "ir/pass.h"

enum cut_kind {
    CUT_NONE,    /* the whole, on one device or on several */
    CUT_COLUMNS, /* each device has columns of its own */
    CUT_EXPERTS  /* each device has the slots of its own experts, and zeros elsewhere */
};

struct cut {
    enum cut_kind kind;
    int64_t units;
    const struct split_part *part; /* who shares them */
};

/* Units [first, first + count) of a device. */
struct cut_share {
    int64_t first, count;
};
struct cut_share cut_share_of(const struct cut *cut, int device_count, int device);
bool cut_equal(const struct cut *a, const struct cut *b);
/* Devices with a share; `only` is the last of them. */
int split_part_devices(const struct split_part *part, int device_count, int *only);
/* The device of what is not cut. */
int split_part_owner(const struct split_part *part, int device_count);

struct split {
    const struct graph *from;
    struct graph *to;
    const struct split_request *request;
    struct arena *scratch;
    struct cut *node_cuts, *value_cuts;   /* per node and value of `from` */
    const struct split_part **node_parts; /* per node: who does it when it is whole */
    bool *
        everywhere; /* per node: on every device that shares the part, as it writes a state that all of them have */
    int *whole; /* [value, device] its number in `to`, plus 1; 0: not there */
    int *local; /* the same of the device's piece */
};

/* split_cut.c: fills node_cuts, value_cuts, node_parts and everywhere. */
CHECKED status split_find_cuts(struct split *split, struct diagnostic *diagnostic);

/* split_values.c: numbers in `to` of a value of `from` on a device, where transfers, joins and copies of weights are made
 * for it.  `node`: the user. */
CHECKED status split_whole(struct split *split, int value, const struct node *node, int device,
                           int *number, struct diagnostic *diagnostic);
CHECKED status split_local(struct split *split, int value, const struct cut *cut,
                           const struct node *node, int device, int *number,
                           struct diagnostic *diagnostic);
/* The rows, or experts, of a weight that belong to the device's share. */
CHECKED status split_weight(struct split *split, int value, const struct cut *cut, int device,
                            int *number, struct diagnostic *diagnostic);
/* Whether it needs no more than a transfer to be whole on the device. */
bool split_is_near(const struct split *split, int value, int device);

/* What costs less to compute again than to move. */
bool split_is_cheap(const struct node *node);

static inline int *split_slot(const struct split *split, int *table, int value, int device)
{
    return &table[value * split->request->device_count + device];
}

#endif

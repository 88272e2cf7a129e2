/* The graph: operators on tensors with symbolic dimensions.  What is computed, never how.
 *
 * Values are numbered; nodes are kept in an order in which every value is produced before it is used.  A graph and all
 * it names live in one arena.  Passes (ir/pass.h) change it; graph_verify states what a legal graph is and runs between
 * them.  Its text form (graph_print, graph_parse) is read by people and by golden tests:
 *
 *     graph tiny
 *     input tokens: i32[tokens]
 *     weight token_embd: q8_0[1024,256]
 *     state k.0: f16[pages,32,128]
 *     x = embed(tokens, token_embd)
 *     h, n = add_rmsnorm(x, d, norm.0) {epsilon=1e-05} layer 0 device 1
 *     output logits
 */
#ifndef IR_GRAPH_H
#define IR_GRAPH_H

#include "ir/op.h"

enum value_kind {
    VALUE_INPUT,  /* given for each step */
    VALUE_WEIGHT, /* constant over the life of the plan */
    VALUE_STATE,  /* lives over steps; read and written in place */
    VALUE_RESULT  /* produced by a node */
};

enum { VALUE_NONE = -1 };

/* Bounds of every graph, far above real ones, so that a hostile text cannot ask for much. */
enum {
    GRAPH_VALUES_MAX = 1 << 18,
    GRAPH_NODES_MAX = 1 << 17,
    GRAPH_OUTPUTS_MAX = 256,
    GRAPH_LAYERS_MAX = 1 << 14,
    GRAPH_DEVICES_MAX = 128,
    GRAPH_NAME_BYTES_MAX =
        127 /* letters, digits and _ . / @ - ; "_" alone stands for an absent operand */
};

struct value {
    const char *name; /* unique */
    enum value_kind kind;
    struct tensor_type type;
    int producer; /* node, or -1 */
    int device;   /* where it lives; set by pass_partition, 0 before */
    const char *
        source; /* WEIGHT: name in the weight source; the copies of a weight on several devices share it */
    int layer; /* STATE: virtual layer; WEIGHT: layer of the file; -1: none */
    /* WEIGHT: [slice_first, slice_first + shape[0]) of the source's `slice_whole` rows or experts; 0: all of it */
    int64_t slice_first, slice_whole;
};

struct node {
    const struct op *op;
    int inputs[OP_INPUTS_MAX]; /* values, VALUE_NONE where absent */
    int outputs[OP_OUTPUTS_MAX];
    union attribute attributes[OP_ATTRIBUTES_MAX];
    int layer;  /* virtual layer this belongs to, -1 before and after the layers */
    int device; /* index into the plan's devices */
};

struct graph {
    struct arena *arena;
    const char *name;
    const struct op *const *ops; /* the operators that it may use */
    struct value *values;
    struct node *nodes;
    int *outputs; /* values that the caller reads after a step */
    int value_count, node_count, output_count;
    size_t value_capacity, node_capacity, output_capacity;
    int layer_count; /* virtual layers */
    int *name_slots; /* hash table of value numbers + 1; graph.c's own */
    size_t name_slot_count;
};

CHECKED status graph_create(struct arena *arena, const char *name, const struct op *const *ops,
                            struct graph **graph, struct diagnostic *diagnostic);
/* A deep copy into another arena. */
CHECKED status graph_copy(const struct graph *graph, struct arena *arena, struct graph **copy,
                          struct diagnostic *diagnostic);

/* Adds a value of kind INPUT, WEIGHT or STATE.  After a failure of this or the next two, discard the graph. */
CHECKED status graph_add_value(struct graph *graph, enum value_kind kind, const char *name,
                               const struct tensor_type *type, int layer, int *value,
                               struct diagnostic *diagnostic);

/* Appends a node: checks operand count and attributes, infers the outputs' types and makes the output values, named
 * `output_names[o]`, or after the operator where NULL. */
CHECKED status graph_add_node(struct graph *graph, const struct node *node,
                              const char *const *output_names, struct diagnostic *diagnostic);
CHECKED status graph_add_output(struct graph *graph, int value, struct diagnostic *diagnostic);

int graph_find_value(const struct graph *graph, const char *name); /* VALUE_NONE when absent */
int node_find_input(const struct node *node,
                    const char *name); /* VALUE_NONE when absent or not an operand */
int graph_use_count(const struct graph *graph,
                    int value); /* inputs of nodes, and outputs of the graph */

/* Default values of all attributes of `op`.  Reals are kept as the shortest decimal number that names the same float
 * (graph_add_node sees to it), so that %.9g prints them exactly, from whatever file they came. */
void attributes_default(const struct op *op, union attribute *attributes);
int attribute_by_name(const struct op *op, const char *name); /* row, or -1 */
void attributes_normalize(const struct op *op, union attribute *attributes);
bool attributes_equal(const struct op *op, const union attribute *a, const union attribute *b);
CHECKED status attributes_check(const struct op *op, const union attribute *attributes,
                                struct diagnostic *diagnostic);

/* Whether the graph is legal: names, types, operands, order, devices, and every type as the operators infer it. */
CHECKED status graph_verify(const struct graph *graph, struct diagnostic *diagnostic);

/* Attributes are printed where they are required or differ from their default, layers and devices where they are not -1
 * and 0, the source of a weight where it differs from its name, and of a sliced one `slice FIRST WHOLE`.  The parser allows `#` comments and empty lines. */
void graph_print(const struct graph *graph, struct text *text);
void node_print(const struct graph *graph, const struct node *node, struct text *text);
CHECKED status graph_parse(const char *file, const char *text, const struct op *const *ops,
                           struct arena *arena, struct graph **graph,
                           struct diagnostic *diagnostic);

#endif

/* A description applied to the files of one model: parameters have values, weights are found and
 * their shapes checked, and the graph is built. */
#ifndef MODELS_ARCHITECTURE_BIND_H
#define MODELS_ARCHITECTURE_BIND_H

#include "ir/graph.h"
#include "ir/weight_source.h"
#include "models/architecture.h"

/* One weight of one layer (or of the model) as found. */
struct bound_weight {
    const char *name; /* in the graph: blk.3.attn_q; NULL when it is not there */
    struct stored_weight stored;
};

struct bound_architecture {
    const struct architecture *architecture;
    struct model_source *source;
    struct arena *arena;
    struct diagnostic *diagnostic;
    int64_t *integers; /* by slot */
    double *reals;
    int64_t **layer_integers; /* by parameter; NULL unless it has a value per layer */
    double **layer_reals;
    int64_t layers;
    struct bound_weight **weights; /* by rule; one per layer, or one */
};

/* What an open model was bound from; its parameters and weights stay as they are. */
struct model;
struct bound_architecture *model_bound(const struct model *model);

/* Whether the description's `when` holds; reads only the parameters that it needs.  A failure means
 * that these are wrong in the file. */
CHECKED status bind_matches(const struct architecture *architecture, struct model_source *source,
                            struct arena *arena, bool *matches, struct diagnostic *diagnostic);

/* Reads all parameters and runs the checks. */
CHECKED status bind_parameters(const struct architecture *architecture, struct model_source *source,
                               struct arena *arena, struct bound_architecture **bound,
                               struct diagnostic *diagnostic);

/* Sets the names that differ between layers; -1: outside of layers. */
CHECKED status bind_layer(struct bound_architecture *bound, int64_t layer);

CHECKED status bind_integer(const struct bound_architecture *bound, const struct formula *formula,
                            int64_t *value);
CHECKED status bind_real(const struct bound_architecture *bound, const struct formula *formula,
                         double *value);
/* `absent` is the answer when there is no expression. */
CHECKED status bind_condition(const struct bound_architecture *bound, const struct formula *formula,
                              bool absent, bool *value);
int64_t bind_parameter(const struct bound_architecture *bound, const char *name); /* 0: none */

/* The shape that a weight must have, in the current layer. */
CHECKED status bind_shape(const struct bound_architecture *bound, const struct weight_rule *rule,
                          struct tensor_type *type);
/* The shape of the tensor that holds it, which a view may make another one. */
CHECKED status bind_stored_shape(const struct bound_architecture *bound,
                                 const struct weight_rule *rule, struct tensor_type *type);
/* A name in the files: `pattern` with {layer} and {expert} filled in. */
CHECKED status bind_name(const struct bound_architecture *bound, const char *pattern, int64_t layer,
                         int64_t expert, const char **name);

/* The part of `tensor`, of the stored shape, that is the weight (bind_views.c).  Numbers are copied,
 * when the weight is asked for, only where they do not lie in pieces along the first dimension; the
 * element type becomes f32 where the part cuts through blocks that have scales of other tensors. */
CHECKED status bind_view(const struct bound_architecture *bound, const struct weight_rule *rule,
                         const struct stored_tensor *tensor, struct tensor_type *type,
                         struct stored_weight *stored);

/* Numbers of a metadata list as a weight; `*found` tells whether there is such a list. */
CHECKED status bind_values(const struct bound_architecture *bound, const struct weight_rule *rule,
                           struct stored_weight *stored, bool *found);
/* Marks the lists as used. */
void bind_use_values(const struct bound_architecture *bound);

/* Finds all weights and marks their tensors as used (bind_weights.c). */
CHECKED status bind_weights(struct bound_architecture *bound);

/* Builds the graph (bind_graph.c). */
struct graph_options {
    const struct op *const *ops;
    enum element_type state_element;
    int64_t page_tokens;
};
CHECKED status bind_graph(struct bound_architecture *bound, const struct graph_options *options,
                          struct graph **graph);

#endif

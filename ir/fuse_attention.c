/* The pattern of fusion before attention:
 *
 *     q' = rope(q, positions, factors)
 *     k' = rope(k, positions, factors)
 *     append(k', positions, sequences, pages, k_state)
 *     append(v, positions, sequences, pages, v_state)
 *
 * becomes q' = rope_append(q, k, v, positions, sequences, pages, factors, k_state, v_state). */
#include "ir/fuse.h"

#include <string.h>

struct rope_append {
    int q_rope, k_rope, k_append, v_append; /* nodes */
};

static int input_of(const struct fuser *fuser, int node, const char *name)
{
    return node_find_input(&fuser->graph->nodes[node], name);
}

static bool same_input(const struct fuser *fuser, int a, int b, const char *name)
{
    return input_of(fuser, a, name) == input_of(fuser, b, name);
}

/* All attributes equal but the number of heads. */
static bool same_rotation(const struct node *a, const struct node *b)
{
    union attribute equalized[OP_ATTRIBUTES_MAX];
    int heads = attribute_by_name(a->op, "heads");
    memcpy(equalized, b->attributes, sizeof equalized);
    if (heads >= 0) equalized[heads] = a->attributes[heads];
    return attributes_equal(a->op, a->attributes, equalized);
}

static bool is_q_rope(const struct fuser *fuser, int node, int k_rope)
{
    const struct node *nodes = fuser->graph->nodes;
    return node != k_rope && node_is(&nodes[node], "rope") &&
           nodes[node].layer == nodes[k_rope].layer &&
           same_input(fuser, node, k_rope, "positions") &&
           same_input(fuser, node, k_rope, "factors") &&
           same_rotation(&nodes[node], &nodes[k_rope]);
}

static bool is_v_append(const struct fuser *fuser, int node, int k_append)
{
    const struct node *nodes = fuser->graph->nodes;
    return node != k_append && node_is(&nodes[node], "append") &&
           nodes[node].layer == nodes[k_append].layer &&
           same_input(fuser, node, k_append, "positions") &&
           same_input(fuser, node, k_append, "sequences") &&
           same_input(fuser, node, k_append, "pages") &&
           fuse_producer(fuser, input_of(fuser, node, "x"), "rope") < 0;
}

static bool find_members(const struct fuser *fuser, int k_append, struct rope_append *found)
{
    int positions = input_of(fuser, k_append, "positions");
    *found = (struct rope_append){-1, -1, k_append, -1};
    found->k_rope = fuse_producer(fuser, input_of(fuser, k_append, "x"), "rope");
    if (found->k_rope < 0 || !same_input(fuser, found->k_rope, k_append, "positions")) return false;
    for (int u = 0, n; (n = fuse_user(fuser, positions, u)) >= 0; u++) {
        if (found->q_rope < 0 && is_q_rope(fuser, n, found->k_rope)) found->q_rope = n;
        if (found->v_append < 0 && is_v_append(fuser, n, k_append)) found->v_append = n;
    }
    return found->q_rope >= 0 && found->v_append >= 0;
}

static bool set_inputs(const struct fuser *fuser, const struct rope_append *found,
                       struct fusion *fusion)
{
    return fuse_input(fusion, "q", input_of(fuser, found->q_rope, "x")) &&
           fuse_input(fusion, "k", input_of(fuser, found->k_rope, "x")) &&
           fuse_input(fusion, "v", input_of(fuser, found->v_append, "x")) &&
           fuse_input(fusion, "positions", input_of(fuser, found->k_append, "positions")) &&
           fuse_input(fusion, "sequences", input_of(fuser, found->k_append, "sequences")) &&
           fuse_input(fusion, "pages", input_of(fuser, found->k_append, "pages")) &&
           fuse_input(fusion, "factors", input_of(fuser, found->q_rope, "factors")) &&
           fuse_input(fusion, "k_state", input_of(fuser, found->k_append, "state")) &&
           fuse_input(fusion, "v_state", input_of(fuser, found->v_append, "state"));
}

static bool set_attributes(const struct fuser *fuser, const struct rope_append *found,
                           struct fusion *fusion)
{
    const struct node *nodes = fuser->graph->nodes;
    const struct node *k_rope = &nodes[found->k_rope];
    int heads = attribute_by_name(k_rope->op, "heads");
    int kv_heads = attribute_by_name(fusion->node.op, "kv_heads");
    if (heads < 0 || kv_heads < 0 || !fuse_attributes(fusion, &nodes[found->q_rope])) return false;
    fusion->node.attributes[kv_heads] = k_rope->attributes[heads];
    return fuse_is_plain(&nodes[found->k_append]) && fuse_is_plain(&nodes[found->v_append]);
}

status fuse_rope_append(struct fuser *fuser, int node)
{
    struct rope_append found;
    struct fusion fusion;
    if (!find_members(fuser, node, &found) || !fuse_begin(fuser, "rope_append", &fusion) ||
        !set_inputs(fuser, &found, &fusion) || !set_attributes(fuser, &found, &fusion))
        return STATUS_OK;
    fusion.node.outputs[0] = fuser->graph->nodes[found.q_rope].outputs[0];
    fuse_add_member(&fusion, found.q_rope);
    fuse_add_member(&fusion, found.k_rope);
    fuse_add_member(&fusion, found.k_append);
    fuse_add_member(&fusion, found.v_append);
    return fuse_replace(fuser, &fusion);
}

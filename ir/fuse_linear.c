/* Patterns of fusion around matrix products and sums. */
#include "ir/fuse.h"

static int input_of(const struct fuser *fuser, int node, const char *name)
{
    return node_find_input(&fuser->graph->nodes[node], name);
}

/* Joined products read their activations in one form, which suits one element type: where a file
 * mixes types (q4_K beside q6_K), each type stays by itself. */
static bool same_element(const struct fuser *fuser, int node, int other)
{
    const struct value *values = fuser->graph->values;
    return values[input_of(fuser, node, "weight")].type.element ==
           values[input_of(fuser, other, "weight")].type.element;
}

/* The product that makes `value`, of the operator `op_name`, with nothing added to it; -1
 * otherwise. */
static int plain_product(const struct fuser *fuser, int value, const char *op_name)
{
    int node = fuse_producer(fuser, value, op_name);
    if (node < 0 || input_of(fuser, node, "bias") != VALUE_NONE) return -1;
    return input_of(fuser, node, "residual") == VALUE_NONE ? node : -1;
}

/* gate(product(x, W), product(x, V)) -> joined(x, W, V), where what the products share besides x
 * stands in `shared`. */
static status fuse_gated(struct fuser *fuser, int node, const char *product, const char *joined,
                         const char *const *shared)
{
    struct fusion fusion;
    int gate = plain_product(fuser, input_of(fuser, node, "gate"), product);
    int up = plain_product(fuser, input_of(fuser, node, "up"), product);
    if (gate < 0 || up < 0 || gate == up || !same_element(fuser, gate, up) ||
        !fuse_begin(fuser, joined, &fusion))
        return STATUS_OK;
    const struct node *nodes = fuser->graph->nodes;
    if (!attributes_equal(nodes[gate].op, nodes[gate].attributes, nodes[up].attributes))
        return STATUS_OK;
    for (; *shared; shared++) {
        int value = input_of(fuser, gate, *shared);
        if (value != input_of(fuser, up, *shared) || !fuse_input(&fusion, *shared, value))
            return STATUS_OK;
    }
    if (!fuse_input(&fusion, "gate", input_of(fuser, gate, "weight")) ||
        !fuse_input(&fusion, "up", input_of(fuser, up, "weight")) ||
        !fuse_attributes(&fusion, &nodes[gate]) || !fuse_attributes(&fusion, &nodes[node]))
        return STATUS_OK;
    fusion.node.outputs[0] = nodes[node].outputs[0];
    fuse_add_member(&fusion, gate);
    fuse_add_member(&fusion, up);
    fuse_add_member(&fusion, node);
    return fuse_replace(fuser, &fusion);
}

/* gate(linear(x, W), linear(x, V)) -> linear_gated(x, W, V) */
status fuse_linear_gated(struct fuser *fuser, int node)
{
    static const char *const shared[] = {"x", NULL};
    return fuse_gated(fuser, node, "linear", "linear_gated", shared);
}

/* The same over experts. */
status fuse_grouped_gated(struct fuser *fuser, int node)
{
    static const char *const shared[] = {"x", "order", "offsets", NULL};
    return fuse_gated(fuser, node, "grouped_linear", "grouped_gated", shared);
}

enum { GROUP_LINEARS_MAX = 3 };

/* The living linears on the input of `first`, in its layer and of its element type, from itself on;
 * without a residual. */
static int find_group(const struct fuser *fuser, int first, int group[GROUP_LINEARS_MAX])
{
    const struct node *nodes = fuser->graph->nodes;
    int x = input_of(fuser, first, "x"), count = 0;
    for (int u = 0, n; count < GROUP_LINEARS_MAX && (n = fuse_user(fuser, x, u)) >= 0; u++)
        if (n >= first && node_is(&nodes[n], "linear") && input_of(fuser, n, "x") == x &&
            input_of(fuser, n, "residual") == VALUE_NONE && nodes[n].layer == nodes[first].layer &&
            fuse_is_plain(&nodes[n]) && same_element(fuser, n, first) &&
            (!count || group[count - 1] != n))
            group[count++] = n;
    return count;
}

static status fuse_group(struct fuser *fuser, const int *group, int count, bool *done)
{
    static const char *const weights[] = {"a", "b", "c"};
    static const char *const biases[] = {"a_bias", "b_bias", "c_bias"};
    struct fusion fusion;
    if (!fuse_begin(fuser, "linear_group", &fusion)) return STATUS_OK;
    if (!fuse_input(&fusion, "x", input_of(fuser, group[0], "x"))) return STATUS_OK;
    for (int m = 0; m < count; m++) {
        if (!fuse_input(&fusion, weights[m], input_of(fuser, group[m], "weight")) ||
            !fuse_input(&fusion, biases[m], input_of(fuser, group[m], "bias")))
            return STATUS_OK;
        fusion.node.outputs[m] = fuser->graph->nodes[group[m]].outputs[0];
        fuse_add_member(&fusion, group[m]);
    }
    TRY(fuse_replace(fuser, &fusion));
    *done = fusion.done;
    return STATUS_OK;
}

/* linear(x, A), linear(x, B), linear(x, C)? -> linear_group(x, A, B, C); a pair where three cannot
 * be joined. */
status fuse_linear_group(struct fuser *fuser, int node)
{
    int group[GROUP_LINEARS_MAX];
    bool done = false;
    int count = find_group(fuser, node, group);
    for (; count >= 2 && !done && group[0] == node; count--)
        TRY(fuse_group(fuser, group, count, &done));
    return STATUS_OK;
}

/* sum = add(x, y), rmsnorm(sum, W) -> add_rmsnorm(x, y, W); the sum may have further users. */
status fuse_add_rmsnorm(struct fuser *fuser, int node)
{
    struct fusion fusion;
    int sum = input_of(fuser, node, "x");
    int add = fuse_producer(fuser, sum, "add");
    if (add < 0 || !fuse_begin(fuser, "add_rmsnorm", &fusion)) return STATUS_OK;
    if (!fuse_input(&fusion, "x", input_of(fuser, add, "x")) ||
        !fuse_input(&fusion, "y", input_of(fuser, add, "y")) ||
        !fuse_input(&fusion, "weight", input_of(fuser, node, "weight")) ||
        !fuse_attributes(&fusion, &fuser->graph->nodes[add]) ||
        !fuse_attributes(&fusion, &fuser->graph->nodes[node]))
        return STATUS_OK;
    fusion.node.outputs[0] = sum;
    fusion.node.outputs[1] = fuser->graph->nodes[node].outputs[0];
    fuse_add_member(&fusion, add);
    fuse_add_member(&fusion, node);
    return fuse_replace(fuser, &fusion);
}

static status fuse_residual(struct fuser *fuser, int node, int product, int residual, bool *done)
{
    struct fusion fusion;
    int linear = fuse_producer(fuser, product, "linear");
    if (linear < 0 || input_of(fuser, linear, "residual") != VALUE_NONE) return STATUS_OK;
    const struct node *nodes = fuser->graph->nodes;
    if (!fuse_is_plain(&nodes[linear]) || !fuse_is_plain(&nodes[node])) return STATUS_OK;
    if (!fuse_begin(fuser, "linear", &fusion)) return STATUS_OK;
    if (!fuse_input(&fusion, "x", input_of(fuser, linear, "x")) ||
        !fuse_input(&fusion, "weight", input_of(fuser, linear, "weight")) ||
        !fuse_input(&fusion, "bias", input_of(fuser, linear, "bias")) ||
        !fuse_input(&fusion, "residual", residual))
        return STATUS_OK;
    fusion.node.outputs[0] = nodes[node].outputs[0];
    fuse_add_member(&fusion, linear);
    fuse_add_member(&fusion, node);
    TRY(fuse_replace(fuser, &fusion));
    *done = fusion.done;
    return STATUS_OK;
}

/* add(r, linear(x, W)) -> linear(x, W, residual r), from either side, where nothing else uses the
 * product. */
status fuse_linear_residual(struct fuser *fuser, int node)
{
    bool done = false;
    int x = input_of(fuser, node, "x"), y = input_of(fuser, node, "y");
    TRY(fuse_residual(fuser, node, y, x, &done));
    return done ? STATUS_OK : fuse_residual(fuser, node, x, y, &done);
}

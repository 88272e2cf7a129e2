/* Fusion: neighbours become one node that computes the same.
 *
 * Requires: a legal graph; best after pass_partition, because fusing over a border between devices
 * is refused, while a border drawn through fused neighbours would move more values than it must.
 * Provides: the patterns of the table applied where they match, in the table's order.  Names and
 * types of the values that remain are what they were. */
#include "ir/fuse.h"

struct pattern_row {
    const char *anchor; /* the operator at which the pattern looks */
    fuse_pattern *pattern;
};

/* The order matters: gate and up are two linears on one input, so gating goes before grouping; a
 * sum that a norm reads is joined with the norm, other sums with the linear before them. */
static const struct pattern_row patterns[] = {
    {"gate", fuse_linear_gated},   {"gate", fuse_grouped_gated},  {"linear", fuse_linear_group},
    {"rmsnorm", fuse_add_rmsnorm}, {"add", fuse_linear_residual}, {"append", fuse_rope_append},
};

static status apply_pattern(struct fuser *fuser, const struct pattern_row *row,
                            struct arena *scratch)
{
    struct graph *graph = fuser->graph;
    bool *keep;
    TRY_NEW(fuser->dead, scratch, graph->node_count, fuser->diagnostic);
    TRY_NEW(fuser->moved_to, scratch, graph->node_count, fuser->diagnostic);
    TRY_NEW(fuser->is_output, scratch, graph->value_count, fuser->diagnostic);
    TRY_NEW(keep, scratch, graph->node_count, fuser->diagnostic);
    TRY(graph_find_users(graph, scratch, &fuser->users, fuser->diagnostic));
    for (int o = 0; o < graph->output_count; o++) fuser->is_output[graph->outputs[o]] = true;
    for (int n = 0; n < graph->node_count; n++)
        if (!fuser->dead[n] && node_is(&graph->nodes[n], row->anchor)) TRY(row->pattern(fuser, n));
    for (int n = 0; n < graph->node_count; n++) keep[n] = !fuser->dead[n];
    return graph_sweep(graph, keep, false, scratch, fuser->diagnostic);
}

static status fuse_all(struct graph *graph, void *context, struct arena *scratch,
                       struct diagnostic *diagnostic)
{
    struct fuser fuser = {.graph = graph, .diagnostic = diagnostic, .filter = context};
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        arena_reset(scratch);
        TRY(apply_pattern(&fuser, &patterns[p], scratch));
    }
    return STATUS_OK;
}

status pass_fuse(struct graph *graph, struct diagnostic *diagnostic)
{
    return pass_run(graph, fuse_all, NULL, diagnostic);
}

status pass_fuse_where(struct graph *graph, const struct fuse_filter *filter,
                       struct diagnostic *diagnostic)
{
    struct fuse_filter own = *filter;
    return pass_run(graph, fuse_all, &own, diagnostic);
}

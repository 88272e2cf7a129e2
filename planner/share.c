/* Shares for all layers alike. */
#include "planner/share.h"

#include <stdlib.h>
#include <string.h>

static status refuse(const char *text, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_USAGE,
                "--split: \"%.100s\" is not known; write layers, planned, tensor or experts, and "
                "behind the last two what each device gets, as tensor=3:1",
                text);
}

static status read_shares(const char *text, const char *at, struct share_choice *choice,
                          struct diagnostic *diagnostic)
{
    for (;;) {
        char number[32];
        size_t length = strcspn(at, ":");
        if (length == 0 || length >= sizeof number || choice->share_count == GRAPH_DEVICES_MAX)
            return refuse(text, diagnostic);
        memcpy(number, at, length);
        number[length] = 0;
        double *share = &choice->shares[choice->share_count++];
        if (!text_to_real(number, share) || !(*share >= 0 && *share <= 1e6))
            return refuse(text, diagnostic);
        if (!at[length]) return STATUS_OK;
        at += length + 1;
    }
}

status share_choice_parse(const char *text, struct share_choice *choice,
                          struct diagnostic *diagnostic)
{
    static const char *const names[] = {"layers", "tensor", "experts", "planned"};
    *choice = (struct share_choice){.kind = SHARE_LAYERS};
    if (!text) return STATUS_OK;
    size_t length = strcspn(text, "=");
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        if (strlen(names[k]) != length || strncmp(names[k], text, length) != 0) continue;
        choice->kind = (enum share_kind)k;
        if (!text[length]) return STATUS_OK;
        if (choice->kind == SHARE_LAYERS || choice->kind == SHARE_PLANNED) break;
        return read_shares(text, text + length + 1, choice, diagnostic);
    }
    return refuse(text, diagnostic);
}

/* Equal shares of what is apart from the host, or of everything where nothing is. */
static void share_equally(const bool *apart, int device_count, double *shares)
{
    bool any = false;
    for (int d = 0; d < device_count; d++) any = any || apart[d];
    for (int d = 0; d < device_count; d++) shares[d] = apart[d] || !any ? 1 : 0;
}

static status settle_shares(const struct share_choice *choice, const bool *apart, int device_count,
                            double *shares, struct diagnostic *diagnostic)
{
    double total = 0;
    if (!choice->share_count) {
        share_equally(apart, device_count, shares);
        return STATUS_OK;
    }
    if (choice->share_count != device_count)
        return fail(diagnostic, STATUS_USAGE, "--split: %d shares for %d devices",
                    choice->share_count, device_count);
    for (int d = 0; d < device_count; d++) total += shares[d] = choice->shares[d];
    if (total > 0) return STATUS_OK;
    return fail(diagnostic, STATUS_USAGE, "--split: no device has a share");
}

static int first_with_share(const double *shares, int device_count)
{
    int first = 0;
    while (first < device_count - 1 && shares[first] <= 0) first++;
    return first;
}

status share_graph(struct graph *graph, const struct share_choice *choice, const bool *apart,
                   int device_count, struct diagnostic *diagnostic)
{
    double shares[GRAPH_DEVICES_MAX];
    struct split_layer *layers;
    TRY(settle_shares(choice, apart, device_count, shares, diagnostic));
    bool tensor = choice->kind == SHARE_TENSOR;
    struct split_part owner = {.owner = tensor ? first_with_share(shares, device_count) : 0};
    struct split_part shared = {.owner = owner.owner, .shares = shares};
    struct split_part dense = tensor ? shared : owner;
    TRY_NEW(layers, graph->arena, graph->layer_count, diagnostic);
    for (int l = 0; l < graph->layer_count; l++)
        layers[l] = (struct split_layer){.attention = dense, .dense = dense, .experts = shared};
    const struct split_request request = {.device_count = device_count,
                                          .layer_count = graph->layer_count,
                                          .layers = layers,
                                          .before = owner,
                                          .after = dense};
    return pass_split(graph, &request, diagnostic);
}

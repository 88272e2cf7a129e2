/* Which weights are streamed. */
#include "planner/stream.h"

#include "ir/graph_edit.h"

#include <string.h>

status stream_choice_parse(const char *text, struct stream_choice *choice,
                           struct diagnostic *diagnostic)
{
    static const char *const names[] = {"nothing", "experts", "layers"};
    *choice = (struct stream_choice){.kind = STREAM_NOTHING, .ahead = STREAM_AHEAD};
    if (!text) return STATUS_OK;
    size_t length = strcspn(text, "=");
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        double ahead = STREAM_AHEAD;
        if (strlen(names[k]) != length || strncmp(names[k], text, length) != 0) continue;
        if (text[length] &&
            !(text_to_real(text + length + 1, &ahead) && ahead >= 0 && ahead <= STREAM_AHEAD_MOST))
            break;
        *choice = (struct stream_choice){.kind = (enum stream_kind)k, .ahead = (int)ahead};
        return STATUS_OK;
    }
    return fail(
        diagnostic, STATUS_USAGE,
        "--stream: \"%.100s\" is not known; write experts, layers or nothing, and behind it "
        "how many transfers are ahead of their use, 0 to %d: experts=4",
        text, STREAM_AHEAD_MOST);
}

/* `device_count`: there is none. */
static int find_host(const bool *apart, int device_count)
{
    int host = 0;
    while (host < device_count && apart[host]) host++;
    return host;
}

static bool is_streamed(const struct value *value, const struct node *user,
                        const struct stream_choice *choice, const bool *apart)
{
    if (value->kind != VALUE_WEIGHT || value->type.rank < 2 || user->layer < 0 ||
        !apart[user->device] || node_is(user, "transfer"))
        return false;
    return choice->kind == STREAM_LAYERS ||
           (value->type.rank == 3 && node_find_input(user, "offsets") != VALUE_NONE);
}

status stream_slots(struct graph *graph, int64_t slots, const bool *apart, int device_count,
                    struct diagnostic *diagnostic)
{
    int host = find_host(apart, device_count);
    if (slots < 1) return STATUS_OK;
    if (host == device_count)
        return fail(diagnostic, STATUS_USAGE,
                    "--expert-slots: the host keeps the experts; add it to the devices "
                    "(--devices ...,cpu)");
    TRY(pass_slots(graph, slots, host, apart, diagnostic));
    return pass_dead_code(graph, diagnostic);
}

status stream_weights(struct graph *graph, const struct stream_choice *choice, const bool *apart,
                      int device_count, struct diagnostic *diagnostic)
{
    int host = find_host(apart, device_count);
    bool *streamed;
    if (choice->kind == STREAM_NOTHING) return STATUS_OK;
    if (host == device_count)
        return fail(diagnostic, STATUS_USAGE,
                    "--stream: weights are streamed from the host; add it to the devices "
                    "(--devices ...,cpu)");
    TRY_NEW(streamed, graph->arena, graph->value_count, diagnostic);
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++) {
            int value = graph->nodes[n].inputs[i];
            if (value != VALUE_NONE)
                streamed[value] = streamed[value] || is_streamed(&graph->values[value],
                                                                 &graph->nodes[n], choice, apart);
        }
    return pass_stream(graph, streamed, host, choice->ahead, diagnostic);
}

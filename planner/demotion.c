/* The order of the rungs. */
#include "planner/demotion.h"

/* What is fetched ahead lies in the card's activations; weights that are not streamed yet lie there for good. */
static bool stream_more(struct stream_choice *stream)
{
    if (stream->kind == STREAM_NOTHING) return false;
    if (stream->ahead > 0) {
        stream->ahead /= 2;
        return true;
    }
    if (stream->kind == STREAM_LAYERS) return false;
    stream->kind = STREAM_LAYERS;
    return true;
}

static bool halve_chunk(struct demotion *now, int64_t least)
{
    int64_t half = now->chunk / 2;
    if (least < now->chunk_least) least = now->chunk_least;
    if (half < least) half = least;
    if (half >= now->chunk) return false;
    now->chunk = half;
    return true;
}

static bool move_layers(struct demotion *now)
{
    if (!now->relieved || now->room_bytes <= 0) return false;
    int64_t part = now->room_bytes / DEMOTION_ROOM_PART;
    int64_t less = now->missing_bytes > part ? now->missing_bytes : part;
    now->room_bytes = less < now->room_bytes && less > 0 ? now->room_bytes - less : 0;
    return true;
}

enum demotion_rung demotion_next(const struct demotion *now, struct demotion *next)
{
    *next = *now;
    if (now->relieved && now->slots > 0) {
        next->slots = now->slots / 2;
        return DEMOTION_SLOTS;
    }
    if (now->relieved && stream_more(&next->stream)) return DEMOTION_STREAM;
    if (now->relieved && now->state_bytes > 0) {
        next->state_bytes = 0;
        return DEMOTION_STATES;
    }
    if (halve_chunk(next, DEMOTION_CHUNK_LEAST)) return DEMOTION_CHUNK;
    if (move_layers(next)) return DEMOTION_LAYERS;
    return halve_chunk(next, 1) ? DEMOTION_CHUNK : DEMOTION_NOTHING;
}

const char *demotion_name(enum demotion_rung rung)
{
    static const char *const names[] = {
        [DEMOTION_SLOTS] = "slots", [DEMOTION_STREAM] = "stream", [DEMOTION_STATES] = "kv",
        [DEMOTION_CHUNK] = "chunk", [DEMOTION_LAYERS] = "layers", [DEMOTION_NOTHING] = "nothing"};
    return names[rung];
}

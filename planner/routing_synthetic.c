/* Drawing routings.  Every number is a pure function of the seed (base/random.h). */
#include "planner/routing_synthetic.h"

#include "base/random.h"
#include "base/text.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { TOKENS_MOST = 1 << 20, WORD_BYTES = 64 };

struct synthetic_routing routing_synthetic_default(void)
{
    return (struct synthetic_routing){
        .layers = 4, .experts = 64, .used = 8, .tokens = 1000, .prompt = 1, .zipf = 1};
}

struct field {
    const char *name;
    size_t offset;
    bool real;
    double least, most;
};

#define FIELD(name, real, least, most)                                                             \
    {                                                                                              \
#name, offsetof(struct synthetic_routing, name), real, least, most                         \
    }

/* Limits of traces (routing_trace.h) are checked when one is made. */
static const struct field fields[] = {
    FIELD(layers, false, 1, ROUTING_LAYERS_MOST),
    FIELD(experts, false, 1, 1 << 16),
    FIELD(used, false, 1, 1 << 16),
    FIELD(tokens, false, 1, TOKENS_MOST),
    FIELD(prompt, false, 1, TOKENS_MOST),
    FIELD(zipf, true, 0, 10),
    FIELD(drift, false, 0, TOKENS_MOST),
    FIELD(phase, false, 0, TOKENS_MOST),
    FIELD(repeat, true, 0, 1),
};

static bool set_field(const struct field *field, const char *text, struct synthetic_routing *to)
{
    double value;
    char *at = (char *)to + field->offset;
    if (!text_to_real(text, &value) || value < field->least || value > field->most) return false;
    if (!field->real && value != floor(value)) return false;
    const int64_t whole = (int64_t)value;
    memcpy(at, field->real ? (const void *)&value : (const void *)&whole, sizeof value);
    return true;
}

status routing_synthetic_parse(const char *word, struct synthetic_routing *synthetic,
                               struct diagnostic *diagnostic)
{
    size_t length = strcspn(word, "=");
    for (size_t f = 0; f < sizeof fields / sizeof *fields && word[length]; f++) {
        if (strlen(fields[f].name) != length || strncmp(fields[f].name, word, length) != 0)
            continue;
        if (set_field(&fields[f], word + length + 1, synthetic)) return STATUS_OK;
        return fail(diagnostic, STATUS_USAGE, "\"%.60s\": %s goes from %g to %g%s", word,
                    fields[f].name, fields[f].least, fields[f].most,
                    fields[f].real ? "" : ", in whole numbers");
    }
    return fail(diagnostic, STATUS_USAGE,
                "\"%.60s\" is not known; write layers, experts, used, tokens, prompt, zipf, drift, "
                "phase or repeat and a number: zipf=1.1",
                word);
}

struct drawing {
    const struct synthetic_routing *what;
    struct routing_trace *trace;
    uint64_t stream, counter;
    double *weights; /* [experts] of a rank */
    double *keys;    /* [experts] of the token that is drawn */
    int32_t *order;  /* [layers, experts] expert of a rank */
    int32_t *before; /* [layers, used] of the token before */
    int32_t *ids;    /* [tokens of a step, used] */
};

static double draw(struct drawing *drawing)
{
    return random_uniform(drawing->what->seed, drawing->stream, drawing->counter++);
}

static void shuffle(struct drawing *drawing, int32_t *order)
{
    for (int64_t i = drawing->what->experts - 1; i > 0; i--) {
        int64_t other = (int64_t)(draw(drawing) * (double)(i + 1));
        int32_t kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

/* Neighbours in rank change places. */
static void drift(struct drawing *drawing, int32_t *order)
{
    int64_t experts = drawing->what->experts;
    double left = (double)experts / (double)drawing->what->drift;
    for (; left > 0 && experts > 1; left--) {
        if (draw(drawing) >= left) return;
        int64_t rank = (int64_t)(draw(drawing) * (double)(experts - 1));
        int32_t kept = order[rank];
        order[rank] = order[rank + 1];
        order[rank + 1] = kept;
    }
}

static bool has(const int32_t *ids, int64_t count, int32_t id)
{
    for (int64_t i = 0; i < count; i++)
        if (ids[i] == id) return true;
    return false;
}

/* Different ones, each with a chance by its weight: those whose exponential waits are shortest. */
static void draw_row(struct drawing *drawing, int64_t layer, bool first, int32_t *ids)
{
    const struct synthetic_routing *what = drawing->what;
    const int32_t *order = drawing->order + layer * what->experts;
    int32_t *before = drawing->before + layer * what->used;
    int64_t count = 0;
    for (int64_t i = 0; i < what->used && !first; i++)
        if (draw(drawing) < what->repeat) ids[count++] = before[i];
    for (int64_t r = 0; r < what->experts; r++)
        drawing->keys[r] =
            has(ids, count, order[r]) ? INFINITY : -log1p(-draw(drawing)) / drawing->weights[r];
    for (; count < what->used; count++) {
        int64_t least = 0;
        for (int64_t r = 1; r < what->experts; r++)
            if (drawing->keys[r] < drawing->keys[least]) least = r;
        drawing->keys[least] = INFINITY;
        ids[count] = order[least];
    }
    memcpy(before, ids, (size_t)what->used * sizeof *ids);
}

static status draw_step(struct drawing *drawing, int64_t token, int64_t rows,
                        struct diagnostic *diagnostic)
{
    const struct synthetic_routing *what = drawing->what;
    for (int64_t l = 0; l < what->layers; l++) {
        int32_t *order = drawing->order + l * what->experts;
        drawing->stream = (uint64_t)l;
        drawing->counter = (uint64_t)token << 24; /* a row draws far fewer numbers */
        for (int64_t r = 0; r < rows; r++) {
            if (what->phase && token + r && (token + r) % what->phase == 0) shuffle(drawing, order);
            if (what->drift) drift(drawing, order);
            draw_row(drawing, l, token + r == 0, drawing->ids + r * what->used);
        }
        TRY(routing_trace_append(drawing->trace, drawing->ids, rows, diagnostic));
    }
    return STATUS_OK;
}

static status prepare(struct drawing *drawing, struct arena *arena, struct arena *scratch,
                      struct diagnostic *diagnostic)
{
    const struct synthetic_routing *what = drawing->what;
    int *layers;
    TRY_NEW(layers, scratch, what->layers, diagnostic);
    for (int l = 0; l < what->layers; l++) layers[l] = l;
    TRY(routing_trace_create(arena, layers, (int)what->layers, (int)what->experts, (int)what->used,
                             &drawing->trace, diagnostic));
    TRY_NEW(drawing->weights, scratch, what->experts, diagnostic);
    TRY_NEW(drawing->keys, scratch, what->experts, diagnostic);
    TRY_NEW(drawing->order, scratch, what->layers * what->experts, diagnostic);
    TRY_NEW(drawing->before, scratch, what->layers * what->used, diagnostic);
    TRY_NEW(drawing->ids, scratch, what->prompt * what->used, diagnostic);
    for (int64_t r = 0; r < what->experts; r++)
        drawing->weights[r] = pow((double)(r + 1), -what->zipf);
    for (int64_t l = 0; l < what->layers; l++) {
        int32_t *order = drawing->order + l * what->experts;
        for (int64_t r = 0; r < what->experts; r++) order[r] = (int32_t)r;
        drawing->stream = (uint64_t)(what->layers + l);
        drawing->counter = 0;
        shuffle(drawing, order);
    }
    return STATUS_OK;
}

status routing_synthesise(const struct synthetic_routing *synthetic, struct arena *arena,
                          struct routing_trace **trace, struct diagnostic *diagnostic)
{
    struct drawing drawing = {.what = synthetic};
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = prepare(&drawing, arena, scratch, diagnostic);
    for (int64_t t = 0; t < synthetic->tokens && code == STATUS_OK;) {
        int64_t rows = t ? 1 : synthetic->prompt;
        if (rows > synthetic->tokens) rows = synthetic->tokens;
        code = draw_step(&drawing, t, rows, diagnostic);
        t += rows;
    }
    arena_destroy(scratch);
    *trace = drawing.trace;
    return code;
}

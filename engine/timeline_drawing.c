/* Drawing a time line: two panels, the prompt and one generated token, a lane per queue, colours by what is done.
 *
 * Thousands of launches are narrower than a pixel.  Those are gathered until they fill one, which gets the colour of what
 * takes most of it, and shines through where the queue was idle. */
#include "engine/predict.h"
#include "engine/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* In pixels. */
enum {
    LEFT = 16,
    WIDTH = 960,
    BARS = 200, /* where lanes begin, behind their names */
    BUSY = 64,  /* for the share at their ends */
    TOP = 84,
    LANE = 26,
    LANE_GAP = 6,
    PANEL_HEAD = 30,
    PANEL_FOOT = 46, /* the axis */
    LEGEND = 34,
    TICKS = 5,
    NAME_MOST = 26 /* letters */
};

enum { COLOUR_COPY = COST_CLASS_COUNT, COLOURS };

static const char light[] = ".lane{fill:#eef1f4}.axis{stroke:#d0d7de}\n"
                            ".c0{fill:#0969da}.c1{fill:#8250df}.c2{fill:#1a7f37}.c3{fill:#8c959f}"
                            ".c4{fill:#d4700a}\n";
static const char dark[] = ".lane{fill:#1b222b}.axis{stroke:#3d444d}\n"
                           ".c0{fill:#58a6ff}.c1{fill:#b392f0}.c2{fill:#3fb950}.c3{fill:#6e7681}"
                           ".c4{fill:#f0883e}";

/* Products and experts have one colour each, whatever the rows. */
static const int palette[COLOURS] = {
    [COST_PRODUCT_FEW] = 0,  [COST_PRODUCT_MANY] = 0, [COST_EXPERTS_FEW] = 1,
    [COST_EXPERTS_MANY] = 1, [COST_ATTENTION] = 2,    [COST_REST] = 3,
    [COLOUR_COPY] = 4};
enum { PALETTE_COUNT = 5 };
static const char *const palette_names[PALETTE_COUNT] = {"products", "experts", "attention",
                                                         "other launches", "copies"};

struct panel {
    const struct timeline *timeline;
    struct text *text;
    struct arena *arena;
    double begin, end; /* of the time shown */
    int top;
};

/* Spans that are gathered into one rectangle. */
struct gathered {
    double left, right, seconds[PALETTE_COUNT];
    const struct timeline_span *only; /* when it is but one */
};

static double place(const struct panel *panel, double seconds)
{
    double share = (seconds - panel->begin) / (panel->end - panel->begin);
    return BARS + fmin(fmax(share, 0), 1) * (WIDTH - BARS - BUSY);
}

static int colour_of(const struct timeline *timeline, const struct timeline_span *span)
{
    const struct simulated_run *run = &timeline->simulation->runs[span->run];
    int64_t rows;
    if (span->kind != SPAN_LAUNCH) return palette[COLOUR_COPY];
    int image = cost_step_image(run->plan, span->step, &run->run, &rows);
    return palette[cost_class_of(run->plan->images[image].problem, rows)];
}

static void flush(const struct panel *panel, struct gathered *gathered, int y)
{
    double busy = 0, width = gathered->right - gathered->left;
    int most = 0;
    char seconds[32];
    for (int c = 0; c < PALETTE_COUNT; c++) {
        busy += gathered->seconds[c];
        if (gathered->seconds[c] > gathered->seconds[most]) most = c;
    }
    double whole = width / (WIDTH - BARS - BUSY) * (panel->end - panel->begin);
    double share = whole > 0 ? fmin(busy / whole, 1) : 0;
    if (busy > 0) {
        text_print(panel->text,
                   "<rect class=\"c%d\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"", most,
                   gathered->left, y, fmax(width, 0.3), LANE);
        if (share < 0.99) text_print(panel->text, " fill-opacity=\"%.2f\"", fmax(share, 0.15));
        if (gathered->only)
            text_print(panel->text, "><title>%s, %s</title></rect>\n",
                       prediction_span_name(panel->timeline, gathered->only, panel->arena),
                       text_seconds(gathered->only->end - gathered->only->start, seconds));
        else
            text_append(panel->text, "/>\n");
    }
    *gathered = (struct gathered){.left = -1};
}

/* Wide spans stand alone, those of a pixel are gathered. */
static void draw_lane(const struct panel *panel, int queue, int y)
{
    struct gathered gathered = {.left = -1};
    for (int s = 0; s < panel->timeline->span_count; s++) {
        const struct timeline_span *span = &panel->timeline->spans[s];
        if (span->queue != queue || span->end <= panel->begin || span->start >= panel->end)
            continue;
        double left = place(panel, span->start), right = place(panel, span->end);
        bool alone = right - left >= 1.5;
        if (gathered.left >= 0 && (alone || right - gathered.left > 1.5))
            flush(panel, &gathered, y);
        gathered.only = gathered.left < 0 && alone ? span : NULL;
        if (gathered.left < 0) gathered.left = left;
        gathered.right = right;
        gathered.seconds[colour_of(panel->timeline, span)] += span->end - span->start;
    }
    flush(panel, &gathered, y);
}

static void draw_axis(const struct panel *panel, int y)
{
    char label[32];
    for (int t = 0; t <= TICKS; t++) {
        double seconds = (panel->end - panel->begin) * t / TICKS;
        double x = place(panel, panel->begin + seconds);
        text_print(panel->text,
                   "<line class=\"axis\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                   "<text class=\"faint\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" "
                   "font-size=\"11\">%s</text>\n",
                   x, y - LANE_GAP, x, y, x, y + 14, t ? text_seconds(seconds, label) : "0");
    }
}

static bool is_used(const struct timeline *timeline, int queue)
{
    return timeline->queues[queue].busy_seconds > 0;
}

static int used_queues(const struct timeline *timeline)
{
    int count = 0;
    for (int q = 0; q < timeline->queue_count; q++) count += is_used(timeline, q);
    return count;
}

static int panel_height(const struct timeline *timeline)
{
    return PANEL_HEAD + used_queues(timeline) * (LANE + LANE_GAP) + PANEL_FOOT;
}

/* Without the model of a virtual card's speed; a queue of copies stands below its card's. */
static void draw_name(const struct panel *panel, int queue, int y)
{
    const struct timeline_queue *described = &panel->timeline->queues[queue];
    const struct plan *plan = panel->timeline->simulation->runs[0].plan;
    const char *name = plan->devices[described->device].specification;
    text_print(panel->text, "<text%s x=\"%d\" y=\"%d\" font-size=\"12\">",
               described->copies ? " class=\"faint\"" : "", LEFT, y + 17);
    char cut[NAME_MOST + 1];
    snprintf(cut, sizeof cut, "%d: %.*s", described->device, (int)strcspn(name, "@"), name);
    svg_escape(panel->text, described->copies ? "    its copies" : cut);
    text_append(panel->text, "</text>\n");
}

static void draw_panel(const struct panel *panel, const char *title)
{
    int y = panel->top + PANEL_HEAD;
    text_print(panel->text, "<text x=\"%d\" y=\"%d\" font-weight=\"600\">%s</text>\n", LEFT,
               panel->top + 16, title);
    for (int q = 0; q < panel->timeline->queue_count; q++) {
        if (!is_used(panel->timeline, q)) continue;
        double busy = prediction_busy(panel->timeline, q, panel->begin, panel->end);
        draw_name(panel, q, y);
        text_print(panel->text,
                   "<rect class=\"lane\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", BARS, y,
                   WIDTH - BARS - BUSY, LANE);
        draw_lane(panel, q, y);
        text_print(panel->text, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f %%</text>\n",
                   WIDTH - LEFT, y + 17, 100 * busy / (panel->end - panel->begin));
        y += LANE + LANE_GAP;
    }
    draw_axis(panel, y + LANE_GAP);
}

static void draw_legend(struct text *text, int y)
{
    static const int widths[PALETTE_COUNT] = {96, 90, 96, 130, 90};
    int x = BARS;
    for (int c = 0; c < PALETTE_COUNT; c++) {
        text_print(text,
                   "<rect class=\"c%d\" x=\"%d\" y=\"%d\" width=\"14\" height=\"14\"/>"
                   "<text x=\"%d\" y=\"%d\">%s</text>\n",
                   c, x, y, x + 20, y + 12, palette_names[c]);
        x += widths[c];
    }
    text_print(text, "<text class=\"faint\" x=\"%d\" y=\"%d\" text-anchor=\"end\">busy</text>\n",
               WIDTH - LEFT, y + 12);
}

/* Four digits, and all that a large number has. */
static const char *rate_text(double rate, char text[static 32])
{
    snprintf(text, 32, rate < 1000 ? "%.4g" : "%.0f", rate);
    return text;
}

static void draw_title(const struct prediction *prediction, const char *model, struct text *text)
{
    text_print(text, "<text x=\"%d\" y=\"30\" font-size=\"18\">", LEFT);
    svg_escape(text, model);
    char prompt[32], generation[32];
    text_print(text,
               "</text>\n<text class=\"faint\" x=\"%d\" y=\"54\">predicted: prompt %s tokens/s, "
               "generation %s tokens/s</text>\n",
               LEFT, rate_text(prediction->prefill_tokens_per_second, prompt),
               rate_text(prediction->decode_tokens_per_second, generation));
}

static void draw_panels(const struct prediction *prediction, struct text *text, struct arena *arena)
{
    const struct timeline *timeline = prediction->timeline;
    struct panel panel = {.timeline = timeline, .text = text, .arena = arena, .top = TOP};
    panel.end = prediction->prefill_seconds;
    draw_panel(&panel,
               arena_print(arena, "Prompt of %lld tokens", (long long)prediction->prompt_tokens));
    if (prediction->generated_tokens == 0) return;
    int last = prediction->simulation.run_count - 1;
    panel.begin = timeline->run_starts[last];
    panel.end = timeline->run_ends[last];
    panel.top += panel_height(timeline);
    draw_panel(&panel, "One generated token");
}

const char *timeline_drawing_print(const struct prediction *prediction, const char *model,
                                   struct arena *arena)
{
    struct text text = {.arena = arena};
    int panels = prediction->generated_tokens > 0 ? 2 : 1;
    int bottom = TOP + panels * panel_height(prediction->timeline);
    svg_begin(&text, WIDTH, bottom + LEGEND, "Time line of a plan", light, dark);
    draw_title(prediction, model, &text);
    draw_panels(prediction, &text, arena);
    draw_legend(&text, bottom);
    svg_end(&text);
    return text_finish(&text);
}

/* Drawing the heat map. */
#include "engine/heat_map.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/svg.h"

#include <math.h>
#include <string.h>

/* In pixels.  Cells shrink until the grid has GRID_PIXELS, but stay visible. */
enum {
    GRID_PIXELS = 640,
    CELL_MOST = 44,
    CELL_LEAST = 5,
    LABEL_LEAST = 16, /* from one label of an axis to the next */
    LEFT = 64,
    TOP = 92,
    LEGEND_GAP = 28,
    LEGEND_WIDTH = 176,
    LEGEND_ROW = 22,
    BOTTOM = 20,
    GRID_HEIGHT_LEAST = 8 * LEGEND_ROW,
    TITLE_WIDTH = 560,
};

static const char light[] =
    ".cell{fill:none;stroke:#d0d7de}.gain{fill:#0969da}.loss{fill:#bc4c00}.open{fill:#d0d7de}\n"
    ".best,.again{fill:none;stroke:#1f2328;stroke-width:1.2}.best{stroke-width:3}\n";
static const char dark[] =
    ".cell{stroke:#3d444d}.gain{fill:#58a6ff}.loss{fill:#f0883e}.open{fill:#3d444d}\n"
    ".best,.again{stroke:#e6edf3}";

struct drawing {
    const struct layer_search_result *result;
    const struct probe *probe;
    struct text *text;
    int cell;     /* pixels */
    double scale; /* the gain, or loss, of the full colour */
};

/* A square root, so that small gains are seen beside large losses. */
static double strength(const struct drawing *drawing, double gain)
{
    return drawing->scale > 0 ? sqrt(fabs(gain) / drawing->scale) : 0;
}

static double largest_gain(const struct layer_search_result *result)
{
    double largest = 0;
    for (int b = 0; b < result->count; b++)
        if (fabs(result->blocks[b].gain) > largest) largest = fabs(result->blocks[b].gain);
    return largest;
}

static const char *unit(const struct drawing *drawing)
{
    return drawing->probe->kind == PROBE_TEXT ? "nats per token" : "accuracy";
}

static int left_of(const struct drawing *drawing, int end)
{
    return LEFT + (end - 1) * drawing->cell;
}
static int top_of(const struct drawing *drawing, int begin)
{
    return TOP + begin * drawing->cell;
}

/* ---- Cells ---- */

static void print_tooltip(const struct drawing *drawing, const struct block_score *block)
{
    struct text *text = drawing->text;
    const char *plural = block->end - block->begin > 1 ? "s" : "";
    text_print(text, "<title>(%d, %d): layer%s %d", block->begin, block->end, plural, block->begin);
    if (*plural) text_print(text, " to %d", block->end - 1);
    text_append(text, " twice\n");
    if (!block->scanned)
        text_append(text, "not scanned");
    else if (!block->probe.finite)
        text_append(text, "the logits are no finite numbers");
    else if (drawing->probe->kind == PROBE_TEXT)
        text_print(text, "gain %+.5f nats per token, perplexity %.5g", block->gain,
                   exp(-block->probe.log_likelihood));
    else
        text_print(text, "gain %+.2f points, accuracy %.2f %%", 100 * block->gain,
                   100 * block->probe.accuracy);
    if (block->again && block->held_out.finite)
        text_print(text, "\nheld out: gain %+.5f %s", block->held_out_gain, unit(drawing));
    text_append(text, "</title>");
}

static void print_cell(const struct drawing *drawing, const struct block_score *block)
{
    int x = left_of(drawing, block->end), y = top_of(drawing, block->begin);
    bool known = block->scanned && block->probe.finite;
    const char *class = !known ? "open" : block->gain >= 0 ? "gain" : "loss";
    text_print(drawing->text, "<g><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"",
               class, x, y, drawing->cell, drawing->cell);
    if (known)
        text_print(drawing->text, " fill-opacity=\"%.3f\"", strength(drawing, block->gain));
    else if (block->scanned)
        text_append(drawing->text, " stroke-dasharray=\"2\"");
    text_append(drawing->text, "/>");
    text_print(
        drawing->text,
        "<rect class=\"cell\" pointer-events=\"all\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">",
        x, y, drawing->cell, drawing->cell);
    print_tooltip(drawing, block);
    text_append(drawing->text, "</rect></g>\n");
}

static void print_outlines(const struct drawing *drawing)
{
    for (int b = drawing->result->best_count - 1; b >= 0; b--) {
        const struct block_score *block = drawing->result->best[b];
        text_print(drawing->text,
                   "<rect class=\"%s\" pointer-events=\"none\" x=\"%d\" y=\"%d\" width=\"%d\" "
                   "height=\"%d\"/>\n",
                   b ? "again" : "best", left_of(drawing, block->end),
                   top_of(drawing, block->begin), drawing->cell, drawing->cell);
    }
}

/* ---- Around them ---- */

static void print_axes(const struct drawing *drawing)
{
    int layers = drawing->result->layers, step = 1, middle = drawing->cell / 2;
    struct text *text = drawing->text;
    while (step * drawing->cell < LABEL_LEAST) step++;
    for (int begin = 0; begin < layers; begin += step)
        text_print(text, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%d</text>\n", LEFT - 6,
                   top_of(drawing, begin) + middle + 4, begin);
    for (int end = 1; end <= layers; end += step)
        text_print(text, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%d</text>\n",
                   left_of(drawing, end) + middle, TOP - 6, end);
    text_print(text, "<text x=\"%d\" y=\"%d\">j (first layer behind the block)</text>\n", LEFT,
               TOP - 24);
    int y = TOP + layers * drawing->cell / 2;
    text_print(text,
               "<text x=\"18\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 18 %d)\">i "
               "(first layer)</text>\n",
               y, y);
}

static void print_legend(const struct drawing *drawing, int x)
{
    static const double shares[] = {1, 0.25, 0, -0.25, -1};
    struct text *text = drawing->text;
    int y = TOP;
    text_print(text, "<text x=\"%d\" y=\"%d\">gain, %s</text>\n", x, y - 6, unit(drawing));
    for (int s = 0; s < 5; s++, y += LEGEND_ROW)
        text_print(text,
                   "<rect class=\"%s\" fill-opacity=\"%.3f\" x=\"%d\" y=\"%d\" width=\"20\" "
                   "height=\"16\"/>"
                   "<rect class=\"cell\" x=\"%d\" y=\"%d\" width=\"20\" height=\"16\"/>"
                   "<text x=\"%d\" y=\"%d\">%+.3g</text>\n",
                   shares[s] < 0 ? "loss" : "gain", sqrt(fabs(shares[s])), x, y, x, y, x + 28,
                   y + 13, shares[s] * drawing->scale);
    text_print(text,
               "<rect class=\"again\" x=\"%d\" y=\"%d\" width=\"20\" height=\"16\"/>"
               "<text x=\"%d\" y=\"%d\">scored on held-out</text>\n",
               x, y, x + 28, y + 13);
    text_print(text,
               "<rect class=\"best\" x=\"%d\" y=\"%d\" width=\"20\" height=\"16\"/>"
               "<text x=\"%d\" y=\"%d\">best on held-out</text>\n",
               x, y + LEGEND_ROW, x + 28, y + LEGEND_ROW + 13);
}

static void print_title(const struct drawing *drawing, const char *model)
{
    struct text *text = drawing->text;
    text_append(text, "<text x=\"16\" y=\"26\" font-size=\"16\">Layers i to j-1 of ");
    svg_escape(text, file_name_of(model));
    text_append(text, " executed twice</text>\n<text class=\"faint\" x=\"16\" y=\"46\">gain on ");
    svg_escape(text, file_name_of(drawing->probe->path));
    text_print(text, ", %d of %d blocks</text>\n", drawing->result->scanned,
               drawing->result->count);
}

const char *heat_map_print(const struct layer_search_result *result, const struct probe *probe,
                           const char *model, struct arena *arena)
{
    struct text text = {.arena = arena};
    struct drawing drawing = {.result = result, .probe = probe, .text = &text};
    drawing.cell = GRID_PIXELS / result->layers;
    if (drawing.cell > CELL_MOST) drawing.cell = CELL_MOST;
    if (drawing.cell < CELL_LEAST) drawing.cell = CELL_LEAST;
    drawing.scale = largest_gain(result);
    int side = result->layers * drawing.cell, legend = LEFT + side + LEGEND_GAP;
    int width = legend + LEGEND_WIDTH;
    if (width < TITLE_WIDTH) width = TITLE_WIDTH;
    int height = TOP + (side < GRID_HEIGHT_LEAST ? GRID_HEIGHT_LEAST : side) + BOTTOM;
    svg_begin(&text, width, height, "What executing layers twice gains", light, dark);
    print_title(&drawing, model);
    print_axes(&drawing);
    for (int b = 0; b < result->count; b++) print_cell(&drawing, &result->blocks[b]);
    print_outlines(&drawing);
    print_legend(&drawing, legend);
    svg_end(&text);
    return text_finish(&text);
}

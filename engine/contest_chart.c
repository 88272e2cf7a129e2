/* Drawing contests: two panels per space, a legend on top. */
#include "engine/contest_chart.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* In pixels. */
enum {
    PANEL_WIDTH = 360,
    PANEL_HEIGHT = 170,
    LEFT = 56,
    GAP = 64,
    TOP = 92,
    ROW = PANEL_HEIGHT + 84,
    LEGEND_WIDTH = 118,
    LEGEND_COLUMNS = 6,
    COLOURS = 8,
};

static const char style[] =
    "<style>\n"
    "svg{font:12px system-ui,sans-serif}text{fill:#1f2328}.paper{fill:#fff}.faint{fill:#656d76}\n"
    ".grid{stroke:#d0d7de;stroke-width:.7}.line{fill:none;stroke-width:2}.band{opacity:.16}\n"
    ".s0{--c:#0969da}.s1{--c:#bc4c00}.s2{--c:#1a7f37}.s3{--c:#8250df}.s4{--c:#9a6700}\n"
    ".s5{--c:#cf222e}.s6{--c:#0f766e}.s7{--c:#6e7781}.line{stroke:var(--c)}.band,.key{fill:var(--c)"
    "}\n"
    ".dashed{stroke-dasharray:5 3}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.faint{fill:#9198a1}\n"
    ".grid{stroke:#3d444d}.s0{--c:#58a6ff}.s1{--c:#f0883e}.s2{--c:#3fb950}.s3{--c:#bc8cff}\n"
    ".s4{--c:#d29922}.s5{--c:#ff7b72}.s6{--c:#2dd4bf}.s7{--c:#9198a1}}\n"
    "</style>\n";

struct panel {
    struct text *text;
    int left, top;
    double low, high; /* of the axis */
};

/* Names of files may hold anything; what is no plain character becomes a question mark. */
static void print_plain(struct text *text, const char *name)
{
    for (; *name; name++)
        text_print(text, "%c",
                   *name >= ' ' && *name < 127 && !strchr("&<>\"", *name) ? *name : '?');
}

static double x_of(const struct panel *panel, int i)
{
    return panel->left + (double)PANEL_WIDTH * (i + 1) / CONTEST_POINTS;
}

static double y_of(const struct panel *panel, double value)
{
    double part = (value - panel->low) / (panel->high - panel->low);
    return panel->top + PANEL_HEIGHT * (1 - fmin(1, fmax(0, part)));
}

static void print_curve(const struct panel *panel, const struct contest_curve *curve, int strategy)
{
    struct text *text = panel->text;
    int colour = strategy % COLOURS;
    text_print(text, "<polygon class=\"band s%d\" points=\"", colour);
    for (int i = 0; i < CONTEST_POINTS; i++)
        text_print(text, "%.1f,%.1f ", x_of(panel, i), y_of(panel, curve->high[i]));
    for (int i = CONTEST_POINTS - 1; i >= 0; i--)
        text_print(text, "%.1f,%.1f ", x_of(panel, i), y_of(panel, curve->low[i]));
    text_print(text, "\"/><polyline class=\"line s%d%s\" points=\"", colour,
               strategy >= COLOURS ? " dashed" : "");
    for (int i = 0; i < CONTEST_POINTS; i++)
        text_print(text, "%.1f,%.1f ", x_of(panel, i), y_of(panel, curve->mean[i]));
    text_append(text, "\"/>\n");
}

static void print_frame(const struct panel *panel, const char *title, const char *last)
{
    enum { LINES = 4 };
    struct text *text = panel->text;
    text_print(text, "<text x=\"%d\" y=\"%d\">%s</text>\n", panel->left, panel->top - 10, title);
    for (int l = 0; l <= LINES; l++) {
        double value = panel->low + (panel->high - panel->low) * l / LINES, y = y_of(panel, value);
        text_print(text,
                   "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text "
                   "class=\"faint\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%.2f</text>\n",
                   panel->left, panel->left + PANEL_WIDTH, y, y, panel->left - 6, y + 4, value);
    }
    int bottom = panel->top + PANEL_HEIGHT + 16;
    text_print(text,
               "<text class=\"faint\" x=\"%d\" y=\"%d\">0</text><text class=\"faint\" "
               "text-anchor=\"end\" x=\"%d\" y=\"%d\">%s</text>\n",
               panel->left, bottom, panel->left + PANEL_WIDTH, bottom, last);
}

/* From what the worst strategy has found after a tenth of its configs. */
static double share_floor(const struct contest_entry *entry, int strategies)
{
    double least = 0.9;
    for (int s = 0; s < strategies; s++)
        least = fmin(least, entry->results[s].progress.mean[CONTEST_POINTS / 10]);
    return fmax(0, floor(least * 10) / 10);
}

static void print_entry(const struct contest_entry *entry, int strategies, int top,
                        struct text *text)
{
    struct panel share = {text, LEFT, top, share_floor(entry, strategies), 1};
    struct panel score = {text, LEFT + PANEL_WIDTH + GAP, top, -0.5, 1};
    char last[64], seconds[32];
    text_print(text, "<text x=\"%d\" y=\"%d\" font-weight=\"600\">", LEFT, top - 30);
    print_plain(text, entry->name);
    text_print(text,
               "</text><text class=\"faint\" text-anchor=\"end\" x=\"%d\" y=\"%d\">%d "
               "configs</text>\n",
               score.left + PANEL_WIDTH, top - 30, entry->configs);
    snprintf(last, sizeof last, "%llu configs measured",
             (unsigned long long)entry->results[0].budget);
    print_frame(&share, "best time possible / best found", last);
    print_frame(&score, "score P: 0 as good as chance, 1 the optimum",
                text_seconds(entry->seconds, seconds));
    for (int s = strategies - 1; s >= 0; s--) {
        print_curve(&share, &entry->results[s].progress, s);
        print_curve(&score, &entry->results[s].curve, s);
    }
}

static void print_legend(const struct contest_result *results, int strategies, struct text *text)
{
    for (int s = 0; s < strategies; s++) {
        int x = LEFT + s % LEGEND_COLUMNS * LEGEND_WIDTH, y = 44 + s / LEGEND_COLUMNS * 18;
        text_print(text,
                   "<rect class=\"key s%d\" x=\"%d\" y=\"%d\" width=\"14\" height=\"4\"/>"
                   "<text x=\"%d\" y=\"%d\">",
                   s % COLOURS, x, y - 6, x + 20, y);
        print_plain(text, results[s].strategy->name);
        text_append(text, "</text>\n");
    }
}

const char *contest_chart_print(const struct contest_entry *entries, int entry_count,
                                int strategy_count, int repeats, struct arena *arena)
{
    struct text text = {.arena = arena};
    int legend = (strategy_count + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS * 18;
    int width = LEFT + 2 * PANEL_WIDTH + GAP + 24, height = TOP + legend + entry_count * ROW;
    text_print(&text,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
               "height=\"%d\">\n%s<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n"
               "<text x=\"%d\" y=\"22\" font-size=\"15\" font-weight=\"600\">Search strategies, "
               "%d searches each; bands: 95 %% confidence of the mean</text>\n",
               width, height, width, height, style, LEFT, repeats);
    if (entry_count) print_legend(entries[0].results, strategy_count, &text);
    for (int e = 0; e < entry_count; e++)
        print_entry(&entries[e], strategy_count, TOP + legend + e * ROW, &text);
    text_append(&text, "</svg>\n");
    return text_finish(&text);
}

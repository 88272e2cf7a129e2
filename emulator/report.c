/* What launches were counted as, as a JSON text: the way in which programs that do not know the
 * stand-in's structs read it. */
#include "base/text.h"
#include "emulator/driver.h"

#include <string.h>

/* Names and reasons hold quotes and line ends of the PTX that they cite. */
static void add_string(struct text *text, const char *string)
{
    text_print(text, "\"");
    for (const char *c = string; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_print(text, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            text_print(text, "\\u%04x", (unsigned)*c);
        else
            text_print(text, "%c", (unsigned char)*c < 127 ? *c : '?');
    }
    text_print(text, "\"");
}

static void add_number(struct text *text, const char *name, uint64_t value)
{
    text_print(text, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void add_sizes(struct text *text, const char *name, const uint32_t sizes[static 3])
{
    text_print(text, ",\"%s\":[%u,%u,%u]", name, sizes[0], sizes[1], sizes[2]);
}

static void add_instructions(struct text *text, const struct hone_emulator_counters *counters)
{
    uint64_t sum = 0;
    text_print(text, ",\"instructions\":{");
    for (size_t c = 0; c < EMULATOR_CATEGORIES; c++) {
        sum += counters->instructions[c];
        text_print(text, "%s\"%s\":%llu", c ? "," : "", hone_emulator_category(c),
                   (unsigned long long)counters->instructions[c]);
    }
    text_print(text, "}");
    add_number(text, "warp_instructions", sum);
    add_number(text, "lane_instructions", counters->lanes);
}

static void add_lines(struct text *text, const struct hone_emulator_counters *counters)
{
    text_print(text, ",\"lines\":[");
    for (uint32_t i = 0; i < counters->line_count; i++) {
        const struct hone_emulator_line *line = &counters->lines[i];
        text_print(text, "%s{\"line\":%u,\"text\":", i ? "," : "", line->line);
        add_string(text, line->text);
        add_number(text, "shared_accesses", line->shared_accesses);
        add_number(text, "shared_waves", line->shared_waves);
        add_number(text, "global_bytes", line->global_bytes);
        add_number(text, "global_sectors", line->global_sectors);
        text_print(text, "}");
    }
    text_print(text, "]");
}

static void add_launch(struct text *text, const struct hone_emulator_counters *counters)
{
    text_print(text, "{\"kernel\":");
    add_string(text, counters->kernel);
    add_sizes(text, "grid", counters->grid);
    add_sizes(text, "block", counters->block);
    add_number(text, "shared_bytes", counters->shared_bytes);
    add_instructions(text, counters);
    add_number(text, "global_accesses", counters->global_accesses);
    add_number(text, "global_bytes", counters->global_bytes);
    add_number(text, "global_sectors", counters->global_sectors);
    add_number(text, "unique_sectors", counters->unique_sectors);
    add_number(text, "shared_accesses", counters->shared_accesses);
    add_number(text, "shared_waves", counters->shared_waves);
    add_number(text, "matrix_operations", counters->matrix_operations);
    add_number(text, "barriers", counters->barriers);
    add_lines(text, counters);
    text_print(text, ",\"modelled_seconds\":%.9g,\"fault\":", counters->seconds);
    if (*counters->fault)
        add_string(text, counters->fault);
    else
        text_print(text, "null");
    text_print(text, "}");
}

size_t hone_emulator_report(size_t most, char *buffer, size_t bytes)
{
    static const char empty[] = "[]";
    struct hone_emulator_counters launches[LAST_LAUNCHES];
    struct arena *arena = arena_create(0);
    struct text text = {.arena = arena};
    if (most > LAST_LAUNCHES) most = LAST_LAUNCHES;
    size_t have = hone_emulator_last_launches(launches, most);
    if (have > most) have = most;
    text_print(&text, "[");
    for (size_t i = have; i-- > 0;) {
        add_launch(&text, &launches[i]);
        if (i) text_print(&text, ",");
    }
    text_print(&text, "]");
    const char *report = arena ? text_finish(&text) : NULL;
    if (!report) report = empty;
    size_t length = strlen(report);
    if (length < bytes) memcpy(buffer, report, length + 1);
    arena_destroy(arena);
    return length + 1;
}

/* Recorded spaces as CSV.
 *
 *     # hone recorded space 1
 *     # name: linear q8_0 1 row
 *     # device: ...            kernel, problem, legal (configs of the whole space), default (row from 0)
 *     streams,dot,status,seconds,estimate_seconds,compile_seconds,measure_seconds,samples_us
 *     1,vnni,ok,1.233e-05,1.1e-05,0.021,0.013,12.31 12.4 12.33
 *
 * Columns before the first of the known names below are parameters; an empty cell is a parameter that the config does not have.
 * Of other tools' files no head is needed: parameters, then any of the known columns, then others, which are ignored. */
#include "tuner/recorded.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char mark[] = "# hone recorded space 1";

enum column {
    COLUMN_PARAMETER,
    COLUMN_STATUS,
    COLUMN_TIME,
    COLUMN_ESTIMATE,
    COLUMN_COMPILE,
    COLUMN_MEASURE,
    COLUMN_SAMPLES,
    COLUMN_IGNORED
};

/* Kernel Tuner writes milliseconds. */
static const struct {
    const char *name;
    enum column column;
    double unit; /* seconds */
} known_columns[] = {
    {"status", COLUMN_STATUS, 0},
    {"seconds", COLUMN_TIME, 1},
    {"milliseconds", COLUMN_TIME, 1e-3},
    {"time", COLUMN_TIME, 1e-3},
    {"time_ms", COLUMN_TIME, 1e-3},
    {"microseconds", COLUMN_TIME, 1e-6},
    {"time_us", COLUMN_TIME, 1e-6},
    {"nanoseconds", COLUMN_TIME, 1e-9},
    {"estimate_seconds", COLUMN_ESTIMATE, 1},
    {"compile_seconds", COLUMN_COMPILE, 1},
    {"compile_time", COLUMN_COMPILE, 1e-3},
    {"measure_seconds", COLUMN_MEASURE, 1},
    {"benchmark_time", COLUMN_MEASURE, 1e-3},
    {"samples_us", COLUMN_SAMPLES, 1e-6},
};

enum { COLUMNS_MAX = 256, LINE_BYTES_MAX = 1 << 16, PLACE_BYTES = 320 };

struct csv_reader {
    const char *path;
    const char *at, *end;
    int line;
    char place[PLACE_BYTES];
    char buffer[LINE_BYTES_MAX];
    char *cells[COLUMNS_MAX];
    int cell_count, column_count;
    enum column columns[COLUMNS_MAX];
    double units[COLUMNS_MAX];
    double samples[RECORDED_SAMPLES_MAX];
    struct recorded_space *space;
    struct diagnostic *diagnostic;
};

#define csv_fail(reader, ...)                                                                      \
    certain_failure(fail((reader)->diagnostic, STATUS_BAD_INPUT, __VA_ARGS__))

/* The next line into the buffer; false at the end. */
static status read_line(struct csv_reader *reader, bool *more)
{
    *more = reader->at < reader->end;
    if (!*more) return STATUS_OK;
    reader->line++;
    snprintf(reader->place, sizeof reader->place, "%.256s:%d", reader->path, reader->line);
    const char *stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    size_t length = (size_t)((stop ? stop : reader->end) - reader->at);
    if (length >= sizeof reader->buffer)
        return csv_fail(reader, "%s: the line has more than %d bytes", reader->place,
                        LINE_BYTES_MAX - 1);
    memcpy(reader->buffer, reader->at, length);
    if (length && reader->buffer[length - 1] == '\r') length--;
    reader->buffer[length] = 0;
    if (strlen(reader->buffer) != length)
        return csv_fail(reader, "%s: a zero byte in a text file", reader->place);
    reader->at = stop ? stop + 1 : reader->end;
    return STATUS_OK;
}

/* Cells may be quoted; a quote within is doubled. */
static status split(struct csv_reader *reader)
{
    char *from = reader->buffer;
    reader->cell_count = 0;
    for (bool more = true; more;) {
        if (reader->cell_count == COLUMNS_MAX)
            return csv_fail(reader, "%s: more than %d columns", reader->place, COLUMNS_MAX);
        char *to = from;
        reader->cells[reader->cell_count++] = to;
        if (*from == '"') {
            for (from++; *from && (*from != '"' || from[1] == '"'); *to++ = *from++)
                from += *from == '"';
            if (!*from) return csv_fail(reader, "%s: a quote is not closed", reader->place);
            from++;
        } else {
            while (*from && *from != ',') *to++ = *from++;
        }
        if (*from && *from != ',')
            return csv_fail(reader, "%s: text behind a closed quote", reader->place);
        more = *from++ == ',';
        *to = 0;
    }
    return STATUS_OK;
}

static const char *head_value(const char *line, const char *key)
{
    size_t length = strlen(key);
    return strncmp(line, "# ", 2) == 0 && strncmp(line + 2, key, length) == 0 &&
                   strncmp(line + 2 + length, ": ", 2) == 0
               ? line + 4 + length
               : NULL;
}

static status read_head_line(struct csv_reader *reader)
{
    struct recorded_space *space = reader->space;
    const struct {
        const char *key;
        const char **text;
    } texts[] = {{"name", &space->name},
                 {"device", &space->device},
                 {"kernel", &space->kernel},
                 {"problem", &space->problem}};
    int64_t number;
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        const char *value = head_value(reader->buffer, texts[t].key);
        if (!value) continue;
        *texts[t].text = arena_text(space->arena, value);
        TRY_MEMORY(*texts[t].text, reader->diagnostic);
    }
    const char *legal = head_value(reader->buffer, "legal"),
               *first = head_value(reader->buffer, "default");
    if ((legal || first) && (!text_to_integer(legal ? legal : first, &number) || number < 0))
        return csv_fail(reader, "%s: a whole number was expected", reader->place);
    if (legal) space->legal_count = (uint64_t)number;
    if (first) space->default_config = number < RECORDED_CONFIGS_MAX ? (int)number : -1;
    return STATUS_OK;
}

static status read_columns(struct csv_reader *reader)
{
    bool has_time = false, behind = false;
    TRY(split(reader));
    reader->column_count = reader->cell_count;
    for (int c = 0; c < reader->cell_count; c++) {
        reader->columns[c] = behind ? COLUMN_IGNORED : COLUMN_PARAMETER;
        for (size_t k = 0; k < sizeof known_columns / sizeof *known_columns; k++)
            if (strcmp(known_columns[k].name, reader->cells[c]) == 0) {
                reader->columns[c] = known_columns[k].column;
                reader->units[c] = known_columns[k].unit;
            }
        behind = behind || reader->columns[c] != COLUMN_PARAMETER;
        has_time =
            has_time || reader->columns[c] == COLUMN_TIME || reader->columns[c] == COLUMN_SAMPLES;
        if (reader->columns[c] == COLUMN_PARAMETER)
            TRY(recorded_add_parameter(reader->space, reader->cells[c], reader->place,
                                       reader->diagnostic));
    }
    if (!has_time || !reader->space->parameter_count)
        return csv_fail(reader,
                        "%s: columns of parameters, then one of times (seconds, milliseconds, "
                        "microseconds or samples_us) were expected",
                        reader->place);
    return STATUS_OK;
}

static status read_number(struct csv_reader *reader, int c, double *number)
{
    *number = 0;
    if (!*reader->cells[c]) return STATUS_OK;
    if (!text_to_real(reader->cells[c], number) || !isfinite(*number) || *number < 0)
        return csv_fail(reader, "%s: '%.40s' is no time", reader->place, reader->cells[c]);
    *number *= reader->units[c];
    return STATUS_OK;
}

static status read_samples(struct csv_reader *reader, int c, struct recorded_config *config)
{
    int count = 0;
    for (char *rest, *word = strtok_r(reader->cells[c], " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        double number;
        if (count == RECORDED_SAMPLES_MAX || !text_to_real(word, &number) || !(number > 0) ||
            !isfinite(number))
            return csv_fail(reader, "%s: '%.40s' is no sample, or one too many", reader->place,
                            word);
        reader->samples[count++] = number * reader->units[c];
    }
    return recorded_set_samples(reader->space, config, reader->samples, count, reader->diagnostic);
}

static status read_cell(struct csv_reader *reader, int c, int parameter,
                        struct recorded_config *config)
{
    const char *cell = reader->cells[c];
    switch (reader->columns[c]) {
    case COLUMN_PARAMETER:
        if (!*cell) return STATUS_OK;
        return recorded_value(reader->space, parameter, cell, reader->place,
                              &config->indices[parameter], reader->diagnostic);
    case COLUMN_STATUS:
        if (record_status_by_name(cell, &config->status)) return STATUS_OK;
        return csv_fail(reader, "%s: '%.40s' is no status of a record", reader->place, cell);
    case COLUMN_TIME: return read_number(reader, c, &config->seconds);
    case COLUMN_ESTIMATE: return read_number(reader, c, &config->estimate);
    case COLUMN_COMPILE: return read_number(reader, c, &config->compile_seconds);
    case COLUMN_MEASURE: return read_number(reader, c, &config->measure_seconds);
    case COLUMN_SAMPLES: return read_samples(reader, c, config);
    case COLUMN_IGNORED: break;
    }
    return STATUS_OK;
}

static status read_row(struct csv_reader *reader)
{
    struct recorded_config *config;
    TRY(split(reader));
    if (reader->cell_count != reader->column_count)
        return csv_fail(reader, "%s: %d columns, but the head names %d", reader->place,
                        reader->cell_count, reader->column_count);
    TRY(recorded_add_config(reader->space, reader->place, &config, reader->diagnostic));
    for (int c = 0, parameter = 0; c < reader->cell_count; c++) {
        TRY(read_cell(reader, c, parameter, config));
        parameter += reader->columns[c] == COLUMN_PARAMETER;
    }
    return STATUS_OK;
}

static status read_lines(struct csv_reader *reader)
{
    for (bool more;;) {
        TRY(read_line(reader, &more));
        if (!more) break;
        if (!*reader->buffer) continue;
        if (*reader->buffer == '#')
            TRY(read_head_line(reader));
        else if (!reader->column_count)
            TRY(read_columns(reader));
        else
            TRY(read_row(reader));
    }
    struct recorded_space *space = reader->space;
    if (space->default_config >= space->config_count)
        return csv_fail(reader, "%s: the default is row %d, but there are %d", reader->path,
                        space->default_config, space->config_count);
    return recorded_finish(space, reader->path, reader->diagnostic);
}

status recorded_read_csv(const char *path, const char *bytes, size_t byte_count,
                         struct arena *arena, struct recorded_space **space,
                         struct diagnostic *diagnostic)
{
    struct csv_reader *reader;
    TRY_NEW(reader, arena, 1, diagnostic);
    reader->path = path;
    reader->at = bytes;
    reader->end = bytes + byte_count;
    reader->diagnostic = diagnostic;
    TRY(recorded_create(arena, path, &reader->space, diagnostic));
    TRY(read_lines(reader));
    *space = reader->space;
    return STATUS_OK;
}

/* ---- Writing ---- */

static void print_cell(struct text *text, const char *cell)
{
    if (!strpbrk(cell, ",\"\n")) {
        text_append(text, cell);
        return;
    }
    text_append(text, "\"");
    for (; *cell; cell++) text_print(text, *cell == '"' ? "\"\"" : "%c", *cell);
    text_append(text, "\"");
}

/* Four digits: less than the noise of any measurement. */
static void print_time(struct text *text, double time)
{
    if (time > 0)
        text_print(text, ",%.4g", time);
    else
        text_append(text, ",");
}

static void print_config(const struct recorded_space *space, const struct recorded_config *config,
                         struct text *text)
{
    for (int p = 0; p < space->parameter_count; p++) {
        if (p) text_append(text, ",");
        if (config->indices[p] >= 0)
            print_cell(text, space->parameters[p].texts[config->indices[p]]);
    }
    text_print(text, ",%s", record_status_name(config->status));
    print_time(text, config->seconds);
    print_time(text, config->estimate);
    print_time(text, config->compile_seconds);
    print_time(text, config->measure_seconds);
    text_append(text, ",");
    for (int s = 0; s < config->sample_count; s++)
        text_print(text, "%s%.4g", s ? " " : "", 1e6 * (double)config->samples[s]);
    text_append(text, "\n");
}

status recorded_print_csv(const struct recorded_space *space, struct text *text,
                          struct diagnostic *diagnostic)
{
    text_print(text, "%s\n# name: %s\n# device: %s\n# kernel: %s\n# problem: %s\n# legal: %llu\n",
               mark, space->name, space->device, space->kernel, space->problem,
               (unsigned long long)space->legal_count);
    if (space->default_config >= 0) text_print(text, "# default: %d\n", space->default_config);
    for (int p = 0; p < space->parameter_count; p++) {
        print_cell(text, space->parameters[p].name);
        text_append(text, ",");
    }
    text_append(text,
                "status,seconds,estimate_seconds,compile_seconds,measure_seconds,samples_us\n");
    for (int c = 0; c < space->config_count; c++) print_config(space, &space->configs[c], text);
    TRY_MEMORY(text_finish(text), diagnostic);
    return STATUS_OK;
}

/* Golden tests of passes on graphs: every file tests/golden/NAME.graph holds a graph and then, for
 * each pass applied in turn, a line "=== PASS ARGUMENTS" with the text that must come out of it.
 * After each pass the graph must be legal and must print, parse and print to the same text.
 *
 *     build/dev/tests/test_golden --update      writes what comes out into the files, for review
 * with git diff */
#include "base/file.h"
#include "ir/pass.h"
#include "ir/plan.h"
#include "ops/op_table.h"
#include "tests/check.h"

#include <dirent.h>

enum { ARGUMENTS_MAX = 16 };

static bool update;

struct golden {
    struct arena *arena;
    const char *path;
    struct graph *graph;
    int arguments[ARGUMENTS_MAX];
    int argument_count;
};

static const char *print_graph(const struct golden *golden)
{
    struct text text = {.arena = golden->arena};
    graph_print(golden->graph, &text);
    return text_finish(&text);
}

/* Sizes small enough to read. */
static const int64_t golden_symbols[SYMBOL_COUNT] = {
    [SYMBOL_TOKENS] = 4, [SYMBOL_OUTPUTS] = 2, [SYMBOL_SEQUENCES] = 1,
    [SYMBOL_PAGES] = 8,  [SYMBOL_STRIDE] = 8,
};

static const char *print_memory(const struct golden *golden)
{
    struct diagnostic diagnostic = {0};
    const struct graph *graph = golden->graph;
    struct memory_layout memory;
    struct text text = {.arena = golden->arena};
    int devices = 1;
    for (int v = 0; v < graph->value_count; v++)
        if (graph->values[v].device >= devices) devices = graph->values[v].device + 1;
    CHECK_OK(pass_memory(graph, golden_symbols, devices, golden->arena, &memory, &diagnostic));
    for (int d = 0; d < devices; d++) {
        text_print(&text, "device %d: %" PRId64 " bytes\n", d, memory.device_bytes[d]);
        for (int v = 0; v < graph->value_count; v++)
            if (memory.offsets[v] >= 0 && graph->values[v].device == d)
                text_print(&text, "%6" PRId64 " %6" PRId64 " %s\n", memory.offsets[v],
                           memory.bytes[v], graph->values[v].name);
    }
    return text_finish(&text);
}

static status apply(struct golden *golden, const char *pass, struct diagnostic *diagnostic)
{
    if (!strcmp(pass, "shapes")) return pass_shapes(golden->graph, diagnostic);
    if (!strcmp(pass, "fuse")) return pass_fuse(golden->graph, diagnostic);
    if (!strcmp(pass, "rotate_states")) return pass_rotate_states(golden->graph, diagnostic);
    if (!strcmp(pass, "dead_code")) return pass_dead_code(golden->graph, diagnostic);
    if (!strcmp(pass, "layer_map"))
        return pass_layer_map(golden->graph, golden->arguments, golden->argument_count, diagnostic);
    if (!strcmp(pass, "partition")) {
        int devices = 1;
        for (int a = 0; a < golden->argument_count; a++)
            if (golden->arguments[a] >= devices) devices = golden->arguments[a] + 1;
        return pass_partition(golden->graph, golden->arguments, golden->argument_count, devices,
                              diagnostic);
    }
    CHECK_FAIL("%s: there is no pass %s", golden->path, pass);
    return STATUS_FAILED;
}

static void check_text_round_trip(const struct golden *golden, const char *text)
{
    struct diagnostic diagnostic = {0};
    struct golden again = *golden;
    CHECK_OK(graph_parse(golden->path, text, op_table(), golden->arena, &again.graph, &diagnostic));
    CHECK_TEXT(print_graph(&again), text);
}

/* What stands under "=== PASS" after that pass; a failure is printed in place of the graph. */
static const char *run_pass(struct golden *golden, const char *pass)
{
    struct diagnostic diagnostic = {0};
    if (!strcmp(pass, "memory")) return print_memory(golden);
    if (apply(golden, pass, &diagnostic) != STATUS_OK)
        return arena_print(golden->arena, "%s: %s\n", status_name(diagnostic.code),
                           diagnostic.text);
    CHECK_OK(graph_verify(golden->graph, &diagnostic));
    const char *text = print_graph(golden);
    check_text_round_trip(golden, text);
    return text;
}

static void read_heading(struct golden *golden, const char *heading, char pass[64])
{
    int used;
    golden->argument_count = 0;
    if (sscanf(heading, "=== %63s%n", pass, &used) != 1)
        CHECK_FAIL("%s: %s", golden->path, heading);
    for (heading += used; golden->argument_count < ARGUMENTS_MAX; heading += used)
        if (sscanf(heading, "%d%n", &golden->arguments[golden->argument_count], &used) == 1)
            golden->argument_count++;
        else
            break;
}

/* Runs the passes of the file; returns the file as it should be. */
static const char *regenerate(struct golden *golden, const char *bytes)
{
    struct diagnostic diagnostic = {0};
    struct text made = {.arena = golden->arena};
    const char *section = strstr(bytes, "\n=== ");
    if (!section) CHECK_FAIL("%s: no line \"=== PASS\"", golden->path);
    size_t head = (size_t)(section + 1 - bytes);
    text_append_range(&made, bytes, head);
    const char *input = arena_text_range(golden->arena, bytes, head);
    CHECK_OK(
        graph_parse(golden->path, input, op_table(), golden->arena, &golden->graph, &diagnostic));
    for (; section; section = strstr(section + 1, "\n=== ")) {
        char pass[64];
        size_t length = strcspn(section + 1, "\n");
        const char *heading = arena_text_range(golden->arena, section + 1, length);
        read_heading(golden, heading, pass);
        text_print(&made, "%s\n%s", heading, run_pass(golden, pass));
    }
    return text_finish(&made);
}

static void check_file(const char *path)
{
    struct diagnostic diagnostic = {0};
    struct golden golden = {.arena = arena_create(0), .path = path};
    char *bytes;
    size_t count;
    CHECK_OK(file_read(path, 1 << 20, golden.arena, &bytes, &count, &diagnostic));
    const char *made = regenerate(&golden, bytes);
    if (update)
        CHECK_OK(file_write(path, made, strlen(made), &diagnostic));
    else if (strcmp(made, bytes))
        CHECK_FAIL("%s: the passes give another text (--update writes it):\n%s", path, made);
    arena_destroy(golden.arena);
}

static int is_graph(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && !strcmp(dot, ".graph");
}

static void graphs_come_out_as_written(void **unused)
{
    (void)unused;
    struct dirent **entries;
    int count = scandir(HONE_SOURCE_FOLDER "/tests/golden", &entries, is_graph, alphasort);
    assert_true(count >= 5);
    for (int e = 0; e < count; e++) {
        char path[1024];
        snprintf(path, sizeof path, HONE_SOURCE_FOLDER "/tests/golden/%s", entries[e]->d_name);
        check_file(path);
        free(entries[e]);
    }
    free(entries);
}

int main(int argument_count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(graphs_come_out_as_written)};
    update = argument_count > 1 && !strcmp(arguments[1], "--update");
    return cmocka_run_group_tests(tests, NULL, NULL);
}

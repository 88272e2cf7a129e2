/* The simulator against rates that others have published (bench/published/rows.yaml): one efficiency per class of operators
 * is chosen on the rows that name one, everything else is predicted.
 *
 *     published_rows ROWS.yaml          prints one JSON document
 *
 * Plans are built for the cards' profiles without kernels: what counts is bytes and operations at the cards' rates. */
#include "base/yaml.h"
#include "ir/profiles.h"
#include "models/model.h"
#include "models/synth.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "planner/build.h"
#include "planner/simulate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEVICES_MOST = 8, GENERATED = 4, PAGE = 32, HALVINGS = 40 };

/* Efficiencies are looked for between these. */
static const double least_share = 0.01, most_share = 2;

struct row {
    struct yaml *yaml;
    const char *name, *preset, *type, *devices, *phase, *split, *source;
    int64_t prompt, chunk, in_flight;
    double rate;    /* published */
    int calibrates; /* a class, or -1 */
    double predicted;
};

struct machine {
    const struct device_facts *facts[DEVICES_MOST];
    struct build_device devices[DEVICES_MOST];
    int count;
};

struct program {
    struct arena *arena;
    struct diagnostic *diagnostic;
    struct catalogue catalogue;
    struct cost_efficiencies efficiencies;
    struct row *rows;
    int count;
};

/* ---- Reading ---- */

static status optional_integer(struct yaml *map, const char *key, int64_t otherwise, int64_t *value,
                               struct diagnostic *diagnostic)
{
    struct yaml *found = yaml_find(map, key);
    *value = otherwise;
    return found ? yaml_integer(found, value, diagnostic) : STATUS_OK;
}

static status class_by_name(const struct yaml *node, int *class, struct diagnostic *diagnostic)
{
    for (*class = 0; *class < COST_CLASS_COUNT; ++*class)
        if (strcmp(cost_class_name((enum cost_class) * class), node->text) == 0) return STATUS_OK;
    return yaml_fail(node, diagnostic, "'%s' is no class of operators", node->text);
}

static status read_row(struct yaml *map, struct row *row, struct diagnostic *diagnostic)
{
    *row = (struct row){.yaml = map, .split = "layers", .calibrates = -1};
    TRY(yaml_text(map, "name", &row->name, diagnostic));
    TRY(yaml_text(map, "preset", &row->preset, diagnostic));
    TRY(yaml_text(map, "type", &row->type, diagnostic));
    TRY(yaml_text(map, "devices", &row->devices, diagnostic));
    TRY(yaml_text(map, "phase", &row->phase, diagnostic));
    TRY(yaml_text(map, "source", &row->source, diagnostic));
    if (yaml_find(map, "split")) TRY(yaml_text(map, "split", &row->split, diagnostic));
    TRY(optional_integer(map, "prompt", 512, &row->prompt, diagnostic));
    TRY(optional_integer(map, "chunk", 512, &row->chunk, diagnostic));
    TRY(optional_integer(map, "in_flight", 1, &row->in_flight, diagnostic));
    struct yaml *rate, *class = yaml_find(map, "calibrates");
    TRY(yaml_require(map, "rate", YAML_SCALAR, &rate, diagnostic));
    TRY(yaml_real(rate, &row->rate, diagnostic));
    return class ? class_by_name(class, &row->calibrates, diagnostic) : STATUS_OK;
}

static status read_rows(struct program *program, const char *path)
{
    struct diagnostic *diagnostic = program->diagnostic;
    struct yaml *root, *rows, *given;
    TRY(yaml_read(path, program->arena, &root, diagnostic));
    TRY(yaml_require(root, "given", YAML_MAP, &given, diagnostic));
    TRY(yaml_require(root, "rows", YAML_LIST, &rows, diagnostic));
    for (int c = 0; c < COST_CLASS_COUNT; c++) {
        struct yaml *share = yaml_find(given, cost_class_name((enum cost_class)c));
        program->efficiencies.share[c] = 0.5; /* until it is chosen */
        if (share) TRY(yaml_real(share, &program->efficiencies.share[c], diagnostic));
    }
    program->count = rows->count;
    TRY_NEW(program->rows, program->arena, rows->count, diagnostic);
    for (int r = 0; r < rows->count; r++)
        TRY(read_row(&rows->items[r], &program->rows[r], diagnostic));
    return yaml_check_used(root, NULL, diagnostic);
}

/* ---- Predicting ---- */

/* Facts for the simulator are the profile's; the plan is built for a host of that memory, which needs no kernels. */
static status make_machine(const struct row *row, struct arena *arena, struct machine *machine,
                           struct diagnostic *diagnostic)
{
    *machine = (struct machine){.count = 0};
    char list[256];
    if (snprintf(list, sizeof list, "%s", row->devices) >= (int)sizeof list)
        return yaml_fail(row->yaml, diagnostic, "the list of devices is too long");
    for (char *next = list, *name; (name = strsep(&next, ",")); machine->count++) {
        struct device_facts *facts, *host;
        if (machine->count == DEVICES_MOST)
            return yaml_fail(row->yaml, diagnostic, "more than %d devices", DEVICES_MOST);
        TRY_NEW(facts, arena, 1, diagnostic);
        TRY_NEW(host, arena, 1, diagnostic);
        TRY(profile_read(arena_text(arena, name), arena, facts, diagnostic));
        *host = *facts;
        host->target = TARGET_CPU;
        machine->facts[machine->count] = facts;
        machine->devices[machine->count] = (struct build_device){
            .specification = arena_text(arena, name),
            .facts = host,
            .memory_bytes = (int64_t)(facts->values[FACT_memory_bytes] * 31 / 32),
            .candidates = 1,
            .apart = true};
    }
    return STATUS_OK;
}

static status build(const struct program *program, const struct row *row,
                    const struct machine *machine, const struct graph *graph, struct plan **plan)
{
    struct build_report report;
    struct build_options options = {
        .bounds = {.tokens = row->chunk,
                   .outputs = 1,
                   .sequences = 1,
                   .context = row->prompt + GENERATED,
                   .page_tokens = PAGE},
        .devices = machine->devices,
        .device_count = machine->count,
        .chooser = {.catalogue = &program->catalogue, .references = true},
        .choose_only = true,
        .compile_processes = 1,
    };
    TRY(share_choice_parse(row->split, &options.share, program->diagnostic));
    return plan_build(graph, &options, plan, &report, program->diagnostic);
}

static status simulate_row(struct program *program, struct row *row, const struct plan *plan,
                           const struct machine *machine, struct arena *arena)
{
    const struct workload workload = {.prefill = plan,
                                      .decode = plan,
                                      .prompt_tokens = row->prompt,
                                      .generated_tokens = GENERATED,
                                      .sequences = 1};
    struct simulated_run *runs;
    struct timeline *timeline;
    int count, prefill;
    bool prompt = strcmp(row->phase, "prompt") == 0;
    TRY(workload_runs(&workload, arena, &runs, &count, &prefill, program->diagnostic));
    const struct simulation simulation = {.runs = prompt ? runs : runs + prefill,
                                          .run_count = prompt ? prefill : count - prefill,
                                          .facts = machine->facts,
                                          .efficiencies = &program->efficiencies,
                                          .in_flight = (int)row->in_flight};
    TRY(simulate(&simulation, arena, &timeline, program->diagnostic));
    row->predicted = (double)(prompt ? row->prompt : GENERATED) / timeline->seconds;
    return STATUS_OK;
}

static status element_named(const struct row *row, enum element_type *element,
                            struct diagnostic *diagnostic)
{
    if (element_by_name(row->type, element)) return STATUS_OK;
    return yaml_fail(row->yaml, diagnostic, "'%s' is no element type", row->type);
}

/* One plan serves all trials of an efficiency. */
struct trial {
    struct row *row;
    struct model *model;
    struct plan *plan;
    struct machine machine;
    struct arena *arena;
};

static status open_trial(const struct program *program, struct row *row, struct trial *trial)
{
    struct diagnostic *diagnostic = program->diagnostic;
    struct synth_options synth = {.ops = op_table(), .preset = row->preset, .threads = 1};
    const struct model_options options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = PAGE};
    *trial = (struct trial){.row = row, .arena = arena_create(0)};
    TRY_MEMORY(trial->arena, diagnostic);
    TRY(element_named(row, &synth.element, diagnostic));
    TRY(make_machine(row, trial->arena, &trial->machine, diagnostic));
    TRY(model_describe(&synth, &options, &trial->model, diagnostic));
    return build(program, row, &trial->machine, trial->model->graph, &trial->plan);
}

static void close_trial(struct trial *trial)
{
    plan_free(trial->plan);
    model_close(trial->model);
    arena_destroy(trial->arena);
}

static status try_share(struct program *program, struct trial *trial, double share)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, program->diagnostic);
    if (trial->row->calibrates >= 0) program->efficiencies.share[trial->row->calibrates] = share;
    status code = simulate_row(program, trial->row, trial->plan, &trial->machine, scratch);
    arena_destroy(scratch);
    return code;
}

/* More efficient is faster, so halving finds the share that gives the published rate. */
static status calibrate(struct program *program, struct trial *trial)
{
    double low = least_share, high = most_share;
    for (int h = 0; h < HALVINGS; h++) {
        double middle = sqrt(low * high);
        TRY(try_share(program, trial, middle));
        *(trial->row->predicted < trial->row->rate ? &low : &high) = middle;
    }
    return STATUS_OK;
}

static status predict_row(struct program *program, struct row *row)
{
    struct trial trial;
    status code = open_trial(program, row, &trial);
    if (code == STATUS_OK)
        code = row->calibrates >= 0 ? calibrate(program, &trial) : try_share(program, &trial, 0);
    if (trial.arena) close_trial(&trial);
    return code;
}

/* ---- Printing ---- */

static void print_rows(const struct program *program)
{
    printf("{\"efficiencies\": {");
    for (int c = 0; c < COST_CLASS_COUNT; c++)
        printf("%s\"%s\": %.4f", c ? ", " : "", cost_class_name((enum cost_class)c),
               program->efficiencies.share[c]);
    printf("},\n \"rows\": [\n");
    for (int r = 0; r < program->count; r++) {
        const struct row *row = &program->rows[r];
        printf("  {\"name\": \"%s\", \"devices\": \"%s\", \"phase\": \"%s\", \"split\": \"%s\", "
               "\"published\": %.4g, ",
               row->name, row->devices, row->phase, row->split, row->rate);
        printf("\"predicted\": %.4g, \"error\": %.3f", row->predicted,
               row->predicted / row->rate - 1);
        printf(", \"calibrates\": %s, \"source\": \"%s\"}%s\n",
               row->calibrates >= 0 ? "true" : "false", row->source,
               r + 1 < program->count ? "," : "");
    }
    printf(" ]}\n");
}

static status run(struct program *program, const char *path)
{
    TRY(catalogue_read(NULL, program->arena, &program->catalogue, program->diagnostic));
    TRY(read_rows(program, path));
    for (int unseen = 0; unseen < 2; unseen++)
        for (int r = 0; r < program->count; r++)
            if ((program->rows[r].calibrates < 0) == unseen)
                TRY(predict_row(program, &program->rows[r]));
    print_rows(program);
    return STATUS_OK;
}

int main(int count, char **words)
{
    struct diagnostic diagnostic = {0};
    struct program program = {.arena = arena_create(0), .diagnostic = &diagnostic};
    status code = count == 2 && program.arena
                      ? run(&program, words[1])
                      : fail(&diagnostic, STATUS_USAGE, "usage: published_rows ROWS.yaml");
    arena_destroy(program.arena);
    if (code != STATUS_OK) fprintf(stderr, "published_rows: %s\n", diagnostic.text);
    return code == STATUS_OK ? 0 : 1;
}

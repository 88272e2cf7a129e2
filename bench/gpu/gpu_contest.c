/* Tunes problems on a card and then measures their contestants, round by round, as compare.py asks for it, so that what
 * runs in other processes can be measured in between.
 *
 *     gpu_contest DEVICE FOLDER EFFORT SECONDS PROBLEMS
 *
 * FOLDER keeps the records, SECONDS bound the tuning, PROBLEMS is a file of canonical problem texts, one a line.  Answers are
 * JSON documents, one a line: of the device, of each problem, then one per line of input:
 *
 *     open N      makes problem N's operands, loads and checks its contestants
 *     winner N    the same for what tuning chose alone: for tools that look on
 *     round       one sample of each
 *     copy        the card's bandwidth, by copies within it
 *
 * Its status is 77 where there is no such card or no compiler for it. */
#include "base/clock.h"
#include "base/file.h"
#include "bench/gpu/contestants.h"
#include "codegen/compile.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEMS_MAX = 256, LINE_MAX_BYTES = 64, NOTHING_TO_DO = 77 };

struct gpu_bench {
    struct arena *arena;
    struct catalogue catalogue;
    struct device *device;
    struct runner_device_setup setup;
    struct runner runner;
    struct store *store;
    struct tune_problem problems[PROBLEMS_MAX];
    struct contest contests[PROBLEMS_MAX];
    bool possible;          /* there is such a card, and a compiler for it */
    int count, open, round; /* open: the contest whose operands are there, or -1 */
};

static void answer(json_t *document)
{
    json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(document);
    putchar('\n');
    fflush(stdout);
}

/* ---- Setting up ---- */

static status read_problems(struct gpu_bench *bench, const char *path,
                            struct diagnostic *diagnostic)
{
    char *text;
    size_t bytes;
    TRY(file_read(path, 1 << 20, bench->arena, &text, &bytes, diagnostic));
    for (char *line = text; *line && bench->count < PROBLEMS_MAX;) {
        size_t length = strcspn(line, "\n");
        const char *own = arena_text_range(bench->arena, line, length);
        struct problem *problem;
        TRY_MEMORY(own, diagnostic);
        line += length + (line[length] == '\n');
        if (!*own) continue;
        TRY(problem_parse(own, op_table(), bench->arena, &problem, diagnostic));
        bench->problems[bench->count++] = (struct tune_problem){.problem = problem, .weight = 1};
    }
    return STATUS_OK;
}

static status open_bench(struct gpu_bench *bench, char **arguments, struct diagnostic *diagnostic)
{
    const struct device_options options = {.threads = 0};
    bench->open = -1;
    bench->arena = arena_create(0);
    TRY_MEMORY(bench->arena, diagnostic);
    TRY(catalogue_read(NULL, bench->arena, &bench->catalogue, diagnostic));
    TRY(device_open(arguments[1], &options, &bench->device, diagnostic));
    TRY(compile_check(device_facts(bench->device), diagnostic));
    bench->possible = true;
    TRY(store_open(arguments[2], NULL, &bench->store, diagnostic));
    bench->setup = (struct runner_device_setup){
        .specification = arguments[1], .memory_is_host = device_memory_is_host(bench->device)};
    bench->runner = runner_device(&bench->setup);
    return read_problems(bench, arguments[5], diagnostic);
}

static void tell_device(const struct gpu_bench *bench)
{
    const struct device_facts *facts = device_facts(bench->device);
    json_t *values = json_object();
    for (enum fact f = 0; f < FACT_COUNT; f++)
        if (facts->values[f] != 0)
            json_object_set_new(values, fact_name(f), json_real(facts->values[f]));
    answer(json_pack("{s:s, s:s, s:s, s:o}", "device", facts->name, "class", facts->class_name,
                     "compiler", compile_identity(facts->target), "facts", values));
}

/* ---- Tuning ---- */

static status tune(struct gpu_bench *bench, char **arguments, struct tune_report *report,
                   struct diagnostic *diagnostic)
{
    struct tune_setup setup = {.catalogue = &bench->catalogue,
                               .facts = device_facts(bench->device),
                               .compiler = compile_identity(device_facts(bench->device)->target),
                               .runner = &bench->runner,
                               .limits = worker_setup_default(),
                               .store = bench->store,
                               .problems = bench->problems,
                               .problem_count = bench->count,
                               .options = {.effort = atoi(arguments[3]),
                                           .budget_seconds = atof(arguments[4]),
                                           .seed = 1,
                                           .artifact_folder = arguments[2]}};
    if (!bench->setup.memory_is_host)
        setup.limits.child_bytes = 0; /* a driver reserves more addresses than there is memory */
    return tune_run(&setup, bench->arena, report, diagnostic);
}

static json_t *list_roles(int roles)
{
    static const char *const names[] = {"tuned", "default", "own", "library_first", "library"};
    json_t *list = json_array();
    for (size_t r = 0; r < sizeof names / sizeof *names; r++)
        if (roles >> r & 1) json_array_append_new(list, json_string(names[r]));
    return list;
}

static json_t *list_contestants(const struct contest *contest, int roles)
{
    json_t *list = json_array();
    for (int c = 0; c < contest->count; c++) {
        const struct contestant *own = &contest->contestants[c];
        if (!(own->roles & roles)) continue;
        json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:s}", "candidate", own->text,
                                              "roles", list_roles(own->roles), "status",
                                              record_status_name(own->outcome.status), "detail",
                                              own->outcome.detail));
    }
    return list;
}

static status choose_all(struct gpu_bench *bench, const struct tune_report *report,
                         struct diagnostic *diagnostic)
{
    for (int p = 0; p < bench->count; p++) {
        const struct tune_row *row = &report->rows[p];
        struct contest *contest = &bench->contests[p];
        const struct problem *problem = bench->problems[p].problem;
        const struct cost cost = problem_cost(problem);
        *contest = (struct contest){.arena = bench->arena,
                                    .catalogue = &bench->catalogue,
                                    .runner = &bench->runner,
                                    .device = bench->device,
                                    .problem = problem};
        TRY(contest_choose(contest, bench->store,
                           compile_identity(device_facts(bench->device)->target), row, diagnostic));
        answer(json_pack("{s:i, s:s, s:f, s:f, s:s, s:s, s:i, s:b}", "problem", p, "text",
                         problem->text, "operations", cost.operations, "bytes", cost.bytes,
                         "winner", row->winner ? row->winner : "", "basis",
                         decision_basis_name(row->decision.basis), "measured", row->measured,
                         "finished", row->finished));
    }
    return STATUS_OK;
}

/* ---- Measuring ---- */

static void close_contest(struct gpu_bench *bench)
{
    if (bench->open >= 0) contest_close(&bench->contests[bench->open]);
    bench->open = -1;
}

static status open_contest(struct gpu_bench *bench, int p, int roles, struct diagnostic *diagnostic)
{
    if (p < 0 || p >= bench->count)
        return fail(diagnostic, STATUS_USAGE, "there is no problem %d", p);
    close_contest(bench);
    bench->open = p;
    bench->round = 0;
    TRY(contest_prepare(&bench->contests[p], roles, diagnostic));
    answer(json_pack("{s:i, s:o}", "problem", p, "contestants",
                     list_contestants(&bench->contests[p], roles)));
    return STATUS_OK;
}

static status measure_round(struct gpu_bench *bench, struct diagnostic *diagnostic)
{
    double seconds[CONTESTANTS_MAX];
    json_t *list = json_array();
    if (bench->open < 0) return fail(diagnostic, STATUS_USAGE, "no problem is open");
    struct contest *contest = &bench->contests[bench->open];
    TRY(contest_round(contest, bench->round++, seconds, diagnostic));
    for (int c = 0; c < contest->count; c++) json_array_append_new(list, json_real(seconds[c]));
    answer(json_pack("{s:o}", "seconds", list));
    return STATUS_OK;
}

static status measure_copy(struct gpu_bench *bench, struct diagnostic *diagnostic)
{
    struct device_rates rates;
    TRY(device_measure(bench->device, &rates, diagnostic));
    answer(json_pack("{s:f, s:f, s:f}", "copy_bytes_per_second", rates.memory,
                     "link_in_bytes_per_second", rates.link_in, "link_out_bytes_per_second",
                     rates.link_out));
    return STATUS_OK;
}

/* A request that fails is answered, and the next one is taken. */
static void serve(struct gpu_bench *bench)
{
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin)) {
        struct diagnostic diagnostic = {0};
        status code;
        int p;
        if (sscanf(line, "open %d", &p) == 1)
            code = open_contest(bench, p, ROLES_ALL, &diagnostic);
        else if (sscanf(line, "winner %d", &p) == 1)
            code = open_contest(bench, p, ROLE_TUNED, &diagnostic);
        else if (strcmp(line, "round\n") == 0)
            code = measure_round(bench, &diagnostic);
        else if (strcmp(line, "copy\n") == 0)
            code = measure_copy(bench, &diagnostic);
        else
            code = fail(&diagnostic, STATUS_USAGE,
                        "requests are 'open N', 'winner N', 'round' and 'copy'");
        if (code != STATUS_OK) answer(json_pack("{s:s}", "error", diagnostic.text));
    }
}

static status run(struct gpu_bench *bench, char **arguments, struct diagnostic *diagnostic)
{
    struct tune_report report;
    TRY(open_bench(bench, arguments, diagnostic));
    tell_device(bench);
    double start = clock_seconds();
    TRY(tune(bench, arguments, &report, diagnostic));
    TRY(choose_all(bench, &report, diagnostic));
    answer(json_pack("{s:i, s:i, s:f}", "problems", bench->count, "measured", report.measured,
                     "tuning_seconds", clock_seconds() - start));
    serve(bench);
    return STATUS_OK;
}

int main(int count, char **arguments)
{
    struct diagnostic diagnostic = {0};
    static struct gpu_bench bench;
    if (count != 6) {
        fprintf(stderr, "usage: gpu_contest DEVICE FOLDER EFFORT SECONDS PROBLEMS\n");
        return 2;
    }
    status code = run(&bench, arguments, &diagnostic);
    bool possible = bench.possible;
    close_contest(&bench);
    store_close(bench.store);
    device_close(bench.device);
    arena_destroy(bench.arena);
    if (code == STATUS_OK) return 0;
    fprintf(stderr, "gpu_contest: %s\n", diagnostic.text);
    return possible ? 1 : NOTHING_TO_DO;
}

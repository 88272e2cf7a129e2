/* hone lab cache: policies of expert caches on recorded routings.  hone lab trace: routings to try them on. */
#include "cli/lab.h"
#include "planner/expert_replay.h"
#include "planner/routing_synthetic.h"

#include <stdio.h>
#include <string.h>

/* Sizes compared when none are given: so many equal steps up to all experts. */
enum { SIZES_DEFAULT = 8, SIZES_MOST = 64 };

struct sizes {
    int64_t slots[SIZES_MOST];
    int count;
};

static status read_sizes(const char *list, int experts, struct sizes *sizes, struct arena *arena,
                         struct diagnostic *diagnostic)
{
    int32_t *given;
    int64_t count;
    *sizes = (struct sizes){0};
    if (!list) {
        for (int s = 1; s < SIZES_DEFAULT; s++) {
            int slots = experts * s / SIZES_DEFAULT;
            if (slots > 0 && (sizes->count == 0 || sizes->slots[sizes->count - 1] != slots))
                sizes->slots[sizes->count++] = slots;
        }
        return STATUS_OK;
    }
    TRY(arguments_parse_ids(list, arena, &given, &count, diagnostic));
    if (count > SIZES_MOST)
        return fail(diagnostic, STATUS_USAGE, "--slots: at most %d numbers", SIZES_MOST);
    for (int64_t i = 0; i < count; i++) sizes->slots[sizes->count++] = given[i];
    return STATUS_OK;
}

static json_t *comparison_json(const struct expert_comparison *comparison, int64_t slots)
{
    json_t *policies = json_array();
    for (int p = 0; p < expert_policy_count; p++)
        json_array_append_new(policies, json_pack("{s:s, s:f, s:f, s:I, s:I, s:I, s:b}", "policy",
                                                  expert_policies[p].name, "trial_hit_rate",
                                                  replay_share(comparison->trial[p]), "hit_rate",
                                                  replay_share(comparison->rates[p]), "asked",
                                                  (json_int_t)comparison->rates[p].asked, "hits",
                                                  (json_int_t)comparison->rates[p].hits, "taken",
                                                  (json_int_t)comparison->rates[p].taken,
                                                  "knows_future", expert_policies[p].knows_future));
    return json_pack("{s:I, s:s, s:s, s:o}", "slots", (json_int_t)slots, "chosen",
                     expert_policies[comparison->chosen].name, "best",
                     expert_policies[comparison->best].name, "policies", policies);
}

static void print_comparison(const struct expert_comparison *comparison, int64_t slots)
{
    printf("%5lld", (long long)slots);
    for (int p = 0; p < expert_policy_count; p++)
        printf(" %9.1f%c", 100 * replay_share(comparison->rates[p]),
               p == comparison->chosen ? '*' : ' ');
    putchar('\n');
}

static void print_head(const struct routing_trace *trace)
{
    printf("%d layers, %d of %d experts used, %lld steps, %lld rows\n", trace->layer_count,
           trace->used, trace->experts, (long long)routing_trace_steps(trace),
           (long long)trace->row_count);
    printf("hits in %% of the experts asked for in the second half; *: chosen by the first half\n");
    printf("slots");
    for (int p = 0; p < expert_policy_count; p++) printf(" %9s ", expert_policies[p].name);
    putchar('\n');
}

static status compare_sizes(const struct arguments *arguments, const struct routing_trace *trace,
                            const struct sizes *sizes, json_t *results,
                            struct diagnostic *diagnostic)
{
    struct expert_comparison comparison;
    for (int s = 0; s < sizes->count; s++) {
        if (sizes->slots[s] < 1 || sizes->slots[s] > trace->experts)
            return fail(diagnostic, STATUS_USAGE, "--slots: 1 to %d, the experts of a layer",
                        trace->experts);
        TRY(expert_compare(trace, (int)sizes->slots[s], arguments->shared, &comparison,
                           diagnostic));
        if (results)
            json_array_append_new(results, comparison_json(&comparison, sizes->slots[s]));
        else
            print_comparison(&comparison, sizes->slots[s]);
    }
    return STATUS_OK;
}

LAB_ACTION(cache)
{
    const char *path;
    struct routing_trace *trace;
    struct sizes sizes;
    (void)console;
    TRY(command_positional(arguments, 1, "a routing trace (hone run --record-routing)", &path,
                           diagnostic));
    TRY(routing_trace_read(path, arena, &trace, diagnostic));
    TRY(read_sizes(arguments->slots, trace->experts, &sizes, arena, diagnostic));
    if (!arguments->json) {
        print_head(trace);
        TRY(compare_sizes(arguments, trace, &sizes, NULL, diagnostic));
        return console_flush(diagnostic);
    }
    json_t *document =
        json_pack("{s:i, s:i, s:i, s:I, s:b}", "layers", trace->layer_count, "experts",
                  trace->experts, "used", trace->used, "steps",
                  (json_int_t)routing_trace_steps(trace), "shared", arguments->shared);
    json_t *results = json_array();
    json_object_set_new(document, "sizes", results);
    status code = compare_sizes(arguments, trace, &sizes, results, diagnostic);
    if (code == STATUS_OK) return console_print_json(document, diagnostic);
    json_decref(document);
    return code;
}

LAB_ACTION(trace)
{
    struct synthetic_routing synthetic = routing_synthetic_default();
    struct routing_trace *trace;
    (void)console;
    synthetic.seed = (uint64_t)given_or(arguments->seed, 0);
    if (!arguments->output)
        return fail(diagnostic, STATUS_USAGE, "the file to write is missing: -o FILE");
    for (int p = 1; p < arguments->positional_count; p++)
        TRY(routing_synthetic_parse(arguments->positional[p], &synthetic, diagnostic));
    TRY(routing_synthesise(&synthetic, arena, &trace, diagnostic));
    TRY(routing_trace_write(trace, arguments->output, diagnostic));
    if (arguments->json)
        return console_print_json(json_pack("{s:s, s:I, s:I}", "file", arguments->output, "steps",
                                            (json_int_t)routing_trace_steps(trace), "rows",
                                            (json_int_t)trace->row_count),
                                  diagnostic);
    printf("%s: %lld steps of %d layers\n", arguments->output,
           (long long)routing_trace_steps(trace), trace->layer_count);
    return console_flush(diagnostic);
}

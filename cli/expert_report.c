/* Experts in slots, as JSON and as a line. */
#include "cli/expert_report.h"

#include "base/text.h"
#include "runtime/expert_slots.h"

#include <stdio.h>

json_t *expert_report_json(struct engine *engine)
{
    const struct executor *executor = engine_executor(engine);
    struct expert_counts counts = executor_expert_counts(executor);
    struct miss_times times = executor_miss_times(executor);
    const char *policy = engine_report(engine)->expert_policy;
    if (!policy) return json_null();
    return json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "slots",
                     executor_expert_slots(executor), "policy", policy, "asked",
                     (json_int_t)counts.asked, "hits", (json_int_t)counts.hits, "fetched",
                     (json_int_t)counts.fetched, "computed", (json_int_t)counts.computed,
                     "fetched_bytes", (json_int_t)counts.fetched_bytes, "fetch_seconds",
                     times.fetch_seconds, "host_seconds", times.host_seconds, "host_row_seconds",
                     times.host_row_seconds);
}

void expert_report_print(struct engine *engine)
{
    const struct executor *executor = engine_executor(engine);
    struct expert_counts counts = executor_expert_counts(executor);
    const char *policy = engine_report(engine)->expert_policy;
    char bytes[32];
    if (!policy || !counts.asked) return;
    fprintf(
        stderr,
        "experts: %d slots per layer, policy %s: %.1f %% of %lld were there, %lld fetched (%s), "
        "%lld computed by the host\n",
        executor_expert_slots(executor), policy, 100 * (double)counts.hits / (double)counts.asked,
        (long long)counts.asked, (long long)counts.fetched,
        text_bytes((double)counts.fetched_bytes, bytes), (long long)counts.computed);
}

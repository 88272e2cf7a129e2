/* The head of the report's data: what was tuned, where, by which protocol, and how far it got. */
#include "base/clock.h"
#include "engine/tuning_page_internal.h"
#include "ir/ceiling.h"

static void print_facts(const struct device_facts *facts, struct page_data *data)
{
    static const char *const meanings[FACT_COUNT] = {
#define FACT(name, meaning) [FACT_##name] = (meaning),
#include "ir/facts.def"
#undef FACT
    };
    page_data_open(data, "facts", '[');
    for (int f = 0; f < FACT_COUNT; f++) {
        if (facts->values[f] == 0) continue;
        page_data_open(data, NULL, '[');
        page_data_text(data, NULL, fact_name((enum fact)f));
        page_data_number(data, NULL, facts->values[f]);
        page_data_text(data, NULL, meanings[f]);
        page_data_close(data, ']');
    }
    page_data_close(data, ']');
}

static void print_device(const struct tuning_page *page, struct page_data *data)
{
    const struct device_facts *facts = page->facts;
    page_data_open(data, "device", '{');
    page_data_text(data, "name", facts->name ? facts->name : "");
    page_data_text(data, "class", facts->class_name ? facts->class_name : "");
    page_data_text(data, "target", target_name(facts->target));
    print_facts(facts, data);
    page_data_close(data, '}');
}

/* What bounds kernels on this device: bytes and operations per second. */
static void print_ceilings(const struct tuning_page *page, struct page_data *data)
{
    page_data_open(data, "ceilings", '{');
    page_data_number(data, "memory", page->facts->values[FACT_read_bandwidth]);
    page_data_number(data, "cache", page->facts->values[FACT_cache_bandwidth]);
    page_data_open(data, "families", '[');
    for (int f = 0; f < CEILING_FAMILY_COUNT; f++) {
        page_data_open(data, NULL, '[');
        page_data_text(data, NULL, ceiling_family_name((enum ceiling_family)f));
        page_data_number(data, NULL, ceiling_family_rate((enum ceiling_family)f, page->facts));
        page_data_close(data, ']');
    }
    page_data_close(data, ']');
    page_data_close(data, '}');
}

static void print_protocol(const struct tuning_page *page, struct page_data *data)
{
    const struct tune_setup *setup = page->setup.setup;
    const struct tune_options *options = &setup->options;
    const char *strategy = options->strategy;
    if (!strategy)
        strategy = options->effort == EFFORT_MOST ? "exhaustive" : search_table()[0]->name;
    page_data_open(data, "protocol", '{');
    page_data_text(data, "hone", HONE_VERSION_TEXT);
    page_data_text(data, "compiler", setup->compiler);
    page_data_number(data, "version", RECORD_PROTOCOL);
    page_data_text(data, "strategy", strategy);
    page_data_number(data, "effort", options->effort);
    page_data_number(data, "budget", options->budget_seconds);
    page_data_number(data, "seed", (double)options->seed);
    page_data_flag(data, "fast", options->policy.fast);
    page_data_text(data, "store", store_keeps(setup->store) ? store_path(setup->store) : NULL);
    page_data_text(data, "scope", page->setup.scope);
    page_data_close(data, '}');
}

static const char *run_state(const struct tuning_page *page)
{
    if (!page->over) return "tuning";
    if (page->failure) return "failed";
    if (page->report->interrupted) return "interrupted";
    return page->report->out_of_time ? "out of time" : "finished";
}

static void print_statuses(struct page_data *data)
{
    page_data_open(data, "statuses", '{');
    for (int s = 0; s < RECORD_STATUS_COUNT; s++)
        page_data_text(data, record_status_name((enum record_status)s),
                       record_status_meaning((enum record_status)s));
    page_data_close(data, '}');
}

static void print_choices(const struct tuning_page *page, struct page_data *data)
{
    page_data_open(data, "choices", '[');
    for (int c = 0; c < page->setup.choice_count; c++) {
        const struct explained_choice *choice = &page->setup.choices[c];
        page_data_open(data, NULL, '{');
        page_data_text(data, "decision", choice->decision);
        page_data_text(data, "chosen", choice->chosen);
        page_data_text(data, "reason", choice->reason);
        page_data_text(data, "otherwise", choice->otherwise);
        page_data_close(data, '}');
    }
    page_data_close(data, ']');
}

void tuning_page_summary(const struct tuning_page *page, struct page_data *data)
{
    const struct tune_report *report = page->report;
    page_data_number(data, "form", 1);
    page_data_text(data, "model", page->setup.model);
    page_data_text(data, "state", run_state(page));
    page_data_text(data, "failure", page->failure);
    page_data_number(data, "written", (double)clock_wall_seconds());
    page_data_number(data, "coverage", report ? report->coverage : 0);
    page_data_number(data, "expected", report ? report->expected_gain : 0);
    page_data_number(data, "measured", report ? report->measured : 0);
    page_data_number(data, "restarts", report ? report->restarts : 0);
    page_data_number(data, "seconds", report ? report->seconds : 0);
    print_device(page, data);
    print_ceilings(page, data);
    print_protocol(page, data);
    print_statuses(data);
    print_choices(page, data);
}

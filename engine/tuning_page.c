/* When the report is written, and how it is put together. */
#include "engine/tuning_page.h"

#include "base/clock.h"
#include "base/file.h"
#include "engine/page_template.h"
#include "engine/tuning_page_internal.h"

#include <math.h>

/* Of the time of tuning no more than this share goes into the page. */
static const double budget_share = 0.03;

/* How often a browser loads a page again whose tuning goes on. */
enum { REFRESH_SECONDS = 5 };

static status print_problems(struct tuning_page *page, struct page_data *data,
                             struct diagnostic *diagnostic)
{
    page_data_open(data, "problems", '[');
    for (int p = 0; p < page->setup.setup->problem_count; p++) {
        const char *detail = page->problems[p].detail;
        if (!detail && page->problems[p].state != PAGE_WAITING)
            TRY(tuning_page_detail(page, p, page->scratch, &detail, diagnostic));
        tuning_page_row(page, p, detail, data);
    }
    page_data_close(data, ']');
    return STATUS_OK;
}

static status write_page(struct tuning_page *page, struct diagnostic *diagnostic)
{
    struct page_data data = {.text = {.arena = page->scratch}};
    struct text html = {.arena = page->scratch};
    page_data_open(&data, NULL, '{');
    tuning_page_summary(page, &data);
    TRY(print_problems(page, &data, diagnostic));
    page_data_close(&data, '}');
    const char *json = text_finish(&data.text);
    TRY_MEMORY(json, diagnostic);
    TRY(page_compose(page->setup.model, json, page->over ? 0 : REFRESH_SECONDS, &html, diagnostic));
    return file_write(page->setup.path, html.bytes, html.length, diagnostic);
}

static status write_in_scratch(struct tuning_page *page, struct diagnostic *diagnostic)
{
    double begun = clock_seconds();
    status code = write_page(page, diagnostic);
    arena_reset(page->scratch);
    double now = clock_seconds();
    double rest = page->setup.pause_seconds > 0 ? (now - begun) / budget_share : 0;
    page->next_seconds = now + fmax(page->setup.pause_seconds, rest);
    return code;
}

/* What is done does not change any more, so its detail is gathered once. */
static status keep_detail(struct tuning_page *page, int problem, struct diagnostic *diagnostic)
{
    const char *detail;
    page->problems[problem].state = PAGE_DONE;
    TRY(tuning_page_detail(page, problem, page->scratch, &detail, diagnostic));
    page->problems[problem].detail = arena_text(page->arena, detail);
    TRY_MEMORY(page->problems[problem].detail, diagnostic);
    arena_reset(page->scratch);
    return STATUS_OK;
}

/* A page that could not be written is written again later; the last time tells. */
static void run_changed(void *context, const struct tune_report *report, int problem, bool done)
{
    struct tuning_page *page = context;
    struct diagnostic ignored = {0};
    page->report = report;
    page->problems[problem].state = PAGE_TUNING;
    if (done && keep_detail(page, problem, &ignored) != STATUS_OK) return;
    if (clock_seconds() < page->next_seconds) return;
    page->behind = write_in_scratch(page, &ignored) != STATUS_OK;
}

const struct tune_watch *tuning_page_watch(const struct tuning_page *page)
{
    return &page->watch;
}

static status prepare(struct tuning_page *page, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = page->setup.setup;
    page->explaining = (struct explain_setting){.catalogue = setup->catalogue,
                                                .facts = setup->facts,
                                                .compiler = setup->compiler,
                                                .policy = setup->options.policy,
                                                .store = setup->store};
    page->watch = (struct tune_watch){.context = page, .changed = run_changed};
    TRY_NEW(page->problems, page->arena, setup->problem_count + 1, diagnostic);
    return write_in_scratch(page, diagnostic);
}

static void let_go(struct tuning_page *page)
{
    arena_destroy(page->scratch);
    page->scratch = NULL;
}

status tuning_page_create(const struct tuning_page_setup *setup, struct arena *arena,
                          struct tuning_page **result, struct diagnostic *diagnostic)
{
    struct tuning_page *page;
    TRY_NEW(page, arena, 1, diagnostic);
    *page = (struct tuning_page){
        .setup = *setup, .facts = setup->setup->facts, .arena = arena, .scratch = arena_create(0)};
    TRY_MEMORY(page->scratch, diagnostic);
    status code = prepare(page, diagnostic);
    if (code != STATUS_OK) let_go(page);
    *result = page;
    return code;
}

status tuning_page_finish(struct tuning_page *page, const struct tune_report *report,
                          const struct device_facts *facts, const char *failure,
                          struct diagnostic *diagnostic)
{
    page->failure = failure;
    page->report = report;
    page->facts = facts;
    page->over = true;
    status code = write_in_scratch(page, diagnostic);
    let_go(page);
    return code;
}

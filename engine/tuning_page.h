/* The report of tuning: one HTML file without outside resources, rewritten while tuning goes on, whole at every instant.
 *
 * It shows what the records say, so a run that measures nothing (--effort 0, or a store that knows everything) writes the same
 * page.  A file that cannot be written never stops the tuning; whether the last writing went well is what finishing tells. */
#ifndef ENGINE_TUNING_PAGE_H
#define ENGINE_TUNING_PAGE_H

#include "engine/explain_choices.h"
#include "tuner/tune.h"

struct tuning_page;

/* It all outlives the page. */
struct tuning_page_setup {
    const char *path;                       /* of the file */
    const char *model;                      /* description */
    const char *scope;                      /* which problems: "KV f16, context 4096, ..." */
    const struct explained_choice *choices; /* what else the plan settles; NULL: nothing is said */
    int choice_count;
    const struct tune_setup *setup; /* of the run; its watch is tuning_page_watch() */
    double pause_seconds;           /* at least, between two writings */
};

/* Writes the page for the first time; fails when that is impossible, before anything is tuned. */
CHECKED status tuning_page_create(const struct tuning_page_setup *setup, struct arena *arena,
                                  struct tuning_page **page, struct diagnostic *diagnostic);
const struct tune_watch *tuning_page_watch(const struct tuning_page *page);
/* Writes it for the last time, with the best rates that were seen, and lets go of its memory.  `failure`: what ended the run;
 * NULL: nothing did. */
CHECKED status tuning_page_finish(struct tuning_page *page, const struct tune_report *report,
                                  const struct device_facts *facts, const char *failure,
                                  struct diagnostic *diagnostic);

#endif

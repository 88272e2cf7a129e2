/* The inside of the report, for engine/tuning_page*.c only. */
#ifndef ENGINE_TUNING_PAGE_INTERNAL_H
#define ENGINE_TUNING_PAGE_INTERNAL_H

#include "engine/explain.h"
#include "engine/page_data.h"
#include "engine/tuning_page.h"

enum tuning_page_state { PAGE_WAITING, PAGE_TUNING, PAGE_DONE };

struct tuning_page_problem {
    enum tuning_page_state state;
    const char *detail; /* JSON of tuning_page_detail, once it is done; NULL: not yet */
};

struct tuning_page {
    struct tuning_page_setup setup;
    const struct device_facts *facts;  /* the best that are known so far */
    const struct tune_report *report;  /* of the run; NULL: it has not begun */
    struct explain_setting explaining; /* what every detail is gathered from */
    struct tuning_page_problem *problems;
    struct arena *arena;   /* lives as long as the page */
    struct arena *scratch; /* of one writing */
    struct tune_watch watch;
    bool over;           /* the run */
    const char *failure; /* that ended it, or NULL */
    bool behind;         /* the last writing failed */
    double next_seconds; /* of clock_seconds: not written before */
};

/* tuning_page_summary.c: all but the problems. */
void tuning_page_summary(const struct tuning_page *page, struct page_data *data);

/* tuning_page_problem.c: what the run's report says of a problem, with its detail, which may be NULL. */
void tuning_page_row(const struct tuning_page *page, int problem, const char *detail,
                     struct page_data *data);
/* The candidates, their spaces and the course of the search, from the records; in `arena`. */
CHECKED status tuning_page_detail(const struct tuning_page *page, int problem, struct arena *arena,
                                  const char **detail, struct diagnostic *diagnostic);

#endif

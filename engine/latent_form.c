/* Choosing a form. */
#include "engine/latent_form.h"

#include "ir/bucket.h"

#include <string.h>

static const struct {
    const char *word, *setting;
} forms[] = {{"naive", "mla=naive"}, {"absorbed", "mla=absorbed"}, {"auto", "mla=auto"}};

enum { FORMS_TO_CHOOSE = 2 };

status latent_form_parse(const char *text, struct engine_options *options,
                         struct diagnostic *diagnostic)
{
    if (!text) return STATUS_OK;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if (strcmp(text, forms[f].word) != 0) continue;
        options->settings = forms[f].setting;
        return STATUS_OK;
    }
    return fail(diagnostic, STATUS_USAGE,
                "--mla: \"%.100s\" is not known; write naive, absorbed or auto", text);
}

/* At the bucket of that many rows and the longest context. */
static double step_seconds(const struct plan *plan, int64_t rows)
{
    int row_bucket = bucket_of_rows(rows), context = bucket_of_context(plan->bounds.context);
    double seconds = 0;
    for (int n = 0; n < plan->graph->node_count; n++) {
        int last = row_bucket; /* nodes on fewer rows have fewer buckets */
        while (last > 0 && plan->choices[n][last][context] < 0) last--;
        int image = plan->choices[n][last][context];
        if (image >= 0) seconds += plan->images[image].seconds;
    }
    return seconds;
}

static status measure_form(const char *path, const struct engine_options *options, double *seconds,
                           struct diagnostic *diagnostic)
{
    struct engine *engine = NULL;
    TRY(engine_choose(path, options, &engine, diagnostic));
    const struct plan *plan = engine_plan(engine);
    *seconds = step_seconds(plan, 1) +
               step_seconds(plan, plan->bounds.tokens) / (double)plan->bounds.tokens;
    engine_close(engine);
    return STATUS_OK;
}

status latent_form_settle(const char *path, struct engine_options *options,
                          struct diagnostic *diagnostic)
{
    double best = 0;
    int chosen = -1;
    if (!options->settings || strcmp(options->settings, "mla=auto") != 0) return STATUS_OK;
    for (int f = 0; f < FORMS_TO_CHOOSE; f++) {
        struct engine_options own = *options;
        double seconds;
        own.settings = forms[f].setting;
        TRY(measure_form(path, &own, &seconds, diagnostic));
        if (chosen >= 0 && seconds >= best) continue;
        chosen = f;
        best = seconds;
    }
    options->settings = forms[chosen].setting;
    return STATUS_OK;
}

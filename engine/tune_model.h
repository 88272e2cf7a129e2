/* Tuning a model: its problems on the devices chosen, measured and remembered. */
#ifndef ENGINE_TUNE_MODEL_H
#define ENGINE_TUNE_MODEL_H

#include "engine/engine.h"
#include "tuner/tune.h"

/* Prompt tokens per generated one: a prompt of 512 tokens and an answer of 64 is what most comparisons run. */
enum { TUNE_PROMPT_SHARE = 8 };

struct tune_model_options {
    struct engine_options engine; /* which model, devices, KV type, sequences, chunk */
    int effort;
    double budget_seconds; /* 0: none */
    const char *op;        /* only this operator; NULL: all */
    const char *from;      /* a capture whose problems are tuned; NULL: those of the model's plan */
    uint64_t seed;
    const char *strategy; /* NULL: the default */
    const char *report;   /* the page to write while tuning (tuning_page.h); NULL: none */
};

struct tune_model_report {
    const char *model;         /* description */
    const char *store;         /* path of the records */
    bool kept;                 /* false: the records could only be held in memory */
    struct device_facts facts; /* of the device tuned on, with the best rates measured */
    struct tune_report tuned;
};

/* `arena` receives the report. */
CHECKED status tune_model(const char *path, const struct tune_model_options *options,
                          struct arena *arena, struct tune_model_report *report,
                          struct diagnostic *diagnostic);

#endif

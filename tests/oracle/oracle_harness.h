/* What the tests of logits share: a model runs in several manners, and its logits are compared with those that
 * transformers gave (tests/oracle/README.md says where the vectors come from). */
#ifndef TESTS_ORACLE_ORACLE_HARNESS_H
#define TESTS_ORACLE_ORACLE_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One way to run a prompt. */
struct manner {
    const char *name, *devices;
    bool references;
    int64_t chunk;   /* tokens per step */
    int64_t outputs; /* logit rows per step: fewer than chunk cuts steps again */
    int copies;      /* of the prompt, as sequences side by side */
};

struct totals {
    int comparisons, failures;
    double worst; /* difference over bound */
};

/* One file of a reference in one manner. */
struct oracle_run {
    const char *part;        /* of the vectors: "models", "architectures" */
    const json_t *reference; /* of its manifest */
    const char *path;        /* of the model, within the part */
    const char *settings;    /* engine_options.settings; may be NULL */
    const struct manner *manner;
    bool mapped; /* the cases with a layer map, and no others */
};

/* The part's manifest.json, of the folder that HONE_ORACLE_DIR names or the committed one. */
json_t *oracle_manifest(const char *part);

/* Runs all cases; what is out of its bound is printed and counted. */
void oracle_run(const struct oracle_run *run, struct totals *totals);

#endif

/* Probes: what a layer search scores maps on, a text or questions with choices, scored as `hone eval` does. */
#ifndef ENGINE_PROBE_H
#define ENGINE_PROBE_H

#include "engine/evaluate_choices.h"

enum probe_kind { PROBE_TEXT, PROBE_QUESTIONS };

struct probe {
    enum probe_kind kind;
    const char *path;
    const char *text; /* TEXT */
    size_t length;
    int64_t window, limit;          /* TEXT: as in struct text_evaluation */
    struct question_list questions; /* QUESTIONS */
    struct hash identity;           /* of all of the above but the path */
};

struct probe_score {
    bool finite; /* false: the logits were no finite numbers, and nothing below counts */
    double
        log_likelihood; /* TEXT: mean of a token; QUESTIONS: mean log p(answer | one of the choices); nats */
    double accuracy; /* QUESTIONS: share of right answers */
    int64_t count;   /* of tokens or questions */
    double seconds;
};

/* Questions where the name ends in .jsonl, else a text.  `window` and `limit` may be 0. */
CHECKED status probe_read(const char *path, int64_t window, int64_t limit, struct arena *arena,
                          struct probe *probe, struct diagnostic *diagnostic);

/* Two probes of one: half of its questions, or of some 16 or more passages of its text, each drawn by the seed. */
CHECKED status probe_split(const struct probe *whole, uint64_t seed, struct arena *arena,
                           struct probe *kept, struct probe *held_out,
                           struct diagnostic *diagnostic);

/* Logits that are no finite numbers are a result, not a failure: repeating layers may blow them up. */
CHECKED status probe_evaluate(const struct probe *probe, struct engine *engine,
                              const struct progress *progress, struct probe_score *score,
                              struct diagnostic *diagnostic);

/* How much better `score` is than `base`: accuracy for questions, log-likelihood for a text. */
double probe_gain(const struct probe *probe, const struct probe_score *score,
                  const struct probe_score *base);
/* Below 0 when `a` is the better one; of equal accuracies the higher log-likelihood. */
int probe_compare(const struct probe *probe, const struct probe_score *a,
                  const struct probe_score *b);

#endif

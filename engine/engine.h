/* The engine: a model on devices, ready to take tokens and give logits.
 *
 * Opening reads the model, opens the devices, builds or loads the plan, brings weights home.  Sequences are rows of KV
 * state; feeding appends tokens to one or several of them in ragged steps of at most `chunk` tokens. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "models/model.h"
#include "models/tokenizer.h"
#include "planner/build.h"
#include "planner/demotion.h"
#include "runtime/device.h"
#include "runtime/execute.h"
#include "runtime/pages.h"

struct engine_options {
    const char *devices; /* "cpu", "virtual:256MiB,cpu"; NULL: cpu */
    const char *cpu;     /* instruction families: "native", "x86-64-v3" ...; NULL: native */
    struct ranks *ranks; /* whose devices may be named; NULL: none */
    int threads;         /* 0: one per core */
    int64_t context;     /* tokens per sequence; 0: the model's, at most CONTEXT_DEFAULT */
    int64_t sequences;   /* side by side; 0: 1 */
    int64_t chunk;       /* most tokens in one step; 0: CHUNK_DEFAULT */
    int64_t outputs;     /* most logit rows in one step; 0: OUTPUTS_DEFAULT */
    int64_t
        largest; /* of each row of logits, for engine_feed_top where they are not the host's; 0: none */
    enum element_type state_element; /* K and V: f16, bf16, f32, q8_0, q4_0 */
    bool states_given;               /* the two here were asked for, not left to their defaults */
    bool rotates_states;             /* heads of K and V are rotated before they are rounded */
    const char *
        settings; /* "mla=naive": choices that a model's description offers; "mla=auto" (latent_form.h) */
    const char *layer_map; /* "0..51,45..79"; NULL: every layer once */
    const char
        *split; /* how devices share the model: "tensor=3:1" (planner/share.h); NULL: by layers */
    const char *
        stream; /* what the host keeps and cards use: "experts" (planner/stream.h); NULL: nothing */
    int64_t
        expert_slots; /* per layer and card, for experts that the host keeps (docs/expert-cache.md); 0: none */
    const char *
        routing; /* a trace of the model's routing, by which the policy of these slots is chosen; NULL: none */
    const char *lock;      /* file of choices (tuner/choice_lock.h); NULL: none */
    const char *lock_mode; /* "locked", "same-numerics", "free"; NULL: the lock's own */
    bool lock_adds;        /* what the lock lacks is chosen, for engine_write_lock */
    int candidates; /* kernels to pack per problem for cards that are not here; 0: CANDIDATES_DEFAULT */
    double
        race_seconds; /* to race packed candidates for, once; 0: RACE_SECONDS_DEFAULT; below: not at all */
    bool check_copies;         /* between devices are compared at both ends */
    int64_t host_memory_bytes; /* that may be used of the host's; 0: what is available */
    double
        watchdog_seconds; /* without anything moving, until waits give up; 0: WATCHDOG_DEFAULT_SECONDS; below: never */
    bool fast;          /* --numerics fast */
    bool deterministic; /* every split, chunking and device of one kind gives the same bits */
    bool references;    /* run references only: the oracle */
    bool allow_unknown_keys;
    const char *
        signer; /* engine_save_plan: the key that signs (planner/signing_key.h); NULL: this user's seal */
    bool check_numbers; /* of all tensors, before anything else */
    const char
        *sums; /* what the model's files must hash to (models/check_files.h); NULL: anything */
    const char *cache_folder;    /* NULL: the user's; "": nothing is read or kept */
    const char *variants_folder; /* further variants; NULL: none */
    const char *models_folder;   /* further architectures; NULL: none */
    const struct progress *progress;
};

enum {
    CONTEXT_DEFAULT =
        4096, /* KV memory is paid for the whole context, so a model's 128k is not taken unasked */
    CHUNK_DEFAULT = 512,
    OUTPUTS_DEFAULT = 32,
    CANDIDATES_DEFAULT = 4, /* what a few seconds can race */
    PAGE_TOKENS = 32,
    RACE_SECONDS_DEFAULT = 5
};

/* What was given up because a device had too little memory, in order (planner/demotion.h). */
struct engine_demotion {
    const char *device; /* "": all of them together are too small */
    enum demotion_rung rung;
    struct demotion before, after;
    const char *reason, *text; /* what did not fit, and what is done now, in the user's words */
};

struct engine_report {
    double load_seconds; /* open to ready */
    int kernels, kernels_compiled;
    int kernels_packed; /* beside these, to be raced on the cards that the plan is for */
    int kernels_raced;  /* of both, measured at this start */
    int64_t weight_bytes, state_bytes, arena_bytes; /* over all devices */
    const char *expert_policy;                      /* of experts in slots; NULL: there are none */
    const char *layer_map;          /* as it was asked for; NULL: every layer once */
    const char *signer;             /* of the plan file; NULL: this user, or no plan file */
    int64_t weight_bytes_per_token; /* read for one token of decode, experts counted as used */
    struct engine_demotion *demotions;
    int demotion_count;
};

struct engine;

CHECKED status engine_open(const char *path, const struct engine_options *options,
                           struct engine **engine, struct diagnostic *diagnostic);
void engine_close(struct engine *engine); /* NULL is allowed */

/* Gives an engine that was opened on a model another layer map; `options` are those it was opened with, but for that.
 * Weights and kernels stay, memory of KV states is used again.  No sequence may be open.  After a failure the engine can
 * only be closed. */
CHECKED status engine_change_layers(struct engine *engine, const struct engine_options *options,
                                    struct diagnostic *diagnostic);

/* Only the first half: model, devices and plan, no weights; nothing can be fed.  `path` may be a plan file in both. */
CHECKED status engine_prepare(const char *path, const struct engine_options *options,
                              struct engine **engine, struct diagnostic *diagnostic);
/* The same without compiling: a model's plan names its kernels and holds no code.  Enough to show and to explain. */
CHECKED status engine_choose(const char *path, const struct engine_options *options,
                             struct engine **engine, struct diagnostic *diagnostic);
/* Writes the engine's plan with its compiled kernels (planner/plan_file.h). */
CHECKED status engine_save_plan(struct engine *engine, const struct engine_options *options,
                                const char *path, struct diagnostic *diagnostic);

/* Writes the choices of the engine's plan to its lock, where the options named one and let it add. */
CHECKED status engine_write_lock(struct engine *engine, struct diagnostic *diagnostic);
/* The same for a model that is not open. */
CHECKED status engine_lock_choices(const char *path, const struct engine_options *options,
                                   struct diagnostic *diagnostic);

const struct model *engine_model(const struct engine *engine);
const struct plan *engine_plan(const struct engine *engine);
struct executor *engine_executor(struct engine *engine);
const struct engine_report *engine_report(const struct engine *engine);
/* Every variant that may answer; read with the engine. */
const struct catalogue *engine_catalogue(const struct engine *engine);
struct device *const *engine_devices(const struct engine *engine, int *count);

/* Sequences; ids are small integers. */
CHECKED status engine_sequence_open(struct engine *engine, int *sequence,
                                    struct diagnostic *diagnostic);
void engine_sequence_close(struct engine *engine, int sequence);
int64_t engine_sequence_length(const struct engine *engine, int sequence);
void engine_sequence_truncate(struct engine *engine, int sequence, int64_t length);
CHECKED status engine_sequence_fork(struct engine *engine, int from, int *sequence,
                                    struct diagnostic *diagnostic);

/* Tokens to append to one sequence.  Logits come for the last token, or for all. */
struct engine_input {
    int sequence;
    const int32_t *tokens;
    int64_t count;
    bool all_logits;
};

/* Appends every input; `logits` receives f32[rows, vocabulary], inputs in order, rows as asked. */
CHECKED status engine_feed(struct engine *engine, const struct engine_input *inputs, int count,
                           float *logits, struct diagnostic *diagnostic);

/* The largest logits of each row, largest first and lowest token first among equals (operator top). */
struct engine_top {
    int64_t count;        /* per row */
    int32_t *tokens;      /* [rows, count] */
    float *values;        /* [rows, count] */
    int32_t *not_numbers; /* [rows] logits that are NaN */
};

/* How many of them the plan gives: the devices then keep the rest to themselves.  0: only engine_feed can be used. */
int64_t engine_top_count(const struct engine *engine);
/* Room for that many per row; a count of 0 and no room where the plan gives none. */
CHECKED status engine_top_create(const struct engine *engine, int64_t rows, struct arena *arena,
                                 struct engine_top *top, struct diagnostic *diagnostic);
/* As engine_feed. */
CHECKED status engine_feed_top(struct engine *engine, const struct engine_input *inputs, int count,
                               const struct engine_top *top, struct diagnostic *diagnostic);

#endif

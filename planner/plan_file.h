/* Plan files: a plan with its compiled kernels, ready to start without tuning or compiling.
 *
 * A plan holds machine code, so it is code: it is sealed with a key that only this user has on this machine
 * (~/.config/hone/plan.key) or signed with one that this user trusts (planner/signing_key.h), and nothing of a file with
 * another seal is ever mapped executable.  Weights are not in it;
 * the file names the model and its identity, and refuses another model under the same name. */
#ifndef PLANNER_PLAN_FILE_H
#define PLANNER_PLAN_FILE_H

#include "ir/plan.h"

struct plan_header {
    const char *model_path;
    struct hash model_identity;
    const char *cpu;      /* as asked for: "native", "x86-64-v3" */
    const char *level;    /* the least CPU that can run it: "x86-64-v4", "generic" */
    const char *features; /* instruction families beyond the level, LLVM's names */
    const char
        *compiler; /* of the cards' kernels, compile_identity(TARGET_CUDA); "": there are none */
    const char *layer_map; /* as asked for: "0..51,45..79"; "": every layer once */
    const char *settings;  /* of the model: "mla=naive"; "": its defaults */
    const char *signer;    /* the key that signs, not in the file's body; NULL: this user's seal */
    enum element_type state_element;
    bool rotates_states, fast, references;
};

/* True when the file begins like a plan; nothing else is checked. */
bool plan_file_recognise(const char *path);

CHECKED status plan_file_write(const char *path, const struct plan_header *header,
                               const struct plan *plan, struct diagnostic *diagnostic);

/* Checks size, version, seal, every field, and the plan as a whole.  The plan is freed with plan_free; header texts live in
 * its arena. */
CHECKED status plan_file_read(const char *path, const struct op *const *ops,
                              struct plan_header *header, struct plan **plan,
                              struct diagnostic *diagnostic);

/* The features in `needed` that `present` lacks, as text, or NULL when all are there. */
const char *plan_missing_features(const char *needed, const char *present, struct arena *arena);

#endif

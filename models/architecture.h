/* Architectures as data: models/NAME.yaml says where a model's parameters are kept in each file
 * format, which weights it has and of which shape, and what is computed.
 *
 *     architecture: llama
 *     description: Llama, Mistral and Qwen2
 *     extends: mixtral            # takes over what it does not say itself; architecture_extend.c
 *     files: {gguf: [llama, qwen2], huggingface: [llama], when: experts == 0}
 *     parameters:                 # a default may use the parameters above it
 *       layers:  {gguf: .block_count, huggingface: num_hidden_layers, least: 1, most: 1024}
 *       dense:   {type: boolean, per: layer, listed: layers, huggingface: mlp_only_layers, ...}
 *       partial: {unit: 0.001, huggingface: partial_rotary_factor, default: 1000}
 *       scaling: {type: choice, choices: {linear: linear, default: none}, default: none, ...}
 *     let: {group: heads / kv_heads}
 *     checks:
 *       - {require: heads % kv_heads == 0, reason: query heads must share key heads evenly}
 *     harmless: {gguf: [.tensor_data_layout]}        # keys that change nothing; a * at the end
 *     weights:
 *       attn_q: {gguf: "blk.{layer}.attn_q.weight", huggingface: ..., shape: [heads * size, width]}
 *       output: {..., when: not tied, otherwise: token_embd}
 *       up: {..., view: {stored: [2 * inner, width], start: inner * width}}  # a part of a tensor
 *       factors: {gguf: rope_freqs.weight, values: {huggingface: rope_scaling.factors}, ...}
 *     ignored: [{huggingface: lm_head.weight, when: tied}]  # tensors that are not needed
 *     state: {k: kv_heads * size}                    # values per token and layer
 *     attributes: {rotation: "head_size=size, base=base"}   # groups, named *rotation in lines
 *     blocks: {attention: ["q = linear(n, attn_q)", ...]}   # lines, named {use: attention}
 *     graph:
 *       before: ["x = embed(tokens, token_embd)"]
 *       layer:  ["n = rmsnorm(x, attn_norm) {epsilon=epsilon}", ...]
 *       after:  [...]
 *     outputs: [logits]
 *
 * Expressions (base/expression.h) may use parameters, `let` values, `layer` (within layers),
 * NAME.given (a parameter that the file sets, a weight that it holds), `format` and `name`
 * (compared with words: format == gguf, name == qwen2), `run_context` (tokens that a sequence may
 * have in this run), and the words of choices. */
#ifndef MODELS_ARCHITECTURE_H
#define MODELS_ARCHITECTURE_H

#include "base/expression.h"
#include "base/yaml.h"
#include "ir/op.h"
#include "models/model_source.h"

/* A name in expressions.  Words stand for their own slot number. */
enum slot_kind { SLOT_PARAMETER, SLOT_GIVEN, SLOT_LET, SLOT_BUILT_IN, SLOT_WORD };

struct architecture_slot {
    const char *name;
    enum slot_kind kind;
    bool real;      /* whole-number expressions may not use it */
    bool per_layer; /* has a value within layers only */
};

enum { SLOT_FORMAT, SLOT_NAME, SLOT_LAYER, SLOT_RUN_CONTEXT, SLOT_BUILT_IN_COUNT };

/* An expression with the kind of number that it gives. */
struct formula {
    const struct expression *expression; /* NULL: there is none */
    bool real;
    bool per_layer;
    const struct yaml *node; /* for messages */
};

enum parameter_type { PARAMETER_INTEGER, PARAMETER_REAL, PARAMETER_BOOLEAN, PARAMETER_CHOICE };

struct parameter {
    const char *name;
    enum parameter_type type;
    bool per_layer;
    bool listed; /* a boolean per layer whose key lists the numbers of the layers that have it */
    double unit; /* an integer whose key is a real number of these; 0: none */
    int slot, given_slot;
    int key_count[SOURCE_FORMAT_COUNT];
    const char **keys[SOURCE_FORMAT_COUNT]; /* all that are there must agree */
    struct formula otherwise[SOURCE_FORMAT_COUNT];
    bool bounded_below, bounded_above;
    double least, most;
    int choice_count;
    const char **choices; /* as files spell them */
    int *choice_slots;    /* the words that they mean */
};

struct let_rule {
    int slot;
    struct formula value;
};

struct check_rule {
    struct formula require;
    const char *reason;
    const char
        *parameter; /* to_gguf: left out where it does not hold; NULL: the model is refused */
};

/* Where a weight's numbers lie in a tensor of another shape: element [i, j, ..] of the weight is
 * element start + i * strides[0] + j * strides[1] + .. of the tensor. */
struct tensor_view {
    int stored_rank; /* 0: the weight is the tensor */
    struct formula stored[TENSOR_RANK_MAX];
    struct formula start;                    /* none: 0 */
    struct formula strides[TENSOR_RANK_MAX]; /* none: those of the weight in one piece */
};

struct weight_rule {
    const char *name;
    bool per_layer;
    int pattern_count[SOURCE_FORMAT_COUNT];
    const char **patterns[SOURCE_FORMAT_COUNT]; /* the first that is there counts */
    int value_key_count[SOURCE_FORMAT_COUNT];
    const char **value_keys[SOURCE_FORMAT_COUNT]; /* metadata lists that hold it without a tensor */
    int rank;
    struct formula shape[TENSOR_RANK_MAX];
    struct tensor_view views[SOURCE_FORMAT_COUNT];
    struct formula when;     /* the weight belongs to the model; none: always */
    struct formula optional; /* it may be missing; none: never */
    int otherwise;           /* weight used in its place, or -1 */
    int element;             /* enum element_type that it is widened to, or -1: as stored */
    int given_slot;
    struct formula
        turned; /* heads whose rows GGUF files keep in another order: pairs as neighbours; none or 0: as here */
};

struct ignored_rule {
    const char *patterns[SOURCE_FORMAT_COUNT]; /* NULL: none */
    struct formula when;
};

struct state_rule {
    const char *name;
    struct formula width;
};

/* A line of the graph, or a condition or a block with lines. */
struct statement {
    const struct yaml *node;
    struct formula when; /* `then` or `otherwise` is built; none: always `then` */
    struct statement *then, *otherwise;
    int then_count, otherwise_count;
    const struct op *op; /* of a line; NULL otherwise */
    int result_count, operand_count;
    const char *results[OP_OUTPUTS_MAX];
    const char *operands[OP_INPUTS_MAX]; /* NULL: absent */
    struct formula attributes[OP_ATTRIBUTES_MAX];
};

enum graph_part { PART_BEFORE, PART_LAYER, PART_AFTER, GRAPH_PART_COUNT };

struct architecture {
    const char *name, *description, *file;
    int name_count[SOURCE_FORMAT_COUNT];
    const char **names[SOURCE_FORMAT_COUNT]; /* what the formats call it */
    struct formula when;
    int slot_count, parameter_count, let_count, check_count, weight_count, ignored_count;
    int state_count, output_count;
    size_t slot_capacity;
    struct architecture_slot *slots;
    struct parameter *parameters;
    struct let_rule *lets;
    struct check_rule *checks;
    struct check_rule *gguf_checks; /* what must hold for a folder that becomes a GGUF file */
    int gguf_check_count;
    struct weight_rule *weights;
    struct ignored_rule *ignored;
    struct state_rule *states;
    int harmless_count[SOURCE_FORMAT_COUNT];
    const char **harmless[SOURCE_FORMAT_COUNT];
    struct statement *statements[GRAPH_PART_COUNT];
    int statement_count[GRAPH_PART_COUNT];
    const char **outputs;
};

/* `ops` is the table of operators that graph lines may name. */
CHECKED status architecture_read(struct yaml *root, const struct op *const *ops,
                                 struct arena *arena, struct architecture **architecture,
                                 struct diagnostic *diagnostic);

/* -1 when there is none of that name. */
int architecture_parameter(const struct architecture *architecture, const char *name);
int architecture_weight(const struct architecture *architecture, const char *name);
int architecture_slot(const struct architecture *architecture, const char *name, size_t length);

/* Whether the format calls this architecture so. */
bool architecture_answers(const struct architecture *architecture, enum source_format format,
                          const char *name);

#endif

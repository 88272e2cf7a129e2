/* Spaces: the tunables of a variant, with rules and an analytic estimate, as data.
 *
 *     variant: linear_dot_cpu          # also the name of the emitter file beside it
 *     op: [linear, linear_gated]       # operators it answers
 *     target: cpu
 *     numerics: {operands: q8 per block of 32, accumulation: f32}    # ir/numerics.h
 *                                      # ... order: [unroll]: results depend on these tunables; absent: on all
 *     class: fast                      # optional: only with --numerics fast
 *     accepts: rows <= 16 and weight.q8_0          # problems it answers; optional
 *     tunables:
 *       streams:  {values: [1, 2, 4, 8], kind: compile, default: 4}
 *       prefetch: {values: [0, 1024, 2048, 4096]}  # kind: compile; the first value is the default
 *       dot:      {values: [fma, vnni]}            # words become the numbers 0, 1 ...
 *     let:
 *       row_bytes: weight.columns / 32 * 34
 *     rules:
 *       - {require: dot != vnni or has_vnni, class: hardware, reason: this CPU has no VNNI}
 *     estimate: bytes / read_bandwidth * (1.6 if streams == 1 else 1.0)   # seconds
 *
 * A space may extend that of another variant; it then says only what is different (ir/space_extend.c):
 *
 *     variant: linear_dot_bf16_cpu
 *     extends: linear_dot_cpu
 *     accepts: rows <= 16 and weight.bf16
 *     tunables: {prefetch: none, unroll: {values: [1, 2]}}      # one less, one more
 *
 * Names in expressions
 *     tunables and their words; `let` values above the place of use; device facts (ir/facts.def)
 *     rows, context            the problem's bounds
 *     operations, bytes        the problem's cost
 *     ATTRIBUTE                of the operator, and the words of its choices (silu); 0 where the
 *                              operator has none
 *     OPERAND.rows             product of all dimensions but the last, at the problem's bounds
 *     OPERAND.columns          the last dimension
 *     OPERAND.bytes            size, at the problem's bounds
 *     OPERAND.present          whether an optional operand is there
 *     OPERAND.TYPE             1 when the elements have this type (weight.q8_0)
 *     OPERAND.LAYOUT           1 when the operand lies in this layout, for all layouts but `rows`
 * Properties of an operand that is absent, or that the problem's operator does not have, are 0.
 *
 * The space of a CUDA variant says as well which kernels of NAME.cu run, and on how many blocks
 * (ir/space_launches.c); expressions here are whole numbers:
 *
 *     workspaces:                       # optional: memory beside the operands
 *       partial: {per_row_bytes: columns * 4, fixed_bytes: 256, zeroed: true}    # each optional
 *     tensor_maps:                      # optional: matrices of 1-, 2- or 4-byte elements for the
 *       weight_boxes:                   # copy engine of sm_90 and newer (ir/image.h)
 *         {of: weight, element_bytes: 2, columns: weight.columns, rows: weight.rows,
 *          box_columns: 64, box_rows: 128, swizzle_bytes: 128}     # all of it needed
 *     launches:                         # one after the other
 *       - entry: linear_dot             # an extern "C" __global__ function
 *         rows_per_item: 4              # 0 or absent: the number of blocks does not follow the rows
 *         items: y.columns / 64         # blocks = ceil(rows / rows_per_item) * items
 *         threads: warps * 32           # per block
 *         shared_bytes: stages * 4096   # dynamic; optional
 *         cluster: 2                    # blocks per cluster; optional
 *         when: split > 1               # optional: the launch is left out when this is 0
 *         arguments: [x, weight, partial, y]    # operands, workspaces and tensor maps, as the
 *                                       # kernel takes them; null (a tensor map: zeros) where the
 *                                       # problem has no such operand.  Behind them every kernel
 *                                       # takes `const struct step *step`
 *       - call: cublaslt_matmul           # instead of a kernel: a call of a library (ir/image.h)
 *         outputs: weight.rows
 *         inner: weight.columns
 *         bfloat: weight.bf16             # type of x and weight: bf16, or f16 where this is 0
 *         algorithm: algorithm            # a rank in the library's list
 *         arguments: [narrow, weight, bias, residual, y, scratch]   # x, weight, bias, residual, y,
 *                                       # and the workspace that the library may use
 *
 * A CPU variant whose kernel is a source text (NAME.c or NAME.ll in a folder of the user's,
 * docs/try-a-kernel.md) says its launches and workspaces in the same way, without threads, shared
 * memory and clusters:
 *
 *     launches:
 *       - entry: dot_rows                # void dot_rows(void *const *pointers, const int64_t *integers,
 *                                        #     int64_t begin, int64_t end): kernel_function in ir/image.h
 *         items: y.columns / 64          # pieces of work, shared out to the threads
 *         unit: 4                        # in multiples of this; optional
 *         arguments: [x, weight, y]      # pointers[0], [1], [2]
 *
 * A tunable may be discovered: its values are ranks in a list that only the device at hand has.
 *
 *     tunables:
 *       algorithm: {discovered: 256}      # 0 to 255; a rank beyond the list's end is no candidate
 *
 * Conditions and rules are computed in whole numbers (facts without their fraction), the estimate
 * in reals.  A `let` is computed in the arithmetic of whoever reads it.  What contains a real
 * number, or reads an attribute that is one, is computed in reals everywhere, and so is all that
 * reads it.  A rule that has no value (it divides by zero) is broken.
 *
 * Counting and sampling never build the list: configs are numbered by a depth-first walk in which
 * each rule is tested as soon as its last tunable has a value (ir/space_walk.c). */
#ifndef IR_SPACE_H
#define IR_SPACE_H

#include "base/expression.h"
#include "ir/device_facts.h"
#include "ir/numerics.h"
#include "ir/problem.h"

/* Sets of names are masks: all of them fit a slot_mask; tunables, lets and rules one word each. */
enum {
    SPACE_TUNABLES_MAX = 16,
    SPACE_LETS_MAX = 32,
    SPACE_SLOTS_MAX = SLOT_MASK_BITS,
    SPACE_VALUES_MAX = 256,
    SPACE_RULES_MAX = 64
};

enum {
    IMAGE_LAUNCHES_MAX = 8,
    LAUNCH_ARGUMENTS_MAX = 24,
    IMAGE_WORKSPACES_MAX = 4,
    IMAGE_TENSORS_MAX = 8
};

enum tunable_kind {
    TUNABLE_COMPILE,
    TUNABLE_LAUNCH,
    TUNABLE_LAYOUT,
    TUNABLE_NUMERICS,
    TUNABLE_DISCOVERED /* kernels do not depend on it */
};

struct tunable {
    const char *name;
    enum tunable_kind kind;
    int value_count;
    const int64_t *values;
    const char *const *words; /* NULL when the values are numbers */
    int otherwise;            /* index of the default value */
};

/* Hardware and algorithm rules say what is legal.  Soft ones say what is hardly ever good: searches
 * put those configs last, and only an exhaustive one measures them. */
enum rule_class { RULE_HARDWARE, RULE_ALGORITHM, RULE_SOFT };

struct rule {
    const struct expression *require;
    bool real; /* computed in reals */
    enum rule_class class;
    const char *reason;
    int depth; /* tunables of the walk that must have values before it can be tested; 0: none */
};

struct let {
    const char *name;
    const struct expression *value;
    bool real;       /* can only be computed in reals */
    bool used_whole; /* something computed in whole numbers reads it */
    bool used_real;  /* something computed in reals reads it */
    int depth;       /* as in rules */
};

/* A workspace of a space with launches.  Absent expressions are NULL. */
struct workspace_rule {
    const char *name;
    const struct expression *per_row_bytes, *fixed_bytes;
    bool zeroed;
};

/* A tensor map of a CUDA space: what ir/image.h says of tensors. */
enum tensor_number {
    TENSOR_COLUMNS,
    TENSOR_ROWS,
    TENSOR_ELEMENT_BYTES,
    TENSOR_BOX_COLUMNS,
    TENSOR_BOX_ROWS,
    TENSOR_SWIZZLE_BYTES,
    TENSOR_NUMBER_COUNT
};
struct tensor_rule {
    const char *name, *of; /* of: an operand or a workspace */
    const struct expression *numbers[TENSOR_NUMBER_COUNT];
};

enum launch_kind {
    LAUNCH_KERNEL,
    LAUNCH_MATMUL, /* a product by cuBLASLt */
    LAUNCH_KIND_COUNT
};

/* A launch: one kernel, or, on a card, one call of a library.  Absent expressions are NULL. */
struct launch_rule {
    enum launch_kind kind;
    const char *entry; /* of the kernel; the call's name */
    const struct expression *rows_per_item, *items, *unit, *threads, *shared_bytes, *cluster, *when;
    const struct expression *outputs, *inner, *bfloat, *algorithm; /* MATMUL */
    int argument_count;
    const char *arguments[LAUNCH_ARGUMENTS_MAX]; /* names of operands, workspaces, tensor maps */
};

/* A file that is given to a compiler from memory. */
struct kernel_source {
    const char *path; /* as in #include and in the compiler's messages */
    const char *text;
};

/* What a name in an expression stands for.  Tunables have slots 0 .. tunable_count - 1, lets the
 * slots behind them, and whatever else the expressions use the slots behind those. */
enum slot_kind {
    SLOT_TUNABLE,
    SLOT_LET,
    SLOT_WORD,
    SLOT_FACT,
    SLOT_ROWS,
    SLOT_CONTEXT,
    SLOT_OPERATIONS,
    SLOT_BYTES,
    SLOT_ATTRIBUTE,
    SLOT_OPERAND_ROWS,
    SLOT_OPERAND_COLUMNS,
    SLOT_OPERAND_BYTES,
    SLOT_OPERAND_PRESENT,
    SLOT_OPERAND_BLOCK,
    SLOT_OPERAND_TYPE,
    SLOT_OPERAND_ELEMENT,
    SLOT_OPERAND_LAYOUT
};

struct slot {
    const char *name;
    enum slot_kind kind;
    bool real;           /* an attribute that is a real number, or a let that is */
    int64_t value;       /* WORD: the number; TUNABLE, LET, FACT, ELEMENT, LAYOUT: which */
    const char *operand; /* OPERAND_... */
};

struct config {
    int64_t values[SPACE_TUNABLES_MAX]; /* by tunable; numbers of words */
};

struct space_walk;

struct space {
    const char *variant;
    enum target target;
    const struct op *const *ops; /* NULL-terminated */
    struct numerics numerics;
    unsigned
        order; /* tunables that the order of sums depends on, a bit each: numerics' `order`; all where it is absent */
    bool fast; /* only with --numerics fast */
    const struct expression *accepts; /* NULL: every problem of its operators */
    const struct expression *estimate;
    bool accepts_real;
    int tunable_count, let_count, slot_count, rule_count;
    struct tunable tunables[SPACE_TUNABLES_MAX];
    struct let lets[SPACE_LETS_MAX];
    struct slot slots[SPACE_SLOTS_MAX];
    const struct rule *rules;
    const struct space_walk *walk; /* space_walk.c: the order of the tunables and what it entails */
    int launch_count, workspace_count, tensor_count; /* CUDA only */
    const struct launch_rule *launches;
    const struct workspace_rule *workspaces;
    const struct tensor_rule *tensors;
    struct kernel_source kernel; /* NAME.cu; on the CPU NAME.c or NAME.ll, none where it has an
                                    emitter; set by whoever knows the files, as these: */
    const struct kernel_source *headers; /* what kernels may include beside codegen/cuda */
    int header_count;
    struct hash source; /* set by whoever knows the files: of the YAML text and of the emitter's or
                           kernel's source */
};

/* `ops`: all operators (op_table()).  The space copies what it keeps of the tree into `arena`. */
CHECKED status space_read(struct yaml *root, const struct op *const *ops, struct arena *arena,
                          struct space **space, struct diagnostic *diagnostic);

/* The values of all names, in both arithmetics. */
struct slot_values {
    int64_t whole[SPACE_SLOTS_MAX];
    double real[SPACE_SLOTS_MAX];
    slot_mask undefined_whole, undefined_real; /* lets that have no value for this config */
};

/* A space applied to one problem on one device: all names have values but the tunables' and some
 * lets'. */
struct bound_space {
    const struct space *space;
    const struct problem *problem;
    const struct device_facts *facts;
    struct slot_values values;
    struct space_counts
        *counts; /* in the arena: how many configs lie below the states of the walk met so far */
};

/* False with a reason (never an error) when the space does not answer the problem, the device lacks
 * something, no config is legal, or memory is out.  What the walk remembers lives in `arena`, which
 * must outlive `bound`. */
bool space_bind(const struct space *space, const struct problem *problem,
                const struct device_facts *facts, struct arena *arena, struct bound_space *bound,
                const char **reason);

/* As space_bind, but only for what needs one known config: counting and walking are not prepared.
 * False with a reason as well when the config is not legal. */
bool space_bind_config(const struct space *space, const struct problem *problem,
                       const struct device_facts *facts, const struct config *config,
                       struct arena *arena, struct bound_space *bound, const char **reason);
/* The values of all names for a config, for code generation. */
void space_values(const struct bound_space *bound, const struct config *config,
                  struct slot_values *values);

/* The hardware or algorithm rule that a config breaks, or NULL: the config is legal. */
const struct rule *space_check(const struct bound_space *bound, const struct config *config);
/* The soft rule that a legal config breaks, or NULL. */
const struct rule *space_check_soft(const struct bound_space *bound, const struct config *config);
/* Seconds; infinite where the estimate has no value. */
double space_estimate(const struct bound_space *bound, const struct config *config);
/* Whether the variant calls a library, so that its image is not finished before it has been on a device. */
bool space_calls_library(const struct space *space);
/* The default values, or the legal config nearest to them. */
void space_default(const struct bound_space *bound, struct config *config);

uint64_t space_raw_count(const struct space *space);   /* product of the numbers of values */
uint64_t space_count(const struct bound_space *bound); /* legal configs, exactly */
/* Legal configs have the ranks 0 .. count - 1; false when there is no such rank, when the config is
 * not legal. */
bool space_unrank(const struct bound_space *bound, uint64_t rank, struct config *config);
bool space_rank(const struct bound_space *bound, const struct config *config, uint64_t *rank);

/* Visits legal configs in the order of their ranks until `visit` returns false. */
void space_each(const struct bound_space *bound,
                bool (*visit)(void *context, const struct config *config), void *context);

/* "streams=4 prefetch=2048 dot=vnni", and back. */
void config_print(const struct space *space, const struct config *config, struct text *text);
CHECKED status config_parse(const struct space *space, const char *text, struct config *config,
                            struct diagnostic *diagnostic);
bool config_equal(const struct space *space, const struct config *a, const struct config *b);

/* The value of a tunable by name, for emitters; asserts that it exists. */
int64_t config_value(const struct space *space, const struct config *config, const char *name);

/* Index of a value in a tunable's list, or -1. */
int tunable_index(const struct tunable *tunable, int64_t value);

#endif

/* A few small operators for tests of graphs and passes, so that these do not depend on the real
 * ones.
 *
 *     map    x -> like x              attributes of every kind
 *     add    x, y -> like x           both of one type
 *     linear x, weight, bias?, residual? -> f32[R,n]
 *     split  x, other? -> like x, like other where it is given
 *     write  x, state (written) ->
 *     read   x, state -> like x
 *     transfer x -> like x */
#ifndef TESTS_UNIT_FAKE_OPS_H
#define TESTS_UNIT_FAKE_OPS_H

#include "ir/graph.h"
#include "tests/check.h"

enum { MAP_SCALE, MAP_STEPS, MAP_MODE };

static const char *const map_modes[] = {"none", "silu", "gelu", NULL};
static const struct attribute_rule map_attributes[] = {
    [MAP_SCALE] =
        {.name = "scale", .kind = ATTRIBUTE_REAL, .otherwise = 1, .least = -1e6, .most = 1e6},
    [MAP_STEPS] =
        {.name = "steps", .kind = ATTRIBUTE_INTEGER, .required = true, .least = 1, .most = 8},
    [MAP_MODE] = {.name = "mode", .kind = ATTRIBUTE_CHOICE, .choices = map_modes},
    {0},
};

static status fake_infer_like(const union attribute *attributes,
                              const struct tensor_type *const *inputs, struct tensor_type *outputs,
                              struct diagnostic *diagnostic)
{
    (void)attributes, (void)diagnostic;
    outputs[0] = *inputs[0];
    return STATUS_OK;
}

static status fake_infer_add(const union attribute *attributes,
                             const struct tensor_type *const *inputs, struct tensor_type *outputs,
                             struct diagnostic *diagnostic)
{
    if (!tensor_type_equal(inputs[0], inputs[1]))
        return fail(diagnostic, STATUS_BAD_INPUT, "add: x and y differ in type");
    return fake_infer_like(attributes, inputs, outputs, diagnostic);
}

static status fake_infer_linear(const union attribute *attributes,
                                const struct tensor_type *const *inputs,
                                struct tensor_type *outputs, struct diagnostic *diagnostic)
{
    const struct tensor_type *x = inputs[0], *weight = inputs[1];
    (void)attributes;
    if (x->rank != 2 || weight->rank != 2 || !dimension_equal(x->shape[1], weight->shape[1]))
        return fail(diagnostic, STATUS_BAD_INPUT, "linear: x and weight do not fit");
    outputs[0] = *x;
    outputs[0].shape[1] = weight->shape[0];
    if (inputs[3] && !tensor_type_equal(inputs[3], &outputs[0]))
        return fail(diagnostic, STATUS_BAD_INPUT, "linear: residual is not like the result");
    return STATUS_OK;
}

static status fake_infer_split(const union attribute *attributes,
                               const struct tensor_type *const *inputs, struct tensor_type *outputs,
                               struct diagnostic *diagnostic)
{
    if (inputs[1]) outputs[1] = *inputs[1];
    return fake_infer_like(attributes, inputs, outputs, diagnostic);
}

static status fake_infer_nothing(const union attribute *attributes,
                                 const struct tensor_type *const *inputs,
                                 struct tensor_type *outputs, struct diagnostic *diagnostic)
{
    (void)attributes, (void)inputs, (void)outputs, (void)diagnostic;
    return STATUS_OK;
}

static struct cost fake_cost(const struct problem *problem)
{
    (void)problem;
    return (struct cost){1, 2};
}

#define FAKE_INPUTS(...)                                                                           \
    (const struct input_rule[])                                                                    \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define FAKE_OUTPUTS(...)                                                                          \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct op fake_map = {
    "map",           FAKE_INPUTS({.name = "x"}), FAKE_OUTPUTS("y"), map_attributes,
    fake_infer_like, .cost = fake_cost};
static const struct op fake_add = {"add",
                                   FAKE_INPUTS({.name = "x"}, {.name = "y"}),
                                   FAKE_OUTPUTS("sum"),
                                   NULL,
                                   fake_infer_add,
                                   .cost = fake_cost};
static const struct op fake_linear = {"linear",
                                      FAKE_INPUTS({.name = "x"}, {.name = "weight"},
                                                  {.name = "bias", .optional = true},
                                                  {.name = "residual", .optional = true}),
                                      FAKE_OUTPUTS("y"),
                                      NULL,
                                      fake_infer_linear,
                                      .cost = fake_cost};
static const struct op fake_split = {
    "split",
    FAKE_INPUTS({.name = "x"}, {.name = "other", .optional = true}),
    FAKE_OUTPUTS("a", "b"),
    NULL,
    fake_infer_split,
    .cost = fake_cost};
static const struct op fake_write = {"write",
                                     FAKE_INPUTS({.name = "x"}, {.name = "state", .written = true}),
                                     (const char *const[]){NULL},
                                     NULL,
                                     fake_infer_nothing,
                                     .cost = fake_cost};
static const struct op fake_read = {"read",
                                    FAKE_INPUTS({.name = "x"}, {.name = "state"}),
                                    FAKE_OUTPUTS("y"),
                                    NULL,
                                    fake_infer_like,
                                    .cost = fake_cost};
static const struct op fake_transfer = {"transfer",        FAKE_INPUTS({.name = "x"}),
                                        FAKE_OUTPUTS("y"), NULL,
                                        fake_infer_like,   .cost = fake_cost};

static const struct op *const fake_ops[] = {&fake_map,   &fake_add,  &fake_linear,   &fake_split,
                                            &fake_write, &fake_read, &fake_transfer, NULL};

/* f32[tokens,columns] */
static inline struct tensor_type fake_rows(int64_t columns)
{
    return (struct tensor_type){
        .element = ELEMENT_F32,
        .rank = 2,
        .shape = {dimension_of(SYMBOL_TOKENS, 1), dimension_fixed(columns)},
    };
}

static inline struct tensor_type fake_matrix(enum element_type element, int64_t rows,
                                             int64_t columns)
{
    return (struct tensor_type){
        .element = element,
        .rank = 2,
        .shape = {dimension_fixed(rows), dimension_fixed(columns)},
    };
}

/* A node with default attributes and up to four inputs; missing ones are VALUE_NONE. */
static inline struct node fake_node(const struct op *op, const int inputs[4])
{
    struct node node = {.op = op, .layer = -1};
    attributes_default(op, node.attributes);
    for (int i = 0; i < OP_INPUTS_MAX; i++) node.inputs[i] = i < 4 ? inputs[i] : VALUE_NONE;
    if (op == &fake_map) node.attributes[MAP_STEPS].integer = 2;
    return node;
}

#endif

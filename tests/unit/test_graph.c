/* Graphs: tensor types, building, attributes, copying, and everything that graph_verify must
 * refuse. */
#include "ir/graph_edit.h"
#include "ir/layout.h"
#include "tests/unit/fake_ops.h"

#include <math.h>

/* x, weight w, state s; h = map(x); d = linear(h, w); sum = add(h, d); write(sum, s); output sum */
struct fixture {
    struct arena *arena;
    struct graph *graph;
    int x, w, s, h, d, sum;
};

static status add_simple(struct graph *graph, const struct op *op, const int inputs[4],
                         const char *name, int *result, struct diagnostic *diagnostic)
{
    struct node node = fake_node(op, inputs);
    TRY(graph_add_node(graph, &node, name ? &name : NULL, diagnostic));
    *result = graph->nodes[graph->node_count - 1].outputs[0];
    return STATUS_OK;
}

static status fixture_build(struct fixture *fixture, struct diagnostic *diagnostic)
{
    struct tensor_type rows = fake_rows(32), matrix = fake_matrix(ELEMENT_Q8_0, 32, 32);
    struct graph *graph;
    int none;
    TRY(graph_create(fixture->arena, "sample", fake_ops, &fixture->graph, diagnostic));
    graph = fixture->graph;
    TRY(graph_add_value(graph, VALUE_INPUT, "x", &rows, -1, &fixture->x, diagnostic));
    TRY(graph_add_value(graph, VALUE_WEIGHT, "w", &matrix, 0, &fixture->w, diagnostic));
    TRY(graph_add_value(graph, VALUE_STATE, "s", &matrix, 0, &fixture->s, diagnostic));
    TRY(add_simple(graph, &fake_map, (int[]){fixture->x, -1, -1, -1}, "h", &fixture->h,
                   diagnostic));
    TRY(add_simple(graph, &fake_linear, (int[]){fixture->h, fixture->w, -1, -1}, "d", &fixture->d,
                   diagnostic));
    TRY(add_simple(graph, &fake_add, (int[]){fixture->h, fixture->d, -1, -1}, "sum", &fixture->sum,
                   diagnostic));
    TRY(add_simple(graph, &fake_write, (int[]){fixture->sum, fixture->s, -1, -1}, NULL, &none,
                   diagnostic));
    TRY(graph_add_output(graph, fixture->sum, diagnostic));
    return graph_verify(graph, diagnostic);
}

static void fixture_open(struct fixture *fixture)
{
    struct diagnostic diagnostic = {0};
    fixture->arena = arena_create(0);
    CHECK_OK(fixture_build(fixture, &diagnostic));
}

static void a_graph_is_built(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_open(&f);
    assert_int_equal(f.graph->node_count, 4);
    assert_int_equal(f.graph->value_count, 6);
    assert_int_equal(graph_find_value(f.graph, "d"), f.d);
    assert_int_equal(graph_find_value(f.graph, "e"), VALUE_NONE);
    assert_int_equal(graph_use_count(f.graph, f.h), 2);
    assert_int_equal(graph_use_count(f.graph, f.sum), 2);
    assert_int_equal(graph_use_count(f.graph, f.x), 1);
    assert_int_equal(f.graph->values[f.d].producer, 1);
    assert_int_equal(f.graph->nodes[3].outputs[0], VALUE_NONE);
    assert_int_equal(node_find_input(&f.graph->nodes[1], "weight"), f.w);
    assert_int_equal(node_find_input(&f.graph->nodes[1], "bias"), VALUE_NONE);
    assert_int_equal(node_find_input(&f.graph->nodes[1], "nonsense"), VALUE_NONE);
    CHECK_TEXT(f.graph->values[f.w].source, "w");
    arena_destroy(f.arena);
}

static void optional_outputs_and_own_names(void **unused)
{
    (void)unused;
    struct fixture f;
    struct diagnostic diagnostic = {0};
    fixture_open(&f);
    struct node node = fake_node(&fake_split, (int[]){f.h, f.w, -1, -1});
    CHECK_OK(graph_add_node(f.graph, &node, NULL, &diagnostic));
    const struct node *split = &f.graph->nodes[f.graph->node_count - 1];
    CHECK_TEXT(f.graph->values[split->outputs[0]].name, "split.6");
    assert_true(
        tensor_type_equal(&f.graph->values[split->outputs[1]].type, &f.graph->values[f.w].type));
    node.inputs[1] = VALUE_NONE;
    CHECK_OK(graph_add_node(f.graph, &node, NULL, &diagnostic));
    assert_int_equal(f.graph->nodes[f.graph->node_count - 1].outputs[1], VALUE_NONE);
    CHECK_OK(graph_verify(f.graph, &diagnostic));
    arena_destroy(f.arena);
}

static void many_values_are_found(void **unused)
{
    (void)unused;
    struct fixture f;
    struct diagnostic diagnostic = {0};
    struct tensor_type type = fake_rows(4);
    char name[32];
    fixture_open(&f);
    for (int i = 0; i < 3000; i++) {
        int value;
        snprintf(name, sizeof name, "blk.%d", i);
        CHECK_OK(graph_add_value(f.graph, VALUE_WEIGHT, name, &type, i, &value, &diagnostic));
    }
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "blk.%d", i);
        assert_int_equal(graph_find_value(f.graph, name), 6 + i);
    }
    arena_destroy(f.arena);
}

static void building_refuses_bad_parts(void **unused)
{
    (void)unused;
    struct fixture f;
    struct diagnostic diagnostic = {0};
    struct tensor_type type = fake_rows(4), bad = fake_matrix(ELEMENT_Q8_0, 4, 33);
    int v;
    fixture_open(&f);
    struct graph *graph = f.graph;
    CHECK_REFUSED(graph_add_value(graph, VALUE_INPUT, "x", &type, -1, &v, &diagnostic),
                  STATUS_BAD_INPUT, "x is there twice");
    CHECK_REFUSED(graph_add_value(graph, VALUE_INPUT, "a b", &type, -1, &v, &diagnostic),
                  STATUS_BAD_INPUT, "is not a name");
    CHECK_REFUSED(graph_add_value(graph, VALUE_INPUT, "_", &type, -1, &v, &diagnostic),
                  STATUS_BAD_INPUT, "is not a name");
    CHECK_REFUSED(graph_add_value(graph, VALUE_RESULT, "r", &type, -1, &v, &diagnostic),
                  STATUS_BAD_INPUT, "results are made by nodes");
    CHECK_REFUSED(graph_add_value(graph, VALUE_INPUT, "r", &type, 3, &v, &diagnostic),
                  STATUS_BAD_INPUT, "not a layer");
    CHECK_REFUSED(graph_add_value(graph, VALUE_WEIGHT, "r", &bad, 0, &v, &diagnostic),
                  STATUS_BAD_INPUT, "r: the last dimension of a q8_0 tensor");
    CHECK_REFUSED(add_simple(graph, &fake_add, (int[]){f.h, -1, -1, -1}, "r", &v, &diagnostic),
                  STATUS_BAD_INPUT, "add: operand y is missing");
    CHECK_REFUSED(add_simple(graph, &fake_add, (int[]){f.h, 99, -1, -1}, "r", &v, &diagnostic),
                  STATUS_BAD_INPUT, "add: operand y is no value");
    CHECK_REFUSED(add_simple(graph, &fake_add, (int[]){f.h, f.w, -1, -1}, "r", &v, &diagnostic),
                  STATUS_BAD_INPUT, "add: x and y differ in type");
    CHECK_REFUSED(add_simple(graph, &fake_write, (int[]){f.h, f.w, -1, -1}, "r", &v, &diagnostic),
                  STATUS_BAD_INPUT, "operand state is written, so it must be a state");
    CHECK_REFUSED(graph_add_output(graph, f.x, &diagnostic), STATUS_BAD_INPUT, "only results");
    CHECK_REFUSED(graph_add_output(graph, f.sum, &diagnostic), STATUS_BAD_INPUT, "already");
    static const struct op *const one_op[] = {&fake_map, NULL};
    graph->ops = one_op;
    CHECK_REFUSED(add_simple(graph, &fake_add, (int[]){f.h, f.d, -1, -1}, "r", &v, &diagnostic),
                  STATUS_BAD_INPUT, "does not have this operator");
    CHECK_REFUSED(graph_create(f.arena, "two words", fake_ops, &graph, &diagnostic),
                  STATUS_BAD_INPUT, "is not a name for a graph");
    arena_destroy(f.arena);
}

static void attributes_have_bounds(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    union attribute attributes[OP_ATTRIBUTES_MAX];
    attributes_default(&fake_map, attributes);
    assert_true(attributes[MAP_SCALE].real == 1 && attributes[MAP_MODE].integer == 0);
    CHECK_REFUSED(attributes_check(&fake_map, attributes, &diagnostic), STATUS_BAD_INPUT,
                  "steps of map is 0; it must be 1 to 8");
    attributes[MAP_STEPS].integer = 8;
    CHECK_OK(attributes_check(&fake_map, attributes, &diagnostic));
    attributes[MAP_MODE].integer = 3;
    CHECK_REFUSED(attributes_check(&fake_map, attributes, &diagnostic), STATUS_BAD_INPUT,
                  "mode of map is 3; it has 3 choices");
    attributes[MAP_MODE].integer = 2;
    static const double bad_reals[] = {NAN, INFINITY, 1e300, 2e6, -2e6};
    for (size_t i = 0; i < sizeof bad_reals / sizeof *bad_reals; i++) {
        attributes[MAP_SCALE].real = bad_reals[i];
        CHECK_REFUSED(attributes_check(&fake_map, attributes, &diagnostic), STATUS_BAD_INPUT,
                      "scale of map");
    }
    assert_int_equal(attribute_by_name(&fake_map, "mode"), MAP_MODE);
    assert_int_equal(attribute_by_name(&fake_map, "more"), -1);
    assert_int_equal(attribute_by_name(&fake_add, "mode"), -1);
}

/* Files give 1e-5 as a decimal number or as the nearest float: one problem, one key. */
static void reals_are_kept_in_one_form(void **unused)
{
    (void)unused;
    union attribute attributes[OP_ATTRIBUTES_MAX] = {0};
    static const double reals[] = {1e-5, 1e-6, 0.1, 500000, 1e6, 0.0883883461, 1.0 / 3, 8, 0, -0.7};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        attributes[MAP_SCALE].real = reals[i];
        attributes_normalize(&fake_map, attributes);
        double first = attributes[MAP_SCALE].real, printed;
        attributes[MAP_SCALE].real = (double)(float)reals[i];
        attributes_normalize(&fake_map, attributes);
        assert_true(attributes[MAP_SCALE].real == first && (float)first == (float)reals[i]);
        char text[32];
        snprintf(text, sizeof text, "%.9g", first);
        assert_true(text_to_real(text, &printed) && printed == first);
        attributes_normalize(&fake_map, attributes);
        assert_true(attributes[MAP_SCALE].real == first);
    }
    attributes[MAP_SCALE].real = (double)1e-5f;
    attributes_normalize(&fake_map, attributes);
    assert_true(attributes[MAP_SCALE].real == 1e-5);
}

static void a_copy_stands_alone(void **unused)
{
    (void)unused;
    struct fixture f;
    struct diagnostic diagnostic = {0};
    struct graph *copy;
    int value;
    fixture_open(&f);
    struct arena *other = arena_create(0);
    CHECK_OK(graph_copy(f.graph, other, &copy, &diagnostic));
    arena_destroy(f.arena);
    CHECK_OK(graph_verify(copy, &diagnostic));
    assert_int_equal(graph_find_value(copy, "sum"), f.sum);
    CHECK_OK(add_simple(copy, &fake_map, (int[]){f.sum, -1, -1, -1}, "more", &value, &diagnostic));
    CHECK_OK(graph_add_output(copy, value, &diagnostic));
    CHECK_OK(graph_verify(copy, &diagnostic));
    arena_destroy(other);
}

/* Ways to spoil the fixture's graph, and what graph_verify says to each. */
enum spoiling {
    SPOIL_PRODUCER,
    SPOIL_WRONG_PRODUCER,
    SPOIL_ORDER,
    SPOIL_TYPE,
    SPOIL_MISSING_OUTPUT,
    SPOIL_EXTRA_INPUT,
    SPOIL_INPUT_RANGE,
    SPOIL_LAYER,
    SPOIL_DEVICE,
    SPOIL_OTHER_DEVICE,
    SPOIL_ATTRIBUTE,
    SPOIL_NAME,
    SPOIL_NAME_TWICE,
    SPOIL_KIND,
    SPOIL_SOURCE,
    SPOIL_OP,
    SPOIL_OUTPUT,
    SPOIL_OUTPUT_TWICE,
    SPOIL_STATE,
    SPOIL_RANK,
    SPOIL_ELEMENT,
    SPOIL_VALUE_LAYER,
    SPOIL_VALUE_DEVICE,
    SPOIL_RESULT_TWICE,
    SPOIL_COUNT
};

static const char *const spoiled_messages[SPOIL_COUNT] = {
    [SPOIL_PRODUCER] = "has a result that is not its own",
    [SPOIL_WRONG_PRODUCER] = "w is not made by its producer",
    [SPOIL_ORDER] = "is used before it is made",
    [SPOIL_TYPE] = "has a result of another type",
    [SPOIL_MISSING_OUTPUT] = "has the wrong results",
    [SPOIL_EXTRA_INPUT] = "has too many operands",
    [SPOIL_INPUT_RANGE] = "is no value of the graph",
    [SPOIL_LAYER] = "is in no layer",
    [SPOIL_DEVICE] = "is on no device",
    [SPOIL_OTHER_DEVICE] = "is on another device",
    [SPOIL_ATTRIBUTE] = "steps of map is 9",
    [SPOIL_NAME] = "has no legal name",
    [SPOIL_NAME_TWICE] = "is there twice",
    [SPOIL_KIND] = "has no proper producer",
    [SPOIL_SOURCE] = "has a source",
    [SPOIL_OP] = "has no known operator",
    [SPOIL_OUTPUT] = "is not a result",
    [SPOIL_OUTPUT_TWICE] = "is an output twice",
    [SPOIL_STATE] = "must be a state",
    [SPOIL_RANK] = "rank 5",
    [SPOIL_ELEMENT] = "is not an element type",
    [SPOIL_VALUE_LAYER] = "has no legal layer",
    [SPOIL_VALUE_DEVICE] = "is on no device",
    [SPOIL_RESULT_TWICE] = "has a result twice",
};

static void spoil(const struct fixture *f, enum spoiling spoiling)
{
    struct graph *graph = f->graph;
    struct value *values = graph->values;
    struct node *nodes = graph->nodes;
    switch (spoiling) {
    case SPOIL_PRODUCER: values[f->h].producer = 2; break;
    case SPOIL_WRONG_PRODUCER:
        values[f->w].kind = VALUE_RESULT, values[f->w].producer = 0, values[f->w].source = NULL;
        break;
    case SPOIL_ORDER: nodes[0].inputs[0] = f->d; break;
    case SPOIL_TYPE: values[f->sum].type = fake_rows(64); break;
    case SPOIL_MISSING_OUTPUT: nodes[2].outputs[0] = VALUE_NONE; break;
    case SPOIL_EXTRA_INPUT: nodes[0].inputs[1] = f->x; break;
    case SPOIL_INPUT_RANGE: nodes[0].inputs[0] = 6; break;
    case SPOIL_LAYER: nodes[0].layer = 0; break;
    case SPOIL_DEVICE: nodes[0].device = GRAPH_DEVICES_MAX; break;
    case SPOIL_OTHER_DEVICE: nodes[1].device = 1, values[f->d].device = 1; break;
    case SPOIL_ATTRIBUTE: nodes[0].attributes[MAP_STEPS].integer = 9; break;
    case SPOIL_NAME: values[f->h].name = "a,b"; break;
    case SPOIL_NAME_TWICE: values[f->h].name = "d"; break;
    case SPOIL_KIND: values[f->x].kind = VALUE_RESULT; break;
    case SPOIL_SOURCE: values[f->w].source = NULL; break;
    case SPOIL_OP: nodes[1].op = NULL; break;
    case SPOIL_OUTPUT: graph->outputs[0] = f->w; break;
    case SPOIL_OUTPUT_TWICE: graph->output_count = 2, graph->outputs[1] = f->sum; break;
    case SPOIL_STATE: values[f->s].kind = VALUE_INPUT; break;
    case SPOIL_RANK: values[f->w].type.rank = 5; break;
    case SPOIL_ELEMENT: values[f->w].type.element = ELEMENT_COUNT; break;
    case SPOIL_VALUE_LAYER: values[f->w].layer = -2; break;
    case SPOIL_VALUE_DEVICE: values[f->w].device = -1; break;
    case SPOIL_RESULT_TWICE:
        nodes[0].op = &fake_split, nodes[0].inputs[1] = f->x;
        nodes[0].outputs[1] = f->h;
        break;
    case SPOIL_COUNT: break;
    }
}

static void verify_refuses_illegal_graphs(void **unused)
{
    (void)unused;
    for (int spoiling = 0; spoiling < SPOIL_COUNT; spoiling++) {
        struct fixture f;
        struct diagnostic diagnostic = {0};
        fixture_open(&f);
        spoil(&f, (enum spoiling)spoiling);
        CHECK_REFUSED(graph_verify(f.graph, &diagnostic), STATUS_BAD_INPUT,
                      spoiled_messages[spoiling]);
        arena_destroy(f.arena);
    }
}

static void tensor_types_have_sizes(void **unused)
{
    (void)unused;
    int64_t symbols[SYMBOL_COUNT] = {[SYMBOL_TOKENS] = 5};
    struct tensor_type rows = fake_rows(32), matrix = fake_matrix(ELEMENT_Q8_0, 64, 96);
    assert_int_equal(tensor_elements(&rows, symbols), 160);
    assert_int_equal(tensor_bytes(&rows, symbols), 640);
    assert_int_equal(tensor_rows(&rows, symbols), 5);
    assert_int_equal(tensor_bytes(&matrix, symbols), 64 * 3 * 34);
    assert_int_equal(tensor_columns(&matrix), 96);
    symbols[SYMBOL_TOKENS] = INT64_MAX / 8;
    assert_int_equal(tensor_bytes(&rows, symbols), INT64_MAX);
    assert_false(tensor_type_equal(&rows, &matrix));
}

static void bad_tensor_types_are_refused(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct tensor_type type = fake_matrix(ELEMENT_F32, 64, 96);
    type.layout = LAYOUT_INTERLEAVE16;
    CHECK_OK(tensor_check(&type, &diagnostic));
    type.shape[0].scale = 65;
    CHECK_REFUSED(tensor_check(&type, &diagnostic), STATUS_BAD_INPUT, "whole groups of 16");
    type.layout = 7;
    CHECK_REFUSED(tensor_check(&type, &diagnostic), STATUS_BAD_INPUT, "7 is not a layout");
    type.layout = LAYOUT_ROWS, type.shape[0].scale = 0;
    CHECK_REFUSED(tensor_check(&type, &diagnostic), STATUS_BAD_INPUT, "dimension 0 is 0");
    type.shape[0].scale = TENSOR_ELEMENTS_MAX;
    CHECK_REFUSED(tensor_check(&type, &diagnostic), STATUS_BAD_INPUT, "more than 2^48");
    type.shape[0] = dimension_of(SYMBOL_COUNT, 1);
    CHECK_REFUSED(tensor_check(&type, &diagnostic), STATUS_BAD_INPUT, "no known symbol");
    type.rank = 0;
    CHECK_REFUSED(tensor_check(&type, &diagnostic), STATUS_BAD_INPUT, "rank 0");
    type = fake_matrix(ELEMENT_Q8_0, 4, 32);
    type.shape[1] = dimension_of(SYMBOL_TOKENS, 32);
    CHECK_REFUSED(tensor_check(&type, &diagnostic), STATUS_BAD_INPUT, "constant multiple of 32");
}

/* Every allocation of building and copying may fail, and nothing is lost or left dangling. */
static void failed_allocations_are_reported(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    for (long n = 1;; n++) {
        struct fixture f = {.arena = arena_create(0)};
        struct arena *other = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *copy;
        fault_set(n, 0);
        status result = fixture_build(&f, &diagnostic);
        if (result == STATUS_OK) result = graph_copy(f.graph, other, &copy, &diagnostic);
        fault_set(0, 0);
        arena_destroy(f.arena);
        arena_destroy(other);
        if (result == STATUS_OK) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(result, STATUS_NO_MEMORY);
    }
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_is_built),
        cmocka_unit_test(optional_outputs_and_own_names),
        cmocka_unit_test(many_values_are_found),
        cmocka_unit_test(building_refuses_bad_parts),
        cmocka_unit_test(attributes_have_bounds),
        cmocka_unit_test(reals_are_kept_in_one_form),
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(verify_refuses_illegal_graphs),
        cmocka_unit_test(tensor_types_have_sizes),
        cmocka_unit_test(bad_tensor_types_are_refused),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

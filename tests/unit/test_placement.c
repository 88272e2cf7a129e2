/* Placements as data: what a graph's pieces are, and what is refused. */
#include "base/file.h"
#include "models/model.h"
#include "models/synth.h"
#include "ops/op_table.h"
#include "planner/placement.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

static const struct plan_bounds bounds = {
    .tokens = 64, .outputs = 1, .sequences = 1, .context = 256, .page_tokens = 32, .pages = 8};

static struct model *open_preset(struct scratch *scratch, const char *preset)
{
    struct diagnostic diagnostic = {0};
    struct synth_options synth = {
        .ops = op_table(), .preset = preset, .element = ELEMENT_Q8_0, .threads = 1};
    struct model_options options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = 32};
    const char *path = file_join(scratch->arena, scratch->folder, "model.gguf");
    struct model *model;
    CHECK_OK(synth_write(path, &synth, &diagnostic));
    CHECK_OK(model_open(path, &options, &model, &diagnostic));
    return model;
}

static int64_t weight_bytes(const struct placement_piece *piece)
{
    return piece->common_bytes + piece->units * piece->unit_bytes;
}

/* Every byte of the model's weights is in one piece, every byte of its states in another. */
static void pieces_hold_the_model(void **state)
{
    static const char *const presets[] = {"small-dense", "small-moe", "small-latent",
                                          "small-sinks"};
    struct diagnostic diagnostic = {0};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        struct model *model = open_preset(*state, presets[i]);
        struct arena *arena = model->arena;
        struct placement *placement;
        int64_t symbols[SYMBOL_COUNT], weights = 0, states = 0;
        CHECK_OK(placement_create(model->graph, &bounds, 2, arena, &placement, &diagnostic));
        plan_symbols(&bounds, symbols);
        for (int v = 0; v < model->graph->value_count; v++) {
            const struct value *value = &model->graph->values[v];
            if (value->kind == VALUE_WEIGHT) weights += tensor_bytes(&value->type, symbols);
            if (value->kind == VALUE_STATE) states += tensor_bytes(&value->type, symbols);
        }
        weights -= weight_bytes(&placement->embed) + weight_bytes(&placement->output);
        for (int l = 0; l < placement->layer_count; l++)
            for (int part = 0; part < PLACEMENT_PARTS; part++) {
                const struct placement_piece *piece = &placement->layers[l].pieces[part];
                weights -= weight_bytes(piece);
                states -= piece->units * piece->unit_state_bytes;
            }
        if (placement->tied) weights += weight_bytes(&placement->embed);
        assert_int_equal(weights, 0);
        assert_int_equal(states, 0);
        model_close(model);
    }
}

static void units_are_heads_features_and_experts(void **state)
{
    struct diagnostic diagnostic = {0};
    struct model *model = open_preset(*state, "small-moe");
    struct placement *placement;
    CHECK_OK(placement_create(model->graph, &bounds, 3, model->arena, &placement, &diagnostic));
    const struct placement_piece *pieces = placement->layers[1].pieces;
    assert_int_equal(pieces[PLACEMENT_ATTENTION].units, 2);
    assert_int_equal(pieces[PLACEMENT_DENSE].units, 1); /* a norm and a router */
    assert_int_equal(pieces[PLACEMENT_EXPERTS].units, 4);
    assert_true(placement->tied);
    assert_int_equal(placement->layers[1].state_element, ELEMENT_F16);
    model_close(model);
    model = open_preset(*state, "small-dense");
    CHECK_OK(placement_create(model->graph, &bounds, 3, model->arena, &placement, &diagnostic));
    pieces = placement->layers[0].pieces;
    assert_int_equal(pieces[PLACEMENT_DENSE].units, 3); /* 96 features in groups of 32 */
    assert_int_equal(pieces[PLACEMENT_DENSE].unit_rows, 32);
    assert_int_equal(pieces[PLACEMENT_EXPERTS].units, 0);
    assert_false(placement->tied);
    model_close(model);
}

static void illegal_placements_are_refused(void **state)
{
    struct diagnostic diagnostic = {0};
    struct model *model = open_preset(*state, "small-moe");
    struct placement *placement;
    const bool is_host[] = {false, false, true};
    const int devices[] = {0, 1};
    CHECK_OK(placement_create(model->graph, &bounds, 3, model->arena, &placement, &diagnostic));
    placement_fill_layers(placement, devices);
    CHECK_OK(placement_verify(placement, is_host, &diagnostic));
    struct placement_piece *experts = &placement->layers[1].pieces[PLACEMENT_EXPERTS];
    experts->home[2] = 1;
    CHECK_REFUSED(placement_verify(placement, is_host, &diagnostic), STATUS_MISMATCH,
                  "experts of layer 1: homes do not add up");
    experts->home[1] -= 1; /* one expert on the host, streamed to card 1 in both phases */
    CHECK_OK(placement_verify(placement, is_host, &diagnostic));
    experts->work[PLACEMENT_DECODE][1] -= 2;
    experts->work[PLACEMENT_DECODE][0] += 2;
    CHECK_REFUSED(placement_verify(placement, is_host, &diagnostic), STATUS_MISMATCH,
                  "a card keeps units that it does not work on");
    placement_put(placement, experts, 2, 2);
    struct placement_piece *attention = &placement->layers[0].pieces[PLACEMENT_ATTENTION];
    placement_put(placement, attention, 2, 0);
    CHECK_OK(placement_verify(placement, is_host, &diagnostic));
    attention->work[PLACEMENT_DECODE][0] = 0;
    attention->work[PLACEMENT_DECODE][2] = attention->units;
    CHECK_REFUSED(placement_verify(placement, is_host, &diagnostic), STATUS_MISMATCH,
                  "attention moves between the phases");
    model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_hold_the_model, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(units_are_heads_features_and_experts, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(illegal_placements_are_refused, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

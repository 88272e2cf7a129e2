/* config.json of Hugging Face models: each key that changes the meaning is honoured or refused by
 * name.  The folders are the reference models of tests/oracle with one thing changed. */
#include "base/file.h"
#include "engine/engine.h"
#include "tests/check.h"
#include "tests/config_harness.h"

#include <unistd.h>

static void what_changes_the_meaning_is_honoured(void **state)
{
    static const struct {
        const char *model, *from, *to, *line; /* a part of the graph's text */
    } rows[] = {
        {"mistral", "\"sliding_window\": 48", "\"sliding_window\": null", "value_size=16} layer 1"},
        {"mistral", "\"sliding_window\": 48", "\"sliding_window\": 5", "window=5} layer 1"},
        {"mistral", "\"rope_theta\": 12000.0", "\"rope_theta\": 500", "base=500}"},
        {"mistral", "\"rms_norm_eps\": 0.006", "\"rms_norm_eps\": 1e-3", "{epsilon=0.001}"},
        {"mistral", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "{activation=gelu}"},
        {"mistral", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true",
         "logits = linear(last_norm, token_embd, _, _)"},
        {"qwen2", "\"use_sliding_window\": false", "\"use_sliding_window\": true",
         "value_size=16} layer 1"}, /* max_window_layers is 2: no layer has a window */
        {"qwen2", "\"max_window_layers\": 2,", "\"max_window_layers\": 1,",
         "value_size=16} layer 1"}, /* use_sliding_window is false */
        {"qwen2", "\"use_sliding_window\": false",
         "\"use_sliding_window\": true, \"layer_types\": [\"full_attention\", "
         "\"sliding_attention\"]",
         "window=131072} layer 1"},
        {"qwen2", "\"max_window_layers\": 2,\n",
         "\"layer_types\": [\"full_attention\", \"sliding_attention\"],\n",
         "value_size=16} layer 1"},
        {"llama3", "\"low_freq_factor\": 1.0", "\"low_freq_factor\": 2.0",
         "scaling=llama3 factor=8 low_factor=2 original_context=128"},
        {"llama_yarn", "\"beta_fast\": 16.0,", "\"attention_factor\": 0.5, \"truncate\": false,",
         "scaling=yarn factor=4 original_context=128 beta_slow=2 attention_factor=0.5 truncate=0"},
        {"mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 1", "{used=1 post="},
    };
    struct scratch *scratch = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct diagnostic diagnostic = {0};
        struct text text = {.arena = scratch->arena};
        struct model *model;
        config_make_folder(scratch, rows[i].model, rows[i].from, rows[i].to);
        CHECK_OK(config_open_folder(scratch, NULL, &model, &diagnostic));
        graph_print(model->graph, &text);
        if (!strstr(text_finish(&text), rows[i].line)) {
            CHECK_FAIL("%s: no '%s' in\n%s", rows[i].to, rows[i].line, text_finish(&text));
        }
        model_close(model);
    }
}

static void what_is_not_supported_is_refused(void **state)
{
    static const char *const rows[][4] = {
        {"mistral", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"",
         "key 'hidden_act': 'relu' is not supported; known are silu"},
        {"mistral", "\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"dynamic\"}",
         "key 'rope_scaling.type': 'dynamic' is not supported"},
        {"mistral", "\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\"}",
         "scaled rotary positions need their factor"},
        {"mistral", "\"rope_scaling\": null", "\"rope_scaling\": {\"factor\": 2}",
         "a rotary factor needs its kind of scaling"},
        {"mistral", "\"rope_scaling\": null",
         "\"rope_scaling\": {\"type\": \"linear\", \"rope_type\": \"yarn\", \"factor\": 2}",
         "contradicts another key for the same thing ('scaling')"},
        {"mistral", "\"rope_scaling\": null",
         "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"mystery\": 1}",
         "key 'rope_scaling.mystery' is not known"},
        {"mistral", "\"rope_scaling\": null",
         "\"quantization_config\": {\"quant_method\": \"gptq\", \"dynamic\": {\"a\": 1}}",
         "key 'quantization_config.dynamic.a' is not known"},
        {"mistral", "\"rope_scaling\": null", "\"partial_rotary_factor\": 0.5",
         "key 'partial_rotary_factor' is not known"},
        {"mistral", "\"rope_scaling\": null", "\"attention_bias\": true",
         "tensor 'model.layers.0.self_attn.q_proj.bias' is missing"},
        {"mistral", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5",
         "the width must be a multiple of the heads"},
        {"mistral", "\"num_attention_heads\": 4", "\"num_attention_heads\": 4.0",
         "must be a whole number, not a real number"},
        {"mistral", "\"num_attention_heads\": 4,", "", "'num_attention_heads' is missing"},
        {"mistral", "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3",
         "the query heads must share the key heads evenly"},
        {"mistral", "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 2",
         "bf16[16,64], but [32,64] is needed (kv_heads * head_size, width)"},
        {"mistral", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1",
         "tensor 'model.layers.1.input_layernorm.weight' is not known"},
        {"mistral", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3",
         "tensor 'model.layers.2.input_layernorm.weight' is missing"},
        {"mistral", "\"vocab_size\": 97", "\"vocab_size\": 96", "but [96,64] is needed"},
        {"mistral", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0",
         "must be true or false, not a whole number"},
        {"mistral", "\"model_type\": \"mistral\"", "\"model_type\": \"minstrel\"",
         "'minstrel' is not known (did you mean mistral?); known are "},
        {"mistral", "\"model_type\": \"mistral\"", "\"model_type\": \"llama\"",
         "Llama has no sliding window"},
        {"qwen2", "\"use_sliding_window\": false", "\"layer_types\": [\"full_attention\"]",
         "a list of 1 values, but there are 2 layers"},
        {"qwen2", "\"use_sliding_window\": false", "\"layer_types\": [\"full\", \"full\"]",
         "'full' is not supported; known are full_attention"},
        {"llama3", "\"high_freq_factor\": 4.0", "\"high_freq_factor\": 1.0",
         "needs a high factor above the low one"},
        {"mixtral", "\"num_local_experts\": 4", "\"num_local_experts\": 5",
         "bf16[4,64], but [5,64] is needed (experts, width)"},
        {"mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 5",
         "a token cannot use more experts than there are"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        config_make_folder(scratch, rows[i][0], rows[i][1], rows[i][2]);
        CHECK_REFUSED(config_open_folder(scratch, NULL, &model, &diagnostic), STATUS_BAD_INPUT,
                      rows[i][3]);
    }
}

static void run(const char *folder, float logits[static 101])
{
    struct diagnostic diagnostic = {0};
    const struct engine_options options = {
        .context = 32, .references = true, .state_element = ELEMENT_F32, .cache_folder = ""};
    const int32_t tokens[] = {1, 15, 27};
    struct engine_input input = {.tokens = tokens, .count = 3};
    struct engine *engine;
    CHECK_OK(engine_open(folder, &options, &engine, &diagnostic));
    CHECK_OK(engine_sequence_open(engine, &input.sequence, &diagnostic));
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
    engine_close(engine);
}

/* A header of odd length puts all tensors at odd addresses, which older files do. */
static void tensors_may_lie_anywhere(void **state)
{
    struct scratch *scratch = *state;
    size_t count;
    uint64_t length;
    float expected[101], logits[101];
    config_make_folder(scratch, "llama3", "{", "{");
    run(scratch->folder, expected);
    const char *path = file_join(scratch->arena, scratch->folder, "model.safetensors");
    char *bytes = config_read_file(scratch, path, &count);
    char *longer = arena_allocate(scratch->arena, count + 1, 1);
    memcpy(&length, bytes, sizeof length);
    size_t data = sizeof length + (size_t)length;
    memcpy(longer, bytes, data);
    longer[data] = ' ';
    memcpy(longer + data + 1, bytes + data, count - data);
    length++;
    memcpy(longer, &length, sizeof length);
    unlink(path);
    config_write_file(scratch, "model.safetensors", longer, count + 1);
    run(scratch->folder, logits);
    assert_memory_equal(logits, expected, sizeof logits);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_changes_the_meaning_is_honoured),
        TEST(what_is_not_supported_is_refused),
        TEST(tensors_may_lie_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

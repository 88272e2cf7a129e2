/* Architectures as data: parameters, checks, weights and graphs from small model files, what is
 * refused and how, and a description of one's own in a folder. */
#include "models/gguf_write.h"
#include "models/model.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <unistd.h>

struct fixture {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    char warnings[1024];
    struct progress progress;
};

static void warn(void *context, const char *message)
{
    struct fixture *scratch = context;
    size_t length = strlen(scratch->warnings);
    snprintf(scratch->warnings + length, sizeof scratch->warnings - length, "%s\n", message);
}

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(0);
    scratch->progress = (struct progress){.context = scratch, .warn = warn};
    *state = scratch;
    return scratch_create(scratch->folder);
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

static struct model_options options_of(struct fixture *scratch)
{
    return (struct model_options){.ops = op_table(),
                                  .state_element = ELEMENT_F16,
                                  .page_tokens = 16,
                                  .progress = &scratch->progress};
}

/* What a test changes about the small model. */
struct change {
    const char *skip_tensor, *wrong_shape, *extra_tensor, *extra_key;
    int64_t heads, list_of_kv_heads[2];
    bool biases, tied;
};

static void put_weight(struct gguf_writer *writer, const struct change *change, const char *name,
                       int64_t rows, int64_t columns)
{
    struct diagnostic diagnostic = {0};
    struct tensor_type type = {.element = ELEMENT_F32, .rank = rows ? 2 : 1};
    int index;
    if (change->skip_tensor && !strcmp(name, change->skip_tensor)) return;
    if (change->wrong_shape && !strcmp(name, change->wrong_shape)) columns += 32;
    if (rows && columns % 32 == 0) type.element = ELEMENT_Q8_0;
    type.shape[0] = dimension_fixed(rows ? rows : columns);
    type.shape[1] = dimension_fixed(columns);
    CHECK_OK(gguf_put_tensor(writer, name, &type, &index, &diagnostic));
}

static void put_layer(struct gguf_writer *writer, const struct change *change, int layer)
{
    static const struct {
        const char *name;
        int64_t rows, columns;
        bool bias;
    } weights[] = {
        {"attn_norm.weight", 0, 64, false},    {"attn_q.weight", 64, 64, false},
        {"attn_k.weight", 32, 64, false},      {"attn_v.weight", 32, 64, false},
        {"attn_output.weight", 64, 64, false}, {"ffn_norm.weight", 0, 64, false},
        {"ffn_gate.weight", 96, 64, false},    {"ffn_up.weight", 96, 64, false},
        {"ffn_down.weight", 64, 96, false},    {"attn_q.bias", 0, 64, true},
        {"attn_k.bias", 0, 32, true},          {"attn_v.bias", 0, 32, true},
    };
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        char name[64];
        if (weights[i].bias && !change->biases) continue;
        snprintf(name, sizeof name, "blk.%d.%s", layer, weights[i].name);
        put_weight(writer, change, name, weights[i].rows, weights[i].columns);
    }
}

static void put_keys(struct gguf_writer *writer, const struct change *change)
{
    gguf_put_text(writer, "general.architecture", "llama");
    gguf_put_text(writer, "general.name", "small");
    gguf_put_integer(writer, "llama.block_count", GGUF_U32, 2);
    gguf_put_integer(writer, "llama.context_length", GGUF_U32, 128);
    gguf_put_integer(writer, "llama.embedding_length", GGUF_U32, 64);
    gguf_put_integer(writer, "llama.feed_forward_length", GGUF_U32, 96);
    gguf_put_integer(writer, "llama.attention.head_count", GGUF_U32,
                     change->heads ? change->heads : 4);
    if (change->list_of_kv_heads[0]) {
        int32_t heads[2] = {(int32_t)change->list_of_kv_heads[0],
                            (int32_t)change->list_of_kv_heads[1]};
        gguf_put_numbers(writer, "llama.attention.head_count_kv", GGUF_I32, 2, heads);
    } else {
        gguf_put_integer(writer, "llama.attention.head_count_kv", GGUF_U32, 2);
    }
    gguf_put_real(writer, "llama.attention.layer_norm_rms_epsilon", 1e-5);
    gguf_put_integer(writer, "llama.vocab_size", GGUF_U32, 50);
    if (change->extra_key) gguf_put_integer(writer, change->extra_key, GGUF_U32, 5);
}

/* All weights are zero: nothing here computes. */
static const char *write_model(struct fixture *scratch, const struct change *change)
{
    struct diagnostic diagnostic = {0};
    struct gguf_writer *writer;
    const char *path = file_join(scratch->arena, scratch->folder, "small.gguf");
    CHECK_OK(gguf_writer_create(path, scratch->arena, &writer, &diagnostic));
    put_keys(writer, change);
    put_weight(writer, change, "token_embd.weight", 50, 64);
    put_weight(writer, change, "output_norm.weight", 0, 64);
    if (!change->tied) put_weight(writer, change, "output.weight", 50, 64);
    for (int layer = 0; layer < 2; layer++) put_layer(writer, change, layer);
    if (change->extra_tensor) put_weight(writer, change, change->extra_tensor, 0, 64);
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    CHECK_OK(gguf_writer_finish(writer, &diagnostic));
    gguf_writer_close(writer);
    return path;
}

static const char *graph_text(struct fixture *scratch, const struct model *model)
{
    struct text text = {.arena = scratch->arena};
    graph_print(model->graph, &text);
    return text_finish(&text);
}

static void check_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) CHECK_FAIL("'%s' is not in:\n%s", part, text);
}

static void a_small_llama_opens(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_options options = options_of(scratch);
    struct model *model;
    struct stored_weight weight;
    const char *path = write_model(scratch, &(struct change){0});
    CHECK_OK(model_open(path, &options, &model, &diagnostic));
    CHECK_TEXT(model->description, "llama, 2 layers, width 64, q8_0");
    assert_int_equal(model->vocabulary, 50);
    assert_int_equal(model->context, 128);
    assert_int_equal(model->graph->layer_count, 2);
    const char *graph = graph_text(scratch, model);
    check_contains(graph, "weight blk.1.ffn_down: q8_0[64,96] layer 1\n");
    check_contains(graph, "state v.1: f16[pages,16,32] layer 1\n");
    check_contains(graph, "pairing=interleaved");
    check_contains(graph, "logits = linear(last_norm, output, _, _)\noutput logits\n");
    CHECK_OK(model->weights.find(model->weights.context, "blk.1.attn_k", &weight, &diagnostic));
    assert_int_equal(weight.part_count, 1);
    assert_int_equal(weight.part_bytes, 32 * element_row_bytes(ELEMENT_Q8_0, 64));
    CHECK_REFUSED(model->weights.find(model->weights.context, "blk.2.attn_k", &weight, &diagnostic),
                  STATUS_NOT_FOUND, "no weight 'blk.2.attn_k'");
    assert_string_equal(scratch->warnings, "");
    model_close(model);
}

static void optional_weights_enter_the_graph(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_options options = options_of(scratch);
    struct model *model;
    const char *path = write_model(scratch, &(struct change){.biases = true, .tied = true});
    CHECK_OK(model_open(path, &options, &model, &diagnostic));
    const char *graph = graph_text(scratch, model);
    check_contains(graph, "q.1 = linear(n.1, blk.1.attn_q, blk.1.attn_q_bias, _) layer 1\n");
    check_contains(graph, "logits = linear(last_norm, token_embd, _, _)\n");
    model_close(model);
}

static void what_is_not_understood_is_refused(void **state)
{
    static const struct {
        struct change change;
        const char *words;
    } rows[] = {
        {{.extra_key = "llama.attention.scale"}, "key 'llama.attention.scale' is not known"},
        {{.extra_tensor = "blk.0.attn_q_norm.weight"}, "tensor 'blk.0.attn_q_norm.weight' is not"},
        {{.skip_tensor = "blk.1.ffn_up.weight"}, "tensor 'blk.1.ffn_up.weight' is missing"},
        {{.wrong_shape = "blk.1.ffn_up.weight"},
         "q8_0[96,96], but [96,64] is needed (inner, width"},
        {{.wrong_shape = "output_norm.weight"}, "f32[96], but [64] is needed (width)"},
        {{.heads = 3}, "heads must share"},
        {{.heads = 64}, "is out of bounds"},
        {{.heads = 1 << 20}, "key 'llama.attention.head_count': 1048576 is out of bounds"},
        {{.list_of_kv_heads = {2, 1}}, "layers differ"},
        {{.extra_key = "llama.attention.sliding_window.pattern"}, "sliding_window.pattern"},
        {{.extra_key = "llama.rope.scaling.factor"}, "a rotary factor needs its kind"},
        {{.extra_key = "llama.rope.scaling.type"}, "'5' is not supported; known are none"},
    };
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_options options = options_of(scratch);
    struct model *model;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = write_model(scratch, &rows[i].change);
        CHECK_REFUSED(model_open(path, &options, &model, &diagnostic), STATUS_BAD_INPUT,
                      rows[i].words);
    }
    const char *path = write_model(scratch, &rows[0].change);
    options.allow_unknown_keys = true;
    CHECK_OK(model_open(path, &options, &model, &diagnostic));
    check_contains(scratch->warnings, "key 'llama.attention.scale' is not used");
    model_close(model);
}

static void equal_values_of_all_layers_are_one_value(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_options options = options_of(scratch);
    struct model *model;
    const char *path = write_model(scratch, &(struct change){.list_of_kv_heads = {2, 2}});
    CHECK_OK(model_open(path, &options, &model, &diagnostic));
    model_close(model);
}

static const char own_description[] =
    "architecture: own\n"
    "description: two lines and a condition\n"
    "files: {gguf: llama}\n"
    "parameters:\n"
    "  layers: {gguf: .block_count, least: 1, most: 9}\n"
    "  width: {gguf: .embedding_length, least: 1, most: 999}\n"
    "  vocabulary: {gguf: .vocab_size, least: 1, most: 999}\n"
    "  context: {gguf: .context_length, least: 1, most: 999}\n"
    "  kind: {type: choice, per: layer, default: silu if layer == 0 else gelu, choices: {}}\n"
    "  epsilon: {type: real, default: 1 / 8}\n"
    "let: {half: width / 2}\n"
    "harmless: {gguf: [.attention.*, .feed_forward_length]}\n"
    "weights:\n"
    "  token_embd: {gguf: token_embd.weight, shape: [vocabulary, half * 2]}\n"
    "  output: {gguf: output.weight, shape: [vocabulary, width]}\n"
    "  norm: {gguf: [absent.weight, output_norm.weight], shape: [width], element: f32}\n"
    "  gate: {gguf: 'blk.{layer}.attn_q.weight', shape: [width, width], when: layer == 0,\n"
    "    optional: 'true'}\n"
    "graph:\n"
    "  before: ['x = embed(tokens, token_embd)']\n"
    "  layer:\n"
    "    - when: gate.given\n"
    "      then: ['y = linear(x, gate)', 'x = add(x, y)']\n"
    "      otherwise: ['x = gate(x, x) {activation=kind}']\n"
    "  after: ['n = rmsnorm(x, norm) {epsilon=epsilon}', 's = select(outputs, n)',\n"
    "    'logits = linear(s, output)']\n"
    "outputs: [logits]\n";

static void write_description(struct fixture *scratch, const char *text)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "own.yaml");
    CHECK_OK(file_write(path, text, strlen(text), &diagnostic));
}

/* `from` is replaced by `to` once. */
static const char *replaced(struct fixture *scratch, const char *text, const char *from,
                            const char *to)
{
    const char *place = strstr(text, from);
    assert_non_null(place);
    return arena_print(scratch->arena, "%.*s%s%s", (int)(place - text), text, to,
                       place + strlen(from));
}

static void a_folder_describes_what_hone_does_not_know(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_options options = options_of(scratch);
    struct model *model;
    const char *path = write_model(scratch, &(struct change){0});
    options.architecture_folder = scratch->folder;
    options.allow_unknown_keys = true; /* most tensors of the file are not used */
    write_description(scratch, own_description);
    CHECK_OK(model_open(path, &options, &model, &diagnostic));
    CHECK_TEXT(model->architecture, "own");
    const char *graph = graph_text(scratch, model);
    check_contains(graph, "y.0 = linear(x, blk.0.gate, _, _) layer 0\nx.0 = add(x, y.0) layer 0\n"
                          "x.1 = gate(x.0, x.0) {activation=gelu} layer 1\n"
                          "n = rmsnorm(x.1, norm) {epsilon=0.125}\n");
    model_close(model);
    options.allow_unknown_keys = false;
    CHECK_REFUSED(model_open(path, &options, &model, &diagnostic), STATUS_BAD_INPUT,
                  "is not known to the architecture own");
}

static void mistakes_in_descriptions_are_located(void **state)
{
    static const char *const rows[][3] = {
        {"least: 1, most: 9}", "leest: 1, most: 9}", "own.yaml:5:32: unknown key 'leest'; did you"},
        {"layers: {", "leyers: {", "the parameter 'layers'"},
        {"half * 2", "halv * 2", "unknown name 'halv'"},
        {"half * 2", "epsilon * 2", "gives a real number"},
        {"half: width / 2", "half: width + kind", "differs from layer to layer"},
        {"x = add(x, y)", "x = plus(x, y)", "there is no operator 'plus'"},
        {"x = add(x, y)", "x = add(x, z)", "'z' is no result of a line above"},
        {"x = add(x, y)", "x = add(x y)", "',' or ')' is needed at 'y)'"},
        {"x = add(x, y)", "x = add(x)", "own.yaml:23"},
        {"{activation=kind}", "{activatoin=kind}", "gate has no attribute 'activatoin'"},
        {"x = add(x, y)", "x = rope(x, positions) {pairing=halves}", "rope needs the attribute"},
        {"outputs: [logits]", "outputs: [probabilities]", "'probabilities' is no result"},
        {"default: 1 / 8", "default: 0 / 0", "key 'epsilon': "},
        {"when: layer == 0", "when: layer = 0", "'=' does not compare"},
        {"norm: {", "spare: {gguf: output_norm.weight, shape: [width]}\n  norm: {",
         "no line of the graph uses the weight 'spare'"},
        {"architecture: own", "architecture: o/wn", "'o/wn' is no name"},
        {"half: width", "h-alf: width", "'h-alf' is no name"},
        {"x = add(x, y)", "9 = add(x, y)", "a name is needed"},
        {"element: f32", "element: f64", "can only be f32"},
        {"'blk.{layer}.attn_q.weight'", "['a', 'blk.{layer}.attn_q.weight']",
         "all names of 'gate'"},
    };
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_options options = options_of(scratch);
    struct model *model;
    const char *path = write_model(scratch, &(struct change){0});
    options.architecture_folder = scratch->folder;
    options.allow_unknown_keys = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_description(scratch, replaced(scratch, own_description, rows[i][0], rows[i][1]));
        CHECK_REFUSED(model_open(path, &options, &model, &diagnostic), STATUS_BAD_INPUT,
                      rows[i][2]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_small_llama_opens),
        TEST(optional_weights_enter_the_graph),
        TEST(what_is_not_understood_is_refused),
        TEST(equal_values_of_all_layers_are_one_value),
        TEST(a_folder_describes_what_hone_does_not_know),
        TEST(mistakes_in_descriptions_are_located),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A model of one layer and two descriptions of it, of which one extends the other. */
#include "tests/unit/description_harness.h"

#include "models/gguf_write.h"
#include "ops/op_table.h"
#include "tests/check.h"

#include <unistd.h>

/* ---- A model of one layer, width 4, whose tensors count from 0 ---- */

static void announce(struct gguf_writer *writer, const char *name, enum element_type element,
                     int64_t rows, int64_t columns)
{
    struct diagnostic diagnostic = {0};
    struct tensor_type type = {.element = element, .rank = 2};
    int index;
    type.shape[0] = dimension_fixed(rows);
    type.shape[1] = dimension_fixed(columns);
    CHECK_OK(gguf_put_tensor(writer, name, &type, &index, &diagnostic));
}

static const char *write_model(struct scratch *scratch)
{
    enum { COUNT = 48, EIGHTS_BYTES = 4 * 34 };
    struct diagnostic diagnostic = {0};
    struct gguf_writer *writer;
    const char *path = file_join(scratch->arena, scratch->folder, "small.gguf");
    float values[COUNT], list[3] = {0.5f, 1.5f, 2.5f};
    uint8_t eights[EIGHTS_BYTES];
    for (int i = 0; i < COUNT; i++) values[i] = (float)i;
    for (int i = 0; i < EIGHTS_BYTES; i++) eights[i] = (uint8_t)(i / 34);
    CHECK_OK(gguf_writer_create(path, scratch->arena, &writer, &diagnostic));
    gguf_put_text(writer, "general.architecture", "llama");
    gguf_put_integer(writer, "llama.block_count", GGUF_U32, 1);
    gguf_put_integer(writer, "llama.embedding_length", GGUF_U32, 4);
    gguf_put_numbers(writer, "own.list", GGUF_F32, 3, list);
    announce(writer, "fused.weight", ELEMENT_F32, 12, 4);
    announce(writer, "eights.weight", ELEMENT_Q8_0, 2, 64);
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    CHECK_OK(gguf_writer_bytes(writer, 0, 0, values, sizeof values, &diagnostic));
    CHECK_OK(gguf_writer_bytes(writer, 1, 0, eights, sizeof eights, &diagnostic));
    CHECK_OK(gguf_writer_finish(writer, &diagnostic));
    gguf_writer_close(writer);
    return path;
}

/* `second` may have any shape of two dimensions: `embed` takes its rows. */
const char base_description[] =
    "architecture: basis\n"
    "description: what others extend\n"
    "files: {gguf: [basis, groundwork]}\n"
    "parameters:\n"
    "  layers: {gguf: .block_count, least: 1, most: 9}\n"
    "  width: {gguf: .embedding_length, least: 1, most: 999}\n"
    "  vocabulary: {gguf: .vocab_size, default: 4, least: 1, most: 999}\n"
    "  context: {gguf: .context_length, default: 9, least: 1, most: 999}\n"
    "let: {rows: width, gone: width * 2}\n"
    "checks:\n"
    "  - {require: rows == 4, reason: the base needs four rows}\n"
    "weights:\n"
    "  table: {gguf: fused.weight, view: {stored: [12, 4]}, shape: [rows, width]}\n"
    "  second: {gguf: fused.weight, view: {stored: [12, 4], start: 16}, shape: [2, width]}\n"
    "attributes: {gating: \"activation=silu\"}\n"
    "blocks:\n"
    "  body: ['x = gate(x, x) {*gating}']\n"
    "  outer: [{use: body}]\n"
    "graph:\n"
    "  before: ['x = embed(tokens, table)', 'z = embed(tokens, second)']\n"
    "  layer: [{use: outer}]\n"
    "  after: ['s = select(outputs, x)', 'logits = linear(s, table)']\n"
    "outputs: [logits]\n";

const char own_description[] =
    "architecture: own\n"
    "description: an extension\n"
    "extends: basis\n"
    "files: {gguf: llama}\n"
    "let: {gone: none, gain: 1 if name == groundwork else 2}\n"
    "checks:\n"
    "  - {require: gain == 2, reason: the extension needs two}\n"
    "weights:\n"
    "  second: {gguf: fused.weight, view: {stored: [12, 4], start: 24}, shape: [3, width]}\n"
    "blocks:\n"
    "  body: ['y = gate(x, x) {*gating}', 'x = add(x, y)']\n"
    "attributes:\n"
    "  gating: \"activation=gelu\"\n";

void write_description(struct scratch *scratch, const char *name, const char *text)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, name);
    CHECK_OK(file_write(path, text, strlen(text), &diagnostic));
}

/* `from` is replaced by `to` once. */
const char *replaced(struct scratch *scratch, const char *text, const char *from, const char *to)
{
    const char *place = strstr(text, from);
    if (!place) CHECK_FAIL("'%s' is not in:\n%s", from, text);
    return arena_print(scratch->arena, "%.*s%s%s", (int)(place - text), text, to,
                       place + strlen(from));
}

/* Both descriptions are in the folder; `own` is the one that answers. */
status open_model(struct scratch *scratch, const char *base, const char *own, struct model **model,
                  struct diagnostic *diagnostic)
{
    const char *path = write_model(scratch);
    struct model_options options = {.ops = op_table(),
                                    .state_element = ELEMENT_F16,
                                    .page_tokens = 16,
                                    .allow_unknown_keys = true,
                                    .architecture_folder = scratch->folder};
    write_description(scratch, "basis.yaml", base);
    write_description(scratch, "own.yaml", own);
    return model_open(path, &options, model, diagnostic);
}

void check_graph(struct scratch *scratch, const struct model *model, const char *part)
{
    struct text text = {.arena = scratch->arena};
    graph_print(model->graph, &text);
    const char *graph = text_finish(&text);
    if (!strstr(graph, part)) CHECK_FAIL("'%s' is not in:\n%s", part, graph);
}

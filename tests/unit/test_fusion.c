/* Fusion, partition and layer maps must not change what a graph computes: random graphs of the real
 * operators, and a small llama, run with the operators' references before and after. */
#include "ir/pass.h"
#include "ops/op_table.h"
#include "tests/unit/graph_run.h"

enum { POOL_MAX = 64, STATE_COUNT = 4, FUSED_COUNT = 4 };

/* Grows a graph at random, with a liking for what fusion looks for. */
struct grower {
    struct arena *arena;
    struct text text;
    uint64_t seed, counter;
    int values; /* v0 .. v(values - 1), all f32[tokens,32] */
    int layer;
};

static int draw(struct grower *grower, int below)
{
    return (int)(random_bits(grower->seed, 0, grower->counter++) % (uint64_t)below);
}

/* One of the newest values most of the time. */
static int pick(struct grower *grower)
{
    int back = draw(grower, 4) ? draw(grower, 4) : draw(grower, grower->values);
    return back < grower->values ? grower->values - 1 - back : 0;
}

static const char *bias(struct grower *grower)
{
    return draw(grower, 3) ? "_" : "bias";
}

static void grow_linears(struct grower *grower)
{
    int x = pick(grower), count = 1 + draw(grower, 4);
    for (int i = 0; i < count; i++) {
        text_print(&grower->text, "v%d = linear(v%d, w%d, %s, ", grower->values, x, draw(grower, 5),
                   bias(grower));
        if (draw(grower, 4))
            text_append(&grower->text, "_)");
        else
            text_print(&grower->text, "v%d)", pick(grower));
        text_print(&grower->text, " layer %d\n", grower->layer);
        grower->values++;
    }
}

static void grow_gate(struct grower *grower)
{
    static const char *const activations[] = {"silu", "gelu", "gelu_tanh"};
    text_print(&grower->text, "v%d = gate(v%d, v%d) {activation=%s} layer %d\n", grower->values,
               pick(grower), pick(grower), activations[draw(grower, 3)], grower->layer);
    grower->values++;
}

/* Gate and up on one value, as fusion wants them. */
static void grow_gated(struct grower *grower)
{
    int x = pick(grower);
    for (int i = 0; i < 2; i++)
        text_print(&grower->text, "v%d = linear(v%d, w%d, _, _) layer %d\n", grower->values++, x,
                   draw(grower, 5), grower->layer);
    text_print(&grower->text, "v%d = gate(v%d, v%d) layer %d\n", grower->values, grower->values - 2,
               grower->values - 1, grower->layer);
    grower->values++;
}

static void grow_norm(struct grower *grower)
{
    text_print(&grower->text, "v%d = rmsnorm(v%d, norm) {epsilon=%s} layer %d\n", grower->values,
               pick(grower), draw(grower, 2) ? "1e-05" : "1e-06", grower->layer);
    grower->values++;
}

static void grow_add(struct grower *grower)
{
    text_print(&grower->text, "v%d = add(v%d, v%d) layer %d\n", grower->values, pick(grower),
               pick(grower), grower->layer);
    grower->values++;
    if (draw(grower, 2)) grow_norm(grower);
}

static int grow_rope(struct grower *grower, int x, const char *pairing)
{
    text_print(&grower->text,
               "v%d = rope(v%d, positions, %s) {heads=2 head_size=16 pairing=%s} layer %d\n",
               grower->values, x, draw(grower, 4) ? "_" : "factors", pairing, grower->layer);
    return grower->values++;
}

static void grow_append(struct grower *grower, int x, int state)
{
    text_print(&grower->text, "append(v%d, positions, sequences, pages, s%d) layer %d\n", x, state,
               grower->layer);
}

static int grow_attention(struct grower *grower, int q, int state)
{
    text_print(&grower->text,
               "v%d = attention(v%d, positions, sequences, pages, s%d, s%d) "
               "{heads=2 kv_heads=2 head_size=16} layer %d\n",
               grower->values, q, state, (state + 1) % STATE_COUNT, grower->layer);
    return grower->values++;
}

/* Ropes and appends in a random order, some of which can be joined. */
static void grow_attention_block(struct grower *grower)
{
    static const char *const pairings[] = {"halves", "interleaved"};
    int state = draw(grower, STATE_COUNT), v = pick(grower),
        sources[2] = {pick(grower), pick(grower)};
    bool v_first = draw(grower, 2), read_between = draw(grower, 4) == 0;
    int k = grow_rope(grower, sources[0], pairings[0]);
    int q = grow_rope(grower, sources[1], pairings[draw(grower, 4) == 0]);
    grow_append(grower, v_first ? v : k, v_first ? (state + 1) % STATE_COUNT : state);
    if (read_between) grow_attention(grower, sources[0], state);
    grow_append(grower, v_first ? k : v, v_first ? state : (state + 1) % STATE_COUNT);
    grow_attention(grower, q, state);
}

static void grow_head(struct grower *grower)
{
    text_append(&grower->text,
                "graph grown\ninput v0: f32[tokens,32]\ninput positions: i32[tokens]\n"
                "input sequences: i32[tokens]\ninput pages: i32[sequences,stride]\n"
                "weight norm: f32[32]\nweight bias: f32[32]\n"
                "weight factors: f32[8]\n");
    for (int w = 0; w < 5; w++) text_print(&grower->text, "weight w%d: f32[32,32]\n", w);
    for (int s = 0; s < STATE_COUNT; s++)
        text_print(&grower->text, "state s%d: f32[pages,2,32]\n", s);
    grower->values = 1;
}

/* A sum with a fresh product, from either side. */
static void grow_residual(struct grower *grower)
{
    int x = pick(grower), other = pick(grower), product = grower->values++;
    bool left = draw(grower, 2);
    text_print(&grower->text, "v%d = linear(v%d, w%d, %s, _) layer %d\n", product, x,
               draw(grower, 5), bias(grower), grower->layer);
    text_print(&grower->text, "v%d = add(v%d, v%d) layer %d\n", grower->values++,
               left ? product : other, left ? other : product, grower->layer);
}

static void grow_block(struct grower *grower, int kind)
{
    switch (kind) {
    case 0: grow_linears(grower), grow_gate(grower); break;
    case 1: grow_linears(grower); break;
    case 2: grow_linears(grower), grow_add(grower); break;
    case 3: grow_add(grower); break;
    case 4: grow_norm(grower); break;
    case 7: grow_residual(grower); break;
    case 5: grow_attention_block(grower); break;
    case 6: grow_gated(grower); break;
    }
}

static void grow_nodes(struct grower *grower, int blocks)
{
    for (int b = 0; b < blocks && grower->values < POOL_MAX; b++) {
        grow_block(grower, draw(grower, 8));
        grower->layer += draw(grower, 3) == 0;
    }
    text_print(&grower->text, "output v%d\n", grower->values - 1);
    for (int v = grower->values - 2; v > 0; v--)
        if (draw(grower, 5) == 0) text_print(&grower->text, "output v%d\n", v);
}

static struct graph *grow(struct arena *arena, uint64_t seed)
{
    struct diagnostic diagnostic = {0};
    struct grower grower = {.arena = arena, .text = {.arena = arena}, .seed = seed};
    struct graph *graph;
    grow_head(&grower);
    grow_nodes(&grower, 6);
    CHECK_OK(
        graph_parse("grown", text_finish(&grower.text), op_table(), arena, &graph, &diagnostic));
    return graph;
}

static int count_nodes(const struct graph *graph, const char *op)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++) count += node_is(&graph->nodes[n], op);
    return count;
}

static int count_residuals(const struct graph *graph)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++)
        count += node_find_input(&graph->nodes[n], "residual") != VALUE_NONE;
    return count;
}

static void fused_graphs_compute_the_same(void **unused)
{
    (void)unused;
    static const char *const fused_ops[FUSED_COUNT] = {"linear_gated", "linear_group",
                                                       "add_rmsnorm", "rope_append"};
    int fused[FUSED_COUNT] = {0}, residuals = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *graph = grow(arena, seed), *after;
        CHECK_OK(graph_copy(graph, arena, &after, &diagnostic));
        CHECK_OK(pass_fuse(after, &diagnostic));
        CHECK_OK(graph_verify(after, &diagnostic));
        graph_run_check_alike(graph, after, 1e-4);
        for (int f = 0; f < FUSED_COUNT; f++) fused[f] += count_nodes(after, fused_ops[f]);
        residuals += count_residuals(after) - count_residuals(graph);
        int nodes = after->node_count;
        CHECK_OK(pass_fuse(after, &diagnostic)); /* once more finds little, and harms nothing */
        assert_true(after->node_count <= nodes);
        graph_run_check_alike(graph, after, 1e-4);
        arena_destroy(arena);
    }
    for (int f = 0; f < FUSED_COUNT; f++)
        if (fused[f] < 20) CHECK_FAIL("only %d times %s", fused[f], fused_ops[f]);
    if (residuals < 20) CHECK_FAIL("only %d times a residual", residuals);
}

static void partitioned_graphs_compute_the_same(void **unused)
{
    (void)unused;
    int split = 0, transfers = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *graph = grow(arena, seed), *after;
        int devices[16];
        for (int l = 0; l < 16; l++) devices[l] = (int)(random_bits(seed, 9, (uint64_t)l) % 3);
        CHECK_OK(graph_copy(graph, arena, &after, &diagnostic));
        status code = pass_partition(after, devices, after->layer_count, 3, &diagnostic);
        if (code == STATUS_OK) {
            CHECK_OK(graph_verify(after, &diagnostic));
            graph_run_check_alike(graph, after, 0);
            transfers += count_nodes(after, "transfer");
            CHECK_OK(pass_fuse(after, &diagnostic));
            CHECK_OK(graph_verify(after, &diagnostic));
            graph_run_check_alike(graph, after, 1e-4);
            split++;
        } else {
            CHECK_REFUSED(code, STATUS_UNSUPPORTED, "put its layers on one device");
        }
        arena_destroy(arena);
    }
    assert_true(split > 100 && transfers > 100);
}

/* In these # stands for the layer, ^ for the next one, and & for the layer whose weights it has. */
static const char llama_head[] = "graph llama\n"
                                 "input tokens: i32[tokens]\n"
                                 "input positions: i32[tokens]\n"
                                 "input sequences: i32[tokens]\n"
                                 "input pages: i32[sequences,stride]\n"
                                 "input outputs: i32[outputs]\n"
                                 "weight table: f32[11,32]\n"
                                 "weight norm: f32[32]\n"
                                 "x.0 = embed(tokens, table)\n";

static const char llama_values[] = "weight q.#: q8_0[32,32] layer & source q.&\n"
                                   "weight k.#: q8_0[16,32] layer & source k.&\n"
                                   "weight v.#: q8_0[16,32] layer & source v.&\n"
                                   "weight o.#: q8_0[32,32] layer & source o.&\n"
                                   "weight gate.#: f32[48,32] layer & source gate.&\n"
                                   "weight up.#: f32[48,32] layer & source up.&\n"
                                   "weight down.#: f32[32,48] layer & source down.&\n"
                                   "weight norm_a.#: f32[32] layer & source norm_a.&\n"
                                   "weight norm_f.#: f32[32] layer & source norm_f.&\n"
                                   "state ks.#: f16[pages,2,16] layer #\n"
                                   "state vs.#: f16[pages,2,16] layer #\n";

static const char llama_nodes[] =
    "a.# = rmsnorm(x.#, norm_a.#) layer #\n"
    "qx.# = linear(a.#, q.#, _, _) layer #\n"
    "kx.# = linear(a.#, k.#, _, _) layer #\n"
    "vx.# = linear(a.#, v.#, _, _) layer #\n"
    "qr.# = rope(qx.#, positions, _) {heads=2 head_size=16 pairing=halves} layer #\n"
    "kr.# = rope(kx.#, positions, _) {heads=1 head_size=16 pairing=halves} layer #\n"
    "append(kr.#, positions, sequences, pages, ks.#) layer #\n"
    "append(vx.#, positions, sequences, pages, vs.#) layer #\n"
    "at.# = attention(qr.#, positions, sequences, pages, ks.#, vs.#)"
    " {heads=2 kv_heads=1 head_size=16} layer #\n"
    "ox.# = linear(at.#, o.#, _, _) layer #\n"
    "m.# = add(x.#, ox.#) layer #\n"
    "f.# = rmsnorm(m.#, norm_f.#) layer #\n"
    "gx.# = linear(f.#, gate.#, _, _) layer #\n"
    "ux.# = linear(f.#, up.#, _, _) layer #\n"
    "gu.# = gate(gx.#, ux.#) layer #\n"
    "d.# = linear(gu.#, down.#, _, _) layer #\n"
    "x.^ = add(m.#, d.#) layer #\n";

static const char llama_tail[] = "chosen = select(outputs, x.#)\n"
                                 "n = rmsnorm(chosen, norm)\n"
                                 "logits = linear(n, table, _, _)\n"
                                 "output logits\n";

static void expand(struct text *text, const char *lines, int layer, int weights)
{
    for (; *lines; lines++) {
        if (*lines == '#')
            text_print(text, "%d", layer);
        else if (*lines == '^')
            text_print(text, "%d", layer + 1);
        else if (*lines == '&')
            text_print(text, "%d", weights);
        else
            text_append_range(text, lines, 1);
    }
}

/* A llama whose layer l has the weights of layer map[l]. */
static struct graph *llama(struct arena *arena, const int *map, int count)
{
    struct text text = {.arena = arena};
    struct diagnostic diagnostic = {0};
    struct graph *graph;
    expand(&text, llama_head, 0, 0);
    for (int l = 0; l < count; l++) expand(&text, llama_values, l, map[l]);
    for (int l = 0; l < count; l++) expand(&text, llama_nodes, l, map[l]);
    expand(&text, llama_tail, count, 0);
    CHECK_OK(graph_parse("llama", text_finish(&text), op_table(), arena, &graph, &diagnostic));
    return graph;
}

struct map_case {
    int count, map[8];
};

static void mapped_layers_compute_the_same(void **unused)
{
    (void)unused;
    static const struct map_case cases[] = {
        {3, {0, 1, 2}}, {5, {0, 1, 1, 1, 2}}, {1, {2}}, {2, {2, 0}}, {7, {0, 1, 2, 0, 1, 2, 2}}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *mapped = llama(arena, (int[]){0, 1, 2}, 3);
        struct graph *unrolled = llama(arena, cases[c].map, cases[c].count);
        CHECK_OK(pass_layer_map(mapped, cases[c].map, cases[c].count, &diagnostic));
        CHECK_OK(graph_verify(mapped, &diagnostic));
        assert_int_equal(mapped->layer_count, cases[c].count);
        assert_int_equal(mapped->node_count, unrolled->node_count);
        graph_run_check_alike(unrolled, mapped, 0);
        CHECK_OK(pass_dead_code(mapped, &diagnostic));
        CHECK_OK(pass_fuse(mapped, &diagnostic));
        CHECK_OK(graph_verify(mapped, &diagnostic));
        graph_run_check_alike(unrolled, mapped, 1e-4);
        assert_int_equal(count_nodes(mapped, "rope_append"), cases[c].count);
        assert_int_equal(count_nodes(mapped, "linear_gated"), cases[c].count);
        assert_int_equal(count_nodes(mapped, "add"), 0);
        arena_destroy(arena);
    }
}

#ifdef HONE_FAULTS
static status all_passes(struct graph *graph, struct arena *arena, struct diagnostic *diagnostic)
{
    struct memory_layout memory;
    TRY(pass_layer_map(graph, (int[]){0, 1, 1}, 3, diagnostic));
    TRY(pass_partition(graph, (int[]){0, 0, 1}, 3, 2, diagnostic));
    TRY(pass_fuse(graph, diagnostic));
    TRY(pass_dead_code(graph, diagnostic));
    TRY(pass_shapes(graph, diagnostic));
    return pass_memory(graph, graph_run_sizes.symbols, 2, arena, &memory, diagnostic);
}
#endif

static void failed_allocations_are_reported(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    status code = STATUS_NO_MEMORY;
    for (long n = 1; code != STATUS_OK; n++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *graph = llama(arena, (int[]){0, 1}, 2);
        fault_set(n, 0);
        code = all_passes(graph, arena, &diagnostic);
        fault_set(0, 0);
        arena_destroy(arena);
        if (code != STATUS_OK && code != STATUS_NO_MEMORY) CHECK_FAIL("%s", diagnostic.text);
        assert_true(code == STATUS_NO_MEMORY || n > 100);
    }
#endif
}

/* Files mix types; what is joined has one. */
static void products_of_one_type_are_joined(void **unused)
{
    (void)unused;
    static const char text[] = "graph mixed\n"
                               "input x: f32[tokens,256]\n"
                               "weight q: q4_K[64,256] source q\n"
                               "weight k: q4_K[32,256] source k\n"
                               "weight v: q6_K[32,256] source v\n"
                               "a = linear(x, q, _, _)\n"
                               "b = linear(x, v, _, _)\n"
                               "c = linear(x, k, _, _)\n"
                               "d = linear(x, v, _, _)\n"
                               "e = gate(b, c)\n"
                               "output a\noutput d\noutput e\n";
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct graph *graph;
    CHECK_OK(graph_parse("mixed", text, op_table(), arena, &graph, &diagnostic));
    CHECK_OK(pass_fuse(graph, &diagnostic));
    assert_int_equal(count_nodes(graph, "linear_gated"), 0);
    assert_int_equal(count_nodes(graph, "linear_group"), 2);
    for (int n = 0; n < graph->node_count; n++) {
        if (strcmp(graph->nodes[n].op->name, "linear_group") != 0) continue;
        int first = node_find_input(&graph->nodes[n], "a");
        int second = node_find_input(&graph->nodes[n], "b");
        assert_int_equal(graph->values[first].type.element, graph->values[second].type.element);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_graphs_compute_the_same),
        cmocka_unit_test(partitioned_graphs_compute_the_same),
        cmocka_unit_test(mapped_layers_compute_the_same),
        cmocka_unit_test(failed_allocations_are_reported),
        cmocka_unit_test(products_of_one_type_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

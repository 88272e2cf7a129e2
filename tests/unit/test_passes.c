/* Passes one by one, on small graphs of fake operators: what they provide, what they refuse, and
 * memory plans of random lifetimes and graphs. */
#include "base/random.h"
#include "ir/memory_pack.h"
#include "ir/pass.h"
#include "tests/unit/fake_ops.h"

static struct graph *parse(struct arena *arena, const char *text)
{
    struct diagnostic diagnostic = {0};
    struct graph *graph;
    CHECK_OK(graph_parse("test", text, fake_ops, arena, &graph, &diagnostic));
    return graph;
}

static const char *print(const struct graph *graph)
{
    struct text text = {.arena = graph->arena};
    graph_print(graph, &text);
    return text_finish(&text);
}

static void shapes_follow_changed_inputs(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct graph *graph = parse(arena, "graph g\ninput x: f32[tokens,4]\nweight w: f32[6,4]\n"
                                       "a = linear(x, w, _, _)\nb, c = split(a, x)\noutput b\n");
    graph->values[graph_find_value(graph, "x")].type.shape[0] = dimension_of(SYMBOL_OUTPUTS, 1);
    CHECK_REFUSED(graph_verify(graph, &diagnostic), STATUS_BAD_INPUT, "result of another type");
    CHECK_OK(pass_shapes(graph, &diagnostic));
    CHECK_OK(graph_verify(graph, &diagnostic));
    const struct value *b = &graph->values[graph_find_value(graph, "b")];
    assert_true(b->type.shape[0].symbol == SYMBOL_OUTPUTS && b->type.shape[1].scale == 6);
    graph->nodes[1].inputs[1] = VALUE_NONE;
    CHECK_REFUSED(pass_shapes(graph, &diagnostic), STATUS_BAD_INPUT,
                  "node 1 (split): whether it has result b changed");
    graph->values[graph_find_value(graph, "w")].type.shape[1].scale = 5;
    CHECK_REFUSED(pass_shapes(graph, &diagnostic), STATUS_BAD_INPUT, "x and weight do not fit");
    arena_destroy(arena);
}

static void dead_code_goes_live_code_stays(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct graph *graph =
        parse(arena, "graph g\ninput x: f32[tokens,4]\ninput unused: f32[4]\n"
                     "weight w: f32[4,4]\nweight v: f32[4,4]\nweight u: f32[4,4]\n"
                     "state s: f32[4]\nstate t: f32[4]\nstate r: f32[4]\n"
                     "a = linear(x, w, _, _)\ndead = linear(a, v, _, _)\n"
                     "deader = add(dead, a)\nwrite(a, s)\nlost = read(a, t)\n"
                     "b, c = split(x, a)\noutput b\n");
    CHECK_OK(pass_dead_code(graph, &diagnostic));
    CHECK_OK(graph_verify(graph, &diagnostic));
    const char *expected = "graph g\ninput x: f32[tokens,4]\ninput unused: f32[4]\n"
                           "weight w: f32[4,4]\nstate s: f32[4]\na = linear(x, w, _, _)\n"
                           "write(a, s)\nb, c = split(x, a)\noutput b\n";
    CHECK_TEXT(print(graph), expected);
    CHECK_OK(pass_dead_code(graph, &diagnostic));
    CHECK_TEXT(print(graph), expected);
    assert_int_equal(graph_find_value(graph, "dead"), VALUE_NONE);
    assert_int_equal(graph_find_value(graph, "c"), graph->value_count - 1);
    arena_destroy(arena);
}

struct map_refusal {
    const char *text, *message;
    int map[2];
};

#define HEAD                                                                                       \
    "graph g\ninput x: f32[tokens,4]\nweight w: f32[4,4]\nweight v: f32[6,4]\nstate s.0: f32[4]\n"

static const struct map_refusal map_refusals[] = {
    {HEAD "a = map(x) {steps=1}\nb = read(a, a) layer 0\noutput b\n",
     "asks for layer 1; the model has layers 0 to 0",
     {0, 1}},
    {HEAD "a = map(x) {steps=1}\nb = read(a, a) layer 0\noutput b\n", "asks for layer -1", {0, -1}},
    {HEAD "a = map(x) {steps=1}\nb = read(a, a) layer 1\nc = read(b, b) layer 0\noutput c\n",
     "node 1 (read) of layer 1 comes after layer -1",
     {0, 0}},
    {HEAD "a = map(x) {steps=1}\nb = read(a, a) layer 0\nc = read(b, b)\nd = read(c, c) layer "
          "1\noutput d\n",
     "node 2 (read) of layer -1 comes after layer 0",
     {0, 0}},
    {HEAD "a = map(x) {steps=1}\nb = read(a, a) layer 0\nc = read(a, b) layer 1\nd = read(c, b) "
          "layer 2\noutput d\n",
     "b of layer 0 is used in layer 2, not in the next one alone",
     {0, 0}},
    {HEAD "a = map(x) {steps=1}\nb = read(a, a) layer 0\nc = read(a, a) layer 0\nd = read(b, c) "
          "layer 1\noutput d\n",
     "layer 1 takes both b and c",
     {0, 0}},
    {HEAD "a = map(x) {steps=1}\ne = map(x) {steps=1}\nb = read(a, e) layer 0\noutput b\n",
     "layer 0 takes both a and e",
     {0, 0}},
    {HEAD "b = read(x, x) layer 0\nc = read(b, b) layer 1\noutput c\n",
     "nothing is made for the first layer alone",
     {0, 0}},
    {HEAD "a = map(x) {steps=1}\nb = read(a, a) layer 0\nc = map(x) {steps=1} layer 1\noutput c\n",
     "nothing goes from layer 0 to what follows it",
     {0, 0}},
    {HEAD
     "a = map(x) {steps=1}\nb = linear(a, v, _, _) layer 0\nc = read(b, b) layer 1\noutput c\n",
     "a and b join layers but differ in type",
     {0, 0}},
    {HEAD "a = map(x) {steps=1}\nb = read(a, s.0) layer 0\nc = read(b, s.0) layer 1\noutput c\n",
     "state s.0 is used in layers 0 and 1",
     {0, 0}},
    {HEAD
     "a = map(x) {steps=1}\nb = read(a, a) layer 0\nc = read(b, b) layer 1\noutput b\noutput c\n",
     "b of layer 0 is used in layer 2",
     {0, 0}},
    {"graph g layers 2\ninput x: f32[4]\na = map(x) {steps=1}\nb = read(a, a) layer 0\noutput b\n",
     "has no nodes in layer 1",
     {0, 0}},
};

static void uneven_layers_are_not_mapped(void **unused)
{
    (void)unused;
    for (size_t r = 0; r < sizeof map_refusals / sizeof *map_refusals; r++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *graph = parse(arena, map_refusals[r].text);
        const char *before = print(graph);
        status code = pass_layer_map(graph, map_refusals[r].map, 2, &diagnostic);
        CHECK_REFUSED(code,
                      strstr(map_refusals[r].message, "asks") ? STATUS_USAGE : STATUS_UNSUPPORTED,
                      map_refusals[r].message);
        CHECK_TEXT(print(graph), before); /* a refusal changes nothing */
        CHECK_REFUSED(pass_layer_map(graph, map_refusals[r].map, 0, &diagnostic), STATUS_USAGE,
                      "a layer map of 0 layers");
        arena_destroy(arena);
    }
}

/* Names that do not end in the layer's number, names that are taken, values from before the layers
 * used in all. */
static void mapped_names_are_new(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct graph *graph =
        parse(arena, "graph g\ninput x: f32[4]\nstate memory: f32[4] layer 0\n"
                     "state s.1: f32[4]\nshared = map(x) {steps=1}\n"
                     "h.1 = map(x) {steps=2}\nh = read(h.1, memory) layer 0\n"
                     "write(h, memory) layer 0\ng.1 = read(h, shared) layer 1\n"
                     "end = read(g.1, s.1)\nlast = read(end, shared)\noutput last\n");
    CHECK_OK(pass_layer_map(graph, (int[]){1, 0, 0}, 3, &diagnostic));
    CHECK_OK(graph_verify(graph, &diagnostic));
    CHECK_TEXT(print(graph), "graph g\ninput x: f32[4]\nstate s.1: f32[4]\n"
                             "state memory.1: f32[4] layer 1\nstate memory.2: f32[4] layer 2\n"
                             "shared = map(x) {steps=1}\nh.1 = map(x) {steps=2}\n"
                             "g.0 = read(h.1, shared) layer 0\n"
                             "h.1.2 = read(g.0, memory.1) layer 1\nwrite(h.1.2, memory.1) layer 1\n"
                             "h.2 = read(h.1.2, memory.2) layer 2\nwrite(h.2, memory.2) layer 2\n"
                             "end = read(h.2, s.1)\nlast = read(end, shared)\noutput last\n");
    arena_destroy(arena);
}

static void impossible_partitions_are_refused(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    const char *text = "graph g\ninput x: f32[4]\nstate s: f32[4]\na = read(x, s) layer 0\n"
                       "b = read(a, s) layer 1\noutput b\n";
    struct graph *graph = parse(arena, text);
    CHECK_REFUSED(pass_partition(graph, (int[]){0, 1}, 2, 2, &diagnostic), STATUS_UNSUPPORTED,
                  "state s would be used on devices 0 and 1");
    graph = parse(arena, text);
    CHECK_REFUSED(pass_partition(graph, (int[]){0}, 1, 2, &diagnostic), STATUS_FAILED,
                  "devices for 1 layers were given; the graph has 2");
    CHECK_REFUSED(pass_partition(graph, (int[]){0, 2}, 2, 2, &diagnostic), STATUS_FAILED,
                  "layer 1 is to run on device 2 of 2");
    CHECK_REFUSED(pass_partition(graph, (int[]){0, 0}, 2, 129, &diagnostic), STATUS_USAGE,
                  "129 devices; Hone takes 1 to 128");
    graph = parse(arena, "graph g\ninput x: f32[4]\na = transfer(x) layer 0\noutput a\n");
    CHECK_REFUSED(pass_partition(graph, (int[]){0}, 1, 1, &diagnostic), STATUS_FAILED,
                  "is partitioned already");
    arena_destroy(arena);
}

static void a_transfer_serves_all_users_on_a_device(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct graph *graph =
        parse(arena, "graph g\ninput x: f32[4,4]\nweight w: f32[4,4]\n"
                     "a = linear(x, w, _, _) layer 0\nb = linear(a, w, x, a) layer 1\n"
                     "c = add(a, b) layer 1\nd = add(a, c) layer 2\noutput d\n");
    CHECK_OK(pass_partition(graph, (int[]){0, 3, 0}, 3, 4, &diagnostic));
    CHECK_OK(graph_verify(graph, &diagnostic));
    CHECK_TEXT(print(graph), "graph g\ninput x: f32[4,4]\nweight w: f32[4,4]\n"
                             "weight w@3: f32[4,4] device 3 source w\n"
                             "a = linear(x, w, _, _) layer 0\na@3 = transfer(a) layer 1 device 3\n"
                             "b = linear(a@3, w@3, x, a@3) layer 1 device 3\n"
                             "c = add(a@3, b) layer 1 device 3\nc@0 = transfer(c) layer 2\n"
                             "d = add(a, c@0) layer 2\noutput d\n");
    arena_destroy(arena);
}

static bool blocks_collide(const struct memory_block *a, const struct memory_block *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

static void check_blocks(const struct memory_block *blocks, int count, int64_t total)
{
    for (int a = 0; a < count; a++) {
        assert_true(blocks[a].offset >= 0 && blocks[a].offset % MEMORY_PACK_ALIGNMENT_BYTES == 0);
        assert_true(blocks[a].offset + blocks[a].bytes <= total);
        for (int b = 0; b < a; b++) assert_false(blocks_collide(&blocks[a], &blocks[b]));
    }
}

/* Computed anew: the bytes alive at each time. */
static int64_t bytes_alive_at_once(const struct memory_block *blocks, int count, int times)
{
    int64_t most = 0;
    for (int t = 0; t < times; t++) {
        int64_t alive = 0;
        for (int b = 0; b < count; b++)
            if (blocks[b].first <= t && t <= blocks[b].last)
                alive += (blocks[b].bytes + 63) / 64 * 64;
        most = alive > most ? alive : most;
    }
    return most;
}

/* Random blocks: mostly short-lived, of few sizes as in a model, or of any size. */
static int random_blocks(uint64_t seed, struct memory_block *blocks, int most, int times)
{
    static const int sizes[] = {64, 512, 512, 2048, 4096, 11008};
    int count = 1 + (int)(random_bits(seed, 0, 0) % (uint64_t)most);
    for (int b = 0; b < count; b++) {
        uint64_t life =
            random_bits(seed, 1, (uint64_t)b) % (random_bits(seed, 2, (uint64_t)b) % 8 ? 5 : 60);
        blocks[b].first = (int)(random_bits(seed, 3, (uint64_t)b) % (uint64_t)times);
        blocks[b].last =
            blocks[b].first + (int)life < times ? blocks[b].first + (int)life : times - 1;
        blocks[b].bytes = (int64_t)(random_bits(seed, 4, (uint64_t)b) % 5000);
        if (seed % 2) blocks[b].bytes = sizes[random_bits(seed, 4, (uint64_t)b) % 6];
        blocks[b].tag = b;
    }
    return count;
}

static void packed_blocks_never_collide(void **unused)
{
    (void)unused;
    enum { BLOCKS = 200, TIMES = 80, SEEDS = 600 };
    static struct memory_block blocks[BLOCKS];
    double sum = 0, worst = 1;
    int optimal = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        int64_t total, bound;
        int count = random_blocks(seed, blocks, BLOCKS, TIMES);
        CHECK_OK(memory_pack(blocks, count, arena, &total, &diagnostic));
        CHECK_OK(memory_pack_bound(blocks, count, arena, &bound, &diagnostic));
        check_blocks(blocks, count, total);
        assert_int_equal(bound, bytes_alive_at_once(blocks, count, TIMES));
        assert_true(total >= bound);
        double ratio = bound ? (double)total / (double)bound : 1;
        sum += ratio, worst = ratio > worst ? ratio : worst, optimal += total == bound;
        arena_destroy(arena);
    }
    print_message("%d packings: %.4f of the lower bound on average, %.3f at worst, %d on it\n",
                  SEEDS, sum / SEEDS, worst, optimal);
    assert_true(sum / SEEDS < 1.05 && worst < 1.25);
}

static void packing_has_limits(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct memory_block block = {.bytes = MEMORY_PACK_BYTES_MAX};
    int64_t total;
    CHECK_OK(memory_pack(&block, 1, arena, &total, &diagnostic));
    assert_int_equal(total, MEMORY_PACK_BYTES_MAX);
    block.bytes++;
    CHECK_REFUSED(memory_pack(&block, 1, arena, &total, &diagnostic), STATUS_NO_MEMORY,
                  "too large");
    CHECK_OK(memory_pack(NULL, 0, arena, &total, &diagnostic));
    assert_int_equal(total, 0);
    struct graph *graph = parse(arena, "graph g\ninput x: f32[tokens,281474976710656]\n"
                                       "a = map(x) {steps=1}\noutput a\n");
    struct memory_layout memory;
    int64_t symbols[SYMBOL_COUNT] = {[SYMBOL_TOKENS] = 1 << 20};
    CHECK_REFUSED(pass_memory(graph, symbols, 1, arena, &memory, &diagnostic), STATUS_NO_MEMORY,
                  "a would take");
    arena_destroy(arena);
}

/* A random graph over three devices, layers of random operators. */
static struct graph *random_graph(struct arena *arena, uint64_t seed)
{
    struct text text = {.arena = arena};
    int count = 5 + (int)(random_bits(seed, 0, 0) % 60);
    text_append(&text, "graph g\ninput x: f32[tokens,64]\nv0 = map(x) {steps=1} layer 0\n");
    for (int v = 1; v < count; v++) {
        uint64_t back = 1 + random_bits(seed, 1, (uint64_t)v) % (uint64_t)(v < 6 ? v : 6);
        uint64_t other = random_bits(seed, 2, (uint64_t)v) % (uint64_t)v;
        text_print(&text, "v%d = %s(v%d, v%d) layer %d\n", v,
                   random_bits(seed, 3, (uint64_t)v) % 2 ? "add" : "read", v - (int)back,
                   (int)other, v / 5);
    }
    text_print(&text, "output v%d\noutput v%d\n", count - 1, count / 2);
    return parse(arena, text_finish(&text));
}

static void check_memory(const struct graph *graph, const struct memory_layout *memory)
{
    struct memory_block blocks[256];
    for (int device = 0; device < 3; device++) {
        int count = 0;
        for (int v = 0; v < graph->value_count; v++) {
            const struct value *value = &graph->values[v];
            assert_int_equal(memory->offsets[v] >= 0, value->kind == VALUE_RESULT);
            if (value->kind != VALUE_RESULT || value->device != device) continue;
            blocks[count] = (struct memory_block){memory->bytes[v], memory->offsets[v],
                                                  value->producer, value->producer, v};
            for (int n = 0; n < graph->node_count; n++)
                for (int i = 0; i < OP_INPUTS_MAX; i++)
                    if (graph->nodes[n].inputs[i] == v) blocks[count].last = n;
            for (int o = 0; o < graph->output_count; o++)
                if (graph->outputs[o] == v) blocks[count].last = graph->node_count;
            count++;
        }
        check_blocks(blocks, count, memory->device_bytes[device]);
        assert_true(memory->device_bytes[device] >=
                    bytes_alive_at_once(blocks, count, graph->node_count + 1));
    }
}

static int count_transfers(const struct graph *graph)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++)
        count += !strcmp(graph->nodes[n].op->name, "transfer");
    return count;
}

/* Placing a partitioned graph again leaves the nodes what they were; back on one device, nothing is transferred. */
static void placed_graphs_stay_what_they_are(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *graph = random_graph(arena, seed);
        int devices[16], nodes = graph->node_count;
        for (int l = 0; l < 16; l++) devices[l] = (int)(random_bits(seed, 8, (uint64_t)l) % 3);
        CHECK_OK(pass_partition(graph, devices, graph->layer_count, 3, &diagnostic));
        int *places = arena_allocate(arena, 4096, sizeof *places);
        for (int n = 0; n < graph->node_count; n++)
            places[n] = (int)(random_bits(seed, 9, (uint64_t)(graph->nodes[n].layer + 1)) % 3);
        CHECK_OK(pass_place(graph, places, 3, &diagnostic));
        CHECK_OK(graph_verify(graph, &diagnostic));
        assert_int_equal(graph->node_count - count_transfers(graph), nodes);
        for (int n = 0; n < graph->node_count; n++) places[n] = 1;
        CHECK_OK(pass_place(graph, places, 3, &diagnostic));
        CHECK_OK(graph_verify(graph, &diagnostic));
        assert_int_equal(graph->node_count, nodes);
        places[0] = 3;
        CHECK_REFUSED(pass_place(graph, places, 3, &diagnostic), STATUS_FAILED, "device 3 of 3");
        arena_destroy(arena);
    }
}

static void planned_graphs_never_collide(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *graph = random_graph(arena, seed);
        struct memory_layout memory;
        int64_t symbols[SYMBOL_COUNT] = {[SYMBOL_TOKENS] = 1 + (int64_t)(seed % 7)};
        int devices[16];
        for (int l = 0; l < 16; l++) devices[l] = (int)(random_bits(seed, 8, (uint64_t)l) % 3);
        CHECK_OK(pass_partition(graph, devices, graph->layer_count, 3, &diagnostic));
        CHECK_OK(graph_verify(graph, &diagnostic));
        CHECK_OK(pass_memory(graph, symbols, 3, arena, &memory, &diagnostic));
        check_memory(graph, &memory);
        CHECK_REFUSED(pass_memory(graph, symbols, 0, arena, &memory, &diagnostic), STATUS_FAILED,
                      "is on device");
        arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_follow_changed_inputs),
        cmocka_unit_test(dead_code_goes_live_code_stays),
        cmocka_unit_test(uneven_layers_are_not_mapped),
        cmocka_unit_test(mapped_names_are_new),
        cmocka_unit_test(impossible_partitions_are_refused),
        cmocka_unit_test(a_transfer_serves_all_users_on_a_device),
        cmocka_unit_test(packed_blocks_never_collide),
        cmocka_unit_test(packing_has_limits),
        cmocka_unit_test(placed_graphs_stay_what_they_are),
        cmocka_unit_test(planned_graphs_never_collide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

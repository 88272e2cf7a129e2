/* Graphs as text: printing and parsing are inverse, every bad text is refused with its place, and
 * no text does harm. */
#include "base/random.h"
#include "tests/unit/fake_ops.h"

static const char sample[] = "graph sample layers 4\n"
                             "input x: f32[tokens,64]\n"
                             "input order: i32[2*tokens]\n"
                             "weight w: q8_0[96,64] layer 1\n"
                             "weight w@1: q8_0[96,64]@interleave16 layer 1 device 1 source w\n"
                             "state k.0: f16[pages,32,64] layer 0\n"
                             "y = linear(x, w, _, _) layer 0\n"
                             "y@1 = transfer(y) layer 2 device 1\n"
                             "z = linear(x, w@1, _, y@1) layer 2 device 1\n"
                             "p = map(x) {scale=1.5 steps=3 mode=gelu}\n"
                             "write(x, k.0) layer 0\n"
                             "a, b = split(x, y)\n"
                             "c = split(order, _)\n"
                             "output z\n"
                             "output c\n";

static const char *print(const struct graph *graph, struct arena *arena)
{
    struct text text = {.arena = arena};
    graph_print(graph, &text);
    return text_finish(&text);
}

static void printing_and_parsing_are_inverse(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct graph *graph, *again;
    CHECK_OK(graph_parse("sample", sample, fake_ops, arena, &graph, &diagnostic));
    CHECK_TEXT(print(graph, arena), sample);
    CHECK_OK(graph_parse("again", print(graph, arena), fake_ops, arena, &again, &diagnostic));
    CHECK_TEXT(print(again, arena), sample);
    CHECK_OK(graph_parse("short",
                         "graph g\ninput x: f32[tokens,64]\nweight w: f32[96,64]\n"
                         "y = linear(x, w)\noutput y\n",
                         fake_ops, arena, &again, &diagnostic));
    assert_non_null(strstr(print(again, arena), "y = linear(x, w, _, _)\n"));
    assert_int_equal(graph->layer_count, 4);
    assert_int_equal(graph->values[graph_find_value(graph, "w@1")].device, 1);
    CHECK_TEXT(graph->values[graph_find_value(graph, "w@1")].source, "w");
    struct text text = {.arena = arena};
    node_print(graph, &graph->nodes[2], &text);
    CHECK_TEXT(text_finish(&text), "z = linear(x, w@1, _, y@1) layer 2 device 1");
    arena_destroy(arena);
}

/* What the parser takes beyond what is printed: comments, blank lines, spaces, defaults spelled
 * out. */
static void loose_texts_are_tidied(void **unused)
{
    (void)unused;
    static const char loose[] = "\n# a comment\n  graph   g   # the name\n\n"
                                "input x :f32[ 1*tokens , 4 ]\n"
                                "\ty=map( x ){ mode=none steps=2   scale=1.0 }layer 0 # node\n"
                                "output y";
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct graph *graph;
    CHECK_OK(graph_parse("loose", loose, fake_ops, arena, &graph, &diagnostic));
    CHECK_TEXT(print(graph, arena), "graph g\ninput x: f32[tokens,4]\n"
                                    "y = map(x) {steps=2} layer 0\noutput y\n");
    arena_destroy(arena);
}

struct refusal {
    const char *text, *message;
};

#define HEAD "graph g\ninput x: f32[tokens,4]\n"

static const struct refusal refusals[] = {
    {"", "f:1:1: a graph begins with a line"},
    {"\n\n  # nothing\n", "f:4:1: a graph begins"},
    {"input x: f32[4]\n", "f:1:1: a graph begins"},
    {"graphs g\n", "f:1:1: a graph begins"},
    {"graph\n", "f:1:6: expected the graph's name, found the end of the line"},
    {"graph _\n", "f:1:7: \"_\" is not a name for a graph"},
    {"graph g more\n", "f:1:9: the line should end here"},
    {"graph g layers\n", "f:1:15: expected a number of layers"},
    {"graph g layers 99999\n", "f:1:16: expected a number of layers from 0 to 16384, found 99999"},
    {"graph g layers -1\n", "f:1:16: expected a number of layers"},
    {"graph g layers 1\ninput x: f32[4]\ny = read(x, x) layer 1\n",
     "f:4:1: the graph says 1 layers"},
    {HEAD "nonsense\n", "f:3:1: nonsense is not a statement"},
    {HEAD "inputs y: f32[4]\n", "f:3:1: inputs is not a statement"},
    {HEAD "%\n", "f:3:1: expected a statement, found '%'"},
    {HEAD "\x01\n", "f:3:1: expected a statement, found byte 1"},
    {HEAD "\xff\n", "f:3:1: expected a statement, found byte 255"},
    {HEAD "input : f32[4]\n", "f:3:7: expected a name, found ':'"},
    {HEAD "input x: f32[4]\n", "f:3:7: x is there twice"},
    {HEAD "input _: f32[4]\n", "f:3:7: \"_\" is not a name"},
    {HEAD "input y f32[4]\n", "f:3:9: expected ':', found 'f'"},
    {HEAD "input y: f31[4]\n", "f:3:10: there is no element type f31"},
    {HEAD "input y: f32 4\n", "f:3:14: expected '[', found '4'"},
    {HEAD "input y: f32[]\n", "f:3:14: expected a size, found ']'"},
    {HEAD "input y: f32[0]\n", "f:3:14: expected a size from 1 to 281474976710656, found 0"},
    {HEAD "input y: f32[-4]\n", "f:3:14: expected a size, found '-'"},
    {HEAD "input y: f32[99999999999999999999]\n", "f:3:14: expected a size from 1"},
    {HEAD "input y: f32[2*]\n", "f:3:16: expected a size, found ']'"},
    {HEAD "input y: f32[none]\n", "f:3:14: none is not a size"},
    {HEAD "input y: f32[4,4,4,4,4]\n", "f:3:22: more than 4 dimensions"},
    {HEAD "input y: f32[4\n", "f:3:15: expected ']', found the end of the line"},
    {HEAD "input y: q8_0[4,33]\n", "f:3:10: the last dimension of a q8_0 tensor"},
    {HEAD "input y: f32[281474976710656,2]\n", "f:3:10: more than 2^48 elements"},
    {HEAD "input y: f32[4]@\n", "f:3:17: expected a layout, found the end of the line"},
    {HEAD "input y: f32[4]@diagonal\n", "f:3:17: there is no layout diagonal"},
    {HEAD "weight y: f32[17,4]@interleave16\n", "f:3:11: layout interleave16 needs"},
    {HEAD "input y: f32[4] layer 1\n", "f:3:7: y: 1 is not a layer for it"},
    {HEAD "weight y: f32[4] layer 99999\n", "f:3:24: expected a layer from 0 to 16383"},
    {HEAD "weight y: f32[4] device 128\n", "f:3:25: expected a device from 0 to 127"},
    {HEAD "input y: f32[4] source z\n", "f:3:23: only weights have a source"},
    {HEAD "weight y: f32[4] source\n", "f:3:24: expected the name of a weight"},
    {HEAD "weight y: f32[4] trailing\n", "f:3:18: the line should end here"},
    {HEAD "y = \n", "f:3:5: expected an operator, found the end of the line"},
    {HEAD "y = fly(x)\n", "f:3:5: there is no operator fly"},
    {HEAD "y = map x\n", "f:3:9: expected '(', found 'x'"},
    {HEAD "y = map(z) {steps=1}\n", "f:3:9: there is no value z before this line"},
    {HEAD "y = map(y) {steps=1}\n", "f:3:9: there is no value y before this line"},
    {HEAD "y = map(x, x) {steps=1}\n", "f:3:10: expected ')', found ','"},
    {HEAD "y = add(x)\n", "f:3:10: expected ',', found ')'"},
    {HEAD "y = add(x, _)\n", "f:3:5: add: operand y is missing"},
    {HEAD "y = map(x) {steps=1\n", "f:3:20: expected an attribute, found the end of the line"},
    {HEAD "y = map(x) {steps}\n", "f:3:18: expected '=', found '}'"},
    {HEAD "y = map(x) {steps=}\n", "f:3:19: steps must be an integer"},
    {HEAD "y = map(x) {steps=0x1}\n", "f:3:19: steps must be an integer"},
    {HEAD "y = map(x) {steps=9}\n", "f:3:12: steps of map is 9; it must be 1 to 8"},
    {HEAD "y = map(x) {steps=1 scale=nan}\n", "f:3:27: scale must be a number"},
    {HEAD "y = map(x) {steps=1 scale=1e999}\n", "f:3:27: scale must be a number"},
    {HEAD "y = map(x) {steps=1 scale=1e9}\n", "f:3:12: scale of map is 1e+09"},
    {HEAD "y = map(x) {steps=1 mode=loud}\n", "f:3:26: mode must be one of its words"},
    {HEAD "y = map(x) {steps=1 steps=2}\n", "f:3:21: steps is there twice"},
    {HEAD "y = map(x) {steps=1 width=2}\n", "f:3:21: map has no attribute width"},
    {HEAD "y = map(x)\n", "f:3:11: map needs the attribute steps"},
    {HEAD "x = map(x) {steps=1}\n", "f:3:1: x is there twice"},
    {HEAD "y, z = map(x) {steps=1}\n", "f:3:8: map has no result number 2 here"},
    {HEAD "y, y = split(x, x)\n", "f:3:8: y is there twice"},
    {HEAD "y = split(x, x)\n", "f:3:5: split needs a name for its result number 2"},
    {HEAD "a, b, c, d, e = split(x, x)\n", "f:3:12: more than 4 results"},
    {HEAD "map(x) {steps=1}\n", "f:3:1: map needs a name for its result number 1"},
    {HEAD "y = write(x, x)\n", "f:3:5: write: operand state is written, so it must be a state"},
    {HEAD "weight w: f32[5,5]\ny = linear(x, w, _, _)\n", "f:4:5: linear: x and weight do not fit"},
    {HEAD "output x\n", "f:3:8: only results of nodes can be outputs"},
    {HEAD "output z\n", "f:3:8: there is no value z before this line"},
    {HEAD "output _\n", "f:3:8: only results"},
    {HEAD "y = read(x, x)\noutput y\noutput y\n", "f:5:8: y is an output already"},
    {HEAD "weight w: f32[4,4] device 1\ny = linear(x, w, _, _)\n",
     "f:5:1: node 0 (linear): operand weight is on another device"},
    {HEAD "y = read(x, x) device 1\nz = read(y, y) device 2\n",
     "f:5:1: node 1 (read): operand x is on another device"},
    {HEAD "y = read(x, x) device 1 layer 0\n", "f:3:25: the line should end here"},
};

static void bad_texts_are_refused_with_their_place(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    for (size_t r = 0; r < sizeof refusals / sizeof *refusals; r++) {
        struct diagnostic diagnostic = {0};
        struct graph *graph;
        status code = graph_parse("f", refusals[r].text, fake_ops, arena, &graph, &diagnostic);
        size_t length = strlen(refusals[r].message);
        if (code != STATUS_BAD_INPUT || strncmp(diagnostic.text, refusals[r].message, length))
            CHECK_FAIL("\"%s\"\ngot %s: %s\nexpected %s", refusals[r].text, status_name(code),
                       diagnostic.text, refusals[r].message);
        arena_reset(arena);
    }
    arena_destroy(arena);
}

static void long_names_are_refused(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct graph *graph;
    char name[200] = {0};
    memset(name, 'n', 127);
    CHECK_OK(graph_parse("f", arena_print(arena, "graph g\ninput %s: f32[4]\n", name), fake_ops,
                         arena, &graph, &diagnostic));
    name[127] = 'n';
    CHECK_REFUSED(graph_parse("f", arena_print(arena, "graph g\ninput %s: f32[4]\n", name),
                              fake_ops, arena, &graph, &diagnostic),
                  STATUS_BAD_INPUT, "f:2:7: longer than 127 characters");
    arena_destroy(arena);
}

/* A refused text gives BAD_INPUT and a place; an accepted one prints and parses again. */
static void check_harmless(const char *text, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct graph *graph, *again;
    if (graph_parse("f", text, fake_ops, arena, &graph, &diagnostic) != STATUS_OK) {
        assert_int_equal(diagnostic.code, STATUS_BAD_INPUT);
        assert_true(!strncmp(diagnostic.text, "f:", 2));
        return;
    }
    const char *printed = print(graph, arena);
    CHECK_OK(graph_parse("again", printed, fake_ops, arena, &again, &diagnostic));
    CHECK_TEXT(print(again, arena), printed);
}

static void truncated_texts_are_harmless(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    for (size_t length = 0; length < sizeof sample; length++) {
        arena_reset(arena);
        check_harmless(arena_text_range(arena, sample, length), arena);
    }
    arena_destroy(arena);
}

/* Bytes replaced, removed or doubled at random. */
static char *mutate(struct arena *arena, uint64_t seed)
{
    static const char bytes[] = "_,()={}[]@*#:\n .09ax\x80\xff";
    char *text = arena_allocate(arena, sizeof sample + 8, 1);
    size_t length = sizeof sample - 1;
    memcpy(text, sample, length);
    for (uint64_t m = 0; m <= random_bits(seed, 0, 0) % 4; m++) {
        size_t at = random_bits(seed, 1, m) % length;
        switch (random_bits(seed, 2, m) % 3) {
        case 0: text[at] = bytes[random_bits(seed, 3, m) % (sizeof bytes - 1)]; break;
        case 1: memmove(text + at, text + at + 1, length - at), length--; break;
        case 2: memmove(text + at + 1, text + at, length - at), length++; break;
        }
    }
    text[length] = 0;
    return text;
}

static void mutated_texts_are_harmless(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    for (uint64_t seed = 0; seed < 20000; seed++) {
        arena_reset(arena);
        check_harmless(mutate(arena, seed), arena);
    }
    arena_destroy(arena);
}

static void failed_allocations_are_reported(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    status code = STATUS_NO_MEMORY;
    for (long n = 1; code != STATUS_OK; n++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct graph *graph;
        fault_set(n, 0);
        code = graph_parse("sample", sample, fake_ops, arena, &graph, &diagnostic);
        if (code == STATUS_OK && !print(graph, arena)) code = STATUS_NO_MEMORY;
        fault_set(0, 0);
        arena_destroy(arena);
        assert_true(code == STATUS_OK ? n > 10 : code == STATUS_NO_MEMORY);
    }
#endif
}

/* A text cannot make the graph larger than the arena's limit allows, nor take quadratic time. */
static void many_statements_take_little_time(void **unused)
{
    (void)unused;
    enum { COUNT = 20000 };
    struct arena *arena = arena_create(0), *small = arena_create(1 << 20);
    struct text text = {.arena = arena};
    struct diagnostic diagnostic = {0};
    struct graph *graph;
    text_append(&text, "graph g\ninput x0: f32[4]\n");
    for (int i = 0; i < COUNT; i++) text_print(&text, "x%d = read(x%d, x0)\n", i + 1, i);
    const char *bytes = text_finish(&text);
    CHECK_OK(graph_parse("f", bytes, fake_ops, arena, &graph, &diagnostic));
    assert_int_equal(graph->node_count, COUNT);
    CHECK_REFUSED(graph_parse("f", bytes, fake_ops, small, &graph, &diagnostic), STATUS_NO_MEMORY,
                  "out of memory");
    arena_destroy(small);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printing_and_parsing_are_inverse),
        cmocka_unit_test(loose_texts_are_tidied),
        cmocka_unit_test(bad_texts_are_refused_with_their_place),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(truncated_texts_are_harmless),
        cmocka_unit_test(mutated_texts_are_harmless),
        cmocka_unit_test(failed_allocations_are_reported),
        cmocka_unit_test(many_statements_take_little_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

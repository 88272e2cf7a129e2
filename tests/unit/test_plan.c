/* Plans: a sound one over two devices passes, and each way of spoiling it is found. */
#include "ir/plan.h"
#include "tests/unit/fake_ops.h"

static const char source[] = "graph two\n"
                             "input x: f32[2*tokens,16]\n"
                             "weight w: f32[16,16]\n"
                             "state s.0: f16[pages,4,16] layer 0\n"
                             "a = linear(x, w, _, _) layer 0\n"
                             "write(a, s.0) layer 0\n"
                             "b = read(a, s.0) layer 0\n"
                             "c = add(b, a) layer 1\n"
                             "d = map(c) {steps=1} layer 1\n"
                             "g = map(b) {steps=1} layer 2\n"
                             "h = map(g) {steps=1} layer 2\n"
                             "e = add(c, b) layer 2\n"
                             "f = add(e, d) layer 2\n"
                             "output f\n"
                             "output h\n";

enum { STEPS_MAX = 32, NODES_MAX = 16 };

struct fixture {
    struct arena *arena;
    struct plan plan;
    struct plan_device devices[2];
    struct plan_step steps[STEPS_MAX];
    struct plan_image images[NODES_MAX];
    int choices[NODES_MAX][BUCKET_ROW_COUNT][BUCKET_CONTEXT_COUNT];
};

static void add_step(struct fixture *f, struct plan_step step)
{
    assert_true(f->plan.step_count < STEPS_MAX);
    f->steps[f->plan.step_count++] = step;
}

/* Source and destination wait for each other around every copy. */
static void add_copy(struct fixture *f, const struct node *node)
{
    int from = f->plan.graph->values[node->inputs[0]].device, to = node->device;
    int ready = f->plan.event_count++, copied = f->plan.event_count++;
    add_step(f, (struct plan_step){.kind = STEP_SIGNAL, .device = from, .event = ready});
    add_step(f, (struct plan_step){.kind = STEP_WAIT, .device = to, .event = ready});
    add_step(f, (struct plan_step){.kind = STEP_COPY,
                                   .device = to,
                                   .value = node->inputs[0],
                                   .target = node->outputs[0]});
    add_step(f, (struct plan_step){.kind = STEP_SIGNAL, .device = to, .event = copied});
    add_step(f, (struct plan_step){.kind = STEP_WAIT, .device = from, .event = copied});
}

static void add_launch(struct fixture *f, int n)
{
    struct diagnostic diagnostic = {0};
    const struct node *node = &f->plan.graph->nodes[n];
    struct problem *problem;
    struct plan_image *image = &f->images[f->plan.image_count];
    CHECK_OK(problem_create(f->plan.graph, node, 4, 1024, f->arena, &problem, &diagnostic));
    image->problem = problem;
    image->candidate = "reference";
    image_reference(problem, &image->image);
    for (int r = 0; r < BUCKET_ROW_COUNT; r++)
        for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++)
            f->choices[n][r][c] = r <= 1 && c == 0 ? f->plan.image_count : -1;
    f->plan.image_count++;
    add_step(f, (struct plan_step){.kind = STEP_LAUNCH, .device = node->device, .node = n});
}

static void fixture_open(struct fixture *f)
{
    struct diagnostic diagnostic = {0};
    int64_t symbols[SYMBOL_COUNT];
    memset(f, 0, sizeof *f);
    f->arena = arena_create(0);
    f->plan = (struct plan){
        .arena = f->arena,
        .device_count = 2,
        .devices = f->devices,
        .steps = f->steps,
        .images = f->images,
        .choices = f->choices,
        .bounds = {.tokens = 4,
                   .outputs = 1,
                   .sequences = 2,
                   .context = 10,
                   .page_tokens = 4,
                   .pages = 6},
    };
    CHECK_OK(graph_parse("two", source, fake_ops, f->arena, &f->plan.graph, &diagnostic));
    CHECK_OK(pass_partition(f->plan.graph, (int[]){0, 1, 0}, 3, 2, &diagnostic));
    plan_symbols(&f->plan.bounds, symbols);
    CHECK_OK(pass_memory(f->plan.graph, symbols, 2, f->arena, &f->plan.memory, &diagnostic));
    for (int d = 0; d < 2; d++)
        f->devices[d] = (struct plan_device){.specification = "cpu",
                                             .class_name = "any",
                                             .target = TARGET_CPU,
                                             .arena_bytes = f->plan.memory.device_bytes[d]};
    for (int n = 0; n < f->plan.graph->node_count; n++)
        if (f->plan.graph->nodes[n].op == &fake_transfer)
            add_copy(f, &f->plan.graph->nodes[n]);
        else
            add_launch(f, n);
}

static void a_sound_plan_passes(void **unused)
{
    (void)unused;
    struct fixture f;
    struct diagnostic diagnostic = {0};
    int64_t symbols[SYMBOL_COUNT];
    fixture_open(&f);
    CHECK_OK(plan_verify(&f.plan, &diagnostic));
    plan_symbols(&f.plan.bounds, symbols);
    assert_int_equal(symbols[SYMBOL_STRIDE], 3);
    assert_int_equal(symbols[SYMBOL_PAGES], 6);
    assert_int_equal(symbols[SYMBOL_TOKENS], 4);
    assert_int_equal(symbols[SYMBOL_OUTPUTS], 1);
    arena_destroy(f.arena);
}

/* The first step of a kind. */
static struct plan_step *step_of(struct fixture *f, enum step_kind kind)
{
    for (int s = 0; s < f->plan.step_count; s++)
        if (f->steps[s].kind == kind) return &f->steps[s];
    return NULL;
}

static int value_of(const struct fixture *f, const char *name)
{
    return graph_find_value(f->plan.graph, name);
}

static void remove_step(struct fixture *f, const struct plan_step *step)
{
    int at = (int)(step - f->steps);
    f->plan.step_count--;
    memmove(f->steps + at, f->steps + at + 1, (size_t)(f->plan.step_count - at) * sizeof *f->steps);
}

static void spoil_bounds(struct fixture *f)
{
    f->plan.bounds.pages = 7;
}
static void spoil_page(struct fixture *f)
{
    f->plan.bounds.page_tokens = 0;
}
static void spoil_context(struct fixture *f)
{
    f->plan.bounds.context = (int64_t)1 << 40;
}
static void spoil_devices(struct fixture *f)
{
    f->plan.device_count = 0;
}
static void spoil_device(struct fixture *f)
{
    f->plan.device_count = 1;
}
static void spoil_name(struct fixture *f)
{
    f->devices[1].specification = NULL;
}
static void spoil_arena(struct fixture *f)
{
    f->devices[1].arena_bytes--;
}
static void spoil_graph(struct fixture *f)
{
    f->plan.graph->nodes[0].inputs[1] = 99;
}
static void spoil_rows(struct fixture *f)
{
    struct diagnostic diagnostic = {0};
    f->plan.graph->values[value_of(f, "x")].type.shape[0] = dimension_fixed(8);
    CHECK_OK(pass_shapes(f->plan.graph, &diagnostic));
}
static void spoil_tokens(struct fixture *f)
{
    f->plan.bounds.tokens = 4097;
}
static void spoil_events(struct fixture *f)
{
    f->plan.event_count = 99;
}
static void spoil_choice(struct fixture *f)
{
    f->choices[0][1][0] = -1;
}
static void spoil_choice_range(struct fixture *f)
{
    f->choices[0][0][0] = 99;
}
static void spoil_choice_node(struct fixture *f)
{
    f->choices[0][0][0] = f->choices[1][0][0];
}
static void spoil_target(struct fixture *f)
{
    f->images[0].image.target = TARGET_CUDA;
}
static void spoil_launch(struct fixture *f)
{
    f->images[0].image.launches[0].offset = 0;
}
static void spoil_argument(struct fixture *f)
{
    f->images[0].image.launches[0].arguments[0].index = 5;
}
static void spoil_launches(struct fixture *f)
{
    f->images[0].image.launch_count = 9;
}
static void spoil_unit(struct fixture *f)
{
    f->images[0].image.launches[0].geometry.unit = 0;
}
static void spoil_code(struct fixture *f)
{
    f->images[0].image.code_bytes = 64, f->images[0].image.launches[0].offset = 3;
}
static void spoil_bytes(struct fixture *f)
{
    f->plan.memory.bytes[value_of(f, "a")]--;
}
static void spoil_offset(struct fixture *f)
{
    f->plan.memory.offsets[value_of(f, "a")] = 4096;
}
static void spoil_alignment(struct fixture *f)
{
    f->plan.memory.offsets[value_of(f, "a")] += 1;
}
static void spoil_overlap(struct fixture *f)
{
    f->plan.memory.offsets[value_of(f, "b")] = f->plan.memory.offsets[value_of(f, "a")];
}
/* a and b lie side by side for certain; then b reaches into a from behind. */
static void spoil_overlap_below(struct fixture *f)
{
    f->plan.memory.device_bytes[0] = f->devices[0].arena_bytes = 1 << 16;
    f->plan.memory.offsets[value_of(f, "a")] = 4096;
    f->plan.memory.offsets[value_of(f, "b")] = 4096 + 64;
}
static void spoil_no_offset(struct fixture *f)
{
    f->plan.memory.offsets[value_of(f, "a")] = -1;
}
static void spoil_step_device(struct fixture *f)
{
    f->steps[0].device = 2;
}
static void spoil_step_other(struct fixture *f)
{
    f->steps[0].device = 1;
}
static void spoil_step_node(struct fixture *f)
{
    f->steps[0].node = 1;
}
static void spoil_step_kind(struct fixture *f)
{
    f->steps[0].kind = STEP_RESOLVE;
}
static void spoil_step_bad_kind(struct fixture *f)
{
    f->steps[0].kind = (enum step_kind)77;
}
static void spoil_copy(struct fixture *f)
{
    step_of(f, STEP_COPY)->target = value_of(f, "a");
}
static void spoil_signal(struct fixture *f)
{
    step_of(f, STEP_SIGNAL)->event = 99;
}
static void spoil_signal_twice(struct fixture *f)
{
    for (int s = 0; s < f->plan.step_count; s++)
        if (f->steps[s].kind == STEP_SIGNAL) f->steps[s].event = 0;
}
static void spoil_wait(struct fixture *f)
{
    step_of(f, STEP_WAIT)->event = 1;
}
static void spoil_no_wait(struct fixture *f)
{
    remove_step(f, step_of(f, STEP_WAIT));
}
static void spoil_last(struct fixture *f)
{
    f->plan.step_count--;
}

struct spoiling {
    void (*spoil)(struct fixture *f);
    const char *message;
};

static const struct spoiling spoilings[] = {
    {spoil_bounds, "7 pages; 2 sequences of 3 pages"},
    {spoil_page, "0 tokens per page"},
    {spoil_context, "tokens of context; it must be"},
    {spoil_devices, "0 devices"},
    {spoil_device, "is on device 1 of 1"},
    {spoil_name, "device 1 is not described"},
    {spoil_arena, "device 1 has"},
    {spoil_graph, "operand weight is no value"},
    {spoil_rows, "node 0 (linear) works on nothing that a step brings"},
    {spoil_tokens, "node 0 (linear) works on up to 4097 rows"},
    {spoil_events, "99 events"},
    {spoil_choice, "node 0 (linear) has no image for up to 4 rows"},
    {spoil_choice_range, "node 0 (linear) has no image for up to 1 rows"},
    {spoil_choice_node, "node 0 (linear) has the image of write("},
    {spoil_target, "node 0 (linear) has an image for"},
    {spoil_launch, "image 0 has a launch outside"},
    {spoil_argument, "image 0 has a launch outside"},
    {spoil_launches, "image 0 has a launch outside"},
    {spoil_unit, "image 0 has a launch outside"},
    {spoil_code, "image 0 has a launch outside"},
    {spoil_bytes, "a has a size that is not its type's"},
    {spoil_offset, "a at offset 4096 lies outside"},
    {spoil_alignment, "a at offset"},
    {spoil_overlap, "a and b share memory"},
    {spoil_overlap_below, "a and b share memory"},
    {spoil_no_offset, "a at offset -1"},
    {spoil_step_device, "step 0 is on device 2 of 2"},
    {spoil_step_other, "step 0 launches node 0, which its device cannot"},
    {spoil_step_node, "step 0 runs node 1 out of order"},
    {spoil_step_kind, "which its device cannot"},
    {spoil_step_bad_kind, "step 0 is of kind 77"},
    {spoil_copy, "copies something else"},
    {spoil_signal, "signals event 99"},
    {spoil_signal_twice, "signals event 0, which is not one or is taken"},
    {spoil_wait, "waits for event 1, which nothing before it signals"},
    {spoil_no_wait, "may read b before it is there"},
    {spoil_last, "no step runs node"},
};

static void every_spoiling_is_found(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof spoilings / sizeof *spoilings; i++) {
        struct fixture f;
        struct diagnostic diagnostic = {0};
        fixture_open(&f);
        spoilings[i].spoil(&f);
        CHECK_REFUSED(plan_verify(&f.plan, &diagnostic), STATUS_BAD_INPUT, spoilings[i].message);
        arena_destroy(f.arena);
    }
}

/* The four transfers in order, and what leaving out the wait for their source means. */
static const char *const without_ready[] = {
    "may read b before it is there", NULL, /* a was made before b, which was waited for */
    "may read c before it is there", NULL, /* d was made before the signal for c */
};

static void waits_count_where_they_are_needed(void **unused)
{
    (void)unused;
    for (int t = 0; t < 4; t++) {
        struct fixture f;
        struct diagnostic diagnostic = {0};
        fixture_open(&f);
        for (int s = 0; s < f.plan.step_count; s++)
            if (f.steps[s].kind == STEP_WAIT && f.steps[s].event == 2 * t)
                remove_step(&f, &f.steps[s]);
        if (without_ready[t])
            CHECK_REFUSED(plan_verify(&f.plan, &diagnostic), STATUS_BAD_INPUT, without_ready[t]);
        else
            CHECK_OK(plan_verify(&f.plan, &diagnostic));
        arena_destroy(f.arena);
    }
}

static void every_signal_counts(void **unused)
{
    (void)unused;
    struct fixture f;
    int signals = 0;
    for (int s = 0, steps = 1; s < steps; s++) {
        struct diagnostic diagnostic = {0};
        fixture_open(&f);
        steps = f.plan.step_count;
        if (f.steps[s].kind == STEP_SIGNAL) {
            remove_step(&f, &f.steps[s]);
            CHECK_REFUSED(plan_verify(&f.plan, &diagnostic), STATUS_BAD_INPUT,
                          "which nothing before it signals");
            signals++;
        }
        arena_destroy(f.arena);
    }
    assert_int_equal(signals, 8);
}

/* Every value has memory of its own, except that `second` lies where `first` lay. */
static void place_over(struct fixture *f, const char *first, const char *second)
{
    struct memory_layout *memory = &f->plan.memory;
    for (int v = 0; v < f->plan.graph->value_count; v++)
        if (memory->offsets[v] >= 0) memory->offsets[v] = 1024 * v;
    for (int d = 0; d < 2; d++) memory->device_bytes[d] = f->devices[d].arena_bytes = 1 << 16;
    memory->offsets[value_of(f, second)] = memory->offsets[value_of(f, first)];
}

/* Device 1 copies a out of device 0's memory, which g then takes: device 0 must wait until the copy
 * is done. */
static void memory_that_a_copy_reads_is_guarded(void **unused)
{
    (void)unused;
    struct fixture f;
    struct diagnostic diagnostic = {0};
    fixture_open(&f);
    place_over(&f, "a", "g");
    CHECK_OK(plan_verify(&f.plan, &diagnostic));
    for (int s = 0; s < f.plan.step_count; s++)
        if (f.steps[s].kind == STEP_WAIT && f.steps[s].event == 2 * 1 + 1)
            remove_step(&f, &f.steps[s]);
    CHECK_REFUSED(plan_verify(&f.plan, &diagnostic), STATUS_BAD_INPUT, "may overwrite a with g");
    place_over(&f, "b", "b"); /* everything apart */
    CHECK_OK(plan_verify(&f.plan, &diagnostic));
    arena_destroy(f.arena);
}

/* Device 1's queue pushes c into device 0's memory where g lay: it must know that device 0 is done
 * with g. */
static void memory_that_a_copy_writes_is_guarded(void **unused)
{
    (void)unused;
    struct fixture f;
    struct diagnostic diagnostic = {0};
    struct plan_step *wait = NULL;
    fixture_open(&f);
    place_over(&f, "g", "c@0");
    for (int s = 0; s < f.plan.step_count; s++) {
        struct plan_step *step = &f.steps[s];
        bool event = step->kind == STEP_SIGNAL || step->kind == STEP_WAIT;
        bool of_copy = step->kind == STEP_COPY && step->target == value_of(&f, "c@0");
        if (of_copy || (event && step->event / 2 == 2)) step->device = !step->device;
        if (step->kind == STEP_WAIT && step->event == 2 * 2) wait = step;
    }
    CHECK_OK(plan_verify(&f.plan, &diagnostic));
    struct plan_step *ready = wait - 1, last_use = *(wait - 2);
    assert_true(last_use.kind == STEP_LAUNCH && ready->kind == STEP_SIGNAL);
    wait[-2] = *ready, wait[-1] = last_use; /* device 0 says so one step too early */
    CHECK_REFUSED(plan_verify(&f.plan, &diagnostic), STATUS_BAD_INPUT, "may overwrite g with c@0");
    remove_step(&f, wait);
    CHECK_REFUSED(plan_verify(&f.plan, &diagnostic), STATUS_BAD_INPUT, "may overwrite g with c@0");
    arena_destroy(f.arena);
}

static void failed_allocations_are_reported(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    struct fixture f;
    fixture_open(&f);
    status code = STATUS_NO_MEMORY;
    for (long n = 1; code != STATUS_OK; n++) {
        struct diagnostic diagnostic = {0};
        fault_set(n, 0);
        code = plan_verify(&f.plan, &diagnostic);
        fault_set(0, 0);
        assert_true(code == STATUS_OK ? n > 5 : code == STATUS_NO_MEMORY);
    }
    arena_destroy(f.arena);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_plan_passes),
        cmocka_unit_test(every_spoiling_is_found),
        cmocka_unit_test(waits_count_where_they_are_needed),
        cmocka_unit_test(every_signal_counts),
        cmocka_unit_test(memory_that_a_copy_reads_is_guarded),
        cmocka_unit_test(memory_that_a_copy_writes_is_guarded),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

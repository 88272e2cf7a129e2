/* Planning of shapes on described machines: placements are legal and within the memory, changes of the machine matter, and
 * what is written wrongly is refused. */
#include "base/file.h"
#include "engine/plan_model.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

static const char two_cards[] =
    "cards:\n"
    "  - {profile: rtx3090, count: 2, memory_bytes: 8589934592, link: 13e9, latency: 10e-6}\n"
    "links_together: 24e9\n"
    "host: {name: h, target: cpu, class: c, facts: {cores: 8, memory_bytes: 34359738368, "
    "read_bandwidth: 44e9, real_rate: 1.1e12, integer_rate: 2.2e12, launch_nanoseconds: 4000}}\n"
    "disk: 3e9\n";

static const char *write_machine(struct scratch *scratch, const char *text)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "machine.yaml");
    CHECK_OK(file_write(path, text, strlen(text), &diagnostic));
    return path;
}

static struct plan_query query_of(const char *machine)
{
    return (struct plan_query){
        .element = ELEMENT_Q4_K, .machine = machine, .prompt_tokens = 512, .generated_tokens = 128};
}

static const struct engine_options options = {.cache_folder = "", .state_element = ELEMENT_F16};

static struct planned_model *plan(const char *shape, const struct plan_query *query)
{
    struct diagnostic diagnostic = {0};
    struct planned_model *planned = NULL;
    CHECK_OK(plan_model(shape, &options, query, &planned, &diagnostic));
    return planned;
}

/* What a device keeps, counted from the placement itself; behind the last device: the disk, which neither computes nor
 * caches. */
static double bytes_on(const struct placement *placement, int d)
{
    double bytes = (double)(placement->embed.home[d] * placement->embed.unit_bytes) +
                   (double)(placement->output.home[d] * placement->output.unit_bytes);
    for (int l = 0; l < placement->layer_count; l++)
        for (int part = 0; part < PLACEMENT_PARTS; part++) {
            const struct placement_piece *piece = &placement->layers[l].pieces[part];
            if (!piece->units) continue;
            bytes += (double)(piece->home[d] * piece->unit_bytes);
            if (d == placement->device_count) continue;
            bytes += (double)(piece->work[PLACEMENT_DECODE][d] * piece->unit_state_bytes);
            if (part == PLACEMENT_EXPERTS) bytes += (double)(piece->slots[d] * piece->unit_bytes);
        }
    return bytes;
}

/* Nothing is faster than what nothing can beat, and that is no number that nobody could come near. */
static void check_limit(const struct place_plan *plan)
{
    const struct solve_times *times = &plan->solution.times;
    struct place_limit limit;
    place_limit(plan, &limit);
    assert_true(limit.prefill_seconds <= times->prefill_seconds);
    assert_true(limit.decode_seconds <= times->decode_seconds);
    assert_true(limit.total_seconds * 10 > times->total_seconds);
}

static void placements_are_legal_and_fit(void **state)
{
    static const char *const shapes[] = {"llama-3-8b", "mixtral-8x7b", "qwen3-30b-a3b",
                                         "deepseek-v2-lite", "gpt-oss-20b"};
    struct diagnostic diagnostic = {0};
    const struct plan_query query = query_of(write_machine(*state, two_cards));
    const bool is_host[] = {false, false, true};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        struct planned_model *planned = plan(shapes[s], &query);
        const struct place_result *result = &planned->result;
        CHECK_OK(placement_verify(result->placement, is_host, &diagnostic));
        for (int d = 0; d < 3; d++)
            assert_true(bytes_on(result->placement, d) <=
                        0.97 * (double)planned->machine->devices[d].memory_bytes);
        assert_true(result->rule.solution.option_count == 0 ||
                    result->rule.solution.times.ranked_seconds >=
                        result->best.solution.times.ranked_seconds);
        assert_true(place_decode_rate(&result->best) > 0);
        check_limit(&result->best);
        planned_model_close(planned);
    }
}

/* More memory and quicker links never make the best time longer. */
static void better_machines_are_not_slower(void **state)
{
    struct plan_query query = query_of(write_machine(*state, two_cards));
    static const char *const changes[] = {"vram=4GiB link=2GB/s", "vram=4GiB link=8GB/s",
                                          "vram=8GiB,12GiB link=8GB/s", "vram=24GiB link=8GB/s"};
    double before = 1e30;
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        query.what_if = changes[c];
        struct planned_model *planned = plan("qwen3-30b-a3b", &query);
        double seconds = planned->result.best.solution.times.total_seconds;
        assert_true(seconds <= before * 1.03);
        before = seconds;
        planned_model_close(planned);
    }
}

/* The host has too little for what the cards leave: the rest is on the disk. */
static void disks_keep_what_nobody_else_can(void **state)
{
    struct plan_query query = query_of(write_machine(*state, two_cards));
    query.what_if = "vram=2GiB ram=4GiB";
    struct planned_model *planned = plan("qwen3-30b-a3b", &query);
    assert_true(bytes_on(planned->result.placement, 3) > 5e9);
    planned_model_close(planned);
    struct diagnostic diagnostic = {0};
    query.what_if = "vram=64MiB ram=64MiB";
    CHECK_REFUSED(plan_model("qwen3-30b-a3b", &options, &query, &planned, &diagnostic),
                  STATUS_NO_MEMORY, "the model does not fit");
}

static void wrong_words_are_refused(void **state)
{
    static const struct {
        const char *change, *words;
    } rows[] = {
        {"vram", "\"vram\" is not known"},
        {"vram=", "\"\" is not understood"},
        {"vram=1GiB,2GiB,3GiB", "3 values for 2 devices"},
        {"link=4GB", "write link=4GB/s"},
        {"link=-1GB/s", "is not understood"},
        {"latency=1e99us", "is not understood"},
        {"speed=4GB/s", "\"speed\" is not known"},
        {"ram=99999999999999999999GiB", "is not understood"},
    };
    struct diagnostic diagnostic = {0};
    struct planned_model *planned;
    struct plan_query query = query_of(write_machine(*state, two_cards));
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        query.what_if = rows[r].change;
        CHECK_REFUSED(plan_model("small-dense", &options, &query, &planned, &diagnostic),
                      STATUS_USAGE, rows[r].words);
    }
    query.what_if = NULL;
    CHECK_REFUSED(plan_model("no-such-shape", &options, &query, &planned, &diagnostic),
                  STATUS_USAGE, "is no file, and as a shape");
    query.prompt_tokens = 1e6;
    CHECK_REFUSED(plan_model("small-dense", &options, &query, &planned, &diagnostic), STATUS_USAGE,
                  "raise --context");
}

#define HOST                                                                                       \
    "host: {name: h, target: cpu, class: c, facts: {memory_bytes: 1e9, read_bandwidth: 1e9}}\n"

static void wrong_machines_are_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"cards: []\n", "'host'"},
        {HOST, "'cards'"},
        {"cards: [{profile: rtx3091}]\n" HOST, "did you mean 'rtx3090'"},
        {"cards: [3]\n" HOST, "a card is {profile"},
        {"cards: [{profile: rtx3090, count: 0}]\n" HOST, "count must be from 1"},
        {"cards: [{profile: rtx3090, count: 99999}]\n" HOST, "count must be from 1"},
        {"cards: [{profile: rtx3090, link: -1}]\n" HOST, "link must be a number from 0 up"},
        {"cards: [{profile: rtx3090, link: 0}]\n" HOST, "must be above 0"},
        {"cards: [{profile: rtx3090, links: 1}]\n" HOST, "unknown key 'links'"},
        {"cards: [{profile: rtx3090}]\nhost: {name: h, target: cuda, facts: {sm: 86, cores: 1}}\n",
         "a host is of target cpu"},
        {"cards: [{profile: rtx3090, count: 4}]\ncards_per_node: 2\n" HOST, "several nodes need"},
        {"cards: [{profile: rtx3090, count: 4}]\ncards_per_node: 2\nnetwork: {rate: 0}\n" HOST,
         "rate must be above 0"},
    };
    struct diagnostic diagnostic = {0};
    struct planned_model *planned;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct plan_query query = query_of(write_machine(*state, rows[r].text));
        CHECK_REFUSED(plan_model("small-dense", &options, &query, &planned, &diagnostic),
                      STATUS_BAD_INPUT, rows[r].words);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(placements_are_legal_and_fit),    TEST(better_machines_are_not_slower),
        TEST(disks_keep_what_nobody_else_can), TEST(wrong_words_are_refused),
        TEST(wrong_machines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The report of tuning as a file: whole at every instant, with every problem, harmless whatever the names hold, and no reason
 * to stop when it cannot be written. */
#include "base/file.h"
#include "engine/tuning_page.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tests/unit/fake_ops.h"

#include <jansson.h>
#include <sys/stat.h>

static const char space_text[] = "variant: quick_cpu\nop: add\ntarget: cpu\n"
                                 "tunables: {n: {values: [1, 2, 3, 4]}}\n"
                                 "rules: [{require: n != 4, class: hardware, reason: too many}]\n"
                                 "estimate: 1e-6 * n\n";

/* What strangers may write into names and what kernels may end with. */
static const char hostile[] = "</script><script>alert(1)</script><!-- \"'&\x01 \xff \xe2\x80\xa8";
static const char harmless[] = "EPYC";

enum { PROBLEMS = 3 };

struct fixture {
    struct scratch *scratch;
    struct arena *arena;
    const char *path;
    struct store *store;
    struct device_facts facts;
    const struct space *spaces[2];
    struct catalogue catalogue;
    struct tune_problem problems[PROBLEMS];
    struct tune_row rows[PROBLEMS];
    struct tune_report report;
    struct tune_setup setup;
    struct tuning_page_setup page;
};

static void add_record(struct fixture *fixture, int n, enum record_status found, double median,
                       const char *detail)
{
    struct diagnostic diagnostic = {0};
    const float samples[3] = {(float)median, (float)median, (float)median};
    const struct problem *problem = fixture->problems[0].problem;
    struct record record = {.problem = problem->text,
                            .problem_key = problem->key,
                            .candidate = arena_print(fixture->arena, "quick_cpu n=%d", n),
                            .device_class = "test",
                            .compiler = "llvm 1",
                            .protocol = RECORD_PROTOCOL,
                            .status = found,
                            .detail = detail,
                            .session = 1};
    if (found == RECORD_OK) {
        record.median_seconds = record.least_seconds = median;
        record.sample_count = 3;
        record.samples = samples;
    }
    CHECK_OK(store_add(fixture->store, &record, &diagnostic));
}

static void read_space(struct fixture *fixture)
{
    struct diagnostic diagnostic = {0};
    struct yaml *root;
    struct space *space;
    CHECK_OK(yaml_parse("test.yaml", space_text, strlen(space_text), fixture->arena, &root,
                        &diagnostic));
    CHECK_OK(space_read(root, fake_ops, fixture->arena, &space, &diagnostic));
    fixture->spaces[0] = space;
    fixture->catalogue = (struct catalogue){.spaces = fixture->spaces, .count = 1};
}

static void make_problems(struct fixture *fixture)
{
    struct diagnostic diagnostic = {0};
    for (int p = 0; p < PROBLEMS; p++) {
        const char *text =
            arena_print(fixture->arena, "add(f32[rows,%d], f32[rows,%d]) -> f32[rows,%d] rows<=16",
                        64 << p, 64 << p, 64 << p);
        struct problem *problem;
        CHECK_OK(problem_parse(text, fake_ops, fixture->arena, &problem, &diagnostic));
        fixture->problems[p] = (struct tune_problem){.problem = problem, .weight = 1};
        fixture->rows[p] =
            (struct tune_row){.problem = problem, .weight = 1, .winner = "reference"};
    }
}

static void fixture_open(struct fixture *fixture, void **state, const char *name)
{
    struct diagnostic diagnostic = {0};
    *fixture = (struct fixture){.scratch = *state};
    fixture->arena = fixture->scratch->arena;
    fixture->path = file_join(fixture->arena, fixture->scratch->folder, "report.html");
    fixture->facts =
        (struct device_facts){.target = TARGET_CPU, .name = name, .class_name = "test"};
    read_space(fixture);
    make_problems(fixture);
    CHECK_OK(store_open("", NULL, &fixture->store, &diagnostic));
    add_record(fixture, 1, RECORD_OK, 2e-6, "");
    add_record(fixture, 2, RECORD_OK, 1e-6, "");
    add_record(fixture, 3, RECORD_CRASHED, 0, name);
    fixture->report = (struct tune_report){.rows = fixture->rows, .row_count = PROBLEMS};
    fixture->setup = (struct tune_setup){.catalogue = &fixture->catalogue,
                                         .facts = &fixture->facts,
                                         .compiler = "llvm 1",
                                         .store = fixture->store,
                                         .problems = fixture->problems,
                                         .problem_count = PROBLEMS};
    fixture->page = (struct tuning_page_setup){
        .path = fixture->path, .model = name, .scope = name, .setup = &fixture->setup};
}

static const char *read_page(struct fixture *fixture)
{
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t byte_count;
    CHECK_OK(file_read(fixture->path, 1 << 24, fixture->arena, &bytes, &byte_count, &diagnostic));
    return bytes;
}

/* The page's data. */
static json_t *parse_page(struct fixture *fixture)
{
    const char *page = read_page(fixture), *begin = strstr(page, "id=\"data\">");
    assert_non_null(begin);
    begin += strlen("id=\"data\">");
    const char *end = strstr(begin, "</script>");
    json_error_t error;
    json_t *data = json_loadb(begin, (size_t)(end - begin), 0, &error);
    if (!data) CHECK_FAIL("no JSON: %s at %d", error.text, error.position);
    assert_string_equal(page + strlen(page) - strlen("</html>\n"), "</html>\n");
    return data;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int count_words(const char *text, const char *word)
{
    int count = 0;
    for (; (text = strstr(text, word)); text++) count++;
    return count;
}

/* Creates the page, tells it of all problems, finishes it. */
static void write_whole(struct fixture *fixture)
{
    struct diagnostic diagnostic = {0};
    struct tuning_page *page;
    CHECK_OK(tuning_page_create(&fixture->page, fixture->arena, &page, &diagnostic));
    const struct tune_watch *watch = tuning_page_watch(page);
    for (int p = 0; p < PROBLEMS; p++) {
        watch->changed(watch->context, &fixture->report, p, false);
        watch->changed(watch->context, &fixture->report, p, true);
    }
    CHECK_OK(tuning_page_finish(page, &fixture->report, &fixture->facts, NULL, &diagnostic));
}

static const json_t *candidate_of(const json_t *problem, const char *name)
{
    const json_t *list = json_object_get(json_object_get(problem, "detail"), "candidates");
    for (size_t c = 0; c < json_array_size(list); c++)
        if (strcmp(text_of(json_array_get(list, c), "name"), name) == 0)
            return json_array_get(list, c);
    CHECK_FAIL("%s is not on the page", name);
    return NULL;
}

static void the_page_says_what_the_records_say(void **state)
{
    struct fixture fixture;
    fixture_open(&fixture, state, harmless);
    write_whole(&fixture);
    json_t *data = parse_page(&fixture);
    const json_t *problems = json_object_get(data, "problems");
    CHECK_TEXT(text_of(data, "state"), "finished");
    assert_int_equal(json_array_size(problems), PROBLEMS);
    for (int p = 0; p < PROBLEMS; p++) {
        const json_t *problem = json_array_get(problems, (size_t)p);
        CHECK_TEXT(text_of(problem, "problem"), fixture.problems[p].problem->text);
        CHECK_TEXT(text_of(problem, "state"), "done");
    }
    const json_t *first = json_array_get(problems, 0), *detail = json_object_get(first, "detail");
    CHECK_TEXT(text_of(detail, "chosen"), "quick_cpu n=2");
    CHECK_TEXT(text_of(detail, "basis"), "explored");
    CHECK_TEXT(text_of(candidate_of(first, "quick_cpu n=2"), "verdict"), "chosen");
    CHECK_TEXT(text_of(candidate_of(first, "quick_cpu n=1"), "verdict"), "slower");
    assert_non_null(strstr(text_of(candidate_of(first, "quick_cpu n=1"), "reason"),
                           "2.00 times the best look"));
    CHECK_TEXT(text_of(candidate_of(first, "quick_cpu n=3"), "verdict"), "crashed");
    assert_int_equal(json_array_size(json_object_get(detail, "course")), 3);
    const json_t *space = json_array_get(json_object_get(detail, "spaces"), 0);
    const json_t *rule = json_array_get(json_object_get(space, "rules"), 0);
    CHECK_TEXT(json_string_value(json_array_get(rule, 1)), "too many");
    assert_true(json_is_true(json_object_get(space, "exact")));
    assert_true(json_number_value(json_array_get(rule, 2)) == 1); /* of n = 1, 2, 3, 4 the last */
    json_decref(data);
    store_close(fixture.store);
}

static void names_of_strangers_stay_names(void **state)
{
    static const char *const words[] = {"<script", "</script", "<!--", "alert(1)<"};
    struct fixture fixture;
    int expected[4];
    fixture_open(&fixture, state, harmless);
    write_whole(&fixture);
    for (int w = 0; w < 4; w++) expected[w] = count_words(read_page(&fixture), words[w]);
    store_close(fixture.store);
    fixture_open(&fixture, state, hostile);
    write_whole(&fixture);
    const char *page = read_page(&fixture);
    for (int w = 0; w < 4; w++) assert_int_equal(count_words(page, words[w]), expected[w]);
    json_t *data = parse_page(&fixture);
    static const char kept[] =
        "</script><script>alert(1)</script><!-- \"'&\x01 \xef\xbf\xbd \xe2\x80\xa8";
    CHECK_TEXT(text_of(data, "model"), kept);
    const json_t *first = json_array_get(json_object_get(data, "problems"), 0);
    CHECK_TEXT(text_of(candidate_of(first, "quick_cpu n=3"), "reason"), kept);
    json_decref(data);
    store_close(fixture.store);
}

static void nothing_is_loaded_from_elsewhere(void **state)
{
    static const char *const forbidden[] = {" src=", "@import", "url(", "fetch(", "XMLHttpRequest"};
    struct fixture fixture;
    fixture_open(&fixture, state, harmless);
    write_whole(&fixture);
    const char *page = read_page(&fixture);
    for (size_t f = 0; f < sizeof forbidden / sizeof *forbidden; f++)
        if (strstr(page, forbidden[f])) CHECK_FAIL("the page has %s", forbidden[f]);
    assert_int_equal(count_words(page, "://"), count_words(page, "http://www.w3.org/2000/svg"));
    assert_int_equal(count_words(page, "{{"), 0);
    store_close(fixture.store);
}

/* A reader who has the file open goes on seeing what it was; nothing is left behind. */
static void it_is_rewritten_as_a_whole(void **state)
{
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct tuning_page *page;
    fixture_open(&fixture, state, harmless);
    CHECK_OK(tuning_page_create(&fixture.page, fixture.arena, &page, &diagnostic));
    json_t *data = parse_page(&fixture);
    CHECK_TEXT(text_of(data, "state"), "tuning");
    json_decref(data);
    FILE *before = fopen(fixture.path, "rb");
    struct stat first, second;
    assert_int_equal(stat(fixture.path, &first), 0);
    CHECK_OK(tuning_page_finish(page, &fixture.report, &fixture.facts, NULL, &diagnostic));
    assert_int_equal(stat(fixture.path, &second), 0);
    assert_true(first.st_ino != second.st_ino);
    char *bytes = arena_allocate(fixture.arena, (size_t)first.st_size + 1, 1);
    assert_int_equal(fread(bytes, 1, (size_t)first.st_size, before), first.st_size);
    assert_non_null(strstr(bytes, "\"state\":\"tuning\""));
    fclose(before);
    const char **names;
    int count;
    CHECK_OK(file_list(fixture.scratch->folder, "", fixture.arena, &names, &count, &diagnostic));
    assert_int_equal(count, 1);
    store_close(fixture.store);
}

static void what_cannot_be_written_is_told_at_once(void **state)
{
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct tuning_page *page;
    fixture_open(&fixture, state, harmless);
    CHECK_OK(file_write(fixture.path, "a file", 6, &diagnostic));
    fixture.page.path = file_join(fixture.arena, fixture.path, "report.html");
    CHECK_REFUSED(tuning_page_create(&fixture.page, fixture.arena, &page, &diagnostic),
                  STATUS_INPUT_OUTPUT, "report.html");
    store_close(fixture.store);
}

#ifdef HONE_FAULTS
/* A full disk in the middle: the page stays as it was, tuning hears nothing of it, the end tells. */
static void a_full_disk_stops_nothing(void **state)
{
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    struct tuning_page *page;
    fixture_open(&fixture, state, harmless);
    for (int n = 1; n <= 4; n++) {
        CHECK_OK(tuning_page_create(&fixture.page, fixture.arena, &page, &diagnostic));
        const struct tune_watch *watch = tuning_page_watch(page);
        fault_set(0, n);
        watch->changed(watch->context, &fixture.report, 0, false);
        fault_set(0, 0);
        json_decref(parse_page(&fixture));
        fault_set(0, n);
        status code = tuning_page_finish(page, &fixture.report, &fixture.facts, NULL, &diagnostic);
        fault_set(0, 0);
        assert_int_equal(code, STATUS_INPUT_OUTPUT);
        assert_non_null(strstr(diagnostic.text, "report.html"));
        json_decref(parse_page(&fixture));
        diagnostic = (struct diagnostic){0};
    }
    write_whole(&fixture);
    store_close(fixture.store);
}

/* Whichever allocation fails, the answer is a status. */
static void memory_that_runs_out_is_told(void **state)
{
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    fixture_open(&fixture, state, harmless);
    status code = STATUS_NO_MEMORY;
    for (int n = 1; code != STATUS_OK; n++) {
        struct tuning_page *page = NULL;
        fault_set(n, 0);
        code = tuning_page_create(&fixture.page, fixture.arena, &page, &diagnostic);
        if (code == STATUS_OK) {
            const struct tune_watch *watch = tuning_page_watch(page);
            watch->changed(watch->context, &fixture.report, 0, true);
            code = tuning_page_finish(page, &fixture.report, &fixture.facts, NULL, &diagnostic);
        }
        fault_set(0, 0);
        if (code != STATUS_OK) assert_int_equal(code, STATUS_NO_MEMORY);
        assert_true(n < 10000);
    }
    json_decref(parse_page(&fixture));
    store_close(fixture.store);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_page_says_what_the_records_say),
        TEST(names_of_strangers_stay_names),
        TEST(nothing_is_loaded_from_elsewhere),
        TEST(it_is_rewritten_as_a_whole),
        TEST(what_cannot_be_written_is_told_at_once),
#ifdef HONE_FAULTS
        TEST(a_full_disk_stops_nothing),
        TEST(memory_that_runs_out_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A layer search in which one allocation or one write fails: it says so, leaks nothing, and the same call goes on from the
 * ledger it left to the result of a search in which nothing failed. */
#include "base/file.h"
#include "engine/layer_search.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <unistd.h>

#ifdef HONE_FAULTS

static const char model_path[] =
    HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/llama/llama-f32.gguf";
static const char passage[] =
    "3 4 5 6 7 8 9 4 6 8 3 7 5 9 3 5 8 4 9 7 6 3 8 8 5\n"; /* words of its vocabulary */
enum { PASSAGES = 4, BLOCKS = 3, /* of a model of two layers */ CALLS = 40 };

struct paths {
    const char *probe, *ledger;
};

static status search(const struct paths *paths, struct arena *arena,
                     struct layer_search_result *result, struct diagnostic *diagnostic)
{
    struct probe whole, kept, held_out;
    const struct layer_search_options options = {
        .model = model_path,
        .engine =
            {.context = 64, .threads = 1, .references = true, .cache_folder = "", .outputs = 64},
        .probe = &kept,
        .held_out = &held_out,
        .last_layer = -1,
        .top = 2,
        .ledger = paths->ledger,
    };
    TRY(probe_read(paths->probe, 64, 0, arena, &whole, diagnostic));
    TRY(probe_split(&whole, 1, arena, &kept, &held_out, diagnostic));
    return layer_search(&options, arena, result, diagnostic);
}

static void write_probe(struct scratch *scratch, const struct paths *paths)
{
    struct diagnostic diagnostic = {0};
    struct text text = {.arena = scratch->arena};
    for (int p = 0; p < PASSAGES; p++) text_append(&text, passage);
    CHECK_OK(file_write(paths->probe, text_finish(&text), text.length, &diagnostic));
}

static void check_same(const struct layer_search_result *right,
                       const struct layer_search_result *result)
{
    assert_int_equal(result->scanned, BLOCKS);
    assert_int_equal(result->best_count, right->best_count);
    for (int b = 0; b < BLOCKS; b++) {
        assert_true(result->blocks[b].gain == right->blocks[b].gain);
        assert_true(result->blocks[b].held_out_gain == right->blocks[b].held_out_gain);
    }
}

/* Fails the n-th allocation, or the n-th input or output; true when nothing came of it.  `*passed`: there is none any more. */
static bool fail_once(const struct paths *paths, const struct layer_search_result *right,
                      long allocation, long io, bool *passed)
{
    struct diagnostic diagnostic = {0};
    struct layer_search_result result;
    struct arena *arena = arena_create(0);
    unlink(paths->ledger);
    fault_set(allocation, io);
    status code = search(paths, arena, &result, &diagnostic);
    *passed = fault_pending();
    fault_set(0, 0);
    if (code != STATUS_OK) {
        if (!diagnostic.text[0] || (allocation && code != STATUS_NO_MEMORY))
            CHECK_FAIL("allocation %ld, i/o %ld: %s: %s", allocation, io, status_name(code),
                       diagnostic.text);
        diagnostic = (struct diagnostic){0};
        arena_reset(arena);
        CHECK_OK(search(paths, arena, &result, &diagnostic));
    }
    check_same(right, &result);
    arena_destroy(arena);
    return code == STATUS_OK;
}

static void one_failure_is_told_and_costs_nothing(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct layer_search_result right;
    const struct paths paths = {file_join(scratch->arena, scratch->folder, "probe.txt"),
                                file_join(scratch->arena, scratch->folder, "ledger.jsonl")};
    int failures = 0;
    write_probe(scratch, &paths);
    CHECK_OK(search(&paths, scratch->arena, &right, &diagnostic));
    assert_int_equal(right.count, BLOCKS);
    bool passed = false;
    for (long n = 1; !passed; n += 1 + n / 5) failures += !fail_once(&paths, &right, n, 0, &passed);
    print_message("%d failing allocations\n", failures);
    assert_true(failures > 30);
    int writes = 0;
    passed = false;
    for (long n = 1; !passed; n++)
        writes += !fail_once(&paths, &right, 0, n, &passed); /* reading what is not needed may fail */
    print_message("%d failing inputs and outputs\n", writes);
    assert_true(writes >= 2 * (BLOCKS + 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_failure_is_told_and_costs_nothing, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    return 0;
}
#endif

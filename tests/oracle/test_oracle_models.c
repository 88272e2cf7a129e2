/* Hone's logits against those of Hugging Face transformers (tests/oracle/README.md says where the vectors come from).
 *
 * Every source file of every reference model runs in several ways: with the plain references and with compiled kernels,
 * the prompt at once, in odd chunks, token by token, on one device and on two virtual cards, and as several ragged
 * sequences side by side.  HONE_ORACLE_DIR names a folder of fresh vectors. */
#include "tests/check.h"
#include "tests/oracle/oracle_harness.h"

static const struct manner manners[] = {
    {"references", "cpu", true, 512, 300, 1},
    {"references, token by token", "cpu", true, 1, 1, 1},
    {"references, chunks of 37, two virtual cards", "virtual:64MiB,virtual:64MiB", true, 37, 5, 1},
    {"references, three sequences", "cpu", true, 100, 100, 3},
    {"kernels", "cpu", false, 512, 300, 1},
    {"kernels, token by token", "cpu", false, 1, 1, 1},
    {"kernels, chunks of 37, two virtual cards", "virtual:64MiB,virtual:64MiB", false, 37, 5, 1},
    {"kernels, three sequences", "cpu", false, 100, 100, 3},
};

static void run_manner(void **state)
{
    struct oracle_run run = {.part = "models", .manner = *state};
    json_t *manifest = oracle_manifest(run.part);
    struct totals totals = {0};
    const json_t *source;
    size_t r, s;
    json_array_foreach(json_object_get(manifest, "references"), r, run.reference)
    {
        json_array_foreach(json_object_get(run.reference, "sources"), s, source)
        {
            run.path = json_string_value(json_object_get(source, "path"));
            oracle_run(&run, &totals);
        }
    }
    json_decref(manifest);
    print_message("%s: %d comparisons, largest difference %.3f of its bound\n", run.manner->name,
                  totals.comparisons, totals.worst);
    assert_int_equal(totals.failures, 0);
    assert_true(totals.comparisons > 80);
}

int main(void)
{
    struct CMUnitTest tests[sizeof manners / sizeof *manners];
    for (size_t m = 0; m < sizeof manners / sizeof *manners; m++)
        tests[m] = (struct CMUnitTest){.name = manners[m].name,
                                       .test_func = run_manner,
                                       .initial_state = (void *)(uintptr_t)&manners[m]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Further architectures: Hone's logits against those of Hugging Face transformers, as in test_oracle_models.c.
 *
 * Prints a row per model and file, which scripts/describe_models keeps in docs/models.md: the largest difference in each
 * manner as a share of its bound.  HONE_ORACLE_MODEL names one model that is to run alone. */
#include "tests/check.h"
#include "tests/oracle/oracle_harness.h"

static const struct manner manners[] = {
    {"references", "cpu", true, 512, 300, 1},
    {"references, token by token", "cpu", true, 1, 1, 1},
    {"kernels", "cpu", false, 512, 300, 1},
    {"kernels, token by token", "cpu", false, 1, 1, 1},
    {"kernels, chunks of 37, two virtual cards", "virtual:64MiB,virtual:64MiB", false, 37, 5, 1},
    {"kernels, three sequences", "cpu", false, 100, 100, 3},
};
enum { MANNERS = sizeof manners / sizeof *manners, KERNELS = 2 };

static void print_head(void)
{
    print_message("| model | architecture | file |");
    for (int m = 0; m < MANNERS; m++) print_message(" %s |", manners[m].name);
    print_message(" kernels, layer map |\n|---|---|---|");
    for (int m = 0; m <= MANNERS; m++) print_message("---|");
    print_message("\n");
}

/* One row of the table. */
static void run_source(struct oracle_run *run, const char *format, int *failures)
{
    const char *settings = run->settings ? run->settings : "";
    char cells[512] = "";
    for (int m = 0; m <= MANNERS; m++) {
        struct totals totals = {0};
        size_t length = strlen(cells);
        run->mapped = m == MANNERS;
        run->manner = &manners[run->mapped ? KERNELS : m];
        oracle_run(run, &totals);
        assert_true(totals.comparisons >= (run->mapped ? 1 : 5));
        *failures += totals.failures;
        snprintf(cells + length, sizeof cells - length, " %.2f |", totals.worst);
    }
    print_message("| %s | %s | %s%s%s |%s\n",
                  json_string_value(json_object_get(run->reference, "name")),
                  json_string_value(json_object_get(run->reference, "architecture")), format,
                  *settings ? ", " : "", settings, cells);
}

static void run_reference(struct oracle_run *run, int *failures)
{
    const json_t *source, *form;
    size_t s, f;
    json_array_foreach(json_object_get(run->reference, "sources"), s, source)
    {
        run->path = json_string_value(json_object_get(source, "path"));
        json_array_foreach(json_object_get(run->reference, "forms"), f, form)
        {
            const char *settings = json_string_value(form);
            run->settings = *settings ? settings : NULL;
            run_source(run, json_string_value(json_object_get(source, "format")), failures);
        }
    }
}

static void run_part(const char *part)
{
    struct oracle_run run = {.part = part};
    json_t *manifest = oracle_manifest(run.part);
    const char *wanted = getenv("HONE_ORACLE_MODEL");
    int failures = 0;
    size_t r;
    json_array_foreach(json_object_get(manifest, "references"), r, run.reference)
    {
        const char *name = json_string_value(json_object_get(run.reference, "name"));
        if (!wanted || !strcmp(wanted, name)) run_reference(&run, &failures);
    }
    json_decref(manifest);
    assert_int_equal(failures, 0);
}

/* The further architectures, and folders that hold codes and scales. */
static void logits_agree(void **state)
{
    (void)state;
    print_head();
    run_part("architectures");
    run_part("folders");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(logits_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What runs: no plan of any architecture, for any number of rows, holds a reference on the CPU, whatever instruction
 * families there are, and on cards every problem has a kernel. */
#include "engine/engine.h"
#include "engine/state_type.h"
#include "tests/check.h"
#include "tests/oracle/oracle_harness.h"

#include <stdlib.h>

static int checked;

static bool is_card(const char *where)
{
    return strncmp(where, "rtx", 3) == 0;
}

static int count_references(const struct engine *engine, const char *path, const char *settings)
{
    const struct plan *plan = engine_plan(engine);
    int count = 0;
    for (int i = 0; i < plan->image_count; i++) {
        const struct plan_image *image = &plan->images[i];
        checked++;
        if (strcmp(image->candidate, "reference") != 0) continue;
        print_error("%s %s: %s\n", path, settings ? settings : "", image->problem->text);
        count++;
    }
    return count;
}

/* `where`: instruction families, or a profile of a card, on which nothing but kernels may be chosen. */
static int check_model(const char *path, const char *settings, const char *where, const char *type)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = {
        .settings = settings, .context = 320, .chunk = 64, .cache_folder = ""};
    struct engine *engine = NULL;
    *(is_card(where) ? &options.devices : &options.cpu) = where;
    CHECK_OK(state_type_parse(type, &options, &diagnostic));
    if (engine_choose(path, &options, &engine, &diagnostic) != STATUS_OK)
        CHECK_FAIL("%s: %s", path, diagnostic.text);
    int count = count_references(engine, path, settings);
    engine_close(engine);
    return count;
}

/* The first file of a model, in each of its forms. */
static int check_reference(const char *part, const json_t *reference)
{
    const json_t *source = json_array_get(json_object_get(reference, "sources"), 0);
    const json_t *path = json_object_get(source ? source : reference, "path"), *form;
    char full[1024];
    int count = 0;
    size_t f;
    snprintf(full, sizeof full, "%s/tests/oracle/vectors/%s/%s", HONE_SOURCE_FOLDER, part,
             json_string_value(path));
    json_array_foreach(json_object_get(reference, "forms"), f, form)
    {
        const char *settings = json_string_value(form);
        count += check_model(full, *settings ? settings : NULL, "rtx3090", "f16");
        count += check_model(full, *settings ? settings : NULL, "native", "f16");
        count += check_model(full, *settings ? settings : NULL, "portable", "f32,rotate");
    }
    if (!json_object_get(reference, "forms")) {
        count += check_model(full, NULL, "native", "f16");
        count += check_model(full, NULL, "rtx3090", "f16");
    }
    return count;
}

static void no_architecture_needs_a_reference(void **state)
{
    static const char *const parts[] = {"models", "architectures"};
    (void)state;
    const json_t *reference;
    size_t r;
    int count = 0;
    for (int p = 0; p < 2; p++) {
        json_t *manifest = oracle_manifest(parts[p]);
        json_array_foreach(json_object_get(manifest, "references"), r, reference) count +=
            check_reference(parts[p], reference);
        json_decref(manifest);
    }
    assert_int_equal(count, 0);
    assert_true(checked > 1000);
}

static void no_cache_type_needs_a_reference(void **state)
{
    static const char *const types[] = {"bf16", "q8_0", "q4_0", "q4_0,rotate"};
    static const char dense[] = HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf";
    static const char experts[] = HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf";
    (void)state;
    int count = 0;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        count += check_model(dense, NULL, "native", types[t]) +
                 check_model(experts, NULL, "portable", types[t]) +
                 check_model(dense, NULL, "rtx5090", types[t]);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_architecture_needs_a_reference),
        cmocka_unit_test(no_cache_type_needs_a_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Numerics classes: configs of which a space says that they sum in the same order give the same bits. */
#include "base/text.h"
#include "tests/check.h"
#include "tests/ops/op_harness.h"
#include "tests/ops/variant_harness.h"

#include <string.h>

enum { CONFIGS_MOST = 6, CLASSES_MOST = 64 };

/* What the first config of a class gave. */
struct seen {
    const char *class;
    void *outputs[OP_OPERANDS_MAX];
};

struct classes {
    struct seen seen[CLASSES_MOST];
    int count, compared;
};

static void compare_outputs(struct classes *classes, const struct candidate *candidate,
                            const struct op_trial *trial, struct arena *arena)
{
    struct text text = {.arena = arena};
    candidate_numerics(candidate, &text);
    const char *class = text_finish(&text);
    int c = 0;
    while (c < classes->count && strcmp(classes->seen[c].class, class) != 0) c++;
    assert_true(c < CLASSES_MOST);
    for (int i = 0; i < trial->count; i++) {
        if (!op_trial_written(trial, i)) continue;
        size_t bytes = (size_t)trial->bytes[i];
        if (c == classes->count)
            classes->seen[c].outputs[i] = arena_copy(arena, trial->operands[i], bytes);
        else if (memcmp(classes->seen[c].outputs[i], trial->operands[i], bytes) != 0)
            CHECK_FAIL("two configs of the class '%s' give different bits", class);
    }
    if (c == classes->count)
        classes->seen[classes->count++].class = class;
    else
        classes->compared++;
}

static void run_config(struct variant_check *check, const struct candidate *candidate,
                       struct op_trial *trial, struct classes *classes)
{
    struct text text = {.arena = check->arena};
    config_print(candidate->space, &candidate->config, &text);
    if (variant_check_config(check, 0, candidate->space->variant, text_finish(&text), trial, 1e-2))
        compare_outputs(classes, candidate, trial, check->arena);
}

/* Some configs of one space, each with all values of the tunables that must not matter. */
static void check_space(struct variant_check *check, const struct bound_space *bound,
                        struct op_trial *trial, int *compared)
{
    const struct space *space = bound->space;
    uint64_t count = space_count(bound);
    struct classes classes = {.count = 0};
    for (uint64_t c = 0; c < CONFIGS_MOST && c < count; c++) {
        struct candidate candidate = {.space = space};
        if (!space_unrank(bound, c * count / CONFIGS_MOST, &candidate.config)) continue;
        run_config(check, &candidate, trial, &classes);
        for (int t = 0; t < space->tunable_count; t++)
            for (int v = 0; v < space->tunables[t].value_count && !(space->order >> t & 1); v++) {
                candidate.config.values[t] = space->tunables[t].values[v];
                run_config(check, &candidate, trial, &classes);
            }
    }
    print_message("  %-24s %3d classes, %3d configs compared\n", space->variant, classes.count,
                  classes.compared);
    *compared += classes.compared;
}

static void configs_of_a_class_give_the_same_bits(void **unused)
{
    (void)unused;
    static const char *const problems[] = {
        "linear(f32[tokens,512], q8_0[48,512], _, _)", "linear(f32[tokens,512], f32[48,512], _, _)",
        "linear(f32[tokens,512], bf16[48,512], _, _)", "rmsnorm(f32[tokens,256], f32[256])",
        "add(f32[tokens,64], f32[tokens,64])",
    };
    struct variant_check check;
    int compared = 0;
    variant_check_create(&check, 0);
    for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
        struct diagnostic diagnostic = {0};
        const struct op_step step = {.rows = 4};
        struct problem *problem;
        struct op_trial *trial;
        const char *reason;
        CHECK_OK(op_case_problem(problems[p], 4, 0, check.arena, &problem, &diagnostic));
        CHECK_OK(op_trial_create(problem, &step, 7, check.arena, &trial, &diagnostic));
        for (int s = 0; s < check.catalogue.count; s++) {
            struct bound_space bound;
            const struct space *space = check.catalogue.spaces[s];
            if (space->order != ~0u && space->target == TARGET_CPU &&
                space_bind(space, problem, &check.levels[0], check.arena, &bound, &reason))
                check_space(&check, &bound, trial, &compared);
        }
    }
    assert_true(compared >= 20);
    variant_check_destroy(&check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(configs_of_a_class_give_the_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

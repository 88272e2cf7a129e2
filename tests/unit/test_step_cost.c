/* Times of launches and transfers: exact at what is measured, in proportion elsewhere. */
#include "ops/op_table.h"
#include "planner/step_cost.h"
#include "tests/check.h"

#include <math.h>

static const char weights[] =
    "linear(f32[rows,1024], q8_0[1024,1024], _, _) -> f32[rows,1024] rows<=%d";

static struct device_facts card(void)
{
    struct device_facts facts = {.target = TARGET_CUDA};
    facts.values[FACT_read_bandwidth] = 1e12;
    facts.values[FACT_link_bandwidth] = 2e10;
    facts.values[FACT_link_nanoseconds] = 5000;
    facts.values[FACT_real_rate] = 1e13;
    facts.values[FACT_integer_rate] = 1e14;
    facts.values[FACT_launch_nanoseconds] = 2000;
    return facts;
}

static struct problem *linear(struct arena *arena, int rows)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(
        problem_parse(arena_print(arena, weights, rows), op_table(), arena, &problem, &diagnostic));
    return problem;
}

static void near(double value, double wanted)
{
    if (fabs(value - wanted) > 1e-6 * fabs(wanted)) CHECK_FAIL("%g, not %g", value, wanted);
}

static void launches_scale_from_their_bounds(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    const struct device_facts facts = card();
    struct launch_cost launch = {
        .problem = linear(arena, 256), .bound_seconds = 1e-3, .rows = 256, .facts = &facts};
    near(cost_launch_seconds(&launch), 1e-3);
    launch.rows = 0;
    near(cost_launch_seconds(&launch), 0);
    launch.rows = 200;
    double most = cost_launch_seconds(&launch);
    launch.rows = 100;
    double least = cost_launch_seconds(&launch);
    assert_true(least > 2e-6 && least < most && most < 1e-3);
    launch.bound_seconds = 0; /* what is not known takes what its bytes take */
    launch.rows = 1;
    struct problem single = *launch.problem;
    single.rows = 1;
    near(cost_launch_seconds(&launch), 2e-6 + problem_cost(&single).bytes / 1e12);
    arena_destroy(arena);
}

static void modelled_cards_take_their_operations(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct device_facts facts = card();
    facts.values[FACT_modelled_rate] = 1e9;
    struct launch_cost launch = {
        .problem = linear(arena, 4), .bound_seconds = 1e-5, .rows = 3, .facts = &facts};
    near(cost_launch_seconds(&launch), 2.0 * 1024 * 1024 * 3 / 1e9);
    arena_destroy(arena);
}

static void efficiencies_divide_rates(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    const struct device_facts facts = card();
    struct cost_efficiencies efficiencies;
    for (int c = 0; c < COST_CLASS_COUNT; c++) efficiencies.share[c] = 1;
    efficiencies.share[COST_PRODUCT_MANY] = 0.25;
    struct launch_cost launch = {.problem = linear(arena, 1024),
                                 .bound_seconds = 7,
                                 .rows = 1024,
                                 .facts = &facts,
                                 .efficiencies = &efficiencies};
    double operations = 2.0 * 1024 * 1024 * 1024;
    near(cost_launch_seconds(&launch), 2e-6 + operations / 1e14 / 0.25);
    assert_int_equal(cost_class_of(launch.problem, 1), COST_PRODUCT_FEW);
    CHECK_TEXT(cost_class_name(COST_PRODUCT_MANY), "product_many");
    arena_destroy(arena);
}

static void transfers_take_the_slower_link(void **unused)
{
    (void)unused;
    struct device_facts host = {.target = TARGET_CPU}, fast = card(), slow = card();
    slow.values[FACT_link_bandwidth] = 5e9;
    near(cost_transfer_seconds(&host, &fast, 2000000), 5e-6 + 1e-4);
    near(cost_transfer_seconds(&fast, &host, 2000000), 5e-6 + 1e-4);
    near(cost_transfer_seconds(&fast, &slow, 5000000), 10e-6 + 1e-3);
    assert_true(cost_transfer(&fast, &slow).host_memory);
    fast.values[FACT_peer_bandwidth] = slow.values[FACT_peer_bandwidth] = 1e11;
    near(cost_transfer_seconds(&fast, &slow, 1000000), 5e-6 + 1e-5);
    assert_false(cost_transfer(&fast, &slow).host_memory);
    host.values[FACT_read_bandwidth] = 2e10;
    near(cost_transfer_seconds(&host, &host, 1000000), 1e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(launches_scale_from_their_bounds),
        cmocka_unit_test(modelled_cards_take_their_operations),
        cmocka_unit_test(efficiencies_divide_rates),
        cmocka_unit_test(transfers_take_the_slower_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

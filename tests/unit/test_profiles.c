/* Profiles of devices that are not here: their reader, the architectures of cards, and the built-in
 * ones. */
#include "ir/card.h"
#include "ir/profiles.h"
#include "tests/check.h"

static status parse_profile(const char *yaml, struct arena *arena, struct device_facts *facts,
                            struct diagnostic *diagnostic)
{
    struct yaml *root;
    TRY(yaml_parse("card.yaml", yaml, strlen(yaml), arena, &root, diagnostic));
    return device_facts_read(root, arena, facts, diagnostic);
}

static void profiles_describe_devices(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct device_facts facts;
    CHECK_OK(parse_profile("name: Card\ntarget: cuda\nclass: mine\n"
                           "facts: {sm: 86, cores: 82, read_bandwidth: 9.36e11}\n",
                           arena, &facts, &diagnostic));
    CHECK_TEXT(facts.name, "Card");
    CHECK_TEXT(facts.class_name, "mine");
    CHECK_TEXT(facts.triple, "");
    assert_true(facts.values[FACT_read_bandwidth] == 9.36e11 && facts.values[FACT_cores] == 82);
    assert_true(facts.values[FACT_l2_bytes] == 0);
    static const struct {
        const char *yaml, *words;
    } bad[] = {
        {"name: C\ntarget: cuda\nfacts: {core: 82}\n", "unknown key 'core'; did you mean 'cores'?"},
        {"name: C\ntarget: tpu\nclass: s\nfacts: {}\n", "card.yaml:2:9: 'tpu' is no target"},
        {"name: C\ntarget: cpu\nclass: s\nfacts: {cores: -1}\n", "from 0 up"},
        {"name: C\ntarget: cpu\nfacts: {}\n", "'class' is missing"},
        {"target: cpu\nclass: s\nfacts: {}\n", "'name' is missing"},
        {"name: C\ntarget: cuda\nfacts: {cores: 82}\n", "must name its architecture"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_REFUSED(parse_profile(bad[i].yaml, arena, &facts, &diagnostic), STATUS_BAD_INPUT,
                      bad[i].words);
    CHECK_REFUSED(
        parse_profile("name: C\ntarget: cuda\nfacts: {sm: 87.5}\n", arena, &facts, &diagnostic),
        STATUS_UNSUPPORTED, "no CUDA architecture");
    arena_destroy(arena);
}

static void cards_have_their_architecture_s_limits(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct device_facts facts = {.target = TARGET_CUDA};
    facts.values[FACT_sm] = 86;
    facts.values[FACT_cores] = 10;
    facts.values[FACT_memory_bytes] = (double)((int64_t)24 << 30);
    facts.values[FACT_integer_rate] = 7;
    CHECK_OK(card_complete(&facts, 1e9, &diagnostic));
    assert_true(facts.values[FACT_shared_bytes_per_block] == 101376);
    assert_true(facts.values[FACT_threads_per_core] == 1536);
    assert_true(facts.values[FACT_half_rate] == 512e10); /* 10 multiprocessors at 1 GHz */
    assert_true(facts.values[FACT_integer_rate] == 7);   /* what is known stays */
    CHECK_TEXT(card_class(&facts, arena), "sm_86-10c-24g");
    assert_true(fact_is_measured(FACT_half_rate) && fact_is_measured(FACT_launch_nanoseconds));
    assert_false(fact_is_measured(FACT_blocks_per_core));
    arena_destroy(arena);
}

/* What no kernel could be planned without. */
static void check_card(const char *name, const struct device_facts *facts)
{
    static const enum fact needed[] = {FACT_sm,
                                       FACT_cores,
                                       FACT_memory_bytes,
                                       FACT_l2_bytes,
                                       FACT_read_bandwidth,
                                       FACT_link_bandwidth,
                                       FACT_real_rate,
                                       FACT_integer_rate,
                                       FACT_launch_nanoseconds,
                                       FACT_threads_per_core};
    assert_int_equal(facts->target, TARGET_CUDA);
    for (size_t f = 0; f < sizeof needed / sizeof *needed; f++)
        if (facts->values[needed[f]] <= 0) CHECK_FAIL("%s: no %s", name, fact_name(needed[f]));
}

static void built_in_profiles_are_whole(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct device_facts facts;
    int count = 0;
    for (const char *const *name = profile_names(arena); name[count]; count++) {
        CHECK_OK(profile_read(name[count], arena, &facts, &diagnostic));
        check_card(name[count], &facts);
    }
    assert_true(count >= 22);
    CHECK_OK(profile_read("rtx3090", arena, &facts, &diagnostic));
    CHECK_TEXT(facts.name, "GeForce RTX 3090");
    CHECK_TEXT(facts.class_name, "sm_86-82c-24g");
    CHECK_REFUSED(profile_read("rtx309", arena, &facts, &diagnostic), STATUS_NOT_FOUND,
                  "did you mean 'rtx3090'?");
    CHECK_REFUSED(profile_read("voodoo", arena, &facts, &diagnostic), STATUS_NOT_FOUND, "rtx5090");
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_describe_devices),
        cmocka_unit_test(cards_have_their_architecture_s_limits),
        cmocka_unit_test(built_in_profiles_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

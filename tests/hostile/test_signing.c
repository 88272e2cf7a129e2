/* Plans that others signed: they run where their key is trusted, unchanged, and nowhere else. */
#include "base/file.h"
#include "planner/plan_seal.h"
#include "planner/signing_key.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char plan[] = "machine code, and where it goes";

/* Whose configuration folder is looked at: the builder's or the runner's. */
static void become(struct scratch *scratch, const char *user)
{
    setenv("XDG_CONFIG_HOME", file_join(scratch->arena, scratch->folder, user), 1);
}

static status check(struct scratch *scratch, const char *bytes, const uint8_t *seal,
                    const char **signer, struct diagnostic *diagnostic)
{
    return plan_seal_check("a.plan", bytes, sizeof plan, seal, scratch->arena, signer, diagnostic);
}

static void a_signed_plan_runs_where_its_key_is_trusted(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct signing_key key, kept, *keys;
    uint8_t seal[PLAN_SEAL_BYTES];
    const char *signer;
    int count;
    become(scratch, "builder");
    CHECK_OK(signing_key_create("team", scratch->arena, &key, &diagnostic));
    CHECK_OK(plan_seal_make(plan, sizeof plan, "team", seal, &diagnostic));
    CHECK_OK(check(scratch, plan, seal, &signer, &diagnostic));
    CHECK_TEXT(signer, "team");
    become(scratch, "runner");
    CHECK_REFUSED(check(scratch, plan, seal, &signer, &diagnostic), STATUS_BAD_INPUT,
                  "not trusted here");
    CHECK_OK(signing_key_trust(key.path, scratch->arena, &kept, &diagnostic));
    CHECK_OK(check(scratch, plan, seal, &signer, &diagnostic));
    CHECK_OK(signing_keys_list(scratch->arena, &keys, &count, &diagnostic));
    assert_int_equal(count, 1);
    assert_false(keys[0].own);
    CHECK_TEXT(keys[0].fingerprint, key.fingerprint);
    CHECK_OK(signing_key_forget(key.fingerprint, scratch->arena, &kept, &diagnostic));
    CHECK_REFUSED(check(scratch, plan, seal, &signer, &diagnostic), STATUS_BAD_INPUT,
                  "not trusted here");
    CHECK_REFUSED(signing_key_forget("team", scratch->arena, &kept, &diagnostic), STATUS_USAGE,
                  "no key \"team\" is trusted");
}

/* Every bit of the seal counts, and every bit of the plan. */
static void changed_plans_and_seals_are_refused(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct signing_key key;
    uint8_t seal[PLAN_SEAL_BYTES];
    char changed[sizeof plan];
    const char *signer;
    become(scratch, "builder");
    CHECK_OK(signing_key_create("team", scratch->arena, &key, &diagnostic));
    for (int row = 0; row < 2; row++) {
        CHECK_OK(plan_seal_make(plan, sizeof plan, row ? "team" : NULL, seal, &diagnostic));
        for (size_t bit = 0; bit < 8 * sizeof seal; bit++) {
            seal[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK_REFUSED(check(scratch, plan, seal, &signer, &diagnostic), STATUS_BAD_INPUT,
                          "a.plan: offset 24: ");
            seal[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        memcpy(changed, plan, sizeof plan);
        for (size_t bit = 0; bit < 8 * sizeof plan; bit++) {
            changed[bit / 8] = (char)(plan[bit / 8] ^ (1 << bit % 8));
            CHECK_REFUSED(check(scratch, changed, seal, &signer, &diagnostic), STATUS_BAD_INPUT,
                          row ? "changed after team signed it" : "the seal is not this user's");
            changed[bit / 8] = plan[bit / 8];
        }
        CHECK_OK(check(scratch, plan, seal, &signer, &diagnostic));
    }
}

static void keys_are_not_lost_nor_mixed_up(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct signing_key first, second, again;
    uint8_t seal[PLAN_SEAL_BYTES];
    struct stat facts;
    become(scratch, "builder");
    CHECK_OK(signing_key_create("team", scratch->arena, &first, &diagnostic));
    CHECK_REFUSED(signing_key_create("team", scratch->arena, &again, &diagnostic), STATUS_USAGE,
                  "there is a key team already");
    become(scratch, "other");
    CHECK_OK(signing_key_create("team", scratch->arena, &second, &diagnostic));
    become(scratch, "runner");
    CHECK_OK(signing_key_trust(first.path, scratch->arena, &again, &diagnostic));
    CHECK_OK(signing_key_trust(first.path, scratch->arena, &again, &diagnostic));
    CHECK_REFUSED(signing_key_trust(second.path, scratch->arena, &again, &diagnostic), STATUS_USAGE,
                  "another key is trusted as team");
    CHECK_REFUSED(plan_seal_make(plan, sizeof plan, "team", seal, &diagnostic), STATUS_USAGE,
                  "`hone keys new team` makes it");
    become(scratch, "builder");
    const char *secret = file_join(scratch->arena, scratch->folder, "builder/hone/keys/team.key");
    assert_int_equal(stat(secret, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_int_equal(chmod(secret, 0640), 0);
    CHECK_REFUSED(plan_seal_make(plan, sizeof plan, "team", seal, &diagnostic), STATUS_FAILED,
                  "open to other users");
    assert_int_equal(chmod(secret, 0600), 0);
    assert_int_equal(truncate(secret, 63), 0);
    CHECK_REFUSED(plan_seal_make(plan, sizeof plan, "team", seal, &diagnostic), STATUS_FAILED,
                  "too short");
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const names[] = {"", ".", "..", "../x", "a/b", "a b", ".hidden", "\xc3\xa4"};
    static const char *const texts[] = {
        "",
        "hone public key 1",
        "hone public key 1\n",
        "hone public key 1\n00ff\n",
        "hone public key 2\n00000000000000000000000000000000000000000000000000000000000000ff\n",
        "hone public key 1\n00000000000000000000000000000000000000000000000000000000000000fg\n",
        "hone public key 1\n00000000000000000000000000000000000000000000000000000000000000ff00\n"};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct signing_key key;
    become(scratch, "builder");
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        CHECK_REFUSED(signing_key_create(names[n], scratch->arena, &key, &diagnostic), STATUS_USAGE,
                      "is no name of a key");
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        const char *path = file_join(scratch->arena, scratch->folder, "broken.pub");
        CHECK_OK(file_write(path, texts[t], strlen(texts[t]), &diagnostic));
        CHECK_REFUSED(signing_key_trust(path, scratch->arena, &key, &diagnostic), STATUS_BAD_INPUT,
                      "this is no public key");
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signed_plan_runs_where_its_key_is_trusted),
        TEST(changed_plans_and_seals_are_refused),
        TEST(keys_are_not_lost_nor_mixed_up),
        TEST(what_is_no_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

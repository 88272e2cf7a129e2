/* One message for each way in which a seal can fail: another user's, unknown signer, changed bytes. */
#include "planner/plan_seal.h"

#include "base/file.h"
#include "planner/private_file.h"
#include "planner/signing_key.h"

#include <sodium.h>
#include <string.h>

_Static_assert((int)SEAL_KEY_BYTES == (int)SIGNING_PUBLIC_BYTES, "the key beside a signature");
_Static_assert((int)SEAL_PROOF_BYTES == (int)SIGNING_BYTES, "a signature");

enum seal_kind { SEAL_OF_USER = 1, SEAL_SIGNED = 2 };
enum { USER_KEY_BYTES = crypto_generichash_KEYBYTES, USER_HASH_BYTES = crypto_generichash_BYTES };

/* ---- This user's seal ---- */

/* Another process may have made it meanwhile: then that one is used. */
static status make_user_key(const char *path, struct diagnostic *diagnostic)
{
    uint8_t key[USER_KEY_BYTES];
    bool existed;
    randombytes_buf(key, sizeof key);
    status code = private_file_create(path, key, sizeof key, &existed, diagnostic);
    sodium_memzero(key, sizeof key);
    return code;
}

static status seal_as_user(const void *bytes, size_t count, bool create, struct arena *arena,
                           uint8_t proof[SEAL_PROOF_BYTES], struct diagnostic *diagnostic)
{
    const char *path;
    uint8_t key[USER_KEY_BYTES];
    TRY(private_file_path("plan.key", arena, &path, diagnostic));
    if (create && !file_exists(path)) TRY(make_user_key(path, diagnostic));
    if (!file_exists(path))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "no plan was built by this user here (there is no %s): build it with `hone "
                    "compile`, or have it signed (`hone keys`)",
                    path);
    TRY(private_file_read(path, key, sizeof key, diagnostic));
    memset(proof, 0, SEAL_PROOF_BYTES);
    crypto_generichash(proof, USER_HASH_BYTES, bytes, count, key, sizeof key);
    sodium_memzero(key, sizeof key);
    return STATUS_OK;
}

static status check_as_user(const char *path, const void *bytes, size_t count, struct arena *arena,
                            const uint8_t *key, const uint8_t *proof, struct diagnostic *diagnostic)
{
    static const uint8_t no_key[SEAL_KEY_BYTES];
    uint8_t own[SEAL_PROOF_BYTES];
    TRY(seal_as_user(bytes, count, false, arena, own, diagnostic));
    if (sodium_memcmp(own, proof, sizeof own) == 0 && memcmp(key, no_key, sizeof no_key) == 0)
        return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%s: offset 24: the seal is not this user's: a plan holds machine code and runs "
                "only where it was built; build it with `hone compile`, or have it signed (`hone "
                "keys`)",
                path);
}

/* ---- Signatures ---- */

static status check_signature(const char *path, const void *bytes, size_t count,
                              struct arena *arena, const uint8_t *public_key, const uint8_t *proof,
                              const char **signer, struct diagnostic *diagnostic)
{
    struct signing_key *keys;
    int count_of_keys, k = 0;
    TRY(signing_keys_list(arena, &keys, &count_of_keys, diagnostic));
    while (k < count_of_keys && memcmp(keys[k].public_key, public_key, SIGNING_PUBLIC_BYTES)) k++;
    if (k == count_of_keys)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: offset 24: the plan is signed with a key that is not trusted here; if you "
                    "trust whoever made it, ask for the file NAME.pub: `hone keys trust NAME.pub`",
                    path);
    if (!signing_key_signed(public_key, bytes, count, proof))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: offset 24: the plan was changed after %s signed it: get it again", path,
                    keys[k].name);
    *signer = keys[k].name;
    return STATUS_OK;
}

/* ---- Either ---- */

static status make_in(struct arena *arena, const void *bytes, size_t count, const char *signer,
                      uint8_t seal[PLAN_SEAL_BYTES], struct diagnostic *diagnostic)
{
    uint8_t *key = seal + SEAL_KIND_BYTES, *proof = key + SEAL_KEY_BYTES;
    memset(seal, 0, PLAN_SEAL_BYTES);
    seal[0] = signer ? SEAL_SIGNED : SEAL_OF_USER;
    if (signer) return signing_key_sign(signer, bytes, count, key, proof, diagnostic);
    return seal_as_user(bytes, count, true, arena, proof, diagnostic);
}

status plan_seal_make(const void *bytes, size_t count, const char *signer,
                      uint8_t seal[PLAN_SEAL_BYTES], struct diagnostic *diagnostic)
{
    if (sodium_init() < 0) return fail(diagnostic, STATUS_FAILED, "libsodium could not be started");
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    status code = make_in(arena, bytes, count, signer, seal, diagnostic);
    arena_destroy(arena);
    return code;
}

status plan_seal_check(const char *path, const void *bytes, size_t count,
                       const uint8_t seal[PLAN_SEAL_BYTES], struct arena *arena,
                       const char **signer, struct diagnostic *diagnostic)
{
    static const uint8_t user[SEAL_KIND_BYTES] = {SEAL_OF_USER};
    static const uint8_t others[SEAL_KIND_BYTES] = {SEAL_SIGNED};
    const uint8_t *key = seal + SEAL_KIND_BYTES, *proof = key + SEAL_KEY_BYTES;
    *signer = NULL;
    if (sodium_init() < 0) return fail(diagnostic, STATUS_FAILED, "libsodium could not be started");
    if (memcmp(seal, user, sizeof user) == 0)
        return check_as_user(path, bytes, count, arena, key, proof, diagnostic);
    if (memcmp(seal, others, sizeof others) == 0)
        return check_signature(path, bytes, count, arena, key, proof, signer, diagnostic);
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%s: offset 24: this kind of seal is not known: build the plan again with `hone "
                "compile`",
                path);
}

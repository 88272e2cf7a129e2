/* Key files are a line that says what they are and a line of hexadecimal digits. */
#include "planner/signing_key.h"

#include "base/file.h"
#include "planner/private_file.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

_Static_assert(SIGNING_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(SIGNING_BYTES == crypto_sign_BYTES, "Ed25519");

enum { PUBLIC_FILE_MAX = 4096, PRINT_HASH_BYTES = 16 };

static const char public_title[] = "hone public key 1\n";

static status start(struct diagnostic *diagnostic)
{
    if (sodium_init() >= 0) return STATUS_OK;
    return fail(diagnostic, STATUS_FAILED, "libsodium could not be started");
}

/* ---- Names and places ---- */

static status check_name(const char *name, struct diagnostic *diagnostic)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length = strlen(name);
    if (length && length <= SIGNING_NAME_MAX && *name != '.' && strspn(name, allowed) == length)
        return STATUS_OK;
    return fail(diagnostic, STATUS_USAGE,
                "\"%.80s\" is no name of a key: at most %d letters, digits, '-', '_' and '.', not "
                "'.' first",
                name, SIGNING_NAME_MAX);
}

static status key_path(struct arena *arena, const char *folder, const char *name,
                       const char *suffix, const char **path, struct diagnostic *diagnostic)
{
    TRY(check_name(name, diagnostic));
    TRY(private_file_path(folder, arena, path, diagnostic));
    *path = arena_print(arena, "%s/%s%s", *path, name, suffix);
    TRY_MEMORY(*path, diagnostic);
    return STATUS_OK;
}

/* ---- Public halves ---- */

static void set_fingerprint(struct signing_key *key)
{
    uint8_t hash[PRINT_HASH_BYTES];
    crypto_generichash(hash, sizeof hash, key->public_key, sizeof key->public_key, NULL, 0);
    sodium_bin2hex(key->fingerprint, sizeof key->fingerprint, hash, (SIGNING_PRINT_BYTES - 1) / 2);
}

static status read_public(const char *path, struct arena *arena, struct signing_key *key,
                          struct diagnostic *diagnostic)
{
    char *text;
    const char *end;
    size_t length, title = sizeof public_title - 1, read = 0;
    TRY(file_read(path, PUBLIC_FILE_MAX, arena, &text, &length, diagnostic));
    bool good = length > title && memcmp(text, public_title, title) == 0 &&
                sodium_hex2bin(key->public_key, sizeof key->public_key, text + title,
                               length - title, NULL, &read, &end) == 0 &&
                read == sizeof key->public_key && (*end == '\n' || *end == 0);
    if (!good)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.300s: this is no public key of `hone keys new` (a file NAME.pub)", path);
    key->path = path;
    set_fingerprint(key);
    return STATUS_OK;
}

static status write_public(const char *path, const struct signing_key *key, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    char digits[2 * SIGNING_PUBLIC_BYTES + 1];
    sodium_bin2hex(digits, sizeof digits, key->public_key, sizeof key->public_key);
    const char *text = arena_print(arena, "%s%s\n", public_title, digits);
    TRY_MEMORY(text, diagnostic);
    return file_write(path, text, strlen(text), diagnostic);
}

/* ---- What one does with keys ---- */

status signing_key_create(const char *name, struct arena *arena, struct signing_key *key,
                          struct diagnostic *diagnostic)
{
    const char *secret_path;
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    bool existed;
    *key = (struct signing_key){.name = name, .own = true};
    TRY(start(diagnostic));
    TRY(key_path(arena, "keys", name, ".key", &secret_path, diagnostic));
    TRY(key_path(arena, "keys", name, ".pub", &key->path, diagnostic));
    crypto_sign_keypair(key->public_key, secret);
    status code = private_file_create(secret_path, secret, sizeof secret, &existed, diagnostic);
    sodium_memzero(secret, sizeof secret);
    TRY(code);
    if (existed)
        return fail(diagnostic, STATUS_USAGE, "there is a key %s already: %s", name, secret_path);
    set_fingerprint(key);
    return write_public(key->path, key, arena, diagnostic);
}

/* "team.pub" -> "team" */
static status name_of_file(const char *path, struct arena *arena, const char **name,
                           struct diagnostic *diagnostic)
{
    const char *file = file_name_of(path);
    size_t length = strlen(file);
    if (length > 4 && strcmp(file + length - 4, ".pub") == 0) length -= 4;
    *name = arena_text_range(arena, file, length);
    TRY_MEMORY(*name, diagnostic);
    return STATUS_OK;
}

status signing_key_trust(const char *path, struct arena *arena, struct signing_key *key,
                         struct diagnostic *diagnostic)
{
    const char *kept;
    *key = (struct signing_key){.own = false};
    TRY(start(diagnostic));
    TRY(read_public(path, arena, key, diagnostic));
    TRY(name_of_file(path, arena, &key->name, diagnostic));
    TRY(key_path(arena, "trusted", key->name, ".pub", &kept, diagnostic));
    if (file_exists(kept)) {
        struct signing_key other;
        TRY(read_public(kept, arena, &other, diagnostic));
        if (memcmp(other.public_key, key->public_key, sizeof other.public_key) != 0)
            return fail(diagnostic, STATUS_USAGE,
                        "another key is trusted as %s (%s): rename the file, or `hone keys forget "
                        "%s` first",
                        key->name, other.fingerprint, key->name);
    }
    key->path = kept;
    return write_public(kept, key, arena, diagnostic);
}

/* Files that are no keys are left out: they can neither sign nor be trusted. */
static status list_folder(const char *folder, bool own, struct arena *arena,
                          struct signing_key **keys, int *count, size_t *capacity,
                          struct diagnostic *diagnostic)
{
    const char *path, **names;
    int name_count = 0;
    TRY(private_file_path(folder, arena, &path, diagnostic));
    if (!file_is_folder(path)) return STATUS_OK;
    TRY(file_list(path, ".pub", arena, &names, &name_count, diagnostic));
    for (int n = 0; n < name_count; n++) {
        struct diagnostic ignored = {0};
        struct signing_key key = {.own = own};
        const char *file = file_join(arena, path, names[n]);
        TRY_MEMORY(file, diagnostic);
        if (read_public(file, arena, &key, &ignored) != STATUS_OK) continue;
        TRY(name_of_file(names[n], arena, &key.name, diagnostic));
        TRY_APPEND(*keys, *count, *capacity, arena, diagnostic);
        (*keys)[*count - 1] = key;
    }
    return STATUS_OK;
}

status signing_keys_list(struct arena *arena, struct signing_key **keys, int *count,
                         struct diagnostic *diagnostic)
{
    size_t capacity = 0;
    *keys = NULL;
    *count = 0;
    TRY(start(diagnostic));
    TRY(list_folder("keys", true, arena, keys, count, &capacity, diagnostic));
    return list_folder("trusted", false, arena, keys, count, &capacity, diagnostic);
}

status signing_key_forget(const char *name, struct arena *arena, struct signing_key *key,
                          struct diagnostic *diagnostic)
{
    struct signing_key *keys;
    int count;
    TRY(signing_keys_list(arena, &keys, &count, diagnostic));
    for (int k = 0; k < count; k++) {
        if (keys[k].own || (strcmp(keys[k].name, name) && strcmp(keys[k].fingerprint, name)))
            continue;
        *key = keys[k];
        if (unlink(key->path) == 0) return STATUS_OK;
        return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s: %s", key->path, strerror(errno));
    }
    return fail(diagnostic, STATUS_USAGE,
                "no key \"%.80s\" is trusted; `hone keys list` shows those that are", name);
}

/* ---- Signatures ---- */

/* What is signed: a hash that begins with what it is for, so that a signature of a plan can be of nothing else. */
static void hash_for_signing(const void *bytes, size_t count,
                             uint8_t hash[crypto_generichash_BYTES_MAX])
{
    static const uint8_t purpose[] = "hone plan 1";
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES_MAX);
    crypto_generichash_update(&state, purpose, sizeof purpose);
    crypto_generichash_update(&state, bytes, count);
    crypto_generichash_final(&state, hash, crypto_generichash_BYTES_MAX);
}

static status read_secret(const char *name, uint8_t secret[crypto_sign_SECRETKEYBYTES],
                          struct arena *arena, struct diagnostic *diagnostic)
{
    const char *path;
    TRY(key_path(arena, "keys", name, ".key", &path, diagnostic));
    if (!file_exists(path))
        return fail(diagnostic, STATUS_USAGE,
                    "there is no key %s here: `hone keys new %s` makes it", name, name);
    return private_file_read(path, secret, crypto_sign_SECRETKEYBYTES, diagnostic);
}

status signing_key_sign(const char *name, const void *bytes, size_t count,
                        uint8_t public_key[SIGNING_PUBLIC_BYTES], uint8_t signature[SIGNING_BYTES],
                        struct diagnostic *diagnostic)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES], hash[crypto_generichash_BYTES_MAX];
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    status code = start(diagnostic);
    if (code == STATUS_OK) code = read_secret(name, secret, arena, diagnostic);
    if (code == STATUS_OK) {
        hash_for_signing(bytes, count, hash);
        crypto_sign_detached(signature, NULL, hash, sizeof hash, secret);
        crypto_sign_ed25519_sk_to_pk(public_key, secret);
    }
    sodium_memzero(secret, sizeof secret);
    arena_destroy(arena);
    return code;
}

bool signing_key_signed(const uint8_t public_key[SIGNING_PUBLIC_BYTES], const void *bytes,
                        size_t count, const uint8_t signature[SIGNING_BYTES])
{
    uint8_t hash[crypto_generichash_BYTES_MAX];
    if (sodium_init() < 0) return false;
    hash_for_signing(bytes, count, hash);
    return crypto_sign_verify_detached(signature, hash, sizeof hash, public_key) == 0;
}

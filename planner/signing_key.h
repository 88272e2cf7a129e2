/* Keys that sign plans (Ed25519 of libsodium), for plans that run elsewhere than they were built.
 *
 * Whoever builds has a pair: NAME.key, which nobody else may read, and NAME.pub, which goes to those who are to run the plans;
 * they trust it once.  All lie below the user's configuration folder (~/.config/hone): keys/ and trusted/. */
#ifndef PLANNER_SIGNING_KEY_H
#define PLANNER_SIGNING_KEY_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SIGNING_PUBLIC_BYTES = 32,
    SIGNING_BYTES = 64,       /* of a signature */
    SIGNING_NAME_MAX = 64,    /* letters, digits, '-', '_', '.'; not '.' first */
    SIGNING_PRINT_BYTES = 17, /* the text of a fingerprint: 16 hexadecimal digits and a zero */
};

struct signing_key {
    const char *name, *path; /* of the .pub file */
    uint8_t public_key[SIGNING_PUBLIC_BYTES];
    char fingerprint[SIGNING_PRINT_BYTES]; /* of the public key: to be compared by eye */
    bool own;                              /* its secret half is here */
};

/* Makes a pair.  STATUS_USAGE: a name that is none, or that is taken. */
CHECKED status signing_key_create(const char *name, struct arena *arena, struct signing_key *key,
                                  struct diagnostic *diagnostic);
/* Keeps the key of a .pub file; plans that it signed may run from now on. */
CHECKED status signing_key_trust(const char *path, struct arena *arena, struct signing_key *key,
                                 struct diagnostic *diagnostic);
/* Takes the trust back; `name` may be the fingerprint. */
CHECKED status signing_key_forget(const char *name, struct arena *arena, struct signing_key *key,
                                  struct diagnostic *diagnostic);
/* One's own, then those that are trusted, each by name. */
CHECKED status signing_keys_list(struct arena *arena, struct signing_key **keys, int *count,
                                 struct diagnostic *diagnostic);

/* Signs with one's own key `name`, whose public half comes back. */
CHECKED status signing_key_sign(const char *name, const void *bytes, size_t count,
                                uint8_t public_key[SIGNING_PUBLIC_BYTES],
                                uint8_t signature[SIGNING_BYTES], struct diagnostic *diagnostic);
/* Whether the signature is this key's over these bytes. */
bool signing_key_signed(const uint8_t public_key[SIGNING_PUBLIC_BYTES], const void *bytes,
                        size_t count, const uint8_t signature[SIGNING_BYTES]);

#endif

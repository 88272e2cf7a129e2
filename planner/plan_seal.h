/* The seal of plan files.  A plan holds machine code, so it runs only if this user built it, or somebody whose key this user
 * trusts (planner/signing_key.h).
 *
 * This user's seal is a keyed hash (BLAKE2b of libsodium) with a key that is made on first use and readable by nobody else;
 * others' is a signature, with the public key beside it. */
#ifndef PLANNER_PLAN_SEAL_H
#define PLANNER_PLAN_SEAL_H

#include "base/arena.h"

#include <stdint.h>

/* What kind it is, the public key (zeros in a user's seal), and the keyed hash or the signature, ended by zeros. */
enum { SEAL_KIND_BYTES = 8, SEAL_KEY_BYTES = 32, SEAL_PROOF_BYTES = 64 };
enum { PLAN_SEAL_BYTES = SEAL_KIND_BYTES + SEAL_KEY_BYTES + SEAL_PROOF_BYTES };

/* `signer`: the name of a key of this user's that signs; NULL: this user's seal, whose key is made when there is none. */
CHECKED status plan_seal_make(const void *bytes, size_t count, const char *signer,
                              uint8_t seal[PLAN_SEAL_BYTES], struct diagnostic *diagnostic);

/* STATUS_BAD_INPUT, which names `path`, unless the seal is right for these bytes and trusted here.  `*signer`: the name of the
 * key that signed, in `arena`; NULL: this user's seal. */
CHECKED status plan_seal_check(const char *path, const void *bytes, size_t count,
                               const uint8_t seal[PLAN_SEAL_BYTES], struct arena *arena,
                               const char **signer, struct diagnostic *diagnostic);

#endif

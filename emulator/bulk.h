/* Bulk copies (cp.async.bulk), as the operations that wait for them see them. */
#ifndef EMULATOR_BULK_H
#define EMULATOR_BULK_H

#include "emulator/warp.h"

/* Keeps the copy in `list`; NULL when memory is out. */
struct bulk_copy *bulk_add(struct gang *gang, struct bulk_list *list);
/* Looks at every byte that the copy will touch: global memory, its traffic, and the shadow of shared
 * memory, which a copy into it poisons until it arrives. */
enum outcome bulk_issue(struct warp *warp, const struct instruction *instruction,
                        const struct bulk_copy *copy, bool into_shared);
/* Carries out the copies that complete on this transaction barrier. */
enum outcome bulk_arrive(struct warp *warp, struct block *block, uint32_t transaction);
/* Carries out the running lanes' copies out of shared memory, but those of the last `kept` groups. */
enum outcome bulk_store(struct warp *warp, const struct instruction *instruction, uint32_t kept);
/* Lanes that return must have waited for theirs. */
enum outcome bulk_check_exit(struct warp *warp, const struct instruction *instruction);

#endif

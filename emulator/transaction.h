/* Transaction barriers (mbarrier) of a block, as operations see them. */
#ifndef EMULATOR_TRANSACTION_H
#define EMULATOR_TRANSACTION_H

#include "emulator/warp.h"

/* The one at a lane's address, in `*block` of the cluster; NULL after a fault: there is none. */
struct transaction *transaction_at(struct warp *warp, const struct instruction *instruction,
                                   unsigned lane, uint64_t address, struct block **block);
/* Bytes have come, or are expected when negative; opens the barrier when nothing is left. */
void transaction_bytes(struct block *block, struct transaction *transaction, int64_t bytes);
/* The same by its offset, for copies that were checked when they were issued. */
struct transaction *transaction_find(struct block *block, uint32_t offset);

#endif

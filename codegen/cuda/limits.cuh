// What architectures have, for static_asserts that say again what the spaces' rules say of the card (ir/facts.def).
#pragma once
#include "codegen/cuda/types.cuh"

// Shared memory that one block may ask for; of architectures that are not known here, the most that any has.
DEVICE constexpr int shared_bytes_most(int architecture)
{
    return architecture == 75                                                  ? 65536
           : architecture == 80 || architecture == 87                          ? 166912
           : architecture == 86 || architecture == 89 || architecture / 10 == 12 ? 101376
                                                                               : 232448;
}

constexpr int registers_most = 65536; // of a block; and of a multiprocessor

/* The main of tests of the stand-in driver that are built without the CUDA toolkit's cuda.h: they have no other, so the linker
 * takes this one out of the library. */
#include "tests/cuda/emulator_harness.h"

#ifndef HAVE_CUDA_HEADER

int main(void)
{
    puts("skipped: built without the CUDA toolkit's cuda.h");
    return 0;
}

#else
extern int emulator_absent_harness_is_empty;
#endif

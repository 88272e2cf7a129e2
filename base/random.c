/* Philox 2x64 with ten rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011):
 * a bijection of (counter, stream) under the key `seed`, so that no two streams of a seed overlap.
 */
#include "base/random.h"

#include <math.h>

__extension__ typedef unsigned __int128 uint128;

struct philox {
    uint64_t counter, stream;
};

static struct philox philox(uint64_t key, struct philox block)
{
    const uint64_t multiplier = 0xD2B74407B1CE6E93;
    const uint64_t key_step = 0x9E3779B97F4A7C15; /* the golden ratio's fraction */
    for (int round = 0; round < 10; round++, key += key_step) {
        uint128 product = (uint128)multiplier * block.counter;
        block.counter = (uint64_t)(product >> 64) ^ key ^ block.stream;
        block.stream = (uint64_t)product;
    }
    return block;
}

static double unit_interval(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return philox(seed, (struct philox){counter, stream}).counter;
}

double random_uniform(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return unit_interval(random_bits(seed, stream, counter));
}

/* Box and Muller's transform of the block's two words; 1 - u keeps the logarithm's argument above
 * 0. */
double random_normal(uint64_t seed, uint64_t stream, uint64_t counter)
{
    const double two_pi = 6.283185307179586;
    struct philox block = philox(seed, (struct philox){counter, stream});
    double radius = sqrt(-2 * log(1 - unit_interval(block.counter)));
    return radius * cos(two_pi * unit_interval(block.stream));
}

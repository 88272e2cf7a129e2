/* Counter-based random numbers: the n-th number of a stream is a pure function of (seed, stream,
 * n), so that results do not depend on threads, placement or the order of calls. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t counter);
double random_uniform(uint64_t seed, uint64_t stream, uint64_t counter); /* in [0, 1), 53 bits */
double random_normal(uint64_t seed, uint64_t stream, uint64_t counter);  /* mean 0, deviation 1 */

#endif

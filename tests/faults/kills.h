/* How often the tests that kill do so: HONE_TEST_KILLS, else a hundred times. */
#ifndef TESTS_FAULTS_KILLS_H
#define TESTS_FAULTS_KILLS_H

#include <stdlib.h>

static inline int kills_wanted(void)
{
    const char *text = getenv("HONE_TEST_KILLS");
    int kills = text ? atoi(text) : 100;
    return kills < 1 ? 1 : kills > 100000 ? 100000 : kills;
}

#endif

/* A strategy that was compiled for another version of hone/strategy.h. */
#include "hone/strategy.h"

const struct hone_strategy *hone_strategy(void)
{
    static const struct hone_strategy strategy = {.abi = HONE_STRATEGY_ABI + 1, .name = "refused"};
    return &strategy;
}

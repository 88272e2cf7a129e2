/* Levels and text of routings. */
#include "ir/routing.h"

#include <math.h>

enum { LEVEL_MEAN = 'n' - 'a', LEVELS_PER_OCTAVE = 2 };

double routing_share(int level)
{
    return level ? exp2((double)(level - LEVEL_MEAN) / LEVELS_PER_OCTAVE) : 0;
}

static int level_of(double share)
{
    if (!(share > 0)) return 0;
    double level = round(LEVEL_MEAN + LEVELS_PER_OCTAVE * log2(share));
    return (int)fmin(fmax(level, 1), ROUTING_LEVELS - 1);
}

/* Three digits after the first, in binary: what differs less takes the same time. */
static int round_distinct(double distinct)
{
    double step = fmax(1, exp2(floor(log2(fmax(distinct, 1))) - 3));
    return (int)(round(distinct / step) * step);
}

struct routing routing_of_shares(const double *shares, int experts, double distinct)
{
    struct routing routing = {{0}, 0};
    double all = 0;
    for (int e = 0; e < experts; e++) all += shares[e];
    for (int e = 0; e < experts; e++) routing.counts[level_of(shares[e] / all * experts)]++;
    int chosen = experts - routing.counts[0], rounded = round_distinct(distinct);
    if (rounded > chosen) rounded = chosen;
    routing.distinct = (int16_t)(rounded < 1 ? 1 : rounded);
    return routing;
}

int routing_experts(const struct routing *routing)
{
    int experts = 0;
    for (int level = 0; level < ROUTING_LEVELS; level++) experts += routing->counts[level];
    return experts;
}

void routing_print(const struct routing *routing, struct text *text)
{
    for (int level = ROUTING_LEVELS - 1; level >= 0; level--)
        if (routing->counts[level]) text_print(text, "%c%d", 'a' + level, routing->counts[level]);
    text_print(text, "~%d", routing->distinct);
}

status routing_parse(struct scanner *scanner, struct routing *routing)
{
    const char *start = scanner->at;
    int64_t count, experts = 0, distinct;
    *routing = (struct routing){{0}, 0};
    while (*scanner->at >= 'a' && *scanner->at <= 'z') {
        int level = *scanner->at++ - 'a';
        TRY(scanner_integer(scanner, "a number of experts", 1, ROUTING_EXPERTS_MOST, &count));
        experts += count;
        if (routing->counts[level] || experts > ROUTING_EXPERTS_MOST)
            return scanner_fail(scanner, start, STATUS_BAD_INPUT,
                                "routing names each level once, and at most %d experts",
                                ROUTING_EXPERTS_MOST);
        routing->counts[level] = (int16_t)count;
    }
    TRY(scanner_expect(scanner, "~"));
    int64_t chosen = experts - routing->counts[0];
    if (chosen < 1)
        return scanner_fail(scanner, start, STATUS_BAD_INPUT, "routing chooses no expert");
    TRY(scanner_integer(scanner, "different experts", 1, chosen, &distinct));
    routing->distinct = (int16_t)distinct;
    return STATUS_OK;
}

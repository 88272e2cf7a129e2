/* Most options of a long list are beaten by others: what is left makes programs small. */
#include "planner/solve.h"

#include <math.h>

/* Whether `a` uses no more than `b` of anything. */
static bool is_no_worse(const struct solve_input *input, const struct solve_option *a,
                        const struct solve_option *b)
{
    int count = solve_resource_count(input);
    if (a->hidden_seconds > b->hidden_seconds) return false;
    for (int r = 0; r < count; r++)
        if (a->use[r] > b->use[r]) return false;
    for (int d = 0; d < input->device_count; d++)
        if (a->buffer[d] > b->buffer[d]) return false;
    return true;
}

/* Of equals the first stays. */
static bool is_beaten(const struct solve_input *input, const struct solve_option *options,
                      const bool *beaten, int count, int o)
{
    for (int other = 0; other < count; other++) {
        if (other == o || beaten[other] || options[other].class != options[o].class ||
            options[other].lead != options[o].lead ||
            !is_no_worse(input, &options[other], &options[o]))
            continue;
        if (other < o || !is_no_worse(input, &options[o], &options[other])) return true;
    }
    return false;
}

status solve_prune_options(const struct solve_input *input, struct solve_option *options,
                           int *count, struct arena *scratch, struct diagnostic *diagnostic)
{
    bool *beaten;
    int kept = 0;
    TRY_NEW(beaten, scratch, *count, diagnostic);
    for (int o = 0; o < *count; o++) beaten[o] = is_beaten(input, options, beaten, *count, o);
    for (int o = 0; o < *count; o++)
        if (!beaten[o]) options[kept++] = options[o];
    *count = kept;
    return STATUS_OK;
}

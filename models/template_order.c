/* Sorting for the filters of chat templates: stable, as Python's is. */
#include "models/template_render.h"

#include <string.h>

status render_fold(struct rendering *rendering, const struct datum *subject, bool case_sensitive,
                   struct datum *result)
{
    *result = *subject;
    if (case_sensitive || subject->kind != DATUM_TEXT) return STATUS_OK;
    return text_change_case(rendering, subject->text, CASING_LOWER, result);
}

/* Merges two sorted runs of `from` into `to`. */
static status merge(struct rendering *rendering, const struct datum_pair *from, size_t middle,
                    size_t count, bool reverse, struct datum_pair *to)
{
    size_t left = 0, right = middle;
    for (size_t i = 0; i < count; i++) {
        int order = 0;
        bool both = left < middle && right < count;
        TRY(render_charge(rendering, 0));
        if (both && !datum_compare(&from[right].key, &from[left].key, &order))
            return RENDER_REFUSE(rendering, "%s and %s have no order",
                                 datum_kind_name(&from[left].key),
                                 datum_kind_name(&from[right].key));
        bool take_right = both ? (reverse ? order > 0 : order < 0) : left == middle;
        to[i] = take_right ? from[right++] : from[left++];
    }
    return STATUS_OK;
}

status render_sort(struct rendering *rendering, struct datum_pair *pairs, size_t count,
                   bool reverse)
{
    void *room;
    TRY(render_allocate(rendering, count, sizeof *pairs, &room));
    struct datum_pair *from = pairs, *to = room;
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t length = count - at < 2 * run ? count - at : 2 * run;
            TRY(merge(rendering, from + at, length < run ? length : run, length, reverse, to + at));
        }
        struct datum_pair *swapped = from;
        from = to;
        to = swapped;
    }
    if (count && from != pairs) memcpy(pairs, from, count * sizeof *pairs);
    return STATUS_OK;
}

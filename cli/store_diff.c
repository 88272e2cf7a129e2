/* hone store diff: the problems for which two packs choose otherwise, or at other times. */
#include "cli/store_actions.h"
#include "tuner/pack_diff.h"

#include <stdio.h>

static json_t *choice_json(const struct pack_choice *choice)
{
    if (!choice->candidate) return json_null();
    return json_pack("{s:s, s:s, s:f, s:f}", "candidate", choice->candidate, "basis",
                     decision_basis_name(choice->basis), "seconds", choice->seconds,
                     "spread_seconds", choice->spread);
}

static json_t *row_json(const struct pack_difference *row)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:f}", "problem", row->problem, "device_class",
                     row->device_class, "differs", pack_relation_name(row->relation), "a",
                     choice_json(&row->a), "b", choice_json(&row->b), "ratio", row->ratio);
}

static json_t *diff_json(const struct pack_diff *diff)
{
    json_t *rows = json_array(), *counts = json_object();
    for (int r = 0; r < diff->row_count; r++) json_array_append_new(rows, row_json(&diff->rows[r]));
    for (int c = 0; c < PACK_RELATION_COUNT; c++)
        json_object_set_new(counts, pack_relation_name((enum pack_relation)c),
                            json_integer(diff->counts[c]));
    return json_pack("{s:o, s:o}", "counts", counts, "problems", rows);
}

static void print_choice(const char *side, const struct pack_choice *choice)
{
    char seconds[32], spread[32];
    if (choice->candidate)
        printf("    %s %10s +- %-10s %s\n", side, text_seconds(choice->seconds, seconds),
               text_seconds(choice->spread, spread), choice->candidate);
}

static void print_diff(const struct pack_diff *diff)
{
    for (int r = 0; r < diff->row_count; r++) {
        const struct pack_difference *row = &diff->rows[r];
        printf("%s on %s: %s", row->problem, row->device_class, pack_relation_name(row->relation));
        if (row->ratio > 0) printf(" (B takes %.3f of A's time)", row->ratio);
        putchar('\n');
        print_choice("A", &row->a);
        print_choice("B", &row->b);
    }
    printf("%d problems decided alike, %d with other times, %d with other choices, %d only in A, "
           "%d only in B\n",
           diff->counts[PACK_SAME], diff->counts[PACK_TIMES], diff->counts[PACK_CHOICES],
           diff->counts[PACK_ONLY_A], diff->counts[PACK_ONLY_B]);
}

status store_run_diff(struct store_run *run, struct diagnostic *diagnostic)
{
    struct store *stores[2] = {NULL, NULL};
    struct pack_diff diff;
    status code = store_open_two(run, "two packs: hone store diff A B", stores, diagnostic);
    if (code == STATUS_OK)
        code =
            pack_compare(stores[0], stores[1], run->arguments->op, run->arena, &diff, diagnostic);
    for (int s = 0; s < 2; s++) store_close(stores[s]);
    TRY(code);
    if (run->arguments->json) return console_print_json(diff_json(&diff), diagnostic);
    print_diff(&diff);
    return console_flush(diagnostic);
}

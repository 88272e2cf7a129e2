/* Which mutants there are. */
#include "base/random.h"
#include "base/text.h"
#include "tests/faults/mutants.h"

#include <string.h>

const struct mutant_base mutant_bases[MUTANT_BASES] = {
    {"linear", "linear(f32[tokens,96], f32[40,96])", 16},
    {"rmsnorm", "rmsnorm(f32[tokens,64], f32[64])", 13},
    {"linear", "linear(f32[tokens,80], f32[48,80])", 1},
    {"attention",
     "attention(f32[tokens,32], i32[tokens], i32[tokens], i32[sequences,stride], f32[pages,7,8], "
     "f32[pages,7,8]) {heads=4 kv_heads=1 head_size=8}",
     12},
};

enum { BASE_ONE_ROW = 2, BASE_ATTENTION = 3 };

static const char *const conditions[] = {
#define CONDITION(NAME, name) #name,
    MUTANT_CONDITIONS(CONDITION)
#undef CONDITION
};
static const char *const deeds[] = {
#define DEED(NAME, name) #name,
    MUTANT_DEEDS(DEED)
#undef DEED
};

const char *mutant_print(const struct mutant *mutant, struct arena *arena)
{
    return arena_print(arena, "%s/%s(%d)/%s(%u)", mutant_bases[mutant->base].op,
                       conditions[mutant->condition], mutant->when, deeds[mutant->deed],
                       mutant->where);
}

bool mutant_hangs(const struct mutant *mutant)
{
    return mutant->deed == MUTANT_DEED_HANG || mutant->deed == MUTANT_DEED_SLEEP;
}

static bool saves_work(enum mutant_deed deed)
{
    return deed == MUTANT_DEED_NOTHING || deed == MUTANT_DEED_OLD;
}

bool mutant_may_be_honest(const struct mutant *mutant)
{
    return saves_work(mutant->deed) &&
           (mutant->condition == MUTANT_SAME_INPUTS || mutant->condition == MUTANT_OWN_OUTPUT);
}

/* What the process notices whenever it happens, and what takes long to find: both need no condition
 * but a simple one. */
static bool is_simple(enum mutant_condition condition)
{
    return condition == MUTANT_ALWAYS || condition == MUTANT_LATER || condition == MUTANT_NEGATIVE;
}

static bool is_condition_of_rows(enum mutant_condition condition)
{
    return condition == MUTANT_ROWS_REST || condition == MUTANT_ROWS_EXACT ||
           condition == MUTANT_ROWS_ABOVE;
}

/* Whether it is a mutant at all: it does something, and something wrong, for numbers of rows that
 * the base's problem has. */
static bool makes_sense(const struct mutant *mutant)
{
    int64_t rows = mutant_bases[mutant->base].rows;
    bool one_row = mutant->base == BASE_ONE_ROW;
    if (is_condition_of_rows(mutant->condition)) {
        if (one_row || mutant->base == BASE_ATTENTION)
            return false; /* rows are swept where alike */
        if (mutant->when >= rows && mutant->condition != MUTANT_ROWS_EXACT) return false;
        if (mutant->when > rows || mutant->when < 1) return false;
    }
    if (mutant->condition == MUTANT_OWN_OUTPUT || mutant->condition == MUTANT_SAME_INPUTS)
        return saves_work(mutant->deed);
    if (mutant->deed >= MUTANT_DEED_HANG) return is_simple(mutant->condition);
    /* It stays the only run of a sample that is looked at. */
    if (mutant->deed == MUTANT_DEED_NOISE && mutant->condition != MUTANT_ALWAYS &&
        mutant->condition != MUTANT_LATER)
        return false;
    return !(mutant->deed == MUTANT_DEED_SWAP && one_row);
}

static int draw_number(enum mutant_condition condition, uint64_t bits)
{
    switch (condition) {
    case MUTANT_ROWS_REST: return (int)(bits % 8);
    case MUTANT_ROWS_EXACT: return 1 + (int)(bits % 16);
    case MUTANT_ROWS_ABOVE: return 6 + (int)(bits % 9);
    case MUTANT_LATER: return 3 + (int)(bits % 16);
    case MUTANT_EVERY: return 2 + (int)(bits % 4);
    case MUTANT_OFTEN: return 1 + (int)(bits % 6);
    default: return 0;
    }
}

static struct mutant draw(uint64_t seed, uint64_t n, enum mutant_deed deed)
{
    uint64_t bits = random_bits(seed, 1, n);
    struct mutant mutant = {.base = (int)(bits % MUTANT_BASES), .deed = deed};
    mutant.condition = (enum mutant_condition)(bits / 8 % MUTANT_CONDITION_COUNT);
    mutant.when = draw_number(mutant.condition, random_bits(seed, 2, n));
    mutant.where = (unsigned)(random_bits(seed, 3, n) % 8);
    return mutant;
}

static bool is_among(const struct mutant *mutant, const struct mutant *mutants, int count)
{
    for (int m = 0; m < count; m++)
        if (memcmp(mutant, &mutants[m], sizeof *mutant) == 0) return true;
    return false;
}

void mutants_draw(uint64_t seed, int count, struct mutant *mutants)
{
    uint64_t n = 0;
    for (int m = 0; m < count;) {
        mutants[m] = draw(seed, n++, (enum mutant_deed)(m % MUTANT_DEED_COUNT));
        if (makes_sense(&mutants[m]) && !is_among(&mutants[m], mutants, m)) m++;
    }
}

const char *mutant_space(struct arena *arena, const char *op, int count)
{
    struct text text = {.arena = arena};
    text_print(&text,
               "variant: mutant_cpu\nop: %s\ntarget: cpu\n"
               "numerics: {operands: exact, accumulation: f32}\n"
               "tunables:\n  mutant: {values: [0, 1",
               op);
    for (int m = 0; m < count; m++) text_print(&text, ", %d", m + 2);
    text_append(&text, "]}\nestimate: 1e-6 if mutant == 0 else 2e-6\n");
    return text_finish(&text);
}

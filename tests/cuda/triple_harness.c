/* Planning, running and counting triples. */
#include "tests/cuda/triple_harness.h"

#include "base/clock.h"
#include "base/random.h"
#include "codegen/compile_pool.h"
#include "tests/check.h"

#include <sys/resource.h>
#include <unistd.h>

enum { PROCESSES_MOST = 8, REASON_BYTES = 96 };

struct triple {
    struct triple *next;
    const struct triple_case *own;
    struct generation generation;
    struct config config;
    int space, card;
};

struct triple_plan {
    struct triple *first, **end;
};

/* Of a variant on a card. */
struct triple_cell {
    int planned, agreed;
    bool possible; /* `first` is a case that it takes */
    struct triple_case first;
    char reason[REASON_BYTES]; /* why it does not take the last one it was asked for */
};

static struct triple_cell *cell_of(const struct triples *triples, int space, int card)
{
    return &triples->cells[space * triples->check->level_count + card];
}

static void empty_plan(struct triples *triples)
{
    arena_destroy(triples->arena);
    triples->arena = arena_create(0);
    triples->plan = arena_allocate(triples->arena, 1, sizeof *triples->plan);
    *triples->plan = (struct triple_plan){.end = &triples->plan->first};
}

void triples_create(struct triples *triples, struct variant_check *check)
{
    size_t cells = (size_t)check->catalogue.count * (size_t)check->level_count;
    *triples = (struct triples){.check = check, .began_seconds = clock_seconds()};
    triples->cells = arena_allocate(check->arena, cells, sizeof *triples->cells);
    assert_non_null(triples->cells);
    memset(triples->cells, 0, cells * sizeof *triples->cells);
    empty_plan(triples);
}

void triples_destroy(struct triples *triples)
{
    arena_destroy(triples->arena);
}

/* ---- Choosing ---- */

static bool wanted_variant(const char *variant)
{
    const char *word = getenv("HONE_TEST_VARIANT");
    return !word || strstr(variant, word);
}

static bool wanted_case(const char *text)
{
    const char *start = getenv("HONE_TEST_CASES");
    return !start || strncmp(text, start, strlen(start)) == 0;
}

bool triples_are_all(void)
{
    return !getenv("HONE_TEST_VARIANT") && !getenv("HONE_TEST_CASES");
}

/* ---- Planning ---- */

static void plan_config(struct triples *triples, const struct triple_case *own, int space, int card,
                        const struct problem *problem, const struct config *config)
{
    struct triple *triple = arena_allocate(triples->arena, 1, sizeof *triple);
    assert_non_null(triple);
    *triple = (struct triple){.own = own, .config = *config, .space = space, .card = card};
    triple->generation = (struct generation){triples->check->catalogue.spaces[space], problem,
                                             &triple->config, &triples->check->levels[card]};
    *triples->plan->end = triple;
    triples->plan->end = &triple->next;
    cell_of(triples, space, card)->planned++;
}

/* Binds the variant to the problem where the cell is to be planned, or has no case yet. */
static bool plan_cell(struct triples *triples, const struct triple_case *own, int space, int card,
                      const struct problem *problem, int configs)
{
    struct variant_check *check = triples->check;
    struct triple_cell *cell = cell_of(triples, space, card);
    struct bound_space bound;
    struct config config;
    const char *reason;
    if (configs == 0 && cell->possible) return false;
    struct arena *arena = arena_create(0);
    bool answers = space_bind(check->catalogue.spaces[space], problem, &check->levels[card], arena,
                              &bound, &reason);
    if (answers && !cell->possible) cell->first = *own;
    if (!answers) snprintf(cell->reason, sizeof cell->reason, "%s", reason);
    cell->possible = cell->possible || answers;
    for (int c = 0; answers && c < configs; c++) {
        uint64_t rank = random_bits(5, 0, check->draws++) % space_count(&bound);
        if (c == 0)
            space_default(&bound, &config);
        else
            assert_true(space_unrank(&bound, rank, &config));
        plan_config(triples, own, space, card, problem, &config);
    }
    arena_destroy(arena);
    return answers && configs > 0;
}

static bool is_of(const struct space *space, const struct problem *problem)
{
    for (const struct op *const *op = space->ops; *op; op++)
        if (*op == problem->op)
            return space->target == TARGET_CUDA && wanted_variant(space->variant);
    return false;
}

int triples_plan(struct triples *triples, const struct triple_case *own, unsigned cards,
                 int samples)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    struct triple_case *kept;
    int answers = 0;
    if (!wanted_case(own->text)) return 0;
    CHECK_OK(op_case_problem(own->text, own->bound, own->step.context, triples->arena, &problem,
                             &diagnostic));
    kept = arena_allocate(triples->arena, 1, sizeof *kept);
    assert_non_null(kept);
    *kept = *own;
    for (int s = 0; s < triples->check->catalogue.count; s++)
        for (int c = 0; c < triples->check->level_count; c++)
            if (is_of(triples->check->catalogue.spaces[s], problem))
                answers +=
                    plan_cell(triples, kept, s, c, problem, cards >> c & 1 ? 1 + samples : 0);
    triples->unanswered += answers == 0;
    return answers;
}

void triples_plan_rest(struct triples *triples)
{
    struct variant_check *check = triples->check;
    for (int s = 0; s < check->catalogue.count; s++)
        for (int c = 0; c < check->level_count; c++) {
            struct triple_cell *cell = cell_of(triples, s, c);
            struct diagnostic diagnostic = {0};
            struct problem *problem;
            if (!cell->possible || cell->planned) continue;
            CHECK_OK(op_case_problem(cell->first.text, cell->first.bound, cell->first.step.context,
                                     triples->arena, &problem, &diagnostic));
            assert_true(plan_cell(triples, &cell->first, s, c, problem, 1));
        }
}

/* ---- Running ---- */

static struct compile_pool *start_compiling(const struct triples *triples)
{
    struct diagnostic diagnostic = {0};
    struct compile_pool *pool;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    CHECK_OK(compile_pool_create(cores > PROCESSES_MOST ? PROCESSES_MOST : (int)cores,
                                 compile_limits_default(), &pool, &diagnostic));
    for (const struct triple *triple = triples->plan->first; triple; triple = triple->next)
        CHECK_OK(compile_pool_add(pool, &triple->generation, &diagnostic));
    return pool;
}

static status take_image(struct compile_pool *pool, const struct triple *triple,
                         struct arena *arena, struct image *image, struct diagnostic *diagnostic)
{
    const void *bytes;
    size_t count;
    TRY(compile_pool_take(pool, &triple->generation, &bytes, &count, diagnostic));
    return image_decode(bytes, count, arena, image, diagnostic);
}

static void run_triple(struct triples *triples, struct compile_pool *pool,
                       const struct triple *triple)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_trial *trial;
    struct image image;
    CHECK_OK(op_trial_create(triple->generation.problem, &triple->own->step, triple->own->seed,
                             arena, &trial, &diagnostic));
    status code = take_image(pool, triple, arena, &image, &diagnostic);
    variant_check_image(triples->check, triple->card, &triple->generation, trial,
                        code == STATUS_OK ? &image : NULL, variant_rounded_bound, &diagnostic);
    cell_of(triples, triple->space, triple->card)->agreed++;
    arena_destroy(arena);
}

void triples_run(struct triples *triples)
{
    struct compile_pool *pool = start_compiling(triples);
    const struct triple *triple = triples->plan->first;
    *triples->plan = (struct triple_plan){
        .end = &triples->plan->first}; /* should one fail, nobody tries it again */
    for (; triple; triple = triple->next) run_triple(triples, pool, triple);
    compile_pool_destroy(pool);
    empty_plan(triples);
}

/* ---- Printing ---- */

static double processor_seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int count_of_card(const struct triples *triples, int card)
{
    int count = 0;
    for (int s = 0; s < triples->check->catalogue.count; s++)
        count += cell_of(triples, s, card)->agreed;
    return count;
}

static void print_row(const struct triples *triples, int space)
{
    int sum = 0;
    struct text text = {.arena = triples->arena};
    for (int c = 0; c < triples->check->level_count; c++) {
        int count = cell_of(triples, space, c)->agreed;
        text_print(&text, " %7d", count);
        sum += count;
    }
    print_message("%-32s%s %7d\n", triples->check->catalogue.spaces[space]->variant,
                  text_finish(&text), sum);
}

/* Cards with the reason of the first of them share a line. */
static void print_left_out(const struct triples *triples, int space)
{
    const struct variant_check *check = triples->check;
    const char *name = check->catalogue.spaces[space]->variant;
    for (int c = 0; c < check->level_count; c++) {
        const struct triple_cell *cell = cell_of(triples, space, c);
        struct text text = {.arena = triples->arena};
        bool first = true;
        for (int other = 0; other < check->level_count; other++) {
            const struct triple_cell *its = cell_of(triples, space, other);
            if (its->agreed || cell->agreed || strcmp(its->reason, cell->reason) != 0) continue;
            first = first && other >= c;
            text_print(&text, " sm_%.0f", check->levels[other].values[FACT_sm]);
        }
        if (!cell->agreed && first)
            print_message("left out: %s on%s: %s\n", name, text_finish(&text),
                          *cell->reason ? cell->reason : "no case of its operators");
    }
}

/* Variants that nothing was asked of are not shown in a selection. */
static bool is_shown(const struct triples *triples, int space)
{
    bool asked = triples_are_all();
    for (int c = 0; c < triples->check->level_count; c++) {
        const struct triple_cell *cell = cell_of(triples, space, c);
        asked = asked || cell->agreed || *cell->reason;
    }
    return asked && triples->check->catalogue.spaces[space]->target == TARGET_CUDA;
}

int triples_print(const struct triples *triples)
{
    const struct variant_check *check = triples->check;
    struct text head = {.arena = triples->arena}, sums = {.arena = triples->arena};
    int total = 0;
    for (int c = 0; c < check->level_count; c++) {
        int count = count_of_card(triples, c);
        text_print(&head, "  sm_%-4.0f", check->levels[c].values[FACT_sm]);
        text_print(&sums, " %7d", count);
        total += count;
    }
    print_message("%-32s%s     all\n", "compiled, run and compared", text_finish(&head));
    for (int s = 0; s < check->catalogue.count; s++)
        if (is_shown(triples, s)) print_row(triples, s);
    print_message("%-32s%s %7d\n", "all", text_finish(&sums), total);
    for (int s = 0; s < check->catalogue.count; s++)
        if (is_shown(triples, s)) print_left_out(triples, s);
    print_message("%d cases have no CUDA variant yet\n", triples->unanswered);
    print_message("%d triples of a variant, a case with its config, and an architecture: %.0f s, "
                  "%.0f s of processor time "
                  "(%.0f s of it for compiling)\n",
                  total, clock_seconds() - triples->began_seconds,
                  processor_seconds(RUSAGE_SELF) + processor_seconds(RUSAGE_CHILDREN),
                  processor_seconds(RUSAGE_CHILDREN));
    return total;
}

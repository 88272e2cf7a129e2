/* Ordering the records of other classes of devices. */
#include "tuner/nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct neighbour {
    const char *device_class;
    double distance; /* infinite where nothing is known of it */
};

/* One candidate of a class. */
struct merit {
    const struct record *record;
    int neighbour;
};

struct nearest {
    struct store *store;
    const struct device_facts *facts;
    struct arena *arena;
    struct neighbour *neighbours;
    int neighbour_count;
    size_t neighbour_capacity;
    struct merit *merits;
    int merit_count;
    struct diagnostic *diagnostic;
};

double nearest_distance(const struct device_facts *a, const struct device_facts *b)
{
    /* An instruction family that only one of them has makes other kernels the fastest: as much as a factor of e. */
    const double absent = 1;
    double distance = 0;
    if (a->target != b->target) return INFINITY;
    for (int f = 0; f < FACT_COUNT; f++) {
        double x = a->values[f], y = b->values[f];
        if (x > 0 && y > 0)
            distance += fabs(log(x / y));
        else if ((x > 0 || y > 0) && !fact_is_measured((enum fact)f))
            distance += absent;
    }
    return distance;
}

static int neighbour_index(const struct nearest *nearest, const char *device_class)
{
    int n = 0;
    while (n < nearest->neighbour_count &&
           strcmp(nearest->neighbours[n].device_class, device_class) != 0)
        n++;
    return n;
}

/* The latest origin of a class counts; one that cannot be read says nothing. */
static bool take_origin(void *context, const struct origin *origin)
{
    struct nearest *nearest = context;
    struct diagnostic ignored = {0};
    struct device_facts facts;
    struct yaml *root;
    int n = neighbour_index(nearest, origin->device_class);
    if (n == nearest->neighbour_count) return true;
    if (yaml_parse("origin", origin->facts, strlen(origin->facts), nearest->arena, &root,
                   &ignored) == STATUS_OK &&
        device_facts_read(root, nearest->arena, &facts, &ignored) == STATUS_OK)
        nearest->neighbours[n].distance = nearest_distance(nearest->facts, &facts);
    return true;
}

static status list_merits(struct nearest *nearest, const struct record *records, int count)
{
    TRY_NEW(nearest->merits, nearest->arena, count + 1, nearest->diagnostic);
    for (int r = 0; r < count; r++) {
        int n = neighbour_index(nearest, records[r].device_class);
        if (records[r].status != RECORD_OK) continue;
        if (n == nearest->neighbour_count) {
            TRY_APPEND(nearest->neighbours, nearest->neighbour_count, nearest->neighbour_capacity,
                       nearest->arena, nearest->diagnostic);
            nearest->neighbours[n] = (struct neighbour){records[r].device_class, INFINITY};
        }
        nearest->merits[nearest->merit_count++] = (struct merit){&records[r], n};
    }
    return STATUS_OK;
}

/* Nearest class, finals before first looks, fastest. */
static int compare_merits(const void *a, const void *b, void *context)
{
    const struct merit *x = a, *y = b;
    const struct neighbour *neighbours = ((const struct nearest *)context)->neighbours;
    double near = neighbours[x->neighbour].distance, far = neighbours[y->neighbour].distance;
    if (near != far) return near < far ? -1 : 1;
    int classes = strcmp(x->record->device_class, y->record->device_class);
    if (classes) return classes;
    if (x->record->stage != y->record->stage) return x->record->stage == RECORD_FINAL ? -1 : 1;
    if (x->record->median_seconds != y->record->median_seconds)
        return x->record->median_seconds < y->record->median_seconds ? -1 : 1;
    return strcmp(x->record->candidate, y->record->candidate);
}

static bool is_legal(const struct nearest_order *order, const struct candidate *candidate)
{
    for (int s = 0; s < order->space_count; s++)
        if (order->spaces[s].space == candidate->space)
            return !space_check(&order->spaces[s], &candidate->config);
    return false;
}

bool nearest_take(struct nearest_order *order, const char *text)
{
    struct diagnostic ignored = {0};
    struct candidate candidate;
    if (order->count >= order->most ||
        candidate_parse(order->catalogue, text, &candidate, &ignored) != STATUS_OK ||
        !candidate.space || !is_legal(order, &candidate))
        return false;
    for (int c = 0; c < order->count; c++)
        if (candidate_equal(&order->candidates[c], &candidate)) return false;
    order->candidates[order->count++] = candidate;
    return true;
}

status nearest_candidates(struct store *store, const struct problem *problem,
                          const struct device_facts *facts, struct nearest_order *order,
                          struct arena *arena, const char **from, struct diagnostic *diagnostic)
{
    struct nearest nearest = {
        .store = store, .facts = facts, .arena = arena, .diagnostic = diagnostic};
    struct record *records;
    int record_count;
    *from = NULL;
    TRY(store_records_elsewhere(store, problem->key, facts->class_name, arena, &records,
                                &record_count, diagnostic));
    TRY(list_merits(&nearest, records, record_count));
    TRY(store_each_origin(store, take_origin, &nearest, diagnostic));
    qsort_r(nearest.merits, (size_t)nearest.merit_count, sizeof *nearest.merits, compare_merits,
            &nearest);
    for (int m = 0; m < nearest.merit_count; m++) {
        const struct record *record = nearest.merits[m].record;
        if (nearest_take(order, record->candidate) && !*from) *from = record->device_class;
    }
    return STATUS_OK;
}

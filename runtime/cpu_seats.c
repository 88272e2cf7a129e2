/* Seats from hwloc's topology. */
#include "runtime/cpu_seats.h"

#include <hwloc.h>
#include <stdlib.h>
#include <string.h>

/* The clock of a kind of cores, as hwloc tells it in text; 0: unknown. */
static double clock_of_kind(struct hwloc_info_s *infos, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(infos[i].name, "FrequencyMaxMHz") == 0) return strtod(infos[i].value, NULL);
    return 0;
}

struct kind {
    double speed; /* by clock; else by rank among the kinds; 0: unknown */
};

/* Kinds are ranked by hwloc, the slowest first.  Without clocks a rank says too little to share work by. */
static struct kind kind_of(hwloc_topology_t topology, hwloc_const_bitmap_t cores)
{
    struct kind kind = {0};
    struct hwloc_info_s *infos;
    unsigned count;
    int efficiency, number = hwloc_cpukinds_get_by_cpuset(topology, cores, 0);
    if (number < 0 || hwloc_cpukinds_get_info(topology, (unsigned)number, NULL, &efficiency, &count,
                                              &infos, 0) != 0)
        return kind;
    kind.speed = clock_of_kind(infos, count);
    return kind;
}

static int node_of(hwloc_topology_t topology, hwloc_obj_t core)
{
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)))
        if (node->cpuset && hwloc_bitmap_isincluded(core->cpuset, node->cpuset))
            return (int)node->logical_index;
    return 0;
}

static void add_seat(hwloc_topology_t topology, hwloc_obj_t core, struct cpu_seats *seats)
{
    seats->seats[seats->count++] =
        (struct cpu_seat){.unit = hwloc_bitmap_first(core->cpuset),
                          .node = node_of(topology, core),
                          .speed = kind_of(topology, core->cpuset).speed};
}

/* By speed, falling; then by node; then as the system counts. */
static int compare_seats(const void *a, const void *b)
{
    const struct cpu_seat *x = a, *y = b;
    if (x->speed != y->speed) return x->speed < y->speed ? 1 : -1;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

/* Clocks become shares of the highest; where one is unknown all cores count as equal. */
static void relate_speeds(struct cpu_seats *seats)
{
    double highest = 0;
    bool known = true;
    for (int s = 0; s < seats->count; s++) {
        known = known && seats->seats[s].speed > 0;
        if (seats->seats[s].speed > highest) highest = seats->seats[s].speed;
    }
    for (int s = 0; s < seats->count; s++)
        seats->seats[s].speed = known ? seats->seats[s].speed / highest : 1;
}

/* Machines that hide their cores show processing units at least. */
static status collect_seats(hwloc_topology_t topology, struct arena *arena, struct cpu_seats *seats,
                            struct diagnostic *diagnostic)
{
    int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    hwloc_obj_type_t type = cores > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    int count = hwloc_get_nbobjs_by_type(topology, type), nodes;
    if (count < 1) return fail(diagnostic, STATUS_DEVICE, "hwloc shows no processor here");
    TRY_NEW(seats->seats, arena, count, diagnostic);
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(topology, type, core));)
        add_seat(topology, core, seats);
    nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
    seats->node_count = nodes > 0 ? nodes : 1;
    relate_speeds(seats);
    qsort(seats->seats, (size_t)seats->count, sizeof *seats->seats, compare_seats);
    return STATUS_OK;
}

static status load_topology(const char *description, hwloc_topology_t topology,
                            struct diagnostic *diagnostic)
{
    hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    /* Nodes hang on them. */
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
    if (description && hwloc_topology_set_synthetic(topology, description) != 0)
        return fail(diagnostic, STATUS_USAGE, "hwloc does not understand the topology \"%s\"",
                    description);
    if (hwloc_topology_load(topology) != 0)
        return fail(diagnostic, STATUS_DEVICE, "hwloc cannot read this machine's topology");
    /* Only what the process may use: taskset, containers. */
    hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
    if (allowed && !description &&
        hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_THREAD) == 0 &&
        !hwloc_bitmap_iszero(allowed))
        (void)hwloc_topology_restrict(topology, allowed, 0); /* else: all of it */
    hwloc_bitmap_free(allowed);
    return STATUS_OK;
}

status cpu_seats_read(const char *description, struct arena *arena, struct cpu_seats *seats,
                      struct diagnostic *diagnostic)
{
    *seats = (struct cpu_seats){0};
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0)
        return fail(diagnostic, STATUS_DEVICE, "hwloc cannot describe this machine");
    status code = load_topology(description, topology, diagnostic);
    if (code == STATUS_OK) code = collect_seats(topology, arena, seats, diagnostic);
    hwloc_topology_destroy(topology);
    return code;
}

/* A machine as the planner sees it: devices with their facts and memory, the links between them, and its disk.
 *
 * Made of devices that are here or described (machine_create), or read from a file for machines that are elsewhere:
 *
 *     cards:
 *       - {profile: rtx3090, count: 2, link: 13e9, latency: 10e-6}   # also memory_bytes, read_bandwidth, peer
 *     links_together: 24e9          # bytes per second of all links of a host at once
 *     host: {name: ..., target: cpu, class: ..., facts: {...}}       # as of a profile (ir/device_facts.h)
 *     disk: 3e9                     # bytes per second
 *     cards_per_node: 8             # with a host each; and the network between them:
 *     network: {rate: 45e9, latency: 12e-6} */
#ifndef PLANNER_PLAN_MACHINE_H
#define PLANNER_PLAN_MACHINE_H

#include "ir/device_facts.h"

struct machine_device {
    const char *name; /* "rtx3090", as in --devices */
    struct device_facts facts;
    int node;
    int64_t memory_bytes;                              /* INT64_MAX: no limit is known */
    double link_rate, link_latency_seconds, peer_rate; /* cards; peer_rate 0: by way of the host */
};

struct machine {
    struct machine_device *devices;
    int device_count;
    double links_rate; /* of a host's links together; 0: no limit of their own */
    double disk_rate;  /* 0: no disk */
    double network_rate, network_latency_seconds;
};

enum { MACHINE_DEVICES_MAX = 256 };

/* Room for `count` devices, whose facts the caller has. */
struct machine_member {
    const char *name;
    const struct device_facts *facts;
    int64_t memory_bytes;
    bool host; /* computes in the host's memory: no link */
};
CHECKED status machine_create(const struct machine_member *members, int count, struct arena *arena,
                              struct machine **machine, struct diagnostic *diagnostic);

CHECKED status machine_read(struct yaml *root, struct arena *arena, struct machine **machine,
                            struct diagnostic *diagnostic);

/* What would be if: "vram=16GiB,24GiB link=4GB/s ram=64GiB dram=40GB/s disk=3GB/s latency=10us".  Of vram, link and
 * latency there may be one value for all cards, or one for each.  STATUS_USAGE says what is wrong. */
CHECKED status machine_change(struct machine *machine, const char *changes, struct arena *arena,
                              struct diagnostic *diagnostic);

#endif

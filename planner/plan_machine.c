/* Machines from devices and from files. */
#include "planner/plan_machine.h"

#include "base/text.h"
#include "ir/profiles.h"

#include <math.h>

/* Where nothing was measured: PCIe 3 with sixteen lanes, and a copy's way through driver and link. */
static const double link_rate_assumed = 12e9, link_latency_assumed = 10e-6;
/* And a small desktop's memory and arithmetic. */
static const double read_rate_assumed = 20e9, real_rate_assumed = 200e9;

static void fill_link(struct machine_device *device)
{
    const double *values = device->facts.values;
    device->link_rate =
        values[FACT_link_bandwidth] > 0 ? values[FACT_link_bandwidth] : link_rate_assumed;
    device->link_latency_seconds = values[FACT_link_nanoseconds] > 0
                                       ? values[FACT_link_nanoseconds] * 1e-9
                                       : link_latency_assumed;
    device->peer_rate = values[FACT_peer_bandwidth];
}

static void fill_rates(struct machine_device *device)
{
    double *values = device->facts.values;
    if (values[FACT_read_bandwidth] <= 0) values[FACT_read_bandwidth] = read_rate_assumed;
    if (values[FACT_real_rate] <= 0) values[FACT_real_rate] = real_rate_assumed;
}

status machine_create(const struct machine_member *members, int count, struct arena *arena,
                      struct machine **result, struct diagnostic *diagnostic)
{
    struct machine *machine;
    TRY_NEW(machine, arena, 1, diagnostic);
    TRY_NEW(machine->devices, arena, count, diagnostic);
    machine->device_count = count;
    for (int d = 0; d < count; d++) {
        struct machine_device *device = &machine->devices[d];
        *device = (struct machine_device){.name = members[d].name,
                                          .facts = *members[d].facts,
                                          .memory_bytes = members[d].memory_bytes};
        if (!members[d].host) fill_link(device);
        fill_rates(device);
        machine->disk_rate = fmax(machine->disk_rate, device->facts.values[FACT_disk_bandwidth]);
    }
    *result = machine;
    return STATUS_OK;
}

/* ---- Files ---- */

/* The number under `key`, or `otherwise`. */
static status read_number(struct yaml *map, const char *key, double otherwise, double *value,
                          struct diagnostic *diagnostic)
{
    struct yaml *node = yaml_find(map, key);
    *value = otherwise;
    if (!node) return STATUS_OK;
    TRY(yaml_real(node, value, diagnostic));
    if (*value >= 0 && *value < 1e18) return STATUS_OK;
    return yaml_fail(node, diagnostic, "%s must be a number from 0 up", key);
}

static status read_count(struct yaml *map, const char *key, int *count,
                         struct diagnostic *diagnostic)
{
    struct yaml *node = yaml_find(map, key);
    int64_t value = 1;
    if (node) TRY(yaml_integer(node, &value, diagnostic));
    if (value < 1 || value > MACHINE_DEVICES_MAX)
        return yaml_fail(node, diagnostic, "%s must be from 1 to %d", key, MACHINE_DEVICES_MAX);
    *count = (int)value;
    return STATUS_OK;
}

static status read_card(struct yaml *item, struct arena *arena, struct machine_device *card,
                        int *count, struct diagnostic *diagnostic)
{
    double memory_bytes;
    TRY(yaml_text(item, "profile", &card->name, diagnostic));
    struct diagnostic reason = {0};
    if (profile_read(card->name, arena, &card->facts, &reason) != STATUS_OK)
        return yaml_fail(item, diagnostic, "%s", reason.text);
    fill_link(card);
    double *values = card->facts.values;
    TRY(read_count(item, "count", count, diagnostic));
    TRY(read_number(item, "memory_bytes", values[FACT_memory_bytes], &memory_bytes, diagnostic));
    TRY(read_number(item, "read_bandwidth", values[FACT_read_bandwidth],
                    &values[FACT_read_bandwidth], diagnostic));
    TRY(read_number(item, "link", card->link_rate, &card->link_rate, diagnostic));
    TRY(read_number(item, "latency", card->link_latency_seconds, &card->link_latency_seconds,
                    diagnostic));
    TRY(read_number(item, "peer", card->peer_rate, &card->peer_rate, diagnostic));
    if (card->link_rate <= 0 || values[FACT_read_bandwidth] <= 0)
        return yaml_fail(item, diagnostic, "link and read_bandwidth must be above 0");
    card->memory_bytes = (int64_t)memory_bytes;
    return STATUS_OK;
}

static status read_cards(struct yaml *root, struct arena *arena, struct machine *machine,
                         struct diagnostic *diagnostic)
{
    struct yaml *cards;
    TRY(yaml_require(root, "cards", YAML_LIST, &cards, diagnostic));
    for (int i = 0; i < cards->count; i++) {
        struct machine_device card = {0};
        int count;
        if (cards->items[i].kind != YAML_MAP)
            return yaml_fail(&cards->items[i], diagnostic,
                             "a card is {profile: NAME, link: BYTES_PER_SECOND, ...}");
        TRY(read_card(&cards->items[i], arena, &card, &count, diagnostic));
        if (machine->device_count + count > MACHINE_DEVICES_MAX)
            return yaml_fail(cards, diagnostic, "there may be %d devices at most",
                             MACHINE_DEVICES_MAX);
        for (int c = 0; c < count; c++) machine->devices[machine->device_count++] = card;
    }
    return STATUS_OK;
}

/* Each node of cards has a host, which stands behind its cards. */
static status read_hosts(struct yaml *root, struct arena *arena, struct machine *machine,
                         struct diagnostic *diagnostic)
{
    struct yaml *map, *per_node = yaml_find(root, "cards_per_node");
    struct machine_device host = {.name = "cpu"};
    int cards = machine->device_count, in_node = cards;
    if (per_node) TRY(read_count(root, "cards_per_node", &in_node, diagnostic));
    TRY(yaml_require(root, "host", YAML_MAP, &map, diagnostic));
    TRY(device_facts_read(map, arena, &host.facts, diagnostic));
    if (host.facts.target != TARGET_CPU || host.facts.values[FACT_read_bandwidth] <= 0 ||
        host.facts.values[FACT_memory_bytes] <= 0)
        return yaml_fail(map, diagnostic,
                         "a host is of target cpu and has memory_bytes and read_bandwidth");
    host.memory_bytes = (int64_t)host.facts.values[FACT_memory_bytes];
    for (int d = 0; d < cards; d++) machine->devices[d].node = d / in_node;
    for (host.node = 0; host.node * in_node < cards || host.node == 0; host.node++)
        machine->devices[machine->device_count++] = host;
    return STATUS_OK;
}

static status read_network(struct yaml *root, struct machine *machine,
                           struct diagnostic *diagnostic)
{
    struct yaml *network = yaml_find(root, "network");
    if (!network) {
        if (machine->devices[machine->device_count - 1].node == 0) return STATUS_OK;
        return yaml_fail(root, diagnostic, "several nodes need 'network: {rate: .., latency: ..}'");
    }
    TRY(read_number(network, "rate", 0, &machine->network_rate, diagnostic));
    TRY(read_number(network, "latency", 0, &machine->network_latency_seconds, diagnostic));
    if (machine->network_rate <= 0)
        return yaml_fail(network, diagnostic, "the network's rate must be above 0");
    return STATUS_OK;
}

status machine_read(struct yaml *root, struct arena *arena, struct machine **result,
                    struct diagnostic *diagnostic)
{
    static const char *const known[] = {
        "cards", "links_together", "host", "disk",    "cards_per_node", "network",
        "rate",  "latency",        "link", "profile", "memory_bytes",   NULL};
    struct machine *machine;
    TRY_NEW(machine, arena, 1, diagnostic);
    TRY_NEW(machine->devices, arena, 2 * MACHINE_DEVICES_MAX, diagnostic);
    TRY(read_cards(root, arena, machine, diagnostic));
    TRY(read_hosts(root, arena, machine, diagnostic));
    TRY(read_network(root, machine, diagnostic));
    TRY(read_number(root, "links_together", 0, &machine->links_rate, diagnostic));
    TRY(read_number(root, "disk", 0, &machine->disk_rate, diagnostic));
    TRY(yaml_check_used(root, known, diagnostic));
    *result = machine;
    return STATUS_OK;
}

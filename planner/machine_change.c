/* --what-if: words of the form NAME=VALUE,VALUE that change a machine. */
#include "base/text.h"
#include "planner/plan_machine.h"

#include <string.h>

enum change_unit { UNIT_BYTES, UNIT_RATE, UNIT_SECONDS };

struct change {
    const char *name;
    enum change_unit unit;
    bool host; /* changes the hosts, else the cards */
    const char *example;
};

enum { CHANGE_VRAM, CHANGE_LINK, CHANGE_LATENCY, CHANGE_RAM, CHANGE_DRAM, CHANGE_DISK, CHANGES };

static const struct change changes_known[CHANGES] = {
    [CHANGE_VRAM] = {"vram", UNIT_BYTES, false, "vram=16GiB,24GiB"},
    [CHANGE_LINK] = {"link", UNIT_RATE, false, "link=4GB/s"},
    [CHANGE_LATENCY] = {"latency", UNIT_SECONDS, false, "latency=10us"},
    [CHANGE_RAM] = {"ram", UNIT_BYTES, true, "ram=64GiB"},
    [CHANGE_DRAM] = {"dram", UNIT_RATE, true, "dram=40GB/s"},
    [CHANGE_DISK] = {"disk", UNIT_RATE, true, "disk=3GB/s"},
};

/* "4GB/s" is a size with "/s" behind it, "10us" a number with its unit. */
static bool read_value(char *text, enum change_unit unit, double *value)
{
    size_t length = strlen(text);
    uint64_t bytes;
    if (unit == UNIT_SECONDS) {
        if (length < 3 || strcmp(text + length - 2, "us") != 0) return false;
        text[length - 2] = 0;
        if (!text_to_real(text, value)) return false;
        *value *= 1e-6;
        return *value >= 0 && *value < 10;
    }
    if (unit == UNIT_RATE) {
        if (length < 3 || strcmp(text + length - 2, "/s") != 0) return false;
        text[length - 2] = 0;
    }
    if (!text_to_bytes(text, &bytes) || bytes == 0 || bytes > INT64_MAX / 4) return false;
    *value = (double)bytes;
    return true;
}

static void set_value(struct machine *machine, int change, struct machine_device *device,
                      double value)
{
    switch (change) {
    case CHANGE_VRAM:
    case CHANGE_RAM: device->memory_bytes = (int64_t)value; break;
    case CHANGE_LINK: device->link_rate = value; break;
    case CHANGE_LATENCY: device->link_latency_seconds = value; break;
    case CHANGE_DRAM: device->facts.values[FACT_read_bandwidth] = value; break;
    default: machine->disk_rate = value; break;
    }
}

static bool is_meant(const struct machine_device *device, const struct change *change)
{
    return (device->link_rate <= 0) == change->host;
}

/* One value for all devices that are meant, or one for each. */
static status set_values(struct machine *machine, int change, const double *values, int count,
                         struct diagnostic *diagnostic)
{
    const struct change *known = &changes_known[change];
    int meant = 0, next = 0;
    for (int d = 0; d < machine->device_count; d++) meant += is_meant(&machine->devices[d], known);
    if (!meant && change != CHANGE_DISK)
        return fail(diagnostic, STATUS_USAGE, "--what-if: there is no %s among the devices for %s",
                    known->host ? "host (cpu)" : "card", known->name);
    if (count > 1 && count != meant)
        return fail(diagnostic, STATUS_USAGE,
                    "--what-if: %s has %d values for %d devices; give one, or one for each",
                    known->name, count, meant);
    if (change == CHANGE_DISK) machine->disk_rate = values[0];
    for (int d = 0; d < machine->device_count; d++)
        if (is_meant(&machine->devices[d], known))
            set_value(machine, change, &machine->devices[d], values[count > 1 ? next++ : 0]);
    return STATUS_OK;
}

static status refuse_value(const struct change *change, const char *value,
                           struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_USAGE, "--what-if: \"%.80s\" is not understood; write %s", value,
                change->example);
}

static status change_one(struct machine *machine, char *word, struct diagnostic *diagnostic)
{
    double values[MACHINE_DEVICES_MAX];
    char *list = strchr(word, '=');
    int change = 0, count = 0;
    if (list) *list++ = 0;
    while (change < CHANGES && strcmp(changes_known[change].name, word) != 0) change++;
    if (!list || change == CHANGES)
        return fail(diagnostic, STATUS_USAGE,
                    "--what-if: \"%.80s\" is not known; write vram=16GiB,24GiB link=4GB/s "
                    "latency=10us ram=64GiB dram=40GB/s disk=3GB/s",
                    word);
    const struct change *known = &changes_known[change];
    for (char *rest = NULL, *value = list; value; value = rest) {
        rest = strchr(value, ',');
        if (rest) *rest++ = 0;
        if (count == MACHINE_DEVICES_MAX || !*value) return refuse_value(known, value, diagnostic);
        if (!read_value(value, known->unit, &values[count++]))
            return refuse_value(known, value, diagnostic);
    }
    return set_values(machine, change, values, count, diagnostic);
}

status machine_change(struct machine *machine, const char *changes, struct arena *arena,
                      struct diagnostic *diagnostic)
{
    char *text = arena_text(arena, changes), *rest = NULL;
    TRY_MEMORY(text, diagnostic);
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        TRY(change_one(machine, word, diagnostic));
    return STATUS_OK;
}

#include "runtime/cpu_rates.h"

#include "base/file.h"
#include "base/text.h"

#include <string.h>

/* The facts that are measured, not read. */
static const enum fact measured[] = {FACT_read_bandwidth, FACT_cache_bandwidth,    FACT_real_rate,
                                     FACT_integer_rate,   FACT_launch_nanoseconds, FACT_half_rate};
enum { MEASURED_COUNT = sizeof measured / sizeof *measured };

static const char *rates_path(const char *folder, const struct device_facts *facts,
                              struct arena *scratch)
{
    return arena_print(scratch, "%s/rates/%s-%d.yaml", folder, facts->class_name,
                       (int)facts->values[FACT_cores]);
}

void cpu_rates_load(const char *folder, struct arena *scratch, struct device_facts *facts)
{
    struct diagnostic ignored = {0};
    const char *path = rates_path(folder, facts, scratch);
    struct yaml *root;
    double values[MEASURED_COUNT];
    if (!path || !file_exists(path) || yaml_read(path, scratch, &root, &ignored) != STATUS_OK)
        return;
    for (int m = 0; m < MEASURED_COUNT; m++) {
        const struct yaml *value = yaml_find(root, fact_name(measured[m]));
        if (!value || yaml_real(value, &values[m], &ignored) != STATUS_OK || !(values[m] > 0))
            return;
    }
    for (int m = 0; m < MEASURED_COUNT; m++) facts->values[measured[m]] = values[m];
}

status cpu_rates_save(const char *folder, const struct device_facts *facts, struct arena *scratch,
                      struct diagnostic *diagnostic)
{
    struct text text = {.arena = scratch};
    text_print(&text, "# measured on %s by %d threads\n", facts->name,
               (int)facts->values[FACT_cores]);
    for (int m = 0; m < MEASURED_COUNT; m++)
        text_print(&text, "%s: %.6g\n", fact_name(measured[m]), facts->values[measured[m]]);
    const char *path = rates_path(folder, facts, scratch), *bytes = text_finish(&text);
    TRY_MEMORY(path, diagnostic);
    TRY_MEMORY(bytes, diagnostic);
    return file_write(path, bytes, strlen(bytes), diagnostic);
}

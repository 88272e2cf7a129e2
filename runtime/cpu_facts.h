/* Facts about the host CPU: instruction families (with the operating system's support), caches, cores. */
#ifndef RUNTIME_CPU_FACTS_H
#define RUNTIME_CPU_FACTS_H

#include "ir/device_facts.h"

/* `cpu`: NULL or "native" for what is here; "portable", "x86-64-v2", "x86-64-v3", "x86-64-v4", "cascadelake", "cooperlake"
 * and "sapphirerapids" cap the instruction families (never above what is here; asking for more is STATUS_DEVICE).  Measured rates stay 0 (cpu_probe.h). */
CHECKED status cpu_facts_read(const char *cpu, struct arena *arena, struct device_facts *facts,
                              struct diagnostic *diagnostic);

#endif

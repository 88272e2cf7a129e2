/* The measured rates of the host, kept in a file so that estimates have them without measuring again. */
#ifndef RUNTIME_CPU_RATES_H
#define RUNTIME_CPU_RATES_H

#include "ir/device_facts.h"

/* FOLDER/rates/CLASS-THREADS.yaml.  A missing or damaged file leaves the facts as they are. */
void cpu_rates_load(const char *folder, struct arena *scratch, struct device_facts *facts);
CHECKED status cpu_rates_save(const char *folder, const struct device_facts *facts,
                              struct arena *scratch, struct diagnostic *diagnostic);

#endif

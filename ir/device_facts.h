/* Device facts: what spaces, estimates and keys may know of a device.  Read from the machine, or
 * from a profile file for devices that are not here. */
#ifndef IR_DEVICE_FACTS_H
#define IR_DEVICE_FACTS_H

#include "base/hash.h"
#include "base/text.h"
#include "base/yaml.h"

#include <stdint.h>

enum target { TARGET_CPU, TARGET_CUDA, TARGET_COUNT };

enum fact {
#define FACT(name, meaning) FACT_##name,
#include "ir/facts.def"
#undef FACT
    FACT_COUNT
};

struct device_facts {
    enum target target;
    const char *name;       /* "AMD EPYC", for people */
    const char *triple;     /* CPU: LLVM target triple */
    const char *cpu;        /* CPU: LLVM processor name, "x86-64-v3" */
    const char *features;   /* CPU: LLVM feature string, "+avx2,+fma" */
    const char *class_name; /* devices of one class share measurements: part of every key */
    double values[FACT_COUNT];
};

const char *fact_name(enum fact fact);
bool fact_by_name(const char *name, enum fact *fact);
/* Rates and times, which are measured or estimated: no kernel depends on them. */
bool fact_is_measured(enum fact fact);
const char *target_name(enum target target);
bool target_by_name(const char *name, enum target *target);

/* As a profile file, in one line; facts that are 0 are left out. */
void device_facts_print(const struct device_facts *facts, struct text *text);

/* A profile file (YAML).  Facts that it does not name are 0; triple, cpu and features may be absent
 * ("").  A card names its architecture, which settles its limits (ir/card.h), and needs no class:
 *
 *     name: GeForce RTX 3090
 *     target: cuda
 *     class: sm_86-82c-24g
 *     facts: {sm: 86, cores: 82, memory_bytes: 25769803776, read_bandwidth: 9.36e11} */
CHECKED status device_facts_read(struct yaml *root, struct arena *arena, struct device_facts *facts,
                                 struct diagnostic *diagnostic);

#endif

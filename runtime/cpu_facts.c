/* Facts about the host CPU: instruction families, the words that LLVM knows it by, caches and
 * cores. */
#include "runtime/cpu_facts.h"

#include "runtime/cpu_families.h"
#include "runtime/threads.h"

#include <hwloc.h>
#include <string.h>

/* ---- Levels ---- */

enum level { LEVEL_PORTABLE, LEVEL_V2, LEVEL_V3, LEVEL_V4, LEVEL_COUNT };

static const struct {
    const char *name;     /* of --cpu */
    const char *llvm_cpu; /* on x86-64 */
    const char *class_name;
    int vector_bytes;
} levels[LEVEL_COUNT] = {
    [LEVEL_PORTABLE] = {"portable", "x86-64", "portable", 16},
    [LEVEL_V2] = {"x86-64-v2", "x86-64-v2", "sse42", 16},
    [LEVEL_V3] = {"x86-64-v3", "x86-64-v3", "avx2", 32},
    [LEVEL_V4] = {"x86-64-v4", "x86-64-v4", "avx512", 64},
};

static enum level level_here(const struct cpu_families *families)
{
    return families->v4   ? LEVEL_V4
           : families->v3 ? LEVEL_V3
           : families->v2 ? LEVEL_V2
                          : LEVEL_PORTABLE;
}

/* Servers whose families above x86-64-v4 software is built for, by LLVM's names. */
static const struct cpu_families servers[] = {
    {.name = "cascadelake", .avx512_vnni = true},
    {.name = "cooperlake", .avx512_vnni = true, .avx512_bf16 = true},
    {.name = "sapphirerapids",
     .avx512_vnni = true,
     .avx512_bf16 = true,
     .avx512_fp16 = true,
     .avx_vnni = true,
     .amx = true},
};

static bool has_all(const struct cpu_families *here, const struct cpu_families *wanted)
{
    return here->v4 && here->avx512_vnni >= wanted->avx512_vnni &&
           here->avx512_bf16 >= wanted->avx512_bf16 && here->avx512_fp16 >= wanted->avx512_fp16 &&
           here->avx_vnni >= wanted->avx_vnni && here->amx >= wanted->amx;
}

static void keep_families(struct cpu_families *here, const struct cpu_families *wanted)
{
    here->avx512_vnni &= wanted->avx512_vnni;
    here->avx512_bf16 &= wanted->avx512_bf16;
    here->avx512_fp16 &= wanted->avx512_fp16;
    here->avx_vnni &= wanted->avx_vnni;
    here->amx &= wanted->amx;
}

static status fail_absent(const char *cpu, const struct cpu_families *families,
                          struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_DEVICE,
                "this processor (%s) has no %s; native is the most that it runs, %s the highest "
                "level",
                families->name, cpu, levels[level_here(families)].name);
}

/* Takes from the families what the name leaves out. */
static status choose_level(const char *cpu, struct cpu_families *families, enum level *level,
                           struct diagnostic *diagnostic)
{
    static const struct cpu_families nothing = {0};
    *level = level_here(families);
    if (!cpu || strcmp(cpu, "native") == 0) return STATUS_OK;
    for (int l = 0; l < LEVEL_COUNT; l++) {
        if (strcmp(cpu, levels[l].name) != 0) continue;
        if ((enum level)l > *level) return fail_absent(cpu, families, diagnostic);
        *level = (enum level)l;
        keep_families(families, &nothing);
        return STATUS_OK;
    }
    for (size_t s = 0; s < sizeof servers / sizeof *servers; s++) {
        if (strcmp(cpu, servers[s].name) != 0) continue;
        if (!has_all(families, &servers[s])) return fail_absent(cpu, families, diagnostic);
        *level = LEVEL_V4;
        keep_families(families, &servers[s]);
        return STATUS_OK;
    }
    return fail(diagnostic, STATUS_USAGE,
                "unknown processor '%s' for --cpu; known are native, portable, x86-64-v2, "
                "x86-64-v3, x86-64-v4, cascadelake (AVX-512-VNNI), cooperlake (and BF16) and "
                "sapphirerapids (and FP16, AMX)",
                cpu);
}

/* ---- What LLVM is told ---- */

/* A level's name and the families above it.  The name of the very model would add
 * nothing that kernels use, and would claim features that a virtual machine may hide. */
static status set_words(enum level level, const struct cpu_families *families, struct arena *arena,
                        struct device_facts *facts, struct diagnostic *diagnostic)
{
#if defined(__x86_64__)
    facts->triple = "x86_64-unknown-linux-gnu";
    facts->cpu = levels[level].llvm_cpu;
    facts->features = "";
    bool more = families->avx_vnni || families->avx512_vnni || families->avx512_bf16 ||
                families->avx512_fp16 || families->amx;
    if (more)
        facts->features =
            arena_print(arena, "+fma%s%s%s%s%s", families->avx_vnni ? ",+avxvnni" : "",
                        families->avx512_vnni ? ",+avx512vnni" : "",
                        families->avx512_bf16 ? ",+avx512bf16" : "",
                        families->avx512_fp16 ? ",+avx512fp16" : "",
                        families->amx ? ",+amx-tile,+amx-int8,+amx-bf16" : "");
#else
    (void)level, (void)families;
#if defined(__aarch64__)
    facts->triple = "aarch64-unknown-linux-gnu";
#else
    facts->triple =
        "unknown-unknown-linux-gnu"; /* the references run; there is no code generation */
#endif
    facts->cpu = "generic";
    facts->features = arena_text(arena, "");
#endif
    TRY_MEMORY(facts->features, diagnostic);
    return STATUS_OK;
}

static void set_families(enum level level, const struct cpu_families *families, double *values)
{
    values[FACT_vector_bytes] = levels[level].vector_bytes;
    values[FACT_has_avx2] = level >= LEVEL_V3;
    values[FACT_has_avx512] = level >= LEVEL_V4;
    values[FACT_has_vnni] = families->avx512_vnni;
    values[FACT_has_avxvnni] = families->avx_vnni;
    values[FACT_has_bf16] = families->avx512_bf16;
    values[FACT_has_fp16] = families->avx512_fp16;
    values[FACT_has_amx] = families->amx;
}

/* ---- Caches and memory ---- */

static double cache_bytes(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
    return cache && cache->attr ? (double)cache->attr->cache.size : 0;
}

static status set_topology(double *values, struct diagnostic *diagnostic)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0)
        return fail(diagnostic, STATUS_DEVICE, "hwloc cannot describe this machine");
    hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_cache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
    if (hwloc_topology_load(topology) != 0) {
        hwloc_topology_destroy(topology);
        return fail(diagnostic, STATUS_DEVICE, "hwloc cannot read this machine's topology");
    }
    values[FACT_l1_bytes] = cache_bytes(topology, HWLOC_OBJ_L1CACHE);
    values[FACT_l2_bytes] = cache_bytes(topology, HWLOC_OBJ_L2CACHE);
    values[FACT_l3_bytes] = cache_bytes(topology, HWLOC_OBJ_L3CACHE);
    values[FACT_memory_bytes] = (double)hwloc_get_root_obj(topology)->total_memory;
    hwloc_topology_destroy(topology);
    /* Some virtual machines hide their caches; small ones are assumed then. */
    if (values[FACT_l1_bytes] <= 0) values[FACT_l1_bytes] = 32 << 10;
    if (values[FACT_l2_bytes] <= 0) values[FACT_l2_bytes] = 256 << 10;
    if (values[FACT_l3_bytes] <= 0) values[FACT_l3_bytes] = values[FACT_l2_bytes];
    values[FACT_cores] = thread_count_default();
    return STATUS_OK;
}

/* Devices with the same class are taken to run the same kernels at the same speed. */
static status set_class(enum level level, const double *values, struct arena *arena,
                        struct device_facts *facts, struct diagnostic *diagnostic)
{
    const char *family = values[FACT_has_amx]       ? "amx"
                         : values[FACT_has_vnni]    ? "avx512vnni"
                         : values[FACT_has_avxvnni] ? "avxvnni"
                                                    : levels[level].class_name;
    facts->class_name = arena_print(arena, "cpu-%s%s-%.0fc-%.0fk-%.0fm", family,
                                    values[FACT_has_bf16] && !values[FACT_has_amx] ? "bf16" : "",
                                    values[FACT_cores], values[FACT_l2_bytes] / 1024,
                                    values[FACT_l3_bytes] / 1048576);
    TRY_MEMORY(facts->class_name, diagnostic);
    return STATUS_OK;
}

status cpu_facts_read(const char *cpu, struct arena *arena, struct device_facts *facts,
                      struct diagnostic *diagnostic)
{
    struct cpu_families families = cpu_families_here();
    enum level level;
    TRY(choose_level(cpu, &families, &level, diagnostic));
    *facts = (struct device_facts){.target = TARGET_CPU};
    facts->name = arena_text(arena, families.name);
    TRY_MEMORY(facts->name, diagnostic);
    set_families(level, &families, facts->values);
    TRY(set_words(level, &families, arena, facts, diagnostic));
    TRY(set_topology(facts->values, diagnostic));
    return set_class(level, facts->values, arena, facts, diagnostic);
}

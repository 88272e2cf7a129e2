/* Reading spaces and problems from texts, and a CPU to bind them to. */
#include "tests/unit/space_harness.h"

#include "tests/check.h"
#include "tests/unit/fake_ops.h"

const char small_space[] =
    "variant: small_cpu\n"
    "op: [linear, map]\n"
    "target: cpu\n"
    "numerics: {operands: q8 per block of 32, accumulation: f32}\n"
    "accepts: rows <= 16 and weight.q8_0 or map_rows.never == 0 and scale > 0.25\n"
    "tunables:\n"
    "  streams: {values: [1, 2, 4, 8], kind: compile, default: 4}\n"
    "  prefetch: {values: [0, 1024, 2048]}\n"
    "  dot: {values: [fma, vnni], kind: numerics, default: vnni}\n"
    "let:\n"
    "  row_bytes: weight.columns / 32 * 34\n"
    "  window: streams * prefetch\n"
    "rules:\n"
    "  - {require: dot != vnni or has_vnni, class: hardware, reason: this CPU has no VNNI}\n"
    "  - {require: window <= 8192, class: algorithm, reason: more than the cache holds}\n"
    "  - {require: streams > 1, class: soft, reason: one stream starves}\n"
    "estimate: bytes / read_bandwidth * (1.5 if streams == 1 else 1.0) + row_bytes * 1e-12\n";

/* The space above without the misspelt name. */
const char *small_text(struct arena *arena)
{
    const char *const bad = " or map_rows.never == 0 and scale > 0.25";
    const char *at = strstr(small_space, bad);
    return arena_print(arena, "%.*s or scale > 0.25%s", (int)(at - small_space), small_space,
                       at + strlen(bad));
}

status read_text(const char *yaml, struct arena *arena, struct space **space,
                 struct diagnostic *diagnostic)
{
    struct yaml *root;
    TRY(yaml_parse("test.yaml", yaml, strlen(yaml), arena, &root, diagnostic));
    return space_read(root, fake_ops, arena, space, diagnostic);
}

struct problem *parse_problem(const char *text, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(problem_parse(text, fake_ops, arena, &problem, &diagnostic));
    return problem;
}

struct device_facts test_facts(bool has_vnni)
{
    struct device_facts facts = {.target = TARGET_CPU, .name = "test", .class_name = "test"};
    facts.values[FACT_has_vnni] = has_vnni;
    facts.values[FACT_read_bandwidth] = 2e9;
    facts.values[FACT_l2_bytes] = 1 << 20;
    return facts;
}

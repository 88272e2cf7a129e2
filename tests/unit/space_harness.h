/* What the tests of spaces share. */
#ifndef TESTS_UNIT_SPACE_HARNESS_H
#define TESTS_UNIT_SPACE_HARNESS_H

#include "ir/space.h"

static const char linear_problem[] =
    "linear(f32[rows,2048], q8_0[5632,2048], _, _) -> f32[rows,5632] rows<=1";

/* A small space with one misspelt name, and the same without it. */
extern const char small_space[];
const char *small_text(struct arena *arena);

CHECKED status read_text(const char *yaml, struct arena *arena, struct space **space,
                         struct diagnostic *diagnostic);
struct problem *parse_problem(const char *text, struct arena *arena);
struct device_facts test_facts(bool has_vnni);

#endif

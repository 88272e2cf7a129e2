/* Writes config.cuh. */
#include "codegen/cuda/kernel_config.h"

#include "codegen/kernel_constants.h"

/* With a point or an exponent, as C++ wants it before the f. */
static void write_real(struct text *text, const char *name, double value)
{
    text_print(text, "constexpr float %s = %.9ef;\n", name, value);
    text_print(text, "constexpr double %s_exact = %.17e;\n", name, value);
}

static void write_constant(struct text *text, const struct kernel_constant *constant)
{
    const char *type = constant->whole == (int32_t)constant->whole ? "int" : "long long";
    if (constant->real)
        write_real(text, constant->name, constant->value);
    else
        text_print(text, "constexpr %s %s = %lld;\n", type, constant->name,
                   (long long)constant->whole);
}

status kernel_config_write(const struct bound_space *bound, const struct config *config,
                           struct arena *arena, const char **result, struct diagnostic *diagnostic)
{
    struct kernel_constants constants;
    struct text text = {.arena = arena};
    TRY(kernel_constants_collect(bound, config, arena, &constants, diagnostic));
    text_print(&text, "// %s\n// %s ", bound->problem->text, bound->space->variant);
    config_print(bound->space, config, &text);
    /* Names that the compiler has for itself (floor) are not in its way here: kernels say config::floor. */
    text_append(&text, "\n#pragma once\nnamespace config {\n");
    for (int c = 0; c < constants.count; c++) write_constant(&text, &constants.rows[c]);
    text_append(&text, "}\nusing namespace config;\n");
    *result = text_finish(&text);
    TRY_MEMORY(*result, diagnostic);
    return STATUS_OK;
}

/* A variant that differs little from another one, as kernels do that are made for two types of weights, says what is
 * different: tunables, let values, workspaces and tensor maps are taken over one by one, rules add up, everything else
 * is replaced as a whole (base/yaml_merge.h). */
#include "ir/space_extend.h"

#include "base/yaml_merge.h"

static const struct yaml_merge sections = {
    .by_entry = (const char *const[]){"tunables", "let", "workspaces", "tensor_maps", NULL},
    .lists = (const char *const[]){"rules", NULL},
    .own_only = (const char *const[]){"variant", "extends", NULL},
};

status space_extends(struct yaml *root, const char **variant, struct diagnostic *diagnostic)
{
    *variant = NULL;
    if (!yaml_find(root, "extends")) return STATUS_OK;
    return yaml_text(root, "extends", variant, diagnostic);
}

status space_extend(struct yaml *base, struct yaml *own, struct arena *arena, struct yaml **whole,
                    struct diagnostic *diagnostic)
{
    TRY(yaml_merge(&sections, base, own, arena, whole, diagnostic));
    yaml_find(*whole, "extends"); /* read by now */
    return STATUS_OK;
}

/* Reads "cpu", "null", "virtual:2GiB", "virtual:2GiB@20GFLOPS,2GB/s", "cuda:0", "emulated:sm_86:24GiB", "rank:1", "rtx3090". */
#include "runtime/device_specification.h"

#include "base/text.h"
#include "ir/profiles.h"

#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "20GFLOPS", "1.5TFLOPS", "2GB/s", "500MB/s": a number, a decimal prefix, then `unit`. */
static bool rate(struct arena *arena, const char *text, const char *unit, double *value)
{
    size_t length = strlen(text), unit_length = strlen(unit);
    if (length <= unit_length + 1 || strcmp(text + length - unit_length, unit) != 0) return false;
    const char *const prefixes = "kMGT";
    const char *prefix = strchr(prefixes, text[length - unit_length - 1]);
    char *number = arena_text_range(arena, text, length - unit_length - (prefix ? 1 : 0));
    if (!number || !text_to_real(number, value) || *value <= 0) return false;
    for (long p = 0; prefix && p <= prefix - prefixes; p++) *value *= 1000;
    return true;
}

static status virtual_card(struct device_specification *specification, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    char *size = arena_text(arena, specification->text + strlen("virtual:"));
    TRY_MEMORY(size, diagnostic);
    char *model = strchr(size, '@');
    if (model) *model++ = 0;
    uint64_t bytes;
    if (!text_to_bytes(size, &bytes) || bytes == 0 || bytes > INT64_MAX)
        return fail(diagnostic, STATUS_USAGE,
                    "--devices: \"%s\": the memory size is not understood; write virtual:2GiB",
                    specification->text);
    specification->memory_bytes = (int64_t)bytes;
    if (!model) return STATUS_OK;
    char *link = strchr(model, ',');
    if (link) *link++ = 0;
    if (!link || !rate(arena, model, "FLOPS", &specification->operations_per_second) ||
        !rate(arena, link, "B/s", &specification->link_bytes_per_second))
        return fail(
            diagnostic, STATUS_USAGE,
            "--devices: \"%s\": the speed is not understood; write virtual:2GiB@20GFLOPS,2GB/s",
            specification->text);
    return STATUS_OK;
}

static status cuda_card(struct device_specification *specification, struct diagnostic *diagnostic)
{
    enum { ORDINAL_MAX = 255 };
    int64_t ordinal;
    specification->kind = DEVICE_CUDA;
    if (!text_to_integer(specification->text + strlen("cuda:"), &ordinal) || ordinal < 0 ||
        ordinal > ORDINAL_MAX)
        return fail(diagnostic, STATUS_USAGE,
                    "--devices: \"%s\": the card's number is not understood; write cuda:0",
                    specification->text);
    specification->ordinal = (int)ordinal;
    return STATUS_OK;
}

static status rank_number(struct device_specification *specification, struct diagnostic *diagnostic)
{
    int64_t number;
    specification->kind = DEVICE_RANK;
    if (!text_to_integer(specification->text + strlen("rank:"), &number) || number < 1 ||
        number > INT16_MAX)
        return fail(diagnostic, STATUS_USAGE,
                    "--devices: \"%s\": the rank is not understood; write rank:1",
                    specification->text);
    specification->ordinal = (int)number;
    return STATUS_OK;
}

/* "sm_86:24GiB": digits, perhaps a letter, a size. */
static status emulated_card(struct device_specification *specification, struct arena *arena,
                            struct diagnostic *diagnostic)
{
    const char *architecture = specification->text + strlen("emulated:");
    specification->kind = DEVICE_EMULATED;
    const char *size = strchr(architecture, ':');
    size_t digits = starts_with(architecture, "sm_") ? strspn(architecture + 3, "0123456789") : 0;
    uint64_t bytes;
    char *text = size ? arena_text(arena, size + 1) : NULL;
    if (digits < 2 || digits > 3 || architecture + 3 + digits != size || !text ||
        !text_to_bytes(text, &bytes) || bytes == 0 || bytes > INT64_MAX)
        return fail(diagnostic, STATUS_USAGE,
                    "--devices: \"%s\" is not understood; write emulated:sm_86:24GiB",
                    specification->text);
    specification->memory_bytes = (int64_t)bytes;
    return STATUS_OK;
}

/* Whatever else it may be called, a device that is not here has a profile. */
static status require_profile(const char *text, struct arena *arena, struct diagnostic *diagnostic)
{
    const char *const *names = profile_names(arena);
    TRY_MEMORY(names, diagnostic);
    for (int n = 0; names[n]; n++)
        if (strcmp(names[n], text) == 0) return STATUS_OK;
    const char *nearest = text_nearest(text, names);
    return fail(diagnostic, STATUS_USAGE,
                "--devices: \"%s\" is no device; known are cpu, cuda:NUMBER, virtual:SIZE, "
                "emulated:sm_86:SIZE, null and, for "
                "cards that are not here, profiles like %s",
                text, nearest ? nearest : "rtx3090");
}

status device_specification_parse(const char *text, struct arena *arena,
                                  struct device_specification *specification,
                                  struct diagnostic *diagnostic)
{
    *specification = (struct device_specification){.text = text, .memory_bytes = INT64_MAX};
    if (strcmp(text, "cpu") == 0) return STATUS_OK;
    if (strcmp(text, "null") == 0) {
        specification->kind = DEVICE_NULL;
        return STATUS_OK;
    }
    if (starts_with(text, "virtual:")) {
        specification->kind = DEVICE_VIRTUAL;
        return virtual_card(specification, arena, diagnostic);
    }
    if (starts_with(text, "cuda:")) return cuda_card(specification, diagnostic);
    if (starts_with(text, "emulated:")) return emulated_card(specification, arena, diagnostic);
    if (starts_with(text, "rank:")) return rank_number(specification, diagnostic);
    specification->kind = DEVICE_DESCRIBED;
    return require_profile(text, arena, diagnostic);
}

status device_list_parse(const char *list, struct arena *arena,
                         struct device_specification **specifications, int *count,
                         struct diagnostic *diagnostic)
{
    struct device_specification *items = NULL;
    size_t capacity = 0;
    int found = 0;
    const char *at = list;
    for (;;) {
        const char *comma = strchr(at, ',');
        const char *model = strchr(at, '@');
        if (comma && model && model < comma) comma = strchr(comma + 1, ',');
        size_t length = comma ? (size_t)(comma - at) : strlen(at);
        char *text = arena_text_range(arena, at, length);
        TRY_MEMORY(text, diagnostic);
        TRY_APPEND(items, found, capacity, arena, diagnostic);
        TRY(device_specification_parse(text, arena, &items[found - 1], diagnostic));
        if (!comma) break;
        at = comma + 1;
    }
    *specifications = items;
    *count = found;
    return STATUS_OK;
}

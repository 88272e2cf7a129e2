/* Printing the counters of emulated kernels. */
#include "cli/emulation_report.h"

#include "base/text.h"

#include <stdio.h>

struct kernel_counts {
    const char *name, *fault; /* fault NULL: none */
    json_int_t grid[3], block[3], shared_bytes;
    json_int_t warp_instructions, lane_instructions;
    json_int_t global_accesses, global_bytes, global_sectors, unique_sectors;
    json_int_t shared_accesses, shared_waves, matrix_operations, barriers;
    double modelled_seconds;
    json_t *instructions, *lines;
};

enum { SECTOR_BYTES = 32, WARP_LANES = 32 };

const char *emulation_verdict(const struct emulation *emulation)
{
    switch (emulation->outcome.status) {
    case RECORD_OK: return "its results are right";
    case RECORD_CRASHED: return "its launch failed";
    default: return record_status_meaning(emulation->outcome.status);
    }
}

static status read_counts(json_t *kernel, struct kernel_counts *counts,
                          struct diagnostic *diagnostic)
{
    json_error_t error;
    json_t *fault = NULL;
    int code = json_unpack_ex(
        kernel, &error, 0,
        "{s:s, s:[III], s:[III], s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:F, "
        "s:o, s:o}",
        "kernel", &counts->name, "grid", &counts->grid[0], &counts->grid[1], &counts->grid[2],
        "block", &counts->block[0], &counts->block[1], &counts->block[2], "shared_bytes",
        &counts->shared_bytes, "instructions", &counts->instructions, "warp_instructions",
        &counts->warp_instructions, "lane_instructions", &counts->lane_instructions,
        "global_accesses", &counts->global_accesses, "global_bytes", &counts->global_bytes,
        "global_sectors", &counts->global_sectors, "unique_sectors", &counts->unique_sectors,
        "shared_accesses", &counts->shared_accesses, "shared_waves", &counts->shared_waves,
        "matrix_operations", &counts->matrix_operations, "barriers", &counts->barriers,
        "modelled_seconds", &counts->modelled_seconds, "lines", &counts->lines, "fault", &fault);
    if (code != 0 || !json_is_object(counts->instructions) || !json_is_array(counts->lines))
        return fail(diagnostic, STATUS_DEVICE, "the stand-in driver's report: %s; reinstall Hone",
                    error.text);
    counts->fault = json_string_value(fault);
    return STATUS_OK;
}

static status load_report(const struct emulation *emulation, json_t **report,
                          struct diagnostic *diagnostic)
{
    json_error_t error;
    *report = json_loads(emulation->report, 0, &error);
    if (*report && json_is_array(*report)) return STATUS_OK;
    json_decref(*report);
    return fail(diagnostic, STATUS_DEVICE,
                "the stand-in driver's report is no JSON array (%s); reinstall Hone", error.text);
}

static double share(json_int_t part, json_int_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* Those that occur, in the order of the report. */
static void print_instructions(const struct kernel_counts *counts)
{
    const char *name, *before = ": ";
    json_t *value;
    printf("  %-18s %lld of warps, %.1f%% of their lanes at work", "instructions",
           (long long)counts->warp_instructions,
           share(counts->lane_instructions, counts->warp_instructions * WARP_LANES));
    json_object_foreach(counts->instructions, name, value)
    {
        if (json_integer_value(value) == 0) continue;
        printf("%s%s %lld", before, name, (long long)json_integer_value(value));
        before = ", ";
    }
    putchar('\n');
}

static void print_memory(const struct kernel_counts *counts)
{
    char asked[32], moved[32], least[32];
    json_int_t sector_bytes = counts->global_sectors * SECTOR_BYTES;
    printf("  %-18s %lld accesses to %s in sectors of %s (%.1f%% used); different sectors: %s\n",
           "global memory", (long long)counts->global_accesses,
           text_bytes((double)counts->global_bytes, asked), text_bytes((double)sector_bytes, moved),
           share(counts->global_bytes, sector_bytes),
           text_bytes((double)(counts->unique_sectors * SECTOR_BYTES), least));
    printf("  %-18s %lld accesses in %lld waves: %lld lost to bank conflicts\n", "shared memory",
           (long long)counts->shared_accesses, (long long)counts->shared_waves,
           (long long)(counts->shared_waves - counts->shared_accesses));
}

/* Instructions of the PTX that lose something. */
static void print_lines(const struct kernel_counts *counts)
{
    size_t index;
    json_t *line;
    if (json_array_size(counts->lines) > 0) printf("  costly accesses\n");
    json_array_foreach(counts->lines, index, line)
    {
        json_int_t waves = json_integer_value(json_object_get(line, "shared_waves"));
        json_int_t accesses = json_integer_value(json_object_get(line, "shared_accesses"));
        json_int_t sectors = json_integer_value(json_object_get(line, "global_sectors"));
        json_int_t bytes = json_integer_value(json_object_get(line, "global_bytes"));
        const char *text = json_string_value(json_object_get(line, "text"));
        printf("    ptx:%-6lld ", (long long)json_integer_value(json_object_get(line, "line")));
        if (waves > accesses) printf("%.1f waves per access   ", (double)waves / (double)accesses);
        if (sectors > 0) printf("%.0f%% of sectors used   ", share(bytes, sectors * SECTOR_BYTES));
        printf("%s\n", text ? text : "");
    }
}

static void print_counts(const struct kernel_counts *counts)
{
    char seconds[32];
    printf("\n%s: %lldx%lldx%lld blocks of %lldx%lldx%lld threads, %lld bytes of shared memory\n",
           counts->name, (long long)counts->grid[0], (long long)counts->grid[1],
           (long long)counts->grid[2], (long long)counts->block[0], (long long)counts->block[1],
           (long long)counts->block[2], (long long)counts->shared_bytes);
    print_instructions(counts);
    print_memory(counts);
    printf("  %-18s %lld\n", "barriers", (long long)counts->barriers);
    if (counts->matrix_operations > 0)
        printf("  %-18s %lld multiplications and additions of matrix instructions\n", "matrix",
               (long long)counts->matrix_operations);
    print_lines(counts);
    printf("  %-18s %s\n", "modelled time", text_seconds(counts->modelled_seconds, seconds));
    printf("  %-18s %s\n", "faults", counts->fault ? counts->fault : "none");
}

status emulation_print(const struct emulation *emulation, struct diagnostic *diagnostic)
{
    json_t *report, *kernel;
    size_t index;
    status code = STATUS_OK;
    TRY(load_report(emulation, &report, diagnostic));
    printf("; on %s: %s%s%s\n", emulation->card, emulation_verdict(emulation),
           *emulation->outcome.detail ? ": " : "", emulation->outcome.detail);
    json_array_foreach(report, index, kernel)
    {
        struct kernel_counts counts;
        code = read_counts(kernel, &counts, diagnostic);
        if (code != STATUS_OK) break;
        print_counts(&counts);
    }
    json_decref(report);
    return code;
}

status emulation_json(const struct emulation *emulation, json_t **document,
                      struct diagnostic *diagnostic)
{
    json_t *report;
    TRY(load_report(emulation, &report, diagnostic));
    *document = json_pack("{s:s, s:s, s:s, s:o}", "card", emulation->card, "status",
                          record_status_name(emulation->outcome.status), "detail",
                          emulation->outcome.detail, "kernels", report);
    if (*document) return STATUS_OK;
    return fail_memory(diagnostic, 0);
}

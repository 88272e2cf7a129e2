/* hone devices: what is here, with the ceilings that kernels are judged by. */
#include "base/file.h"
#include "cli/command.h"
#include "runtime/cpu_rates.h"

#include <stdio.h>

static json_t *device_json(const struct device *device)
{
    const struct device_facts *facts = device_facts(device);
    json_t *values = json_object();
    for (int f = 0; f < FACT_COUNT; f++)
        json_object_set_new(values, fact_name((enum fact)f), json_real(facts->values[f]));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o}", "device",
                     device_specification(device), "name", facts->name, "class", facts->class_name,
                     "triple", facts->triple, "cpu", facts->cpu, "features", facts->features,
                     "threads", device_threads(device), "facts", values);
}

static void print_device(const struct device *device)
{
    const struct device_facts *facts = device_facts(device);
    const double *values = facts->values;
    char l1[32], l2[32], l3[32], memory[32];
    printf("%s: %s\n", device_specification(device), facts->name);
    printf("  class         %s, %d threads\n", facts->class_name, device_threads(device));
    printf("  instructions  %s%s%s\n", facts->cpu, *facts->features ? " " : "", facts->features);
    printf("  caches        %s, %s, %s; memory %s\n", text_bytes(values[FACT_l1_bytes], l1),
           text_bytes(values[FACT_l2_bytes], l2), text_bytes(values[FACT_l3_bytes], l3),
           text_bytes(values[FACT_memory_bytes], memory));
    if (device_memory_limit(device) != INT64_MAX)
        printf("  limit         %s\n", text_bytes((double)device_memory_limit(device), memory));
    printf("  reads         %.1f GB/s from memory, %.1f GB/s from second-level caches\n",
           values[FACT_read_bandwidth] / 1e9, values[FACT_cache_bandwidth] / 1e9);
    printf("  computes      %.1f GFLOP/s in f32, %.1f GFLOP/s in bf16, %.1f GOP/s in 8-bit "
           "integers\n",
           values[FACT_real_rate] / 1e9, values[FACT_half_rate] / 1e9,
           values[FACT_integer_rate] / 1e9);
    printf("  launches in   %.2f us\n", values[FACT_launch_nanoseconds] / 1e3);
}

static status measure(struct device *device, const struct arguments *arguments,
                      struct console *console, struct arena *arena, struct diagnostic *diagnostic)
{
    struct progress_state state = {
        .stage = "measuring", .detail = device_specification(device), .seconds_left = 2};
    progress_update(&console->progress, &state);
    TRY(device_probe(device, diagnostic));
    const char *folder = arguments->cache ? arguments->cache : file_cache_folder(arena);
    struct diagnostic reason = {0};
    if (folder && *folder &&
        cpu_rates_save(folder, device_facts(device), arena, &reason) != STATUS_OK)
        progress_warn(&console->progress, "the measured rates are not kept: %s", reason.text);
    return STATUS_OK;
}

static status report(struct device **devices, int count, const struct arguments *arguments,
                     struct console *console, struct arena *arena, struct diagnostic *diagnostic)
{
    for (int d = 0; d < count; d++) TRY(measure(devices[d], arguments, console, arena, diagnostic));
    console_clear_line(console);
    if (arguments->json) {
        json_t *list = json_array();
        for (int d = 0; d < count; d++) json_array_append_new(list, device_json(devices[d]));
        return console_print_json(json_pack("{s:o}", "devices", list), diagnostic);
    }
    for (int d = 0; d < count; d++) print_device(devices[d]);
    return console_flush(diagnostic);
}

status command_devices(const struct arguments *arguments, struct console *console,
                       struct arena *arena, struct diagnostic *diagnostic)
{
    const struct device_options options = {.threads = (int)given_or(arguments->threads, 0),
                                           .cpu = arguments->cpu};
    struct device **devices;
    int count = 0;
    TRY(device_open_list(arguments->devices ? arguments->devices : "cpu", &options, arena, &devices,
                         &count, diagnostic));
    status code = report(devices, count, arguments, console, arena, diagnostic);
    for (int d = 0; d < count; d++) device_close(devices[d]);
    return code;
}

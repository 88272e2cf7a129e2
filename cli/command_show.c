/* hone show: what Hone made of a model: graph, fused graph, plan, one kernel's source and assembly. */
#include "cli/command.h"
#include "cli/emulation_report.h"
#include "cli/prediction.h"
#include "codegen/compile.h"
#include "engine/explain.h"

#include <stdio.h>
#include <string.h>

static status print_graph(const struct graph *graph, const struct arguments *arguments,
                          struct arena *arena, struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    graph_print(graph, &text);
    const char *printed = text_finish(&text);
    TRY_MEMORY(printed, diagnostic);
    if (arguments->json)
        return console_print_json(json_pack("{s:s}", "graph", printed), diagnostic);
    fputs(printed, stdout);
    return console_flush(diagnostic);
}

static const char *describe_step(const struct plan *plan, int s, int image, struct arena *arena)
{
    static const char *const kinds[] = {"launch",     "copy",      "signal", "wait",
                                        "collective", "host task", "resolve"};
    const struct plan_step *step = &plan->steps[s];
    struct text text = {.arena = arena};
    if (step->kind == STEP_LAUNCH) {
        node_print(plan->graph, &plan->graph->nodes[step->node], &text);
        if (image >= 0) text_print(&text, "   <- %s", plan->images[image].candidate);
    } else if (step->kind == STEP_COPY) {
        text_print(&text, "copy %s -> %s", plan->graph->values[step->value].name,
                   plan->graph->values[step->target].name);
    } else {
        text_print(&text, "%s %d", kinds[step->kind], step->event);
    }
    return text_finish(&text);
}

/* What comes back to the host for each token: all logits, or the largest alone (0 where the host reads them in place). */
struct returned {
    int64_t largest, bytes, all_bytes;
    const char *device;
};

static struct returned returned_by(const struct engine *engine)
{
    const struct plan *plan = engine_plan(engine);
    int count, device = plan->graph->values[plan->graph->outputs[PLAN_LOGITS]].device;
    bool in_place = device_is_host(engine_devices(engine, &count)[device]);
    struct returned returned = {.largest = plan_top_count(plan),
                                .device = plan->devices[device].specification};
    returned.all_bytes = in_place ? 0 : engine_model(engine)->vocabulary * (int64_t)sizeof(float);
    returned.bytes = returned.all_bytes;
    if (returned.largest) /* with its token, and one count of those that are no numbers */
        returned.bytes = returned.largest * (int64_t)(sizeof(float) + sizeof(int32_t)) +
                         (int64_t)sizeof(int32_t);
    return returned;
}

static void print_returned(const struct engine *engine)
{
    const struct returned returned = returned_by(engine);
    if (returned.largest)
        printf("%s returns the %lld largest logits of a token: %lld bytes instead of %lld\n",
               returned.device, (long long)returned.largest, (long long)returned.bytes,
               (long long)returned.all_bytes);
    else if (returned.bytes)
        printf("%s returns all logits of a token: %lld bytes\n", returned.device,
               (long long)returned.bytes);
}

static json_t *plan_json(const struct engine *engine, int64_t tokens, struct arena *arena)
{
    const struct plan *plan = plan_schedule(engine_plan(engine), tokens);
    json_t *devices = json_array(), *steps = json_array();
    for (int d = 0; d < plan->device_count; d++)
        json_array_append_new(
            devices, json_pack("{s:s, s:s, s:I, s:I, s:I}", "device",
                               plan->devices[d].specification, "class", plan->devices[d].class_name,
                               "weight_bytes", (json_int_t)plan->devices[d].weight_bytes,
                               "state_bytes", (json_int_t)plan->devices[d].state_bytes,
                               "arena_bytes", (json_int_t)plan->devices[d].arena_bytes));
    for (int s = 0; s < plan->step_count; s++) {
        int image = engine_step_image(engine, s, tokens);
        json_t *step = json_pack("{s:i, s:i, s:s}", "step", s, "device", plan->steps[s].device,
                                 "what", describe_step(plan, s, image, arena));
        if (image >= 0) {
            json_object_set_new(step, "problem", json_string(plan->images[image].problem->text));
            json_object_set_new(step, "kernel", json_string(plan->images[image].candidate));
            json_object_set_new(step, "measured", json_boolean(plan->images[image].measured));
            json_object_set_new(step, "seconds", json_real(plan->images[image].seconds));
        }
        json_array_append_new(steps, step);
    }
    const struct returned returned = returned_by(engine);
    return json_pack("{s:s?, s:s?, s:o, s:o, s:I, s:I}", "layer_map",
                     engine_report(engine)->layer_map, "signer", engine_report(engine)->signer,
                     "devices", devices, "steps", steps, "returned_bytes_per_token",
                     (json_int_t)returned.bytes, "logit_bytes_per_token",
                     (json_int_t)returned.all_bytes);
}

static status print_plan(const struct engine *engine, const struct arguments *arguments,
                         struct arena *arena, struct diagnostic *diagnostic)
{
    const struct plan *plan = engine_plan(engine);
    int64_t tokens = given_or(arguments->rows, 1);
    if (arguments->json) return console_print_json(plan_json(engine, tokens, arena), diagnostic);
    char weights[32], states[32], buffers[32];
    for (int d = 0; d < plan->device_count; d++)
        printf("device %d: %s (%s): weights %s, states %s, activations %s\n", d,
               plan->devices[d].specification, plan->devices[d].class_name,
               text_bytes((double)plan->devices[d].weight_bytes, weights),
               text_bytes((double)plan->devices[d].state_bytes, states),
               text_bytes((double)plan->devices[d].arena_bytes, buffers));
    printf("up to %lld tokens per step, %lld sequences of %lld tokens; kernels shown for %lld "
           "tokens per step\n",
           (long long)plan->bounds.tokens, (long long)plan->bounds.sequences,
           (long long)plan->bounds.context, (long long)tokens);
    if (engine_report(engine)->signer) printf("signed by %s\n", engine_report(engine)->signer);
    if (engine_report(engine)->layer_map)
        printf("layers in this order: %s\n", engine_report(engine)->layer_map);
    print_returned(engine);
    if (plan->prefill)
        printf(
            "steps of %lld tokens and more have a schedule of their own, which --rows %lld shows\n",
            (long long)plan->prefill_tokens, (long long)plan->prefill_tokens);
    putchar('\n');
    plan = plan_schedule(plan, tokens);
    for (int s = 0; s < plan->step_count; s++)
        printf("%4d  %d  %s\n", s, plan->steps[s].device,
               describe_step(plan, s, engine_step_image(engine, s, tokens), arena));
    return console_flush(diagnostic);
}

static json_t *resources_json(const struct image *image)
{
    json_t *kernels = json_array();
    for (int l = 0; l < image->launch_count && image->target == TARGET_CUDA; l++) {
        const struct launch *launch = &image->launches[l];
        const struct kernel_resources *kernel = &launch->resources;
        json_array_append_new(
            kernels, json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "entry", launch->name,
                               "registers", kernel->registers, "spilled_bytes",
                               kernel->spilled_bytes, "local_bytes", kernel->local_bytes,
                               "shared_bytes", kernel->shared_bytes, "dynamic_shared_bytes",
                               launch->shared_bytes, "instructions", kernel->instructions));
    }
    return kernels;
}

static status print_resources(const struct image *image, struct arena *arena,
                              struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    image_print_resources(image, &text);
    const char *printed = text_finish(&text);
    TRY_MEMORY(printed, diagnostic);
    if (*printed) printf("; %s\n", printed);
    return STATUS_OK;
}

/* The kernel that --kernel names, compiled again. */
struct shown_kernel {
    const struct plan_image *image;
    struct candidate candidate;
    struct generation generation;
    struct image compiled;
    struct listing listing;
};

static status find_kernel(struct engine *engine, const struct arguments *arguments,
                          struct shown_kernel *shown, struct diagnostic *diagnostic)
{
    const struct plan *plan = plan_schedule(engine_plan(engine), given_or(arguments->rows, 1));
    int64_t step;
    int device_count;
    if (!arguments->kernel)
        return fail(diagnostic, STATUS_USAGE,
                    "--emulate: name the step whose kernel is wanted with --kernel STEP; see `hone "
                    "show MODEL`");
    if (!text_to_integer(arguments->kernel, &step) || step < 0 || step >= plan->step_count)
        return fail(diagnostic, STATUS_USAGE,
                    "--kernel: \"%s\" is no step of this plan (0 to %d); see `hone show MODEL`",
                    arguments->kernel, plan->step_count - 1);
    int index = engine_step_image(engine, (int)step, given_or(arguments->rows, 1));
    if (index < 0)
        return fail(diagnostic, STATUS_USAGE, "step %lld runs no kernel", (long long)step);
    shown->image = &plan->images[index];
    const struct problem *problem = shown->image->problem;
    TRY(candidate_parse(engine_catalogue(engine), shown->image->candidate, &shown->candidate,
                        diagnostic));
    if (!shown->candidate.space)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "step %lld runs the reference of %s, which is C: see ops/%s/%s_reference.c",
                    (long long)step, problem->op->name, problem->op->name, problem->op->name);
    shown->generation = (struct generation){
        .space = shown->candidate.space,
        .problem = problem,
        .config = &shown->candidate.config,
        .facts = device_facts(engine_devices(engine, &device_count)[plan->steps[step].device])};
    return STATUS_OK;
}

static status print_code(const struct shown_kernel *shown, const struct arguments *arguments,
                         struct diagnostic *diagnostic)
{
    const struct image *compiled = &shown->compiled;
    const struct listing *listing = &shown->listing;
    if (arguments->json)
        return console_print_json(
            json_pack("{s:s, s:s, s:I, s:o, s:s, s:s}", "problem", shown->image->problem->text,
                      "kernel", shown->image->candidate, "code_bytes",
                      (json_int_t)compiled->code_bytes, "resources", resources_json(compiled),
                      "source", listing->source, "assembly", listing->assembly),
            diagnostic);
    printf("\n%s\n%s", listing->source, listing->assembly);
    return console_flush(diagnostic);
}

static status print_emulated(const struct shown_kernel *shown, const struct arguments *arguments,
                             struct arena *arena, struct diagnostic *diagnostic)
{
    struct emulation emulation;
    json_t *document;
    TRY(emulate_image(&shown->generation, &shown->compiled, arena, &emulation, diagnostic));
    if (arguments->json) {
        TRY(emulation_json(&emulation, &document, diagnostic));
        TRY(console_print_json(json_pack("{s:s, s:s, s:o, s:o}", "problem",
                                         shown->image->problem->text, "kernel",
                                         shown->image->candidate, "resources",
                                         resources_json(&shown->compiled), "emulated", document),
                               diagnostic));
    } else {
        TRY(emulation_print(&emulation, diagnostic));
        TRY(console_flush(diagnostic));
    }
    if (emulation.outcome.status == RECORD_OK) return STATUS_OK;
    return fail(diagnostic, STATUS_MISMATCH, "the kernel is not right on %s: %s: %s",
                emulation.card, emulation_verdict(&emulation), emulation.outcome.detail);
}

static status print_kernel(struct engine *engine, const struct arguments *arguments,
                           struct arena *arena, struct diagnostic *diagnostic)
{
    struct shown_kernel shown = {0};
    TRY(find_kernel(engine, arguments, &shown, diagnostic));
    if (arguments->show_emulated && shown.generation.facts->target != TARGET_CUDA)
        return fail(diagnostic, STATUS_USAGE,
                    "--emulate: step %s runs on the host; kernels of cards can be looked at with "
                    "--devices emulated:sm_86:24GiB",
                    arguments->kernel);
    TRY(compile_candidate(&shown.generation, compile_limits_default(), arena, &shown.compiled,
                          &shown.listing, diagnostic));
    if (!arguments->json) {
        printf("; problem: %s\n; kernel:  %s\n; %lld bytes of code, %d launches\n",
               shown.image->problem->text, shown.image->candidate,
               (long long)shown.compiled.code_bytes, shown.compiled.launch_count);
        TRY(print_resources(&shown.compiled, arena, diagnostic));
    }
    if (arguments->show_emulated) return print_emulated(&shown, arguments, arena, diagnostic);
    return print_code(&shown, arguments, diagnostic);
}

static status show(const struct arguments *arguments, struct engine *engine, struct arena *arena,
                   struct diagnostic *diagnostic)
{
    if (arguments->show_graph)
        return print_graph(engine_model(engine)->graph, arguments, arena, diagnostic);
    if (arguments->show_fused)
        return print_graph(plan_schedule(engine_plan(engine), given_or(arguments->rows, 1))->graph,
                           arguments, arena, diagnostic);
    if (arguments->kernel || arguments->show_emulated)
        return print_kernel(engine, arguments, arena, diagnostic);
    if (arguments->timeline) return timeline_report(engine, arguments, arena, diagnostic);
    return print_plan(engine, arguments, arena, diagnostic);
}

status command_show(const struct arguments *arguments, struct console *console, struct arena *arena,
                    struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(arguments, 0, "a model file or folder, or a plan", &path, diagnostic));
    struct engine_options options;
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    options.largest = command_largest(arguments);
    if (arguments->timeline && options.context == 0) {
        int64_t prompt, generated;
        TRY(timeline_tokens(arguments, &prompt, &generated, diagnostic));
        options.context = prompt + generated;
    }
    struct engine *engine = NULL;
    TRY(engine_choose(path, &options, &engine, diagnostic));
    status code = show(arguments, engine, arena, diagnostic);
    engine_close(engine);
    return code;
}

/* The pipeline from a model's graph to a plan. */
#include "planner/build.h"

#include "base/text.h"
#include "ir/graph_edit.h"

#include <string.h>

status plan_node_buckets(const struct graph *graph, const struct plan_bounds *bounds,
                         const struct node *node, int n, plan_visit *visit, void *context,
                         struct diagnostic *diagnostic)
{
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(bounds, symbols);
    int64_t rows = symbols[graph->values[node->inputs[0]].type.shape[0].symbol];
    int last_row = bucket_of_rows(rows), last_context = bucket_of_context(bounds->context);
    if (rows > bucket_rows(BUCKET_ROW_COUNT - 1))
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%s works on up to %lld rows in one step, more than the largest bucket of "
                    "%lld; lower the "
                    "prompt chunk",
                    node->op->name, (long long)rows, (long long)bucket_rows(BUCKET_ROW_COUNT - 1));
    bool stateful = build_has_state(graph, node);
    for (int r = 0; r <= last_row; r++) {
        for (int c = 0; c <= last_context; c++) {
            struct plan_bucket bucket = {.node = n, .row_bucket = r, .context_bucket = c};
            bucket.rows = bucket_rows(r);
            bucket.context = stateful ? bucket_context(c) : 0;
            TRY(visit(context, &bucket, diagnostic));
        }
    }
    return STATUS_OK;
}

status plan_each_bucket(const struct plan *plan, plan_visit *visit, void *context,
                        struct diagnostic *diagnostic)
{
    for (int n = 0; n < plan->graph->node_count; n++) {
        if (!node_is_launched(&plan->graph->nodes[n])) continue;
        TRY(plan_node_buckets(plan->graph, &plan->bounds, &plan->graph->nodes[n], n, visit, context,
                              diagnostic));
    }
    return STATUS_OK;
}

struct choosing {
    struct plan *plan;
    const struct build_options *options;
    struct arena *scratch;
    int *image_devices; /* per image: the device it was chosen for */
    size_t device_capacity;
    int *previous_devices;          /* the same of options->previous */
    struct image_request *requests; /* images that need code */
    int request_count;
    size_t request_capacity;
};

/* The image of `plan` that was chosen for an equal problem in the same bucket; most layers repeat those before. */
static int find_image_in(const struct plan *plan, const int *image_devices,
                         const struct graph *graph, const struct plan_bucket *bucket)
{
    const struct node *node = &graph->nodes[bucket->node];
    for (int i = 0; i < plan->image_count; i++) {
        const struct problem *problem = plan->images[i].problem;
        if (image_devices[i] == node->device && problem->rows == bucket->rows &&
            problem->context == bucket->context && !plan->images[i].spare &&
            problem_is_of(problem, graph, node))
            return i;
    }
    return -1;
}

/* The devices that `previous` has chosen its images for. */
static status find_previous_devices(struct choosing *choosing, struct diagnostic *diagnostic)
{
    const struct plan *previous = choosing->options->previous;
    if (!previous) return STATUS_OK;
    TRY_NEW(choosing->previous_devices, choosing->plan->arena, previous->image_count, diagnostic);
    for (int n = 0; n < previous->graph->node_count; n++)
        for (int r = 0; r < BUCKET_ROW_COUNT; r++)
            for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++)
                if (previous->choices[n][r][c] >= 0)
                    choosing->previous_devices[previous->choices[n][r][c]] =
                        previous->graph->nodes[n].device;
    return STATUS_OK;
}

/* Takes over the image that the previous plan has for this problem; -1 when there is none. */
static status take_previous(struct choosing *choosing, const struct plan_bucket *bucket, int *index,
                            struct diagnostic *diagnostic)
{
    struct plan *plan = choosing->plan;
    const struct plan *previous = choosing->options->previous;
    int found =
        previous ? find_image_in(previous, choosing->previous_devices, plan->graph, bucket) : -1;
    if (found < 0) return STATUS_OK;
    int devices = plan->image_count;
    TRY_APPEND(choosing->image_devices, devices, choosing->device_capacity, plan->arena,
               diagnostic);
    TRY_APPEND(plan->images, plan->image_count, plan->image_capacity, plan->arena, diagnostic);
    *index = plan->image_count - 1;
    choosing->image_devices[*index] = choosing->previous_devices[found];
    plan->images[*index] = previous->images[found];
    return STATUS_OK;
}

static status request_code(struct choosing *choosing, const struct choice *choice, int device,
                           struct diagnostic *diagnostic)
{
    struct arena *arena = choosing->plan->arena;
    struct plan_image *image = &choosing->plan->images[choosing->plan->image_count - 1];
    struct config *config;
    TRY_NEW(config, arena, 1, diagnostic);
    *config = choice->candidate.config;
    TRY_APPEND(choosing->requests, choosing->request_count, choosing->request_capacity, arena,
               diagnostic);
    choosing->requests[choosing->request_count - 1] = (struct image_request){
        .generation = {.space = choice->candidate.space,
                       .problem = image->problem,
                       .config = config,
                       .facts = choosing->options->devices[device].facts},
    };
    return STATUS_OK;
}

/* An image of a candidate: its code is requested, or it is the reference. */
static status add_image(struct choosing *choosing, const struct problem *problem, int device,
                        const struct choice *choice, struct plan_image **result,
                        struct diagnostic *diagnostic)
{
    struct plan *plan = choosing->plan;
    struct text text = {.arena = plan->arena};
    int devices = plan->image_count;
    TRY_APPEND(choosing->image_devices, devices, choosing->device_capacity, plan->arena,
               diagnostic);
    TRY_APPEND(plan->images, plan->image_count, plan->image_capacity, plan->arena, diagnostic);
    choosing->image_devices[plan->image_count - 1] = device;
    candidate_print(&choice->candidate, &text);
    struct plan_image *image = *result = &plan->images[plan->image_count - 1];
    image->problem = problem;
    image->candidate = text_finish(&text);
    TRY_MEMORY(image->candidate, diagnostic);
    image->seconds = choice->seconds;
    image->measured = choice->measured;
    if (!choice->candidate.space) {
        image_reference(problem, &image->image);
        return STATUS_OK;
    }
    image->source = choice->candidate.space->source;
    return request_code(choosing, choice, device, diagnostic);
}

/* The chosen image, and those packed beside it. */
static status add_images(struct choosing *choosing, const struct node *node,
                         const struct problem *problem, int *index, struct diagnostic *diagnostic)
{
    const struct build_device *device = &choosing->options->devices[node->device];
    const struct chooser *chooser = &choosing->options->chooser;
    const struct choose_request request = {
        .graph = choosing->plan->graph, .node = node, .problem = problem, .facts = device->facts};
    struct choice choice, *choices;
    struct plan_image *image;
    int count;
    arena_reset(choosing->scratch);
    TRY(choose_candidate(chooser, &request, choosing->scratch, &choice, diagnostic));
    if (!choice.candidate.space && device->facts->target != TARGET_CPU)
        return fail(diagnostic, STATUS_DEVICE, "%s: no kernel for %s was found to be right",
                    device->specification, problem->text);
    TRY(choose_several(chooser, &request, &choice, device->candidates, choosing->scratch, &choices,
                       &count, diagnostic));
    *index = choosing->plan->image_count;
    TRY(add_image(choosing, problem, node->device, &choice, &image, diagnostic));
    for (int c = 1; c < count; c++) {
        TRY(add_image(choosing, problem, node->device, &choices[c], &image, diagnostic));
        image->spare = true;
        image->stands_for = *index;
    }
    return STATUS_OK;
}

/* The bucket whose image serves this one: the largest there is, in a deterministic plan. */
static struct plan_bucket serving_bucket(const struct choosing *choosing,
                                         const struct plan_bucket *bucket)
{
    struct plan_bucket serving = *bucket;
    const struct plan_bounds *bounds = &choosing->plan->bounds;
    if (!choosing->options->chooser.deterministic) return serving;
    int64_t rows =
        bounds->tokens > CHOOSE_DETERMINISTIC_ROWS ? bounds->tokens : CHOOSE_DETERMINISTIC_ROWS;
    serving.rows = bucket_rows(bucket_of_rows(rows));
    if (serving.context) serving.context = bucket_context(bucket_of_context(bounds->context));
    return serving;
}

static status choose_bucket(void *context, const struct plan_bucket *asked,
                            struct diagnostic *diagnostic)
{
    struct choosing *choosing = context;
    struct plan *plan = choosing->plan;
    const struct plan_bucket serving = serving_bucket(choosing, asked), *bucket = &serving;
    const struct node *node = &plan->graph->nodes[bucket->node];
    int image = find_image_in(plan, choosing->image_devices, plan->graph, bucket);
    if (image < 0) TRY(take_previous(choosing, bucket, &image, diagnostic));
    if (image < 0) {
        struct problem *problem;
        TRY(problem_create(plan->graph, node, bucket->rows, bucket->context, plan->arena, &problem,
                           diagnostic));
        TRY(add_images(choosing, node, problem, &image, diagnostic));
    }
    plan->choices[bucket->node][bucket->row_bucket][bucket->context_bucket] = image;
    return STATUS_OK;
}

/* The images array may have moved while it grew, so requests find their image by its problem. */
static void connect_requests(struct choosing *choosing)
{
    int next = 0;
    for (int i = 0; i < choosing->plan->image_count; i++) {
        struct plan_image *image = &choosing->plan->images[i];
        if (image->image.launch_count == 0) choosing->requests[next++].image = image;
    }
}

static status choose_images(struct plan *plan, const struct build_options *options,
                            struct build_report *report, struct diagnostic *diagnostic)
{
    struct choosing choosing = {.plan = plan, .options = options, .scratch = arena_create(0)};
    TRY_MEMORY(choosing.scratch, diagnostic);
    status code = find_previous_devices(&choosing, diagnostic);
    if (code == STATUS_OK) code = plan_each_bucket(plan, choose_bucket, &choosing, diagnostic);
    arena_destroy(choosing.scratch);
    if (code != STATUS_OK) return code;
    if (options->choose_only) return STATUS_OK;
    connect_requests(&choosing);
    return artifacts_provide(choosing.requests, choosing.request_count, options, plan->arena,
                             report, diagnostic);
}

static status describe_devices(struct plan *plan, const struct build_options *options,
                               struct diagnostic *diagnostic)
{
    plan->device_count = options->device_count;
    TRY_NEW(plan->devices, plan->arena, options->device_count, diagnostic);
    for (int d = 0; d < options->device_count; d++) {
        const struct build_device *device = &options->devices[d];
        plan->devices[d] = (struct plan_device){
            .specification = arena_text(plan->arena, device->specification),
            .class_name = arena_text(plan->arena, device->facts->class_name),
            .target = device->facts->target,
            .architecture = (int)device->facts->values[FACT_sm],
        };
        TRY_MEMORY(plan->devices[d].specification, diagnostic);
        TRY_MEMORY(plan->devices[d].class_name, diagnostic);
    }
    return STATUS_OK;
}

/* What will live on each device, for people and for checks before loading. */
static void count_homes(struct plan *plan)
{
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    for (int v = 0; v < plan->graph->value_count; v++) {
        const struct value *value = &plan->graph->values[v];
        struct plan_device *device = &plan->devices[value->device];
        if (value->kind == VALUE_WEIGHT)
            device->weight_bytes += tensor_bytes(&value->type, symbols);
        if (value->kind == VALUE_STATE) device->state_bytes += tensor_bytes(&value->type, symbols);
    }
    for (int d = 0; d < plan->device_count; d++)
        plan->devices[d].arena_bytes = plan->memory.device_bytes[d];
}

/* Before anything is compiled for a plan that could not be loaded. */
static status check_limits(const struct plan *plan, const struct build_options *options,
                           struct diagnostic *diagnostic)
{
    for (int d = 0; d < plan->device_count; d++) {
        const struct plan_device *device = &plan->devices[d];
        int64_t held = device->weight_bytes + device->state_bytes + device->arena_bytes;
        int64_t limit = options->devices[d].limit_bytes;
        char needed[32], there[32];
        if (limit <= 0 || held <= limit) continue;
        if (options->shortage)
            *options->shortage = (struct build_shortage){.found = true,
                                                         .device = d,
                                                         .missing_bytes = held - limit,
                                                         .held_bytes = held,
                                                         .state_bytes = device->state_bytes};
        return fail(diagnostic, STATUS_NO_MEMORY, "%s: the plan needs %s, of %s",
                    device->specification, text_bytes((double)held, needed),
                    text_bytes((double)limit, there));
    }
    return STATUS_OK;
}

static status no_choices(struct plan *plan, struct diagnostic *diagnostic)
{
    TRY_NEW(plan->choices, plan->arena, plan->graph->node_count, diagnostic);
    for (int n = 0; n < plan->graph->node_count; n++)
        for (int r = 0; r < BUCKET_ROW_COUNT; r++)
            for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++) plan->choices[n][r][c] = -1;
    return STATUS_OK;
}

static status lower_parts(const struct graph *graph, const struct build_options *options,
                          struct plan *plan, struct diagnostic *diagnostic)
{
    plan->bounds = options->bounds;
    int64_t stride =
        (plan->bounds.context + plan->bounds.page_tokens - 1) / plan->bounds.page_tokens;
    plan->bounds.pages = stride * plan->bounds.sequences;
    TRY(describe_devices(plan, options, diagnostic));
    return build_lower_graph(graph, options, plan, diagnostic);
}

status plan_lower(const struct graph *graph, const struct build_options *options,
                  struct plan **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct plan *plan = arena_allocate(arena, 1, sizeof *plan);
    if (!plan) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *plan);
    }
    plan->arena = arena;
    status code = lower_parts(graph, options, plan, diagnostic);
    if (code != STATUS_OK) {
        plan_free(plan);
        return code;
    }
    *result = plan;
    return STATUS_OK;
}

static status build_parts(struct plan *plan, const struct build_options *options,
                          struct build_report *report, struct diagnostic *diagnostic)
{
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    TRY(pass_memory(plan->graph, symbols, plan->device_count, plan->arena, &plan->memory,
                    diagnostic));
    count_homes(plan);
    TRY(check_limits(plan, options, diagnostic));
    TRY(plan_make_steps(plan, diagnostic));
    TRY(no_choices(plan, diagnostic));
    TRY(choose_images(plan, options, report, diagnostic));
    return options->choose_only ? STATUS_OK : plan_verify(plan, diagnostic);
}

status plan_build(const struct graph *graph, const struct build_options *options,
                  struct plan **result, struct build_report *report, struct diagnostic *diagnostic)
{
    struct plan *plan = NULL;
    *report = (struct build_report){0};
    TRY(plan_lower(graph, options, &plan, diagnostic));
    status code = build_parts(plan, options, report, diagnostic);
    if (code == STATUS_OK) code = build_second_schedule(graph, options, plan, report, diagnostic);
    if (code == STATUS_OK && plan->prefill) code = check_limits(plan, options, diagnostic);
    if (code != STATUS_OK) {
        plan_free(plan);
        return code;
    }
    *result = plan;
    return STATUS_OK;
}

/* Whether the node works on experts in slots; the host, which has all of them, counts what is used. */
static bool uses_slots(const struct graph *graph, const struct node *node)
{
    int value = node_find_input(node, "offsets");
    static const char *const makers[] = {"dispatch", "transfer", "resolve"};
    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++) {
        int producer = value == VALUE_NONE ? -1 : graph->values[value].producer;
        if (producer < 0 || !node_is(&graph->nodes[producer], makers[m])) return false;
        value = graph->nodes[producer].inputs[0];
    }
    return true;
}

/* What node `n` reads of its input `i` for one token. */
static int64_t decode_bytes(const struct graph *graph, int n, int i)
{
    const struct node *node = &graph->nodes[n];
    const struct value *value = &graph->values[node->inputs[i]];
    int64_t symbols[SYMBOL_COUNT] = {0};
    int64_t bytes = tensor_bytes(&value->type, symbols);
    if (strcmp(node->op->name, "embed") == 0) return bytes / value->type.shape[0].scale;
    if (uses_slots(graph, node)) return 0;
    /* A transfer moves all of it, whatever is used. */
    if (value->type.rank != 3 || strcmp(node->op->name, "transfer") == 0) return bytes;
    /* Experts [e, n, k]: the order operand has one entry per used expert and token. */
    int64_t used = graph->values[node->inputs[1]].type.shape[0].scale;
    int64_t experts = value->type.shape[0].scale;
    return bytes / experts * (used < experts ? used : experts);
}

int64_t plan_decode_weight_bytes(const struct plan *plan)
{
    int64_t total = 0;
    for (int n = 0; n < plan->graph->node_count; n++) {
        const struct node *node = &plan->graph->nodes[n];
        for (int i = 0; i < op_input_count(node->op); i++)
            if (node->inputs[i] != VALUE_NONE &&
                plan->graph->values[node->inputs[i]].kind == VALUE_WEIGHT)
                total += decode_bytes(plan->graph, n, i);
    }
    return total;
}

void plan_free(struct plan *plan)
{
    if (!plan) return;
    plan_free(plan->prefill); /* whose images may be this one's */
    arena_destroy(plan->arena);
}

/* Captured graphs: what a generation launches is the same from step to step, and replaying it costs the host one call.
 *
 * A run of launches is captured when it is met the second time.  It is known by its kernels, operands and places of
 * sizes; workspaces move only when graphs are dropped.  A library's product holds the step's rows, so they count where there is
 * one; and where its work cannot be captured, the run is launched every time. */
#include "runtime/cuda/cuda_device.h"

enum { LAUNCHES_LEAST = 4 /* below, a graph costs what it saves */ };

static bool holds_rows(const struct kernel *kernel)
{
    for (int l = 0; l < kernel->image.launch_count; l++)
        if (kernel->image.launches[l].kind == LAUNCH_MATMUL) return true;
    return false;
}

static struct hash hash_launches(const struct cuda_device *card, const struct command *commands,
                                 const int *steps, int count)
{
    struct hash hash = {0};
    for (int c = 0; c < count; c++) {
        const struct problem *problem = commands[c].kernel->problem;
        size_t operands = (size_t)(problem->input_count + problem->output_count);
        hash = hash_combine(hash, hash_bytes(&commands[c].kernel, sizeof commands[c].kernel));
        hash = hash_combine(
            hash, hash_bytes(commands[c].operands, operands * sizeof *commands[c].operands));
        hash = hash_combine(hash, hash_bytes(&steps[c], sizeof steps[c]));
        const int32_t *rows = &card->steps[steps[c]].rows;
        if (holds_rows(commands[c].kernel))
            hash = hash_combine(hash, hash_bytes(rows, sizeof *rows));
    }
    return hash;
}

static status launch_all(struct cuda_device *card, const struct command *commands, const int *steps,
                         int count, struct diagnostic *diagnostic)
{
    for (int c = 0; c < count; c++)
        TRY(cuda_launch(card, (const struct cuda_kernel *)commands[c].kernel, commands[c].operands,
                        steps[c], diagnostic));
    return STATUS_OK;
}

static struct cuda_graph *find_graph(struct cuda_device *card, struct hash launches)
{
    for (int g = 0; g < card->graph_count; g++)
        if (hash_equal(card->graphs[g].launches, launches)) return &card->graphs[g];
    return NULL;
}

static void forget(struct cuda_device *card, struct cuda_graph *graph)
{
    if (graph->executable) card->driver.cuGraphExecDestroy(graph->executable);
    *graph = (struct cuda_graph){0};
}

/* A new row; the one that was not used for longest makes room. */
static struct cuda_graph *add_graph(struct cuda_device *card, struct hash launches)
{
    struct cuda_graph *graph = &card->graphs[0];
    if (card->graph_count < GRAPHS_MAX) {
        graph = &card->graphs[card->graph_count++];
    } else {
        for (int g = 1; g < GRAPHS_MAX; g++)
            if (card->graphs[g].used < graph->used) graph = &card->graphs[g];
        forget(card, graph);
    }
    graph->launches = launches;
    return graph;
}

static status capture(struct cuda_device *card, const struct command *commands, const int *steps,
                      int count, CUgraphExec *executable, struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    const char *what = "capturing a graph";
    CUgraph graph = NULL;
    TRY(cuda_answer(card,
                    driver->cuStreamBeginCapture(card->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                    what, diagnostic));
    status code = launch_all(card, commands, steps, count, diagnostic);
    CUresult result = driver->cuStreamEndCapture(card->stream, &graph);
    if (code == STATUS_OK) code = cuda_answer(card, result, what, diagnostic);
    if (code == STATUS_OK)
        code = cuda_answer(card, driver->cuGraphInstantiateWithFlags(executable, graph, 0), what,
                           diagnostic);
    if (graph) driver->cuGraphDestroy(graph);
    return code;
}

/* Only a library may refuse; a kernel's failure is a failure. */
static status capture_or_refuse(struct cuda_device *card, struct cuda_graph *graph,
                                const struct command *commands, const int *steps, int count,
                                struct diagnostic *diagnostic)
{
    struct diagnostic reason = {0};
    status code = capture(card, commands, steps, count, &graph->executable, &reason);
    if (code == STATUS_OK) return STATUS_OK;
    for (int c = 0; c < count && !card->fatal; c++)
        if (holds_rows(commands[c].kernel)) graph->refused = true;
    return graph->refused ? STATUS_OK : fail(diagnostic, code, "%s", reason.text);
}

status cuda_graph_run(struct cuda_device *card, const int *steps, int first, int count,
                      struct diagnostic *diagnostic)
{
    const struct command *commands = &card->base.commands[first];
    if (count < LAUNCHES_LEAST || card->blocking)
        return launch_all(card, commands, steps, count, diagnostic);
    struct hash launches = hash_launches(card, commands, steps, count);
    struct cuda_graph *graph = find_graph(card, launches);
    if (!graph) {
        add_graph(card, launches)->used = card->submissions;
        return launch_all(card, commands, steps, count, diagnostic);
    }
    graph->used = card->submissions;
    if (!graph->executable && !graph->refused)
        TRY(capture_or_refuse(card, graph, commands, steps, count, diagnostic));
    if (graph->refused) return launch_all(card, commands, steps, count, diagnostic);
    card->graph_launches++;
    return cuda_answer(card, card->driver.cuGraphLaunch(graph->executable, card->stream),
                       "replaying a graph", diagnostic);
}

void cuda_graphs_drop(struct cuda_device *card)
{
    for (int g = 0; g < card->graph_count; g++) forget(card, &card->graphs[g]);
    card->graph_count = 0;
}

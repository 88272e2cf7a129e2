/* Graphs: work kept in the order in which it was captured or added, and replayed in that order. */
#include "emulator/driver.h"

#include <string.h>

CUresult graph_create(CUgraph *result)
{
    struct arena *arena = arena_create(0);
    CUgraph graph = arena ? arena_allocate(arena, 1, sizeof *graph) : NULL;
    if (!graph) {
        arena_destroy(arena);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    graph->arena = arena;
    *result = graph;
    return CUDA_SUCCESS;
}

/* Kernels keep their own copy of their parameters. */
static CUresult copy_work_into(struct arena *arena, const struct work *from, struct work *to)
{
    *to = *from;
    if (from->kind != WORK_KERNEL) return CUDA_SUCCESS;
    const struct kernel_work *kernel = &from->of.kernel;
    to->of.kernel.parameters =
        arena_copy(arena, kernel->parameters, kernel->function->function->parameter_bytes);
    return to->of.kernel.parameters ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult graph_add(CUgraph graph, const struct work *work, CUgraphNode *result)
{
    CUgraphNode node = arena_allocate(graph->arena, 1, sizeof *node);
    void *grown = arena_grow(graph->arena, graph->nodes, graph->node_count, &graph->node_capacity,
                             sizeof *graph->nodes);
    if (!node || !grown) return CUDA_ERROR_OUT_OF_MEMORY;
    graph->nodes = grown;
    TRY_CUDA(copy_work_into(graph->arena, work, &node->work));
    node->graph = graph;
    node->index = graph->node_count;
    graph->nodes[graph->node_count++] = node;
    if (result) *result = node;
    return CUDA_SUCCESS;
}

CUresult cuGraphCreate(CUgraph *graph, unsigned flags)
{
    TRY_CUDA(driver_enter(NULL));
    return graph && !flags ? graph_create(graph) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphDestroy(CUgraph graph)
{
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    arena_destroy(graph->arena);
    return CUDA_SUCCESS;
}

static CUresult copy_nodes(CUgraphExec executable, CUgraph graph)
{
    executable->nodes =
        arena_allocate(executable->arena, graph->node_count, sizeof *executable->nodes);
    if (!executable->nodes) return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; i < graph->node_count; i++) {
        CUgraphNode node = arena_allocate(executable->arena, 1, sizeof *node);
        if (!node) return CUDA_ERROR_OUT_OF_MEMORY;
        TRY_CUDA(copy_work_into(executable->arena, &graph->nodes[i]->work, &node->work));
        node->index = i;
        executable->nodes[i] = node;
    }
    executable->node_count = graph->node_count;
    return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *result, CUgraph graph, unsigned long long flags)
{
    (void)flags;
    TRY_CUDA(driver_enter(NULL));
    if (!result || !graph) return CUDA_ERROR_INVALID_VALUE;
    struct arena *arena = arena_create(0);
    CUgraphExec executable = arena ? arena_allocate(arena, 1, sizeof *executable) : NULL;
    if (!executable) {
        arena_destroy(arena);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    executable->arena = arena;
    CUresult code = copy_nodes(executable, graph);
    if (code == CUDA_SUCCESS)
        *result = executable;
    else
        arena_destroy(arena);
    return code;
}

CUresult cuGraphInstantiateWithParams(CUgraphExec *executable, CUgraph graph,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS *parameters)
{
    return parameters ? cuGraphInstantiateWithFlags(executable, graph, parameters->flags)
                      : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphExecDestroy(CUgraphExec executable)
{
    if (!executable) return CUDA_ERROR_INVALID_VALUE;
    arena_destroy(executable->arena);
    return CUDA_SUCCESS;
}

CUresult cuGraphUpload(CUgraphExec executable, CUstream handle)
{
    CUstream stream;
    if (!executable) return CUDA_ERROR_INVALID_VALUE;
    return stream_of(handle, &stream);
}

CUresult cuGraphLaunch(CUgraphExec executable, CUstream handle)
{
    CUstream stream;
    double seconds = 0;
    if (!executable) return CUDA_ERROR_INVALID_VALUE;
    TRY_CUDA(stream_of(handle, &stream));
    for (size_t i = 0; i < executable->node_count; i++)
        TRY_CUDA(work_run(&executable->nodes[i]->work, &seconds));
    stream->now += seconds;
    return CUDA_SUCCESS;
}

/* The same kinds of work in the same order may get new parameters. */
static bool same_topology(const struct CUgraphExec_st *executable, const struct CUgraph_st *graph)
{
    if (executable->node_count != graph->node_count) return false;
    for (size_t i = 0; i < graph->node_count; i++)
        if (executable->nodes[i]->work.kind != graph->nodes[i]->work.kind) return false;
    return true;
}

CUresult cuGraphExecUpdate(CUgraphExec executable, CUgraph graph,
                           CUgraphExecUpdateResultInfo *information)
{
    TRY_CUDA(driver_enter(NULL));
    if (!executable || !graph || !information) return CUDA_ERROR_INVALID_VALUE;
    memset(information, 0, sizeof *information);
    information->result = CU_GRAPH_EXEC_UPDATE_SUCCESS;
    if (!same_topology(executable, graph)) {
        information->result = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
        return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    }
    return copy_nodes(executable, graph);
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    if (!graph || !count) return CUDA_ERROR_INVALID_VALUE;
    if (nodes) {
        if (*count > graph->node_count) *count = graph->node_count;
        memcpy(nodes, graph->nodes, *count * sizeof *nodes);
    } else {
        *count = graph->node_count;
    }
    return CUDA_SUCCESS;
}

CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type)
{
    if (!node || !type) return CUDA_ERROR_INVALID_VALUE;
    switch (node->work.kind) {
    case WORK_LIBRARY:
    case WORK_KERNEL: *type = CU_GRAPH_NODE_TYPE_KERNEL; break;
    case WORK_COPY: *type = CU_GRAPH_NODE_TYPE_MEMCPY; break;
    case WORK_FILL: *type = CU_GRAPH_NODE_TYPE_MEMSET; break;
    case WORK_HOST: *type = CU_GRAPH_NODE_TYPE_HOST; break;
    case WORK_EMPTY: *type = CU_GRAPH_NODE_TYPE_EMPTY; break;
    }
    return CUDA_SUCCESS;
}

static void kernel_of(const CUDA_KERNEL_NODE_PARAMS *parameters, struct kernel_work *kernel)
{
    *kernel = (struct kernel_work){
        .function = parameters->func ? parameters->func : (CUfunction)parameters->kern,
        .grid = {parameters->gridDimX, parameters->gridDimY, parameters->gridDimZ},
        .block = {parameters->blockDimX, parameters->blockDimY, parameters->blockDimZ},
        .cluster = {1, 1, 1},
        .shared_bytes = parameters->sharedMemBytes,
    };
}

/* Parameters by pointer only: kernels of graphs are not given packed ones here. */
static CUresult take_parameters(struct arena *arena, void *const *pointers,
                                struct kernel_work *kernel)
{
    if (!kernel->function || !pointers) return CUDA_ERROR_INVALID_VALUE;
    const struct function *code = kernel->function->function;
    kernel->parameters = arena_allocate(arena, code->parameter_bytes + 16u, 1);
    if (!kernel->parameters) return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; i < code->parameter_count; i++)
        memcpy(kernel->parameters + code->parameters[i].offset, pointers[i],
               code->parameters[i].bytes);
    return CUDA_SUCCESS;
}

CUresult cuGraphAddKernelNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
                              size_t dependency_count, const CUDA_KERNEL_NODE_PARAMS *parameters)
{
    CUcontext context;
    (void)dependencies; /* nodes run in the order in which they were added */
    (void)dependency_count;
    TRY_CUDA(driver_enter(&context));
    if (!graph || !parameters) return CUDA_ERROR_INVALID_VALUE;
    struct work work = {.kind = WORK_KERNEL, .device = context->device};
    kernel_of(parameters, &work.of.kernel);
    TRY_CUDA(take_parameters(graph->arena, parameters->kernelParams, &work.of.kernel));
    return graph_add(graph, &work, node);
}

CUresult cuGraphExecKernelNodeSetParams(CUgraphExec executable, CUgraphNode node,
                                        const CUDA_KERNEL_NODE_PARAMS *parameters)
{
    TRY_CUDA(driver_enter(NULL));
    if (!executable || !node || !parameters || node->index >= executable->node_count)
        return CUDA_ERROR_INVALID_VALUE;
    struct work *work = &executable->nodes[node->index]->work;
    if (work->kind != WORK_KERNEL) return CUDA_ERROR_INVALID_VALUE;
    struct kernel_work kernel;
    kernel_of(parameters, &kernel);
    TRY_CUDA(take_parameters(executable->arena, parameters->kernelParams, &kernel));
    work->of.kernel = kernel;
    return CUDA_SUCCESS;
}

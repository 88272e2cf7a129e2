/* Images as bytes, and the image of an operator's reference.
 *
 * The bytes are the same on every machine: numbers of 4 or 8 bytes, lowest byte first, in the order
 * of the structs, behind a mark that names the version:
 *
 *     "HONEIMG5"  target 4  launches 4  workspaces 4  tensors 4  code bytes 8  text offset 8
 *     per workspace: bytes per row 8, fixed bytes 8, zeroed 4
 *     per tensor: kind 4 and index 4 of what it is of, columns 8, rows 8, bytes per element 4,
 *         columns and rows of its boxes 4 each, swizzled bytes 4
 *     per launch: length of name 4, name, offset 8, rows per item 8, items per row group 8, unit 8,
 *         threads 4, shared bytes 4, cluster 4, resources 5 times 4, arguments 4, and per argument kind 4, index 4,
 *         kind 4, and if that is a product: outputs 8, inner 8, bfloat 4, algorithm 4, and what was
 *         found of it: version 8, device 16, 64 bytes
 *     the code */
#include "ir/image.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

enum { MARK_BYTES = 8, NAME_BYTES_MAX = 255 };
static const char mark[MARK_BYTES + 1] = "HONEIMG5";

/* No launch has more items, and no image more workspace, than this: products of two such numbers
 * fit 64 bits. */
static const int64_t count_limit = INT32_MAX, workspace_limit = IMAGE_WORKSPACE_BYTES_MAX;

void image_reference(const struct problem *problem, struct image *image)
{
    *image = (struct image){.target = TARGET_CPU, .launch_count = 1};
    struct launch *launch = &image->launches[0];
    launch->name = problem->op->name;
    launch->offset = -1;
    launch->geometry = (struct geometry){.rows_per_item = 1, .items_per_row_group = 1, .unit = 1};
    launch->argument_count = problem->input_count + problem->output_count;
    for (int a = 0; a < launch->argument_count; a++)
        launch->arguments[a] = (struct argument){.kind = ARGUMENT_OPERAND, .index = a};
}

int64_t launch_items(const struct launch *launch, int64_t rows)
{
    const struct geometry *geometry = &launch->geometry;
    if (!geometry->rows_per_item) return geometry->items_per_row_group;
    int64_t groups = rows / geometry->rows_per_item + (rows % geometry->rows_per_item != 0);
    return groups * geometry->items_per_row_group;
}

static void put(struct text *text, int64_t value, int byte_count)
{
    char bytes[8];
    for (int b = 0; b < byte_count; b++) bytes[b] = (char)((uint64_t)value >> (8 * b) & 0xff);
    text_append_range(text, bytes, (size_t)byte_count);
}

static void put_resources(struct text *text, const struct kernel_resources *resources)
{
    put(text, resources->registers, 4);
    put(text, resources->spilled_bytes, 4);
    put(text, resources->local_bytes, 4);
    put(text, resources->shared_bytes, 4);
    put(text, resources->instructions, 4);
}

static void put_matmul(struct text *text, const struct matmul_call *matmul)
{
    put(text, matmul->outputs, 8);
    put(text, matmul->inner, 8);
    put(text, matmul->bfloat, 4);
    put(text, matmul->algorithm, 4);
    put(text, (int64_t)matmul->found.library, 8);
    put(text, (int64_t)matmul->found.device.low, 8);
    put(text, (int64_t)matmul->found.device.high, 8);
    text_append_range(text, (const char *)matmul->found.bytes, MATMUL_ALGORITHM_BYTES);
}

static void put_tensor(struct text *text, const struct tensor_argument *tensor)
{
    put(text, tensor->of.kind, 4);
    put(text, tensor->of.index, 4);
    put(text, tensor->columns, 8);
    put(text, tensor->rows, 8);
    put(text, tensor->element_bytes, 4);
    put(text, tensor->box_columns, 4);
    put(text, tensor->box_rows, 4);
    put(text, tensor->swizzle_bytes, 4);
}

static void put_launch(struct text *text, const struct launch *launch)
{
    size_t length = strnlen(launch->name, NAME_BYTES_MAX);
    put(text, (int64_t)length, 4);
    text_append_range(text, launch->name, length);
    put(text, launch->offset, 8);
    put(text, launch->geometry.rows_per_item, 8);
    put(text, launch->geometry.items_per_row_group, 8);
    put(text, launch->geometry.unit, 8);
    put(text, launch->threads, 4);
    put(text, launch->shared_bytes, 4);
    put(text, launch->cluster, 4);
    put_resources(text, &launch->resources);
    put(text, launch->argument_count, 4);
    for (int a = 0; a < launch->argument_count; a++) {
        put(text, launch->arguments[a].kind, 4);
        put(text, launch->arguments[a].index, 4);
    }
    put(text, launch->kind, 4);
    if (launch->kind == LAUNCH_MATMUL) put_matmul(text, &launch->matmul);
}

status image_encode(const struct image *image, struct arena *arena, void **bytes,
                    size_t *byte_count, struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    text_append_range(&text, mark, MARK_BYTES);
    put(&text, image->target, 4);
    put(&text, image->launch_count, 4);
    put(&text, image->workspace_count, 4);
    put(&text, image->tensor_count, 4);
    put(&text, image->code_bytes, 8);
    put(&text, image->text_offset, 8);
    for (int w = 0; w < image->workspace_count; w++) {
        put(&text, image->workspaces[w].per_row_bytes, 8);
        put(&text, image->workspaces[w].fixed_bytes, 8);
        put(&text, image->workspaces[w].zeroed, 4);
    }
    for (int t = 0; t < image->tensor_count; t++) put_tensor(&text, &image->tensors[t]);
    for (int l = 0; l < image->launch_count; l++) put_launch(&text, &image->launches[l]);
    if (image->code_bytes) text_append_range(&text, image->code, (size_t)image->code_bytes);
    if (!text_finish(&text)) return fail_memory(diagnostic, (size_t)image->code_bytes);
    *bytes = text.bytes;
    *byte_count = text.length;
    return STATUS_OK;
}

/* Bytes of unknown origin.  Reading past the end gives zeros and sets `ended`. */
struct image_reader {
    const uint8_t *bytes;
    size_t byte_count, at;
    bool ended;
    struct arena *arena;
    struct diagnostic *diagnostic;
};

static int64_t get(struct image_reader *reader, int byte_count)
{
    uint64_t value = 0;
    if (reader->byte_count - reader->at < (size_t)byte_count) {
        reader->ended = true;
        return 0;
    }
    for (int b = 0; b < byte_count; b++) value |= (uint64_t)reader->bytes[reader->at++] << (8 * b);
    if (byte_count == 4) return (int64_t)(int32_t)(uint32_t)value;
    return (int64_t)value;
}

static status refuse(const struct image_reader *reader, const char *what)
{
    if (reader->ended)
        return fail(reader->diagnostic, STATUS_BAD_INPUT, "image: it ends early, after %zu bytes",
                    reader->byte_count);
    return fail(reader->diagnostic, STATUS_BAD_INPUT, "image: byte %zu: %s", reader->at, what);
}

/* A copy of the next bytes, with a zero byte behind. */
static status get_bytes(struct image_reader *reader, int64_t byte_count, char **copy)
{
    if (byte_count < 0 || (uint64_t)byte_count > reader->byte_count - reader->at) {
        reader->ended = true;
        return refuse(reader, "");
    }
    *copy = arena_text_range(reader->arena, (const char *)reader->bytes + reader->at,
                             (size_t)byte_count);
    TRY_MEMORY(*copy, reader->diagnostic);
    reader->at += (size_t)byte_count;
    return STATUS_OK;
}

static status get_name(struct image_reader *reader, const char **name)
{
    int64_t length = get(reader, 4);
    if (length < 1 || length > NAME_BYTES_MAX)
        return refuse(reader, "a name of 1 to 255 bytes is expected");
    char *copy;
    TRY(get_bytes(reader, length, &copy));
    for (int64_t i = 0; i < length; i++)
        if (!isgraph((unsigned char)copy[i])) return refuse(reader, "the name is not printable");
    *name = copy;
    return STATUS_OK;
}

static status get_argument(struct image_reader *reader, const struct image *image,
                           struct argument *argument)
{
    int64_t kind = get(reader, 4), index = get(reader, 4);
    if (kind < ARGUMENT_OPERAND || kind > ARGUMENT_NULL)
        return refuse(reader, "unknown kind of argument");
    *argument = (struct argument){.kind = (enum argument_kind)kind, .index = (int)index};
    if (!argument_is_sound(image, argument, OP_OPERANDS_MAX))
        return refuse(reader, "the argument's index is out of range");
    return STATUS_OK;
}

static status get_tensor(struct image_reader *reader, const struct image *image,
                         struct tensor_argument *tensor)
{
    TRY(get_argument(reader, image, &tensor->of));
    tensor->columns = get(reader, 8);
    tensor->rows = get(reader, 8);
    tensor->element_bytes = (int)get(reader, 4);
    tensor->box_columns = (int)get(reader, 4);
    tensor->box_rows = (int)get(reader, 4);
    tensor->swizzle_bytes = (int)get(reader, 4);
    const char *fault = tensor_fault(tensor);
    return fault ? refuse(reader, fault) : STATUS_OK;
}

static status get_geometry(struct image_reader *reader, struct geometry *geometry)
{
    geometry->rows_per_item = get(reader, 8);
    geometry->items_per_row_group = get(reader, 8);
    geometry->unit = get(reader, 8);
    if (geometry->rows_per_item < 0 || geometry->rows_per_item > count_limit ||
        geometry->items_per_row_group < 0 || geometry->items_per_row_group > count_limit ||
        geometry->unit < 1 || geometry->unit > count_limit)
        return refuse(reader, "the number of work items is out of range");
    return STATUS_OK;
}

/* On the CPU all three are 0; get_kind looks at the threads once more. */
static status get_block(struct image_reader *reader, const struct image *image,
                        struct launch *launch)
{
    bool cuda = image->target == TARGET_CUDA;
    int64_t threads = get(reader, 4), shared_bytes = get(reader, 4), cluster = get(reader, 4);
    if (threads < 0 || threads > (cuda ? IMAGE_THREADS_MAX : 0))
        return refuse(reader, "the number of threads is out of range");
    if (shared_bytes < 0 || shared_bytes > (cuda ? IMAGE_SHARED_BYTES_MAX : 0))
        return refuse(reader, "the shared memory is out of range");
    if (cluster < 0 || cluster > (cuda ? IMAGE_CLUSTER_MAX : 0))
        return refuse(reader, "the size of the cluster is out of range");
    launch->threads = (int)threads;
    launch->shared_bytes = (int)shared_bytes;
    launch->cluster = (int)cluster;
    return STATUS_OK;
}

static status get_resources(struct image_reader *reader, struct kernel_resources *resources)
{
    int *const fields[] = {&resources->registers, &resources->spilled_bytes,
                           &resources->local_bytes, &resources->shared_bytes,
                           &resources->instructions};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        *fields[f] = (int)get(reader, 4);
        if (*fields[f] < 0) return refuse(reader, "what the kernel uses is below 0");
    }
    return STATUS_OK;
}

static status get_matmul(struct image_reader *reader, struct launch *launch)
{
    struct matmul_call *matmul = &launch->matmul;
    matmul->outputs = get(reader, 8);
    matmul->inner = get(reader, 8);
    int64_t bfloat = get(reader, 4), algorithm = get(reader, 4);
    matmul->found.library = (uint64_t)get(reader, 8);
    matmul->found.device.low = (uint64_t)get(reader, 8);
    matmul->found.device.high = (uint64_t)get(reader, 8);
    char *bytes;
    TRY(get_bytes(reader, MATMUL_ALGORITHM_BYTES, &bytes));
    memcpy(matmul->found.bytes, bytes, MATMUL_ALGORITHM_BYTES);
    matmul->bfloat = bfloat == 1;
    matmul->algorithm = (int)algorithm;
    bool sound = matmul->outputs >= 1 && matmul->outputs <= count_limit && matmul->inner >= 1 &&
                 matmul->inner <= count_limit && (bfloat == 0 || bfloat == 1) && algorithm >= 0 &&
                 algorithm < SPACE_VALUES_MAX && launch_matmul_is_sound(launch);
    return sound ? STATUS_OK : refuse(reader, "the product makes no sense");
}

/* What a launch is, and what kernels need beside. */
static status get_kind(struct image_reader *reader, const struct image *image,
                       struct launch *launch)
{
    bool cuda = image->target == TARGET_CUDA;
    int64_t kind = get(reader, 4);
    if (kind < 0 || kind >= LAUNCH_KIND_COUNT || (kind != LAUNCH_KERNEL && !cuda))
        return refuse(reader, "unknown kind of launch");
    launch->kind = (enum launch_kind)kind;
    if (launch->kind == LAUNCH_MATMUL) return get_matmul(reader, launch);
    return launch->threads < cuda ? refuse(reader, "the number of threads is out of range")
                                  : STATUS_OK;
}

static status get_launch(struct image_reader *reader, const struct image *image,
                         struct launch *launch)
{
    TRY(get_name(reader, &launch->name));
    launch->offset = get(reader, 8);
    if (launch->offset < -1 || (launch->offset >= 0 && launch->offset >= image->code_bytes))
        return refuse(reader, "the entry lies outside the code");
    if (image->target == TARGET_CUDA && launch->offset != 0)
        return refuse(reader, "entries of CUDA kernels are found by name, not by offset");
    TRY(get_geometry(reader, &launch->geometry));
    TRY(get_block(reader, image, launch));
    TRY(get_resources(reader, &launch->resources));
    int64_t arguments = get(reader, 4);
    if (arguments < 0 || arguments > LAUNCH_ARGUMENTS_MAX)
        return refuse(reader, "the number of arguments is out of range");
    launch->argument_count = (int)arguments;
    for (int a = 0; a < launch->argument_count; a++)
        TRY(get_argument(reader, image, &launch->arguments[a]));
    return get_kind(reader, image, launch);
}

static status get_head(struct image_reader *reader, struct image *image)
{
    if (reader->byte_count < MARK_BYTES || memcmp(reader->bytes, mark, MARK_BYTES) != 0)
        return refuse(reader, "this is no image of this version of Hone");
    reader->at = MARK_BYTES;
    int64_t target = get(reader, 4), launches = get(reader, 4), workspaces = get(reader, 4);
    int64_t tensors = get(reader, 4);
    image->code_bytes = get(reader, 8);
    image->text_offset = get(reader, 8);
    if (target < 0 || target >= TARGET_COUNT) return refuse(reader, "unknown target");
    if (launches < 1 || launches > IMAGE_LAUNCHES_MAX)
        return refuse(reader, "the number of launches is out of range");
    if (workspaces < 0 || workspaces > IMAGE_WORKSPACES_MAX)
        return refuse(reader, "the number of workspaces is out of range");
    if (tensors < 0 || tensors > (target == TARGET_CUDA ? IMAGE_TENSORS_MAX : 0))
        return refuse(reader, "the number of tensors is out of range");
    image->target = (enum target)target;
    image->launch_count = (int)launches;
    image->workspace_count = (int)workspaces;
    image->tensor_count = (int)tensors;
    return STATUS_OK;
}

/* CUDA: the text begins at a multiple of 16 and its zero byte ends the code. */
static status get_code(struct image_reader *reader, struct image *image)
{
    char *code = NULL;
    TRY(get_bytes(reader, image->code_bytes, &code));
    image->code = code;
    if (image->target == TARGET_CPU)
        return image->text_offset ? refuse(reader, "CPU code has no text") : STATUS_OK;
    bool sound = image->text_offset >= 0 && image->text_offset < image->code_bytes &&
                 image->text_offset % 16 == 0 && code[image->code_bytes - 1] == 0;
    if (sound)
        sound = strlen(code + image->text_offset) ==
                (size_t)(image->code_bytes - image->text_offset - 1);
    return sound ? STATUS_OK : refuse(reader, "there is no PTX behind the cubin");
}

static status get_workspace(struct image_reader *reader, struct workspace *workspace)
{
    workspace->per_row_bytes = get(reader, 8);
    workspace->fixed_bytes = get(reader, 8);
    int64_t zeroed = get(reader, 4);
    if (workspace->per_row_bytes < 0 || workspace->per_row_bytes > count_limit ||
        workspace->fixed_bytes < 0 || workspace->fixed_bytes > workspace_limit)
        return refuse(reader, "the workspace's size is out of range");
    if (zeroed != 0 && zeroed != 1) return refuse(reader, "'zeroed' must be 0 or 1");
    workspace->zeroed = zeroed == 1;
    return STATUS_OK;
}

status image_decode(const void *bytes, size_t byte_count, struct arena *arena, struct image *image,
                    struct diagnostic *diagnostic)
{
    struct image_reader reader = {
        .bytes = bytes, .byte_count = byte_count, .arena = arena, .diagnostic = diagnostic};
    *image = (struct image){0};
    TRY(get_head(&reader, image));
    for (int w = 0; w < image->workspace_count; w++)
        TRY(get_workspace(&reader, &image->workspaces[w]));
    for (int t = 0; t < image->tensor_count; t++)
        TRY(get_tensor(&reader, image, &image->tensors[t]));
    for (int l = 0; l < image->launch_count; l++)
        TRY(get_launch(&reader, image, &image->launches[l]));
    TRY(get_code(&reader, image));
    if (reader.at != byte_count) return refuse(&reader, "there are bytes behind the image");
    return STATUS_OK;
}

void image_print_resources(const struct image *image, struct text *text)
{
    bool first = true;
    for (int l = 0; l < image->launch_count; l++) {
        const struct launch *launch = &image->launches[l];
        const struct kernel_resources *kernel = &launch->resources;
        if (!kernel->instructions) continue;
        text_print(text,
                   "%s%s: %d registers, %d bytes spilled, %d bytes of local memory, %d + %d bytes "
                   "of shared memory, "
                   "%d instructions",
                   first ? "" : "; ", launch->name, kernel->registers, kernel->spilled_bytes,
                   kernel->local_bytes, kernel->shared_bytes, launch->shared_bytes,
                   kernel->instructions);
        first = false;
    }
}

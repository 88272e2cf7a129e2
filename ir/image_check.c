/* Whether what an image says makes sense: asked of images that were read, and of those that spaces make. */
#include "ir/image.h"

/* Products of two sizes fit 64 bits. */
enum { SIZE_MOST = INT32_MAX };

bool image_is_resolved(const struct image *image)
{
    for (int l = 0; l < image->launch_count; l++)
        if (image->launches[l].kind == LAUNCH_MATMUL && !image->launches[l].matmul.found.library)
            return false;
    return true;
}

bool argument_is_sound(const struct image *image, const struct argument *argument, int operands)
{
    int limit = operands;
    if ((unsigned)argument->kind > ARGUMENT_NULL) return false;
    if (argument->kind == ARGUMENT_WORKSPACE) limit = image->workspace_count;
    if (argument->kind == ARGUMENT_TENSOR_MAP) limit = image->tensor_count;
    return argument->index >= 0 && argument->index < limit;
}

const char *tensor_fault(const struct tensor_argument *tensor)
{
    int64_t element = tensor->element_bytes, row = tensor->box_columns * element;
    int swizzle = tensor->swizzle_bytes;
    if (tensor->of.kind == ARGUMENT_TABLE || tensor->of.kind == ARGUMENT_TENSOR_MAP)
        return "it is neither of an operand nor of a workspace";
    if (tensor->of.kind == ARGUMENT_NULL) return NULL;
    if (element != 1 && element != 2 && element != 4) return "elements have 1, 2 or 4 bytes";
    if (tensor->columns < 1 || tensor->columns > SIZE_MOST || tensor->rows < 1 ||
        tensor->rows > SIZE_MOST)
        return "its size is out of range";
    if (tensor->columns * element % TENSOR_CHUNK_BYTES)
        return "its rows are no multiples of 16 bytes";
    if (tensor->box_columns < 1 || tensor->box_columns > TENSOR_BOX_MAX || tensor->box_rows < 1 ||
        tensor->box_rows > TENSOR_BOX_MAX)
        return "boxes have 1 to 256 rows and columns";
    if (row % TENSOR_CHUNK_BYTES) return "its boxes' rows are no multiples of 16 bytes";
    if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
        return "0, 32, 64 or 128 bytes can be swizzled";
    return swizzle && row != swizzle ? "its boxes' rows are not as wide as what is swizzled" : NULL;
}

bool launch_matmul_is_sound(const struct launch *launch)
{
    if (launch->argument_count != MATMUL_ARGUMENTS) return false;
    for (int a = 0; a < MATMUL_ARGUMENTS; a++) {
        enum argument_kind kind = launch->arguments[a].kind;
        bool absent = kind == ARGUMENT_NULL && (a == MATMUL_BIAS || a == MATMUL_RESIDUAL);
        bool workspace = kind == ARGUMENT_WORKSPACE && (a == MATMUL_X || a == MATMUL_SCRATCH);
        bool operand = kind == ARGUMENT_OPERAND && a != MATMUL_SCRATCH;
        if (!absent && !workspace && !operand) return false;
    }
    return true;
}

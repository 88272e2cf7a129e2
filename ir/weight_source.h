/* Where weights come from.  The models room implements this over GGUF and safetensors files; the runtime only sees names
 * and mapped bytes. */
#ifndef IR_WEIGHT_SOURCE_H
#define IR_WEIGHT_SOURCE_H

#include "ir/tensor.h"

/* One weight of the graph as it lies in its files: `part_count` pieces of equal type, stacked along the first dimension
 * (the experts of a Hugging Face folder), each row-major in the file's bits. */
struct stored_weight {
    struct tensor_type type; /* of the whole */
    int part_count;
    const void *const *parts;
    int64_t part_bytes;
};

struct weight_source {
    void *context;
    /* `name` is the graph's name of the weight. */
    status (*find)(void *context, const char *name, struct stored_weight *weight,
                   struct diagnostic *diagnostic);
};

#endif

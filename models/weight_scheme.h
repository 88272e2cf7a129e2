/* How a Hugging Face folder quantised its weights: the keys quantization_config.* of config.json.  Every key is known
 * and has a value that Hone computes with, or it stays unused, so that the model is refused by its name. */
#ifndef MODELS_WEIGHT_SCHEME_H
#define MODELS_WEIGHT_SCHEME_H

#include "models/model_source.h"

enum weight_scheme_kind {
    SCHEME_NONE,
    SCHEME_FP8,        /* X.weight with X.weight_scale or, by tiles, X.weight_scale_inv */
    SCHEME_COMPRESSED, /* the same of compressed-tensors, also in int8; X.weight_packed, X.weight_scale,
                          X.weight_global_scale */
    SCHEME_MODELOPT, /* X.weight, X.weight_scale, X.weight_scale_2 */
    SCHEME_GPTQ,     /* X.qweight, X.qzeros, X.scales, X.g_idx */
    SCHEME_AWQ,      /* X.qweight, X.qzeros, X.scales */
    SCHEME_MXFP4     /* X_blocks, X_scales */
};

struct weight_scheme {
    enum weight_scheme_kind kind;
    bool tiles;     /* scales may belong to tiles of 128 by 128 */
    int zero_shift; /* added to stored zeros: 1 for GPTQ's first format */
};

CHECKED status weight_scheme_read(struct model_source *source, struct weight_scheme *scheme,
                                  struct diagnostic *diagnostic);

#endif

/* Codes and scales of separate tensors as blocks of one (ir/element_decode_scaled.h; mxfp4): every code and scale keeps
 * its bits, but for a scale that files keep as its reciprocal.  The blocks are made when the weight is asked for. */
#ifndef MODELS_RELAYOUT_H
#define MODELS_RELAYOUT_H

#include "models/model_source.h"

enum relayout_kind {
    RELAYOUT_WIDE,  /* bytes with f32, f16 or bf16 scales for tiles of rows and columns */
    RELAYOUT_GPTQ,  /* [columns / 8, rows] words: 8 columns, the first in the lowest bits */
    RELAYOUT_AWQ,   /* [columns, rows / 8] words: 8 rows in the order 0 2 4 6 1 3 5 7 */
    RELAYOUT_MXFP4, /* [rows, columns / 32, 16] bytes: columns 2i and 2i + 1 in byte i */
    RELAYOUT_NVFP4, /* the same of [rows, columns / 2] bytes */
};

struct relayout {
    struct deferred deferred; /* first */
    enum relayout_kind kind;
    enum element_type element;                    /* of the blocks */
    const uint8_t *codes, *scales, *zeros;        /* as in the file, of any alignment */
    enum element_type scale_element;              /* wide */
    int64_t rows, columns;                        /* of the matrix; experts are more rows */
    int64_t tile_rows, tile_columns, scale_width; /* that share a scale; scales in a row of tiles */
    int zero_shift;                               /* added to stored zeros, modulo 16 */
    float factor;                                 /* nvfp4: the scale of the tensor */
};

/* Sets deferred.make and deferred.byte_count. */
void relayout_prepare(struct relayout *relayout);

#endif

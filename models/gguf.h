/* GGUF, the format of llama.cpp's models: metadata, then a directory of tensors, then their data.
 *
 * Versions 2 and 3, little endian, whole or split into -00001-of-0000N.gguf.  A file is hostile
 * until proved otherwise: each length is compared with what is left of the file before it is used,
 * and each message names the file and the byte. */
#ifndef MODELS_GGUF_H
#define MODELS_GGUF_H

#include "models/model_source.h"

#define GGUF_MAGIC "GGUF"

enum gguf_value {
#define GGUF_VALUE(NAME, id, bytes) GGUF_##NAME = (id),
#include "models/gguf_values.def"
#undef GGUF_VALUE
    GGUF_VALUE_COUNT
};

enum {
    GGUF_ALIGNMENT = 32,               /* of tensor data, unless general.alignment says otherwise */
    GGUF_KEYS_MAX = 65536,             /* as the specification bounds the length of one key */
    GGUF_NAME_MAX = 64,                /* bytes of a tensor's name, by the specification */
    GGUF_HEADER_BYTES_MAX = 256 << 20, /* metadata and directory; vocabularies take 10 MiB */
    GGUF_SPLITS_MAX = 4096,
};

int gguf_value_bytes(enum gguf_value type); /* 0: of variable length */

/* The number of a tensor's type in the file, and back; false for types that Hone cannot read. */
bool gguf_type_of_element(enum element_type element, uint32_t *type);
bool gguf_element_of_type(uint32_t type, enum element_type *element);
const char *gguf_type_name(uint32_t type); /* NULL when no such type is known */

/* Fills `source` (its arena is set) from the file and, when it is the first of a split, from its
 * sisters. */
CHECKED status gguf_open(const char *path, const struct progress *progress,
                         struct model_source *source, struct diagnostic *diagnostic);

/* The same of a file that need not be a model: it may have no architecture. */
CHECKED status gguf_open_any(const char *path, const struct progress *progress,
                             struct model_source *source, struct diagnostic *diagnostic);

/* The item of a list that lies in a GGUF file. */
bool gguf_item(const struct metadata *list, int64_t index, struct metadata *item);

/* Texts of a list, all at once: pointers into the file, not ended by zeros. */
CHECKED status gguf_texts(const struct metadata *list, struct arena *arena,
                          const char *const **texts, const int32_t **lengths,
                          struct diagnostic *diagnostic);

#endif

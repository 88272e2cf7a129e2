/* A model's files as architectures see them: metadata by key and tensors by name, whatever the
 * format.  The readers of GGUF files and of Hugging Face folders fill it; everything in it was
 * checked against the file's size before it got here.
 *
 * Nothing of a model may be dropped unseen: finding an entry marks it as used, and model_open
 * refuses what stays unused and could change the model's meaning. */
#ifndef MODELS_MODEL_SOURCE_H
#define MODELS_MODEL_SOURCE_H

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/progress.h"
#include "ir/tensor.h"
#include "models/deferred.h"

enum source_format { SOURCE_GGUF, SOURCE_HUGGINGFACE, SOURCE_FORMAT_COUNT };

enum metadata_kind {
    METADATA_NOTHING, /* JSON's null: as good as absent */
    METADATA_INTEGER,
    METADATA_REAL,
    METADATA_BOOLEAN,
    METADATA_TEXT,
    METADATA_LIST
};

/* One entry, or one item of a list.  GGUF texts and lists stay where they are in the file. */
struct metadata {
    const char *key;
    enum metadata_kind kind;
    bool used, consumed;          /* by the architecture; by the reader of the format */
    int64_t integer;              /* INTEGER, BOOLEAN */
    double real;                  /* REAL, INTEGER */
    const char *text;             /* TEXT: `length` bytes, not ended by a zero */
    int64_t length;               /* TEXT: bytes; LIST: items */
    const struct metadata *items; /* LIST from JSON */
    const uint8_t *raw;           /* GGUF: the value's first byte, behind its type */
    uint64_t raw_bytes;
    uint32_t raw_type, raw_item_type; /* GGUF: enum gguf_value */
};

struct stored_tensor {
    const char *name;
    struct tensor_type type; /* fixed dimensions, slowest first; rank 0 is a scalar */
    const uint8_t *bytes;    /* of any alignment */
    int64_t byte_count;
    const char *file;
    uint64_t offset;           /* of the bytes in the file */
    struct deferred *deferred; /* makes the bytes; NULL: they are the file's */
    bool raw;                  /* bytes whose meaning other tensors tell (U8); element is i8 */
    bool used;
};

struct model_source {
    struct arena *arena;
    enum source_format format;
    const char *path;
    const char *name; /* what the format calls the architecture: general.architecture, model_type */
    struct metadata *metadata; /* sorted by key once source_index was called */
    int metadata_count;
    size_t metadata_capacity;
    struct stored_tensor *tensors; /* sorted by name once source_index was called */
    int tensor_count;
    size_t tensor_capacity;
    struct mapped_file *files;
    int file_count;
    size_t file_capacity;
    struct deferred_list deferred;
    int64_t run_context;  /* tokens that a sequence may have in this run; not from the files */
    struct hash identity; /* of metadata and tensor directory */
};

enum {
    SOURCE_TENSORS_MAX = 262144, /* ten times what the largest known mixture of experts has */
    SOURCE_TENSOR_NAME_MAX = 512,
};

/* Opens a GGUF file (or the first of a split one) or a Hugging Face folder.  Close it in every
 * case, also after a failure. */
CHECKED status source_open(const char *path, struct arena *arena, const struct progress *progress,
                           struct model_source *source, struct diagnostic *diagnostic);
void source_close(struct model_source *source);

/* Maps one more file and keeps it until source_close. */
CHECKED status source_map(struct model_source *source, const char *path, struct mapped_file *file,
                          struct diagnostic *diagnostic);

/* Sorts both lists; fails on a key or name that is there twice. */
CHECKED status source_index(struct model_source *source, struct diagnostic *diagnostic);

/* NULL when absent.  Do not mark as used. */
struct metadata *source_metadata(const struct model_source *source, const char *key);
struct stored_tensor *source_tensor(const struct model_source *source, const char *name);

/* Item `index` of a list; false when there is none.  Texts in GGUF lists are found by walking. */
bool metadata_item(const struct metadata *list, int64_t index, struct metadata *item);

/* "a list of 3", "text", for messages. */
const char *metadata_kind_name(enum metadata_kind kind);
const char *source_format_name(enum source_format format); /* "gguf", "huggingface" */
bool metadata_is_text(const struct metadata *entry, const char *text);

#endif

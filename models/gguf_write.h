/* Writing GGUF files, version 3: first all metadata, then the names and types of all tensors, then
 * their bytes in any order and from any thread.  The file appears under its name only when it is
 * whole. */
#ifndef MODELS_GGUF_WRITE_H
#define MODELS_GGUF_WRITE_H

#include "models/gguf.h"

struct gguf_writer;

/* What general.file_type is for files whose matrices have this type or mix, "q4_K" or "q4_K_M"; 0 where there
 * is no number. */
int64_t gguf_file_type(const char *type);

CHECKED status gguf_writer_create(const char *path, struct arena *arena,
                                  struct gguf_writer **writer, struct diagnostic *diagnostic);

/* Metadata.  Errors (no memory, too many entries) are kept and reported by gguf_writer_start. */
void gguf_put_integer(struct gguf_writer *writer, const char *key, enum gguf_value type,
                      int64_t value);
void gguf_put_real(struct gguf_writer *writer, const char *key, double value);
void gguf_put_boolean(struct gguf_writer *writer, const char *key, bool value);
void gguf_put_text(struct gguf_writer *writer, const char *key, const char *value);
void gguf_put_texts(struct gguf_writer *writer, const char *key, int64_t count,
                    const char *const *values);
/* `item` is a type of fixed size; `values` are packed. */
void gguf_put_numbers(struct gguf_writer *writer, const char *key, enum gguf_value item,
                      int64_t count, const void *values);
/* An entry as it stands in another GGUF file. */
void gguf_put_copy(struct gguf_writer *writer, const struct metadata *entry);

/* Announces a tensor of fixed dimensions; `index` is for gguf_writer_bytes. */
CHECKED status gguf_put_tensor(struct gguf_writer *writer, const char *name,
                               const struct tensor_type *type, int *index,
                               struct diagnostic *diagnostic);

/* Writes the head; from here on only bytes follow. */
CHECKED status gguf_writer_start(struct gguf_writer *writer, struct diagnostic *diagnostic);

/* Bytes of a tensor from `offset` on.  Safe from several threads at once. */
CHECKED status gguf_writer_bytes(struct gguf_writer *writer, int index, int64_t offset,
                                 const void *bytes, size_t byte_count,
                                 struct diagnostic *diagnostic);

/* Syncs and gives the file its name. */
CHECKED status gguf_writer_finish(struct gguf_writer *writer, struct diagnostic *diagnostic);
int64_t gguf_writer_size(const struct gguf_writer *writer); /* bytes, known from start on */

/* Closes; removes the unfinished file.  For use after finish as well, and with NULL. */
void gguf_writer_close(struct gguf_writer *writer);

#endif

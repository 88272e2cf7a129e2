/* Files: reading whole small files, mapping large ones, writing so that a reader sees the old or
 * the new content and nothing between, and the folders of the XDG standard. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/arena.h"

#include <stdint.h>

struct mapped_file {
    const char *path; /* as given; owned by the arena passed to file_map */
    const uint8_t *bytes;
    size_t byte_count;
};

/* The whole content with a zero byte behind it.  Refuses anything but a regular file, and files
 * above `limit_bytes`, with STATUS_BAD_INPUT; a file that is not there gives STATUS_BAD_INPUT as
 * well. */
CHECKED status file_read(const char *path, size_t limit_bytes, struct arena *arena, char **bytes,
                         size_t *byte_count, struct diagnostic *diagnostic);

/* Maps a regular file read-only.  Close with file_unmap. */
CHECKED status file_map(const char *path, struct arena *arena, struct mapped_file *file,
                        struct diagnostic *diagnostic);
void file_unmap(struct mapped_file *file);
/* Lets go of the memory of these mapped bytes, which will not be read soon; they stay readable. */
void file_forget(const void *bytes, size_t byte_count);

/* Temporary file in the same folder, fsync, rename, fsync of the folder.  Makes missing folders. */
CHECKED status file_write(const char *path, const void *bytes, size_t byte_count,
                          struct diagnostic *diagnostic);
CHECKED status file_make_folders(const char *folder, struct diagnostic *diagnostic);
/* Names (without the folder) of the files that end with `suffix` (".yaml"), sorted; hidden ones are
 * left out. */
CHECKED status file_list(const char *folder, const char *suffix, struct arena *arena,
                         const char ***names, int *count, struct diagnostic *diagnostic);
void file_remove(const char *path); /* if it is there */
bool file_exists(const char *path);
bool file_is_folder(const char *path);
/* Of a regular file; anything else does not, and is not waited for. */
bool file_begins_with(const char *path, const void *bytes, size_t byte_count);

/* $XDG_CACHE_HOME/hone and $XDG_CONFIG_HOME/hone, or ~/.cache/hone and ~/.config/hone; relative XDG
 * values are ignored, as the standard says.  NULL when there is no home or memory is out. */
const char *file_cache_folder(struct arena *arena);
const char *file_config_folder(struct arena *arena);

/* The path from the root, without links; NULL when nothing is there. */
const char *file_absolute(struct arena *arena, const char *path);
const char *file_join(struct arena *arena, const char *folder, const char *name);
const char *file_folder_of(struct arena *arena, const char *path);
const char *file_name_of(const char *path); /* points into `path` */

#endif

/* Shared by the files that read architecture descriptions (internal). */
#ifndef MODELS_ARCHITECTURE_READER_H
#define MODELS_ARCHITECTURE_READER_H

#include "models/architecture.h"

struct architecture_reader {
    struct architecture *architecture;
    struct yaml *blocks; /* named lists of lines; NULL: none */
    struct yaml *groups; /* named lists of attributes; NULL: none */
    size_t graph_bytes;  /* of lines and groups of attributes read so far */
    const struct op *const *ops;
    struct arena *arena;
    struct diagnostic *diagnostic;
};

enum formula_kind {
    FORMULA_INTEGER, /* may not use real names */
    FORMULA_REAL,
    FORMULA_ANY /* real as soon as anything in it is */
};

/* `per_layer`: names that have a value within layers only are allowed. */
CHECKED status read_formula(struct architecture_reader *reader, struct yaml *node,
                            enum formula_kind kind, bool per_layer, struct formula *formula);

/* The same from a part of a text, for attributes in graph lines. */
CHECKED status read_formula_text(struct architecture_reader *reader, const struct yaml *node,
                                 const char *text, enum formula_kind kind, bool per_layer,
                                 struct formula *formula);

CHECKED status add_slot(struct architecture_reader *reader, const struct yaml *node,
                        const char *name, enum slot_kind kind, bool real, bool per_layer,
                        int *slot);

/* Names become names of values: a letter, then letters, digits and '_', 64 bytes at most; an
 * architecture's may contain '-' too. */
CHECKED status check_name(struct architecture_reader *reader, const struct yaml *node,
                          const char *name, bool dashes);

/* A text, or a list of texts. */
CHECKED status read_texts(struct architecture_reader *reader, struct yaml *node,
                          const char ***texts, int *count);

/* Marks the items themselves as known, not what is in them. */
void use_items(struct yaml *map);

/* architecture_parameters.c, architecture_weights.c, architecture_lines.c */
CHECKED status read_parameters(struct architecture_reader *reader, struct yaml *root);
CHECKED status check_parameters(struct architecture_reader *reader, const struct yaml *root);
CHECKED status read_lets(struct architecture_reader *reader, struct yaml *root);
CHECKED status read_weights(struct architecture_reader *reader, struct yaml *root);
CHECKED status read_graph(struct architecture_reader *reader, struct yaml *root);

#endif

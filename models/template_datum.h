/* The values of chat templates: Python's, as far as templates can tell.  Nothing is changed once it is made, but for
 * namespaces, iterators that are used up, and the state of loops. */
#ifndef MODELS_TEMPLATE_DATUM_H
#define MODELS_TEMPLATE_DATUM_H

#include "base/arena.h"
#include "base/text.h"

#include <stdint.h>

struct rendering;
struct template_node;
struct template_scope;

enum datum_kind {
    DATUM_ABSENT, /* an argument that was not given */
    DATUM_UNDEFINED,
    DATUM_NONE,
    DATUM_BOOLEAN,
    DATUM_INTEGER,
    DATUM_REAL,
    DATUM_TEXT,
    DATUM_LIST,
    DATUM_MAP,
    DATUM_NAMESPACE,
    DATUM_FUNCTION,
    DATUM_METHOD,
    DATUM_MACRO,
    DATUM_LOOP,
    DATUM_KIND_COUNT
};

enum list_flavour {
    LIST_PLAIN,
    LIST_TUPLE,
    LIST_ITERATOR,
    LIST_RANGE,
    LIST_KEYS,
    LIST_VALUES,
    LIST_ITEMS
};

struct datum_text {
    const char *bytes; /* whole UTF-8, not ended by a zero */
    size_t length;
};

struct datum {
    enum datum_kind kind;
    int detail; /* FUNCTION, METHOD: which */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct datum_text text; /* TEXT; UNDEFINED: the name that nothing is known of */
        struct datum_list *list;
        struct datum_map *map;      /* MAP, NAMESPACE */
        const struct datum *object; /* METHOD: whose */
        struct template_macro *macro;
        struct template_loop *loop;
    };
};

struct datum_list {
    enum list_flavour flavour;
    struct datum *items;
    size_t count, capacity;
    size_t used; /* ITERATOR: items that were taken */
};

struct datum_pair {
    struct datum key, value;
};

struct datum_map {
    struct datum_pair *pairs; /* in the order of insertion */
    size_t count, capacity;
};

struct template_macro {
    const struct template_node *node;
    struct template_scope *scope; /* where it was defined */
};

/* The variable `loop`. */
struct template_loop {
    const struct datum *items;
    size_t count, at;
    int depth;
    struct datum changed; /* what loop.changed() saw last */
};

static inline struct datum datum_none(void)
{
    return (struct datum){.kind = DATUM_NONE};
}
static inline struct datum datum_boolean(bool boolean)
{
    return (struct datum){.kind = DATUM_BOOLEAN, .boolean = boolean};
}
static inline struct datum datum_integer(int64_t integer)
{
    return (struct datum){.kind = DATUM_INTEGER, .integer = integer};
}
static inline struct datum datum_real(double real)
{
    return (struct datum){.kind = DATUM_REAL, .real = real};
}
static inline struct datum datum_text(const char *bytes, size_t length)
{
    return (struct datum){.kind = DATUM_TEXT, .text = {bytes, length}};
}
static inline struct datum datum_undefined(const char *name, size_t length)
{
    return (struct datum){.kind = DATUM_UNDEFINED, .text = {name, length}};
}

const char *datum_kind_name(const struct datum *datum);
bool datum_is_truthy(const struct datum *datum);
/* Whether it counts as a number, as booleans do, and its value if it is a whole one. */
bool datum_is_number(const struct datum *datum);
bool datum_whole(const struct datum *datum, int64_t *integer);
double datum_to_real(const struct datum *datum); /* of a number */
bool datum_is_text(const struct datum *datum, const char *text);

/* Equality as `==` has it; `nested` counts levels, and too many of them are unequal. */
bool datum_equal(const struct datum *a, const struct datum *b);
/* -1, 0 or 1; false when the two have no order. */
bool datum_compare(const struct datum *a, const struct datum *b, int *order);

CHECKED status datum_new_list(struct rendering *rendering, enum list_flavour flavour,
                              size_t capacity, struct datum *list);
CHECKED status datum_append(struct rendering *rendering, struct datum *list, struct datum item);
CHECKED status datum_new_map(struct rendering *rendering, struct datum *map);
/* A value that is there under the key is replaced. */
CHECKED status datum_put(struct rendering *rendering, struct datum_map *map, struct datum key,
                         struct datum value);
CHECKED status datum_new_pair(struct rendering *rendering, struct datum first, struct datum second,
                              struct datum *tuple);
const struct datum *datum_get(const struct datum_map *map, const struct datum *key); /* NULL */
const struct datum *datum_member(const struct datum_map *map, const char *name, size_t length);

/* What a loop over the value sees; an iterator is used up. */
CHECKED status datum_items(struct rendering *rendering, const struct datum *datum,
                           const struct datum **items, size_t *count);
/* Items, pairs or characters; fails where Python's len does. */
CHECKED status datum_length(struct rendering *rendering, const struct datum *datum,
                            int64_t *length);
/* `needle in haystack`. */
CHECKED status datum_contains(struct rendering *rendering, const struct datum *haystack,
                              const struct datum *needle, bool *contains);

/* template_print.c: Python's str() and repr(). */
CHECKED status datum_print(struct rendering *rendering, const struct datum *datum,
                           struct text *text);
CHECKED status datum_represent(struct rendering *rendering, const struct datum *datum,
                               struct text *text);
CHECKED status datum_to_text(struct rendering *rendering, const struct datum *datum,
                             struct datum_text *text);
enum { REAL_TEXT_BYTES = 40 };
void datum_print_real(double real,
                      char text[static REAL_TEXT_BYTES]); /* the shortest that reads back */

#endif

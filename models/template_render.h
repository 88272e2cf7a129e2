/* The state of one rendering, and what the files of the evaluator share. */
#ifndef MODELS_TEMPLATE_RENDER_H
#define MODELS_TEMPLATE_RENDER_H

#include "models/template_syntax.h"

#include <inttypes.h>
#include <jansson.h>

enum {
    RENDER_STEPS_MAX = 1000000, /* the longest known template takes 20000 for a long conversation */
    RENDER_BYTES_PER_STEP = 64, /* work on texts counts as well */
    RENDER_OUTPUT_MAX = 4 << 20,
    RENDER_MEMORY_MAX = 64 << 20,
    RENDER_DEPTH_MAX = 700, /* of the evaluator's recursion, about 1 MiB of stack */
    RENDER_MACROS_MAX = 64, /* calls within calls */
    RENDER_RANGE_MAX = 100000,
    RENDER_VALUE_DEPTH_MAX = 64, /* lists within lists that are printed or compared */
};

struct template_scope {
    struct template_scope *parent;
    struct datum_map variables;
    bool kept; /* a macro was defined in it or further in */
};

enum template_flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct rendering {
    const struct template *template;
    struct arena *arena;
    struct diagnostic *diagnostic;
    struct template_scope *scope;
    struct text *output;
    struct datum captured;
    int64_t steps, now;
    size_t memory_bytes, output_bytes;
    uint32_t offset; /* of what is being evaluated, for messages */
    int depth, macros, values;
    enum template_flow flow;
};

/* What a call brings. */
struct template_call {
    const struct datum *positional;
    size_t count;
    const struct template_keyword *keywords;
    const struct datum *keyword_values; /* [keyword_count] */
    size_t keyword_count;
};

typedef status template_builtin(struct rendering *rendering, const struct datum *subject,
                                const struct datum *arguments, struct datum *result);

typedef status template_builtin_call(struct rendering *rendering, const struct datum *subject,
                                     const struct template_call *call, struct datum *result);

/* A filter, test, method or function.  Each place in `arguments` belongs to one of the `parameters` ("old,new,count"); the
 * first `needed` must be given. */
struct template_builtin_row {
    const char *name;
    template_builtin *run;
    const char *parameters;
    int needed;
    template_builtin_call *run_call; /* in place of `run`: takes the arguments as they come */
};

enum { BUILTIN_PARAMETERS_MAX = 5 };

CHECKED PRINTF_LIKE(2, 3) status
    render_refuse(struct rendering *rendering, const char *format, ...);
#define RENDER_REFUSE(...) certain_failure(render_refuse(__VA_ARGS__))

CHECKED status render_charge(struct rendering *rendering, size_t bytes);
/* Zeroed room that counts against the memory of the rendering. */
CHECKED status render_allocate(struct rendering *rendering, size_t count, size_t item_bytes,
                               void **room);
CHECKED status render_start_text(struct rendering *rendering, struct text *text);
CHECKED status render_append(struct rendering *rendering, struct text *text, const char *bytes,
                             size_t length);
CHECKED status render_finish_text(struct rendering *rendering, const struct text *text,
                                  struct datum *result);

/* template_evaluate.c */
CHECKED status render_evaluate(struct rendering *rendering, const struct template_node *node,
                               struct datum *result);
/* template_operate.c */
CHECKED status render_binary(struct rendering *rendering, int operation, const struct datum *left,
                             const struct datum *right, struct datum *result);
CHECKED status render_compare(struct rendering *rendering, int operation, const struct datum *left,
                              const struct datum *right, bool *holds);
CHECKED status render_slice(struct rendering *rendering, const struct datum *subject,
                            const struct datum bounds[static 3], struct datum *result);
/* subject[key] and subject.name; what is not there is undefined. */
CHECKED status render_item(struct rendering *rendering, const struct datum *subject,
                           const struct datum *key, struct datum *result);
CHECKED status render_attribute(struct rendering *rendering, const struct datum *subject,
                                struct datum_text name, struct datum *result);
/* template_call.c */
CHECKED status render_builtin(struct rendering *rendering, const struct template_builtin_row *row,
                              const struct datum *subject, const struct template_call *call,
                              struct datum *result);
CHECKED status render_call(struct rendering *rendering, const struct datum *callee,
                           const struct template_call *call, struct datum *result);
CHECKED status render_filter(struct rendering *rendering, int filter, const struct datum *subject,
                             const struct template_call *call, struct datum *result);
CHECKED status render_test(struct rendering *rendering, int test, const struct datum *subject,
                           const struct template_call *call, bool *holds);
bool function_find(const char *name, size_t length, struct datum *function);
/* template_statement.c */
CHECKED status render_body(struct rendering *rendering, struct template_node *const *items,
                           size_t count);
CHECKED status render_macro(struct rendering *rendering, const struct template_macro *macro,
                            const struct template_call *call, struct datum *result);
CHECKED status render_enter_scope(struct rendering *rendering, struct template_scope *parent);
/* What the items print, as a text; *result is also rendering->captured's place. */
CHECKED status render_capture(struct rendering *rendering, struct template_node *const *items,
                              size_t count, struct datum *result);

/* template_filters.c, template_filters_list.c, template_tests.c, template_methods.c: which row has this name, -1 if none. */
int filter_find(const char *name, size_t length);
int test_find(const char *name, size_t length);
/* -1: there is none; -2: Python's texts, lists or mappings have it, but templates may not call it, or it is not read here. */
int method_find(const struct datum *subject, const char *name, size_t length);
const struct template_builtin_row *filter_row(int filter);
const struct template_builtin_row *test_row(int test);
const struct template_builtin_row *method_row(int method);
/* Rows end with one without a name. */
int builtin_find(const struct template_builtin_row *rows, const char *name, size_t length);
extern const struct template_builtin_row text_filters[], list_filters[], text_methods[];

/* What "a.b.0" leads to from the subject, as filters take attributes; an absent path leads nowhere.  `fallback`, which may
 * be NULL, stands for whatever is undefined on the way. */
CHECKED status render_path(struct rendering *rendering, const struct datum *subject,
                           const struct datum *path, const struct datum *fallback,
                           struct datum *result);
/* template_order.c: sorts pairs of key and item by key, in place. */
CHECKED status render_sort(struct rendering *rendering, struct datum_pair *pairs, size_t count,
                           bool reverse);
/* A text in lower case, unless case counts; anything else as it is. */
CHECKED status render_fold(struct rendering *rendering, const struct datum *subject,
                           bool case_sensitive, struct datum *result);

/* template_text.c: work on texts. */
struct datum_text text_strip(struct datum_text text, const struct datum_text *characters,
                             int sides);
enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };
size_t text_characters(struct datum_text text);
size_t text_offset(struct datum_text text, size_t characters); /* of that character */
bool text_space_at(const char *bytes, size_t length, size_t *character_bytes);
enum text_casing {
    CASING_UPPER,
    CASING_LOWER,
    CASING_CAPITALIZE,
    CASING_TITLE,
    CASING_TITLE_WORDS
};
CHECKED status text_change_case(struct rendering *rendering, struct datum_text text,
                                enum text_casing casing, struct datum *result);
CHECKED status text_replace(struct rendering *rendering, struct datum_text text,
                            struct datum_text old, struct datum_text new, int64_t limit,
                            struct datum *result);
size_t text_find(struct datum_text text, struct datum_text part); /* SIZE_MAX: nowhere */

/* template_json.c */
CHECKED status datum_from_json(struct rendering *rendering, json_t *json, struct datum *result);
CHECKED status filter_tojson(struct rendering *rendering, const struct datum *subject,
                             const struct datum *arguments, struct datum *result);

#endif

/* The methods of lists, mappings and loops that chat templates may call, and which value has which. */
#include "models/template_render.h"

#include <string.h>

#define METHOD(name)                                                                               \
    static status method_##name(struct rendering *rendering, const struct datum *subject,          \
                                const struct datum *arguments, struct datum *result)

METHOD(get)
{
    const struct datum *member = datum_get(subject->map, &arguments[0]);
    *result = arguments[1].kind == DATUM_ABSENT ? datum_none() : arguments[1];
    if (member) *result = *member;
    return render_charge(rendering, subject->map->count * sizeof *member);
}

static status map_view(struct rendering *rendering, const struct datum *subject,
                       enum list_flavour flavour, struct datum *result)
{
    TRY(datum_new_list(rendering, flavour, subject->map->count, result));
    for (size_t i = 0; i < subject->map->count; i++) {
        const struct datum_pair *pair = &subject->map->pairs[i];
        struct datum item = flavour == LIST_KEYS ? pair->key : pair->value;
        if (flavour == LIST_ITEMS) TRY(datum_new_pair(rendering, pair->key, pair->value, &item));
        TRY(datum_append(rendering, result, item));
    }
    return STATUS_OK;
}

METHOD(items)
{
    (void)arguments;
    return map_view(rendering, subject, LIST_ITEMS, result);
}
METHOD(keys)
{
    (void)arguments;
    return map_view(rendering, subject, LIST_KEYS, result);
}
METHOD(values)
{
    (void)arguments;
    return map_view(rendering, subject, LIST_VALUES, result);
}
METHOD(copy)
{
    (void)arguments;
    (void)rendering;
    *result = *subject;
    return STATUS_OK;
}

static status method_cycle(struct rendering *rendering, const struct datum *subject,
                           const struct template_call *call, struct datum *result)
{
    if (!call->count) return RENDER_REFUSE(rendering, "loop.cycle needs values");
    *result = call->positional[subject->loop->at % call->count];
    return STATUS_OK;
}

static status method_changed(struct rendering *rendering, const struct datum *subject,
                             const struct template_call *call, struct datum *result)
{
    struct datum seen;
    struct template_loop *loop = subject->loop;
    TRY(datum_new_list(rendering, LIST_TUPLE, call->count, &seen));
    for (size_t i = 0; i < call->count; i++)
        TRY(datum_append(rendering, &seen, call->positional[i]));
    *result =
        datum_boolean(loop->changed.kind == DATUM_ABSENT || !datum_equal(&loop->changed, &seen));
    loop->changed = seen;
    return STATUS_OK;
}

static const struct template_builtin_row map_methods[] = {
    {"get", method_get, "key,default", 1, NULL}, {"items", method_items, "", 0, NULL},
    {"keys", method_keys, "", 0, NULL},          {"values", method_values, "", 0, NULL},
    {"copy", method_copy, "", 0, NULL},          {NULL, NULL, NULL, 0, NULL},
};

static const struct template_builtin_row loop_methods[] = {
    {"cycle", NULL, NULL, 0, method_cycle},
    {"changed", NULL, NULL, 0, method_changed},
    {NULL, NULL, NULL, 0, NULL},
};

enum method_owner { OWNER_TEXT, OWNER_LIST, OWNER_MAP, OWNER_LOOP, OWNER_NONE };

/* One number names a method of any table. */
enum { METHODS_PER_OWNER = 100 };
static const struct template_builtin_row *const tables[] = {text_methods, text_methods, map_methods,
                                                            loop_methods};

/* Python has these, so that they hide a mapping's members of the same name; templates cannot use them. */
static bool is_withheld(int owner, const char *name, size_t length)
{
    static const struct {
        int owner;
        const char *name;
    } withheld[] = {
        {OWNER_LIST, "append"},      {OWNER_LIST, "extend"},     {OWNER_LIST, "insert"},
        {OWNER_LIST, "pop"},         {OWNER_LIST, "remove"},     {OWNER_LIST, "reverse"},
        {OWNER_LIST, "sort"},        {OWNER_LIST, "clear"},      {OWNER_MAP, "clear"},
        {OWNER_MAP, "pop"},          {OWNER_MAP, "popitem"},     {OWNER_MAP, "setdefault"},
        {OWNER_MAP, "update"},       {OWNER_MAP, "fromkeys"},    {OWNER_TEXT, "casefold"},
        {OWNER_TEXT, "center"},      {OWNER_TEXT, "encode"},     {OWNER_TEXT, "expandtabs"},
        {OWNER_TEXT, "format"},      {OWNER_TEXT, "format_map"}, {OWNER_TEXT, "isascii"},
        {OWNER_TEXT, "isdecimal"},   {OWNER_TEXT, "isnumeric"},  {OWNER_TEXT, "isidentifier"},
        {OWNER_TEXT, "isprintable"}, {OWNER_TEXT, "istitle"},    {OWNER_TEXT, "ljust"},
        {OWNER_TEXT, "maketrans"},   {OWNER_TEXT, "rfind"},      {OWNER_TEXT, "rindex"},
        {OWNER_TEXT, "rjust"},       {OWNER_TEXT, "rpartition"}, {OWNER_TEXT, "swapcase"},
        {OWNER_TEXT, "translate"},   {OWNER_TEXT, "zfill"},
    };
    for (size_t i = 0; i < sizeof withheld / sizeof *withheld; i++)
        if (withheld[i].owner == owner && strlen(withheld[i].name) == length &&
            memcmp(withheld[i].name, name, length) == 0)
            return true;
    return false;
}

static enum method_owner owner_of(const struct datum *subject)
{
    switch (subject->kind) {
    case DATUM_TEXT: return OWNER_TEXT;
    case DATUM_LIST: return subject->list->flavour <= LIST_TUPLE ? OWNER_LIST : OWNER_NONE;
    case DATUM_MAP: return OWNER_MAP;
    case DATUM_LOOP: return OWNER_LOOP;
    default: return OWNER_NONE;
    }
}

int method_find(const struct datum *subject, const char *name, size_t length)
{
    enum method_owner owner = owner_of(subject);
    if (owner == OWNER_NONE) return -1;
    int method = builtin_find(tables[owner], name, length);
    bool shared = method >= 0 && (!strcmp(tables[owner][method].name, "index") ||
                                  !strcmp(tables[owner][method].name, "count"));
    if (owner == OWNER_LIST && !shared) method = -1;
    if (method >= 0) return (int)owner * METHODS_PER_OWNER + method;
    return is_withheld((int)owner, name, length) ? -2 : -1;
}

const struct template_builtin_row *method_row(int method)
{
    return &tables[method / METHODS_PER_OWNER][method % METHODS_PER_OWNER];
}

/* The table of PTX types. */
#include "emulator/ptx_type.h"

#include <string.h>

static const struct {
    const char *text;
    int bits;
    enum type_kind kind;
} types[TYPE_COUNT] = {
#define PTX_TYPE(name, text, bits, kind) {text, bits, kind},
#include "emulator/ptx_type.def"
#undef PTX_TYPE
};

const char *type_name(enum ptx_type type)
{
    return types[type].text;
}

int type_bits(enum ptx_type type)
{
    return types[type].bits;
}

int type_bytes(enum ptx_type type)
{
    return (types[type].bits + 7) / 8;
}

enum type_kind type_kind(enum ptx_type type)
{
    return types[type].kind;
}

bool type_by_name(const char *text, size_t length, enum ptx_type *type)
{
    for (int t = TYPE_NONE + 1; t < TYPE_COUNT; t++) {
        if (strlen(types[t].text) != length || memcmp(types[t].text, text, length)) continue;
        *type = (enum ptx_type)t;
        return true;
    }
    return false;
}

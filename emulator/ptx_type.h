/* The types of PTX: what an opcode's ".f32" stands for, and how wide its registers are. */
#ifndef EMULATOR_PTX_TYPE_H
#define EMULATOR_PTX_TYPE_H

#include <stdbool.h>
#include <stddef.h>

enum ptx_type {
#define PTX_TYPE(name, text, bits, kind) TYPE_##name,
#include "emulator/ptx_type.def"
#undef PTX_TYPE
    TYPE_COUNT
};

enum type_kind { KIND_NONE, KIND_BITS, KIND_UNSIGNED, KIND_SIGNED, KIND_FLOAT, KIND_PREDICATE };

const char *type_name(enum ptx_type type);
int type_bits(enum ptx_type type);
int type_bytes(enum ptx_type type); /* 1 for types below 8 bits */
enum type_kind type_kind(enum ptx_type type);

/* False when `text` (without its dot, `length` characters) is no type. */
bool type_by_name(const char *text, size_t length, enum ptx_type *type);

#endif

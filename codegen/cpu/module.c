/* What libhone finds in this module: the compiler's identity and the emitters by variant. */
#include "codegen/compile.h"
#include "codegen/cpu/emitter_table.h"
#include "codegen/cpu/source_llvm.h"

#include <string.h>

static generate_function *find(const char *variant)
{
    for (const struct emitter_row *row = emitter_rows; row->variant; row++)
        if (strcmp(row->variant, variant) == 0) return row->generate;
    return NULL;
}

extern const struct codegen_module hone_codegen_module;
__attribute__((visibility("default"))) const struct codegen_module hone_codegen_module = {
    .version = CODEGEN_MODULE_VERSION,
    .compiler = "llvm " HONE_LLVM_VERSION_TEXT,
    .find = find,
    .source = source_llvm_generate,
};

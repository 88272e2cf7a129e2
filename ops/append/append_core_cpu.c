/* Rows of paged states. */
#include "ops/append/append_core_cpu.h"

#include "codegen/cpu/kernel_image.h"

#include <assert.h>

value append_load_index(struct emitter *e, value indices, value index)
{
    value number = load(e, e->i32, address(e, indices, mul(e, index, constant_i64(e, 4))), 4);
    return sign_extend(e, number, e->i64);
}

struct append_pages append_load_pages(struct emitter *e, const struct kernel_arguments *kernel,
                                      value pages, int64_t page_tokens)
{
    return (struct append_pages){
        .pages = pages,
        .sequences = kernel_integer_value(e, kernel, KERNEL_SEQUENCES),
        .stride = kernel_integer_value(e, kernel, KERNEL_STRIDE),
        .page_tokens = page_tokens,
    };
}

value append_find_row(struct emitter *e, const struct append_pages *pages, value sequence,
                      value position, value *known)
{
    value zero = constant_i64(e, 0), tokens = constant_i64(e, pages->page_tokens);
    value column = divide_signed(e, position, tokens);
    value inside = bit_and(e, greater_equal(e, sequence, zero), greater_equal(e, position, zero));
    inside = bit_and(e, inside, less(e, sequence, pages->sequences));
    inside = bit_and(e, inside, less(e, column, pages->stride));
    value entry = add(e, mul(e, sequence, pages->stride), column);
    value page = append_load_index(e, pages->pages, choose(e, inside, entry, zero));
    *known = bit_and(e, inside, greater_equal(e, page, zero));
    value row = add(e, mul(e, page, tokens), remainder_signed(e, position, tokens));
    return choose(e, *known, row, zero);
}

bool append_stores(enum element_type element)
{
    return element == ELEMENT_F32 || element == ELEMENT_F16 || element == ELEMENT_BF16;
}

void append_store(struct emitter *e, enum element_type element, value x, value pointer, int count)
{
    assert(append_stores(element));
    if (element == ELEMENT_F32) {
        store_first(e, x, pointer, count, 4);
        return;
    }
    value bits = element == ELEMENT_F16 ? narrow_f16(e, x) : narrow_bf16(e, x);
    store_first(e, bits, pointer, count, 2);
}

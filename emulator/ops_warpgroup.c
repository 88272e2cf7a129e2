/* wgmma: products of a warpgroup, whose operands lie in shared memory behind descriptors (the first
 * one also in registers).  They are carried out when their group is waited for, with what the
 * operands and accumulators hold then, so that a missing wait or an early overwrite shows. */
#include "emulator/warpgroup.h"

/* ---- Issuing ---- */

static struct pending_product *product_add(struct warp *warp)
{
    struct product_list *list = &warp->products;
    void *grown = arena_grow(warp->block->gang->arena, list->items, list->count, &list->capacity,
                             sizeof *list->items);
    if (!grown) return NULL;
    list->items = grown;
    return &list->items[list->count++];
}

OPERATION(product_issue)
{
    const struct warpgroup_product *product = instruction->detail;
    enum outcome outcome;
    if (!warp_gathers(warp, instruction, ALL_LANES, &outcome)) return outcome;
    if (!warp->product_fenced)
        return warp_fault(warp, instruction, MACHINE_HAZARD,
                          "wgmma without a wgmma.fence before the first one");
    struct pending_product *pending = product_add(warp);
    if (!pending) return warp_fault(warp, instruction, MACHINE_RESOURCES, "out of host memory");
    uint32_t accumulates = *LANES(const uint32_t, product->accumulates) & 1;
    *pending = (struct pending_product){.instruction = instruction,
                                        .group = warp->product_groups,
                                        .accumulates = accumulates != product->accumulates_not};
    for (int which = product->a_in_registers; which < 2; which++)
        pending->descriptors[which] = *LANES(const uint64_t, product->descriptors[which]);
    if (!warpgroup_check(warp, pending)) return OUTCOME_FAULT;
    matrix_count(warp, 2ull * WARP_ROWS * product->n * product->k, product->rate_eighths);
    return OUTCOME_NEXT;
}

OPERATION(product_fence)
{
    (void)instruction;
    warp->product_fenced = true;
    return OUTCOME_NEXT;
}

OPERATION(product_commit)
{
    (void)instruction;
    warp->product_groups++;
    return OUTCOME_NEXT;
}

OPERATION(product_wait)
{
    struct product_list *list = &warp->products;
    uint32_t kept = (uint32_t)instruction->immediate;
    enum outcome outcome;
    size_t left = 0;
    if (!warp_gathers(warp, instruction, ALL_LANES, &outcome)) return outcome;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].group + kept >= warp->product_groups)
            list->items[left++] = list->items[i];
        else if (!warpgroup_multiply(warp, &list->items[i]))
            return OUTCOME_FAULT;
    }
    list->count = left;
    return OUTCOME_NEXT;
}

/* ---- Decoding ---- */

/* "m64n128k16" */
static status take_shape(struct decoder *decoder, struct warpgroup_product *product)
{
    size_t length;
    const char *rest = decoder_take_prefix(decoder, "m64n", &length);
    if (!rest) return decoder_refuse(decoder, "its shape is not known");
    for (; length && *rest >= '0' && *rest <= '9' && product->n < 1000; rest++, length--)
        product->n = product->n * 10 + (uint32_t)(*rest - '0');
    if (length != 2 && length != 3) return decoder_refuse(decoder, "its shape is not known");
    for (rest++; length > 1; rest++, length--)
        product->k = product->k * 10 + (uint32_t)(*rest - '0');
    if (!product->n || product->n % 8 || product->n > COLUMNS_MAX || !product->k ||
        product->k * product->element_bytes != ROW_BYTES)
        return decoder_refuse(decoder, "its shape is not known");
    return STATUS_OK;
}

static bool type_multiplies(enum ptx_type type)
{
    return type == TYPE_F16 || type == TYPE_BF16 || type == TYPE_TF32 || type == TYPE_S8 ||
           type == TYPE_U8 || type == TYPE_E4M3 || type == TYPE_E5M2;
}

static status take_types(struct decoder *decoder, struct warpgroup_product *product)
{
    const enum ptx_type *types = decoder->types;
    if (decoder->type_count != 3 || !type_multiplies(types[1]) || !type_multiplies(types[2]) ||
        type_bits(types[1]) != type_bits(types[2]))
        return decoder_refuse(decoder, "not for these types");
    product->whole = types[0] == TYPE_S32;
    product->half = types[0] == TYPE_F16;
    product->element_bytes = (uint32_t)type_bytes(types[1]);
    bool integers = type_kind(types[1]) != KIND_FLOAT;
    if ((!product->whole && !product->half && types[0] != TYPE_F32) || integers != product->whole)
        return decoder_refuse(decoder, "not for these types");
    const struct matrix_rate rate = {.target = decoder->parser->module->target,
                                     .element = types[1],
                                     .sum = types[0],
                                     .warpgroup = true};
    product->rate_eighths = matrix_rate_eighths(&rate);
    TRY(element_reader_create(decoder, types[1], 0, &product->a));
    return element_reader_create(decoder, types[2], 0, &product->b);
}

/* "p, 1, 1, 0, 0": whether d counts, signs, and for 16 bits which operands are transposed. */
static status read_manners(struct decoder *decoder, struct warpgroup_product *product)
{
    struct instruction *instruction = decoder->instruction;
    int64_t value;
    TRY(read_comma(decoder));
    TRY(read_predicate(decoder, &product->accumulates));
    product->accumulates_not = instruction->flags & FLAG_NEGATE;
    if (product->whole) return STATUS_OK;
    for (int sign = 0; sign < 2; sign++) {
        TRY(read_comma(decoder));
        TRY(read_immediate(decoder, -1, 1, &value));
        if (value < 0) product->negated = !product->negated;
    }
    if (product->element_bytes != 2) return STATUS_OK;
    for (int which = product->a_in_registers; which < 2; which++) {
        TRY(read_comma(decoder));
        TRY(read_immediate(decoder, 0, 1, &value));
        *(which ? &product->transposed_b : &product->transposed_a) = value != 0;
    }
    return STATUS_OK;
}

static status read_operands(struct decoder *decoder, struct warpgroup_product *product)
{
    uint32_t list[OPERAND_LIST_MAX];
    uint16_t count = 0;
    TRY(read_registers_of(decoder, TYPE_B32, false, list, &count));
    product->d_count = product->a_at = count;
    TRY(read_comma(decoder));
    product->a_in_registers = token_is(&decoder->lexer->token, "{");
    if (product->a_in_registers) {
        TRY(read_registers_of(decoder, TYPE_B32, true, list, &count));
    } else {
        TRY(read_source(decoder, TYPE_B64, &product->descriptors[0]));
    }
    TRY(read_comma(decoder));
    TRY(read_source(decoder, TYPE_B64, &product->descriptors[1]));
    if (product->d_count != product->n / (product->half ? 4 : 2) ||
        (product->a_in_registers && count - product->a_at != A_REGISTERS))
        return decoder_refuse(decoder, "its operands have other sizes");
    return keep_list(decoder, list, count);
}

static status decode_product(struct decoder *decoder, const struct opcode *opcode)
{
    struct warpgroup_product *product;
    (void)opcode;
    TRY_NEW(product, decoder->parser->module->arena, 1, decoder->lexer->diagnostic);
    decoder->instruction->detail = product;
    decoder->instruction->run = product_issue;
    decoder_take(decoder, "sync");
    decoder_take(decoder, "aligned");
    product->saturate = decoder_take(decoder, "satfinite");
    TRY(take_types(decoder, product));
    TRY(take_shape(decoder, product));
    TRY(read_operands(decoder, product));
    return read_manners(decoder, product);
}

static status decode_order(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    decoder_take(decoder, "sync");
    decoder_take(decoder, "aligned");
    bool waits = strstr(opcode->name, "wait") != NULL;
    instruction->run = waits                            ? product_wait
                       : strstr(opcode->name, "commit") ? product_commit
                                                        : product_fence;
    if (!waits) return STATUS_OK;
    return read_immediate(decoder, 0, 7, &instruction->immediate);
}

const struct opcode opcodes_warpgroup[] = {
    {"wgmma.mma_async", NULL, NULL, CATEGORY_MATRIX, decode_product},
    {"wgmma.fence", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_order},
    {"wgmma.commit_group", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_order},
    {"wgmma.wait_group", NULL, NULL, CATEGORY_ASYNCHRONOUS, decode_order},
    {0},
};

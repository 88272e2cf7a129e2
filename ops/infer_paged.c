/* The rules behind infer_paged.h. */
#include "ops/infer_paged.h"

status infer_batch(const struct inference *inference, int positions, int x)
{
    TRY(infer_index(inference, positions, x));
    TRY(infer_index(inference, positions + 1, x));
    return infer_operand(inference, positions + 2, 2, CLASS_I32);
}

status infer_state(const struct inference *inference, int input)
{
    TRY(infer_operand(inference, input, 3, CLASS_STATE));
    TRY(infer_fixed(inference, input, 1));
    return infer_fixed(inference, input, 2);
}

status infer_state_heads(const struct inference *inference, int input, int64_t heads,
                         int64_t head_size, const char *what)
{
    TRY(infer_state(inference, input));
    TRY(infer_size(inference, input, 2, heads * head_size, what));
    return infer_head_blocks(inference, input, head_size);
}

status infer_head_blocks(const struct inference *inference, int input, int64_t head_size)
{
    const struct element *element = element_of(inference->inputs[input]->element);
    if (head_size % element->block_elements == 0) return STATUS_OK;
    return fail(inference->diagnostic, STATUS_BAD_INPUT,
                "%s holds heads of %lld numbers, which are no whole blocks of %d as %s has them: "
                "choose f16, bf16 or f32 for the KV cache",
                inference->op->inputs[input].name, (long long)head_size, element->block_elements,
                element->name);
}

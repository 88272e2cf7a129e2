/* The types that kernels write and read, and the word behind them. */
#include "engine/state_type.h"

#include <string.h>

static const enum element_type types[] = {ELEMENT_F16, ELEMENT_BF16, ELEMENT_F32, ELEMENT_Q8_0,
                                          ELEMENT_Q4_0};

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

status state_type_parse(const char *text, struct engine_options *options,
                        struct diagnostic *diagnostic)
{
    options->state_element = ELEMENT_F16;
    options->rotates_states = false;
    options->states_given = text != NULL;
    if (!text) return STATUS_OK;
    size_t length = strcspn(text, ",");
    options->rotates_states = strcmp(text + length, ",rotate") == 0;
    bool whole = !text[length] || options->rotates_states;
    for (size_t t = 0; whole && t < sizeof types / sizeof *types; t++) {
        options->state_element = types[t];
        if (is_word(text, length, element_of(types[t])->name)) return STATUS_OK;
    }
    return fail(diagnostic, STATUS_USAGE,
                "the KV type \"%.100s\" is not known; write f16, bf16, f32, q8_0 or q4_0, and "
                "\",rotate\" behind it to rotate heads before they are rounded",
                text);
}

/* Pre-tokenizers are rows of pretokenizers.def, matched by PCRE2.
 *
 * Patterns are compiled to machine code where PCRE2 can do so on this processor; elsewhere it
 * interprets them, with the same matches.  All its memory but that code lies in arenas. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "models/tokenizer_pretokenize.h"

#include "base/text.h"
#include "models/tokenizer_utf8.h"

#include <pcre2.h>
#include <string.h>

struct row {
    const char *name;
    unsigned flags;
    const char *patterns[PRETOKENIZER_STAGES_MAX + 1]; /* ends with NULL */
};

static const struct row rows[] = {
#define PRETOKENIZER(name, flags, ...) {name, flags, {__VA_ARGS__, NULL}},
#include "models/pretokenizers.def"
#undef PRETOKENIZER
};

enum {
    ROW_COUNT = sizeof rows / sizeof *rows,
    /* Steps back that one match may take; a run of spaces takes one each, so the text's length is
     * added.  The patterns are ours, but the text is anybody's. */
    MATCH_STEPS_MAX = 1 << 20,
    MATCH_HEAP_KIBIBYTES = 64 << 10,
};

static const struct row *row_by_name(const char *name)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

bool pretokenizer_known(const char *name, unsigned *flags)
{
    const struct row *row = row_by_name(name);
    if (row && flags) *flags = row->flags;
    return row != NULL;
}

const char *pretokenizer_match(const char *const *patterns, int count)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        int same = 0;
        while (same < count && rows[i].patterns[same] &&
               !strcmp(rows[i].patterns[same], patterns[same]))
            same++;
        if (count > 0 && same == count && !rows[i].patterns[count]) return rows[i].name;
    }
    return NULL;
}

static status fail_unknown(const char *name, const char *file, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    struct text names = {.arena = arena};
    char excerpt[EXCERPT_BYTES];
    for (int i = 0; i < ROW_COUNT; i++) text_print(&names, "%s%s", i ? ", " : "", rows[i].name);
    const char *list = text_finish(&names);
    TRY_MEMORY(list, diagnostic);
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: the pre-tokenizer '%s' is not known; known are %s", file,
                utf8_excerpt(name, strlen(name), excerpt), list);
}

static void *take_memory(PCRE2_SIZE bytes, void *arena)
{
    return arena_allocate(arena, 1, bytes);
}

static void leave_memory(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

static status fail_pcre(int code, const char *what, const char *name, struct diagnostic *diagnostic)
{
    char message[256] = "";
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAPLIMIT)
        return fail_memory(diagnostic, 0);
    pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
    return fail(diagnostic, STATUS_FAILED, "%s%s: %s", what, name, message);
}

static status compile(const char *pattern, const char *name, struct arena *arena, void **compiled,
                      struct diagnostic *diagnostic)
{
    pcre2_general_context *general = pcre2_general_context_create(take_memory, leave_memory, arena);
    TRY_MEMORY(general, diagnostic);
    pcre2_compile_context *context = pcre2_compile_context_create(general);
    TRY_MEMORY(context, diagnostic);
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY,
                                     &error, &offset, context);
    if (!code && error == PCRE2_ERROR_HEAP_FAILED) return fail_memory(diagnostic, 0);
    if (!code) return fail_pcre(error, "compiling the pre-tokenizer ", name, diagnostic);
    *compiled = code;
    error = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    return error == PCRE2_ERROR_NOMEMORY ? fail_memory(diagnostic, 0) : STATUS_OK;
}

status pretokenizer_create(const char *name, const char *file, struct arena *arena,
                           struct pretokenizer *pretokenizer, struct diagnostic *diagnostic)
{
    const struct row *row = row_by_name(name);
    *pretokenizer = (struct pretokenizer){0};
    if (!row) return fail_unknown(name, file, arena, diagnostic);
    pretokenizer->flags = row->flags;
    for (; row->patterns[pretokenizer->stage_count]; pretokenizer->stage_count++) {
        int stage = pretokenizer->stage_count;
        TRY(compile(row->patterns[stage], name, arena, &pretokenizer->stages[stage], diagnostic));
    }
    return STATUS_OK;
}

void pretokenizer_close(struct pretokenizer *pretokenizer)
{
    for (int i = 0; i < PRETOKENIZER_STAGES_MAX; i++) pcre2_code_free(pretokenizer->stages[i]);
    *pretokenizer = (struct pretokenizer){0};
}

status pretokenizer_matcher_create(struct arena *arena, struct pretokenizer_matcher *matcher,
                                   struct diagnostic *diagnostic)
{
    pcre2_general_context *general = pcre2_general_context_create(take_memory, leave_memory, arena);
    TRY_MEMORY(general, diagnostic);
    pcre2_match_context *context = pcre2_match_context_create(general);
    TRY_MEMORY(context, diagnostic);
    pcre2_set_heap_limit(context, MATCH_HEAP_KIBIBYTES);
    pcre2_match_data *data = pcre2_match_data_create(1, general);
    TRY_MEMORY(data, diagnostic);
    *matcher = (struct pretokenizer_matcher){arena, context, data};
    return STATUS_OK;
}

struct cutting {
    const struct pretokenizer_matcher *matcher;
    const char *text;
    uint32_t *ends;
    size_t count, capacity;
    struct diagnostic *diagnostic;
};

static status append(struct cutting *cutting, size_t end)
{
    TRY_APPEND(cutting->ends, cutting->count, cutting->capacity, cutting->matcher->arena,
               cutting->diagnostic);
    cutting->ends[cutting->count - 1] = (uint32_t)end;
    return STATUS_OK;
}

/* Cuts one piece, text[begin] to text[end - 1], at the matches of a pattern. */
static status cut_piece(struct cutting *cutting, const pcre2_code *code, size_t begin, size_t end)
{
    pcre2_match_data *data = cutting->matcher->data;
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(data);
    for (size_t at = begin; at < end;) {
        int found = pcre2_match(code, (PCRE2_SPTR)cutting->text + begin, end - begin, at - begin,
                                PCRE2_NO_UTF_CHECK, data, cutting->matcher->context);
        if (found < 0 && found != PCRE2_ERROR_NOMATCH)
            return fail_pcre(found, "cutting text into pieces", "", cutting->diagnostic);
        if (found < 0 || range[1] == range[0]) return append(cutting, end);
        if (begin + range[0] > at) TRY(append(cutting, begin + range[0]));
        TRY(append(cutting, begin + range[1]));
        at = begin + range[1];
    }
    return STATUS_OK;
}

status pretokenizer_cut(const struct pretokenizer *pretokenizer,
                        struct pretokenizer_matcher *matcher, const char *text, size_t length,
                        const uint32_t **ends, size_t *count, struct diagnostic *diagnostic)
{
    uint32_t *last = NULL;
    size_t last_count = 0;
    pcre2_set_match_limit(matcher->context, (uint32_t)(MATCH_STEPS_MAX + 2 * length));
    for (int stage = 0; stage < pretokenizer->stage_count; stage++) {
        struct cutting cutting = {.matcher = matcher, .text = text, .diagnostic = diagnostic};
        size_t begin = 0;
        if (stage == 0) TRY(cut_piece(&cutting, pretokenizer->stages[0], 0, length));
        for (size_t i = 0; i < last_count; begin = last[i++])
            TRY(cut_piece(&cutting, pretokenizer->stages[stage], begin, last[i]));
        last = cutting.ends;
        last_count = cutting.count;
    }
    *ends = last;
    *count = last_count;
    return STATUS_OK;
}

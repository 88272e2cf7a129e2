/* Reading, splitting and scoring probes. */
#include "engine/probe.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "engine/evaluate_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Passages of a text that is split: enough of them to draw from, long enough to give each token some context. */
enum { PASSAGES_LEAST = 16, PASSAGE_BYTES_LEAST = 64, PASSAGE_BYTES_MOST = 2048 };

/* ---- Identity ---- */

static struct hash hash_integer(int64_t value)
{
    return hash_bytes(&value, sizeof value);
}

static struct hash hash_question(const struct question *question)
{
    struct hash hash = hash_text(question->text);
    for (int c = 0; c < question->choice_count; c++)
        hash = hash_combine(hash, hash_text(question->choices[c]));
    return hash_combine(hash, hash_integer(question->answer));
}

static void identify(struct probe *probe)
{
    struct hash hash = hash_integer(probe->kind);
    if (probe->kind == PROBE_TEXT) {
        hash = hash_combine(hash, hash_bytes(probe->text, probe->length));
        hash = hash_combine(hash, hash_integer(probe->window));
        hash = hash_combine(hash, hash_integer(probe->limit));
    }
    for (int q = 0; q < probe->questions.count; q++)
        hash = hash_combine(hash, hash_question(&probe->questions.items[q]));
    probe->identity = hash;
}

/* ---- Reading ---- */

static bool has_questions(const char *path)
{
    size_t length = strlen(path);
    return length > 6 && !strcmp(path + length - 6, ".jsonl");
}

status probe_read(const char *path, int64_t window, int64_t limit, struct arena *arena,
                  struct probe *probe, struct diagnostic *diagnostic)
{
    char *text;
    *probe = (struct probe){.path = path, .window = window, .limit = limit};
    if (has_questions(path)) {
        probe->kind = PROBE_QUESTIONS;
        TRY(question_file_read(path, limit, arena, &probe->questions, diagnostic));
    } else {
        TRY(file_read(path, TOKENIZER_TEXT_MAX, arena, &text, &probe->length, diagnostic));
        probe->text = text;
    }
    identify(probe);
    return STATUS_OK;
}

/* ---- Splitting ---- */

struct lot {
    uint64_t number;
    int index;
};

static int compare_lots(const void *a, const void *b)
{
    const struct lot *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return x->index - y->index;
}

/* Marks half of `count` things. */
static status draw_half(int count, uint64_t seed, struct arena *arena, bool **drawn,
                        struct diagnostic *diagnostic)
{
    struct lot *lots;
    TRY_NEW(lots, arena, count, diagnostic);
    TRY_NEW(*drawn, arena, count, diagnostic);
    for (int i = 0; i < count; i++) lots[i] = (struct lot){random_bits(seed, 0, (uint64_t)i), i};
    qsort(lots, (size_t)count, sizeof *lots, compare_lots);
    for (int i = 0; i < count / 2; i++) (*drawn)[lots[i].index] = true;
    return STATUS_OK;
}

static status split_questions(const struct probe *whole, uint64_t seed, struct arena *arena,
                              struct probe *parts[2], struct diagnostic *diagnostic)
{
    bool *drawn;
    TRY(draw_half(whole->questions.count, seed, arena, &drawn, diagnostic));
    for (int q = 0; q < whole->questions.count; q++) {
        struct question_list *list = &parts[drawn[q]]->questions;
        TRY_APPEND(list->items, list->count, list->capacity, arena, diagnostic);
        list->items[list->count - 1] = whole->questions.items[q];
    }
    return STATUS_OK;
}

/* The end of a passage that begins at `from`: behind a line end, else behind a space, else between two characters. */
static size_t passage_end(const struct probe *probe, size_t from, size_t bytes)
{
    static const char ends[] = "\n ";
    if (probe->length - from <= bytes) return probe->length;
    size_t most = probe->length - from < 2 * bytes ? probe->length - from : 2 * bytes;
    const char *at = probe->text + from + bytes;
    for (const char *end = ends; *end; end++) {
        const char *found = memchr(at, *end, most - bytes);
        if (found) return (size_t)(found + 1 - probe->text);
    }
    size_t end = from + bytes;
    while (end < probe->length && ((unsigned char)probe->text[end] & 0xc0) == 0x80) end++;
    return end;
}

static status split_text(const struct probe *whole, uint64_t seed, struct arena *arena,
                         struct probe *parts[2], struct diagnostic *diagnostic)
{
    size_t bytes = whole->length / PASSAGES_LEAST, capacity = 0, from = 0, *ends = NULL;
    struct text texts[2] = {{.arena = arena}, {.arena = arena}};
    int count = 0;
    bool *drawn;
    if (bytes < PASSAGE_BYTES_LEAST) bytes = PASSAGE_BYTES_LEAST;
    if (bytes > PASSAGE_BYTES_MOST) bytes = PASSAGE_BYTES_MOST;
    for (size_t at = 0; at < whole->length; at = ends[count - 1]) {
        TRY_APPEND(ends, count, capacity, arena, diagnostic);
        ends[count - 1] = passage_end(whole, at, bytes);
    }
    TRY(draw_half(count, seed, arena, &drawn, diagnostic));
    for (int p = 0; p < count; from = ends[p++])
        text_append_range(&texts[drawn[p]], whole->text + from, ends[p] - from);
    for (int part = 0; part < 2; part++) {
        parts[part]->text = text_finish(&texts[part]);
        TRY_MEMORY(parts[part]->text, diagnostic);
        parts[part]->length = texts[part].length;
    }
    return STATUS_OK;
}

status probe_split(const struct probe *whole, uint64_t seed, struct arena *arena,
                   struct probe *kept, struct probe *held_out, struct diagnostic *diagnostic)
{
    struct probe *parts[2] = {kept, held_out};
    for (int p = 0; p < 2; p++)
        *parts[p] = (struct probe){.kind = whole->kind,
                                   .path = whole->path,
                                   .window = whole->window,
                                   .limit = whole->limit};
    TRY((whole->kind == PROBE_TEXT ? split_text : split_questions)(whole, seed, arena, parts,
                                                                   diagnostic));
    identify(kept);
    identify(held_out);
    if (kept->length + (size_t)kept->questions.count &&
        held_out->length + (size_t)held_out->questions.count)
        return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: too short to keep half of it back; give another file with --held-out",
                whole->path);
}

/* ---- Scoring ---- */

static status evaluate_as_text(const struct probe *probe, struct engine *engine,
                               const struct progress *progress, struct arena *arena,
                               struct probe_score *score, struct diagnostic *diagnostic)
{
    const struct text_evaluation evaluation = {
        .engine = engine, .window = probe->window, .limit = probe->limit, .progress = progress};
    struct text_score told;
    TRY(evaluate_text(&evaluation, probe->text, probe->length, arena, &told, diagnostic));
    score->log_likelihood = -log(told.perplexity);
    score->count = told.tokens;
    return STATUS_OK;
}

static status evaluate_as_questions(const struct probe *probe, struct engine *engine,
                                    const struct progress *progress, struct arena *arena,
                                    struct probe_score *score, struct diagnostic *diagnostic)
{
    struct choice_score told;
    TRY(evaluate_choices(engine, probe->path, &probe->questions, progress, arena, &told, NULL,
                         diagnostic));
    score->log_likelihood = told.log_likelihood;
    score->accuracy = (double)told.right / told.questions;
    score->count = told.questions;
    return STATUS_OK;
}

status probe_evaluate(const struct probe *probe, struct engine *engine,
                      const struct progress *progress, struct probe_score *score,
                      struct diagnostic *diagnostic)
{
    double start_seconds = clock_seconds();
    struct diagnostic reason = {0};
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    *score = (struct probe_score){0};
    status code = (probe->kind == PROBE_TEXT ? evaluate_as_text : evaluate_as_questions)(
        probe, engine, progress, arena, score, &reason);
    arena_destroy(arena);
    score->seconds = clock_seconds() - start_seconds;
    score->finite = code == STATUS_OK && isfinite(score->log_likelihood);
    if (code == STATUS_OK || code == STATUS_MISMATCH) return STATUS_OK;
    return fail(diagnostic, code, "%s", reason.text);
}

double probe_gain(const struct probe *probe, const struct probe_score *score,
                  const struct probe_score *base)
{
    if (probe->kind == PROBE_QUESTIONS) return score->accuracy - base->accuracy;
    return score->log_likelihood - base->log_likelihood;
}

int probe_compare(const struct probe *probe, const struct probe_score *a,
                  const struct probe_score *b)
{
    if (a->finite != b->finite) return a->finite ? -1 : 1;
    if (probe->kind == PROBE_QUESTIONS && a->accuracy != b->accuracy)
        return a->accuracy > b->accuracy ? -1 : 1;
    return (a->log_likelihood < b->log_likelihood) - (a->log_likelihood > b->log_likelihood);
}

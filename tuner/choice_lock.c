/* Reading, asking and writing locks. */
#include "tuner/choice_lock.h"

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

enum { LOCK_FORM = 1 };

static const char *const mode_names[LOCK_MODE_COUNT] = {
    [LOCK_LOCKED] = "locked", [LOCK_SAME_NUMERICS] = "same-numerics", [LOCK_FREE] = "free"};

const char *lock_mode_name(enum lock_mode mode)
{
    return mode_names[mode];
}

bool lock_mode_by_name(const char *name, enum lock_mode *mode)
{
    for (int m = 0; m < LOCK_MODE_COUNT; m++) {
        if (strcmp(mode_names[m], name) != 0) continue;
        *mode = (enum lock_mode)m;
        return true;
    }
    return false;
}

static int compare_choices(const void *a, const void *b)
{
    const struct locked_choice *x = a, *y = b;
    int classes = strcmp(x->device_class, y->device_class);
    return classes ? classes : strcmp(x->problem, y->problem);
}

static struct locked_choice *find(const struct choice_lock *lock, const char *device_class,
                                  struct hash problem_key)
{
    for (int c = 0; c < lock->count; c++)
        if (hash_equal(lock->choices[c].problem_key, problem_key) &&
            strcmp(lock->choices[c].device_class, device_class) == 0)
            return &lock->choices[c];
    return NULL;
}

const struct locked_choice *lock_find(const struct choice_lock *lock, const char *device_class,
                                      struct hash problem_key)
{
    return lock ? find(lock, device_class, problem_key) : NULL;
}

/* ---- Reading ---- */

static status read_mode(struct yaml *root, enum lock_mode *mode, struct diagnostic *diagnostic)
{
    const char *text;
    TRY(yaml_text(root, "mode", &text, diagnostic));
    if (lock_mode_by_name(text, mode)) return STATUS_OK;
    return yaml_fail(yaml_find(root, "mode"), diagnostic,
                     "'%.40s' is no mode; write locked, same-numerics or free", text);
}

static status read_text(struct yaml *map, const char *key, struct arena *arena, const char **text,
                        struct diagnostic *diagnostic)
{
    TRY(yaml_text(map, key, text, diagnostic));
    for (const char *at = *text; *at; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ' || *at == 0x7f)
            return yaml_fail(yaml_find(map, key), diagnostic,
                             "'%s' holds a character that is in no text of Hone's", key);
    *text = arena_text(arena, *text);
    TRY_MEMORY(*text, diagnostic);
    return STATUS_OK;
}

static status read_choice(struct choice_lock *lock, struct yaml *map, struct diagnostic *diagnostic)
{
    struct locked_choice choice;
    const char *source;
    TRY(read_text(map, "device", lock->arena, &choice.device_class, diagnostic));
    TRY(read_text(map, "problem", lock->arena, &choice.problem, diagnostic));
    TRY(read_text(map, "candidate", lock->arena, &choice.candidate, diagnostic));
    TRY(read_text(map, "numerics", lock->arena, &choice.numerics, diagnostic));
    TRY(yaml_text(map, "source", &source, diagnostic));
    if (!hash_parse(source, &choice.source))
        return yaml_fail(yaml_find(map, "source"), diagnostic,
                         "'source' must be 32 hexadecimal digits");
    choice.problem_key = problem_text_key(choice.problem);
    if (find(lock, choice.device_class, choice.problem_key))
        return yaml_fail(map, diagnostic, "a second choice for %.200s on %.80s", choice.problem,
                         choice.device_class);
    TRY_APPEND(lock->choices, lock->count, lock->capacity, lock->arena, diagnostic);
    lock->choices[lock->count - 1] = choice;
    return STATUS_OK;
}

static status read_lock(struct choice_lock *lock, struct diagnostic *diagnostic)
{
    struct yaml *root, *choices, *form;
    const char *hone;
    int64_t number;
    TRY(yaml_read(lock->path, lock->arena, &root, diagnostic));
    TRY(yaml_require(root, "form", YAML_SCALAR, &form, diagnostic));
    TRY(yaml_integer(form, &number, diagnostic));
    if (number != LOCK_FORM)
        return yaml_fail(form, diagnostic, "a lock of form %lld; this Hone reads form %d",
                         (long long)number, LOCK_FORM);
    TRY(yaml_text(root, "hone", &hone, diagnostic)); /* for people */
    TRY(read_mode(root, &lock->written, diagnostic));
    TRY(yaml_require(root, "choices", YAML_LIST, &choices, diagnostic));
    for (int c = 0; c < choices->count; c++) TRY(read_choice(lock, &choices->items[c], diagnostic));
    return yaml_check_used(root, NULL, diagnostic);
}

status lock_open(const char *path, const char *mode, bool adds, struct arena *arena,
                 struct choice_lock **result, struct diagnostic *diagnostic)
{
    struct choice_lock *lock;
    TRY_NEW(lock, arena, 1, diagnostic);
    *lock = (struct choice_lock){.path = arena_text(arena, path), .adds = adds, .arena = arena};
    TRY_MEMORY(lock->path, diagnostic);
    enum lock_mode wanted = LOCK_LOCKED;
    if (mode && !lock_mode_by_name(mode, &wanted))
        return fail(diagnostic, STATUS_USAGE,
                    "--lock-mode: \"%.40s\" is not known; write locked, same-numerics or free",
                    mode);
    if (file_exists(path)) {
        TRY(read_lock(lock, diagnostic));
    } else if (adds) {
        lock->written = wanted;
    } else {
        return fail(
            diagnostic, STATUS_BAD_INPUT,
            "%s: there is no such lock; `hone compile` and `hone tune` with --lock write it", path);
    }
    lock->mode = mode ? wanted : lock->written;
    *result = lock;
    return STATUS_OK;
}

/* ---- Taking up and writing ---- */

status lock_set(struct choice_lock *lock, const struct catalogue *catalogue,
                const char *device_class, const struct problem *problem, const char *text,
                struct diagnostic *diagnostic)
{
    struct locked_choice *known = find(lock, device_class, problem->key);
    struct candidate candidate;
    if (known && lock->mode == LOCK_LOCKED) return STATUS_OK;
    TRY(candidate_parse(catalogue, text, &candidate, diagnostic));
    struct text numerics = {.arena = lock->arena};
    candidate_numerics(&candidate, &numerics);
    const struct locked_choice choice = {.device_class = arena_text(lock->arena, device_class),
                                         .problem = arena_text(lock->arena, problem->text),
                                         .problem_key = problem->key,
                                         .candidate = arena_text(lock->arena, text),
                                         .numerics = text_finish(&numerics),
                                         .source = candidate.space ? candidate.space->source
                                                                   : (struct hash){0}};
    TRY_MEMORY(choice.device_class, diagnostic);
    TRY_MEMORY(choice.problem, diagnostic);
    TRY_MEMORY(choice.candidate, diagnostic);
    TRY_MEMORY(choice.numerics, diagnostic);
    if (!known) {
        TRY_APPEND(lock->choices, lock->count, lock->capacity, lock->arena, diagnostic);
        known = &lock->choices[lock->count - 1];
    }
    *known = choice;
    return STATUS_OK;
}

/* Double quotes; what would have to be escaped in them is in no text of Hone's. */
static void print_choice(const struct locked_choice *choice, struct text *text)
{
    char source[HASH_TEXT_BYTES];
    text_print(text,
               "- {device: \"%s\",\n   problem: \"%s\",\n   candidate: \"%s\",\n"
               "   numerics: \"%s\", source: \"%s\"}\n",
               choice->device_class, choice->problem, choice->candidate, choice->numerics,
               hash_print(choice->source, source));
}

status lock_write(const struct choice_lock *lock, struct diagnostic *diagnostic)
{
    struct text text = {.arena = lock->arena};
    text_print(&text,
               "# Choices of kernels: `hone run MODEL --lock FILE` makes them again.\n"
               "form: %d\nhone: \"%s\"\nmode: %s\nchoices:%s\n",
               LOCK_FORM, HONE_VERSION_TEXT, lock_mode_name(lock->written),
               lock->count ? "" : " []");
    if (lock->count)
        qsort(lock->choices, (size_t)lock->count, sizeof *lock->choices, compare_choices);
    for (int c = 0; c < lock->count; c++) print_choice(&lock->choices[c], &text);
    const char *bytes = text_finish(&text);
    TRY_MEMORY(bytes, diagnostic);
    return file_write(lock->path, bytes, text.length, diagnostic);
}

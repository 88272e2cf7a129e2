/* Damaged architecture descriptions and Hugging Face folders: thousands of changed bytes, cut lines
 * and cut files.  Each is refused with one line that names the file, or still describes a model. */
#include "base/random.h"
#include "models/model.h"
#include "models/model_source.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/hostile/gguf_seed.h"
#include "tests/scratch_harness.h"

#include <fcntl.h>
#include <unistd.h>

#define FOLDER HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/qwen2/huggingface/"

struct fixture {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    struct gguf_seed seed;
    long opened, refused;
};

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(0);
    *state = scratch;
    return scratch_create(scratch->folder);
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    print_message("%ld opened, %ld refused\n", scratch->opened, scratch->refused);
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

/* Without syncing, which file_write does: there are thousands of files. */
static void write_bytes_quickly(const char *path, const char *bytes, size_t count)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, count), (ssize_t)count);
    close(file);
}

static char *read_all(struct fixture *scratch, const char *path, size_t *count)
{
    struct diagnostic diagnostic = {0};
    char *bytes;
    CHECK_OK(file_read(path, 1 << 24, scratch->arena, &bytes, count, &diagnostic));
    return bytes;
}

static void check_model(struct fixture *scratch, const char *path, const char *architectures)
{
    struct diagnostic diagnostic = {0};
    struct model_options options = {.ops = op_table(),
                                    .state_element = ELEMENT_F16,
                                    .page_tokens = 16,
                                    .allow_unknown_keys = architectures,
                                    .architecture_folder = architectures};
    struct model *model;
    status result = model_open(path, &options, &model, &diagnostic);
    if (result == STATUS_OK) {
        scratch->opened++;
        model_close(model);
        return;
    }
    scratch->refused++;
    /* A line that was taken over and no longer fits is named where it stands. */
    bool named = strstr(diagnostic.text, scratch->folder) ||
                 (architectures && strstr(diagnostic.text, "models/llama.yaml:"));
    if (result != STATUS_BAD_INPUT || !named || strchr(diagnostic.text, '\n')) {
        CHECK_FAIL("%s '%s'", status_name(result), diagnostic.text);
    }
}

/* A byte from what descriptions are made of, so that most mutants get past the YAML parser. */
static char mutant_byte(uint64_t bits)
{
    static const char bytes[] = "0123456789abexyz_.,:{}[]()<>=!+-*/%\"' \n#\xff";
    return bytes[bits % (sizeof bytes - 1)];
}

enum { MUTANTS = 3000 };

static void check_descriptions(struct fixture *scratch, const char *name, const char *model,
                               uint64_t mutants)
{
    size_t count;
    const char *path = arena_print(scratch->arena, HONE_SOURCE_FOLDER "/models/%s", name);
    char *text = read_all(scratch, path, &count);
    const char *copy = file_join(scratch->arena, scratch->folder, "own.yaml");
    for (uint64_t i = 0; i < mutants; i++) {
        size_t at = (size_t)(random_bits(1, i, 0) % count);
        char old = text[at];
        text[at] = mutant_byte(random_bits(1, i, 1));
        write_bytes_quickly(copy, text, count);
        check_model(scratch, model, scratch->folder);
        text[at] = old;
    }
    for (size_t end = 0; end < count; end++) {
        if (text[end] != '\n' || random_bits(3, end, 0) % MUTANTS >= mutants) continue;
        write_bytes_quickly(copy, text, end);
        check_model(scratch, model, scratch->folder);
    }
    unlink(copy);
}

/* Those with parts of tensors, lists, blocks and other things that only some have; fewer of each. */
static void damaged_further_descriptions(void **state)
{
    static const char *const names[] = {"phi3", "gpt-oss", "deepseek2"};
    static const char *const models[] = {"phi3_long/phi3_long.gguf", "gpt_oss/gpt_oss.gguf",
                                         "deepseek_v3/deepseek_v3.gguf"};
    struct fixture *scratch = *state;
    const char *model = file_join(scratch->arena, scratch->folder, "seed.gguf");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t count;
        const char *bytes = read_all(
            scratch,
            arena_print(scratch->arena, HONE_SOURCE_FOLDER "/tests/oracle/vectors/architectures/%s",
                        models[i]),
            &count);
        write_bytes_quickly(model, bytes, count);
        check_descriptions(scratch, arena_print(scratch->arena, "%s.yaml", names[i]), model,
                           MUTANTS / 10);
    }
    assert_true(scratch->opened > 100 && scratch->refused > 300);
}

static void damaged_descriptions(void **state)
{
    struct fixture *scratch = *state;
    const char *model = file_join(scratch->arena, scratch->folder, "seed.gguf");
    seed_build(&scratch->seed, NULL);
    write_bytes_quickly(model, (const char *)scratch->seed.file.bytes, scratch->seed.file.count);
    check_descriptions(scratch, "llama.yaml", model, MUTANTS);
    size_t count;
    const char *mixtral = read_all(
        scratch, HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/mixtral/mixtral-q8_0.gguf",
        &count);
    write_bytes_quickly(model, mixtral, count);
    check_descriptions(scratch, "mixtral.yaml", model, MUTANTS);
    assert_true(scratch->opened > 1000 && scratch->refused > 1000);
}

/* `damaged` is one of the folder's two files; the other is whole. */
static void check_folder(struct fixture *scratch, const char *damaged, size_t bytes_to_damage)
{
    static const char *const names[] = {"config.json", "model.safetensors"};
    char *contents[2];
    size_t counts[2];
    const char *paths[2];
    int which = strcmp(damaged, names[1]) == 0;
    for (int i = 0; i < 2; i++) {
        const char *original = arena_print(scratch->arena, "%s%s", FOLDER, names[i]);
        contents[i] = read_all(scratch, original, &counts[i]);
        paths[i] = file_join(scratch->arena, scratch->folder, names[i]);
        write_bytes_quickly(paths[i], contents[i], counts[i]);
    }
    check_model(scratch, scratch->folder, NULL);
    assert_int_equal(scratch->opened, 1);
    int file = open(paths[which], O_RDWR);
    for (size_t at = 0; at < counts[which] && at < bytes_to_damage; at++) {
        char mutant = mutant_byte(random_bits(2, at, 0)), old = contents[which][at];
        assert_int_equal(pwrite(file, &mutant, 1, (off_t)at), 1);
        check_model(scratch, scratch->folder, NULL);
        assert_int_equal(pwrite(file, &old, 1, (off_t)at), 1);
    }
    for (size_t cut = 1; cut < counts[which] && cut < bytes_to_damage; cut += 7) {
        assert_int_equal(ftruncate(file, (off_t)(counts[which] - cut)), 0);
        check_model(scratch, scratch->folder, NULL);
    }
    close(file);
}

static void damaged_configs(void **state)
{
    check_folder(*state, "config.json", SIZE_MAX);
}

/* The header, of about 3 KB, and a little of the data. */
static void damaged_tensors(void **state)
{
    check_folder(*state, "model.safetensors", 4000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(damaged_descriptions),
        TEST(damaged_further_descriptions),
        TEST(damaged_configs),
        TEST(damaged_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Damaged GGUF files by the ten thousand: every truncation of two seeds, every byte of their heads
 * changed in eight ways, and every pair of length fields set to the numbers that attacks use.  Each
 * file is refused with one line that names it, or opens; nothing crashes. */
#include "models/model.h"
#include "models/model_source.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/hostile/gguf_seed.h"

#include <fcntl.h>
#include <unistd.h>

struct scratch {
    char path[64];
    int file;
    struct gguf_seed seed;
    struct gguf_bytes extra;
    struct arena *arena;
    long opened, refused;
};

/* One entry of every type, lists of all of them, and a list of lists. */
static void put_every_type(struct gguf_bytes *extra)
{
    static const uint8_t types[] = {GGUF_U8,  GGUF_I8,   GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32,
                                    GGUF_F32, GGUF_BOOL, GGUF_U64, GGUF_I64, GGUF_F64};
    put_key(extra, "general.every", GGUF_LIST);
    put_list(extra, GGUF_LIST, sizeof types + 1);
    for (size_t i = 0; i < sizeof types; i++) {
        put_list(extra, types[i], 2);
        put_zeros(extra, 2 * (size_t)gguf_value_bytes(types[i]));
    }
    put_list(extra, GGUF_TEXT, 2);
    put_text(extra, "");
    put_text(extra, "text");
}

static int set_up(void **state)
{
    struct scratch *scratch = test_calloc(1, sizeof *scratch);
    strcpy(scratch->path, "/tmp/hone_test_mutations_XXXXXX");
    scratch->file = mkstemp(scratch->path);
    scratch->arena = arena_create(64 << 20);
    *state = scratch;
    return scratch->file < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct scratch *scratch = *state;
    print_message("%ld opened, %ld refused\n", scratch->opened, scratch->refused);
    close(scratch->file);
    unlink(scratch->path);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return 0;
}

static void write_seed(struct scratch *scratch, bool every_type)
{
    scratch->extra.count = 0;
    if (every_type) put_every_type(&scratch->extra);
    seed_build(&scratch->seed, every_type ? &scratch->extra : NULL);
    size_t count = scratch->seed.file.count;
    assert_int_equal(ftruncate(scratch->file, 0), 0);
    assert_int_equal(pwrite(scratch->file, scratch->seed.file.bytes, count, 0), (ssize_t)count);
}

/* The reader alone takes microseconds, the whole model a millisecond: it is opened only where the
 * reader is content. */
static status open_mutant(struct scratch *scratch, struct diagnostic *diagnostic)
{
    struct model_options options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = 16};
    struct model_source source;
    struct model *model;
    arena_reset(scratch->arena);
    status result = source_open(scratch->path, scratch->arena, NULL, &source, diagnostic);
    source_close(&source);
    TRY(result);
    TRY(model_open(scratch->path, &options, &model, diagnostic));
    model_close(model);
    return STATUS_OK;
}

static void check_mutant(struct scratch *scratch, const char *what, size_t at, uint64_t value)
{
    struct diagnostic diagnostic = {0};
    status result = open_mutant(scratch, &diagnostic);
    if (result == STATUS_OK) {
        scratch->opened++;
        return;
    }
    scratch->refused++;
    if (result != STATUS_BAD_INPUT || diagnostic.code != result ||
        !strstr(diagnostic.text, scratch->path) || strchr(diagnostic.text, '\n')) {
        CHECK_FAIL("%s at %zu = %llu: %s '%s'", what, at, (unsigned long long)value,
                   status_name(result), diagnostic.text);
    }
}

static void every_truncation(void **state)
{
    struct scratch *scratch = *state;
    for (int every_type = 0; every_type < 2; every_type++) {
        write_seed(scratch, every_type);
        for (size_t count = scratch->seed.file.count; count-- > 0;) {
            assert_int_equal(ftruncate(scratch->file, (off_t)count), 0);
            check_mutant(scratch, "truncation", count, 0);
        }
    }
    assert_int_equal(scratch->opened, 0);
}

static void put_byte(struct scratch *scratch, size_t at, uint8_t byte)
{
    assert_int_equal(pwrite(scratch->file, &byte, 1, (off_t)at), 1);
}

static void every_byte_of_the_head(void **state)
{
    struct scratch *scratch = *state;
    for (int every_type = 0; every_type < 2; every_type++) {
        write_seed(scratch, every_type);
        for (size_t at = 0; at < scratch->seed.header_bytes; at++) {
            uint8_t old = scratch->seed.file.bytes[at];
            const uint8_t bytes[] = {0,
                                     1,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     (uint8_t)(old ^ 1),
                                     (uint8_t)(old + 1),
                                     (uint8_t)(old ^ 0x20)};
            for (size_t i = 0; i < sizeof bytes; i++) {
                if (bytes[i] == old) continue;
                put_byte(scratch, at, bytes[i]);
                check_mutant(scratch, "byte", at, bytes[i]);
            }
            put_byte(scratch, at, old);
        }
    }
    assert_true(scratch->opened > 100 && scratch->refused > 10000);
}

static void put_field(struct scratch *scratch, const struct seed_label *label, const void *value)
{
    ssize_t bytes = label->bytes;
    assert_int_equal(pwrite(scratch->file, value, (size_t)bytes, (off_t)label->at), bytes);
}

static void every_pair_of_lengths(void **state)
{
    static const uint64_t values[] = {0, 1, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
    enum { COUNT = sizeof values / sizeof values[0] };
    struct scratch *scratch = *state;
    struct gguf_seed *seed = &scratch->seed;
    write_seed(scratch, false);
    for (int a = 0; a < seed->label_count; a++) {
        for (int b = a + 1; b < seed->label_count; b++) {
            const struct seed_label *first = &seed->labels[a], *second = &seed->labels[b];
            if (!first->length || !second->length) continue;
            for (int i = 0; i < COUNT * COUNT; i++) {
                put_field(scratch, first, &values[i / COUNT]);
                put_field(scratch, second, &values[i % COUNT]);
                check_mutant(scratch, first->name, second->at, values[i % COUNT]);
            }
            put_field(scratch, first, seed->file.bytes + first->at);
            put_field(scratch, second, seed->file.bytes + second->at);
        }
    }
    assert_true(scratch->refused > 10000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_truncation),
        TEST(every_byte_of_the_head),
        TEST(every_pair_of_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

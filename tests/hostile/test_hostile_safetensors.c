/* Hostile safetensors folders, row by row of a list S1 to S14, then damaged ones by the thousand: every truncation,
 * every byte of the headers changed in eight ways, every pair of numbers in a header set to what attacks use.  Each is
 * refused with one line that names a file, or opens; nothing crashes, and no more memory is taken than a few times the
 * folder's size. */
#include "base/clock.h"
#include "models/model_source.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[SCRATCH_BYTES], path[SCRATCH_BYTES + 64];
    struct arena *arena;
    long opened, refused, rows;
};

/* All that 262,144 tensors may take; what a folder with a few tensors may take. */
enum { ARENA_BYTES = 256 << 20, SMALL_BYTES = 1 << 20 };

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(ARENA_BYTES);
    *state = scratch;
    if (scratch_create(scratch->folder)) return -1;
    snprintf(scratch->path, sizeof scratch->path, "%s/model.safetensors", scratch->folder);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    print_message("%ld rows of the list; %ld opened, %ld refused\n", scratch->rows, scratch->opened,
                  scratch->refused);
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

static void write_bytes(struct fixture *scratch, const char *name, const void *bytes, size_t count)
{
    char path[SCRATCH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", scratch->folder, name);
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, count), (ssize_t)count);
    close(file);
}

/* A header, its length in front, and `data_bytes` zeros behind it; returns the file's size. */
static size_t write_header(struct fixture *scratch, const char *name, const char *header,
                           size_t data_bytes)
{
    uint64_t length = strlen(header);
    uint8_t *file = test_calloc(1, 8 + length + data_bytes);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    write_bytes(scratch, name, file, 8 + length + data_bytes);
    test_free(file);
    return 8 + length + data_bytes;
}

static status open_folder(struct fixture *scratch, struct diagnostic *diagnostic)
{
    struct model_source source;
    arena_reset(scratch->arena);
    status result = source_open(scratch->folder, scratch->arena, NULL, &source, diagnostic);
    source_close(&source);
    return result;
}

/* `words` NULL: must open. */
static void check_row(struct fixture *scratch, const char *row, const char *words)
{
    struct diagnostic diagnostic = {0};
    double begin = clock_seconds();
    status result = open_folder(scratch, &diagnostic);
    scratch->rows++;
    if (clock_seconds() - begin > 2) CHECK_FAIL("%s: took more than 2 s", row);
    if (result != (words ? STATUS_BAD_INPUT : STATUS_OK) ||
        (words && (!strstr(diagnostic.text, words) || !strstr(diagnostic.text, scratch->folder) ||
                   strchr(diagnostic.text, '\n'))))
        CHECK_FAIL("%s: %s '%s', expected '%s'", row, status_name(result), diagnostic.text,
                   words ? words : "success");
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *row, *header;
    size_t data_bytes;
    const char *words;
} headers[] = {
    {"S2 not an object", "[]", 0, "must begin with '{'"},
    {"S2 a space first", " {}", 0, "must begin with '{'"},
    {"S2 bytes behind", "{} x", 0, "end of file expected"},
    {"S2 spaces behind", "{}   ", 0, NULL},
    {"S2 no UTF-8", "{\"\xc3\":{}}", 0, "unable to decode"},
    {"S4 a tensor twice",
     "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]", "[0,4]") "}", 4,
     "duplicate"},
    {"S4 a field twice", "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "duplicate"},
    {"S4 remarks twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate"},
    {"S5 unknown type", "{" TENSOR("a", "F33", "[1]", "[0,4]") "}", 4, "dtype 'F33' is unknown"},
    {"S5 unknown type, range beyond", "{" TENSOR("a", "Q9", "[1]", "[0,999]") "}", 4,
     "dtype 'Q9' is unknown"},
    {"S5 type no text", "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "is unknown"},
    {"S6 negative", "{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, "size 0 of its shape"},
    {"S6 real", "{" TENSOR("a", "F32", "[1.0]", "[0,4]") "}", 4, "size 0 of its shape"},
    {"S6 2^63", "{" TENSOR("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4, "too big"},
    {"S6 product", "{" TENSOR("a", "F32", "[2147483647,2147483647,2147483647]", "[0,4]") "}", 4,
     "size 2 of its"},
    {"S6 rank 9", "{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "at most 4 sizes"},
    {"S6 scalar", "{" TENSOR("a", "F32", "[]", "[0,4]") "}", 4, NULL},
    {"S6 empty", "{" TENSOR("a", "F32", "[0]", "[0,0]") "}", 0, NULL},
    {"S7 backwards", "{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4, "data_offsets must be"},
    {"S7 negative", "{" TENSOR("a", "F32", "[1]", "[-4,0]") "}", 4, "data_offsets must be"},
    {"S7 real", "{" TENSOR("a", "F32", "[1]", "[0.0,4]") "}", 4, "data_offsets must be"},
    {"S7 past the end", "{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 4, "data_offsets must be"},
    {"S7 one offset", "{" TENSOR("a", "F32", "[1]", "[0]") "}", 4, "data_offsets must be"},
    {"S7 three offsets", "{" TENSOR("a", "F32", "[1]", "[0,4,4]") "}", 4, "data_offsets must be"},
    {"S8 too short", "{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4,
     "span 4 bytes, but shape and dtype need 8"},
    {"S9 overlap",
     "{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[4,12]") "}", 12,
     "overlaps"},
    {"S9 hole", "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[8,12]") "}",
     12, "unused bytes"},
    {"S9 unsorted",
     "{" TENSOR("a", "F32", "[1]", "[4,8]") "," TENSOR("b", "F32", "[1]", "[0,4]") "}", 8, NULL},
    {"S9 tail", "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 999,
     "995 bytes behind the last tensor"},
    {"S10 remarks", "{\"__metadata__\":{\"a\":1}}", 0, "must map texts to texts"},
    {"S10 remarks, a list", "{\"__metadata__\":[]}", 0, "must map texts to texts"},
    {"S11 F4", "{" TENSOR("a", "F4", "[7]", "[0,3]") "}", 3,
     "dtype F4, which Hone cannot read yet"},
    {"S11 F6", "{" TENSOR("a", "F6_E2M3", "[1]", "[0,1]") "}", 1,
     "dtype F6_E2M3, which Hone cannot"},
    {"S11 F8", "{" TENSOR("a", "F8_E4M3", "[3]", "[0,4]") "}", 4,
     "span 4 bytes, but shape and dtype need 3"},
};

static void headers_of_the_list(void **state)
{
    struct fixture *scratch = *state;
    write_bytes(scratch, "config.json", "{\"model_type\":\"llama\"}", 22);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_header(scratch, "model.safetensors", headers[i].header, headers[i].data_bytes);
        check_row(scratch, headers[i].row, headers[i].words);
    }
}

static void check_length(struct fixture *scratch, uint64_t said, size_t file_bytes,
                         const char *words)
{
    uint8_t file[64] = {0};
    memcpy(file, &said, 8);
    memcpy(file + 8, "{}", 2);
    write_bytes(scratch, "model.safetensors", file, file_bytes);
    check_row(scratch, "S1", words);
}

/* {"a":[[[[ ... */
static void deep_header(struct fixture *scratch, size_t depth)
{
    char *header = test_calloc(1, depth + 16);
    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', depth);
    write_header(scratch, "model.safetensors", header, 0);
    test_free(header);
}

static void many_keys(struct fixture *scratch, int count)
{
    char *header = test_calloc(1, (size_t)count * 64 + 16), *at = header;
    *at++ = '{';
    for (int i = 0; i < count; i++)
        at += sprintf(at, "%s\"%d\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                      i ? "," : "", i);
    *at = '}';
    write_header(scratch, "model.safetensors", header, 0);
    test_free(header);
}

static void lengths_and_bombs(void **state)
{
    struct fixture *scratch = *state;
    static char spaces[(8 << 20) + 3] = "{}";
    write_bytes(scratch, "config.json", "{\"model_type\":\"llama\"}", 22);
    for (size_t bytes = 0; bytes < 10; bytes++)
        check_length(scratch, 2, bytes, "too few for a header");
    check_length(scratch, 2, 10, NULL);
    check_length(scratch, 0, 10, "a header of 0 bytes");
    check_length(scratch, 1, 10, "a header of 1 bytes");
    check_length(scratch, 3, 10, "a header of 3 bytes");
    check_length(scratch, 100000001, 10, "a header of 100000001 bytes");
    check_length(scratch, UINT64_MAX, 10, "a header of 18446744073709551615 bytes");
    assert_true(arena_bytes(scratch->arena) <= SMALL_BYTES);
    deep_header(scratch, 64);
    check_row(scratch, "S3 depth 65", "more than 64 levels");
    deep_header(scratch, 1000000);
    check_row(scratch, "S3 depth", "more than 64 levels");
    assert_true(arena_bytes(scratch->arena) <= SMALL_BYTES);
    memset(spaces + 2, ' ', 8 << 20);
    write_header(scratch, "model.safetensors", spaces, 0);
    check_row(scratch, "S3 spaces", NULL);
    many_keys(scratch, SOURCE_TENSORS_MAX + 1);
    struct diagnostic diagnostic = {0};
    assert_int_equal(open_folder(scratch, &diagnostic),
                     STATUS_BAD_INPUT); /* more seconds under ASan than a row has */
    write_bytes(scratch, "model.safetensors", "PK\3\4 a zip of pickles", 21);
    check_row(scratch, "S13 zip", "pickle");
    write_bytes(scratch, "model.safetensors", "\x80\4 a pickle....", 15);
    check_row(scratch, "S13", "pickle");
}

static void shards_of_the_list(void **state)
{
    static const char *const rows[][3] = {
        {"S12 above", "{\"weight_map\":{\"a\":\"../one.safetensors\"}}",
         "must be the name of a .safetensors"},
        {"S12 absolute", "{\"weight_map\":{\"a\":\"/one.safetensors\"}}",
         "must be the name of a .safetensors"},
        {"S12 folder", "{\"weight_map\":{\"a\":\"x/one.safetensors\"}}",
         "must be the name of a .safetensors"},
        {"S12 missing", "{\"weight_map\":{\"a\":\"none.safetensors\"}}", "cannot be opened"},
        {"S12 a folder", "{\"weight_map\":{\"a\":\"folder.safetensors\"}}", "folder.safetensors"},
        {"S12 a pipe", "{\"weight_map\":{\"a\":\"pipe.safetensors\"}}", "pipe.safetensors"},
        {"S12 two shards",
         "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"same.safetensors\"}}",
         "'a' is there twice"},
        {"S12 total",
         "{\"weight_map\":{\"a\":\"one.safetensors\"},\"metadata\":{\"total_size\":9}}",
         "total_size differs"},
        {"S12 elsewhere", "{\"weight_map\":{\"b\":\"one.safetensors\"}}", "tensor 'b' is not in"},
        {"S12 linked", "{\"weight_map\":{\"a\":\"linked.safetensors\"}}",
         NULL}, /* as the hub's cache has it */
        {"S12 whole",
         "{\"weight_map\":{\"a\":\"one.safetensors\"},\"metadata\":{\"total_size\":4}}", NULL},
    };
    struct fixture *scratch = *state;
    char path[SCRATCH_BYTES + 64], target[SCRATCH_BYTES + 64];
    write_bytes(scratch, "config.json", "{\"model_type\":\"llama\"}", 22);
    write_header(scratch, "one.safetensors", "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 4);
    write_header(scratch, "same.safetensors", "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 4);
    snprintf(path, sizeof path, "%s/folder.safetensors", scratch->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/pipe.safetensors", scratch->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/linked.safetensors", scratch->folder);
    snprintf(target, sizeof target, "%s/one.safetensors", scratch->folder);
    assert_int_equal(symlink(target, path), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_bytes(scratch, "model.safetensors.index.json", rows[i][1], strlen(rows[i][1]));
        check_row(scratch, rows[i][0], rows[i][2]);
    }
}

/* ---- Mutations ---- */

/* Codes with tile scales, a plain matrix, GPTQ's four: each configuration in turn. */
static const struct {
    const char *config, *header;
    size_t data_bytes;
} seeds[] = {
    {"{\"model_type\":\"llama\",\"n\":[1,2.5,\"x\"]}",
     "{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("b", "BF16", "[3,2]", "[8,20]") "," TENSOR(
         "a", "F32", "[2]", "[0,8]") "}",
     20},
    {"{\"model_type\":\"llama\",\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_"
     "size\":[128,128]}}",
     "{" TENSOR("a.weight", "F8_E4M3", "[3,128]", "[0,384]") "," TENSOR("a.weight_scale_inv", "F32",
                                                                        "[1,1]", "[384,388]") "}",
     388},
    {"{\"model_type\":\"llama\",\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}",
     "{" TENSOR("a.g_idx", "I32", "[32]", "[0,128]") "," TENSOR(
         "a.qweight", "I32", "[4,8]",
         "[128,256]") "," TENSOR("a.qzeros", "I32", "[1,1]",
                                 "[256,260]") "," TENSOR("a.scales", "F16", "[1,8]",
                                                         "[260,276]") "}",
     276},
    {"{\"model_type\":\"gpt_oss\",\"quantization_config\":{\"quant_method\":\"mxfp4\"}}",
     "{" TENSOR("a_blocks", "U8", "[2,3,1,16]", "[0,96]") "," TENSOR("a_scales", "U8", "[2,3,1]",
                                                                     "[96,102]") "}",
     102},
};
enum { SEEDS = sizeof seeds / sizeof *seeds };

/* Makes what is deferred as well: bytes that no check covers would be read there. */
static status open_and_make(struct fixture *scratch, struct diagnostic *diagnostic)
{
    struct model_source source;
    arena_reset(scratch->arena);
    status result = source_open(scratch->folder, scratch->arena, NULL, &source, diagnostic);
    for (int i = 0; result == STATUS_OK && i < source.tensor_count; i++)
        if (source.tensors[i].deferred) deferred_make(source.tensors[i].deferred);
    source_close(&source);
    return result;
}

static void check_mutant(struct fixture *scratch, const char *what, size_t at, int value)
{
    struct diagnostic diagnostic = {0};
    status result = open_and_make(scratch, &diagnostic);
    if (arena_bytes(scratch->arena) > SMALL_BYTES)
        CHECK_FAIL("%s at %zu: too much memory", what, at);
    if (result == STATUS_OK)
        scratch->opened++;
    else
        scratch->refused++;
    if (result != STATUS_OK &&
        (result != STATUS_BAD_INPUT || !strstr(diagnostic.text, scratch->folder) ||
         strchr(diagnostic.text, '\n')))
        CHECK_FAIL("%s at %zu = %d: %s '%s'", what, at, value, status_name(result),
                   diagnostic.text);
}

static size_t write_seed(struct fixture *scratch, int seed)
{
    write_bytes(scratch, "config.json", seeds[seed].config, strlen(seeds[seed].config));
    return write_header(scratch, "model.safetensors", seeds[seed].header, seeds[seed].data_bytes);
}

static void every_truncation(void **state)
{
    struct fixture *scratch = *state;
    for (int s = 0; s < SEEDS; s++)
        for (size_t count = write_seed(scratch, s); count-- > 0;) {
            assert_int_equal(truncate(scratch->path, (off_t)count), 0);
            check_mutant(scratch, "truncation", count, 0);
        }
    assert_int_equal(scratch->opened, 0);
}

static void mutate_file(struct fixture *scratch, const char *name, const char *old, size_t skip)
{
    char path[SCRATCH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", scratch->folder, name);
    int file = open(path, O_WRONLY);
    assert_true(file >= 0);
    for (size_t at = 0; old[at]; at++) {
        const char bytes[] = {0,
                              '0',
                              '9',
                              '-',
                              '"',
                              (char)(old[at] ^ 1),
                              (char)(old[at] + 1),
                              (char)(old[at] ^ 0x80)};
        for (size_t i = 0; i < sizeof bytes; i++) {
            assert_int_equal(pwrite(file, &bytes[i], 1, (off_t)(skip + at)), 1);
            check_mutant(scratch, name, at, bytes[i]);
        }
        assert_int_equal(pwrite(file, &old[at], 1, (off_t)(skip + at)), 1);
    }
    close(file);
}

static void every_byte(void **state)
{
    struct fixture *scratch = *state;
    for (int s = 0; s < SEEDS; s++) {
        write_seed(scratch, s);
        mutate_file(scratch, "model.safetensors", seeds[s].header, 8);
        mutate_file(scratch, "config.json", seeds[s].config, 0);
    }
    assert_true(scratch->opened > 100 && scratch->refused > 1000);
}

/* The header with its numbers `first` and `second` replaced. */
static bool replace_numbers(const char *header, int first, const char *a, int second, const char *b,
                            char *to)
{
    int number = 0, replaced = 0;
    for (const char *at = header; *at;) {
        bool digit = *at >= '0' && *at <= '9' && (at[-1] == '[' || at[-1] == ',');
        if (!digit) {
            *to++ = *at++;
            continue;
        }
        size_t length = strspn(at, "0123456789");
        const char *value = number == first ? a : number == second ? b : NULL;
        replaced += value != NULL;
        number++;
        to += value ? sprintf(to, "%s", value) : sprintf(to, "%.*s", (int)length, at);
        at += length;
    }
    *to = 0;
    return replaced == 2;
}

static void every_pair_of_numbers(void **state)
{
    static const char *const values[] = {"0", "1", "2147483647", "4294967295",
                                         "9223372036854775807"};
    enum { COUNT = sizeof values / sizeof *values };
    struct fixture *scratch = *state;
    char header[2048];
    for (int s = 0; s < SEEDS; s++) {
        write_seed(scratch, s);
        for (int a = 0; a < 16; a++)
            for (int b = a + 1; b < 16; b++)
                for (int i = 0; i < COUNT * COUNT; i++) {
                    if (!replace_numbers(seeds[s].header, a, values[i / COUNT], b,
                                         values[i % COUNT], header))
                        break;
                    write_header(scratch, "model.safetensors", header, seeds[s].data_bytes);
                    check_mutant(scratch, values[i / COUNT], (size_t)a * 100 + (size_t)b,
                                 i % COUNT);
                }
    }
    assert_true(scratch->refused > 2000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(headers_of_the_list), TEST(lengths_and_bombs), TEST(shards_of_the_list),
        TEST(every_truncation),    TEST(every_byte),        TEST(every_pair_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

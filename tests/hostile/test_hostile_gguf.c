/* Hostile GGUF files: each is refused with one line that names the file, or is harmless; nothing
 * crashes, hangs, or allocates what a length field asks for.  Runs under the sanitizers too. */
#include "base/clock.h"
#include "models/model.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/hostile/gguf_seed.h"
#include "tests/scratch_harness.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[SCRATCH_BYTES], path[SCRATCH_BYTES + 32];
    struct gguf_seed seed;
    struct gguf_bytes extra;
    int warnings;
    struct progress progress;
};

static void count_warning(void *context, const char *message)
{
    struct fixture *scratch = context;
    assert_non_null(message);
    scratch->warnings++;
}

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    scratch->progress = (struct progress){.context = scratch, .warn = count_warning};
    *state = scratch;
    if (scratch_create(scratch->folder)) return -1;
    snprintf(scratch->path, sizeof scratch->path, "%s/hostile.gguf", scratch->folder);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    int result = scratch_remove(scratch->folder);
    test_free(scratch);
    return result;
}

static status open_model(struct fixture *scratch, const char *path, struct diagnostic *diagnostic)
{
    struct model_options options = {.ops = op_table(),
                                    .state_element = ELEMENT_F16,
                                    .page_tokens = 16,
                                    .progress = &scratch->progress};
    struct model *model;
    TRY(model_open(path, &options, &model, diagnostic));
    model_close(model);
    return STATUS_OK;
}

static void write_seed(struct fixture *scratch)
{
    int file = open(scratch->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    size_t count = scratch->seed.file.count;
    assert_int_equal(write(file, scratch->seed.file.bytes, count), (ssize_t)count);
    close(file);
}

/* `words` NULL: the file must be accepted. */
static void check_seed(struct fixture *scratch, const char *row, const char *words)
{
    struct diagnostic diagnostic = {0};
    write_seed(scratch);
    double begin = clock_seconds();
    status result = open_model(scratch, scratch->path, &diagnostic);
    if (clock_seconds() - begin > 2) CHECK_FAIL("%s: took more than 2 s", row);
    if (result != (words ? STATUS_BAD_INPUT : STATUS_OK) ||
        (words && (!strstr(diagnostic.text, words) || !strstr(diagnostic.text, scratch->path) ||
                   strchr(diagnostic.text, '\n')))) {
        CHECK_FAIL("%s: %s '%s', expected '%s'", row, status_name(result), diagnostic.text,
                   words ? words : "success");
    }
}

/* One field of the seed overwritten. */
struct edit {
    const char *row, *label;
    uint64_t value;
    const char *words; /* NULL: accepted */
};

#define NAN_BITS      0x7fc00000u
#define INFINITY_BITS 0x7f800000u

static const struct edit edits[] = {
    {"G2", "version", 0x03000000, "byte 4: a big-endian GGUF file"},
    {"G3", "version", 0, "byte 4: GGUF version 0"},
    {"G3", "version", 1, "byte 4: GGUF version 1"},
    {"G3", "version", 2, NULL},
    {"G3", "version", 4, "byte 4: GGUF version 4"},
    {"G3", "version", 0x80000000, "big-endian"},
    {"G4", "tensors", UINT64_MAX, "byte 8: tensors: a count of 18446744073709551615"},
    {"G4", "tensors", UINT64_C(1) << 63, "byte 8: tensors: a count of"},
    {"G4", "tensors", UINT64_C(1) << 32, "byte 8: tensors: a count of"},
    {"G4", "tensors", 1000, "byte 8: tensors: a count of 1000, but there is room for"},
    {"G4", "tensors", 13, "hostile.gguf: byte"},
    {"G4", "tensors", 11, "blk.0.ffn_down.weight' is missing"},
    {"G5", "keys", UINT64_MAX, "byte 16: metadata: a count of 18446744073709551615"},
    {"G5", "keys", 65537, "byte 16: metadata: a count of 65537; at most 65536"},
    {"G5", "keys", 30000, "byte 16: metadata: a count of 30000, but there is room for"},
    {"G5", "keys", 21, "hostile.gguf: byte"},
    {"G5", "keys", 0, "hostile.gguf: byte"},
    {"G6", "length:llama.block_count", 0, "must be letters"},
    {"G6", "length:llama.block_count", UINT64_MAX, "needs 18446744073709551615 bytes, but"},
    {"G6", "length:llama.block_count", 65536, "needs 65536 bytes, but"},
    {"G6", "key:llama.block_count", 0xff, "must be letters"},
    {"G6", "key:llama.block_count", 0, "must be letters"},
    {"G6", "key:llama.block_count", ' ', "must be letters"},
    {"G8", "type:llama.block_count", 13, "there is no metadata type 13"},
    {"G8", "type:llama.block_count", 255, "there is no metadata type 255"},
    {"G8", "type:llama.block_count", 0x80000000, "there is no metadata type 2147483648"},
    {"G8", "value:tokenizer.ggml.tokens", 13, "there is no metadata type 13"},
    {"G9", "count:tokenizer.ggml.tokens", UINT64_C(1) << 60,
     "tokens: a count of 1152921504606846976, but there is room"},
    {"G9", "count:tokenizer.ggml.scores", UINT64_C(1) << 60, "room for at most"},
    {"G9", "count:tokenizer.ggml.scores", UINT64_C(1) << 62, "room for at most"},
    {"G9", "value:general.architecture", 1 << 30, "needs 1073741824 bytes, but"},
    {"G11", "value:general.alignment", 0, "general.alignment must be"},
    {"G11", "value:general.alignment", 1, "general.alignment must be"},
    {"G11", "value:general.alignment", 13, "general.alignment must be"},
    {"G11", "value:general.alignment", 0x80000000, "general.alignment must be"},
    {"G11", "type:general.alignment", GGUF_I32, "general.alignment must be"},
    {"G11", "value:general.alignment", 1024, "is not a multiple of the alignment 1024"},
    {"G11", "value:general.alignment", 16, NULL},
    {"G12", "key:general.architecture", 'G', "general.architecture must be there"},
    {"G13", "rank:token_embd.weight", 0, "has rank 0; 1 to 4"},
    {"G13", "rank:token_embd.weight", 5, "has rank 5; 1 to 4"},
    {"G13", "rank:token_embd.weight", UINT32_MAX, "has rank 4294967295; 1 to 4"},
    {"G14", "dim0:token_embd.weight", 0, "dimension 0 is 0"},
    {"G14", "dim1:token_embd.weight", UINT64_MAX - 1, "dimension 1 is 18446744073709551614"},
    {"G14", "dim0:token_embd.weight", (UINT64_C(1) << 63) - 64, "dimension 0 is 92233720368547"},
    {"G14", "dim0:token_embd.weight", 33, "rows of 33 elements are not whole q8_0 blocks of 32"},
    {"G14", "dim0:token_embd.weight", INT32_MAX - 31, "run past the end of the data"},
    {"G15", "type:token_embd.weight", 4, "type 4, which is no GGUF type"},
    {"G15", "type:token_embd.weight", 99, "type 99, which is no GGUF type"},
    {"G15", "type:token_embd.weight", 0x80000000, "type 2147483648, which is no GGUF type"},
    {"G15", "type:token_embd.weight", 12, "rows of 32 elements are not whole q4_K blocks of 256"},
    {"G15", "type:token_embd.weight", 16, "type iq2_xxs, which Hone cannot read yet"},
    {"G16", "length:token_embd.weight", 0, "must be 1 to 64 bytes of UTF-8"},
    {"G16", "length:token_embd.weight", 65, "must be 1 to 64 bytes of UTF-8"},
    {"G16", "length:token_embd.weight", UINT64_MAX, "needs 18446744073709551615 bytes"},
    {"G16", "name:token_embd.weight", 0xff, "must be 1 to 64 bytes of UTF-8"},
    {"G16", "name:token_embd.weight", '\n', "must be 1 to 64 bytes of UTF-8"},
    {"G16", "name:token_embd.weight", 'T', "tensor 'token_embd.weight' is missing"},
    {"G17", "offset:output_norm.weight", 1, "is not a multiple of the alignment 32"},
    {"G17", "offset:output_norm.weight", 0, "overlaps the tensor before it"},
    {"G17", "offset:output_norm.weight", 1 << 20, "run past the end of the data"},
    {"G17", "offset:blk.0.ffn_down.weight", 9312, "run past the end of the data"},
    {"G18", "offset:blk.0.ffn_down.weight", UINT64_MAX - 31, "run past the end of the data"},
    {"G18", "offset:output_norm.weight", UINT64_MAX - 31, "run past the end of the data"},
    {"G20", "value:llama.embedding_length", 64, "is needed"},
    {"G20", "value:llama.vocab_size", 9, "contradicts another key"},
    {"G20", "value:llama.feed_forward_length", 31, "but [31,32] is needed"},
    {"G20", "value:llama.feed_forward_length", 1u << 31, "is out of bounds"},
    {"G20", "value:llama.block_count", 2, "tensor 'blk.1.attn_norm.weight' is missing"},
    {"G20", "value:llama.block_count", 1u << 31, "is out of bounds"},
    {"G21", "value:llama.attention.head_count", 0, "0 is out of bounds"},
    {"G21", "value:llama.attention.head_count_kv", 4, "must share the key heads evenly"},
    {"G21", "value:llama.attention.head_count_kv", 0, "0 is out of bounds"},
    {"G21", "value:llama.attention.head_count", 32, "head_size"},
    {"G21", "value:llama.rope.dimension_count", 15, "rotated part"},
    {"G21", "value:llama.rope.dimension_count", 64, "rotated part"},
    {"G22", "value:llama.rope.freq_base", 0, "llama.rope.freq_base': 0 is out of bounds"},
    {"G22", "value:llama.rope.freq_base", NAN_BITS, "freq_base': nan is not a number"},
    {"G22", "value:llama.rope.freq_base", INFINITY_BITS, "freq_base': inf is not a number"},
    {"G22", "value:llama.attention.layer_norm_rms_epsilon", 0, "0 is out of bounds"},
    {"G22", "value:llama.attention.layer_norm_rms_epsilon", NAN_BITS, "nan is not a number"},
    {"G22", "value:llama.context_length", 0, "0 is out of bounds"},
    {"G22", "value:llama.context_length", UINT32_MAX, "4294967295 is out of bounds"},
    {"G22", "type:llama.context_length", GGUF_F32, "must be a whole number, not a real number"},
    {"G23", "count:tokenizer.ggml.tokens", 7, "hostile.gguf: byte"},
    {"G23", "count:tokenizer.ggml.scores", 7, "hostile.gguf: byte"},
    {"G23", "value:tokenizer.ggml.scores", GGUF_I32,
     "is a list of items of type 5; it must be of 6"},
    {"G23", "value:tokenizer.ggml.token_type", GGUF_F32,
     "is a list of items of type 6; it must be"},
    {"G23", "type:tokenizer.ggml.model", GGUF_U64, "hostile.gguf"},
    {"G26", "value:tokenizer.ggml.bos_token_id", 8, "is 8, but the vocabulary has 0 to 7"},
    {"G26", "value:tokenizer.ggml.eos_token_id", UINT32_MAX, "but the vocabulary has 0 to 7"},
    {"G26", "type:tokenizer.ggml.eos_token_id", GGUF_F32, "is a real number; it must be"},
};

static void fields_out_of_bounds(void **state)
{
    struct fixture *scratch = *state;
    seed_build(&scratch->seed, NULL);
    check_seed(scratch, "the seed", NULL);
    assert_int_equal(scratch->warnings, 0);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char row[128];
        seed_build(&scratch->seed, NULL);
        const struct seed_label *label = seed_find(&scratch->seed, edits[i].label);
        if (!label) CHECK_FAIL("no field '%s'", edits[i].label);
        bool letter = !strncmp(edits[i].label, "key:", 4) || !strncmp(edits[i].label, "name:", 5);
        size_t bytes = letter ? 1 : (size_t)label->bytes;
        memcpy(scratch->seed.file.bytes + label->at, &edits[i].value, bytes);
        snprintf(row, sizeof row, "%s: %s = %llu", edits[i].row, edits[i].label,
                 (unsigned long long)edits[i].value);
        check_seed(scratch, row, edits[i].words);
    }
}

/* One more metadata entry: its bytes are put together by `put`. */
static void check_extra(struct fixture *scratch, const char *row, const char *words)
{
    seed_build(&scratch->seed, &scratch->extra);
    check_seed(scratch, row, words);
    scratch->extra.count = 0;
}

static void nested_lists(struct fixture *scratch, int depth, uint32_t innermost, uint64_t count)
{
    put_key(&scratch->extra, "general.nested", GGUF_LIST);
    for (int i = 0; i < depth; i++) put_list(&scratch->extra, GGUF_LIST, 1);
    put_list(&scratch->extra, innermost, count);
    if (count <= 8) put_zeros(&scratch->extra, count);
}

static void lists_and_values(void **state)
{
    struct fixture *scratch = *state;
    struct gguf_bytes *extra = &scratch->extra;
    put_key_u32(extra, "llama.block_count", 1);
    check_extra(scratch, "G7", "the key 'llama.block_count' is there twice");
    put_key_u32(extra, "general.UPPER", 1);
    check_extra(scratch, "G6 upper case", NULL);
    for (int depth = 0; depth <= 3; depth++) {
        nested_lists(scratch, depth, GGUF_U8, 4);
        check_extra(scratch, "G8 nested", NULL);
    }
    nested_lists(scratch, 6, GGUF_U8, 4);
    check_extra(scratch, "G8 too deep", "lists more than 4 deep");
    nested_lists(scratch, 1, 77, 0);
    check_extra(scratch, "G8 unknown item type, empty", "there is no metadata type 77");
    nested_lists(scratch, 1, 77, 1000000);
    check_extra(scratch, "G8 unknown item type", "there is no metadata type 77");
    nested_lists(scratch, 0, GGUF_U8, UINT64_C(1) << 60);
    check_extra(scratch, "G9 u8", "room for at most");
    nested_lists(scratch, 0, GGUF_TEXT, UINT64_C(1) << 60);
    check_extra(scratch, "G9 texts", "hostile.gguf: byte");
    put_key(extra, "general.flag", GGUF_BOOL);
    put_u8(extra, 2);
    check_extra(scratch, "G10", "a boolean is 0 or 1, not 2");
    put_key(extra, "general.flags", GGUF_LIST);
    put_list(extra, GGUF_BOOL, 3);
    put_bytes(extra, "\1\0\3", 3);
    check_extra(scratch, "G10 list", "a boolean is 0 or 1, not 3");
    put_key_u32(extra, "llama.expert_count", 8);
    check_extra(scratch, "G21 experts without weights", "ffn_gate_inp.weight' is missing");
    put_key_u32(extra, "llama.attention.key_length", 15);
    check_extra(scratch, "G21 odd head", "a head must have an even size");
    put_key(extra, "llama.attention.value_length", GGUF_LIST);
    put_list(extra, GGUF_U32, 2);
    put_zeros(extra, 8);
    check_extra(scratch, "G21 list of wrong length", "a list of 2 values, but there are 1 layers");
    put_key(extra, "llama.attention.value_length", GGUF_LIST);
    put_list(extra, GGUF_U32, 1);
    put_zeros(extra, 4);
    check_extra(scratch, "G21 list of zeros", "0 is out of bounds");
    put_key_text(extra, "llama.rope.scaling.type", "stretched");
    check_extra(scratch, "rope scaling", "'stretched' is not supported");
    put_key_f32(extra, "llama.attention.scale", 0.5f);
    check_extra(scratch, "a key that changes the meaning", "key 'llama.attention.scale' is not");
    put_key_u32(extra, "split.count", 5000);
    check_extra(scratch, "G30 parts", "split.count is 5000; at most 4096");
    put_key_u32(extra, "split.count", 2);
    check_extra(scratch, "G30 name", "must be named ...-00001-of-00002.gguf");
    put_key_u32(extra, "split.no", 7);
    check_extra(scratch, "G30 part", "part 8 of a split model");
}

static void names(void **state)
{
    struct fixture *scratch = *state;
    static const char *const rows[][2] = {
        {"llamb", "the architecture 'llamb' is not known (did you mean llama?); known are"},
        {"ll\nma", "must be small letters"},
        {"LLAMA", "must be small letters"},
        {"..---", "is not known"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        seed_build(&scratch->seed, NULL);
        const struct seed_label *label = seed_find(&scratch->seed, "value:general.architecture");
        memcpy(scratch->seed.file.bytes + label->at + 8, rows[i][0], 5);
        check_seed(scratch, "G12", rows[i][1]);
    }
    seed_build(&scratch->seed, NULL);
    const struct seed_label *name = seed_find(&scratch->seed, "name:blk.0.attn_k.weight");
    scratch->seed.file.bytes[name->at + strlen("blk.0.attn_")] = 'q';
    check_seed(scratch, "G16 twice", "the tensor 'blk.0.attn_q.weight' is there twice");
}

/* The text of a token or kind replaced by one of the same length. */
static void check_text(struct fixture *scratch, const char *from, const char *to, const char *words)
{
    seed_build(&scratch->seed, NULL);
    uint8_t *place =
        memmem(scratch->seed.file.bytes, scratch->seed.header_bytes, from, strlen(from));
    assert_non_null(place);
    memcpy(place, to, strlen(from));
    check_seed(scratch, to, words);
}

static void vocabularies(void **state)
{
    struct fixture *scratch = *state;
    check_text(scratch, "<0x0A>", "<0x-1>", "is of type byte, but its text is '<0x-1>'");
    check_text(scratch, "<0x0A>", "<0xG0>", "is of type byte, but its text is '<0xG0>'");
    check_text(scratch, "<0x0A>", "<0x1 >", "is of type byte, but its text is '<0x1 >'");
    check_text(scratch, "tokenizer.ggml.scores", "tokenizer.ggml.SCORES", "scores");
    /* G24: tokens 5 and 6 are "a" and "b", each behind its length. */
    static const char b[] = "\1\0\0\0\0\0\0\0b";
    seed_build(&scratch->seed, NULL);
    uint8_t *place = memmem(scratch->seed.file.bytes, scratch->seed.header_bytes, b, sizeof b - 1);
    assert_non_null(place);
    place[8] = 'a';
    scratch->warnings = 0;
    check_seed(scratch, "G24 a token twice", NULL);
    assert_int_equal(scratch->warnings, 1);
}

static void sizes(void **state)
{
    struct fixture *scratch = *state;
    seed_build(&scratch->seed, NULL);
    scratch->seed.file.count--;
    check_seed(scratch, "G19 data cut", "the file is cut short");
    seed_build(&scratch->seed, NULL);
    put_zeros(&scratch->seed.file, 64);
    check_seed(scratch, "G19 trailing", NULL);
    assert_int_equal(scratch->warnings, 1);
    scratch->seed.file.count = 0;
    check_seed(scratch, "G1 empty", "needs 4 bytes, but the file has only 0 left");
    put_bytes(&scratch->seed.file, "GGUF", 4);
    check_seed(scratch, "G1 magic", "the version needs 4 bytes");
    scratch->seed.file.bytes[0] = 'X';
    check_seed(scratch, "G2", "it does not begin with 'GGUF'");
    memcpy(scratch->seed.file.bytes, "FUGG", 4);
    check_seed(scratch, "G2", "big-endian");
}

static void check_path(struct fixture *scratch, const char *path, status expected,
                       const char *words)
{
    struct diagnostic diagnostic = {0};
    double begin = clock_seconds();
    if (expected == STATUS_OK)
        CHECK_OK(open_model(scratch, path, &diagnostic));
    else
        CHECK_REFUSED(open_model(scratch, path, &diagnostic), expected, words);
    assert_true(clock_seconds() - begin < 2);
}

static void strange_paths(void **state)
{
    struct fixture *scratch = *state;
    char fifo[SCRATCH_BYTES + 32], link[SCRATCH_BYTES + 32];
    snprintf(fifo, sizeof fifo, "%s/fifo", scratch->folder);
    snprintf(link, sizeof link, "%s/link", scratch->folder);
    seed_build(&scratch->seed, NULL);
    write_seed(scratch);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink(scratch->path, link), 0);
    check_path(scratch, link, STATUS_OK, "");
    check_path(scratch, fifo, STATUS_BAD_INPUT, "not a regular file");
    check_path(scratch, "/dev/zero", STATUS_BAD_INPUT, "not a regular file");
    check_path(scratch, "/proc/self/maps", STATUS_BAD_INPUT, "byte 0");
    check_path(scratch, scratch->folder, STATUS_BAD_INPUT, "config.json");
    check_path(scratch, "/nowhere/at/all.gguf", STATUS_BAD_INPUT, "cannot be opened");
    check_path(scratch, "", STATUS_BAD_INPUT, "cannot be opened");
}

/* Sparse files: large without taking room. */
static void large_claims(void **state)
{
    struct fixture *scratch = *state;
    struct gguf_bytes *file = &scratch->seed.file;
    put_head(file, 3, 0, 1);
    put_key(file, "general.large", GGUF_LIST);
    put_list(file, GGUF_U8, 512 << 20);
    write_seed(scratch);
    assert_int_equal(truncate(scratch->path, (off_t)600 << 20), 0);
    check_path(scratch, scratch->path, STATUS_BAD_INPUT,
               "general.large: a count of 536870912, but there is room for at most 2684");
    put_head(file, 3, 1, 1);
    put_key_text(file, "general.architecture", "llama");
    put_tensor(file, "token_embd.weight", 2, (const uint64_t[]){INT32_MAX, 1024}, 0, 0);
    put_padding(file);
    write_seed(scratch);
    if (truncate(scratch->path, (off_t)9 << 40) == 0) { /* not every file system can */
        check_path(scratch, scratch->path, STATUS_BAD_INPUT, "is missing");
    }
}

static void many_tensors(void **state)
{
    struct fixture *scratch = *state;
    FILE *file = fopen(scratch->path, "wb");
    const uint32_t count = SOURCE_TENSORS_MAX;
    assert_non_null(file);
    put_head(&scratch->seed.file, 3, count, 1);
    put_key_text(&scratch->seed.file, "general.architecture", "llama");
    fwrite(scratch->seed.file.bytes, 1, scratch->seed.file.count, file);
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        scratch->seed.file.count = 0;
        snprintf(name, sizeof name, "tensor.%u", i);
        put_tensor(&scratch->seed.file, name, 1, (const uint64_t[]){8}, 0, (uint64_t)i * 32);
        fwrite(scratch->seed.file.bytes, 1, scratch->seed.file.count, file);
    }
    long header = ftell(file);
    fclose(file);
    assert_int_equal(truncate(scratch->path, (header + 31) / 32 * 32 + 32L * count), 0);
    check_path(scratch, scratch->path, STATUS_BAD_INPUT, "is missing");
    put_head(&scratch->seed.file, 3, count + 1, 1);
    write_seed(scratch);
    check_path(scratch, scratch->path, STATUS_BAD_INPUT, "tensors: a count of 262145; at most");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(fields_out_of_bounds),
        TEST(lists_and_values),
        TEST(names),
        TEST(vocabularies),
        TEST(sizes),
        TEST(strange_paths),
        TEST(large_claims),
        TEST(many_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

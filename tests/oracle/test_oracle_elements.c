/* Element types against the gguf package and PyTorch (tests/oracle/README.md): what blocks decode
 * to, bit for bit, and what numbers are quantised to where those packages quantise.
 * HONE_ORACLE_DIR names a folder of fresh vectors. */
#include "models/gguf.h"
#include "models/model_source.h"
#include "tests/check.h"

#include <string.h>

static struct model_source source;

static int open_vectors(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    const char *fresh = getenv("HONE_ORACLE_DIR");
    struct arena *arena = arena_create(0);
    const char *path = arena_print(arena, "%s/elements/elements.gguf",
                                   fresh ? fresh : HONE_SOURCE_FOLDER "/tests/oracle/vectors");
    CHECK_OK(source_open(path, arena, NULL, &source, &diagnostic));
    return 0;
}

static int close_vectors(void **state)
{
    (void)state;
    struct arena *arena = source.arena;
    source_close(&source);
    arena_destroy(arena);
    return 0;
}

/* NULL when there is no such tensor. */
static const struct stored_tensor *find(const struct element *element, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", element->name, what);
    for (int i = 0; i < source.tensor_count; i++)
        if (strcmp(source.tensors[i].name, name) == 0) return &source.tensors[i];
    return NULL;
}

static int64_t element_count(const struct stored_tensor *tensor)
{
    const struct element *element = element_of(tensor->type.element);
    return tensor->byte_count / element->block_bytes * element->block_elements;
}

/* The vectors' floats lie at any alignment. */
static float *floats_of(const struct stored_tensor *tensor)
{
    float *values = arena_allocate(source.arena, (size_t)element_count(tensor), sizeof *values);
    assert_int_equal(tensor->type.element, ELEMENT_F32);
    memcpy(values, tensor->bytes, (size_t)tensor->byte_count);
    return values;
}

static void check_values(enum element_type type, const struct stored_tensor *codes,
                         const struct stored_tensor *values)
{
    int64_t count = element_count(values);
    float *right = floats_of(values);
    float *decoded = arena_allocate(source.arena, (size_t)count, sizeof *decoded);
    element_decode_row(type, codes->bytes, count, decoded);
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&decoded[i], &right[i], sizeof(float)) &&
            !(decoded[i] != decoded[i] && right[i] != right[i]))
            CHECK_FAIL("%s: element %lld decodes to %a, not %a", element_of(type)->name,
                       (long long)i, (double)decoded[i], (double)right[i]);
}

static void check_codes(enum element_type type, const struct stored_tensor *values,
                        const struct stored_tensor *codes)
{
    int64_t block = element_of(type)->block_bytes;
    uint8_t *encoded = arena_allocate(source.arena, (size_t)codes->byte_count, 1);
    element_encode_row(type, floats_of(values), element_count(values), encoded);
    for (int64_t i = 0; i < codes->byte_count; i++)
        if (encoded[i] != codes->bytes[i])
            CHECK_FAIL("%s: byte %lld of block %lld is %02x, not %02x", element_of(type)->name,
                       (long long)(i % block), (long long)(i / block), encoded[i], codes->bytes[i]);
}

static void test_blocks_decode_as_in_the_gguf_package(void **state)
{
    (void)state;
    int checked = 0;
    for (int t = 0; t < ELEMENT_COUNT; t++) {
        enum element_type type = (enum element_type)t;
        const struct stored_tensor *blocks = find(element_of(type), "blocks");
        uint32_t id;
        if (element_of(type)->block_elements == 1 || !gguf_type_of_element(type, &id)) continue;
        assert_non_null(blocks); /* a type without vectors is not tested */
        assert_int_equal(blocks->type.element, type);
        check_values(type, blocks, find(element_of(type), "values"));
        checked++;
    }
    assert_int_equal(checked, 13);
}

static void test_blocks_quantise_as_in_the_gguf_package(void **state)
{
    (void)state;
    int checked = 0;
    for (int t = 0; t < ELEMENT_COUNT; t++) {
        const struct element *element = element_of((enum element_type)t);
        const struct stored_tensor *codes = find(element, "quantised");
        if (!codes) continue;
        check_codes((enum element_type)t, find(element, "source"), codes);
        checked++;
    }
    assert_int_equal(checked, 6);
}

static void test_small_floats_are_those_of_pytorch(void **state)
{
    (void)state;
    static const enum element_type types[] = {ELEMENT_F8_E4M3, ELEMENT_F8_E5M2};
    for (int i = 0; i < 2; i++) {
        const struct element *element = element_of(types[i]);
        check_values(types[i], find(element, "codes"), find(element, "values"));
        check_codes(types[i], find(element, "source"), find(element, "rounded"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_decode_as_in_the_gguf_package),
        cmocka_unit_test(test_blocks_quantise_as_in_the_gguf_package),
        cmocka_unit_test(test_small_floats_are_those_of_pytorch),
    };
    return cmocka_run_group_tests(tests, open_vectors, close_vectors);
}

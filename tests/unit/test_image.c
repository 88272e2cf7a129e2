/* Images as bytes: round trip, every truncation, every flipped bit, the reference's image; texts of
 * candidates. */
#include "ir/variant.h"
#include "tests/check.h"
#include "tests/unit/fake_ops.h"

static const unsigned char code[] = {0xc3, 0x90, 0x90, 0x90, 0xc3};

static struct image sample_image(void)
{
    struct image image = {.target = TARGET_CPU,
                          .code = code,
                          .code_bytes = sizeof code,
                          .launch_count = 2,
                          .workspace_count = 1};
    image.workspaces[0] =
        (struct workspace){.per_row_bytes = 68, .fixed_bytes = 4096, .zeroed = true};
    image.launches[0] =
        (struct launch){.name = "quantise",
                        .offset = 0,
                        .geometry = {1, 1, 1},
                        .argument_count = 2,
                        .arguments = {{ARGUMENT_OPERAND, 0}, {ARGUMENT_WORKSPACE, 0}}};
    image.launches[1] = (struct launch){
        .name = "multiply",
        .offset = 4,
        .geometry = {0, 352, 16},
        .argument_count = 3,
        .arguments = {{ARGUMENT_WORKSPACE, 0}, {ARGUMENT_OPERAND, 1}, {ARGUMENT_TABLE, 4}}};
    return image;
}

static const unsigned char cuda_code[] = "\177ELF: a cubin\0\0// PTX";

static struct image cuda_image(void)
{
    struct image image = {.target = TARGET_CUDA,
                          .code = cuda_code,
                          .code_bytes = sizeof cuda_code,
                          .text_offset = 16,
                          .launch_count = 1};
    image.launches[0] = (struct launch){.name = "norm",
                                        .geometry = {4, 2, 1},
                                        .threads = 256,
                                        .shared_bytes = 101376,
                                        .cluster = 2,
                                        .resources = {40, 8, 16, 1024, 304},
                                        .argument_count = 2,
                                        .arguments = {{ARGUMENT_OPERAND, 1}, {ARGUMENT_NULL, 0}}};
    return image;
}

/* A kernel that takes its matrices as tensor maps; the second one is not there. */
static struct image tensor_image(void)
{
    struct image image = cuda_image();
    image.workspace_count = 1;
    image.workspaces[0] = (struct workspace){.per_row_bytes = 128};
    image.tensor_count = 2;
    image.tensors[0] = (struct tensor_argument){.of = {ARGUMENT_WORKSPACE, 0},
                                                .columns = 72,
                                                .rows = 300,
                                                .element_bytes = 2,
                                                .box_columns = 64,
                                                .box_rows = 256,
                                                .swizzle_bytes = 128};
    image.tensors[1] = (struct tensor_argument){.of = {ARGUMENT_NULL, 0}};
    image.launches[0].arguments[0] = (struct argument){ARGUMENT_TENSOR_MAP, 1};
    return image;
}

/* A kernel, and a product by a library over what it left. */
static struct image matmul_image(void)
{
    struct image image = cuda_image();
    image.launch_count = 2;
    image.workspace_count = 2;
    image.workspaces[0] = (struct workspace){.per_row_bytes = 128};
    image.workspaces[1] = (struct workspace){.fixed_bytes = 1 << 20};
    image.launches[1] =
        (struct launch){.kind = LAUNCH_MATMUL,
                        .name = "cublaslt_matmul",
                        .geometry = {0, 1, 1},
                        .matmul = {.outputs = 48,
                                   .inner = 64,
                                   .bfloat = true,
                                   .algorithm = 3,
                                   .found = {.library = 130100,
                                             .device = {.low = 7, .high = UINT64_MAX},
                                             .bytes = {1, 2, 255}}},
                        .argument_count = MATMUL_ARGUMENTS,
                        .arguments = {{ARGUMENT_WORKSPACE, 0},
                                      {ARGUMENT_OPERAND, 1},
                                      {ARGUMENT_NULL, 0},
                                      {ARGUMENT_OPERAND, 3},
                                      {ARGUMENT_OPERAND, 4},
                                      {ARGUMENT_WORKSPACE, 1}}};
    return image;
}

static void check_matmul(const struct matmul_call *a, const struct matmul_call *b)
{
    assert_int_equal(a->outputs, b->outputs);
    assert_int_equal(a->inner, b->inner);
    assert_int_equal(a->bfloat, b->bfloat);
    assert_int_equal(a->algorithm, b->algorithm);
    assert_int_equal(a->found.library, b->found.library);
    assert_true(hash_equal(a->found.device, b->found.device));
    assert_memory_equal(a->found.bytes, b->found.bytes, sizeof a->found.bytes);
}

static void check_same(const struct image *a, const struct image *b)
{
    assert_int_equal(a->target, b->target);
    assert_int_equal(a->code_bytes, b->code_bytes);
    assert_int_equal(a->text_offset, b->text_offset);
    assert_memory_equal(a->code, b->code, (size_t)a->code_bytes);
    assert_int_equal(a->launch_count, b->launch_count);
    assert_int_equal(a->workspace_count, b->workspace_count);
    assert_memory_equal(a->workspaces, b->workspaces, sizeof *a->workspaces);
    assert_int_equal(a->tensor_count, b->tensor_count);
    assert_memory_equal(a->tensors, b->tensors, sizeof a->tensors);
    for (int l = 0; l < a->launch_count; l++) {
        CHECK_TEXT(a->launches[l].name, b->launches[l].name);
        assert_int_equal(a->launches[l].kind, b->launches[l].kind);
        check_matmul(&a->launches[l].matmul, &b->launches[l].matmul);
        assert_int_equal(a->launches[l].offset, b->launches[l].offset);
        assert_memory_equal(&a->launches[l].geometry, &b->launches[l].geometry,
                            sizeof a->launches[l].geometry);
        assert_int_equal(a->launches[l].threads, b->launches[l].threads);
        assert_int_equal(a->launches[l].shared_bytes, b->launches[l].shared_bytes);
        assert_int_equal(a->launches[l].cluster, b->launches[l].cluster);
        assert_memory_equal(&a->launches[l].resources, &b->launches[l].resources,
                            sizeof a->launches[l].resources);
        assert_int_equal(a->launches[l].argument_count, b->launches[l].argument_count);
        assert_memory_equal(a->launches[l].arguments, b->launches[l].arguments,
                            sizeof a->launches[l].arguments);
    }
}

static void images_go_through_bytes(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    const struct image images[] = {sample_image(), cuda_image(), tensor_image(), matmul_image()};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        struct image back;
        void *bytes;
        size_t byte_count;
        CHECK_OK(image_encode(&images[i], arena, &bytes, &byte_count, &diagnostic));
        CHECK_OK(image_decode(bytes, byte_count, arena, &back, &diagnostic));
        check_same(&images[i], &back);
    }
    arena_destroy(arena);
}

/* One thing that is wrong, which encoding does not look at and decoding refuses. */
static void check_bad_image(const struct image *image, const char *words)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct image back;
    void *bytes;
    size_t byte_count;
    CHECK_OK(image_encode(image, arena, &bytes, &byte_count, &diagnostic));
    CHECK_REFUSED(image_decode(bytes, byte_count, arena, &back, &diagnostic), STATUS_BAD_INPUT,
                  words);
    arena_destroy(arena);
}

#define CHECK_BAD_IMAGE(make, change, words)                                                       \
    do {                                                                                           \
        struct image image = make();                                                               \
        image.change;                                                                              \
        check_bad_image(&image, words);                                                            \
    } while (0)

static void bad_cuda_images_are_refused(void **unused)
{
    (void)unused;
    CHECK_BAD_IMAGE(cuda_image, launches[0].threads = 0, "number of threads");
    CHECK_BAD_IMAGE(cuda_image, launches[0].threads = 1025, "number of threads");
    CHECK_BAD_IMAGE(cuda_image, launches[0].shared_bytes = -1, "shared memory");
    CHECK_BAD_IMAGE(cuda_image, launches[0].shared_bytes = (1 << 20) + 1, "shared memory");
    CHECK_BAD_IMAGE(cuda_image, launches[0].cluster = 17, "size of the cluster");
    CHECK_BAD_IMAGE(cuda_image, launches[0].offset = 1, "found by name");
    CHECK_BAD_IMAGE(cuda_image, launches[0].arguments[0].kind = ARGUMENT_NULL + 1, "unknown kind");
    CHECK_BAD_IMAGE(cuda_image, text_offset = 0, "no PTX");
    CHECK_BAD_IMAGE(cuda_image, text_offset = 8, "no PTX");
    CHECK_BAD_IMAGE(cuda_image, text_offset = -16, "no PTX");
    CHECK_BAD_IMAGE(cuda_image, text_offset = INT64_MAX / 16 * 16, "no PTX");
    CHECK_BAD_IMAGE(cuda_image, code_bytes = sizeof cuda_code - 1, "no PTX");
    CHECK_BAD_IMAGE(sample_image, text_offset = 16, "CPU code has no text");
    CHECK_BAD_IMAGE(sample_image, launches[0].threads = 32, "number of threads");
    CHECK_BAD_IMAGE(sample_image, launches[0].shared_bytes = 32, "shared memory");
}

static void bad_tensors_are_refused(void **unused)
{
    (void)unused;
    CHECK_BAD_IMAGE(tensor_image, target = TARGET_CPU, "number of tensors is out of range");
    CHECK_BAD_IMAGE(tensor_image, launches[0].arguments[0].index = 2, "index is out of range");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].of.index = 1, "index is out of range");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].of.kind = ARGUMENT_TENSOR_MAP,
                    "neither of an operand");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].of.kind = ARGUMENT_TABLE, "neither of an operand");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].element_bytes = 3, "1, 2 or 4 bytes");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].columns = 0, "its size is out of range");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].rows = INT64_MAX, "its size is out of range");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].columns = 71, "its rows are no multiples of 16");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].box_rows = 257, "1 to 256 rows and columns");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].box_columns = -64, "1 to 256 rows and columns");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].box_columns = 63, "boxes' rows are no multiples");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].box_columns = 32, "not as wide as what is swizzled");
    CHECK_BAD_IMAGE(tensor_image, tensors[0].swizzle_bytes = 16, "0, 32, 64 or 128 bytes");
}

static void bad_products_are_refused(void **unused)
{
    (void)unused;
    static const char senseless[] = "the product makes no sense";
    CHECK_BAD_IMAGE(matmul_image, target = TARGET_CPU, "out of range");
    CHECK_BAD_IMAGE(matmul_image, launches[1].kind = LAUNCH_KIND_COUNT, "unknown kind of launch");
    CHECK_BAD_IMAGE(matmul_image, launches[1].matmul.outputs = 0, senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].matmul.inner = -1, senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].matmul.inner = INT64_MAX, senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].matmul.algorithm = SPACE_VALUES_MAX, senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].argument_count = MATMUL_ARGUMENTS - 1, senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].arguments[MATMUL_Y].kind = ARGUMENT_NULL, senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].arguments[MATMUL_WEIGHT].kind = ARGUMENT_WORKSPACE,
                    senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].arguments[MATMUL_SCRATCH].kind = ARGUMENT_OPERAND,
                    senseless);
    CHECK_BAD_IMAGE(matmul_image, launches[1].arguments[MATMUL_BIAS].kind = ARGUMENT_TABLE,
                    senseless);
}

/* A damaged image is refused or is another legal image; reading it never goes wrong. */
static void check_legal(const struct image *image)
{
    assert_in_range(image->launch_count, 1, IMAGE_LAUNCHES_MAX);
    assert_in_range(image->workspace_count, 0, IMAGE_WORKSPACES_MAX);
    for (int l = 0; l < image->launch_count; l++) {
        const struct launch *launch = &image->launches[l];
        assert_true(launch->offset >= -1 && launch->offset < image->code_bytes);
        assert_true(launch->geometry.unit >= 1 && launch_items(launch, INT32_MAX) >= 0);
        for (int a = 0; a < launch->argument_count; a++)
            assert_in_range(launch->arguments[a].index, 0, OP_OPERANDS_MAX - 1);
    }
}

static void damage_image(const struct image *image)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0), *scratch = arena_create(0);
    struct image back;
    void *bytes;
    size_t byte_count, refused = 0;
    CHECK_OK(image_encode(image, arena, &bytes, &byte_count, &diagnostic));
    for (size_t length = 0; length < byte_count; length++) {
        char *copy = arena_copy(scratch, bytes, length);
        CHECK_REFUSED(image_decode(copy, length, scratch, &back, &diagnostic), STATUS_BAD_INPUT,
                      "image: ");
        arena_reset(scratch);
    }
    char *longer = arena_allocate(scratch, byte_count + 1, 1);
    memcpy(longer, bytes, byte_count);
    CHECK_REFUSED(image_decode(longer, byte_count + 1, scratch, &back, &diagnostic),
                  STATUS_BAD_INPUT, "bytes behind the image");
    for (size_t bit = 0; bit < byte_count * 8; bit++) {
        unsigned char *copy = arena_copy(scratch, bytes, byte_count);
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (image_decode(copy, byte_count, scratch, &back, &diagnostic) == STATUS_OK) {
            check_legal(&back);
        } else {
            assert_int_equal(diagnostic.code, STATUS_BAD_INPUT);
            refused++;
        }
        diagnostic = (struct diagnostic){0};
        arena_reset(scratch);
    }
    /* Most bits matter, but for those that only a library understands. */
    for (int l = 0; l < image->launch_count; l++)
        if (image->launches[l].kind == LAUNCH_MATMUL)
            byte_count -= MATMUL_ALGORITHM_BYTES + 3 * sizeof(uint64_t);
    assert_true(refused > byte_count * 4);
    arena_destroy(arena);
    arena_destroy(scratch);
}

static void damaged_images_are_refused(void **unused)
{
    (void)unused;
    const struct image images[] = {sample_image(), cuda_image(), tensor_image(), matmul_image()};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) damage_image(&images[i]);
}

static void work_items_follow_the_rows(void **unused)
{
    (void)unused;
    struct launch launch = {.geometry = {.rows_per_item = 4, .items_per_row_group = 3, .unit = 1}};
    assert_int_equal(launch_items(&launch, 0), 0);
    assert_int_equal(launch_items(&launch, 1), 3);
    assert_int_equal(launch_items(&launch, 4), 3);
    assert_int_equal(launch_items(&launch, 5), 6);
    launch.geometry.rows_per_item = 0;
    assert_int_equal(launch_items(&launch, 100), 3);
}

static void the_reference_has_an_image(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct problem *problem;
    CHECK_OK(problem_parse("add(f32[rows,64], f32[rows,64]) -> f32[rows,64] rows<=64", fake_ops,
                           arena, &problem, &diagnostic));
    struct image image, back;
    image_reference(problem, &image);
    assert_int_equal(image.launches[0].offset, -1);
    assert_int_equal(image.launches[0].argument_count, 3);
    void *bytes;
    size_t byte_count;
    CHECK_OK(image_encode(&image, arena, &bytes, &byte_count, &diagnostic));
    CHECK_OK(image_decode(bytes, byte_count, arena, &back, &diagnostic));
    assert_int_equal(back.launches[0].offset, -1);
    CHECK_TEXT(back.launches[0].name, "add");
    arena_destroy(arena);
}

static void candidates_go_through_text(void **unused)
{
    (void)unused;
    static const char yaml[] =
        "variant: some_cpu\nop: add\ntarget: cpu\n"
        "tunables: {width: {values: [1, 2]}, mode: {values: [slow, quick]}}\n"
        "estimate: \"1e-6 / width\"\n";
    static const char plain[] = "variant: plain_cpu\nop: add\ntarget: cpu\nestimate: \"1e-6\"\n";
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct yaml *root;
    struct space *some, *other;
    CHECK_OK(yaml_parse("some.yaml", yaml, strlen(yaml), arena, &root, &diagnostic));
    CHECK_OK(space_read(root, fake_ops, arena, &some, &diagnostic));
    CHECK_OK(yaml_parse("plain.yaml", plain, strlen(plain), arena, &root, &diagnostic));
    CHECK_OK(space_read(root, fake_ops, arena, &other, &diagnostic));
    const struct space *spaces[] = {some, other, NULL};
    struct catalogue catalogue = {.spaces = spaces, .count = 2};
    static const char *const texts[] = {"reference", "some_cpu width=2 mode=quick", "plain_cpu"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct candidate candidate, again;
        struct text text = {.arena = arena};
        CHECK_OK(candidate_parse(&catalogue, texts[i], &candidate, &diagnostic));
        candidate_print(&candidate, &text);
        CHECK_TEXT(text_finish(&text), texts[i]);
        CHECK_OK(candidate_parse(&catalogue, texts[i], &again, &diagnostic));
        assert_true(candidate_equal(&candidate, &again));
    }
    struct candidate candidate;
    CHECK_REFUSED(candidate_parse(&catalogue, "some width=2", &candidate, &diagnostic),
                  STATUS_NOT_FOUND, "no variant 'some'");
    CHECK_REFUSED(
        candidate_parse(&catalogue, "some_cpu width=3 mode=slow", &candidate, &diagnostic),
        STATUS_BAD_INPUT, "some_cpu");
    assert_ptr_equal(catalogue_find(&catalogue, "plain_cpu"), other);
    assert_null(catalogue_find(&catalogue, "plain"));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_go_through_bytes),     cmocka_unit_test(damaged_images_are_refused),
        cmocka_unit_test(bad_cuda_images_are_refused), cmocka_unit_test(bad_tensors_are_refused),
        cmocka_unit_test(bad_products_are_refused),    cmocka_unit_test(work_items_follow_the_rows),
        cmocka_unit_test(the_reference_has_an_image),  cmocka_unit_test(candidates_go_through_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

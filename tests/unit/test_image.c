/* Images as bytes: round trip, every truncation, every flipped bit, the reference's image; texts of
 * candidates; profiles of devices. */
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

static void check_same(const struct image *a, const struct image *b)
{
    assert_int_equal(a->target, b->target);
    assert_int_equal(a->code_bytes, b->code_bytes);
    assert_memory_equal(a->code, b->code, (size_t)a->code_bytes);
    assert_int_equal(a->launch_count, b->launch_count);
    assert_int_equal(a->workspace_count, b->workspace_count);
    assert_memory_equal(a->workspaces, b->workspaces, sizeof *a->workspaces);
    for (int l = 0; l < a->launch_count; l++) {
        CHECK_TEXT(a->launches[l].name, b->launches[l].name);
        assert_int_equal(a->launches[l].offset, b->launches[l].offset);
        assert_memory_equal(&a->launches[l].geometry, &b->launches[l].geometry,
                            sizeof a->launches[l].geometry);
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
    struct image image = sample_image(), back;
    void *bytes;
    size_t byte_count;
    CHECK_OK(image_encode(&image, arena, &bytes, &byte_count, &diagnostic));
    CHECK_OK(image_decode(bytes, byte_count, arena, &back, &diagnostic));
    check_same(&image, &back);
    arena_destroy(arena);
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

static void damaged_images_are_refused(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0), *scratch = arena_create(0);
    struct image image = sample_image(), back;
    void *bytes;
    size_t byte_count, refused = 0;
    CHECK_OK(image_encode(&image, arena, &bytes, &byte_count, &diagnostic));
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
    assert_true(refused > byte_count * 4); /* most bits matter */
    arena_destroy(arena);
    arena_destroy(scratch);
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

static status read_profile(const char *yaml, struct arena *arena, struct device_facts *facts,
                           struct diagnostic *diagnostic)
{
    struct yaml *root;
    TRY(yaml_parse("card.yaml", yaml, strlen(yaml), arena, &root, diagnostic));
    return device_facts_read(root, arena, facts, diagnostic);
}

static void profiles_describe_devices(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct device_facts facts;
    CHECK_OK(read_profile(
        "name: Card\ntarget: cuda\nclass: sm_86\nfacts: {cores: 82, read_bandwidth: 9.36e11}\n",
        arena, &facts, &diagnostic));
    CHECK_TEXT(facts.name, "Card");
    CHECK_TEXT(facts.triple, "");
    assert_true(facts.values[FACT_read_bandwidth] == 9.36e11 && facts.values[FACT_cores] == 82);
    assert_true(facts.values[FACT_l2_bytes] == 0);
    CHECK_REFUSED(read_profile("name: C\ntarget: cuda\nclass: s\nfacts: {core: 82}\n", arena,
                               &facts, &diagnostic),
                  STATUS_BAD_INPUT, "unknown key 'core'; did you mean 'cores'?");
    CHECK_REFUSED(
        read_profile("name: C\ntarget: tpu\nclass: s\nfacts: {}\n", arena, &facts, &diagnostic),
        STATUS_BAD_INPUT, "card.yaml:2:9: 'tpu' is no target");
    CHECK_REFUSED(read_profile("name: C\ntarget: cpu\nclass: s\nfacts: {cores: -1}\n", arena,
                               &facts, &diagnostic),
                  STATUS_BAD_INPUT, "from 0 up");
    CHECK_REFUSED(read_profile("target: cpu\nclass: s\nfacts: {}\n", arena, &facts, &diagnostic),
                  STATUS_BAD_INPUT, "'name' is missing");
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_go_through_bytes),    cmocka_unit_test(damaged_images_are_refused),
        cmocka_unit_test(work_items_follow_the_rows), cmocka_unit_test(the_reference_has_an_image),
        cmocka_unit_test(candidates_go_through_text), cmocka_unit_test(profiles_describe_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

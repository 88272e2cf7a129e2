/* Plan files: what was written is read back, and nothing else is.
 *
 * Two walls are tested apart.  Files changed as they are must fall at the seal; files changed and sealed again (as if the
 * key were known, or a bug had written them) must fall at a field or be legal, without a crash, under the sanitizers. */
#include "base/file.h"
#include "ops/op_table.h"
#include "planner/build.h"
#include "planner/plan_file.h"
#include "planner/plan_seal.h"
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 24 + PLAN_SEAL_BYTES, SEAL_OFFSET = 24, LENGTH_OFFSET = 16 };

static const char graph_text[] = "graph small\n"
                                 "input tokens: i32[tokens]\n"
                                 "input outputs: i32[outputs]\n"
                                 "weight table: f32[32,64]\n"
                                 "x = embed(tokens, table)\n"
                                 "weight norm: f32[64]\n"
                                 "n = rmsnorm(x, norm) layer 0\n"
                                 "s = select(outputs, n)\n"
                                 "logits = linear(s, table, _, _)\n"
                                 "output logits\n";

static const char plan_path[] = HONE_BUILD_FOLDER "/tests/plan_file.plan";
static const char changed_path[] = HONE_BUILD_FOLDER "/tests/plan_file.changed";

struct file {
    struct arena *arena;
    uint8_t *bytes;
    size_t count;
};

static struct plan *build_small_plan(void)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct graph *graph;
    CHECK_OK(graph_parse("test", graph_text, op_table(), arena, &graph, &diagnostic));
    graph->layer_count = 1;
    const struct device_facts facts = {.class_name = "test", .features = "+avx2"};
    const struct build_device device = {
        .specification = "cpu", .facts = &facts, .memory_bytes = INT64_MAX};
    const struct catalogue nothing = {0};
    const struct build_options options = {
        .bounds = {.tokens = 8, .outputs = 8, .sequences = 2, .context = 64, .page_tokens = 32},
        .devices = &device,
        .device_count = 1,
        .chooser = {.catalogue = &nothing, .references = true},
        .compile_processes = 1,
    };
    struct build_report report;
    struct plan *plan;
    CHECK_OK(plan_build(graph, &options, &plan, &report, &diagnostic));
    arena_destroy(arena);
    return plan;
}

static int write_small_plan(void **state)
{
    static struct file file;
    struct diagnostic diagnostic = {0};
    setenv("XDG_CONFIG_HOME", HONE_BUILD_FOLDER "/tests/plan_config", 1);
    struct plan *plan = build_small_plan();
    const struct plan_header header = {.model_path = "/nowhere/model.gguf",
                                       .model_identity = {1, 2},
                                       .cpu = "native",
                                       .level = "x86-64-v3",
                                       .features = "+avx2,+fma",
                                       .layer_map = "0..1,1",
                                       .state_element = ELEMENT_F16};
    CHECK_OK(plan_file_write(plan_path, &header, plan, &diagnostic));
    plan_free(plan);
    file.arena = arena_create(0);
    char *bytes;
    CHECK_OK(file_read(plan_path, 1 << 20, file.arena, &bytes, &file.count, &diagnostic));
    file.bytes = (uint8_t *)bytes;
    *state = &file;
    return 0;
}

static int forget_file(void **state)
{
    arena_destroy(((struct file *)*state)->arena);
    return 0;
}

static status read_changed(const uint8_t *bytes, size_t count, struct diagnostic *diagnostic)
{
    FILE *file = fopen(changed_path, "wb");
    if (fwrite(bytes, 1, count, file) != count || fclose(file)) CHECK_FAIL("%s", changed_path);
    struct plan_header header;
    struct plan *plan = NULL;
    status code = plan_file_read(changed_path, op_table(), &header, &plan, diagnostic);
    if (code == STATUS_OK) plan_free(plan);
    return code;
}

/* Length and seal made right again. */
static void seal_again(uint8_t *bytes, size_t count)
{
    struct diagnostic diagnostic = {0};
    for (int b = 0; b < 8; b++) bytes[LENGTH_OFFSET + b] = (uint8_t)(count >> (8 * b));
    CHECK_OK(plan_seal_make(bytes + HEAD_BYTES, count - HEAD_BYTES, NULL, bytes + SEAL_OFFSET,
                            &diagnostic));
}

static void a_plan_is_read_back_as_written(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    struct plan_header header;
    struct plan *read, *built = build_small_plan();
    assert_true(plan_file_recognise(plan_path));
    CHECK_OK(plan_file_read(plan_path, op_table(), &header, &read, &diagnostic));
    CHECK_TEXT(header.features, "+avx2,+fma");
    CHECK_TEXT(header.layer_map, "0..1,1");
    assert_int_equal(read->step_count, built->step_count);
    assert_int_equal(read->image_count, built->image_count);
    assert_memory_equal(read->choices, built->choices,
                        (size_t)built->graph->node_count * sizeof *built->choices);
    for (int i = 0; i < built->image_count; i++)
        CHECK_TEXT(read->images[i].problem->text, built->images[i].problem->text);
    struct text first = {.arena = read->arena}, second = {.arena = built->arena};
    graph_print(read->graph, &first);
    graph_print(built->graph, &second);
    CHECK_TEXT(text_finish(&first), text_finish(&second));
    plan_free(read);
    plan_free(built);
}

static void other_files_are_refused(void **state)
{
    const struct file *file = *state;
    struct diagnostic diagnostic = {0};
    uint8_t *copy = arena_copy(file->arena, file->bytes, file->count);
    CHECK_REFUSED(read_changed(copy, 0, &diagnostic), STATUS_BAD_INPUT, "no plan file");
    CHECK_REFUSED(read_changed(copy, 20, &diagnostic), STATUS_BAD_INPUT, "no plan file");
    uint8_t version = copy[8];
    copy[8] = 99;
    CHECK_REFUSED(read_changed(copy, file->count, &diagnostic), STATUS_BAD_INPUT, "version 99");
    copy[8] = version;
    copy[file->count - 1] ^= 1;
    CHECK_REFUSED(read_changed(copy, file->count, &diagnostic), STATUS_BAD_INPUT, "seal");
    struct plan_header header;
    struct plan *plan;
    CHECK_REFUSED(plan_file_read(HONE_BUILD_FOLDER, op_table(), &header, &plan, &diagnostic),
                  STATUS_BAD_INPUT, HONE_BUILD_FOLDER);
    CHECK_REFUSED(plan_file_read("/dev/zero", op_table(), &header, &plan, &diagnostic),
                  STATUS_BAD_INPUT, "/dev/zero");
}

/* What is behind a plan is no part of it, and what its head says of its length is not believed. */
static void wrong_lengths_are_refused(void **state)
{
    static const int64_t lengths[] = {0, 1, -1, INT64_MIN, INT64_MAX, INT64_C(1) << 40};
    static const size_t behind[] = {1, 8, 64, 1 << 20};
    const struct file *file = *state;
    struct diagnostic diagnostic = {0};
    for (size_t b = 0; b < sizeof behind / sizeof *behind; b++) {
        uint8_t *longer = arena_allocate(file->arena, file->count + behind[b], 1);
        memcpy(longer, file->bytes, file->count);
        CHECK_REFUSED(read_changed(longer, file->count + behind[b], &diagnostic), STATUS_BAD_INPUT,
                      "should have");
        seal_again(longer, file->count + behind[b]);
        CHECK_REFUSED(read_changed(longer, file->count + behind[b], &diagnostic), STATUS_BAD_INPUT,
                      "behind the plan");
    }
    uint8_t *copy = arena_copy(file->arena, file->bytes, file->count);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (int b = 0; b < 8; b++)
            copy[LENGTH_OFFSET + b] = (uint8_t)((uint64_t)lengths[l] >> (8 * b));
        CHECK_REFUSED(read_changed(copy, file->count, &diagnostic), STATUS_BAD_INPUT,
                      "should have");
    }
    print_message("%zu wrong lengths\n",
                  2 * sizeof behind / sizeof *behind + sizeof lengths / sizeof *lengths);
}

/* No byte of the seal may differ, and a seal of the same key over other bytes is none. */
static void wrong_seals_are_refused(void **state)
{
    const struct file *file = *state;
    struct diagnostic diagnostic = {0};
    uint8_t *copy = arena_copy(file->arena, file->bytes, file->count);
    for (size_t at = SEAL_OFFSET; at < HEAD_BYTES; at++)
        for (int bit = 0; bit < 8; bit += 7) {
            copy[at] ^= (uint8_t)(1 << bit);
            CHECK_REFUSED(read_changed(copy, file->count, &diagnostic), STATUS_BAD_INPUT, "seal");
            copy[at] ^= (uint8_t)(1 << bit);
        }
    CHECK_OK(plan_seal_make(file->bytes + HEAD_BYTES, file->count - HEAD_BYTES - 1, NULL,
                            copy + SEAL_OFFSET, &diagnostic));
    CHECK_REFUSED(read_changed(copy, file->count, &diagnostic), STATUS_BAD_INPUT, "seal");
    print_message("%d wrong seals\n", 2 * (HEAD_BYTES - SEAL_OFFSET) + 1);
}

static void what_is_no_file_is_refused(void **state)
{
    static const char odd[] = HONE_BUILD_FOLDER "/tests/plan_file.odd";
    static const char *const targets[] = {"plan_file.odd", "/nowhere/plan", "/dev/zero",
                                          "/dev/null", "/proc/self/mem"};
    struct diagnostic diagnostic = {0};
    struct plan_header header;
    struct plan *plan;
    (void)state;
    unlink(odd);
    assert_int_equal(mkfifo(odd, 0600), 0);
    CHECK_REFUSED(plan_file_read(odd, op_table(), &header, &plan, &diagnostic), STATUS_BAD_INPUT,
                  "not a regular file");
    assert_false(plan_file_recognise(odd));
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        unlink(odd);
        assert_int_equal(symlink(targets[t], odd), 0);
        status code = plan_file_read(odd, op_table(), &header, &plan, &diagnostic);
        if (code == STATUS_OK || !strstr(diagnostic.text, odd))
            CHECK_FAIL("%s: %s", targets[t], diagnostic.text);
        diagnostic = (struct diagnostic){0};
        assert_false(plan_file_recognise(odd));
    }
    unlink(odd);
}

static void another_users_plan_is_refused(void **state)
{
    const struct file *file = *state;
    struct diagnostic diagnostic = {0};
    setenv("XDG_CONFIG_HOME", HONE_BUILD_FOLDER "/tests/plan_config_of_nobody", 1);
    CHECK_REFUSED(read_changed(file->bytes, file->count, &diagnostic), STATUS_BAD_INPUT,
                  "hone compile");
    const char *key = HONE_BUILD_FOLDER "/tests/plan_config/hone/plan.key";
    setenv("XDG_CONFIG_HOME", HONE_BUILD_FOLDER "/tests/plan_config", 1);
    assert_int_equal(chmod(key, 0644), 0);
    CHECK_REFUSED(read_changed(file->bytes, file->count, &diagnostic), STATUS_FAILED,
                  "open to other users");
    assert_int_equal(chmod(key, 0600), 0);
}

static void every_truncation_is_refused(void **state)
{
    const struct file *file = *state;
    for (size_t count = 0; count < file->count; count += count < 200 ? 1 : 7) {
        struct diagnostic diagnostic = {0};
        CHECK_REFUSED(read_changed(file->bytes, count, &diagnostic), STATUS_BAD_INPUT,
                      "plan_file.changed");
    }
}

static void every_truncation_sealed_again_is_refused(void **state)
{
    const struct file *file = *state;
    for (size_t count = HEAD_BYTES; count < file->count; count += 3) {
        struct diagnostic diagnostic = {0};
        uint8_t *copy = arena_copy(file->arena, file->bytes, count);
        seal_again(copy, count);
        CHECK_REFUSED(read_changed(copy, count, &diagnostic), STATUS_BAD_INPUT, "");
    }
}

/* Any byte may become anything: the answer is a refusal or a plan that plan_verify accepts. */
static void changed_bytes_sealed_again_do_no_harm(void **state)
{
    static const uint8_t masks[] = {1, 0x80, 0xff};
    const struct file *file = *state;
    int refused = 0, accepted = 0;
    uint8_t *copy = arena_copy(file->arena, file->bytes, file->count);
    for (size_t at = HEAD_BYTES; at < file->count; at++) {
        uint8_t mask = masks[at % 3];
        struct diagnostic diagnostic = {0};
        copy[at] ^= mask;
        seal_again(copy, file->count);
        status code = read_changed(copy, file->count, &diagnostic);
        copy[at] ^= mask;
        if (code == STATUS_OK) {
            accepted++;
            continue;
        }
        refused++;
        if (code != STATUS_BAD_INPUT && code != STATUS_NO_MEMORY)
            CHECK_FAIL("byte %zu: %s: %s", at, status_name(code), diagnostic.text);
        assert_true(diagnostic.text[0] != 0);
    }
    print_message("%d changed files refused, %d still legal plans\n", refused, accepted);
    assert_true(refused > accepted / 4);
}

static void missing_features_are_named(void **state)
{
    const struct file *file = *state;
    assert_null(plan_missing_features("+avx2,+fma", "+fma,+avx2,+avx512f", file->arena));
    assert_null(plan_missing_features("", "", file->arena));
    assert_null(plan_missing_features("+avx2,-avx512f", "+avx2", file->arena));
    CHECK_TEXT(plan_missing_features("+avx2,+avx512f,+avx512vnni", "+avx2", file->arena),
               "avx512f, avx512vnni");
    CHECK_TEXT(plan_missing_features("+avx", "+avx2", file->arena), "avx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_read_back_as_written),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(wrong_lengths_are_refused),
        cmocka_unit_test(wrong_seals_are_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(another_users_plan_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_truncation_sealed_again_is_refused),
        cmocka_unit_test(changed_bytes_sealed_again_do_no_harm),
        cmocka_unit_test(missing_features_are_named),
    };
    return cmocka_run_group_tests(tests, write_small_plan, forget_file);
}

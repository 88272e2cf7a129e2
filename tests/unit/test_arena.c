/* Arenas: alignment, zeroing, limits, growth, reset, and what the sanitizer sees. */
#include "tests/check.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

static void objects_are_aligned_zeroed_and_apart(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    unsigned char *objects[2000];
    size_t sizes[2000];
    for (size_t i = 0; i < 2000; i++) {
        sizes[i] = i * 7919 % 3001;
        objects[i] = arena_allocate(arena, sizes[i], 1);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % 16, 0);
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(objects[i][j], 0);
        memset(objects[i], (int)(i & 0xff), sizes[i]);
    }
    for (size_t i = 0; i < 2000; i++) {
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(objects[i][j], i & 0xff);
    }
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void large_objects_leave_the_current_block_in_use(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    char *before = arena_allocate(arena, 1, 16);
    char *large = arena_allocate(arena, 3, 1 << 20);
    char *after = arena_allocate(arena, 1, 16);
    assert_non_null(large);
    large[(3 << 20) - 1] = 1;
    assert_in_range((uintptr_t)after, (uintptr_t)before + 16, (uintptr_t)before + 64);
    arena_destroy(arena);
}

static void limits_and_overflow_refuse_without_harm(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(1000);
    assert_null(arena_allocate(arena, 1001, 1));
    assert_null(arena_allocate(arena, SIZE_MAX, 2));
    assert_null(arena_allocate(arena, SIZE_MAX / 2, 2));
    assert_null(arena_allocate(arena, SIZE_MAX, 1));
    assert_null(arena_text_range(arena, "", SIZE_MAX));
    assert_int_equal(arena_bytes(arena), 0);
    for (int i = 0; i < 62; i++) assert_non_null(arena_allocate(arena, 16, 1));
    assert_int_equal(arena_bytes(arena), 992);
    assert_null(arena_allocate(arena, 9, 1)); /* 992 + 16 > 1000 */
    assert_int_equal(arena_bytes(arena), 992);
    arena_reset(arena);
    assert_int_equal(arena_bytes(arena), 0);
    assert_non_null(arena_allocate(arena, 992, 1));
    arena_destroy(arena);
}

static void reset_zeroes_what_is_reused(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    arena_reset(arena);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 300; i++) {
            unsigned char *object = arena_allocate(arena, 100, 1);
            for (int j = 0; j < 100; j++) assert_int_equal(object[j], 0);
            memset(object, 0xff, 100);
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
}

static void arrays_grow_and_keep_their_items(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    int *items = NULL;
    size_t count = 0, capacity = 0;
    for (int i = 0; i < 10000; i++) {
        items = arena_grow(arena, items, count, &capacity, sizeof *items);
        assert_non_null(items);
        assert_int_equal(items[count], 0);
        items[count++] = i;
        if (i % 1000 == 0) assert_non_null(arena_allocate(arena, 1, 1)); /* no longer the last */
    }
    for (int i = 0; i < 10000; i++) assert_int_equal(items[i], i);
    count = 5; /* items taken back are zeroed when they are given again */
    items = arena_grow(arena, items, count, &capacity, sizeof *items);
    assert_int_equal(items[5], 0);
    arena_destroy(arena);
}

struct wide_item {
    int64_t values[4];
};

static status append_until_full(struct arena *arena, size_t *count, struct diagnostic *diagnostic)
{
    struct wide_item *items = NULL;
    size_t capacity = 0;
    for (;;) {
        TRY_APPEND(items, *count, capacity, arena, diagnostic);
        items[*count - 1].values[0] = (int64_t)*count;
    }
}

static void growing_past_the_limit_is_reported(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(100000);
    struct diagnostic diagnostic = {0};
    size_t count = 0;
    CHECK_REFUSED(append_until_full(arena, &count, &diagnostic), STATUS_NO_MEMORY, "32 bytes");
    assert_true(count >= 512);
    assert_true(arena_bytes(arena) <= 100000);
    size_t capacity = SIZE_MAX / 2 + 1;
    assert_null(arena_grow(arena, NULL, capacity, &capacity, 1));
    arena_destroy(arena);
}

static void texts_are_copied(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    CHECK_TEXT(arena_text(arena, "abc"), "abc");
    CHECK_TEXT(arena_text_range(arena, "abcdef", 3), "abc");
    CHECK_TEXT(arena_text_range(arena, NULL, 0), "");
    CHECK_TEXT(arena_print(arena, "%s-%d", "x", 42), "x-42");
    char *large = arena_print(arena, "%*d", 20000, 7);
    assert_int_equal(strlen(large), 20000);
    assert_memory_equal(arena_copy(arena, "\0\1\2", 3), "\0\1\2", 3);
    assert_non_null(arena_copy(arena, NULL, 0));
    arena_destroy(arena);
}

static void the_nth_allocation_fails_on_demand(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    struct arena *arena = arena_create(0);
    fault_set(3, 0);
    assert_non_null(arena_allocate(arena, 1, 1));
    assert_non_null(arena_allocate(arena, 1, 1));
    assert_null(arena_allocate(arena, 1, 1));
    assert_non_null(arena_allocate(arena, 1, 1));
    assert_int_equal(fault_points_passed(), 4);
    fault_set(1, 0);
    assert_null(arena_create(0));
    fault_set(0, 0);
    arena_destroy(arena);
#else
    skip();
#endif
}

static void the_sanitizer_knows_what_is_not_in_use(void **unused)
{
    (void)unused;
#ifdef __SANITIZE_ADDRESS__
    struct arena *arena = arena_create(0);
    char *object = arena_allocate(arena, 21, 1);
    assert_false(__asan_address_is_poisoned(object + 20));
    assert_true(__asan_address_is_poisoned(object + 21));
    char *next = arena_allocate(arena, 1, 1);
    assert_true(__asan_address_is_poisoned(next - 1));
    arena_reset(arena);
    assert_true(__asan_address_is_poisoned(object));
    arena_destroy(arena);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_zeroed_and_apart),
        cmocka_unit_test(large_objects_leave_the_current_block_in_use),
        cmocka_unit_test(limits_and_overflow_refuse_without_harm),
        cmocka_unit_test(reset_zeroes_what_is_reused),
        cmocka_unit_test(arrays_grow_and_keep_their_items),
        cmocka_unit_test(growing_past_the_limit_is_reported),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(the_nth_allocation_fails_on_demand),
        cmocka_unit_test(the_sanitizer_knows_what_is_not_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

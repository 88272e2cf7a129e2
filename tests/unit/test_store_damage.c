/* The store of records: flipped bits, damaged, foreign and newer files. */
#include "base/file.h"
#include "base/random.h"
#include "tests/check.h"
#include "tests/unit/store_harness.h"

#include <sqlite3.h>
#include <sys/stat.h>

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK)
        CHECK_FAIL("%s: %s", sql, message);
    sqlite3_close(database);
}

/* Flips one bit of one field of one row, for all fields and many bits. */
static void a_flipped_bit_in_a_row_is_noticed(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"problem_key", "device_class", "problem", "candidate",
                                        "source",      "compiler",     "status",  "detail",
                                        "stage",       "checksum"};
    static const char *const numbers[] = {"roles", "session", "sample_count", "wall_time"};
    static const char *const reals[] = {"median_seconds", "least_seconds", "spread_seconds"};
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    for (int n = 0; n < 8; n++) add_record(store, n);
    store_close(store);
    const char *copy = arena_print(place.arena, "cp %s %s.good", place.path, place.path);
    const char *restore = arena_print(place.arena, "cp %s.good %s", place.path, place.path);
    assert_int_equal(system(copy), 0);
    int flips = 0;
    for (int n = 0; n < 150; n++) {
        const char *sql;
        int id = 1 + (int)(random_bits(1, 0, (uint64_t)n) % 8),
            bit = (int)(random_bits(2, 0, (uint64_t)n) % 8);
        switch (n % 4) {
        case 0: {
            const char *field = texts[(n / 4) % 10];
            sql = arena_print(place.arena,
                              "UPDATE records SET %s = CAST(substr(CAST(%s AS BLOB), 1, 2) || "
                              "char(unicode(substr(%s, 3, 1)) + %d)"
                              " || substr(%s, 4) AS TEXT) WHERE id = %d AND length(%s) > 3",
                              field, field, field, 1 << (bit % 4), field, id, field);
            break;
        }
        case 1: {
            const char *field = numbers[(n / 4) % 4];
            sql = arena_print(place.arena,
                              "UPDATE records SET %s = (%s | %d) - (%s & %d) WHERE id = %d", field,
                              field, 1 << bit, field, 1 << bit, id);
            break;
        }
        case 2: {
            const char *field = reals[(n / 4) % 3];
            sql = arena_print(place.arena,
                              "UPDATE records SET %s = %s * 1.0000001 + 1e-15 WHERE id = %d", field,
                              field, id);
            break;
        }
        default:
            sql = arena_print(place.arena,
                              "UPDATE records SET samples = CAST(substr(samples, 1, 1) || x'%02x' "
                              "|| substr(samples, 3) AS BLOB) "
                              "WHERE id = %d AND length(samples) > 4",
                              1 << bit, id);
            break;
        }
        run_sql(place.path, sql);
        store = open_store(&place);
        int left = count_records(store); /* fails when a changed record is let through */
        assert_true(left == 7 || left == 8);
        assert_int_equal(store_damaged_count(store), 8 - left);
        flips += left == 7;
        store_close(store);
        assert_int_equal(system(restore), 0);
    }
    print_message("%d of 150 changes met a field and were noticed, none was let through\n", flips);
    assert_true(flips > 80);
    place_remove(&place);
}

/* Random bytes anywhere in the file: records that come back are whole, and the store can be used.
 */
static void a_damaged_file_is_survived(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    for (int n = 0; n < 40; n++) add_record(store, n);
    store_close(store);
    struct diagnostic diagnostic = {0};
    char *good;
    size_t byte_count;
    CHECK_OK(file_read(place.path, 1 << 24, place.arena, &good, &byte_count, &diagnostic));
    int aside = 0, kept = 0;
    for (uint64_t round = 0; round < 400; round++) {
        char *bad = arena_copy(place.arena, good, byte_count);
        size_t length = byte_count;
        if (round < byte_count / 4096)
            length = round * 4096 + round % 7; /* cut at each page */
        else
            for (uint64_t k = 0; k < 1 + round % 4; k++) {
                uint64_t at = random_bits(round, k, 0);
                bad[at % (round % 2 ? byte_count : 200)] ^= (char)(1 << (at >> 40) % 8);
            }
        CHECK_OK(file_write(place.path, bad, length, &diagnostic));
        store = open_store(&place);
        kept += count_records(store);
        add_record(store, 99);
        add_record(store, 98);
        int after = count_records(store);
        assert_true(after >= 1);
        aside += strstr(place.last_warning, "moved aside") != NULL;
        place.last_warning[0] = 0;
        store_close(store);
        assert_int_equal(system(arena_print(place.arena, "rm -f %s*", place.path)), 0);
    }
    print_message("400 damaged files: %d moved aside, %d of 16000 records saved\n", aside, kept);
    assert_true(aside > 20 && kept > 4000);
    place_remove(&place);
}

/* A few bits in every page, one at a time: what comes back is what was written. */
static void a_flipped_bit_in_any_page_is_noticed_or_harmless(void **unused)
{
    (void)unused;
    enum { PAGE_BYTES = 4096, FLIPS = 3 };
    struct diagnostic diagnostic = {0};
    struct place place;
    char *bytes;
    size_t byte_count;
    int kept = 0, flips = 0;
    place_make(&place);
    struct store *store = open_store(&place);
    for (int n = 0; n < 40; n++) add_record(store, n);
    store_close(store);
    CHECK_OK(file_read(place.path, 1 << 24, place.arena, &bytes, &byte_count, &diagnostic));
    for (size_t page = 0; page < byte_count / PAGE_BYTES; page++)
        for (uint64_t flip = 0; flip < FLIPS; flip++) {
            uint64_t bits = random_bits(7, page, flip);
            size_t at = page * PAGE_BYTES + bits % PAGE_BYTES;
            bytes[at] ^= (char)(1 << (bits >> 40) % 8);
            CHECK_OK(file_write(place.path, bytes, byte_count, &diagnostic));
            bytes[at] ^= (char)(1 << (bits >> 40) % 8);
            store = open_store(&place);
            kept += count_records(store); /* fails when a changed record is let through */
            store_close(store);
            assert_int_equal(system(arena_print(place.arena, "rm -f %s*", place.path)), 0);
            flips++;
        }
    print_message("%d bits in %zu pages: %d of %d records are kept\n", flips,
                  byte_count / PAGE_BYTES, kept, 40 * flips);
    assert_true(flips >= 3 * FLIPS && kept > 20 * flips);
    place_remove(&place);
}

/* A file with this content is moved aside, or used as an empty store; either way the store works.
 */
static void check_replaced(const char *bytes, size_t byte_count, bool replaced)
{
    struct diagnostic diagnostic = {0};
    struct place place;
    place_make(&place);
    CHECK_OK(file_write(place.path, bytes, byte_count, &diagnostic));
    struct store *store = open_store(&place);
    assert_int_equal(place.warnings, replaced);
    if (replaced) assert_non_null(strstr(place.last_warning, "moved aside"));
    assert_true(store_keeps(store));
    add_record(store, 1);
    assert_int_equal(count_records(store), 1);
    store_close(store);
    const char **names;
    int count;
    CHECK_OK(file_list(place.folder, "", place.arena, &names, &count, &diagnostic));
    int aside = 0;
    for (int n = 0; n < count; n++) aside += strncmp(names[n], "records.db.corrupt-", 19) == 0;
    assert_int_equal(aside, replaced);
    place_remove(&place);
}

static void foreign_files_are_moved_aside(void **unused)
{
    (void)unused;
    char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)random_bits(3, 1, i);
    check_replaced("", 0, false); /* an empty file is an empty store */
    check_replaced(bytes, sizeof bytes, true);
    check_replaced(bytes, 1, false); /* SQLite takes what is shorter than a header for nothing */
    check_replaced(bytes, 512, true);
    check_replaced("SQLite format 3", 16, true);
    memcpy(bytes, "SQLite format 3", 16);
    check_replaced(bytes, sizeof bytes, true);

    struct place place;
    place_make(&place);
    run_sql(place.path, "CREATE TABLE other (x); PRAGMA application_id = 77;");
    struct store *store = open_store(&place);
    assert_non_null(strstr(place.last_warning, "moved aside"));
    add_record(store, 1);
    store_close(store);
    place_remove(&place);
}

static void a_newer_store_is_left_alone(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    add_record(store, 1);
    store_close(store);
    run_sql(place.path, "PRAGMA user_version = 99;");
    store = open_store(&place);
    assert_non_null(strstr(place.last_warning, "newer version"));
    assert_false(store_keeps(store));
    add_record(store, 2);
    assert_int_equal(count_records(store), 1);
    store_close(store);
    run_sql(place.path, "PRAGMA user_version = 1;");
    store = open_store(&place);
    assert_int_equal(count_records(store), 1);
    store_close(store);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_in_a_row_is_noticed),
        cmocka_unit_test(a_damaged_file_is_survived),
        cmocka_unit_test(a_flipped_bit_in_any_page_is_noticed_or_harmless),
        cmocka_unit_test(foreign_files_are_moved_aside),
        cmocka_unit_test(a_newer_store_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

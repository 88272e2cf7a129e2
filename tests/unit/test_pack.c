/* Packs: what is written comes back whole, what is there is never lost, and a file that was made to do harm does none. */
#include "base/file.h"
#include "base/random.h"
#include "tests/check.h"
#include "tests/unit/store_harness.h"

#include <sqlite3.h>

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *database;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK)
        CHECK_FAIL("%s: %s", sql, message);
    sqlite3_close(database);
}

static const struct device_facts small_card = {.target = TARGET_CUDA,
                                               .name = "A \"card\"",
                                               .triple = "",
                                               .cpu = "",
                                               .features = "",
                                               .class_name = "even",
                                               .values = {[FACT_sm] = 86, [FACT_cores] = 28}};

/* A pack of records first .. last - 1 of the family, in the place's folder. */
static const char *make_pack(struct place *place, const char *name, int first, int last)
{
    struct diagnostic diagnostic = {0};
    struct store_copied copied;
    const char *path = file_join(place->arena, place->folder, name);
    struct store *store;
    CHECK_OK(store_open("", &place->progress, &store, &diagnostic));
    for (int n = first; n < last; n++) add_record(store, n);
    CHECK_OK(store_note_origin(store, &small_card, &diagnostic));
    CHECK_OK(store_note_origin(store, &small_card, &diagnostic)); /* kept once */
    CHECK_OK(store_write_pack(&store, 1, NULL, path, &copied, &diagnostic));
    assert_true(copied.added == last - first && copied.origins == 1 && copied.left_out == 0);
    store_close(store);
    return path;
}

static bool keep_origin(void *context, const struct origin *origin)
{
    struct place *place = context;
    snprintf(place->last_warning, sizeof place->last_warning, "%s|%s|%s", origin->device_class,
             origin->hone, origin->facts);
    return true;
}

static void packs_come_back_whole(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct place place;
    place_make(&place);
    const char *path = make_pack(&place, "a.pack", 0, 600);
    struct store *pack;
    CHECK_OK(store_open_foreign(path, NULL, &pack, &diagnostic));
    assert_int_equal(count_records(pack), 600);
    CHECK_OK(store_each_origin(pack, keep_origin, &place, &diagnostic));
    assert_non_null(strstr(place.last_warning, "even|" HONE_VERSION_TEXT "|{target: cuda, name: "
                                               "\"A _card_\", class: \"even\""));
    store_close(pack);

    /* The facts can be read again. */
    struct yaml *root;
    struct device_facts facts;
    const char *text = strchr(strchr(place.last_warning, '|') + 1, '|') + 1;
    CHECK_OK(yaml_parse("facts", text, strlen(text), place.arena, &root, &diagnostic));
    CHECK_OK(device_facts_read(root, place.arena, &facts, &diagnostic));
    assert_true(facts.values[FACT_cores] == 28 && facts.values[FACT_sm] == 86);

    struct store *store = open_store(&place);
    struct store_copied copied;
    for (int n = 0; n < 10; n++) add_record(store, n);
    CHECK_OK(store_import(store, path, &copied, &diagnostic));
    assert_true(copied.added == 590 && copied.known == 10 && copied.origins == 1);
    CHECK_OK(store_import(store, path, &copied, &diagnostic));
    assert_true(copied.added == 0 && copied.known == 600 && copied.origins == 0);
    assert_int_equal(count_records(store), 600);
    CHECK_REFUSED(store_write_pack(&store, 1, NULL, path, &copied, &diagnostic), STATUS_USAGE,
                  "exists already");
    diagnostic = (struct diagnostic){0};
    const char *none = file_join(place.arena, place.folder, "none.pack");
    CHECK_OK(
        store_write_pack(&store, 1, "line", none, &copied, &diagnostic)); /* no such operator */
    assert_int_equal(copied.added, 0);
    store_close(store);
    place_remove(&place);
}

static void packs_are_merged(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct place place;
    place_make(&place);
    struct store *both[2], *merged;
    struct store_copied copied;
    CHECK_OK(store_open_foreign(make_pack(&place, "a.pack", 0, 20), NULL, &both[0], &diagnostic));
    CHECK_OK(store_open_foreign(make_pack(&place, "b.pack", 15, 40), NULL, &both[1], &diagnostic));
    const char *path = file_join(place.arena, place.folder, "c.pack");
    CHECK_OK(store_write_pack(both, 2, NULL, path, &copied, &diagnostic));
    assert_true(copied.added == 40 && copied.known == 5 && copied.conflicts == 0);
    store_close(both[0]);
    store_close(both[1]);
    CHECK_OK(store_open_foreign(path, NULL, &merged, &diagnostic));
    assert_int_equal(count_records(merged), 40);
    store_close(merged);
    place_remove(&place);
}

/* The same measurement with other numbers, well made: what is here stays. */
static void what_is_known_is_not_overwritten(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct place place;
    struct store *other, *store;
    struct store_copied copied;
    place_make(&place);
    CHECK_OK(store_open("", NULL, &other, &diagnostic));
    for (int n = 0; n < 12; n++) {
        struct record record = make_record(n);
        if (record.status == RECORD_OK)
            record.spread_seconds *= 2;
        else
            record.detail = "something else";
        CHECK_OK(store_add(other, &record, &diagnostic));
    }
    const char *path = file_join(place.arena, place.folder, "a.pack");
    CHECK_OK(store_write_pack(&other, 1, NULL, path, &copied, &diagnostic));
    store_close(other);
    store = open_store(&place);
    for (int n = 0; n < 9; n++) add_record(store, n);
    CHECK_OK(store_import(store, path, &copied, &diagnostic));
    assert_true(copied.added == 3 && copied.known == 0 && copied.conflicts == 9);
    int seen = 0;
    struct record *records;
    for (int n = 0; n < 3; n++) {
        CHECK_OK(store_records(store, record_key(n), n % 2 ? "odd" : "even", place.arena, &records,
                               &seen, &diagnostic));
        struct record expected = make_record(n);
        check_records_equal(&records[0], &expected);
    }
    store_close(store);
    place_remove(&place);
}

/* What somebody may have done to a pack, and to the digest with it. */
static void hostile_packs_are_refused(void **unused)
{
    (void)unused;
    static const char *const deeds[] = {
        "DELETE FROM records WHERE id = 3",
        "UPDATE records SET median_seconds = 1e-9 WHERE id = 2",
        "UPDATE records SET checksum = '00000000000000000000000000000000' WHERE id = 2",
        "UPDATE records SET detail = char(27) || '[2J' WHERE id = 1",
        "UPDATE origins SET facts = '{target: cpu}'",
        "UPDATE pack SET value = '2' WHERE name = 'form'",
        "DELETE FROM pack",
        "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END",
        "CREATE VIEW v AS SELECT * FROM records",
        "CREATE TABLE extra (x)",
        "CREATE INDEX extra ON records (random_field) WHERE 0",
        "ALTER TABLE records ADD COLUMN more AS (abs(-9223372036854775808))",
        "ALTER TABLE records RENAME TO r; CREATE VIEW records AS SELECT * FROM r",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = 7",
    };
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    for (int n = 50; n < 55; n++) add_record(store, n);
    for (size_t d = 0; d < sizeof deeds / sizeof *deeds; d++) {
        struct diagnostic diagnostic = {0};
        struct store_copied copied;
        const char *name = arena_print(place.arena, "%zu.pack", d);
        const char *path = make_pack(&place, name, 0, 8);
        if (!strstr(deeds[d], "random_field"))
            run_sql(path, deeds[d]);
        else
            run_sql(path, "CREATE INDEX extra ON records (problem) WHERE length(problem) > 0");
        CHECK_REFUSED(store_import(store, path, &copied, &diagnostic), STATUS_BAD_INPUT, name);
        assert_int_equal(count_records(store), 5);
    }
    store_close(store);
    place_remove(&place);
}

/* Rows that are well made but cannot be what they say, in a store's file, which has no digest. */
static void incredible_rows_are_left_out(void **unused)
{
    (void)unused;
    struct place place, there;
    struct diagnostic diagnostic = {0};
    struct store_copied copied;
    place_make(&place);
    place_make(&there);
    struct store *other = open_store(&there);
    for (int n = 0; n < 6; n++) {
        struct record record = make_record(4 * n);
        if (n == 1) record.problem_key.low++;
        if (n == 2) record.detail = "\x1b[2J";
        if (n == 3) record.median_seconds *= 100;
        if (n == 4) record.roles = 64;
        if (n == 5) record.wall_time = -1;
        CHECK_OK(store_add(other, &record, &diagnostic));
    }
    store_close(other);
    struct store *store = open_store(&place);
    CHECK_OK(store_import(store, there.folder, &copied, &diagnostic));
    assert_true(copied.added == 1 && copied.left_out == 5);
    assert_int_equal(count_records(store), 1);
    store_close(store);
    place_remove(&there);
    place_remove(&place);
}

/* Bits of a pack's file: refused, or without any effect. */
static void flipped_bits_do_no_harm(void **unused)
{
    (void)unused;
    struct place place;
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t count;
    int refused = 0;
    enum { FLIPS = 120 };
    place_make(&place);
    const char *good = make_pack(&place, "good.pack", 0, 12);
    const char *path = file_join(place.arena, place.folder, "bad.pack");
    CHECK_OK(file_read(good, 1 << 22, place.arena, &bytes, &count, &diagnostic));
    for (int f = 0; f < FLIPS; f++) {
        struct store *store;
        size_t at = f < 40 ? (size_t)(f * 3) : (size_t)(random_bits(3, 0, (uint64_t)f) % count);
        char bit = (char)(1 << (f % 8));
        bytes[at] = (char)(bytes[at] ^ bit);
        diagnostic = (struct diagnostic){0};
        CHECK_OK(file_write(path, bytes, count, &diagnostic));
        if (store_open_foreign(path, NULL, &store, &diagnostic) == STATUS_OK) {
            assert_int_equal(count_records(store), 12);
            store_close(store);
        } else {
            refused++;
        }
        bytes[at] = (char)(bytes[at] ^ bit);
    }
    for (size_t length = 0; length < count; length += count / 16) {
        struct store *store;
        diagnostic = (struct diagnostic){0};
        CHECK_OK(file_write(path, bytes, length, &diagnostic));
        CHECK_REFUSED(store_open_foreign(path, NULL, &store, &diagnostic), STATUS_BAD_INPUT, path);
    }
    print_message("%d of %d flipped bits were refused, the others were in free space\n", refused,
                  FLIPS);
    assert_true(refused > FLIPS / 4);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_come_back_whole),
        cmocka_unit_test(packs_are_merged),
        cmocka_unit_test(what_is_known_is_not_overwritten),
        cmocka_unit_test(hostile_packs_are_refused),
        cmocka_unit_test(incredible_rows_are_left_out),
        cmocka_unit_test(flipped_bits_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The store of records: round trip, several writers, files that cannot be written.  Damaged files
 * are in test_store_damage.c; killing writers is in tests/faults/test_store_kill.c. */
#include "base/clock.h"
#include "base/file.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tests/unit/store_harness.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void records_come_back_as_they_were(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    assert_true(store_keeps(store));
    for (int n = 0; n < 30; n++) add_record(store, n);
    add_record(store, 7); /* again: the same record is kept once */
    store_close(store);
    store = open_store(&place);
    assert_int_equal(count_records(store), 30);
    struct record *records;
    int count;
    CHECK_OK(store_records(store, record_key(1), "odd", place.arena, &records, &count,
                           &diagnostic));
    assert_int_equal(count, 5); /* 1, 7, 13, 19, 25 */
    for (int r = 0; r < count; r++) {
        struct record expected = make_record(1 + 6 * r);
        check_records_equal(&records[r], &expected);
    }
    CHECK_OK(store_records(store, (struct hash){9, 9}, "odd", place.arena, &records, &count,
                           &diagnostic));
    assert_int_equal(count, 0);
    assert_int_equal(place.warnings, 0);
    store_close(store);
    place_remove(&place);
}

/* Runs `body` in a child; returns its exit status. */
static int in_child(void (*body)(struct place *place, int number), struct place *place, int number)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body(place, number);
        _exit(0);
    }
    return pid;
}

static int child_status(pid_t pid)
{
    int state;
    assert_int_equal(waitpid(pid, &state, 0), pid);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

enum { WRITERS = 8, PER_WRITER = 100 };

static void write_many(struct place *place, int number)
{
    struct diagnostic diagnostic = {0};
    struct store *store;
    if (store_open(place->folder, &place->progress, &store, &diagnostic) != STATUS_OK) _exit(2);
    for (int n = 0; n < PER_WRITER; n++) {
        struct record record = make_record(number * PER_WRITER + n);
        if (store_add(store, &record, &diagnostic) != STATUS_OK) _exit(3);
    }
    if (!store_keeps(store)) _exit(4);
    store_close(store);
}

static void several_processes_write_at_once(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    pid_t pids[WRITERS];
    for (int w = 0; w < WRITERS; w++) pids[w] = in_child(write_many, &place, w);
    for (int w = 0; w < WRITERS; w++) assert_int_equal(child_status(pids[w]), 0);
    struct store *store = open_store(&place);
    assert_int_equal(count_records(store), WRITERS * PER_WRITER);
    store_close(store);
    place_remove(&place);
}

/* In a child, as a user who may not write here. */
static void use_read_only(struct place *place, int expected)
{
    struct diagnostic diagnostic = {0};
    struct store *store;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(10);
    if (store_open(place->folder, &place->progress, &store, &diagnostic) != STATUS_OK) _exit(11);
    if (store_keeps(store) || place->warnings != 1) _exit(12);
    for (int n = 50; n < 53; n++) {
        struct record record = make_record(n);
        if (store_add(store, &record, &diagnostic) != STATUS_OK) _exit(13);
    }
    int count = 0;
    if (store_each(store, check_known, &count, &diagnostic) != STATUS_OK) _exit(14);
    if (count != expected + 3 || place->warnings != 1) _exit(15);
    store_close(store);
}

static void a_store_that_cannot_be_written_is_read(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    for (int n = 0; n < 5; n++) add_record(store, n);
    store_close(store);
    assert_int_equal(
        system(arena_print(place.arena, "chmod 444 %s* && chmod 555 %s", place.path, place.folder)),
        0);
    assert_int_equal(child_status(in_child(use_read_only, &place, 5)), 0);
    chmod(place.folder, 0755);
    unlink(place.path);
    chmod(place.folder, 0555);
    assert_int_equal(child_status(in_child(use_read_only, &place, 0)), 0);
    place_remove(&place);
}

static void fill_disk(struct place *place, int unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct store *store;
    if (store_open(place->folder, &place->progress, &store, &diagnostic) != STATUS_OK) _exit(11);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {200000, 200000};
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int n = 0; n < 1000; n++) {
        struct record record = make_record(n);
        if (store_add(store, &record, &diagnostic) != STATUS_OK) _exit(12);
    }
    if (store_keeps(store) || place->warnings != 1) _exit(13);
    int count = 0;
    if (store_each(store, check_known, &count, &diagnostic) != STATUS_OK || count != 1000)
        _exit(14);
    store_close(store);
}

static void a_full_disk_is_survived(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    assert_int_equal(child_status(in_child(fill_disk, &place, 0)), 0);
    struct store *store = open_store(&place); /* space again */
    int kept = count_records(store);
    assert_true(kept > 10 && kept < 1000);
    add_record(store, 2000);
    assert_int_equal(count_records(store), kept + 1);
    assert_true(store_keeps(store));
    store_close(store);
    place_remove(&place);
}

static void a_folder_that_goes_away_is_survived(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    add_record(store, 1);
    assert_int_equal(scratch_remove(place.folder), 0);
    add_record(store, 2);
    add_record(store, 3);
    assert_int_equal(count_records(store), 3);
    assert_true(place.warnings <= 1);
    store_close(store);
    store = open_store(&place); /* makes the folder again */
    add_record(store, 4);
    assert_true(store_keeps(store));
    store_close(store);
    place_remove(&place);
}

static void places_that_cannot_be_are_survived(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    static const char *const folders[] = {"/dev/null/x", "/proc/hone",
                                          "/tmp/hone store?with#odd%20name\n\xc3\xa4"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct store *store;
        CHECK_OK(store_open(folders[i], NULL, &store, &diagnostic));
        add_record(store, 1);
        assert_int_equal(count_records(store), 1);
        assert_int_equal(store_keeps(store), i == 2);
        store_close(store);
    }
    assert_int_equal(system("rm -rf '/tmp/hone store?with#odd%20name\n\xc3\xa4'"), 0);
    struct place place;
    place_make(&place);
    assert_int_equal(mkdir(place.path, 0755), 0); /* a folder in the file's place */
    struct store *store = open_store(&place);
    add_record(store, 1);
    assert_int_equal(count_records(store), 1);
    store_close(store);
    place_remove(&place);
}

static void opening_is_quick(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    double start = clock_seconds();
    for (int n = 0; n < 5000; n++) add_record(store, n);
    double writing = (clock_seconds() - start) / 5000;
    store_close(store);
    double best = 1;
    for (int round = 0; round < 20; round++) {
        start = clock_seconds();
        store = open_store(&place);
        double seconds = clock_seconds() - start;
        if (seconds < best) best = seconds;
        store_close(store);
    }
    print_message("opening 5000 records: %.2f ms; adding one: %.0f us\n", best * 1e3,
                  writing * 1e6);
    assert_true(best < 0.02);
    place_remove(&place);
}

static void stores_are_merged_once(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct place here, there;
    place_make(&here);
    place_make(&there);
    struct store *a = open_store(&here), *b = open_store(&there);
    for (int n = 0; n < 10; n++) add_record(a, n);
    for (int n = 5; n < 20; n++) add_record(b, n);
    store_close(b);
    struct store_copied copied;
    CHECK_OK(store_import(a, there.path, &copied, &diagnostic));
    assert_true(copied.added == 10 && copied.known == 5);
    CHECK_OK(store_import(a, there.path, &copied, &diagnostic));
    assert_true(copied.added == 0 && copied.known == 15);
    assert_int_equal(count_records(a), 20);
    CHECK_REFUSED(store_import(a, "/nowhere/records.db", &copied, &diagnostic), STATUS_BAD_INPUT,
                  "no such file");
    CHECK_REFUSED(store_import(a, HONE_SOURCE_FOLDER "/CMakeLists.txt", &copied, &diagnostic),
                  STATUS_BAD_INPUT, "no store of Hone");
    store_close(a);
    place_remove(&here);
    place_remove(&there);
}

static void senseless_numbers_are_left_out(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    static const double bad[] = {NAN, INFINITY, -1, 0, 1e-30, 1e30};
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct record record = make_record((int)i * 4);
        record.median_seconds = bad[i];
        status code = store_add(store, &record, &diagnostic);
        diagnostic = (struct diagnostic){0};
        (void)code;
    }
    assert_int_equal(count_records(store), 0);
    store_close(store);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_were),
        cmocka_unit_test(several_processes_write_at_once),
        cmocka_unit_test(a_store_that_cannot_be_written_is_read),
        cmocka_unit_test(a_full_disk_is_survived),
        cmocka_unit_test(a_folder_that_goes_away_is_survived),
        cmocka_unit_test(places_that_cannot_be_are_survived),
        cmocka_unit_test(opening_is_quick),
        cmocka_unit_test(stores_are_merged_once),
        cmocka_unit_test(senseless_numbers_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

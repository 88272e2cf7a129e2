/* The store of records: round trip, several writers, damage of every kind, files that cannot be
 * written.  Killing writers is in tests/faults/test_store_kill.c. */
#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "tests/check.h"
#include "tuner/store.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder for one test, and what the store warned about. */
struct place {
    struct arena *arena;
    const char *folder, *path;
    int warnings;
    char last_warning[1024];
    struct progress progress;
};

static void count_warning(void *context, const char *message)
{
    struct place *place = context;
    place->warnings++;
    snprintf(place->last_warning, sizeof place->last_warning, "%s", message);
}

static void place_make(struct place *place)
{
    char folder[] = "/tmp/hone_store_XXXXXX";
    assert_non_null(mkdtemp(folder));
    *place = (struct place){.arena = arena_create(0)};
    place->folder = arena_text(place->arena, folder);
    place->path = file_join(place->arena, folder, "records.db");
    place->progress = (struct progress){.context = place, .warn = count_warning};
}

static void place_remove(struct place *place)
{
    char *command =
        arena_print(place->arena, "chmod -R u+w %s; rm -rf %s", place->folder, place->folder);
    assert_int_equal(system(command), 0);
    arena_destroy(place->arena);
}

static struct store *open_store(struct place *place)
{
    struct diagnostic diagnostic = {0};
    struct store *store;
    CHECK_OK(store_open(place->folder, &place->progress, &store, &diagnostic));
    return store;
}

static float sample_values[RECORD_SAMPLES_MAX];

/* Record `n` of a family: all fields depend on n. */
static struct record make_record(int n)
{
    for (int i = 0; i < 64; i++) sample_values[i] = 1e-6f * (float)(n + 1) * (1 + 0.01f * (float)i);
    static char candidate[64];
    snprintf(candidate, sizeof candidate, "linear_dot_cpu streams=%d", n);
    struct record record = {
        .problem = "linear(f32[rows,64], q8_0[32,64], _, _) -> f32[rows,32] rows<=1",
        .problem_key = {.high = 1, .low = (uint64_t)(n % 3)},
        .candidate = candidate,
        .source = {.high = 5, .low = 6},
        .device_class = n % 2 ? "odd" : "even",
        .compiler = "llvm 19.1.7",
        .protocol = RECORD_PROTOCOL,
        .status = n % 4 == 3 ? RECORD_CRASHED : RECORD_OK,
        .detail = n % 4 == 3 ? "killed by signal 11" : "",
        .stage = n % 5 ? RECORD_EXPLORED : RECORD_FINAL,
        .roles = n % 4,
        .session = 1000 + n,
        .wall_time = 1700000000 + n,
    };
    if (record.status == RECORD_OK) {
        record.median_seconds = 1e-6 * (n + 1) * 1.3;
        record.least_seconds = 1e-6 * (n + 1);
        record.spread_seconds = 1e-8;
        record.sample_count = 1 + n % 64;
        record.samples = sample_values;
    }
    return record;
}

static void add(struct store *store, int n)
{
    struct diagnostic diagnostic = {0};
    struct record record = make_record(n);
    CHECK_OK(store_add(store, &record, &diagnostic));
}

static void check_equal(const struct record *a, const struct record *b)
{
    CHECK_TEXT(a->problem, b->problem);
    CHECK_TEXT(a->candidate, b->candidate);
    CHECK_TEXT(a->device_class, b->device_class);
    CHECK_TEXT(a->compiler, b->compiler);
    CHECK_TEXT(a->detail, b->detail);
    assert_true(hash_equal(a->problem_key, b->problem_key) && hash_equal(a->source, b->source));
    assert_true(a->status == b->status && a->stage == b->stage && a->roles == b->roles &&
                a->session == b->session && a->wall_time == b->wall_time &&
                a->protocol == b->protocol && a->sample_count == b->sample_count);
    assert_true(a->median_seconds == b->median_seconds && a->least_seconds == b->least_seconds &&
                a->spread_seconds == b->spread_seconds);
    if (a->sample_count)
        assert_memory_equal(a->samples, b->samples, (size_t)a->sample_count * sizeof *a->samples);
}

/* Each record is one of the family. */
static bool check_known(void *context, const struct record *record)
{
    struct record expected = make_record((int)(record->session - 1000));
    check_equal(record, &expected);
    if (context) ++*(int *)context;
    return true;
}

static int count_records(struct store *store)
{
    struct diagnostic diagnostic = {0};
    int count = 0;
    CHECK_OK(store_each(store, check_known, &count, &diagnostic));
    return count;
}

static void records_come_back_as_they_were(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    assert_true(store_keeps(store));
    for (int n = 0; n < 30; n++) add(store, n);
    add(store, 7); /* again: the same record is kept once */
    store_close(store);
    store = open_store(&place);
    assert_int_equal(count_records(store), 30);
    struct record *records;
    int count;
    CHECK_OK(store_records(store, (struct hash){1, 1}, "odd", place.arena, &records, &count,
                           &diagnostic));
    assert_int_equal(count, 5); /* 1, 7, 13, 19, 25 */
    for (int r = 0; r < count; r++) {
        struct record expected = make_record(1 + 6 * r);
        check_equal(&records[r], &expected);
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
    for (int n = 0; n < 8; n++) add(store, n);
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
    for (int n = 0; n < 40; n++) add(store, n);
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
        add(store, 99);
        add(store, 98);
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
    add(store, 1);
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
    add(store, 1);
    store_close(store);
    place_remove(&place);
}

static void a_newer_store_is_left_alone(void **unused)
{
    (void)unused;
    struct place place;
    place_make(&place);
    struct store *store = open_store(&place);
    add(store, 1);
    store_close(store);
    run_sql(place.path, "PRAGMA user_version = 99;");
    store = open_store(&place);
    assert_non_null(strstr(place.last_warning, "newer version"));
    assert_false(store_keeps(store));
    add(store, 2);
    assert_int_equal(count_records(store), 1);
    store_close(store);
    run_sql(place.path, "PRAGMA user_version = 1;");
    store = open_store(&place);
    assert_int_equal(count_records(store), 1);
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
    for (int n = 0; n < 5; n++) add(store, n);
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
    add(store, 2000);
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
    add(store, 1);
    assert_int_equal(system(arena_print(place.arena, "rm -rf %s", place.folder)), 0);
    add(store, 2);
    add(store, 3);
    assert_int_equal(count_records(store), 3);
    assert_true(place.warnings <= 1);
    store_close(store);
    store = open_store(&place); /* makes the folder again */
    add(store, 4);
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
        add(store, 1);
        assert_int_equal(count_records(store), 1);
        assert_int_equal(store_keeps(store), i == 2);
        store_close(store);
    }
    assert_int_equal(system("rm -rf '/tmp/hone store?with#odd%20name\n\xc3\xa4'"), 0);
    struct place place;
    place_make(&place);
    assert_int_equal(mkdir(place.path, 0755), 0); /* a folder in the file's place */
    struct store *store = open_store(&place);
    add(store, 1);
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
    for (int n = 0; n < 5000; n++) add(store, n);
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
    for (int n = 0; n < 10; n++) add(a, n);
    for (int n = 5; n < 20; n++) add(b, n);
    store_close(b);
    long added = 0;
    CHECK_OK(store_import(a, there.path, &added, &diagnostic));
    assert_int_equal(added, 10);
    CHECK_OK(store_import(a, there.path, &added, &diagnostic));
    assert_int_equal(added, 0);
    assert_int_equal(count_records(a), 20);
    CHECK_REFUSED(store_import(a, "/nowhere/records.db", &added, &diagnostic), STATUS_BAD_INPUT,
                  "no such file");
    CHECK_REFUSED(store_import(a, HONE_SOURCE_FOLDER "/CMakeLists.txt", &added, &diagnostic),
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
        cmocka_unit_test(a_flipped_bit_in_a_row_is_noticed),
        cmocka_unit_test(a_damaged_file_is_survived),
        cmocka_unit_test(foreign_files_are_moved_aside),
        cmocka_unit_test(a_newer_store_is_left_alone),
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

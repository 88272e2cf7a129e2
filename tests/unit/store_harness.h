/* What the tests of the store share: a folder for one test, and a family of records of which every
 * field depends on a number. */
#ifndef TESTS_UNIT_STORE_HARNESS_H
#define TESTS_UNIT_STORE_HARNESS_H

#include "tuner/store.h"

/* A folder for one test, and what the store warned about. */
struct place {
    struct arena *arena;
    const char *folder, *path;
    int warnings;
    char last_warning[1024];
    struct progress progress;
};

void place_make(struct place *place);
void place_remove(struct place *place);
struct store *open_store(struct place *place);

/* Record `n` of the family; it stays valid until the next call. */
struct record make_record(int n);
struct hash record_key(int n); /* of its problem: one of three */
void add_record(struct store *store, int n);
void check_records_equal(const struct record *a, const struct record *b);

/* For store_each: fails the test when a record is none of the family; counts into the int
 * `context`. */
bool check_known(void *context, const struct record *record);
int count_records(struct store *store);

#endif

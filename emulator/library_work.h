/* What a stand-in library (cublaslt*.c) asks of the stand-in driver, found in it by name: work of its own in a stream, over
 * the memory of cards, in the order of the stream's other work and captured into graphs like it. */
#ifndef EMULATOR_LIBRARY_WORK_H
#define EMULATOR_LIBRARY_WORK_H

#include <stdbool.h>
#include <stdint.h>

enum { LIBRARY_AREAS_MAX = 6, LIBRARY_ARGUMENT_BYTES = 192 };

/* Memory that the work reads or writes; bytes 0: an area that is not there. */
struct library_area {
    uint64_t address, bytes;
};

struct library_work {
    const char *name; /* for the reason of a failure; lives as long as the library */
    /* `memory`: the areas' bytes on the host, NULL for those that are not there.  False: out of memory. */
    bool (*run)(const void *argument, unsigned char *const *memory);
    _Alignas(8) unsigned char argument[LIBRARY_ARGUMENT_BYTES];
    double seconds; /* by the library's own model */
    int area_count;
    struct library_area areas[LIBRARY_AREAS_MAX];
};

/* Of the card whose context is current. */
struct library_card {
    int sm;
    uint32_t multiprocessors;
    double clock_hz, memory_bytes_per_second, matrix_operations_per_clock;
};

/* Both return a CUresult.  An area outside of every live allocation is an illegal address, which the context remembers. */
int hone_emulator_library_submit(void *stream, const struct library_work *work);
typedef int hone_emulator_library_submit_function(void *stream, const struct library_work *work);
int hone_emulator_library_card(struct library_card *card);
typedef int hone_emulator_library_card_function(struct library_card *card);

/* Scripted: whether libraries cannot start, and whether they are of an older version. */
enum { LIBRARY_FAULT_MISSING = 1, LIBRARY_FAULT_OLD = 2 };
int hone_emulator_library_faults(void);
typedef int hone_emulator_library_faults_function(void);

#endif

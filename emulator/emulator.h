/* The stand-in CUDA driver: libcuda.so.1 over host memory, which runs the PTX that NVRTC emits.
 *
 * Programs find it like the real one: by name, through HONE_CUDA_PATH, or with
 * `--devices emulated:sm_86:24GiB`.  It answers NO_BINARY_FOR_GPU to machine code and takes PTX.
 *
 * Environment, read at cuInit:
 *
 *   HONE_EMULATED_CARDS     "sm_86:24GiB,sm_89:16GiB": architecture and memory of each card, and
 *                           optionally ":MULTIPROCESSORS".  Default: one sm_86 with 24 GiB.
 *   HONE_EMULATOR_THREADS   host threads that run blocks; default: all cores.
 *   HONE_EMULATOR_CHECKS    what is checked beside bounds and alignment: "initialised", "races",
 *                           "counters" (bank conflicts, sectors); separated by commas, or "all"
 *                           (default) or "none".
 *   HONE_EMULATOR_QUIET     1: reasons of failed launches are not printed on stderr.
 *   HONE_EMULATOR_FAULTS    scripted faults, separated by commas.  N counts from 1, over all cards:
 *       alloc:N=oom         the N-th allocation of device memory: CUDA_ERROR_OUT_OF_MEMORY
 *       alloc:N+=oom        that and all later ones
 *       launch:N=illegal    the N-th launch: illegal address (the context stays unusable)
 *       launch:N=hang       the N-th launch never ends
 *       launch:N=lost       the N-th launch: the card has fallen off the bus, for good
 *       launch:N=slow       the N-th launch takes a second longer, by the events
 *       copy:N=lost         the same at the N-th copy
 *       peer:N=corrupt      the N-th copy from card to card silently changes one bit
 *       load:N=invalid      the N-th module: CUDA_ERROR_INVALID_PTX
 *       library:N=invalid   the N-th call of a library (cublaslt.h): it fails; also illegal, lost, slow
 *       driver=old          cuDriverGetVersion says 11.4, and newer functions are missing
 *       device=none         cuInit: CUDA_ERROR_NO_DEVICE
 *       peer=none           no card can reach another
 *       library=none        libraries cannot start
 *       library=old         libraries say that they are of an older version
 *
 * Every launch is checked: global accesses lie within one live allocation and are aligned; shared
 * memory is written before it is read, and no two warps touch it without a barrier between them
 * where one of them writes; barriers are reached by all lanes; asynchronous copies and products
 * become visible only when they are waited for.  A launch that fails a check fails as on a card
 * (CUDA_ERROR_ILLEGAL_ADDRESS, ...MISALIGNED_ADDRESS, ...LAUNCH_FAILED, ...), the context is
 * unusable afterwards, and the reason is printed.
 *
 * Event times come from a model, not from a clock: they are the same in every run (cost.h). */
#ifndef EMULATOR_EMULATOR_H
#define EMULATOR_EMULATOR_H

#include "emulator/counters.h"

#include <stddef.h>

/* What dlsym of the library finds, beside the driver's functions.
 *
 * hone_emulator_last_launches: fills `counters` (room for `most`) with those of the last launches,
 * the newest first, and returns how many there are (the stand-in keeps 64). */
size_t hone_emulator_last_launches(struct hone_emulator_counters *counters, size_t most);
typedef size_t hone_emulator_last_launches_function(struct hone_emulator_counters *, size_t);

/* The reason of the last failed launch, "" when there was none.  Valid until the next failure. */
const char *hone_emulator_last_fault(void);
typedef const char *hone_emulator_last_fault_function(void);

/* The same as a JSON array, the oldest of them first, for programs that do not share the struct; its
 * fields are described in docs/emulator.md.  Returns the bytes of the text with its end; `buffer` is
 * filled when that is not more than `bytes`. */
size_t hone_emulator_report(size_t most, char *buffer, size_t bytes);
typedef size_t hone_emulator_report_function(size_t, char *, size_t);

/* The name of the instruction category `index`, NULL behind the last. */
const char *hone_emulator_category(size_t index);
typedef const char *hone_emulator_category_function(size_t);

#endif

/* Timed runs, and what keeps a kernel from working less in them than when it is checked.
 *
 * Before each run a place of the outputs is spoiled, so that it must be written again, and a number
 * of the inputs changes by its last bit, so that no two runs have the same inputs: what was
 * computed before is of no use.  That costs two cache lines a run.  Now and then, at random, all inputs
 * are exchanged for others at the same addresses before a sample, and the results are compared with
 * the reference after it.  Devices with memory of their own are watched in the second way only. */
#include "base/clock.h"
#include "base/random.h"
#include "tuner/trial_fresh.h"
#include "tuner/trial_memory.h"

#include <string.h>

enum { STREAM_OUTPUT = 3200, STREAM_INPUT, STREAM_AMBUSH };

/* Of all samples, and at most of the time of all samples, so that large operands cost no more. */
enum { AMBUSH_ONE_IN = 8 };
static const double ambush_share = 0.1;

/* ---- Probes ---- */

/* A plausible number of each element type, but another one. */
static uint32_t spoiling_mask(enum element_type element)
{
    switch (element_of(element)->block_bytes) {
    case 2: return 0x00200020u;
    case 4: return 0x00200000u;
    default: return 0x20202020u;
    }
}

/* The outputs in turn. */
static void place_output(const struct trial *trial, int n, struct trial_probe *probe)
{
    const struct workload *workload = &trial->workloads[TRIAL_WHOLE];
    int inputs = trial->problem->input_count, outputs = workload->operand_count - inputs;
    for (int o = 0; o < outputs && !probe->output; o++) {
        int i = inputs + (n + o) % outputs;
        const struct workload_operand *operand = &workload->operands[i];
        if (!operand->present || operand->bytes < 4) continue;
        uint64_t words = (uint64_t)operand->bytes / 4;
        probe->mask = spoiling_mask(trial->problem->operands[i].type.element);
        probe->output = workload->memory + operand->offset +
                        4 * (random_bits(trial->seed, STREAM_OUTPUT, (uint64_t)n) % words);
    }
}

static bool is_float(enum element_type element)
{
    return element == ELEMENT_F32 || element == ELEMENT_F16 || element == ELEMENT_BF16;
}

/* Numbers that are neither zero nor close to it: the last bit of those is slow to compute with. */
static bool is_ordinary(enum element_type element, const unsigned char *number)
{
    float value;
    element_decode_row(element, number, 1, &value);
    return value > 0x1p-10f || value < -0x1p-10f;
}

static unsigned char *place_input(const struct trial *trial, uint64_t n)
{
    const struct workload *workload = &trial->workloads[TRIAL_WHOLE];
    for (int i = 0; i < trial->problem->input_count; i++) {
        const struct workload_operand *operand = &workload->operands[i];
        enum element_type element = trial->problem->operands[i].type.element;
        enum value_kind kind = trial->problem->operands[i].kind;
        if (!operand->present || operand->cold || operand->written || !is_float(element) ||
            kind == VALUE_WEIGHT || kind == VALUE_STATE)
            continue;
        int bytes = element_of(element)->block_bytes;
        uint64_t count = (uint64_t)(operand->bytes / bytes);
        unsigned char *number =
            workload->memory + operand->offset +
            (uint64_t)bytes * (random_bits(trial->seed, STREAM_INPUT, n) % count);
        return is_ordinary(element, number) ? number : NULL;
    }
    return NULL;
}

/* Only where the host's memory is what kernels use. */
void trial_probes_place(struct trial *trial)
{
    if (trial->runner && trial->runner->allocate) return;
    for (int n = 0; n < TRIAL_PROBES; n++) {
        struct trial_probe *probe = &trial->probes[n];
        place_output(trial, n, probe);
        probe->input = place_input(trial, (uint64_t)n);
        if (probe->input) probe->original = *probe->input;
    }
}

void trial_probes_restore(const struct trial *trial)
{
    for (int n = 0; n < TRIAL_PROBES; n++)
        if (trial->probes[n].input) *trial->probes[n].input = trial->probes[n].original;
}

static uint32_t read_word(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Gives what is in the place of the outputs now. */
static uint32_t spoil(const struct trial_probe *probe, bool changes)
{
    if (probe->input && changes) *probe->input ^= 1;
    if (!probe->output) return 0;
    uint32_t spoiled = read_word(probe->output) ^ probe->mask;
    memcpy(probe->output, &spoiled, sizeof spoiled);
    return spoiled;
}

/* ---- Runs ---- */

/* `cold`: walks over the sets of cold operands. */
static status run_watched(const struct trial *trial, struct trial_kernel *kernel,
                          const struct run *run, bool cold, bool changes, int n, int runs,
                          double *seconds, struct diagnostic *diagnostic)
{
    int missed = 0;
    int64_t start = clock_nanoseconds();
    for (int r = 0; r < runs; r++) {
        const struct trial_probe *probe = &trial->probes[(n + r) % TRIAL_PROBES];
        uint32_t spoiled = spoil(probe, changes);
        TRY(kernel->runner->run(kernel->context, kernel->kernel, run,
                                trial_memory_operands(trial, TRIAL_WHOLE, cold ? n + r : 0),
                                diagnostic));
        missed += probe->output && read_word(probe->output) == spoiled;
    }
    *seconds = (double)(clock_nanoseconds() - start) * 1e-9;
    if (!missed) return STATUS_OK;
    trial_reject(&kernel->fault, RECORD_MISMATCH, "%d of %d timed runs left results out", missed,
                 runs);
    return fail(diagnostic, STATUS_FAILED, "%s", kernel->fault.detail);
}

static status run_timed(const struct trial *trial, struct trial_kernel *kernel,
                        const struct run *run, bool fresh, bool cold, int n, int runs,
                        double *seconds, struct diagnostic *diagnostic)
{
    const struct trial_part *part = &trial->parts[TRIAL_WHOLE];
    if (!kernel->runner->time || !kernel->runner->allocate)
        return run_watched(trial, kernel, run, cold, !fresh, n, runs, seconds, diagnostic);
    int sets = cold ? part->operand_sets : 1;
    const struct runner_timing wanted = {.run = run,
                                         .operands = part->operands,
                                         .operand_sets = sets,
                                         .first = n % sets,
                                         .count = runs};
    return kernel->runner->time(kernel->context, kernel->kernel, &wanted, seconds, diagnostic);
}

/* ---- Ambushes ---- */

/* States have a copy in every set, and the fresh ones are in the first. */
static bool swaps_cold(const struct trial *trial)
{
    const struct workload *workload = &trial->workloads[TRIAL_WHOLE];
    for (int i = 0; i < trial->problem->input_count; i++)
        if (workload->operands[i].cold && trial->problem->operands[i].kind != VALUE_WEIGHT)
            return true;
    return false;
}

static bool changes_states(const struct trial *trial)
{
    return trial->workloads[TRIAL_WHOLE].written_bytes > 0;
}

/* The results of the run before are what is found in the outputs: they look right, and are not. */
static status run_ambushed(struct trial *trial, struct trial_kernel *kernel, int n, int runs,
                           double *seconds, struct diagnostic *diagnostic)
{
    double start = clock_seconds();
    struct outcome *fault = &kernel->fault;
    *seconds = 0;
    TRY(trial_fresh_enter(trial, diagnostic));
    status code = run_timed(trial, kernel, &trial->workloads[trial->fresh].run, true,
                            !swaps_cold(trial), n, runs, seconds, diagnostic);
    if (code == STATUS_OK) code = trial_memory_fetch_outputs(trial, TRIAL_WHOLE, diagnostic);
    if (code == STATUS_OK && !trial_fresh_right(trial, kernel, fault))
        code = fail(diagnostic, STATUS_FAILED, "%s", fault->detail);
    TRY(trial_fresh_leave(trial, diagnostic));
    kernel->ambush_seconds += clock_seconds() - start - *seconds;
    return code;
}

status trial_run(void *timing, int n, int runs, double *seconds, struct diagnostic *diagnostic)
{
    const struct trial_timing *own = timing;
    struct trial *trial = own->trial;
    struct trial_kernel *kernel = own->kernel;
    bool ambush = random_bits(trial->seed, STREAM_AMBUSH, kernel->samples++) % AMBUSH_ONE_IN == 0 &&
                  kernel->ambush_seconds < ambush_share * kernel->timed_seconds;
    kernel->fault = (struct outcome){.status = RECORD_OK};
    /* Where a run goes on from the states that the run before left, only the first result is known. */
    if (ambush && !changes_states(trial))
        TRY(run_ambushed(trial, kernel, n, runs, seconds, diagnostic));
    else
        TRY(run_timed(trial, kernel, &trial->workloads[TRIAL_WHOLE].run, false, true, n, runs,
                      seconds, diagnostic));
    kernel->timed_seconds += *seconds;
    trial_step(trial);
    return STATUS_OK;
}

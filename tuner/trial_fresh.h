/* Other inputs at the same addresses, and what watches timed runs, for tuner/trial*.c only. */
#ifndef TUNER_TRIAL_FRESH_H
#define TUNER_TRIAL_FRESH_H

#include "tuner/trial.h"

/* Both give false. */
PRINTF_LIKE(3, 4)
bool trial_reject(struct outcome *outcome, enum record_status why, const char *format, ...);
bool trial_reject_run(struct outcome *outcome, status code, const struct diagnostic *diagnostic);

/* A run has ended. */
void trial_step(const struct trial *trial);

/* After the workloads have been made. */
CHECKED status trial_fresh_create(struct trial *trial, struct diagnostic *diagnostic);

/* Brings the fresh inputs into the places of the whole problem's, and back.  Weights stay. */
CHECKED status trial_fresh_enter(struct trial *trial, struct diagnostic *diagnostic);
CHECKED status trial_fresh_leave(struct trial *trial, struct diagnostic *diagnostic);

/* After a run on fresh inputs: the results are theirs, and the inputs as they were. */
bool trial_fresh_right(const struct trial *trial, const struct trial_kernel *kernel,
                       struct outcome *outcome);

/* Runs the kernel on the fresh inputs. */
bool trial_fresh_check(struct trial *trial, const struct trial_kernel *kernel,
                       struct outcome *outcome);

/* Runs the kernel on the first rows of the whole problem, for many numbers of rows, where rows are
 * alike. */
bool trial_sweep_rows(struct trial *trial, const struct trial_kernel *kernel,
                      struct outcome *outcome);

/* trial_watch.c: chooses the places; puts back what they changed in the inputs. */
void trial_probes_place(struct trial *trial);
void trial_probes_restore(const struct trial *trial);

#endif

/* A plan's two schedules: two executors on the weights and states of the first, of which each step has one.
 *
 * They never work at once: whoever comes next waits for what the other has under way, because both write the same states. */
#include "runtime/executor.h"

status executor_of_step(struct executor *executor, int64_t tokens, struct executor **chosen,
                        struct diagnostic *diagnostic)
{
    struct executor *prefill = executor->prefill;
    bool prompts = prefill && plan_schedule(executor->plan, tokens) == prefill->plan;
    struct executor *other = prompts ? executor : prefill;
    *chosen = prompts ? prefill : executor;
    return other && other->under_way ? executor_finish_own(other, diagnostic) : STATUS_OK;
}

status executor_finish(struct executor *executor, struct diagnostic *diagnostic)
{
    struct diagnostic ignored = {0};
    status code = STATUS_OK;
    if (executor->prefill && executor->prefill->under_way)
        code = executor_finish_own(executor->prefill, diagnostic);
    status own = executor_finish_own(executor, code == STATUS_OK ? diagnostic : &ignored);
    return code == STATUS_OK ? own : code;
}

void executor_time_steps(struct executor *executor, bool on)
{
    executor->timed = on;
    if (executor->prefill) executor_time_steps(executor->prefill, on);
}

void executor_watch(struct executor *executor, const struct step_watch *watch)
{
    executor->watch = *watch;
    if (executor->prefill) executor_watch(executor->prefill, watch);
}

void executor_observe(struct executor *executor, const struct step_observer *observer)
{
    executor->observer = *observer;
    executor->timed = observer->see != NULL;
    if (executor->prefill) executor_observe(executor->prefill, observer);
}

static const struct executor *schedule_of(const struct executor *executor, int64_t tokens)
{
    const struct executor *prefill = executor->prefill;
    bool prompts = prefill && plan_schedule(executor->plan, tokens) == prefill->plan;
    return prompts ? prefill : executor;
}

void *const *executor_operands(const struct executor *executor, int64_t tokens, int plan_step)
{
    return schedule_of(executor, tokens)->operands[plan_step];
}

const double *executor_step_seconds(const struct executor *executor, int64_t tokens)
{
    return schedule_of(executor, tokens)->seconds;
}

/* Waits that end when nothing moves, and do not end while something does. */
#include "base/clock.h"
#include "runtime/device_internal.h"
#include "runtime/queue_thread.h"
#include "tests/check.h"

#include <time.h>

static const double bound_seconds = 0.05;

static void sleep_for(double seconds)
{
    const struct timespec pause = {.tv_nsec = (long)(seconds * 1e9)};
    nanosleep(&pause, NULL);
}

static void what_stands_still_expires(void **unused)
{
    (void)unused;
    struct watchdog watchdog;
    watchdog_start(&watchdog, bound_seconds);
    sleep_for(2 * bound_seconds);
    assert_false(watchdog_has_fired(&watchdog)); /* somebody has to look */
    assert_true(watchdog_expired(&watchdog) && watchdog_has_fired(&watchdog));
    watchdog_beat(&watchdog);
    assert_true(watchdog_expired(&watchdog)); /* whoever still waits is let go too */
}

static void what_is_known_to_take_long_may(void **unused)
{
    (void)unused;
    struct watchdog watchdog;
    watchdog_start(&watchdog, bound_seconds);
    watchdog_expect(&watchdog, 1000);
    watchdog_beat(&watchdog); /* of another queue */
    sleep_for(2 * bound_seconds);
    assert_false(watchdog_expired(&watchdog));
    watchdog_start(&watchdog, -1);
    sleep_for(bound_seconds);
    assert_false(watchdog_expired(&watchdog)); /* no bound */
}

static void an_event_that_never_comes_is_given_up(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1, .watchdog_seconds = bound_seconds};
    struct device *device;
    struct event *event;
    CHECK_OK(device_open("virtual:1MiB", &options, &device, &diagnostic));
    CHECK_OK(event_create(&event, &diagnostic));
    CHECK_OK(device_wait(device, event, &diagnostic));
    double start = clock_seconds();
    device_submit(device);
    CHECK_REFUSED(device_finish(device, &diagnostic), STATUS_DEVICE, "nothing has moved for 0.05");
    assert_true(clock_seconds() - start >= bound_seconds);
    assert_false(device_hangs(device)); /* its queue was let go and is free again */
    device_close(device);
    event_destroy(event);
}

struct slow {
    struct watchdog watchdog;
    int beats;
};

static void work_slowly(void *context)
{
    struct slow *slow = context;
    for (int b = 0; b < slow->beats; b++) {
        watchdog_beat(&slow->watchdog);
        sleep_for(bound_seconds / 5);
    }
}

static void long_work_that_moves_is_waited_for(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct slow slow = {.beats = 20};
    struct queue_thread queue;
    /* A busy machine may stop the thread for a while. */
    watchdog_start(&slow.watchdog, 20 * bound_seconds);
    CHECK_OK(queue_thread_start(&queue, work_slowly, &slow, "a test", &diagnostic));
    queue_thread_submit(&queue);
    assert_true(queue_thread_await(&queue, &slow.watchdog));
    assert_false(watchdog_has_fired(&slow.watchdog));
    queue_thread_stop(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_still_expires),
        cmocka_unit_test(what_is_known_to_take_long_may),
        cmocka_unit_test(an_event_that_never_comes_is_given_up),
        cmocka_unit_test(long_work_that_moves_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

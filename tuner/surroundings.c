/* Looking at a process from within. */
#include "tuner/surroundings.h"

#include "base/clock.h"

#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
/* Without the flags of what has happened. */
enum { MXCSR_FLAGS = 0x3f };

unsigned surroundings_float_state(void)
{
    return __builtin_ia32_stmxcsr() & ~(unsigned)MXCSR_FLAGS;
}

void surroundings_set_float_state(unsigned state)
{
    __builtin_ia32_ldmxcsr(state);
}
#else
unsigned surroundings_float_state(void)
{
    return (unsigned)fegetround();
}

void surroundings_set_float_state(unsigned state)
{
    fesetround((int)state);
}
#endif

void surroundings_clear(int kept)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere >= 0) {
        dup2(nowhere, STDIN_FILENO);
        dup2(nowhere, STDOUT_FILENO);
    }
    if (kept > STDERR_FILENO + 1) close_range(STDERR_FILENO + 1, (unsigned)kept - 1, 0);
    close_range((unsigned)kept + 1, ~0u, 0);
}

/* By a call of the system, not by the code that it has mapped into the process. */
static int64_t system_nanoseconds(void)
{
    struct timespec now = {0};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool surroundings_clock_agrees(void)
{
    const int64_t rounding_nanoseconds = 1000;
    int64_t before = system_nanoseconds(), told = clock_nanoseconds(), after = system_nanoseconds();
    return told >= before - rounding_nanoseconds && told <= after + rounding_nanoseconds;
}

/* The system counts a folder per thread. */
static int count_threads(void)
{
    struct stat facts;
    return stat("/proc/self/task", &facts) == 0 ? (int)facts.st_nlink : 0;
}

void surroundings_look(struct surroundings *surroundings)
{
    struct itimerval timer = {0};
    sigset_t masked;
    memset(surroundings, 0, sizeof *surroundings);
    surroundings->process = getpid();
    surroundings->float_state = surroundings_float_state();
    surroundings->threads = count_threads();
    surroundings->priority = getpriority(PRIO_PROCESS, 0);
    sched_getaffinity(0, sizeof surroundings->processors, &surroundings->processors);
    for (int file = 0; file < SURROUNDINGS_FILES; file++)
        if (fcntl(file, F_GETFD) >= 0) surroundings->files[file / 64] |= (uint64_t)1 << file % 64;
    pthread_sigmask(SIG_BLOCK, NULL, &masked);
    for (int number = 1; number < SURROUNDINGS_SIGNALS; number++) {
        struct sigaction action = {0};
        sigaction(number, NULL, &action);
        memcpy(&surroundings->handlers[number], &action.sa_handler, sizeof(void *));
        if (sigismember(&masked, number) == 1) surroundings->masked |= (uint64_t)1 << number;
    }
    getitimer(ITIMER_REAL, &timer);
    surroundings->timer = timer.it_value.tv_sec || timer.it_value.tv_usec;
}

/* A child that has ended but was not waited for counts as well; this process starts none itself
 * between two looks. */
static bool has_children(void)
{
    siginfo_t facts;
    return waitid(P_ALL, 0, &facts, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

const char *surroundings_changed(const struct surroundings *before)
{
    struct surroundings now;
    surroundings_look(&now);
    if (now.process != before->process) _exit(0);
    if (now.float_state != before->float_state)
        return "it changed how the processor rounds or treats denormal numbers";
    if (memcmp(now.files, before->files, sizeof now.files) != 0) return "it opened or closed files";
    if (has_children()) return "it started a process";
    if (now.threads != before->threads) return "it started or ended threads";
    if (memcmp(now.handlers, before->handlers, sizeof now.handlers) != 0 ||
        now.masked != before->masked || now.timer != before->timer)
        return "it changed how signals are handled";
    if (now.priority != before->priority || !CPU_EQUAL(&now.processors, &before->processors))
        return "it changed its priority or its processors";
    return surroundings_clock_agrees() ? NULL : "it changed the clock";
}

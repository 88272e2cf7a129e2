/* AMX on processors that have none: its instructions, trapped and carried out in software.
 *
 * Where the processor has no tiles their instructions raise SIGILL.  A handler decodes them from their bytes and works on
 * eight tiles that each thread has for itself, with the checks that the architecture makes (palette, shapes, operands that
 * do not fit each other): what a processor would refuse ends the process with a line that says what was wrong.  So kernels
 * for AMX are compiled and run by every test run on every x86-64 machine.
 *
 * Instructions: ldtilecfg, sttilecfg, tilerelease, tilezero, tileloadd, tileloaddt1, tilestored, tdpbf16ps, tdpbssd,
 * tdpbsud, tdpbusd, tdpbuud.  (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.) */
#ifndef TESTS_CPU_AMX_HARNESS_H
#define TESTS_CPU_AMX_HARNESS_H

#include "ir/device_facts.h"

enum amx_way {
    AMX_ABSENT,  /* no x86-64: there is nothing to test */
    AMX_TRAPPED, /* carried out in software */
    AMX_REAL,    /* by the processor, which this process has asked the system for */
};

/* Inside each test, before its first kernel: the test framework takes the signal for itself whenever a test begins. */
enum amx_way amx_harness_open(void);

/* The facts of this machine as if it had tiles (class and LLVM's words too), if it has none; false where kernels for them
 * cannot be run. */
bool amx_harness_facts(struct arena *arena, struct device_facts *facts);

/* Instructions carried out in software so far, in all threads. */
long amx_harness_trapped(void);

#endif

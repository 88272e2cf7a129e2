/* The sub-commands of `hone lab`: one line in the table of cli/command_lab.c and one function each. */
#ifndef CLI_LAB_H
#define CLI_LAB_H

#include "cli/command.h"

#define LAB_ACTION(name)                                                                           \
    CHECKED status lab_##name(const struct arguments *arguments, struct console *console,          \
                              struct arena *arena, struct diagnostic *diagnostic)

LAB_ACTION(compare); /* cli/lab_compare.c */
LAB_ACTION(record);  /* cli/lab_record.c */
LAB_ACTION(import);  /* cli/lab_files.c */
LAB_ACTION(export);
LAB_ACTION(count);
LAB_ACTION(cache); /* cli/lab_cache.c */
LAB_ACTION(trace);
LAB_ACTION(loop); /* cli/lab_loop.c */

#endif

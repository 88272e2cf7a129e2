/* CUDA cards: what all cards of one architecture share, so that profiles and device lists need not
 * repeat it. */
#ifndef IR_CARD_H
#define IR_CARD_H

#include "ir/device_facts.h"

/* Fills in the facts that the architecture `sm` of these facts settles (limits of blocks and
 * multiprocessors), where they are 0.  With a clock above 0 the rates as well: ceilings for
 * planning, of the gaming cards where an architecture has several. */
CHECKED status card_complete(struct device_facts *facts, double clock_hertz,
                             struct diagnostic *diagnostic);

/* "sm_86-82c-24g": architecture, multiprocessors, memory.  NULL when memory is out. */
const char *card_class(const struct device_facts *facts, struct arena *arena);

#endif

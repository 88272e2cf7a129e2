/* The layout of plan files, shared by plan_write.c and plan_read.c.
 *
 *     mark (8 bytes), version, length of the whole file, seal (planner/plan_seal.h) over everything behind it
 *     header, bounds, devices, graph as text, memory, steps, images, choices
 *     tokens from which a step has the second schedule (0: there is none), and that: graph ... choices
 *
 * Values are named, not numbered: the graph's text does not keep their order.  All integers have 8 bytes, little-endian; texts and blocks are preceded by their length. */
#ifndef PLANNER_PLAN_FORMAT_H
#define PLANNER_PLAN_FORMAT_H

#include "planner/plan_file.h"
#include "planner/plan_seal.h"

enum {
    PLAN_MARK_BYTES = 8,
    PLAN_VERSION = 10,
    PLAN_HEAD_BYTES = PLAN_MARK_BYTES + 16 + PLAN_SEAL_BYTES
};

static const char plan_mark[PLAN_MARK_BYTES + 1] = "HONEPLAN";

#endif

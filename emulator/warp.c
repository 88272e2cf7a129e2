/* One warp: groups of lanes that part and meet again, and the loop over instructions. */
#include "emulator/warp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Jumps that a group may make before others get their turn: more than any loop that does not wait
 * for somebody needs between two barriers. */
enum { TURN_JUMPS = 100000 };

void warp_addresses(const struct warp *warp, const struct address *address,
                    uint64_t addresses[static WARP_LANES])
{
    uint64_t offset = (uint64_t)address->offset;
    if (address->base == NO_REGISTER) {
        for (unsigned lane = 0; lane < WARP_LANES; lane++) addresses[lane] = offset;
    } else if (address->wide) {
        const uint64_t *base = lanes64(warp, address->base);
        for (unsigned lane = 0; lane < WARP_LANES; lane++) addresses[lane] = base[lane] + offset;
    } else {
        const uint32_t *base = lanes32(warp, address->base);
        for (unsigned lane = 0; lane < WARP_LANES; lane++)
            addresses[lane] = (uint32_t)(base[lane] + (uint32_t)offset);
    }
}

static void merge_groups(struct warp *warp)
{
    for (uint32_t i = 0; i < warp->group_count; i++)
        for (uint32_t j = i + 1; j < warp->group_count;) {
            if (warp->groups[j].pc != warp->groups[i].pc) {
                j++;
                continue;
            }
            warp->groups[i].mask |= warp->groups[j].mask;
            warp->groups[i].parked = warp->groups[i].yielded = false;
            warp->groups[j] = warp->groups[--warp->group_count];
        }
}

static struct lane_group *lowest_group(struct warp *warp)
{
    struct lane_group *lowest = NULL;
    for (uint32_t i = 0; i < warp->group_count; i++) {
        struct lane_group *group = &warp->groups[i];
        if (!group->parked && !group->yielded && (!lowest || group->pc < lowest->pc))
            lowest = group;
    }
    return lowest;
}

/* The first address at which the running group may meet another one. */
static uint32_t next_meeting(const struct warp *warp)
{
    uint32_t meeting = UINT32_MAX;
    for (uint32_t i = 0; i < warp->group_count; i++) {
        const struct lane_group *group = &warp->groups[i];
        if (group != warp->group && group->pc > warp->group->pc && group->pc < meeting)
            meeting = group->pc;
    }
    return meeting;
}

void warp_move(struct warp *warp, uint32_t mask, uint32_t pc)
{
    struct lane_group *group = warp->group;
    if (mask == group->mask) {
        group->pc = pc;
        return;
    }
    group->mask &= ~mask;
    warp->groups[warp->group_count++] = (struct lane_group){.pc = pc, .mask = mask};
}

void warp_exit_lanes(struct warp *warp, uint32_t mask)
{
    warp->live &= ~mask;
    warp->group->mask &= ~mask;
    /* Whoever waits for all lanes that live may have them now. */
    for (uint32_t i = 0; i < warp->group_count; i++) warp->groups[i].parked = false;
    if (warp->group->mask) return;
    *warp->group = warp->groups[--warp->group_count];
    warp->group = NULL;
}

bool warp_gathers(struct warp *warp, const struct instruction *instruction, uint32_t members,
                  enum outcome *outcome)
{
    uint32_t threads = warp->block->gang->launch->block[0] * warp->block->gang->launch->block[1] *
                       warp->block->gang->launch->block[2];
    uint32_t left = threads - warp->index * WARP_LANES;
    uint32_t existing = left >= WARP_LANES ? ALL_LANES : (1u << left) - 1;
    members &= existing;
    if (members & ~warp->live) {
        *outcome = warp_fault(warp, instruction, MACHINE_DIVERGENCE,
                              "lanes %#x are asked for, but %#x of them have returned", members,
                              members & ~warp->live);
        return false;
    }
    if (!(members & ~warp->mask)) return true;
    *outcome = OUTCOME_PARK;
    return false;
}

enum outcome warp_fault(struct warp *warp, const struct instruction *instruction,
                        enum machine_error error, const char *format, ...)
{
    const struct block *block = warp->block;
    const struct launch *launch = block->gang->launch;
    char why[256], line[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    struct machine_fault *fault = block->gang->fault;
    fault->error = error;
    snprintf(fault->text, sizeof fault->text, "%s: block (%u,%u,%u) warp %u: %s; ptx:%u: %s",
             launch->function->name, block->index[0], block->index[1], block->index[2], warp->index,
             why, instruction->line, module_line(launch->module, instruction->line, line));
    return OUTCOME_FAULT;
}

/* What the group's lanes do when an instruction does not simply end. */
static enum outcome settle(struct warp *warp, enum outcome outcome)
{
    if (outcome == OUTCOME_PARK) {
        warp->group->pc = warp->pc;
        warp->group->parked = true;
        return OUTCOME_JUMP;
    }
    if (outcome == OUTCOME_YIELD) {
        warp->group->pc = warp->pc + 1;
        warp->group->yielded = true;
        return OUTCOME_JUMP;
    }
    return outcome;
}

static inline uint32_t guarded_mask(const struct warp *warp, const struct instruction *instruction,
                                    uint32_t mask)
{
    if (instruction->guard == NO_REGISTER) return mask;
    uint32_t guard = *lanes32(warp, instruction->guard);
    return mask & (instruction->guard_negated ? ~guard : guard);
}

/* Runs one group until it meets another, parts, waits, or has used up its jumps. */
static enum outcome run_group(struct warp *warp, uint32_t *jumps)
{
    const struct instruction *code = warp->block->gang->launch->module->code;
    struct hone_emulator_counters *counters = &warp->block->gang->counters;
    struct lane_group *group = warp->group;
    uint32_t pc = group->pc, meeting = next_meeting(warp);
    for (;;) {
        const struct instruction *instruction = &code[pc];
        uint32_t mask = guarded_mask(warp, instruction, group->mask);
        enum outcome outcome = OUTCOME_NEXT;
        counters->instructions[instruction->category]++;
        counters->lanes += (unsigned)__builtin_popcount(mask);
        warp->pc = pc;
        warp->mask = mask;
        if (mask) outcome = instruction->run(warp, instruction);
        if (outcome == OUTCOME_NEXT) {
            if (++pc < meeting) continue;
            group->pc = pc;
            return OUTCOME_JUMP;
        }
        if (outcome != OUTCOME_JUMP) return settle(warp, outcome);
        if (!--*jumps) {
            for (uint32_t i = 0; i < warp->group_count; i++)
                if (warp->groups[i].pc <= pc) warp->groups[i].yielded = true;
            return OUTCOME_JUMP;
        }
        if (warp->group_count != 1 || !warp->group) return OUTCOME_JUMP;
        pc = group->pc;
        meeting = UINT32_MAX;
    }
}

static enum outcome fault_parted(struct warp *warp)
{
    const struct lane_group *one = &warp->groups[0], *other = &warp->groups[1];
    const struct instruction *code = warp->block->gang->launch->module->code;
    char line[128];
    if (warp->group_count == 1)
        return warp_fault(warp, &code[one->pc], MACHINE_DIVERGENCE,
                          "lanes %#x wait here for lanes that are elsewhere or left out by a guard",
                          one->mask);
    return warp_fault(warp, &code[one->pc], MACHINE_DIVERGENCE,
                      "lanes %#x wait here for others, lanes %#x wait at ptx:%u: %s", one->mask,
                      other->mask, code[other->pc].line,
                      module_line(warp->block->gang->launch->module, code[other->pc].line, line));
}

enum outcome warp_run(struct warp *warp)
{
    uint32_t jumps = TURN_JUMPS;
    for (uint32_t i = 0; i < warp->group_count; i++) warp->groups[i].yielded = false;
    for (;;) {
        warp->group = lowest_group(warp);
        if (!warp->group) break;
        enum outcome outcome = run_group(warp, &jumps);
        if (outcome == OUTCOME_FAULT || outcome == OUTCOME_WAIT) return outcome;
        if (!jumps) jumps = TURN_JUMPS;
        if (warp->group_count > 1) merge_groups(warp);
    }
    if (!warp->group_count) {
        block_warp_done(warp);
        return OUTCOME_NEXT;
    }
    for (uint32_t i = 0; i < warp->group_count; i++)
        if (warp->groups[i].yielded) return OUTCOME_YIELD;
    return fault_parted(warp);
}

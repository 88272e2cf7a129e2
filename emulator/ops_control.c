/* Branches, returns, and what kernels say about themselves. */
#include "emulator/bulk.h"
#include "emulator/lanes.h"

OPERATION(control_branch)
{
    bool all = warp->mask == warp->group->mask;
    warp_move(warp, warp->mask, instruction->target);
    if (!all) warp->group->pc = warp->pc + 1;
    return OUTCOME_JUMP;
}

/* .func: each lane goes back to where it was called from. */
static enum outcome return_to_callers(struct warp *warp, const struct instruction *instruction)
{
    const uint32_t *back = lanes32(warp, instruction->sources[0]);
    uint32_t mask = warp->mask, others = warp->group->mask & ~mask;
    struct lane_group *group = warp->group;
    if (others) {
        warp->groups[warp->group_count++] = (struct lane_group){.pc = warp->pc + 1, .mask = others};
        group->mask = mask;
    }
    while (mask) {
        uint32_t pc = back[__builtin_ctz(mask)], same = 0;
        for (uint32_t left = mask; left; left &= left - 1)
            if (back[__builtin_ctz(left)] == pc) same |= 1u << __builtin_ctz(left);
        mask &= ~same;
        if (mask)
            warp_move(warp, same, pc);
        else
            group->pc = pc;
    }
    return OUTCOME_JUMP;
}

static enum outcome exit_lanes(struct warp *warp, const struct instruction *instruction)
{
    if (bulk_check_exit(warp, instruction) == OUTCOME_FAULT) return OUTCOME_FAULT;
    if (warp->mask != warp->group->mask) warp->group->pc = warp->pc + 1;
    warp_exit_lanes(warp, warp->mask);
    return OUTCOME_JUMP;
}

enum outcome control_return(struct warp *warp, const struct instruction *instruction)
{
    if (instruction->sources[0] != NO_REGISTER) return return_to_callers(warp, instruction);
    return exit_lanes(warp, instruction);
}

OPERATION(control_exit)
{
    return exit_lanes(warp, instruction);
}
OPERATION(control_nothing)
{
    (void)warp;
    (void)instruction;
    return OUTCOME_NEXT;
}

/* fence.proxy.async */
OPERATION(control_fence)
{
    (void)instruction;
    shadow_fence(warp);
    return OUTCOME_NEXT;
}

OPERATION(control_trap)
{
    return warp_fault(warp, instruction, MACHINE_TRAP, "the kernel trapped");
}

/* nanosleep: whoever waits for others lets them run. */
OPERATION(control_sleep)
{
    (void)warp;
    (void)instruction;
    return OUTCOME_YIELD;
}

/* brx.idx: `list` has the targets. */
OPERATION(control_branch_table)
{
    const uint32_t *index = SOURCE(uint32_t, 0);
    uint32_t mask = warp->mask, others = warp->group->mask & ~mask;
    struct lane_group *group = warp->group;
    if (others) {
        warp->groups[warp->group_count++] = (struct lane_group){.pc = warp->pc + 1, .mask = others};
        group->mask = mask;
    }
    while (mask) {
        uint32_t chosen = index[__builtin_ctz(mask)], same = 0;
        if (chosen >= instruction->list_count)
            return warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION,
                              "branch %u of a table of %u", chosen, instruction->list_count);
        for (uint32_t left = mask; left; left &= left - 1)
            if (index[__builtin_ctz(left)] == chosen) same |= 1u << __builtin_ctz(left);
        mask &= ~same;
        if (mask)
            warp_move(warp, same, instruction->list[chosen]);
        else
            group->pc = instruction->list[chosen];
    }
    return OUTCOME_JUMP;
}

static status add_fixup(struct decoder *decoder, const struct token *label, uint32_t *place)
{
    struct parser *parser = decoder->parser;
    TRY_APPEND(parser->fixups, parser->fixup_count, parser->fixup_capacity, parser->arena,
               parser->lexer.diagnostic);
    parser->fixups[parser->fixup_count - 1] = (struct fixup){
        .label = *label, .instruction = (uint32_t)parser->module->code_count, .place = place};
    return STATUS_OK;
}

static status decode_branch(struct decoder *decoder, const struct opcode *opcode)
{
    struct token label;
    (void)opcode;
    decoder_take(decoder, "uni");
    decoder->instruction->run = control_branch;
    TRY(lexer_word(decoder->lexer, "a label", &label));
    return add_fixup(decoder, &label, NULL);
}

static status decode_branch_table(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    struct token name;
    uint32_t number, *targets;
    (void)opcode;
    decoder_take(decoder, "uni");
    instruction->run = control_branch_table;
    TRY(read_source(decoder, TYPE_B32, &instruction->sources[0]));
    TRY(read_comma(decoder));
    TRY(lexer_word(decoder->lexer, "a table of labels", &name));
    const struct symbol *table = symbol_find(decoder->parser, &name, &number);
    if (!table || table->kind != SYMBOL_TARGETS)
        return decoder_refuse(decoder, "its table of labels is not known");
    TRY_NEW(targets, decoder->parser->arena, table->count, decoder->lexer->diagnostic);
    for (uint32_t i = 0; i < table->count; i++)
        TRY(add_fixup(decoder, &table->targets[i], &targets[i]));
    instruction->list = targets;
    instruction->list_count = (uint16_t)table->count;
    return STATUS_OK;
}

static status decode_return(struct decoder *decoder, const struct opcode *opcode)
{
    decoder_take(decoder, "uni");
    decoder->instruction->run = opcode->name[0] == 'r' ? control_return : control_exit;
    decoder->instruction->sources[0] = decoder->parser->function->return_register;
    return STATUS_OK;
}

static status decode_trap(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    decoder->instruction->run = control_trap;
    return STATUS_OK;
}

/* What has no effect here: hints, and fences of a memory that is in order.  Operands are skipped. */
static status decode_nothing(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    for (int i = 0; i < decoder->part_count; i++) decoder->parts[i].taken = true;
    decoder->instruction->run = opcode->name[0] == 'n' ? control_sleep : control_nothing;
    while (!token_is(&decoder->lexer->token, ";") && decoder->lexer->token.kind != TOKEN_END)
        lexer_advance(decoder->lexer);
    return STATUS_OK;
}

static status decode_fence(struct decoder *decoder, const struct opcode *opcode)
{
    size_t length;
    (void)opcode;
    const char *proxy = decoder_take_prefix(decoder, "async", &length);
    TRY(decode_nothing(decoder, opcode));
    if (proxy && (!length || *proxy == ':')) decoder->instruction->run = control_fence;
    return STATUS_OK;
}

const struct opcode opcodes_control[] = {
    {"bra", NULL, NULL, CATEGORY_CONTROL, decode_branch},
    {"brx.idx", NULL, NULL, CATEGORY_CONTROL, decode_branch_table},
    {"ret", NULL, NULL, CATEGORY_CONTROL, decode_return},
    {"exit", NULL, NULL, CATEGORY_CONTROL, decode_return},
    {"trap", NULL, NULL, CATEGORY_CONTROL, decode_trap},
    {"nanosleep", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"membar", NULL, NULL, CATEGORY_BARRIER, decode_nothing},
    {"fence", NULL, NULL, CATEGORY_BARRIER, decode_nothing},
    {"fence.proxy", NULL, NULL, CATEGORY_BARRIER, decode_fence},
    {"prefetch", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"prefetchu", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"discard", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"applypriority", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"setmaxnreg", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"griddepcontrol", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"pmevent", NULL, NULL, CATEGORY_CONTROL, decode_nothing},
    {"brkpt", NULL, NULL, CATEGORY_CONTROL, decode_trap},
    {0},
};

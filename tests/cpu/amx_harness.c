/* Installing the trap, decoding, and the way from a tile instruction to its operands in memory. */
#include "tests/cpu/amx_harness.h"

#include "runtime/cpu_facts.h"
#include "runtime/cpu_families.h"
#include "tests/cpu/amx_tiles_harness.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_long trapped;
static enum amx_way way;

long amx_harness_trapped(void)
{
    return trapped;
}

bool amx_harness_facts(struct arena *arena, struct device_facts *facts)
{
    struct diagnostic diagnostic = {0};
    if (amx_harness_open() == AMX_ABSENT ||
        cpu_facts_read(NULL, arena, facts, &diagnostic) != STATUS_OK)
        return false;
    if (facts->values[FACT_has_amx] > 0) return true;
    facts->values[FACT_has_amx] = 1;
    facts->features = arena_print(arena, "%s%s+amx-tile,+amx-int8,+amx-bf16", facts->features,
                                  *facts->features ? "," : "");
    facts->class_name = arena_print(arena, "%s-trapped-amx", facts->class_name);
    return facts->features && facts->class_name;
}

#if defined(__x86_64__)

#include <signal.h>
#include <string.h>
#include <sys/ucontext.h>
#include <unistd.h>

/* ---- Decoding ---- */

enum { VEX = 0xc4, MAP_0F38 = 2, NO_REGISTER = -1 };
enum prefix { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 };
enum opcode {
    OPCODE_CONFIGURE = 0x49,
    OPCODE_MOVE = 0x4b,
    OPCODE_BF16 = 0x5c,
    OPCODE_BYTES = 0x5e
};

struct instruction {
    enum opcode opcode;
    enum prefix prefix;
    int reg, rm, third; /* of ModRM and of the prefix */
    bool in_memory;
    uint64_t start, stride; /* address, and the index register's share of it */
    int length;
};

/* The general registers in the order of their encoding. */
static const int registers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};

struct operand {
    const ucontext_t *context;
    const uint8_t *code;
    int at; /* byte behind ModRM */
    bool extends_index, extends_base;
};

static uint64_t register_of(const struct operand *operand, int number)
{
    return (uint64_t)operand->context->uc_mcontext.gregs[registers[number]];
}

static int64_t displacement(struct operand *operand, int bytes)
{
    int8_t small;
    int32_t large;
    const uint8_t *from = operand->code + operand->at;
    operand->at += bytes;
    if (bytes == 1) {
        memcpy(&small, from, sizeof small);
        return small;
    }
    memcpy(&large, from, sizeof large);
    return large;
}

static void decode_memory(struct operand *operand, int mode, struct instruction *instruction)
{
    int base = instruction->rm, displaced = mode == 1 ? 1 : mode == 2 ? 4 : 0;
    bool relative = mode == 0 && base == 5;
    if (base == 4) {
        uint8_t sib = operand->code[operand->at++];
        int index = (sib >> 3 & 7) | (operand->extends_index ? 8 : 0);
        if (index != 4) instruction->stride = register_of(operand, index) << (sib >> 6);
        base = sib & 7;
        if (mode == 0 && base == 5) {
            base = NO_REGISTER;
            displaced = 4;
        }
    }
    if (relative) displaced = 4;
    if (!relative && base != NO_REGISTER)
        instruction->start = register_of(operand, base | (operand->extends_base ? 8 : 0));
    if (displaced) instruction->start += (uint64_t)displacement(operand, displaced);
    if (relative) instruction->start += (uint64_t)(uintptr_t)(operand->code + operand->at);
}

/* False for anything but an instruction of AMX. */
static bool decode(const ucontext_t *context, struct instruction *instruction)
{
    const uint8_t *code = (const uint8_t *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    *instruction = (struct instruction){0};
    if (code[0] != VEX || (code[1] & 0x1f) != MAP_0F38) return false;
    /* Not W, 128 bits; tiles have the numbers 0 to 7. */
    if ((code[2] & 0x84) || !(code[1] & 0x80)) return false;
    instruction->opcode = code[3];
    instruction->prefix = code[2] & 3;
    instruction->third = ~(code[2] >> 3) & 15;
    instruction->reg = code[4] >> 3 & 7;
    instruction->rm = code[4] & 7;
    instruction->in_memory = code[4] >> 6 != 3;
    struct operand operand = {context, code, 5, !(code[1] & 0x40), !(code[1] & 0x20)};
    if (instruction->in_memory) decode_memory(&operand, code[4] >> 6, instruction);
    instruction->length = operand.at;
    return instruction->opcode == OPCODE_CONFIGURE || instruction->opcode == OPCODE_MOVE ||
           instruction->opcode == OPCODE_BF16 || instruction->opcode == OPCODE_BYTES;
}

/* ---- Carrying out ---- */

static bool configure(struct amx_state *state, const struct instruction *instruction)
{
    char *memory = (char *)(uintptr_t)(instruction->start + instruction->stride);
    if (instruction->in_memory && instruction->reg == 0 && instruction->prefix == PREFIX_NONE)
        amx_tiles_configure(state, memory);
    else if (instruction->in_memory && instruction->reg == 0 && instruction->prefix == PREFIX_66)
        amx_tiles_describe(state, memory);
    else if (!instruction->in_memory && instruction->prefix == PREFIX_NONE &&
             instruction->reg == 0 && instruction->rm == 0)
        amx_tiles_release(state);
    else if (!instruction->in_memory && instruction->prefix == PREFIX_F2)
        amx_tiles_zero(state, instruction->reg);
    else
        return false;
    return true;
}

static bool move(struct amx_state *state, const struct instruction *instruction)
{
    char *memory = (char *)(uintptr_t)instruction->start;
    int64_t stride = (int64_t)instruction->stride;
    if (!instruction->in_memory || instruction->rm != 4) return false;
    if (instruction->prefix == PREFIX_F2 || instruction->prefix == PREFIX_66)
        amx_tiles_load(state, instruction->reg, memory, stride);
    else if (instruction->prefix == PREFIX_F3)
        amx_tiles_store(state, instruction->reg, memory, stride);
    else
        return false;
    return true;
}

static bool multiply(struct amx_state *state, const struct instruction *instruction)
{
    const struct amx_product product = {instruction->reg, instruction->rm, instruction->third};
    if (instruction->in_memory) return false;
    if (instruction->opcode == OPCODE_BF16) {
        if (instruction->prefix != PREFIX_F3) return false;
        amx_tiles_add_bf16(state, &product);
        return true;
    }
    bool a_signed = instruction->prefix == PREFIX_F2 || instruction->prefix == PREFIX_F3;
    bool b_signed = instruction->prefix == PREFIX_F2 || instruction->prefix == PREFIX_66;
    amx_tiles_add_bytes(state, &product, a_signed, b_signed);
    return true;
}

/* What is no instruction of AMX is executed again, without the handler, and ends the process as it would have. */
static void handle(int number, siginfo_t *information, void *argument)
{
    static _Thread_local struct amx_state state;
    ucontext_t *context = argument;
    struct instruction instruction;
    (void)information;
    bool done = decode(context, &instruction) &&
                (instruction.opcode == OPCODE_CONFIGURE ? configure(&state, &instruction)
                 : instruction.opcode == OPCODE_MOVE    ? move(&state, &instruction)
                                                        : multiply(&state, &instruction));
    if (!done) {
        signal(number, SIG_DFL);
        return;
    }
    context->uc_mcontext.gregs[REG_RIP] += instruction.length;
    trapped++;
}

enum amx_way amx_harness_open(void)
{
    struct diagnostic diagnostic = {0};
    if (way == AMX_REAL) return way;
    if (cpu_families_here().amx) {
        way = cpu_tiles_request(&diagnostic) == STATUS_OK ? AMX_REAL : AMX_ABSENT;
        return way;
    }
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
    action.sa_sigaction = handle;
    sigemptyset(&action.sa_mask);
    way = sigaction(SIGILL, &action, NULL) == 0 ? AMX_TRAPPED : AMX_ABSENT;
    return way;
}

#else

enum amx_way amx_harness_open(void)
{
    return way = AMX_ABSENT;
}

#endif

/* Guarded operands in device memory. */
#include "tests/ops/device_harness.h"

#include "base/text.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

/* What lies around inputs is a large number, or none, in every type, so that it shows when it is read; around outputs it is
 * something else, so that it changes when it is added to and stored. */
enum { GUARD_BYTES = 4096, INPUT_GUARD_BYTE = 0xfe, OUTPUT_GUARD_BYTE = 0xa5 };
enum { ALIGNMENT_BYTES = 64 }; /* what the runtime's arenas give */

/* An operand's block: guard, operand, guard. */
struct block {
    char *address;       /* on the device */
    unsigned char *host; /* its copy */
    unsigned char guard;
    int64_t operand_bytes, bytes;
};

struct blocks {
    struct device *device;
    struct arena *arena;
    struct block blocks[OP_OPERANDS_MAX];
    void *operands[OP_OPERANDS_MAX];
};

static status create_block(struct blocks *blocks, const struct op_trial *trial, int i,
                           struct diagnostic *diagnostic)
{
    struct block *block = &blocks->blocks[i];
    void *address;
    int64_t rounded = (trial->bytes[i] + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
    block->operand_bytes = trial->bytes[i];
    block->bytes = rounded + 2 * GUARD_BYTES;
    TRY_NEW(block->host, blocks->arena, block->bytes, diagnostic);
    TRY(device_allocate(blocks->device, block->bytes, &address, diagnostic));
    block->address = address;
    block->guard = i < trial->problem->input_count ? INPUT_GUARD_BYTE : OUTPUT_GUARD_BYTE;
    memset(block->host, block->guard, (size_t)block->bytes);
    memcpy(block->host + GUARD_BYTES, trial->operands[i], (size_t)block->operand_bytes);
    blocks->operands[i] = block->address + GUARD_BYTES;
    return device_store(blocks->device, block->address, block->host, block->bytes, diagnostic);
}

static bool is_guard(const struct block *block, int64_t at)
{
    return at < GUARD_BYTES || at >= GUARD_BYTES + block->operand_bytes;
}

static status fetch_block(struct blocks *blocks, const struct op_trial *trial, int i,
                          struct diagnostic *diagnostic)
{
    struct block *block = &blocks->blocks[i];
    TRY(device_fetch(blocks->device, block->host, block->address, block->bytes, diagnostic));
    for (int64_t at = 0; at < block->bytes; at++)
        if (is_guard(block, at) && block->host[at] != block->guard)
            return fail(diagnostic, STATUS_MISMATCH,
                        "written at %+lld bytes of operand %d, which has %lld",
                        (long long)(at - GUARD_BYTES), i, (long long)block->operand_bytes);
    memcpy(trial->operands[i], block->host + GUARD_BYTES, (size_t)block->operand_bytes);
    return STATUS_OK;
}

static status run_blocks(struct blocks *blocks, const struct device_image_run *run,
                         const struct op_trial *trial, struct diagnostic *diagnostic)
{
    struct kernel *kernel;
    for (int i = 0; i < trial->count; i++)
        if (trial->operands[i]) TRY(create_block(blocks, trial, i, diagnostic));
    TRY(kernel_load(run->device, trial->problem, run->image, &kernel, diagnostic));
    status code = device_run(run->device, kernel, &trial->run, blocks->operands, diagnostic);
    kernel_unload(kernel);
    TRY(code);
    for (int i = 0; i < trial->count; i++)
        if (trial->operands[i]) TRY(fetch_block(blocks, trial, i, diagnostic));
    return STATUS_OK;
}

status device_image_run(void *context, const struct op_trial *trial, struct diagnostic *diagnostic)
{
    const struct device_image_run *run = context;
    struct blocks blocks = {.device = run->device, .arena = arena_create(0)};
    TRY_MEMORY(blocks.arena, diagnostic);
    status code = run_blocks(&blocks, run, trial, diagnostic);
    for (int i = 0; i < trial->count; i++)
        device_free(run->device, blocks.blocks[i].address, blocks.blocks[i].bytes);
    arena_destroy(blocks.arena);
    return code;
}

bool device_harness_has_card(void)
{
    const char *card = getenv("HONE_TEST_CARD");
    return card && *card;
}

const char *device_harness_list(const char *list, struct arena *arena)
{
    struct text text = {.arena = arena};
    if (!device_harness_has_card()) return list;
    while (*list) {
        size_t length = strcspn(list, ",");
        if (text.length) text_append(&text, ",");
        if (strncmp(list, "emulated:", strlen("emulated:")) == 0)
            text_append(&text, getenv("HONE_TEST_CARD"));
        else
            text_append_range(&text, list, length);
        list += length + (list[length] == ',');
    }
    return text_finish(&text);
}

bool device_harness_open(const char *list, struct arena *arena, struct device ***devices,
                         int *count)
{
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1, .no_forks = true};
    list = device_harness_list(list, arena);
    if (device_open_list(list, &options, arena, devices, count, &diagnostic) == STATUS_OK)
        return true;
    if (diagnostic.code != STATUS_DEVICE) CHECK_FAIL("%s: %s", list, diagnostic.text);
    print_message("left out: %s\n", diagnostic.text);
    return false;
}

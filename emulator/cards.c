/* Cards from the environment. */
#include "emulator/cards.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { KIB = 1024, MIB = 1024 * 1024, REGISTERS = 65536 };

/* One well-known card per architecture. */
static const struct architecture architectures[] = {
    {75, "Emulated T4", 64 * KIB, 64 * KIB, 1024, 16, 0, 40, 1590000, 5001000, 256, 4 * MIB, 320,
     1024},
    {80, "Emulated A100", 164 * KIB, 163 * KIB, 2048, 32, KIB, 108, 1410000, 1593000, 5120,
     40 * MIB, 1555, 2048},
    {86, "Emulated RTX 3090", 100 * KIB, 99 * KIB, 1536, 16, KIB, 82, 1695000, 9751000, 384,
     6 * MIB, 936, 512},
    {87, "Emulated Orin", 164 * KIB, 163 * KIB, 1536, 16, KIB, 16, 1300000, 3200000, 256, 4 * MIB,
     204, 1024},
    {89, "Emulated RTX 4090", 100 * KIB, 99 * KIB, 1536, 24, KIB, 128, 2520000, 10501000, 384,
     72 * MIB, 1008, 512},
    {90, "Emulated H100", 228 * KIB, 227 * KIB, 2048, 32, KIB, 132, 1830000, 2619000, 5120,
     50 * MIB, 3350, 4096},
    {100, "Emulated B200", 228 * KIB, 227 * KIB, 2048, 32, KIB, 148, 1965000, 3996000, 8192,
     126 * MIB, 8000, 8192},
    {120, "Emulated RTX 5090", 100 * KIB, 99 * KIB, 1536, 24, KIB, 170, 2407000, 14001000, 512,
     96 * MIB, 1792, 512},
};

static const struct architecture *find_architecture(int target)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (architectures[i].target == target) return &architectures[i];
    return NULL;
}

static struct cost_card cost_of(const struct architecture *architecture, uint32_t multiprocessors)
{
    double share = (double)multiprocessors / architecture->multiprocessors;
    return (struct cost_card){
        .target = architecture->target,
        .multiprocessors = multiprocessors,
        .clock_hz = architecture->clock_kilohertz * 1e3,
        .memory_bytes_per_second = architecture->memory_gigabytes_per_second * 1e9,
        /* 64 bytes a clock for each multiprocessor. */
        .cache_bytes_per_second =
            share * architecture->multiprocessors * 64.0 * architecture->clock_kilohertz * 1e3,
        .matrix_operations_per_clock = architecture->matrix_operations_per_clock,
    };
}

static status read_card(const char *word, struct card *card, struct diagnostic *diagnostic)
{
    int target = 0, used = 0;
    char bytes[32] = "";
    unsigned multiprocessors = 0;
    int fields = sscanf(word, "sm_%3d%n:%31[^:]:%4u", &target, &used, bytes, &multiprocessors);
    if (fields >= 1 && (word[used] == 'a' || word[used] == 'f')) /* sm_90a */
        fields = 1 + (sscanf(word + used + 1, ":%31[^:]:%4u", bytes, &multiprocessors) >= 1);
    card->architecture = find_architecture(target);
    if (fields < 2 || !card->architecture || !text_to_bytes(bytes, &card->memory_bytes))
        return fail(diagnostic, STATUS_USAGE,
                    "HONE_EMULATED_CARDS: '%s' is no card; write sm_86:24GiB", word);
    if (!multiprocessors) multiprocessors = card->architecture->multiprocessors;
    card->cost = cost_of(card->architecture, multiprocessors);
    return STATUS_OK;
}

status cards_read(const char *text, struct cards *cards, struct diagnostic *diagnostic)
{
    char word[80];
    if (!text || !*text) text = "sm_86:24GiB";
    *cards = (struct cards){0};
    while (*text) {
        size_t length = strcspn(text, ",");
        if (cards->count == CARDS_MAX || length >= sizeof word)
            return fail(diagnostic, STATUS_USAGE, "HONE_EMULATED_CARDS: more than %d cards",
                        CARDS_MAX);
        memcpy(word, text, length);
        word[length] = 0;
        TRY(read_card(word, &cards->cards[cards->count++], diagnostic));
        text += length + (text[length] == ',');
    }
    return STATUS_OK;
}

uint32_t card_blocks(const struct architecture *architecture, uint32_t threads, uint32_t registers,
                     uint64_t shared_bytes)
{
    uint32_t warps = (threads + 31) / 32;
    if (!warps) return 0;
    uint32_t blocks = architecture->blocks_per_multiprocessor;
    uint32_t by_threads = architecture->threads_per_multiprocessor / 32 / warps;
    /* Registers are given out per warp, 256 at a time, evenly to four schedulers. */
    uint32_t per_warp = (registers * 32 + 255) / 256 * 256;
    uint32_t by_registers = per_warp ? REGISTERS / 4 / per_warp * 4 / warps : blocks;
    uint64_t shared = (shared_bytes + 127) / 128 * 128 + architecture->reserved_shared_per_block;
    uint64_t by_shared = shared ? architecture->shared_per_multiprocessor / shared : blocks;
    if (by_threads < blocks) blocks = by_threads;
    if (by_registers < blocks) blocks = by_registers;
    if (by_shared < blocks) blocks = (uint32_t)by_shared;
    return blocks;
}

/* Scripted faults. */
#include "emulator/faults.h"

#include <stdio.h>
#include <string.h>

static const char *const places[FAULT_PLACES] = {"alloc", "launch", "copy",
                                                 "peer",  "load",   "library"};
static const char *const kinds[FAULT_KINDS] = {"",     "oom",  "illegal", "hang",
                                               "lost", "slow", "corrupt", "invalid"};

/* Which kinds make sense where. */
static bool kind_fits(enum fault_place place, enum fault_kind kind)
{
    switch (place) {
    case FAULT_ALLOC: return kind == FAULT_OOM || kind == FAULT_LOST;
    case FAULT_LAUNCH:
        return kind == FAULT_ILLEGAL || kind == FAULT_HANG || kind == FAULT_LOST ||
               kind == FAULT_SLOW;
    case FAULT_COPY: return kind == FAULT_LOST;
    case FAULT_PEER: return kind == FAULT_CORRUPT;
    case FAULT_LOAD: return kind == FAULT_INVALID || kind == FAULT_OOM;
    case FAULT_LIBRARY:
        return kind == FAULT_ILLEGAL || kind == FAULT_INVALID || kind == FAULT_LOST ||
               kind == FAULT_SLOW;
    case FAULT_PLACES: break;
    }
    return false;
}

static bool read_event(const char *word, struct faults *faults)
{
    char place[16], kind[16];
    unsigned long long number;
    int used = 0;
    if (sscanf(word, "%15[a-z]:%llu%n", place, &number, &used) != 2 || !number) return false;
    bool onwards = word[used] == '+';
    if (sscanf(word + used + onwards, "=%15[a-z]", kind) != 1) return false;
    for (int p = 0; p < FAULT_PLACES; p++)
        for (int k = 1; k < FAULT_KINDS; k++) {
            if (strcmp(places[p], place) || strcmp(kinds[k], kind)) continue;
            if (!kind_fits((enum fault_place)p, (enum fault_kind)k)) return false;
            faults->faults[faults->count].place = (enum fault_place)p;
            faults->faults[faults->count].kind = (enum fault_kind)k;
            faults->faults[faults->count].number = number;
            faults->faults[faults->count++].onwards = onwards;
            return true;
        }
    return false;
}

status faults_read(const char *text, struct faults *faults, struct diagnostic *diagnostic)
{
    char word[64];
    *faults = (struct faults){0};
    while (text && *text) {
        size_t length = strcspn(text, ",");
        if (length >= sizeof word || faults->count == FAULTS_MAX)
            return fail(diagnostic, STATUS_USAGE, "HONE_EMULATOR_FAULTS: '%s' is too long", text);
        memcpy(word, text, length);
        word[length] = 0;
        text += length + (text[length] == ',');
        if (!strcmp(word, "driver=old"))
            faults->old_driver = true;
        else if (!strcmp(word, "device=none"))
            faults->no_device = true;
        else if (!strcmp(word, "peer=none"))
            faults->no_peer = true;
        else if (!strcmp(word, "library=none"))
            faults->no_library = true;
        else if (!strcmp(word, "library=old"))
            faults->old_library = true;
        else if (!read_event(word, faults))
            return fail(diagnostic, STATUS_USAGE,
                        "HONE_EMULATOR_FAULTS: '%s' is no fault; write alloc:3=oom", word);
    }
    return STATUS_OK;
}

enum fault_kind faults_next(struct faults *faults, enum fault_place place)
{
    uint64_t number = ++faults->seen[place];
    for (int i = 0; i < faults->count; i++)
        if (faults->faults[i].place == place &&
            (faults->faults[i].number == number ||
             (faults->faults[i].onwards && faults->faults[i].number < number)))
            return faults->faults[i].kind;
    return FAULT_NOTHING;
}

/* SentencePiece's precompiled maps of characters.
 *
 * The head is the trie's size in bytes.  A unit of the trie holds a label, where its children are, and whether it ends a
 * text; the value, a place among the replacements, lies in the child with label 0.  Files are hostile: no unit is read
 * outside the array, and a text is followed no longer than it is. */
#include "models/tokenizer_steps.h"

#include <string.h>

static uint32_t load(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

bool charsmap_open(const uint8_t *bytes, size_t byte_count, struct charsmap *map)
{
    if (byte_count < 8) return false;
    size_t trie_bytes = load(bytes);
    if (trie_bytes % 4 || trie_bytes < 4 || trie_bytes > byte_count - 5) return false;
    if (bytes[byte_count - 1] != 0) return false;
    map->trie = bytes + 4;
    map->unit_count = (uint32_t)(trie_bytes / 4);
    map->texts = (const char *)bytes + 4 + trie_bytes;
    map->text_bytes = byte_count - 4 - trie_bytes;
    return true;
}

static bool has_leaf(uint32_t unit)
{
    return unit >> 8 & 1;
}
static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 0x200) >> 6);
}
static uint32_t label_of(uint32_t unit)
{
    return unit & 0x800000ffu;
}

static bool unit_at(const struct charsmap *map, uint32_t place, uint32_t *unit)
{
    if (place >= map->unit_count) return false;
    *unit = load(map->trie + 4 * (size_t)place);
    return true;
}

size_t charsmap_find(const struct charsmap *map, const char *text, size_t length, bool longest,
                     const char **replacement)
{
    uint32_t unit, leaf, place = 0;
    size_t found = 0;
    if (!unit_at(map, 0, &unit)) return 0;
    place ^= offset_of(unit);
    for (size_t at = 0; at < length; at++) {
        uint32_t byte = (uint8_t)text[at];
        place ^= byte;
        if (!byte || !unit_at(map, place, &unit) || label_of(unit) != byte) break;
        place ^= offset_of(unit);
        if (!has_leaf(unit)) continue;
        if (!unit_at(map, place, &leaf)) break;
        uint32_t value = leaf & 0x7fffffffu;
        if (value >= map->text_bytes) break;
        *replacement = map->texts + value;
        found = at + 1;
        if (!longest) break;
    }
    return found;
}

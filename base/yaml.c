/* The tree from libyaml's events, with the limits that libyaml does not have: its time grows with
 * the square of the nesting depth (60,000 open brackets take 18 s), and it takes duplicate keys
 * without a word. */
#include "base/yaml.h"

#include "base/file.h"

#include <yaml.h>

#include <string.h>

enum {
    LARGEST_FILE_BYTES = 1 << 20,
    LARGEST_SCALAR_BYTES = 64 << 10,
    LARGEST_KEY_BYTES = 128,
    DEEPEST_LEVEL = 64,
    MOST_NODES = 100000,
};

/* A list or map whose end has not come yet.  Its children wait in builder.pending from `first` on.
 */
struct level {
    struct yaml node;
    size_t first;
};

struct builder {
    yaml_parser_t parser;
    const char *file;
    struct arena *arena;
    struct diagnostic *diagnostic;
    struct yaml *pending; /* finished nodes whose parents are open */
    size_t pending_count, pending_capacity;
    struct yaml key; /* a key, as a scalar, that waits for its value; text NULL: none */
    struct level levels[DEEPEST_LEVEL];
    int depth, node_count;
};

static struct yaml node_at(const struct builder *builder, enum yaml_kind kind, yaml_mark_t mark)
{
    return (struct yaml){.kind = kind,
                         .line = (int)mark.line + 1,
                         .column = (int)mark.column + 1,
                         .file = builder->file};
}

static bool expects_key(const struct builder *builder)
{
    return builder->depth && builder->levels[builder->depth - 1].node.kind == YAML_MAP &&
           !builder->key.text;
}

/* Hands a finished node to its parent, or makes it the root. */
static status add_node(struct builder *builder, struct yaml node)
{
    if (++builder->node_count > MOST_NODES) {
        return yaml_fail(&node, builder->diagnostic, "more than %d values", MOST_NODES);
    }
    TRY_APPEND(builder->pending, builder->pending_count, builder->pending_capacity, builder->arena,
               builder->diagnostic);
    builder->pending[builder->pending_count - 1] = node;
    return STATUS_OK;
}

/* The key that was read before becomes part of its value. */
static void take_key(struct builder *builder, struct yaml *node)
{
    node->key = builder->key.text;
    node->key_line = builder->key.line;
    node->key_column = builder->key.column;
    builder->key = (struct yaml){0};
}

/* Anchors would bring aliases, and tags types: what a file means shall be plain to see. */
static status refuse_decoration(const struct yaml *node, const yaml_char_t *anchor,
                                const yaml_char_t *tag, struct diagnostic *diagnostic)
{
    if (anchor) {
        return yaml_fail(node, diagnostic,
                         "anchors and aliases are not allowed; write '&%.40s' out",
                         (const char *)anchor);
    }
    if (tag) {
        return yaml_fail(node, diagnostic, "tags are not allowed; remove '%.60s'",
                         (const char *)tag);
    }
    return STATUS_OK;
}

static status check_key(const struct yaml *key, size_t length, struct diagnostic *diagnostic)
{
    if (length > LARGEST_KEY_BYTES) {
        return yaml_fail(key, diagnostic, "a key of %zu bytes; at most %d are allowed", length,
                         LARGEST_KEY_BYTES);
    }
    if (!length) return yaml_fail(key, diagnostic, "an empty key");
    if (strcmp(key->text, "<<") == 0) {
        return yaml_fail(key, diagnostic, "merge keys are not allowed; write the merged keys out");
    }
    return STATUS_OK;
}

static status on_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct yaml node = node_at(builder, YAML_SCALAR, event->start_mark);
    size_t length = event->data.scalar.length;
    const char *text = (const char *)event->data.scalar.value;
    TRY(refuse_decoration(&node, event->data.scalar.anchor, event->data.scalar.tag,
                          builder->diagnostic));
    if (length > LARGEST_SCALAR_BYTES) {
        return yaml_fail(&node, builder->diagnostic, "a text of %zu bytes; at most %d are allowed",
                         length, LARGEST_SCALAR_BYTES);
    }
    if (memchr(text, 0, length)) {
        return yaml_fail(&node, builder->diagnostic, "a zero byte in a text");
    }
    node.text = arena_text_range(builder->arena, text, length);
    TRY_MEMORY(node.text, builder->diagnostic);
    node.plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (expects_key(builder)) {
        builder->key = node;
        return check_key(&node, length, builder->diagnostic);
    }
    take_key(builder, &node);
    return add_node(builder, node);
}

static status open_level(struct builder *builder, struct yaml node, const yaml_char_t *anchor,
                         const yaml_char_t *tag)
{
    TRY(refuse_decoration(&node, anchor, tag, builder->diagnostic));
    if (expects_key(builder)) {
        return yaml_fail(&node, builder->diagnostic, "a list or map as a key; keys are plain text");
    }
    if (builder->depth == DEEPEST_LEVEL) {
        return yaml_fail(&node, builder->diagnostic, "nested more than %d levels deep",
                         DEEPEST_LEVEL);
    }
    take_key(builder, &node);
    builder->levels[builder->depth++] = (struct level){node, builder->pending_count};
    return STATUS_OK;
}

/* Merges the sorted runs of `width` keys in `from` into runs of twice that in `to`. */
static void merge_runs(struct yaml **from, struct yaml **to, size_t count, size_t width)
{
    for (size_t start = 0; start < count; start += 2 * width) {
        size_t left = start, middle = start + width < count ? start + width : count;
        size_t right = middle, end = middle + width < count ? middle + width : count;
        for (size_t i = start; i < end; i++) {
            bool take_left =
                left < middle && (right == end || strcmp(from[left]->key, from[right]->key) <= 0);
            to[i] = from[take_left ? left++ : right++];
        }
    }
}

/* Sorting instead of hashing: no file can make it slow.  The sort is stable, so equal keys stand in
 * the order of the file. */
static status refuse_duplicates(struct builder *builder, struct yaml *items, size_t count)
{
    struct yaml **order, **merged;
    TRY_NEW(order, builder->arena, count, builder->diagnostic);
    TRY_NEW(merged, builder->arena, count, builder->diagnostic);
    for (size_t i = 0; i < count; i++) order[i] = &items[i];
    for (size_t width = 1; width < count; width *= 2) {
        merge_runs(order, merged, count, width);
        struct yaml **swapped = order;
        order = merged;
        merged = swapped;
    }
    for (size_t i = 1; i < count; i++) {
        const struct yaml *first = order[i - 1], *second = order[i];
        if (strcmp(first->key, second->key) != 0) continue;
        struct yaml place = {
            .file = builder->file, .line = second->key_line, .column = second->key_column};
        return yaml_fail(&place, builder->diagnostic,
                         "the key '%s' was already given at line %d, column %d", second->key,
                         first->key_line, first->key_column);
    }
    return STATUS_OK;
}

static status close_level(struct builder *builder)
{
    struct level *level = &builder->levels[--builder->depth];
    size_t count = builder->pending_count - level->first;
    if (count) {
        const struct yaml *first = builder->pending + level->first;
        level->node.items = arena_copy(builder->arena, first, count * sizeof *first);
        TRY_MEMORY(level->node.items, builder->diagnostic);
        level->node.count = (int)count;
    }
    if (level->node.kind == YAML_MAP) {
        TRY(refuse_duplicates(builder, level->node.items, count));
    }
    builder->pending_count = level->first;
    return add_node(builder, level->node);
}

static status on_document(struct builder *builder, const yaml_event_t *event)
{
    struct yaml place = node_at(builder, YAML_SCALAR, event->start_mark);
    if (builder->node_count) {
        return yaml_fail(&place, builder->diagnostic, "a second document; a file holds one");
    }
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end) {
        return yaml_fail(&place, builder->diagnostic, "directives (%%...) are not allowed");
    }
    return STATUS_OK;
}

static status on_event(struct builder *builder, const yaml_event_t *event)
{
    struct yaml place = node_at(builder, YAML_SCALAR, event->start_mark);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT: return on_document(builder, event);
    case YAML_SCALAR_EVENT: return on_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        place.kind = YAML_LIST;
        return open_level(builder, place, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        place.kind = YAML_MAP;
        return open_level(builder, place, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_level(builder);
    case YAML_ALIAS_EVENT:
        return yaml_fail(&place, builder->diagnostic,
                         "anchors and aliases are not allowed; write '*%.40s' out",
                         (const char *)event->data.alias.anchor);
    default: return STATUS_OK;
    }
}

/* Errors of the byte reader carry an offset into the file instead of a line and column. */
static status fail_parser(const struct builder *builder, const char *bytes, size_t byte_count)
{
    const yaml_parser_t *parser = &builder->parser;
    struct yaml place = node_at(builder, YAML_SCALAR, parser->problem_mark);
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_MEMORY_ERROR) return fail_memory(builder->diagnostic, 0);
    if (parser->error == YAML_READER_ERROR) {
        place.line = place.column = 1;
        for (size_t i = 0; i < parser->problem_offset && i < byte_count; i++) {
            place.column = bytes[i] == '\n' ? 1 : place.column + 1;
            place.line += bytes[i] == '\n';
        }
    }
    if (!parser->context) return yaml_fail(&place, builder->diagnostic, "%s", problem);
    return yaml_fail(&place, builder->diagnostic, "%s %s", parser->context, problem);
}

static status read_events(struct builder *builder, const char *bytes, size_t byte_count)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event)) {
            return fail_parser(builder, bytes, byte_count);
        }
        bool at_end = event.type == YAML_STREAM_END_EVENT;
        status result = on_event(builder, &event);
        yaml_event_delete(&event);
        TRY(result);
        if (at_end) return STATUS_OK;
    }
}

/* The encoding is set, so that a file in UTF-16 is refused as wrong UTF-8 and not converted. */
static status build(struct builder *builder, const char *bytes, size_t byte_count)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (byte_count >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) {
        bytes += 3;
        byte_count -= 3;
    }
    if (!yaml_parser_initialize(&builder->parser)) return fail_memory(builder->diagnostic, 0);
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder->parser, (const unsigned char *)bytes, byte_count);
    status result = read_events(builder, bytes, byte_count);
    yaml_parser_delete(&builder->parser);
    return result;
}

status yaml_parse(const char *file, const char *bytes, size_t byte_count, struct arena *arena,
                  struct yaml **root, struct diagnostic *diagnostic)
{
    struct builder builder = {.arena = arena, .diagnostic = diagnostic};
    if (byte_count > LARGEST_FILE_BYTES) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: %zu bytes; at most %d are allowed", file,
                    byte_count, LARGEST_FILE_BYTES);
    }
    builder.file = arena_text(arena, file);
    TRY_MEMORY(builder.file, diagnostic);
    TRY(build(&builder, bytes, byte_count));
    struct yaml *node = builder.pending;
    if (!node || (node->kind == YAML_SCALAR && node->plain && !*node->text)) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: the file is empty", file);
    }
    *root = node;
    return STATUS_OK;
}

status yaml_read(const char *path, struct arena *arena, struct yaml **root,
                 struct diagnostic *diagnostic)
{
    char *bytes;
    size_t byte_count;
    TRY(file_read(path, LARGEST_FILE_BYTES, arena, &bytes, &byte_count, diagnostic));
    return yaml_parse(path, bytes, byte_count, arena, root, diagnostic);
}

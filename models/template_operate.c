/* Operators of chat templates: arithmetic, comparison, items, slices and attributes, with Python's meaning. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <math.h>
#include <string.h>

enum { POWER_EXPONENT_MAX = 1024 };

static status refuse_operands(struct rendering *rendering, const char *operation,
                              const struct datum *left, const struct datum *right)
{
    char excerpt[EXCERPT_BYTES];
    const struct datum *missing = left->kind == DATUM_UNDEFINED ? left : right;
    if (missing->kind == DATUM_UNDEFINED)
        return RENDER_REFUSE(rendering, "'%s' is undefined",
                             utf8_excerpt(missing->text.bytes, missing->text.length, excerpt));
    return RENDER_REFUSE(rendering, "%s and %s cannot be %s", datum_kind_name(left),
                         datum_kind_name(right), operation);
}

static status repeat(struct rendering *rendering, const struct datum *subject, int64_t count,
                     struct datum *result)
{
    if (subject->kind == DATUM_TEXT) {
        struct text text;
        TRY(render_start_text(rendering, &text));
        for (int64_t i = 0; i < count && subject->text.length; i++)
            TRY(render_append(rendering, &text, subject->text.bytes, subject->text.length));
        return render_finish_text(rendering, &text, result);
    }
    const struct datum_list *list = subject->list;
    TRY(datum_new_list(rendering, list->flavour, 0, result));
    for (int64_t i = 0; i < count && list->count; i++)
        for (size_t n = 0; n < list->count; n++)
            TRY(datum_append(rendering, result, list->items[n]));
    return STATUS_OK;
}

static status add_lists(struct rendering *rendering, const struct datum_list *left,
                        const struct datum_list *right, struct datum *result)
{
    TRY(datum_new_list(rendering, left->flavour, left->count + right->count, result));
    for (size_t i = 0; i < left->count; i++) TRY(datum_append(rendering, result, left->items[i]));
    for (size_t i = 0; i < right->count; i++) TRY(datum_append(rendering, result, right->items[i]));
    return STATUS_OK;
}

static bool is_repeatable(const struct datum *datum)
{
    return datum->kind == DATUM_TEXT ||
           (datum->kind == DATUM_LIST && datum->list->flavour <= LIST_TUPLE);
}

/* + and * of texts and lists; false: neither is one. */
static bool combines(int operation, const struct datum *left, const struct datum *right)
{
    int64_t count;
    if (operation == '*')
        return (is_repeatable(left) && datum_whole(right, &count)) ||
               (is_repeatable(right) && datum_whole(left, &count));
    return operation == '+' && is_repeatable(left) && left->kind == right->kind &&
           (left->kind == DATUM_TEXT || left->list->flavour == right->list->flavour);
}

static status combine(struct rendering *rendering, int operation, const struct datum *left,
                      const struct datum *right, struct datum *result)
{
    int64_t count;
    if (operation == '*' && datum_whole(right, &count))
        return repeat(rendering, left, count, result);
    if (operation == '*' && datum_whole(left, &count))
        return repeat(rendering, right, count, result);
    if (left->kind == DATUM_LIST) return add_lists(rendering, left->list, right->list, result);
    struct text text;
    TRY(render_start_text(rendering, &text));
    TRY(render_append(rendering, &text, left->text.bytes, left->text.length));
    TRY(render_append(rendering, &text, right->text.bytes, right->text.length));
    return render_finish_text(rendering, &text, result);
}

static bool whole_power(int64_t base, int64_t exponent, int64_t *result)
{
    *result = 1;
    for (int64_t i = 0; i < exponent; i++)
        if (__builtin_mul_overflow(*result, base, result)) return false;
    return true;
}

/* Towards minus infinity, as Python has it. */
static int64_t floor_quotient(int64_t left, int64_t right)
{
    int64_t quotient = left / right;
    return quotient - (left % right != 0 && (left < 0) != (right < 0));
}

static status whole_arithmetic(struct rendering *rendering, int operation, int64_t left,
                               int64_t right, struct datum *result)
{
    int64_t value = 0;
    bool overflow = false;
    switch (operation) {
    case '+': overflow = __builtin_add_overflow(left, right, &value); break;
    case '-': overflow = __builtin_sub_overflow(left, right, &value); break;
    case '*': overflow = __builtin_mul_overflow(left, right, &value); break;
    case LEXEME_POWER: overflow = !whole_power(left, right, &value); break;
    case LEXEME_FLOOR:
        overflow = left == INT64_MIN && right == -1;
        if (!overflow) value = floor_quotient(left, right);
        break;
    default:
        if (right != -1) value = left - right * floor_quotient(left, right);
        break;
    }
    *result = datum_integer(value);
    return overflow ? RENDER_REFUSE(rendering, "a number becomes too large") : STATUS_OK;
}

static double real_arithmetic(int operation, double left, double right)
{
    switch (operation) {
    case '+': return left + right;
    case '-': return left - right;
    case '*': return left * right;
    case '/': return left / right;
    case LEXEME_POWER: return pow(left, right);
    default: break;
    }
    double rest = fmod(left, right);
    if (rest == 0)
        rest = copysign(0, right);
    else if ((rest < 0) != (right < 0))
        rest += right;
    return operation == LEXEME_FLOOR ? nearbyint((left - rest) / right) : rest;
}

status render_binary(struct rendering *rendering, int operation, const struct datum *left,
                     const struct datum *right, struct datum *result)
{
    int64_t whole_left = 0, whole_right = 0;
    bool divides = operation == '/' || operation == '%' || operation == LEXEME_FLOOR;
    if (combines(operation, left, right)) return combine(rendering, operation, left, right, result);
    if (!datum_is_number(left) || !datum_is_number(right))
        return refuse_operands(rendering, "put together so", left, right);
    if (divides && datum_to_real(right) == 0) return RENDER_REFUSE(rendering, "division by zero");
    bool whole = datum_whole(left, &whole_left) && datum_whole(right, &whole_right);
    if (operation == LEXEME_POWER && fabs(datum_to_real(right)) > POWER_EXPONENT_MAX)
        return RENDER_REFUSE(rendering, "an exponent above %d", POWER_EXPONENT_MAX);
    if (whole && operation != '/' && !(operation == LEXEME_POWER && whole_right < 0))
        return whole_arithmetic(rendering, operation, whole_left, whole_right, result);
    *result = datum_real(real_arithmetic(operation, datum_to_real(left), datum_to_real(right)));
    return STATUS_OK;
}

status render_compare(struct rendering *rendering, int operation, const struct datum *left,
                      const struct datum *right, bool *holds)
{
    int order = 0;
    TRY(render_charge(rendering, left->kind == DATUM_TEXT ? left->text.length : 0));
    if (operation == LEXEME_EQUAL || operation == LEXEME_UNEQUAL) {
        *holds = datum_equal(left, right) == (operation == LEXEME_EQUAL);
        return STATUS_OK;
    }
    if (operation == COMPARE_IN || operation == COMPARE_NOT_IN) {
        TRY(datum_contains(rendering, right, left, holds));
        *holds = *holds == (operation == COMPARE_IN);
        return STATUS_OK;
    }
    if (!datum_compare(left, right, &order))
        return refuse_operands(rendering, "put in order", left, right);
    switch (operation) {
    case '<': *holds = order < 0; break;
    case '>': *holds = order > 0; break;
    case LEXEME_AT_MOST: *holds = order <= 0; break;
    default: *holds = order >= 0; break;
    }
    return STATUS_OK;
}

/* Where a slice begins and ends, and its step, for `count` items. */
static status slice_bounds(struct rendering *rendering, const struct datum bounds[static 3],
                           int64_t count, int64_t numbers[static 3])
{
    for (int i = 0; i < 3; i++)
        if (bounds[i].kind != DATUM_NONE && !datum_whole(&bounds[i], &numbers[i]))
            return RENDER_REFUSE(rendering, "%s cannot bound a slice", datum_kind_name(&bounds[i]));
    if (bounds[2].kind == DATUM_NONE) numbers[2] = 1;
    if (numbers[2] == 0) return RENDER_REFUSE(rendering, "the step of a slice is 0");
    int64_t step = numbers[2], least = step < 0 ? -1 : 0, most = step < 0 ? count - 1 : count;
    for (int i = 0; i < 2; i++) {
        if (bounds[i].kind == DATUM_NONE) {
            numbers[i] = (i == 0) == (step > 0) ? least : most;
            continue;
        }
        if (numbers[i] < 0) numbers[i] = numbers[i] < -count ? least : numbers[i] + count;
        if (numbers[i] < least) numbers[i] = least;
        if (numbers[i] > most) numbers[i] = most;
    }
    return STATUS_OK;
}

static status slice_text(struct rendering *rendering, struct datum_text text,
                         const int64_t numbers[static 3], struct datum *result)
{
    struct text slice;
    TRY(render_charge(rendering, text.length));
    if (numbers[2] == 1) {
        size_t begin = text_offset(text, (size_t)numbers[0]);
        size_t end = numbers[1] > numbers[0] ? text_offset(text, (size_t)numbers[1]) : begin;
        *result = datum_text(text.bytes + begin, end - begin);
        return STATUS_OK;
    }
    struct datum subject = datum_text(text.bytes, text.length);
    const struct datum *items;
    size_t count;
    TRY(datum_items(rendering, &subject, &items, &count));
    TRY(render_start_text(rendering, &slice));
    for (int64_t i = numbers[0]; numbers[2] > 0 ? i < numbers[1] : i > numbers[1];
         i += numbers[2]) {
        TRY(render_append(rendering, &slice, items[i].text.bytes, items[i].text.length));
        if (numbers[2] > (int64_t)count || numbers[2] < -(int64_t)count) break;
    }
    return render_finish_text(rendering, &slice, result);
}

status render_slice(struct rendering *rendering, const struct datum *subject,
                    const struct datum bounds[static 3], struct datum *result)
{
    int64_t numbers[3] = {0}, count;
    bool list = subject->kind == DATUM_LIST && subject->list->flavour <= LIST_RANGE &&
                subject->list->flavour != LIST_ITERATOR;
    if (subject->kind == DATUM_UNDEFINED)
        return refuse_operands(rendering, "cut", subject, subject);
    if (!list && subject->kind != DATUM_TEXT)
        return RENDER_REFUSE(rendering, "%s cannot be cut into slices", datum_kind_name(subject));
    TRY(datum_length(rendering, subject, &count));
    TRY(slice_bounds(rendering, bounds, count, numbers));
    if (!list) return slice_text(rendering, subject->text, numbers, result);
    TRY(datum_new_list(rendering, subject->list->flavour, 0, result));
    for (int64_t i = numbers[0]; numbers[2] > 0 ? i < numbers[1] : i > numbers[1];
         i += numbers[2]) {
        TRY(render_charge(rendering, 0));
        TRY(datum_append(rendering, result, subject->list->items[i]));
        if (numbers[2] > count || numbers[2] < -count) break;
    }
    return STATUS_OK;
}

static bool loop_attribute(const struct template_loop *loop, const struct datum *name,
                           struct datum *result)
{
    int64_t at = (int64_t)loop->at, count = (int64_t)loop->count;
    bool first = at == 0, last = at == count - 1;
    const struct {
        const char *name;
        struct datum value;
    } attributes[] = {
        {"index", datum_integer(at + 1)},
        {"index0", datum_integer(at)},
        {"revindex", datum_integer(count - at)},
        {"revindex0", datum_integer(count - at - 1)},
        {"first", datum_boolean(first)},
        {"last", datum_boolean(last)},
        {"length", datum_integer(count)},
        {"depth", datum_integer(loop->depth)},
        {"depth0", datum_integer(loop->depth - 1)},
        {"previtem", first ? datum_undefined("previtem", 8) : loop->items[at - 1]},
        {"nextitem", last ? datum_undefined("nextitem", 8) : loop->items[at + 1]},
    };
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (!datum_is_text(name, attributes[i].name)) continue;
        *result = attributes[i].value;
        return true;
    }
    return false;
}

static status make_method(struct rendering *rendering, const struct datum *subject, int method,
                          struct datum *result)
{
    void *object;
    TRY(render_allocate(rendering, 1, sizeof *subject, &object));
    memcpy(object, subject, sizeof *subject);
    *result = (struct datum){.kind = DATUM_METHOD, .detail = method, .object = object};
    return STATUS_OK;
}

/* What belongs to the kind of value, as methods do; *result stays undefined when there is nothing. */
static status own_attribute(struct rendering *rendering, const struct datum *subject,
                            struct datum_text name, struct datum *result)
{
    struct datum key = datum_text(name.bytes, name.length);
    if (subject->kind == DATUM_LOOP && loop_attribute(subject->loop, &key, result))
        return STATUS_OK;
    int method = method_find(subject, name.bytes, name.length);
    if (method >= 0) return make_method(rendering, subject, method, result);
    bool hidden = name.length > 1 && memcmp(name.bytes, "__", 2) == 0;
    char excerpt[EXCERPT_BYTES];
    if (method == -2 || hidden)
        return RENDER_REFUSE(rendering, "'%s' of %s is not there for chat templates",
                             utf8_excerpt(name.bytes, name.length, excerpt),
                             datum_kind_name(subject));
    return STATUS_OK;
}

status render_attribute(struct rendering *rendering, const struct datum *subject,
                        struct datum_text name, struct datum *result)
{
    const struct datum *member = NULL;
    if (subject->kind == DATUM_UNDEFINED)
        return refuse_operands(rendering, "used", subject, subject);
    *result = datum_undefined(name.bytes, name.length);
    TRY(own_attribute(rendering, subject, name, result));
    if (result->kind != DATUM_UNDEFINED) return STATUS_OK;
    if (subject->kind == DATUM_MAP || subject->kind == DATUM_NAMESPACE) {
        member = datum_member(subject->map, name.bytes, name.length);
        TRY(render_charge(rendering, subject->map->count * sizeof *member));
    }
    if (member) *result = *member;
    return STATUS_OK;
}

/* An index into a list or text; what is beyond it is undefined. */
static status indexed(struct rendering *rendering, const struct datum *subject, int64_t index,
                      struct datum *result)
{
    int64_t count;
    *result = datum_undefined("an item beyond the end", strlen("an item beyond the end"));
    if (subject->kind == DATUM_LIST &&
        (subject->list->flavour == LIST_ITERATOR || subject->list->flavour > LIST_RANGE))
        return STATUS_OK;
    TRY(datum_length(rendering, subject, &count));
    if (index < 0) index += count;
    if (index < 0 || index >= count) return STATUS_OK;
    if (subject->kind == DATUM_LIST) {
        *result = subject->list->items[index];
        return STATUS_OK;
    }
    TRY(render_charge(rendering, subject->text.length));
    size_t begin = text_offset(subject->text, (size_t)index);
    const char *bytes = subject->text.bytes + begin;
    *result = datum_text(bytes, utf8_character(bytes, subject->text.length - begin));
    return STATUS_OK;
}

status render_item(struct rendering *rendering, const struct datum *subject,
                   const struct datum *key, struct datum *result)
{
    int64_t index;
    if (subject->kind == DATUM_UNDEFINED)
        return refuse_operands(rendering, "used", subject, subject);
    if (subject->kind == DATUM_MAP) {
        const struct datum *member = datum_get(subject->map, key);
        TRY(render_charge(rendering, subject->map->count * sizeof *member));
        if (member) {
            *result = *member;
            return STATUS_OK;
        }
    } else if ((subject->kind == DATUM_LIST || subject->kind == DATUM_TEXT) &&
               datum_whole(key, &index)) {
        return indexed(rendering, subject, index, result);
    }
    *result = datum_undefined("an item", strlen("an item"));
    if (key->kind != DATUM_TEXT) return STATUS_OK;
    return render_attribute(rendering, subject, key->text, result);
}

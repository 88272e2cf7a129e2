/* Numbers from and to text, and the nearest of some names.
 *
 * The readers take plain decimal numbers and nothing else: no spaces, no plus sign, no leading
 * zeros (which some would read as octal), no hexadecimal, no infinity.  They do not depend on the
 * locale. */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 63, LONGEST_NUMBER = 127 };

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Behind the digits of a whole number at `string`, or NULL when there is none. */
static const char *skip_whole(const char *string)
{
    if (!is_digit(*string) || (*string == '0' && is_digit(string[1]))) return NULL;
    while (is_digit(*string)) string++;
    return string;
}

/* Behind "[-]whole[.digits][e[+-]digits]", or NULL. */
static const char *skip_real(const char *string)
{
    string = skip_whole(string + (*string == '-'));
    if (!string) return NULL;
    if (*string == '.') {
        if (!is_digit(*++string)) return NULL;
        while (is_digit(*string)) string++;
    }
    if (*string == 'e' || *string == 'E') {
        string++;
        if (*string == '+' || *string == '-') string++;
        if (!is_digit(*string)) return NULL;
        while (is_digit(*string)) string++;
    }
    return string;
}

bool text_to_integer(const char *string, int64_t *value)
{
    const char *digit = string + (*string == '-');
    const char *end = skip_whole(digit);
    if (!end || *end) return false;
    int64_t sign = *string == '-' ? -1 : 1, number = 0;
    for (; digit < end; digit++) {
        if (__builtin_mul_overflow(number, 10, &number)) return false;
        if (__builtin_add_overflow(number, sign * (*digit - '0'), &number)) return false;
    }
    *value = number;
    return true;
}

bool text_to_real(const char *string, double *value)
{
    const char *end = skip_real(string);
    if (!end || *end || end - string > LONGEST_NUMBER) return false;
    locale_t plain = newlocale(LC_ALL_MASK, "C", NULL);
    if (!plain) return false;
    double number = strtod_l(string, NULL, plain);
    freelocale(plain);
    if (!isfinite(number)) return false;
    *value = number;
    return true;
}

/* What a unit's letter stands for, the power of 1000 or 1024; 0: not a unit. */
static uint64_t unit_bytes(const char *unit)
{
    static const char letters[] = "KMGT";
    if (!*unit || strcmp(unit, "B") == 0) return 1;
    const char *letter = strchr(letters, *unit);
    bool binary = letter && strcmp(unit + 1, "iB") == 0;
    if (!letter || (!binary && strcmp(unit + 1, "B") != 0)) return 0;
    uint64_t bytes = 1;
    for (const char *i = letters; i <= letter; i++) bytes *= binary ? 1024 : 1000;
    return bytes;
}

bool text_to_bytes(const char *string, uint64_t *bytes)
{
    const char *end = *string == '-' ? NULL : skip_real(string);
    char number[LONGEST_NUMBER + 1] = {0};
    if (!end || end - string > LONGEST_NUMBER) return false;
    uint64_t unit = unit_bytes(end);
    if (!unit) return false;
    memcpy(number, string, (size_t)(end - string));
    int64_t whole;
    if (text_to_integer(number, &whole)) {
        uint64_t product;
        if (__builtin_mul_overflow((uint64_t)whole, unit, &product)) return false;
        *bytes = product;
        return true;
    }
    double real;
    if (!text_to_real(number, &real) || real * (double)unit >= 0x1p63) return false;
    if (unit == 1) return false; /* "1.5" bytes */
    *bytes = (uint64_t)(real * (double)unit);
    return true;
}

/* One decimal, none where it would be 0. */
static void print_short(double value, const char *unit, char buffer[static 32])
{
    double tenths = round(value * 10);
    snprintf(buffer, 32, fmod(tenths, 10) == 0 ? "%.0f %s" : "%.1f %s", tenths / 10, unit);
}

const char *text_bytes(double bytes, char buffer[static 32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    while (fabs(bytes) >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024;
        unit++;
    }
    print_short(bytes, units[unit], buffer);
    return buffer;
}

const char *text_seconds(double seconds, char buffer[static 32])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    if (seconds < 59.95) {
        int unit = 0;
        double value = seconds * 1e9;
        while (fabs(value) >= 999.95 && unit < 3) {
            value /= 1000;
            unit++;
        }
        print_short(value, units[unit], buffer);
        return buffer;
    }
    double whole = round(seconds);
    if (whole < 3600) {
        snprintf(buffer, 32, "%.0f min %.0f s", floor(whole / 60), fmod(whole, 60));
    } else {
        snprintf(buffer, 32, "%.0f h %.0f min", floor(whole / 3600), floor(fmod(whole, 3600) / 60));
    }
    return buffer;
}

static int minimum(int a, int b)
{
    return a < b ? a : b;
}

/* The number of insertions, deletions and replacements that turn `a` into `b` (at most LONGEST_NAME
 * bytes each), one row of the table at a time. */
static int edit_distance(const char *a, const char *b)
{
    int row[LONGEST_NAME + 1], length = (int)strlen(b);
    for (int j = 0; j <= length; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = minimum(replaced, minimum(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

const char *text_nearest(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t length = strlen(word);
    int best = length <= 3 ? 2 : 3; /* two edits turn any short word into any other */
    if (length > LONGEST_NAME) return NULL;
    for (; names && *names; names++) {
        if (strlen(*names) > LONGEST_NAME) continue;
        int distance = edit_distance(word, *names);
        if (distance < best) {
            best = distance;
            nearest = *names;
        }
    }
    return nearest;
}

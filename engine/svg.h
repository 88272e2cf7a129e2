/* What drawings have in common: SVG files that need nothing else, legible on light and dark grounds. */
#ifndef ENGINE_SVG_H
#define ENGINE_SVG_H

#include "base/text.h"

/* Opens the drawing: size in pixels, a title for readers, and CSS of its own for light and for dark grounds.  Classes that
 * all have: paper (the ground), faint (lesser text). */
void svg_begin(struct text *text, int width, int height, const char *title, const char *light,
               const char *dark);
void svg_end(struct text *text);

/* Names of files may hold anything; what is no plain character becomes a question mark. */
void svg_escape(struct text *text, const char *name);

#endif

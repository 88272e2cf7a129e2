/* Head and foot of drawings. */
#include "engine/svg.h"

#include <string.h>

void svg_begin(struct text *text, int width, int height, const char *title, const char *light,
               const char *dark)
{
    text_print(text,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 "
               "%d %d\" role=\"img\">\n<title>%s</title>\n",
               width, height, width, height, title);
    text_print(text,
               "<style>\n"
               "svg{font:13px system-ui,sans-serif}text{fill:#1f2328}.paper{fill:#fff}"
               ".faint{fill:#656d76}\n%s"
               "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}"
               ".faint{fill:#9198a1}\n%s}\n</style>\n",
               light, dark);
    text_print(text, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", width, height);
}

void svg_end(struct text *text)
{
    text_append(text, "</svg>\n");
}

void svg_escape(struct text *text, const char *name)
{
    for (; *name; name++) {
        bool plain = *name >= ' ' && *name < 127 && !strchr("&<>\"", *name);
        text_print(text, "%c", plain ? *name : '?');
    }
}

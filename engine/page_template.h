/* Pages: engine/report/page.html with its style, its scripts and data put in, one file that needs nothing else. */
#ifndef ENGINE_PAGE_TEMPLATE_H
#define ENGINE_PAGE_TEMPLATE_H

#include "base/text.h"

/* `data`: of page_data.h.  `refresh_seconds`: how often browsers without scripts load it again; 0: never. */
CHECKED status page_compose(const char *title, const char *data, int refresh_seconds,
                            struct text *page, struct diagnostic *diagnostic);

#endif

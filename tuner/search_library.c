/* Loading strategies, and finding them by name. */
#include "tuner/search_library.h"

#include "base/text.h"
#include "tuner/search.h"

#include <dlfcn.h>
#include <string.h>

static status check(const char *path, const struct hone_strategy *strategy,
                    struct diagnostic *diagnostic)
{
    if (!strategy)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: hone_strategy() returned nothing", path);
    if (strategy->abi != HONE_STRATEGY_ABI)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: it was compiled for version %u of hone/strategy.h, this is version %u; "
                    "compile it again",
                    path, strategy->abi, HONE_STRATEGY_ABI);
    if (!strategy->name || !strategy->create || !strategy->ask || !strategy->tell)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: name, create, ask and tell of its strategy must all be there", path);
    return STATUS_OK;
}

static status load(const char *path, const struct hone_strategy **strategy,
                   struct diagnostic *diagnostic)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: it cannot be loaded: %s", path,
                    reason ? reason : "no reason is given");
    }
    void *symbol = dlsym(library, "hone_strategy");
    if (!symbol)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: it does not export hone_strategy (hone/strategy.h)", path);
    hone_strategy_function *function;
    memcpy(&function, &symbol, sizeof function); /* ISO C has no cast from data to functions */
    *strategy = function();
    return check(path, *strategy, diagnostic);
}

status search_find(const char *name, const struct hone_strategy **strategy,
                   struct diagnostic *diagnostic)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX + 1] = {0};
    if (strchr(name, '/')) return load(name, strategy, diagnostic);
    *strategy = search_by_name(name);
    if (*strategy) return STATUS_OK;
    for (int s = 0; s < NAMES_MAX && search_table()[s]; s++) names[s] = search_table()[s]->name;
    const char *nearest = text_nearest(name, names);
    return fail(diagnostic, STATUS_USAGE, "there is no search strategy '%s'%s%s%s; %s", name,
                nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "",
                "a shared object is named with its path: ./mine.so");
}

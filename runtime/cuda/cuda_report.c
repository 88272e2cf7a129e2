/* What the stand-in driver counts of its launches: instructions, bank conflicts, sectors, faults. */
#include "runtime/cuda/cuda_device.h"

#include <string.h>

enum { REPORT_BYTES_MOST = 1 << 24 };

status cuda_report(struct device *device, int launches, struct arena *arena, const char **report,
                   struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card_of(device)->driver;
    if (!driver->report)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%s: its driver counts nothing; the stand-in does: emulated:sm_86:24GiB",
                    device->specification);
    size_t bytes = driver->report((size_t)launches, NULL, 0);
    if (bytes == 0 || bytes > REPORT_BYTES_MOST)
        return fail(diagnostic, STATUS_DEVICE, "%s: the driver's report has %zu bytes",
                    device->specification, bytes);
    char *text;
    TRY_NEW(text, arena, bytes, diagnostic);
    if (driver->report((size_t)launches, text, bytes) != bytes || text[bytes - 1] != 0)
        return fail(diagnostic, STATUS_DEVICE, "%s: the driver's report changed while it was read",
                    device->specification);
    *report = text;
    return STATUS_OK;
}

/* Pages from the system for tensors and machine code. */
#include "base/memory.h"

#include "base/checked.h"
#include "base/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* The size of a transparent huge page on x86-64 and, with 4 KiB pages, on AArch64. */
enum { HUGE_PAGE_BYTES = 2 << 20 };

/* Whole pages, at least one, so that an empty buffer has an address as well; 0 on overflow. */
static size_t whole_pages(size_t bytes)
{
    uint64_t rounded;
    if (!checked_align(bytes ? bytes : 1, MEMORY_ALIGNMENT_BYTES, &rounded)) return 0;
    return (size_t)rounded;
}

static void *map_pages(size_t bytes, int sharing)
{
    if (!bytes || fault_allocation()) return NULL;
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

/* Maps one huge page more than asked for and gives back what lies outside the aligned part. */
static void *map_huge_pages(size_t bytes)
{
    uint64_t padded;
    if (!bytes || !checked_add(bytes, HUGE_PAGE_BYTES, &padded)) return NULL;
    char *pages = map_pages((size_t)padded, MAP_PRIVATE);
    if (!pages) return NULL;
    size_t excess = (uintptr_t)pages % HUGE_PAGE_BYTES;
    size_t before = excess ? HUGE_PAGE_BYTES - excess : 0;
    if (before) munmap(pages, before);
    if (before < HUGE_PAGE_BYTES) munmap(pages + before + bytes, HUGE_PAGE_BYTES - before);
    madvise(pages + before, bytes, MADV_HUGEPAGE); /* advice: without it the memory is the same */
    return pages + before;
}

status memory_map(size_t bytes, void **memory, struct diagnostic *diagnostic)
{
    size_t total = whole_pages(bytes);
    void *pages = bytes > HUGE_PAGE_BYTES ? map_huge_pages(total) : map_pages(total, MAP_PRIVATE);
    if (!pages) return fail_memory(diagnostic, bytes);
    *memory = pages;
    return STATUS_OK;
}

status memory_map_shared(size_t bytes, void **memory, struct diagnostic *diagnostic)
{
    void *pages = map_pages(whole_pages(bytes), MAP_SHARED);
    if (!pages) return fail_memory(diagnostic, bytes);
    *memory = pages;
    return STATUS_OK;
}

size_t memory_peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss << 10 : 0; /* in KiB */
}

void memory_unmap(void *memory, size_t bytes)
{
    if (memory) munmap(memory, whole_pages(bytes));
}

/* Reserves everything and opens the middle; the reservation may start up to a huge page earlier
 * than needed, so the fence before is cut to its size. */
status memory_map_fenced(size_t bytes, size_t fence_bytes, void **memory,
                         struct diagnostic *diagnostic)
{
    size_t inside = whole_pages(bytes);
    uint64_t fences, around, total;
    if (!inside || !checked_multiply(2, fence_bytes, &fences) ||
        !checked_add(fences, HUGE_PAGE_BYTES, &around) || !checked_add(inside, around, &total) ||
        fault_allocation())
        return fail_memory(diagnostic, bytes);
    char *pages =
        mmap(NULL, (size_t)total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) return fail_memory(diagnostic, bytes);
    size_t excess = (uintptr_t)pages % HUGE_PAGE_BYTES;
    size_t before = excess ? HUGE_PAGE_BYTES - excess : 0;
    if (before) munmap(pages, before);
    char *start = pages + before + fence_bytes, *end = start + inside + fence_bytes;
    if (end < pages + total) munmap(end, (size_t)(pages + total - end));
    if (mprotect(start, inside, PROT_READ | PROT_WRITE) != 0) {
        munmap(pages + before, (size_t)(end - (pages + before)));
        return fail_memory(diagnostic, bytes);
    }
    if (inside > HUGE_PAGE_BYTES) madvise(start, inside, MADV_HUGEPAGE);
    *memory = start;
    return STATUS_OK;
}

void memory_unmap_fenced(void *memory, size_t bytes, size_t fence_bytes)
{
    if (memory) munmap((char *)memory - fence_bytes, whole_pages(bytes) + 2 * fence_bytes);
}

status memory_map_code(const void *code, size_t bytes, void **memory, struct diagnostic *diagnostic)
{
    size_t total = whole_pages(bytes);
    char *pages = map_pages(total, MAP_PRIVATE);
    if (!pages) return fail_memory(diagnostic, bytes);
    if (bytes) memcpy(pages, code, bytes);
    if (mprotect(pages, total, PROT_READ | PROT_EXEC) != 0) {
        int reason = errno;
        munmap(pages, total);
        return fail(diagnostic, STATUS_DEVICE,
                    "machine code cannot be made executable: %s; "
                    "allow this program to map executable memory",
                    strerror(reason));
    }
    __builtin___clear_cache(pages, pages + bytes);
    *memory = pages;
    return STATUS_OK;
}

#include "enhance/ahead.h"

#include "base/mem.h"

#include <string.h>

int ems_ahead_begin(ems_ahead *a, size_t room, size_t channels,
                    ems_error *err)
{
    *a = (ems_ahead){.channels = channels};
    a->frames = ems_alloc(room * channels, sizeof *a->frames);
    return a->frames ? EMS_OK : ems_out_of_memory(err);
}

static void forget(ems_ahead *a, size_t before)
{
    const size_t c = a->channels, drop = before - a->from;
    memmove(a->frames, a->frames + drop * c,
            (a->count - drop) * c * sizeof *a->frames);
    a->from = before;
    a->count -= drop;
}

int ems_ahead_pair(ems_ahead *a, float *x, size_t at, size_t frames,
                   size_t first, ems_sound_read *read, void *source,
                   ems_error *err)
{
    const size_t c = a->channels, second = first + 1 < c ? first + 1 : first;
    forget(a, at);
    while (a->count < frames) {
        const int64_t n = read(source, a->frames + a->count * c,
                               (int64_t)(frames - a->count), err);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        a->count += (size_t)n;
    }
    for (size_t i = 0; i < frames; i++) {
        const float *from = a->frames + i * c;
        x[2 * i] = i < a->count ? from[first] : 0;
        x[2 * i + 1] = i < a->count ? from[second] : 0;
    }
    return EMS_OK;
}

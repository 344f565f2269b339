/* VGMIDI's JSON from strangers. */
#include "music/listeners.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_listeners l = {0};
    if (ems_listeners_parse(&l, (const char *)data, size, "fuzz", NULL) < 0)
        return 0;
    for (size_t i = 0; i < l.count; i++) {
        if (!ems_listeners_find(&l, l.items[i].file))
            abort();
        for (size_t k = 0; k < 2 * l.items[i].points; k++)
            if (l.items[i].values[k] < -1 || l.items[i].values[k] > 1)
                abort();
    }
    ems_listeners_clear(&l);
    return 0;
}

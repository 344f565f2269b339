/* A CSV file of labels from strangers. */
#include "music/labels.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_labels l;
    if (ems_labels_parse(&l, (const char *)data, size, "fuzz", NULL) < 0)
        return 0;
    for (size_t i = 0; i < l.count; i++)
        if (l.items[i].valence < -1 || l.items[i].valence > 1 ||
            !ems_labels_find(&l, l.items[i].file))
            abort();
    ems_labels_clear(&l);
    return 0;
}

/* CSV files of labels and of sources from strangers. */
#include "music/dataset_origin.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_origins o;
    if (ems_origins_parse(&o, (const char *)data, size, "fuzz", NULL) ==
        EMS_OK) {
        for (size_t i = 0; i < o.count; i++)
            if (o.rows[i].weight <= 0 || !o.rows[i].licence)
                abort();
        ems_origins_clear(&o);
    }
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

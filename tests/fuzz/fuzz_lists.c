/* Cut lists from strangers, of every kind; the first byte chooses rate, film
 * length and whether the kind is told or found. */
#include "lists/cues.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const double fps[] = {24, 29.97, 23.976, 59.94};
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    const ems_cues_film film = {
        .name = "fuzz", .duration = *data & 4 ? 0 : 600,
        .rate = ems_rate_of(fps[*data & 3]),
    };
    const ems_cues_kind kind = *data & 8
                                   ? (ems_cues_kind)(*data >> 4 & 7)
                                   : ems_cues_kind_of("x", text, size - 1);
    ems_cues c;
    if (ems_cues_parse(&c, kind, text, size - 1, &film, NULL) < 0)
        return 0;
    for (size_t i = 0; i < c.count; i++)
        if (!(c.items[i].time > 0) ||
            (i && c.items[i].time <= c.items[i - 1].time))
            abort();
    ems_cues_clear(&c);
    return 0;
}

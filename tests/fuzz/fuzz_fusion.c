/* Files of a fusion from strangers, and one question to what is accepted. */
#include "fusion/model.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float row[EMS_FUSION_MOST_DIM];
    ems_error err;
    ems_fusion *f = ems_fusion_parse(data, size, "fuzz", &err);
    ems_clip clip = {.known = 0};
    ems_fusion_said said;
    if (!f)
        return 0;
    for (size_t e = 0; e < f->shape.experts; e++)
        clip.part[e] = (ems_fusion_rows){row, 1};
    if (ems_fusion_rate(f, &clip, 1, &said, &err) == EMS_OK &&
        f->shape.affect && !(fabsf(said.affect[0]) <= 1))
        abort();
    ems_fusion_free(f);
    return 0;
}

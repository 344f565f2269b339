/* Tables that say what films are like, from strangers. */
#include "fusion/labels.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const ems_label_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const ems_clip *c = &s->label[i].clip;
        double sum = 0;
        for (int e = 0; e < EMS_EKMAN; e++)
            sum += (double)c->emotion[e];
        if (!s->label[i].file[0] || c->group >= s->groups ||
            ((c->known & EMS_KNOWN_EMOTION) && fabs(sum - 1) > 1e-3))
            abort();
        for (int k = 0; k < 2; k++)
            if (!(fabsf(c->affect[k]) <= 1))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int genres = 0; genres < 2; genres++) {
        ems_label_set s;
        ems_error err;
        if (ems_label_set_parse(&s, (const char *)data, size, "fuzz", genres,
                                &err) == EMS_OK) {
            check(&s);
            ems_label_set_clear(&s);
        } else if (!err.text[0]) {
            abort();
        }
    }
    return 0;
}

/* A CSV file of emotion scores from strangers. */
#include "music/emotions.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_emotions *e = ems_emotions_parse((const char *)data, size, "fuzz",
                                         NULL);
    if (!e)
        return 0;
    static const char *const names[] = {"a.mid", "x/a.mid", "", "/",
        "lakh/0/0123456789abcdef0123456789abcdef.mid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const float *s = ems_emotions_find(
            e, names[i], "0123456789abcdef0123456789abcdef");
        float v, a;
        if (s)
            ems_emotions_affect(s, &v, &a);
        if (s && (v < -1 || v > 1 || a < -1 || a > 1))
            abort();
    }
    ems_emotions_free(e);
    return 0;
}

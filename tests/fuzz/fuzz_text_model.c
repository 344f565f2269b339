/* Weights of a classifier of texts from strangers. */
#include "affect/text.h"
#include "affect/text_model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char TEXT[] = "What a day, [NAME]!";
    ems_text *t = ems_text_parse(data, size, "fuzz", NULL);
    if (!t)
        return 0;
    float ekman[EMS_TEXT_EKMAN], full[EMS_TEXT_FULL];
    ems_text_rate(t, TEXT, sizeof TEXT - 1, ekman, full);
    for (size_t i = 0; i < EMS_TEXT_EKMAN; i++)
        if (!(ekman[i] >= 0 && ekman[i] <= 1))
            abort();
    ems_text_free(t);
    return 0;
}

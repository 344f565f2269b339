/* Texts of any bytes, rated with weights of our own. */
#include "affect/text.h"
#include "affect/text_model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ems_text *make_model(void)
{
    const ems_text_shape shape = {64, 32, 32, 32};
    ems_text *t = ems_text_new(&shape, NULL);
    if (!t)
        abort();
    const size_t floats = ems_text_params_place(&t->params, t->block, &shape);
    for (size_t i = 0; i < floats; i++)
        t->block[i] = (float)(i * 7 % 13) / 13 - 0.4f;
    for (size_t i = 0; i < 64 * 32; i++)
        t->table[i] = (int8_t)(i * 5 % 31 - 15);
    for (size_t i = 0; i < 64; i++)
        t->scale[i] = 0.02f;
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ems_text *model;
    if (!model)
        model = make_model();
    float ekman[EMS_TEXT_EKMAN], full[EMS_TEXT_FULL];
    ems_text_rate(model, (const char *)data, size, ekman, full);
    for (size_t i = 0; i < EMS_TEXT_FULL; i++)
        if (!(full[i] >= 0 && full[i] <= 1))
            abort();
    return 0;
}

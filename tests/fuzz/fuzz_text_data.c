/* Tables of labelled texts from strangers: the first byte says which. */
#include "affect/text.h"
#include "affect/text_data.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const ems_text_set *s)
{
    ems_words w;
    for (size_t i = 0; i < s->count; i++) {
        ems_text_set_words(s, i, &w);
        if (w.count < 1 || w.count > EMS_WORDS_MAX ||
            s->labels[i] >> (EMS_TEXT_FULL + EMS_TEXT_EKMAN))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    ems_text_labels l = {.count = EMS_TEXT_FULL};
    if (*data & 1) {
        ems_text_labels_parse(&l, *data & 2, text, size - 1, "fuzz", NULL);
        return 0;
    }
    for (uint8_t i = 0; i < EMS_TEXT_FULL; i++)
        l.output[i] = i;
    ems_text_set s = {0};
    if (ems_text_set_parse(&s, &l, text, size - 1, "fuzz", NULL) == EMS_OK) {
        check(&s);
        if (ems_text_set_parse(&s, &l, text, size - 1, "fuzz", NULL) < 0)
            abort(); /* the same table again must fit */
    }
    ems_text_set_clear(&s);
    return 0;
}

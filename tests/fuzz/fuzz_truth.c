/* Lists of true changes from strangers, scored against themselves. */
#include "lists/truth.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_truth truth, found;
    ems_cut_report r;
    const char *text = (const char *)data;
    if (ems_truth_parse(&truth, text, size, "fuzz", NULL) < 0)
        return 0;
    if (ems_truth_parse(&found, text, size, "fuzz", NULL) < 0)
        abort();
    ems_truth_score(&r, &truth, &found, 1);
    if (r.hard.found + r.hard.missed + r.gradual.found + r.gradual.missed >
        truth.count)
        abort();
    ems_truth_clear(&truth);
    ems_truth_clear(&found);
    return 0;
}

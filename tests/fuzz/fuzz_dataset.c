/* A token file from strangers. */
#include "base/file.h"
#include "music/dataset.h"
#include "music/vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/fuzz_dataset.%d", (int)getpid());
    FILE *f = fopen(path, "wb");
    if (!f)
        return 0;
    fwrite(data, 1, size, f);
    fclose(f);
    ems_dataset *d = ems_dataset_open(path, NULL);
    unlink(path);
    for (size_t i = 0; d && i < ems_dataset_count(d); i++) {
        const ems_dataset_piece p = ems_dataset_get(d, i);
        for (size_t k = 0; k < p.token_count; k++)
            if (p.tokens[k] >= EMS_VOCAB)
                abort();
        float v, a;
        ems_dataset_affect(&p, p.token_count / 3, p.token_count / 2, &v, &a);
        if (v < -1 || v > 1 || a < -1 || a > 1 || strlen(p.name) > size)
            abort();
        for (size_t k = 0; k < p.bar_count; k++)
            if (p.tokens[p.bars[k]] != EMS_BAR)
                abort();
    }
    ems_dataset_close(d);
    return 0;
}

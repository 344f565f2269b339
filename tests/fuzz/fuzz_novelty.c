/* A novelty index from strangers, asked about a piece. */
#include "base/file.h"
#include "music/novelty.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/fuzz_novelty.%d", (int)getpid());
    FILE *f = fopen(path, "wb");
    if (!f)
        return 0;
    fwrite(data, 1, size, f);
    fclose(f);
    ems_novelty *n = ems_novelty_open(path, NULL);
    unlink(path);
    for (uint64_t i = 0; n && i < 200; i++) {
        unsigned song = 0;
        const uint64_t hash = i * 0x9e3779b97f4a7c15u;
        if (ems_novelty_look(n, hash, &song) == EMS_PHRASE_KNOWN &&
            !ems_novelty_song(n, song)[0] && song == 0)
            abort();
    }
    ems_novelty_free(n);
    return 0;
}

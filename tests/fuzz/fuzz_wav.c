/* Sound files (WAV and whatever else FFmpeg takes them for) as a mux or the
 * proof of a render reads them. */
#include "media/media.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out must be sound: numbers, within reason, and no more than a
 * minute of it. */
static int hear(void *user, const float *x, size_t frames, ems_error *err)
{
    (void)err;
    size_t *heard = user;
    for (size_t i = 0; i < 2 * frames; i++)
        if (!(fabsf(x[i]) <= 8))
            abort();
    return (*heard += frames) > 60 * 48000 ? EMS_ECANCELLED : EMS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("fuzz.wav", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    size_t heard = 0;
    ems_error err;
    if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        return 0;
    ems_media_listen(path, hear, &heard, NULL, &err);
    return 0;
}

/* inputs VIDEO-OR-SOUND OUT: what the network of src/emotion/hear.c is given,
 * EMS_HEAR_INPUTS floats for every verdict, as raw bytes. */
#include "emotion/sound.h"

#include <stdio.h>

static void keep(void *user, const float inputs[EMS_HEAR_INPUTS])
{
    fwrite(inputs, sizeof *inputs, EMS_HEAR_INPUTS, user);
}

static int on_audio(void *user, const float *samples, size_t count,
                    ems_error *err)
{
    return ems_sound_add(user, samples, count, err);
}

int main(int argc, char **argv)
{
    ems_error err = {0};
    ems_media_info info;
    FILE *out = argc == 3 ? fopen(argv[2], "wb") : NULL;
    ems_sound *sound = out ? ems_sound_new(&err) : NULL;
    if (!sound) {
        fprintf(stderr, "usage: inputs FILE OUT\n");
        return 2;
    }
    ems_hear_watch(ems_sound_hear(sound), out, keep);
    const ems_media_sink sink = {.user = sound, .audio = on_audio};
    int code = ems_media_decode(argv[1], &sink, &info, NULL, &err);
    if (code == EMS_OK)
        code = ems_sound_end(sound, &err);
    if (code < 0)
        fprintf(stderr, "%s\n", err.text);
    ems_sound_free(sound);
    return fclose(out) != 0 || code < 0;
}

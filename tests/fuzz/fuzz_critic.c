/* Weights of a critic from anywhere; and any notes, heard by what ships. */
#include "music/critic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(ems_affect_point p)
{
    if (isnan(p.valence) != isnan(p.arousal) || fabs(p.valence) > 1 ||
        fabs(p.arousal) > 1)
        abort();
}

static void rate_all(const ems_critic *c, const ems_note *notes, size_t n)
{
    const double times[3] = {0, 10, 1e9};
    ems_affect_point p[4];
    if (ems_critic_curve(c, notes, n, times, 3, p, NULL) < 0 ||
        ems_critic_piece(c, notes, n, &p[3], NULL) < 0)
        return;
    for (int i = 0; i < 4; i++)
        check(p[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ems_critic *shipped;
    if (!shipped)
        shipped = ems_critic_open(NULL, NULL);
    enum { MOST = 256 };
    ems_note notes[MOST];
    const size_t n = size / sizeof *notes < MOST ? size / sizeof *notes
                                                 : MOST;
    if (n)
        memcpy(notes, data, n * sizeof *notes);
    if (shipped)
        check(ems_critic_rate(shipped, notes, n, 0, 16));
    for (size_t i = 0; i < n; i++) /* hours of silence cost time, no more */
        notes[i].start = fmod(notes[i].start, 100);
    for (size_t i = 0; i < n; i++)
        notes[i].length = fmod(notes[i].length, 100);
    if (shipped)
        rate_all(shipped, notes, n);
    ems_error err;
    ems_critic *c = ems_critic_parse(data, size, "fuzz", &err);
    const ems_note one = {1, 1, EMS_PIANO, 60, 80};
    if (c)
        rate_all(c, &one, 1);
    ems_critic_free(c);
    return 0;
}

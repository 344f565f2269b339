#include "music/theme.h"

#include "music/vocab.h"

enum {
    MIDDLE_C = 60,
    LOWEST = 60,   /* what lies below is accompaniment */
    OCTAVE = 12, ANY_PITCH = 0xfff,
};
static const double BACK = 1.6;   /* logarithm of the prior of its notes, */
static const double ABOVE = -1.2; /* of notes that would hide them, */
static const double STOP = 0.8;   /* of time that goes to its next note, */
static const double PASS = -1.2;  /* of time that passes it */

void ems_theme_start(ems_theme *t)
{
    *t = (ems_theme){.bar = -1, .scale = ANY_PITCH};
}

void ems_theme_bar(ems_theme *t, size_t bar, int tonic, unsigned scale)
{
    t->tonic = tonic > 6 ? tonic - OCTAVE : tonic;
    t->scale = scale ? scale : ANY_PITCH;
    t->bar = ems_in_bridge(bar) ? -1 : (int)(bar % EMS_THEME_BARS);
    t->returns = t->bar >= 0 && t->notes[t->bar] > 0;
}

void ems_theme_strike(ems_theme *t, int twelfth, int pitch)
{
    if (t->bar < 0 || t->returns || pitch < LOWEST)
        return;
    ems_theme_note *note = t->note[t->bar];
    int *n = &t->notes[t->bar];
    const int relative = pitch - MIDDLE_C - t->tonic;
    if (*n && note[*n - 1].twelfth == twelfth) {
        if (relative > note[*n - 1].pitch)
            note[*n - 1].pitch = relative;
    } else if (*n < EMS_THEME_NOTES) {
        note[(*n)++] = (ems_theme_note){twelfth, relative};
    }
}

/* In the key in force: its own pitch or, in the other mode, the next below or
 * above. */
static int sounding_pitch(const ems_theme *t, int relative)
{
    static const int near[] = {0, -1, 1};
    const int pitch = MIDDLE_C + t->tonic + relative;
    for (int i = 0; i < 3; i++)
        if (t->scale >> (pitch + near[i]) % OCTAVE & 1)
            return pitch + near[i];
    return pitch;
}

static void add_notes(int family, int pitch, double steer, float *logits)
{
    for (int p = EMS_LOW_PITCH; p <= EMS_HIGH_PITCH; p++) {
        const double x = p == pitch ? BACK : p > pitch ? ABOVE : 0;
        logits[ems_note_token(family, p, 1)] += (float)(steer * x);
    }
}

void ems_theme_apply(const ems_theme *t, int tick, int step, double steer,
                     float *logits)
{
    if (t->bar < 0 || !t->returns || step <= 0)
        return;
    const ems_theme_note *note = t->note[t->bar];
    const int n = t->notes[t->bar], now = tick / step;
    int next = 0;
    while (next < n && note[next].twelfth <= now)
        next++;
    if (next > 0 && note[next - 1].twelfth == now) {
        const int pitch = sounding_pitch(t, note[next - 1].pitch);
        for (int f = 0; f < EMS_FAMILIES; f++)
            if (ems_is_melodic(f))
                add_notes(f, pitch, steer, logits);
    }
    if (next == n)
        return;
    const int left = note[next].twelfth * step - tick;
    for (int k = left; k <= EMS_MAX_SHIFT; k++)
        logits[EMS_SHIFT_BASE + k] += (float)(steer *
                                              (k == left ? STOP : PASS));
}

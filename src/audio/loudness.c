#include "audio/loudness.h"

#include "audio/audio.h"
#include "base/mem.h"

#include <ebur128.h>
#include <math.h>
#include <string.h>

enum { GATE_BLOCK = EMS_RATE * 4 / 10 };

double ems_to_db(double ratio)
{
    return ratio > 0 ? fmax(20 * log10(ratio), EMS_SILENCE_DB)
                     : EMS_SILENCE_DB;
}

double ems_from_db(double decibel)
{
    return pow(10, decibel / 20);
}

/* ---- libebur128 --------------------------------------------------------- */

struct ems_meter {
    ebur128_state *state;
    uint64_t frames;
};

ems_meter *ems_meter_new(int true_peak, ems_error *err)
{
    ems_meter *m = ems_alloc(1, sizeof *m);
    if (m)
        m->state = ebur128_init(EMS_CHANNELS, EMS_RATE,
                                EBUR128_MODE_I |
                                    (true_peak ? EBUR128_MODE_TRUE_PEAK : 0));
    if (m && m->state)
        return m;
    ems_meter_free(m);
    ems_out_of_memory(err);
    return NULL;
}

int ems_meter_add(ems_meter *m, const float *x, size_t frames)
{
    m->frames += frames;
    return ebur128_add_frames_float(m->state, x, frames) == EBUR128_SUCCESS
               ? 0 : -1;
}

double ems_meter_lufs(ems_meter *m)
{
    static const float silence[EMS_RATE / 100 * EMS_CHANNELS];
    while (m->frames < GATE_BLOCK)
        if (ems_meter_add(m, silence, EMS_RATE / 100) < 0)
            return EMS_SILENCE_LUFS;
    double lufs;
    if (ebur128_loudness_global(m->state, &lufs) != EBUR128_SUCCESS ||
        !isfinite(lufs))
        return EMS_SILENCE_LUFS;
    return lufs;
}

double ems_meter_true_peak(ems_meter *m)
{
    double top = 0;
    for (unsigned c = 0; c < EMS_CHANNELS; c++) {
        double peak = 0;
        if (ebur128_true_peak(m->state, c, &peak) == EBUR128_SUCCESS)
            top = fmax(top, peak);
    }
    return ems_to_db(top);
}

void ems_meter_free(ems_meter *m)
{
    if (m && m->state)
        ebur128_destroy(&m->state);
    ems_free(m);
}

/* ---- True peaks of a stream --------------------------------------------- */

enum { WINDOW = 2 * EMS_TAPS + 512 };

void ems_peak_meter_begin(ems_peak_meter *m)
{
    memset(m, 0, sizeof *m);
    ems_peaks_begin(&m->peaks);
    m->held = EMS_TAPS; /* silence before the first frame */
}

/* Look at all frames of the window that have neighbours on both sides, and
 * keep those that the next ones will need. */
static void look(ems_peak_meter *m)
{
    float top[WINDOW];
    if (m->held <= 2 * EMS_TAPS)
        return;
    const size_t n = m->held - 2 * EMS_TAPS;
    ems_peaks_find(&m->peaks, top, m->window + EMS_TAPS * EMS_CHANNELS, n,
                   EMS_CHANNELS, m->top);
    for (size_t i = 0; i < n; i++)
        m->top = top[i] > m->top ? top[i] : m->top;
    memmove(m->window, m->window + n * EMS_CHANNELS,
            2 * EMS_TAPS * EMS_CHANNELS * sizeof *m->window);
    m->held = 2 * EMS_TAPS;
}

void ems_peak_meter_add(ems_peak_meter *m, const float *x, size_t frames)
{
    while (frames > 0) {
        const size_t room = WINDOW - m->held;
        const size_t n = frames < room ? frames : room;
        memcpy(m->window + m->held * EMS_CHANNELS, x,
               n * EMS_CHANNELS * sizeof *x);
        m->held += n;
        x += n * EMS_CHANNELS;
        frames -= n;
        look(m);
    }
}

double ems_peak_meter_end(ems_peak_meter *m)
{
    static const float silence[2 * EMS_TAPS * EMS_CHANNELS];
    ems_peak_meter_add(m, silence, 2 * EMS_TAPS);
    return (double)m->top;
}

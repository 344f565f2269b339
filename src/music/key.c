#include "music/key.h"

#include <math.h>

/* Probe-tone ratings, Krumhansl and Kessler 1982. */
static const double profile[2][12] = {
    {6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88},
    {6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17},
};

/* Signatures by tonic, of the spelling with fewer accidentals. */
static const int sharps_of[2][12] = {
    {0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5},
    {-3, 4, -1, -6, 1, -4, 3, -2, 5, 0, -5, 2},
};

static double correlation(const double *w, const double *p, int tonic)
{
    double mw = 0, mp = 0, ww = 0, pp = 0, wp = 0;
    for (int i = 0; i < 12; i++) {
        mw += w[i] / 12;
        mp += p[i] / 12;
    }
    for (int i = 0; i < 12; i++) {
        const double a = w[(i + tonic) % 12] - mw, b = p[i] - mp;
        ww += a * a;
        pp += b * b;
        wp += a * b;
    }
    return ww > 0 ? wp / sqrt(ww * pp) : 0;
}

ems_key ems_key_find(const double weight[12])
{
    ems_key key = {.fit = -2, .major_fit = -2, .minor_fit = -2};
    for (int minor = 0; minor < 2; minor++)
        for (int tonic = 0; tonic < 12; tonic++) {
            const double r = correlation(weight, profile[minor], tonic);
            double *best = minor ? &key.minor_fit : &key.major_fit;
            *best = r > *best ? r : *best;
            if (r > key.fit) {
                key.fit = r;
                key.tonic = tonic;
                key.minor = minor;
            }
        }
    key.sharps = sharps_of[key.minor][key.tonic];
    return key;
}

int ems_key_sharps(int tonic, int minor)
{
    return sharps_of[minor][tonic];
}

ems_key ems_piece_find_key(ems_piece *p)
{
    double weight[12] = {0};
    for (size_t i = 0; i < p->note_count; i++)
        if (p->notes[i].family != EMS_DRUMS)
            weight[p->notes[i].pitch % 12] += p->notes[i].length;
    const ems_key key = ems_key_find(weight);
    p->key_sharps = key.sharps;
    p->key_minor = key.minor;
    return key;
}

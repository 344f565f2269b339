#include "music/mood.h"

#include "base/exact.h"
#include "base/rng.h"

#include <string.h>

enum { TONIC_STREAM = 0x746f6e69, HIGH = 72 };
static const double MIDDLE = 11;     /* note-ONs a second at arousal 0 */
static const double SPAN = 1.1;      /* their logarithm grows by so much */
static const double PULL = 1.5, MOST_PULL = 3;
static const double WEIGHT = 0.4;
static const double TONE = 0.8, STRANGE = -0.8; /* in the chord, outside */
static const double BASS_ROOT = 1.5, BASS_STRANGE = -1.5;
static const double DEEP_ROOT = 3, DEEP_TONE = 1.5, DEEP_STRANGE = -1;
static const double AFLOAT = 1; /* seconds without ground are enough */
static const double FREE = 0.12, BASS_FREE = 0.35, WORN = 5;
static const double FEW = 3; /* notes do not make a share */
static const double USUAL[EMS_FAMILIES] = { /* shares of real music's notes */
    [EMS_DRUMS] = 0.11, [EMS_BASS] = 0.07, [EMS_GUITAR] = 0.25,
    [EMS_PIANO] = 0.31, [EMS_STRINGS] = 0.26};
static const double LEAN = 1.5, BALANCE = 1.5, LEAST_SHARE = 0.02;
static const double MOST_BALANCE = 3;
static const double RELUCTANCE = 0.1; /* of valence, to change the mode */

/* Krumhansl and Kessler (1982), how well a pitch fits after a key. */
static const double PROFILE[2][12] = {
    {6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88},
    {6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17},
};

static double limit(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

void ems_mood_start(ems_mood *m, uint64_t seed, double steer)
{
    ems_rng rng = ems_rng_seed(seed, TONIC_STREAM);
    *m = (ems_mood){.steer = steer, .tonic = (int)ems_rng_below(&rng, 12)};
}

void ems_mood_key(ems_mood *m, int tonic, int minor)
{
    m->fixed = tonic >= 0;
    if (m->fixed) {
        m->tonic = tonic;
        m->minor = minor;
    }
}

void ems_mood_set(ems_mood *m, double valence, double arousal)
{
    const double v = limit(valence, -1, 1);
    if (!m->fixed)
        m->minor = v < (m->minor ? RELUCTANCE : -RELUCTANCE);
    m->target = MIDDLE * ems_exact_exp(SPAN * limit(arousal, -1, 1));
    double mean = 0;
    for (int i = 0; i < 12; i++)
        mean += PROFILE[m->minor][i] / 12;
    for (int i = 0; i < 12; i++) {
        const double other = PROFILE[!m->minor][i], own = PROFILE[m->minor][i];
        const double share = (1 - (m->minor ? -v : v)) / 2;
        const double fit = own + limit(share, 0, 0.5) * (other - own);
        m->pull[(m->tonic + i) % 12] = ems_exact_log(fit / mean);
    }
}

void ems_mood_lineup(ems_mood *m, const double share[EMS_FAMILIES])
{
    memcpy(m->wanted, share, sizeof m->wanted);
}

void ems_mood_chord(ems_mood *m, ems_chord chord)
{
    m->chord = ems_classes_up(chord.pitches, m->tonic);
    m->scale = ems_classes_up(chord.scale, m->tonic);
    m->root = (chord.root + m->tonic) % 12;
}

/* Logarithm of the priors of key, chord and ground; not for drums. */
static double harmony(const ems_mood *m, int family, int pitch, int afloat)
{
    const int tone = m->chord >> pitch % 12 & 1;
    const int root = pitch % 12 == m->root;
    const double key = WEIGHT * m->pull[pitch % 12];
    if (afloat && pitch < EMS_GROUND)
        return key + (root ? DEEP_ROOT : tone ? DEEP_TONE : DEEP_STRANGE);
    if (family == EMS_BASS)
        return key + (root ? BASS_ROOT : tone ? 0 : BASS_STRANGE);
    return key + (tone ? TONE : STRANGE) / (pitch >= HIGH ? 2 : 1);
}

/* Logarithm of the prior of a pitch that had this share of its family's
 * recent notes. The bass may stay where it is for longer. */
static double worn(int family, double share)
{
    const double over = share - (family == EMS_BASS ? BASS_FREE : FREE);
    return over > 0 ? -WORN * over : 0;
}

typedef struct recent { /* notes, fading */
    double family[EMS_FAMILIES], all;
} recent;

static recent count_recent(const ems_heard *heard)
{
    recent r = {0};
    for (int f = 0; f < EMS_FAMILIES; f++) {
        for (int k = 0; heard->struck && k < EMS_PITCHES; k++)
            r.family[f] += heard->struck[f][k];
        r.all += r.family[f];
    }
    return r;
}

/* What each family's note-ONs are worth, whatever their pitch: it leans to
 * what is wanted, and the more the less was heard of it lately. To what plays
 * now they are worth nothing on the mean: density is not theirs. */
static void weigh_parts(const ems_mood *m, const recent *r,
                        double part[EMS_FAMILIES])
{
    double mean = 0;
    for (int f = 0; f < EMS_FAMILIES; f++) {
        const double wanted = m->wanted[f] + LEAST_SHARE;
        const double share = (r->family[f] + FEW * m->wanted[f]) /
                             (r->all + FEW);
        part[f] = limit(BALANCE * ems_exact_log(wanted /
                                                (share + LEAST_SHARE)),
                        -MOST_BALANCE, MOST_BALANCE) +
                  LEAN * ems_exact_log(wanted / (USUAL[f] + LEAST_SHARE));
        mean += share * part[f];
    }
    for (int f = 0; f < EMS_FAMILIES; f++)
        part[f] -= mean;
}

void ems_mood_apply(const ems_mood *m, const ems_heard *heard, float *logits)
{
    const double crowd =
        limit(PULL * ems_exact_log(m->target / (heard->recent + 1)),
              -MOST_PULL, MOST_PULL);
    const int afloat = heard->afloat > AFLOAT;
    const recent r = count_recent(heard);
    double part[EMS_FAMILIES];
    weigh_parts(m, &r, part);
    for (int f = 0; f < EMS_FAMILIES; f++)
        for (int k = 0; k < EMS_PITCHES; k++) {
            const int pitch = EMS_LOW_PITCH + k;
            double sum = crowd + part[f];
            if (f != EMS_DRUMS)
                sum += harmony(m, f, pitch, afloat && m->wanted[f] > 0);
            if (f != EMS_DRUMS && heard->struck)
                sum += worn(f, heard->struck[f][k] / (r.family[f] + FEW));
            logits[ems_note_token(f, pitch, 1)] += (float)(m->steer * sum);
        }
}

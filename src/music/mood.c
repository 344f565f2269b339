#include "music/mood.h"

#include "base/exact.h"
#include "base/rng.h"

enum { TONIC_STREAM = 0x746f6e69, HIGH = 72 };
static const double MIDDLE = 11;     /* note-ONs a second at arousal 0 */
static const double SPAN = 1.1;      /* their logarithm grows by so much */
static const double PULL = 1.5, MOST_PULL = 3;
static const double WEIGHT = 0.4;
static const double TONE = 0.8, STRANGE = -0.8; /* in the chord, outside */
static const double BASS_ROOT = 1.5, BASS_STRANGE = -1.5;
static const double MISSED = 4, RETURN = 2.5; /* seconds; logarithm */
static const double FREE = 0.12, BASS_FREE = 0.35, WORN = 5;
static const double FEW = 3; /* notes do not make a share */
/* Logarithm of the prior at arousal -0.7 and 0.7. */
static const double PARTS[EMS_FAMILIES][2] = {
    [EMS_DRUMS] = {-3, 1.6}, [EMS_BASS] = {-1, 0.7}, [EMS_GUITAR] = {-1, 0.5},
    [EMS_PIANO] = {0.3, 0}, [EMS_STRINGS] = {0.5, 0}};
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
    const double excited = limit(0.5 + arousal / 1.4, 0, 1);
    for (int f = 0; f < EMS_FAMILIES; f++)
        m->part[f] = PARTS[f][0] + excited * (PARTS[f][1] - PARTS[f][0]);
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

void ems_mood_chord(ems_mood *m, ems_chord chord)
{
    m->chord = ems_classes_up(chord.pitches, m->tonic);
    m->scale = ems_classes_up(chord.scale, m->tonic);
    m->root = (chord.root + m->tonic) % 12;
}

/* Logarithm of the priors of key and chord; not for drums. */
static double harmony(const ems_mood *m, int family, int pitch)
{
    const int tone = m->chord >> pitch % 12 & 1;
    if (family == EMS_BASS)
        return WEIGHT * m->pull[pitch % 12] +
               (pitch % 12 == m->root ? BASS_ROOT : tone ? 0 : BASS_STRANGE);
    return WEIGHT * m->pull[pitch % 12] +
           (tone ? TONE : STRANGE) / (pitch >= HIGH ? 2 : 1);
}

/* Logarithm of the prior of a pitch that had this share of its family's
 * recent notes. The bass may stay where it is for longer. */
static double worn(int family, double share)
{
    const double over = share - (family == EMS_BASS ? BASS_FREE : FREE);
    return over > 0 ? -WORN * over : 0;
}

static void fill_share(const ems_heard *heard, int family,
                       double share[EMS_PITCHES])
{
    double all = FEW;
    for (int k = 0; k < EMS_PITCHES; k++)
        all += heard->struck ? heard->struck[family][k] : 0;
    for (int k = 0; k < EMS_PITCHES; k++)
        share[k] = heard->struck ? heard->struck[family][k] / all : 0;
}

/* What a family's note-ONs are worth, whatever their pitch. */
static double part(const ems_mood *m, const ems_heard *heard, int family)
{
    const double own = m->part[family];
    return own > 0 && heard->quiet[family] > MISSED ? own + RETURN : own;
}

void ems_mood_apply(const ems_mood *m, const ems_heard *heard, float *logits)
{
    const double crowd =
        limit(PULL * ems_exact_log(m->target / (heard->recent + 1)),
              -MOST_PULL, MOST_PULL);
    for (int f = 0; f < EMS_FAMILIES; f++) {
        const double all = crowd + part(m, heard, f);
        double share[EMS_PITCHES];
        fill_share(heard, f, share);
        for (int k = 0; k < EMS_PITCHES; k++) {
            const int pitch = EMS_LOW_PITCH + k;
            const double own = f == EMS_DRUMS ? 0 : harmony(m, f, pitch) +
                                                        worn(f, share[k]);
            logits[ems_note_token(f, pitch, 1)] += (float)(m->steer *
                                                           (all + own));
        }
    }
}

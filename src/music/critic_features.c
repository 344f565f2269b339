#include "music/critic_features.h"

#include "base/exact.h"
#include "base/mem.h"
#include "music/key.h"

#include <math.h>
#include <string.h>

#define TOGETHER 0.04 /* seconds: onsets this close are one group */
#define LONGEST 12.0  /* seconds: a longer note is heard as this long */
#define LAG 0.1
#define LATEST 86400.0 /* seconds: what follows is not heard */

enum { RING = 32 };

typedef struct listener {
    ems_heard *frames;
    size_t n;
    double from, to;
    double end[128];       /* until when each pitch sounds */
    double struck[128];    /* when each was struck last */
    double any_end;        /* until when any does */
    double fresh_end[12];  /* until when each pitch class was heard last */
    double group;          /* start of the open group; < 0: none */
    uint8_t fresh[128];    /* pitches that begin in it */
    double before;         /* start of the group before it */
    double gap;            /* between the two before it; 0: unknown */
    int top;               /* highest pitch last time; -1: none */
    double ring[RING];     /* starts of the last groups */
    size_t groups;
    double drum;           /* last onset of a drum */
} listener;

static ems_heard *frame_at(listener *l, double time)
{
    if (time < l->from || time >= l->to)
        return NULL;
    const size_t i = (size_t)((time - l->from) / EMS_HEARD_FRAME);
    return &l->frames[i < l->n ? i : l->n - 1];
}

static void moments(double sum[3], double x)
{
    sum[0] += 1;
    sum[1] += x;
    sum[2] += x * x;
}

static double limited(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static int octave_of(int pitch)
{
    const int o = pitch / 12 - 2;
    return o < 0 ? 0 : o > 7 ? 7 : o;
}

/* Add the span [a, b) of a pitch to the frames it touches. `whole`: seconds
 * in which nothing else sounded yet begin at this time. */
static void sound(listener *l, int pitch, double a, double b, double whole)
{
    a = a > l->from ? a : l->from;
    b = b < l->to ? b : l->to;
    while (a < b) {
        ems_heard *h = frame_at(l, a);
        const double next =
            l->from + (double)(h - l->frames + 1) * EMS_HEARD_FRAME;
        const double stop = next < b && next > a ? next : b;
        const double s = stop - a;
        h->chroma[pitch % 12] += s;
        h->octave[octave_of(pitch)] += s;
        h->pitch[0] += s * pitch;
        h->pitch[1] += s * pitch * pitch;
        h->polyphony += s;
        if (stop > whole)
            h->sounding += stop - (a > whole ? a : whole);
        a = stop;
    }
}

static void hear_intervals(listener *l, ems_heard *h, double seconds)
{
    uint8_t classes[12] = {0};
    int low = -1;
    for (int p = 0; p < 128; p++)
        if (l->end[p] > l->group + TOGETHER) {
            low = low < 0 ? p : low;
            classes[p % 12] = 1;
        }
    if (low < 0)
        return;
    int pairs = 0;
    double found[12] = {0};
    for (int a = 0; a < 12; a++)
        for (int b = 0; classes[a] && b < a; b++)
            if (classes[b]) {
                found[a - b]++;
                pairs++;
            }
    for (int i = 0; i < 12; i++) {
        h->over_bass[i] += classes[(i + low) % 12] ? seconds : 0;
        h->pairs[i] += pairs ? seconds * found[i] / pairs : 0;
    }
}

static void hear_move(listener *l, ems_heard *h, int top)
{
    if (l->top >= 0 && l->fresh[top]) {
        const int up = top - l->top, size = up < 0 ? -up : up;
        h->moves[size == 0 ? 0 : size < 3 ? 1 : size < 5 ? 2
                 : size < 8 ? 3 : 4]++;
        if (size)
            h->moves[up > 0 ? 5 : 6]++;
    }
    l->top = top;
}

static void hear_outline(listener *l, ems_heard *h)
{
    int low = -1, top = -1;
    for (int p = 0; p < 128; p++)
        if (l->end[p] > l->group) {
            low = low < 0 ? p : low;
            top = p;
        }
    if (low < 0)
        return;
    moments(h->top, top);
    moments(h->bottom, low);
    h->tops += l->fresh[top];
    h->bottoms += l->fresh[low];
    hear_move(l, h, top);
}

static void hear_gaps(listener *l, ems_heard *h)
{
    for (size_t i = 1; i <= RING && i <= l->groups; i++) {
        const double lag = l->group - l->ring[(l->groups - i) % RING];
        const int bin = (int)(lag / LAG + 0.5) - 1;
        if (bin >= EMS_HEARD_LAGS)
            break;
        h->lags[bin < 0 ? 0 : bin]++;
    }
    l->ring[l->groups++ % RING] = l->group;
    if (l->before < 0)
        return;
    const double gap = limited(l->group - l->before, TOGETHER, 8);
    const double x = ems_exact_log(gap);
    moments(h->ioi, x);
    if (l->gap > 0)
        h->jerk += fabs(x - ems_exact_log(l->gap));
    l->gap = gap;
}

/* All onsets of the open group are known; the next one is at `next`. */
static void close_group(listener *l, double next)
{
    if (l->group < 0)
        return;
    ems_heard *h = frame_at(l, l->group);
    if (h) {
        int size = 0;
        for (int p = 0; p < 128; p++)
            size += l->fresh[p];
        h->full += size > 3;
        h->groups++;
        const double gap = limited(next - l->group, TOGETHER, 2);
        for (int p = 0; p < 128; p++)
            if (l->fresh[p]) {
                const double s = limited(l->end[p] - l->group, TOGETHER, 8);
                h->notes++;
                h->brief += s < 0.15;
                h->held += s > 1;
                moments(h->length, ems_exact_log(s));
                h->legato += limited(s / gap, 0, 2);
            }
        hear_gaps(l, h);
        hear_outline(l, h);
        hear_intervals(l, h, gap);
    }
    memset(l->fresh, 0, sizeof l->fresh);
    l->before = l->group;
    l->group = -1;
}

static void hear_drum(listener *l, double start)
{
    ems_heard *h = frame_at(l, start);
    if (h && start > l->drum + TOGETHER) {
        h->drums++;
        l->drum = start;
    }
}

static void hear_note(listener *l, const ems_note *n)
{
    const int p = n->pitch & 127;
    const double end =
        n->start + (n->length < LONGEST ? n->length : LONGEST);
    if (n->start > l->group + TOGETHER || l->group < 0) {
        close_group(l, n->start);
        l->group = n->start;
    }
    ems_heard *h = frame_at(l, n->start);
    if (h && n->start > l->fresh_end[p % 12] + 1)
        h->fresh++;
    if (h && !l->fresh[p]) {
        h->restruck += n->start < l->struck[p] + 1;
        l->struck[p] = n->start;
        h->loudness += (n->velocity - 80) / 25.0;
    }
    l->fresh[p] = 1;
    const double begin = n->start > l->end[p] ? n->start : l->end[p];
    sound(l, p, begin, end, l->any_end);
    l->end[p] = end > l->end[p] ? end : l->end[p];
    l->any_end = end > l->any_end ? end : l->any_end;
    if (end > l->fresh_end[p % 12])
        l->fresh_end[p % 12] = end;
}

static double cosine(const double *a, const double *b)
{
    double aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < 12; i++) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 1;
}

/* Which of major, minor, diminished, augmented, suspended sounds; 5: none. */
static int chord_of(const double w[12])
{
    static const uint8_t shape[5][3] = {
        {0, 4, 7}, {0, 3, 7}, {0, 3, 6}, {0, 4, 8}, {0, 5, 7},
    };
    double total = 0, best = 0;
    int found = 5;
    for (int i = 0; i < 12; i++)
        total += w[i];
    for (int kind = 0; kind < 5; kind++)
        for (int root = 0; root < 12; root++) {
            double in = 0, least = total;
            for (int k = 0; k < 3; k++) {
                const double x = w[(root + shape[kind][k]) % 12];
                in += x;
                least = x < least ? x : least;
            }
            if (least > 0.04 * total && in > best) {
                best = in;
                found = kind;
            }
        }
    return best > 0.6 * total ? found : 5;
}

static void hear_chords(ems_heard *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(frames[i].sounding > 0))
            continue;
        frames[i].seconds = EMS_HEARD_FRAME;
        double w[12];
        for (int k = 0; k < 12; k++)
            w[k] = frames[i].chroma[k] +
                   (i > 0 ? frames[i - 1].chroma[k] : 0) +
                   (i + 1 < n ? frames[i + 1].chroma[k] : 0);
        frames[i].chords[chord_of(w)]++;
        if (i > 1 && frames[i - 2].sounding > 0)
            frames[i].changes +=
                1 - cosine(frames[i].chroma, frames[i - 2].chroma);
    }
}

void ems_hear(ems_heard *frames, size_t n, double from,
              const ems_note *notes, size_t count)
{
    memset(frames, 0, n * sizeof *frames);
    listener l = {.frames = frames, .n = n, .from = from,
                  .to = from + (double)n * EMS_HEARD_FRAME,
                  .any_end = from, .group = -1, .before = -1, .top = -1,
                  .drum = from - 1};
    for (int i = 0; i < 128; i++)
        l.end[i] = l.struck[i] = -10;
    for (int i = 0; i < 12; i++)
        l.fresh_end[i] = -10;
    for (size_t i = 0; i < count && notes[i].start < l.to; i++) {
        if (!(notes[i].start >= from - LONGEST && notes[i].length > 0))
            continue;
        if (notes[i].family == EMS_DRUMS)
            hear_drum(&l, notes[i].start);
        else
            hear_note(&l, &notes[i]);
    }
    close_group(&l, l.group + 1);
    hear_chords(frames, n);
}

void ems_heard_add(ems_heard *sum, const ems_heard *part)
{
    double *a = (double *)sum;
    const double *b = (const double *)part;
    for (size_t i = 0; i < sizeof *sum / sizeof *a; i++)
        a[i] += b[i];
}

/* ---- From sums to features --------------------------------------------- */

typedef struct writer {
    double *x;
    int n;
} writer;

static void put(writer *w, double x)
{
    w->x[w->n++] = x;
}

static void put_shares(writer *w, const double *v, int n)
{
    double total = 0;
    for (int i = 0; i < n; i++)
        total += v[i];
    for (int i = 0; i < n; i++)
        put(w, total > 0 ? v[i] / total : 0);
}

/* Mean and deviation from count, sum and sum of squares. */
static void put_moments(writer *w, const double m[3], double otherwise)
{
    const double n = m[0] > 0 ? m[0] : 1, mean = m[1] / n;
    const double variance = m[2] / n - mean * mean;
    put(w, m[0] > 0 ? mean : otherwise);
    put(w, variance > 0 ? sqrt(variance) : 0);
}

static void put_key(writer *w, const double chroma[12])
{
    static const uint8_t in_scale[2][12] = {
        {1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1},
        {1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1},
    };
    const ems_key key = ems_key_find(chroma);
    double total = 0, entropy = 0, out = 0, relative[12];
    for (int i = 0; i < 12; i++)
        total += chroma[i];
    for (int i = 0; i < 12; i++) {
        const double p = total > 0 ? chroma[(i + key.tonic) % 12] / total : 0;
        relative[i] = p;
        entropy -= p > 0 ? p * ems_exact_log(p) : 0;
        out += in_scale[key.minor][i] ? 0 : p;
    }
    put(w, key.major_fit - key.minor_fit);
    put(w, key.fit);
    put(w, key.major_fit);
    put(w, key.minor_fit);
    put(w, entropy);
    put(w, out);
    for (int i = 0; i < 12; i++)
        put(w, relative[i]);
}

static void put_harmony(writer *w, const ems_heard *s)
{
    double bass = 0, folded[6];
    for (int i = 0; i < 12; i++)
        bass += s->over_bass[i];
    for (int i = 0; i < 12; i++)
        put(w, bass > 0 ? s->over_bass[i] / bass : 0);
    for (int i = 0; i < 6; i++)
        folded[i] = s->pairs[i + 1] + (i < 5 ? s->pairs[11 - i] : 0);
    put_shares(w, folded, 6);
    put_shares(w, s->chords, 6);
}

static void put_rhythm(writer *w, const ems_heard *s)
{
    const double groups = s->groups > 0 ? s->groups : 1;
    put(w, ems_exact_log(0.1 + s->groups / s->seconds));
    put(w, ems_exact_log(0.1 + s->notes / s->seconds));
    put(w, s->notes / groups);
    put(w, s->polyphony / s->sounding);
    put_moments(w, s->ioi, 1);
    put(w, s->jerk / groups);
    put_moments(w, s->length, 1);
    put(w, s->legato / (s->notes > 0 ? s->notes : 1));
}

static void put_register(writer *w, const ems_heard *s)
{
    const double pitch[3] = {s->polyphony, s->pitch[0], s->pitch[1]};
    put_moments(w, pitch, 60);
    put_moments(w, s->top, 72);
    put_moments(w, s->bottom, 48);
    put(w, w->x[w->n - 4] - w->x[w->n - 2]);
    put_shares(w, s->octave, 8);
}

void ems_heard_features(double *x, const ems_heard *s)
{
    writer w = {x, 0};
    put_key(&w, s->chroma);
    put_harmony(&w, s);
    put_rhythm(&w, s);
    put_register(&w, s);
    put_shares(&w, s->moves, 5);
    const double turns = s->moves[5] + s->moves[6];
    put(&w, turns > 0 ? (s->moves[5] - s->moves[6]) / turns : 0);
    put(&w, s->fresh / (s->groups > 0 ? s->groups : 1));
    put(&w, s->changes / s->seconds);
    put_shares(&w, s->lags, EMS_HEARD_LAGS);
    put(&w, s->sounding / s->seconds);
    put(&w, ems_exact_log(0.1 + s->tops / s->seconds));
    put(&w, ems_exact_log(0.1 + s->bottoms / s->seconds));
    put(&w, s->restruck / (s->notes > 0 ? s->notes : 1));
    put(&w, ems_exact_log(0.1 + s->restruck / s->seconds));
    put(&w, ems_exact_log(0.1 + s->full / s->seconds));
    put(&w, s->full / (s->groups > 0 ? s->groups : 1));
    put(&w, s->brief / (s->notes > 0 ? s->notes : 1));
    put(&w, s->held / (s->notes > 0 ? s->notes : 1));
    put(&w, s->polyphony / s->seconds);
    put(&w, ems_exact_log(0.1 + s->drums / s->seconds));
    put(&w, s->loudness / (s->notes > 0 ? s->notes : 1));
}

/* ---- A whole piece -------------------------------------------------------- */

double ems_heard_end(const ems_note *notes, size_t count)
{
    double end = 0;
    for (size_t i = 0; i < count; i++) {
        const double e = notes[i].start + notes[i].length;
        end = e > end && notes[i].start <= LATEST ? e : end;
    }
    return end < LATEST ? end : LATEST;
}

/* The frame that a time lies in, 0..n. */
static size_t frame_of(double time, size_t n)
{
    const double i = time / EMS_HEARD_FRAME + 0.5;
    return !(i > 0) ? 0 : i < (double)n ? (size_t)i : n;
}

int ems_hear_piece(const ems_note *notes, size_t count, const double *times,
                   size_t n, ems_hear_each *each, void *user, ems_error *err)
{
    const size_t frames =
        (size_t)(ems_heard_end(notes, count) / EMS_HEARD_FRAME) + 1;
    ems_heard *heard = ems_alloc(frames + 2, sizeof *heard);
    if (!heard)
        return ems_out_of_memory(err);
    ems_heard *past = &heard[frames], *whole = past + 1;
    ems_hear(heard, frames, 0, notes, count);
    for (size_t k = 0; k < frames; k++)
        ems_heard_add(whole, &heard[k]);
    double x[EMS_HEARD_WHOLE];
    if (whole->seconds > 0)
        ems_heard_features(&x[2 * EMS_HEARD_FEATURES], whole);
    size_t until = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t to = frame_of(times[i] + EMS_HEARD_WINDOW / 2, frames);
        ems_heard window = {0};
        for (size_t k = frame_of(times[i] - EMS_HEARD_WINDOW / 2, frames);
             k < to; k++)
            ems_heard_add(&window, &heard[k]);
        for (; until < to; until++)
            ems_heard_add(past, &heard[until]);
        if (window.seconds > 0) {
            ems_heard_features(x, &window);
            ems_heard_features(&x[EMS_HEARD_FEATURES], past);
        }
        each(user, i, window.seconds > 0 ? x : NULL);
    }
    ems_free(heard);
    return EMS_OK;
}

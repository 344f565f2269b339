#include "fusion/scores.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* ---- Emotions ----------------------------------------------------------- */

static size_t largest(const float p[EMS_EKMAN])
{
    size_t best = 0;
    for (size_t i = 1; i < EMS_EKMAN; i++)
        if (p[i] > p[best])
            best = i;
    return best;
}

static void emotion_scores(ems_fusion_scores *s)
{
    size_t all = 0, right = 0, present = 0;
    double f1 = 0;
    for (size_t t = 0; t < EMS_EKMAN; t++) {
        size_t truth = 0, told = 0;
        for (size_t i = 0; i < EMS_EKMAN; i++) {
            truth += s->confusion[t][i];
            told += s->confusion[i][t];
        }
        const size_t hit = s->confusion[t][t];
        s->emotion_f1[t] = truth + told
            ? 2 * (double)hit / (double)(truth + told) : NAN;
        if (truth) {
            f1 += s->emotion_f1[t];
            present++;
        }
        all += truth;
        right += hit;
    }
    s->accuracy = all ? (double)right / (double)all : NAN;
    s->macro_f1 = present ? f1 / (double)present : NAN;
}

/* ---- Valence and arousal ------------------------------------------------ */

typedef struct sums {
    double n, x, y, xx, yy, xy, off;
} sums;

static void add_to(sums *s, double x, double y)
{
    s->n++;
    s->x += x;
    s->y += y;
    s->xx += x * x;
    s->yy += y * y;
    s->xy += x * y;
    s->off += (x - y) * (x - y);
}

static void affect_scores(ems_fusion_scores *out, const sums s[2])
{
    for (int i = 0; i < 2; i++) {
        const double n = s[i].n, mx = s[i].x / n, my = s[i].y / n;
        const double vx = s[i].xx / n - mx * mx, vy = s[i].yy / n - my * my;
        const double c = s[i].xy / n - mx * my;
        const int known = n > 2 && vx > 1e-12 && vy > 1e-12;
        out->r[i] = known ? c / sqrt(vx * vy) : NAN;
        out->ccc[i] = known ? 2 * c / (vx + vy + (mx - my) * (mx - my)) : NAN;
        out->rmse[i] = n > 0 ? sqrt(s[i].off / n) : NAN;
    }
}

/* ---- Genres ------------------------------------------------------------- */

typedef struct mark {
    float score;
    int holds;
} mark;

static int descending(const void *a, const void *b)
{
    const float x = ((const mark *)a)->score, y = ((const mark *)b)->score;
    return (x < y) - (x > y);
}

/* Sum over the thresholds of (recall - recall before) * precision. */
static double average_precision(mark *m, size_t n)
{
    size_t positive = 0, hits = 0, before = 0;
    double area = 0;
    for (size_t i = 0; i < n; i++)
        positive += (size_t)m[i].holds;
    if (!positive)
        return NAN;
    qsort(m, n, sizeof *m, descending);
    for (size_t i = 0; i < n; i++) {
        hits += (size_t)m[i].holds;
        if (i + 1 < n && m[i + 1].score >= m[i].score)
            continue;
        area += (double)(hits - before) / (double)positive * (double)hits /
                (double)(i + 1);
        before = hits;
    }
    return area;
}

static void genre_score(ems_fusion_scores *out, size_t g, mark *m, size_t n)
{
    size_t told = 0, truth = 0, hit = 0;
    for (size_t i = 0; i < n; i++) {
        const int says = m[i].score >= 0.5f;
        told += (size_t)says;
        truth += (size_t)m[i].holds;
        hit += (size_t)(says && m[i].holds);
    }
    out->genre_clips[g] = truth;
    out->ap[g] = average_precision(m, n);
    out->genre_precision[g] = told ? (double)hit / (double)told : 0;
    out->genre_recall[g] = truth ? (double)hit / (double)truth : NAN;
}

/* Macro means over the genres that occur. */
static void genre_means(ems_fusion_scores *out, size_t genres)
{
    double n = 0;
    out->map = out->precision = out->recall = 0;
    for (size_t g = 0; g < genres; g++)
        if (out->genre_clips[g]) {
            out->map += out->ap[g];
            out->precision += out->genre_precision[g];
            out->recall += out->genre_recall[g];
            n++;
        }
    out->map = n > 0 ? out->map / n : NAN;
    out->precision = n > 0 ? out->precision / n : NAN;
    out->recall = n > 0 ? out->recall / n : NAN;
}

/* ---- All ---------------------------------------------------------------- */

int ems_fusion_measure(ems_fusion_scores *out, const ems_fusion_shape *s,
                       const ems_clip *clips, const ems_fusion_said *said,
                       const uint8_t *use, int which, size_t count)
{
    sums affect[2] = {{0}};
    mark *m = ems_alloc(count, sizeof *m);
    *out = (ems_fusion_scores){.genres = s->genres};
    if (!m)
        return EMS_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (use && use[i] != which)
            continue;
        out->clips++;
        if (s->emotions && clips[i].known & EMS_KNOWN_EMOTION)
            out->confusion[largest(clips[i].emotion)]
                          [largest(said[i].emotion)]++;
        for (int a = 0; a < 2 && clips[i].known & EMS_KNOWN_AFFECT; a++)
            if (s->affect)
                add_to(&affect[a], (double)said[i].affect[a],
                       (double)clips[i].affect[a]);
    }
    emotion_scores(out);
    affect_scores(out, affect);
    for (size_t g = 0; g < s->genres; g++) {
        size_t n = 0;
        for (size_t i = 0; i < count; i++)
            if ((!use || use[i] == which) && clips[i].known & EMS_KNOWN_GENRES)
                m[n++] = (mark){said[i].genre[g], clips[i].genre[g] > 0.5f};
        genre_score(out, g, m, n);
    }
    genre_means(out, s->genres);
    ems_free(m);
    return EMS_OK;
}

double ems_fusion_quality(const ems_fusion_scores *s)
{
    const double r = isnan(s->r[0]) ? s->r[1] : isnan(s->r[1]) ? s->r[0]
                                              : (s->r[0] + s->r[1]) / 2;
    const double each[3] = {s->accuracy, r, s->map};
    double sum = 0, n = 0;
    for (int i = 0; i < 3; i++)
        if (!isnan(each[i])) {
            sum += each[i];
            n++;
        }
    return n > 0 ? sum / n : NAN;
}

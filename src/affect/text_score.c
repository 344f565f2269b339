#include "affect/text_score.h"

#include "affect/text.h"
#include "base/mem.h"

#include <stdlib.h>

typedef struct rating {
    float *out;
    const ems_text *text;
    const ems_text_set *set;
} rating;

enum { TURN = 64 }; /* lines a thread takes at once */

static void rate_turn(void *ctx, size_t turn)
{
    const rating *r = ctx;
    ems_words w;
    for (size_t i = turn * TURN; i < r->set->count && i < (turn + 1) * TURN;
         i++) {
        ems_text_set_words(r->set, i, &w);
        ems_text_chunk(r->text, &w, r->out + i * EMS_TEXT_OUTPUTS);
    }
}

void ems_text_rate_set(float *out, const ems_text *t, const ems_text_set *s,
                       ems_pool *pool)
{
    rating r = {out, t, s};
    ems_pool_for(pool, (s->count + TURN - 1) / TURN, rate_turn, &r);
}

/* ---- Thresholds --------------------------------------------------------- */

typedef struct mark {
    float score;
    int holds;
} mark;

static int descending(const void *a, const void *b)
{
    const float x = ((const mark *)a)->score, y = ((const mark *)b)->score;
    return (x < y) - (x > y);
}

/* Halfway between two scores where F1 is highest. */
static float best_threshold(mark *m, size_t n)
{
    size_t positive = 0, hits = 0;
    double best = -1;
    float threshold = 0.5f;
    qsort(m, n, sizeof *m, descending);
    for (size_t i = 0; i < n; i++)
        positive += (size_t)m[i].holds;
    for (size_t i = 0; i < n; i++) {
        hits += (size_t)m[i].holds;
        const double f1 = 2 * (double)hits / (double)(i + 1 + positive);
        const float next = i + 1 < n ? m[i + 1].score : 0;
        if (f1 > best && next < m[i].score) {
            best = f1;
            threshold = (m[i].score + next) / 2;
        }
    }
    return threshold;
}

int ems_text_thresholds(float threshold[EMS_TEXT_OUTPUTS], const float *score,
                        const ems_text_set *s)
{
    mark *m = ems_alloc(s->count, sizeof *m);
    if (!m)
        return -1;
    for (size_t o = 0; o < EMS_TEXT_OUTPUTS; o++) {
        for (size_t i = 0; i < s->count; i++)
            m[i] = (mark){score[i * EMS_TEXT_OUTPUTS + o],
                          (int)(s->labels[i] >> o & 1)};
        threshold[o] = best_threshold(m, s->count);
    }
    ems_free(m);
    return 0;
}

/* ---- F1 ----------------------------------------------------------------- */

typedef struct tally {
    double hits, said, wanted;
} tally;

static double f1_of(const tally *t)
{
    return t->said + t->wanted > 0 ? 2 * t->hits / (t->said + t->wanted) : 0;
}

static tally count(size_t o, const float *score, float threshold,
                   const ems_text_set *s)
{
    tally t = {0};
    for (size_t i = 0; i < s->count; i++) {
        const int said = score[i * EMS_TEXT_OUTPUTS + o] >= threshold;
        const int wanted = (int)(s->labels[i] >> o & 1);
        t.hits += said && wanted;
        t.said += said;
        t.wanted += wanted;
    }
    return t;
}

static void measure_group(ems_text_label *label, size_t labels,
                          double *macro, double *micro, int part,
                          const tally *t)
{
    tally all = {0};
    *macro = 0;
    for (size_t i = 0; i < labels; i++, t++) {
        label[i].f1[part] = f1_of(t);
        label[i].precision[part] = t->said > 0 ? t->hits / t->said : 0;
        label[i].recall[part] = t->wanted > 0 ? t->hits / t->wanted : 0;
        label[i].lines[part] = (size_t)t->wanted;
        *macro += f1_of(t) / (double)labels;
        all.hits += t->hits;
        all.said += t->said;
        all.wanted += t->wanted;
    }
    *micro = f1_of(&all);
}

void ems_text_measure(ems_text_result *r, int part, const float *score,
                      const float threshold[EMS_TEXT_OUTPUTS],
                      const ems_text_set *s)
{
    tally t[EMS_TEXT_OUTPUTS];
    for (size_t o = 0; o < EMS_TEXT_OUTPUTS; o++) {
        ems_text_label *l = o < EMS_TEXT_FULL ? &r->full[o]
                                              : &r->ekman[o - EMS_TEXT_FULL];
        l->name = o < EMS_TEXT_FULL ? ems_text_full_names[o]
                                    : ems_text_ekman_names[o - EMS_TEXT_FULL];
        l->threshold = (double)threshold[o];
        t[o] = count(o, score, threshold[o], s);
    }
    r->lines[part] = s->count;
    measure_group(r->full, EMS_TEXT_FULL, &r->full_macro[part],
                  &r->full_micro[part], part, t);
    measure_group(r->ekman, EMS_TEXT_EKMAN, &r->ekman_macro[part],
                  &r->ekman_micro[part], part, t + EMS_TEXT_FULL);
}

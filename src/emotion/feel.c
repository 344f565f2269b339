#include "emotion/feel.h"

#include "affect/mapping.h"
#include "base/exact.h"
#include "base/file.h"
#include "base/mem.h"
#include "emotion/grammar.h"
#include "fusion/model.h"

#include <math.h>
#include <string.h>

#define FILE_NAME "emsync-fusion.safetensors"

/* Seconds on either side of a moment that the experts are asked about. */
static const double REACH = 1.5;
/* Share of the fusion in valence and arousal: it sees what is shown, the
 * features hear and see how it moves, which arousal depends on more. */
static const double SHARE[2] = {0.7, 0.5};
/* What the features alone may be off by: they were fitted to nothing. */
static const double FEATURES_SD = 0.5;
/* What an emotion keeps of its share where no face shows it; a face that shows
 * nothing else gives it 1 more. */
static const double FACE_FLOOR = 0.15;

struct ems_feel {
    ems_fusion *fusion;
    const ems_senses *senses;
    const ems_sense *expert[EMS_FUSION_EXPERTS]; /* NULL: ourselves, or none */
    int grammar, tone;      /* which input we are; -1: none */
    const ems_sense *faces; /* with Ekman's six and neutral; or NULL */
};

/* ---- Opening ------------------------------------------------------------- */

static const ems_sense *find_faces(const ems_senses *s)
{
    for (size_t i = 0; i < ems_senses_count(s); i++) {
        const ems_sense *e = ems_senses_at(s, i);
        int known = e->modality == EMS_SEE_FACE && !e->why[0] && e->labels &&
                    e->dim == EMS_EKMAN + 1;
        for (int k = 0; k < EMS_EKMAN && known; k++)
            known = e->labels[k] &&
                    strcmp(e->labels[k], ems_emotion_names[k]) == 0;
        if (known)
            return e;
    }
    return NULL;
}

/* Senses that were used, then grammar and tone. */
static int match(ems_feel *f, const char *name, ems_error *err)
{
    ems_fusion_offer offer[EMS_FUSION_EXPERTS * 4];
    const ems_sense *whose[EMS_FUSION_EXPERTS * 4];
    size_t place[EMS_FUSION_EXPERTS], n = 0;
    for (size_t i = 0; i < ems_senses_count(f->senses) &&
                       n + 2 < sizeof offer / sizeof *offer; i++) {
        const ems_sense *e = ems_senses_at(f->senses, i);
        whose[n] = e;
        if (!e->why[0])
            offer[n++] = (ems_fusion_offer){e->name, e->sha256, e->dim};
    }
    const size_t own = n;
    offer[n++] = (ems_fusion_offer){"grammar", EMS_GRAMMAR_ID,
                                    EMS_GRAMMAR_DIM};
    offer[n++] = (ems_fusion_offer){"tone", EMS_TONE_ID, EMS_TONE_DIM};
    const int code = ems_fusion_match(f->fusion, name, offer, n, place, err);
    f->grammar = f->tone = -1;
    int networks = 0;
    for (size_t e = 0; e < f->fusion->shape.experts && code == EMS_OK; e++) {
        if (place[e] < own)
            f->expert[e] = whose[place[e]];
        networks |= place[e] < own;
        if (place[e] == own)
            f->grammar = (int)e;
        if (place[e] == own + 1)
            f->tone = (int)e;
    }
    /* A fusion of networks is no judge of colours alone. */
    if (code == EMS_OK && !networks &&
        f->fusion->shape.experts > (size_t)((f->grammar >= 0) +
                                            (f->tone >= 0)))
        return ems_fail(err, EMS_EFORMAT, "%s needs its networks (\"%s\",..);"
                        " none is installed", name,
                        f->fusion->shape.expert[0].name);
    return code;
}

ems_feel *ems_feel_new(const char *fusion, const ems_senses *senses,
                       ems_error *err)
{
    char *own = fusion ? NULL : ems_models_find(FILE_NAME, NULL);
    const char *path = fusion ? fusion : own;
    ems_feel *f = path ? ems_alloc(1, sizeof *f) : NULL;
    if (!path)
        ems_fail(err, EMS_EIO, "no fusion of experts (%s) is installed",
                 FILE_NAME);
    else if (!f)
        ems_out_of_memory(err);
    if (f) {
        f->senses = senses;
        f->faces = find_faces(senses);
        f->fusion = ems_fusion_load(path, err);
        if (!f->fusion || match(f, path, err) < 0) {
            ems_feel_free(f);
            f = NULL;
        }
    }
    ems_free(own);
    return f;
}

void ems_feel_free(ems_feel *f)
{
    if (!f)
        return;
    ems_fusion_free(f->fusion);
    ems_free(f);
}

/* ---- Asking -------------------------------------------------------------- */

/* Rows of a sense with times in [from, to). */
static ems_fusion_rows rows_between(const ems_sense *e, double from,
                                    double to)
{
    size_t low = 0, high = e->rows;
    while (low < high) { /* first row not before `from` */
        const size_t mid = (low + high) / 2;
        if (e->times[mid] < from)
            low = mid + 1;
        else
            high = mid;
    }
    size_t n = 0;
    while (low + n < e->rows && e->times[low + n] < to)
        n++;
    return (ems_fusion_rows){n ? e->values + low * e->dim : NULL, n};
}

static int sees(const ems_sense *e)
{
    return e->modality == EMS_SEE_FRAME || e->modality == EMS_SEE_FACE ||
           e->modality == EMS_SEE_BODY;
}

/* All that is to be rated: the shots, then the knots. */
typedef struct asking {
    ems_feel *f;
    size_t count;
    ems_clip *clip;
    ems_fusion_said *said;
    double (*face)[EMS_EKMAN + 1]; /* mean of the faces; sum 0: none */
    float (*own)[2][EMS_GRAMMAR_DIM];
} asking;

/* Pictures of this shot only, sound across the cuts. */
static void fill(asking *a, size_t i, const ems_shot *shot, double from,
                 double to, const ems_features *features)
{
    const double from_shot = fmax(from, shot->start);
    const double to_shot = fmin(to, shot->end);
    ems_clip *c = &a->clip[i];
    for (size_t e = 0; e < a->f->fusion->shape.experts; e++) {
        const ems_sense *x = a->f->expert[e];
        if (x)
            c->part[e] = sees(x) ? rows_between(x, from_shot, to_shot)
                                 : rows_between(x, from, to);
    }
    ems_grammar_row(a->own[i][0], a->own[i][1], features);
    if (a->f->grammar >= 0)
        c->part[a->f->grammar] = (ems_fusion_rows){a->own[i][0], 1};
    if (a->f->tone >= 0)
        c->part[a->f->tone] = (ems_fusion_rows){a->own[i][1], 1};
    if (!a->f->faces)
        return;
    const ems_fusion_rows faces = rows_between(a->f->faces, from_shot,
                                               to_shot);
    for (size_t r = 0; r < faces.rows; r++)
        for (size_t k = 0; k <= EMS_EKMAN; k++)
            a->face[i][k] += (double)faces.data[r * (EMS_EKMAN + 1) + k] /
                             (double)faces.rows;
}

static size_t knots_of(const ems_shot *s)
{
    return ems_film_knots(s->end - s->start);
}

static void fill_all(asking *a, const ems_film *film, const ems_shot *shots,
                     size_t shot_count, const ems_knot *knots)
{
    size_t at = shot_count;
    for (size_t i = 0; i < shot_count; i++) {
        const ems_shot *s = &shots[i];
        fill(a, i, s, s->start, s->end, &s->features);
        for (size_t k = 0; k < knots_of(s); k++, at++, knots++) {
            const ems_features f = ems_film_around(film, s, knots->time);
            fill(a, at, s, knots->time - REACH, knots->time + REACH, &f);
        }
    }
}

/* ---- Answers ------------------------------------------------------------- */

static double clip_one(double x)
{
    return fmin(fmax(x, -1), 1);
}

/* The fusion's view and the features' in one, with what it may be off by. */
static void blend(double *x, double *sd, double said, double deviation,
                  double share)
{
    const double gap = said - *x;
    const double w = isfinite(said) ? share : 0;
    if (w > 0)
        *x = clip_one(*x + w * gap);
    const double off = w * (deviation > 0 ? deviation : FEATURES_SD);
    const double own = (1 - w) * FEATURES_SD;
    const double apart = w > 0 ? w * (1 - w) * gap * gap : 0;
    *sd = fmin(sqrt(off * off + own * own + apart), 1);
}

/* How probable each emotion is at this point (mapping.h), which is itself
 * only known up to a deviation: the Gaussians become that much wider. */
static void table_at(double p[EMS_EKMAN], const double va[2],
                     const double sd[2])
{
    ems_gaussian table[EMS_EKMAN];
    ems_emotion_table(table);
    for (int e = 0; e < EMS_EKMAN; e++) {
        const ems_gaussian *g = &table[e];
        const double v2 = g->valence_sd * g->valence_sd + sd[0] * sd[0];
        const double a2 = g->arousal_sd * g->arousal_sd + sd[1] * sd[1];
        const double v = va[0] - g->valence, a = va[1] - g->arousal;
        p[e] = ems_exact_exp(-0.5 * (v * v / v2 + a * a / a2)) /
               sqrt(v2 * a2);
    }
}

/* The table times what the faces say: the more so, the less they are neutral.
 * A fusion that tells emotions itself takes the table's place. */
static void emotions_of(double p[EMS_EKMAN], const double va[2],
                        const double sd[2], const ems_fusion_said *said,
                        const double face[EMS_EKMAN + 1])
{
    double sum = 0;
    table_at(p, va, sd);
    for (int e = 0; e < EMS_EKMAN; e++) {
        if (isfinite(said->emotion[e]))
            p[e] = (double)said->emotion[e];
        p[e] *= FACE_FLOOR + face[e];
        sum += p[e];
    }
    for (int e = 0; e < EMS_EKMAN; e++)
        p[e] /= sum;
}

/* Valence and arousal of a clip and what they may be off by. */
static void answer(const asking *a, size_t i, double va[2], double sd[2],
                   const double smooth[2])
{
    const ems_fusion *f = a->f->fusion;
    for (int k = 0; k < 2; k++) {
        const double said = smooth ? smooth[k]
                                   : (double)a->said[i].affect[k];
        blend(&va[k], &sd[k], said, (double)f->deviation[k], SHARE[k]);
    }
}

static void answer_shot(const asking *a, size_t i, ems_shot *s)
{
    double va[2] = {s->valence, s->arousal}, sd[2];
    answer(a, i, va, sd, NULL);
    s->valence = va[0];
    s->arousal = va[1];
    s->feeling_sd[0] = sd[0];
    s->feeling_sd[1] = sd[1];
    emotions_of(s->emotion, va, sd, &a->said[i], a->face[i]);
}

/* The mean of a knot and its neighbours of the same shot. */
static void smooth_of(const asking *a, size_t first, size_t k, size_t n,
                      double out[2])
{
    const size_t from = k ? k - 1 : k, to = k + 1 < n ? k + 1 : k;
    for (int axis = 0; axis < 2; axis++) {
        double sum = 0;
        for (size_t i = from; i <= to; i++)
            sum += (double)a->said[first + i].affect[axis];
        out[axis] = sum / (double)(to - from + 1);
    }
}

static void answer_all(const asking *a, ems_shot *shots, size_t shot_count,
                       ems_knot *knots, ems_feeling *feelings)
{
    size_t at = shot_count;
    for (size_t i = 0; i < shot_count; i++) {
        const size_t n = knots_of(&shots[i]), first = at;
        answer_shot(a, i, &shots[i]);
        for (size_t k = 0; k < n; k++, at++, knots++, feelings++) {
            double va[2] = {knots->valence, knots->arousal}, sd[2], smooth[2];
            smooth_of(a, first, k, n, smooth);
            answer(a, at, va, sd, smooth);
            knots->valence = va[0];
            knots->arousal = va[1];
            feelings->valence_sd = sd[0];
            feelings->arousal_sd = sd[1];
            emotions_of(feelings->emotion, va, sd, &a->said[at],
                        a->face[at]);
        }
    }
}

/* ---- All of it ----------------------------------------------------------- */

static void features_alone(ems_shot *shots, size_t shot_count,
                           const ems_knot *knots, ems_feeling *feelings)
{
    for (size_t i = 0; i < shot_count; i++) {
        shots[i].feeling_sd[0] = shots[i].feeling_sd[1] = FEATURES_SD;
        for (size_t k = 0; k < knots_of(&shots[i]); k++, knots++, feelings++) {
            feelings->valence_sd = feelings->arousal_sd = FEATURES_SD;
            ems_va_to_emotion(feelings->emotion, knots->valence,
                              knots->arousal);
        }
    }
}

static void clear(asking *a)
{
    ems_free(a->clip);
    ems_free(a->said);
    ems_free(a->face);
    ems_free(a->own);
}

int ems_feel_film(ems_feel *feel, const ems_film *film, ems_shot *shots,
                  size_t shot_count, ems_knot *knots, ems_feeling *feelings,
                  ems_error *err)
{
    asking a = {.f = feel, .count = shot_count};
    if (!feel) {
        features_alone(shots, shot_count, knots, feelings);
        return EMS_OK;
    }
    for (size_t i = 0; i < shot_count; i++)
        a.count += knots_of(&shots[i]);
    a.clip = ems_alloc(a.count, sizeof *a.clip);
    a.said = ems_alloc(a.count, sizeof *a.said);
    a.face = ems_alloc(a.count, sizeof *a.face);
    a.own = ems_alloc(a.count, sizeof *a.own);
    int code = a.clip && a.said && a.face && a.own ? EMS_OK
                                                   : ems_out_of_memory(err);
    if (code == EMS_OK) {
        fill_all(&a, film, shots, shot_count, knots);
        code = ems_fusion_rate(feel->fusion, a.clip, a.count, a.said, err);
    }
    if (code == EMS_OK)
        answer_all(&a, shots, shot_count, knots, feelings);
    clear(&a);
    return code;
}

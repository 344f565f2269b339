/* `emsync train critic`: learn from listeners, say how well it went. */
#include "music/critic_data.h"

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/run.h"
#include "music/midi_files.h"
#include "music/piece.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Guesses for rows that were left out of the fit. */
enum { DEAF, LOUD, KINDS }; /* without and with velocity */

typedef struct trial {
    const ems_rated *rated;
    const uint32_t *fold;    /* [pieces]; FOLD_NONE: in no fold */
    uint32_t folds;
    size_t features;
    double ridge;
    double *guess;           /* [KINDS][2][rows] */
    int *code;               /* [folds] */
} trial;

enum { FOLD_NONE = UINT32_MAX };

/* Every piece counts 1, shared by its rows; those of `without` nothing. */
static void weigh(double *weight, const ems_rated *r, const uint32_t *fold,
                  uint32_t without)
{
    for (size_t i = 0; i < r->rows;) {
        size_t n = 1;
        while (i + n < r->rows && r->piece[i + n] == r->piece[i])
            n++;
        const uint32_t f = fold[r->piece[i]];
        for (size_t k = i; k < i + n; k++)
            weight[k] = f == without || f == FOLD_NONE ? 0 : 1 / (double)n;
        i += n;
    }
}

static void guess_row(const trial *t, const ems_critic_head *h, size_t i)
{
    double x[EMS_HEARD_WHOLE], raw[2];
    for (size_t f = 0; f < t->features; f++)
        x[f] = (double)t->rated->x[i * EMS_HEARD_WHOLE + f];
    for (size_t k = 0; k < KINDS; k++) {
        ems_critic_raw(h, k == LOUD, x, raw);
        t->guess[(2 * k) * t->rated->rows + i] = raw[0];
        t->guess[(2 * k + 1) * t->rated->rows + i] = raw[1];
    }
}

static void try_fold(void *ctx, size_t fold)
{
    trial *t = ctx;
    const ems_rated *r = t->rated;
    double *weight = ems_alloc(r->rows, sizeof *weight);
    ems_critic_head *h = ems_alloc(1, sizeof *h);
    t->code[fold] = EMS_ENOMEM;
    if (weight && h) {
        h->features = t->features;
        weigh(weight, r, t->fold, (uint32_t)fold);
        t->code[fold] = ems_critic_fit(h, r, weight, t->ridge, NULL);
        for (size_t i = 0; t->code[fold] == EMS_OK && i < r->rows; i++)
            if (t->fold[r->piece[i]] == fold)
                guess_row(t, h, i);
    }
    ems_free(weight);
    ems_free(h);
}

/* r over all rows that were guessed, and over their pieces' means. */
static int score(const trial *t, size_t kind, size_t axis, double *bar,
                 double *piece, ems_error *err)
{
    const ems_rated *r = t->rated;
    double *a = ems_alloc(2 * (r->rows + r->pieces), sizeof *a);
    if (!a)
        return ems_out_of_memory(err);
    double *b = a + r->rows, *pa = b + r->rows, *pb = pa + r->pieces;
    size_t n = 0, pieces = 0;
    for (size_t i = 0; i < r->rows;) {
        const uint32_t p = r->piece[i];
        const size_t first = n;
        for (; i < r->rows && r->piece[i] == p; i++) {
            if (t->fold[p] >= t->folds)
                continue;
            a[n] = t->guess[(2 * kind + axis) * r->rows + i];
            b[n++] = (double)r->y[2 * i + axis];
        }
        for (size_t k = first; k < n; k++) {
            pa[pieces] += a[k] / (double)(n - first);
            pb[pieces] += b[k] / (double)(n - first);
        }
        pieces += n > first;
    }
    *bar = ems_correlation(a, b, n);
    *piece = ems_correlation(pa, pb, pieces);
    ems_free(a);
    return EMS_OK;
}

static int tell(const trial *t, const char *what, const ems_run *run,
                ems_error *err)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        double bar[2], piece[2];
        for (size_t axis = 0; axis < 2; axis++)
            if (score(t, kind, axis, &bar[axis], &piece[axis], err) < 0)
                return EMS_ENOMEM;
        ems_log(run, EMS_LOG_INFO, "%-25s %-8s r per bar %.3f valence,"
                " %.3f arousal; per piece %.3f, %.3f", what,
                kind == LOUD ? "velocity" : "notes", bar[0], bar[1], piece[0],
                piece[1]);
    }
    return EMS_OK;
}

static int try_folds(trial *t, ems_pool *pool, const char *what,
                     const ems_run *run, ems_error *err)
{
    if (ems_cancelled(run))
        return ems_fail_cancelled(err);
    t->guess = ems_alloc(t->rated->rows * 2 * KINDS, sizeof *t->guess);
    t->code = ems_alloc(t->folds, sizeof *t->code);
    int code = t->guess && t->code ? EMS_OK : ems_out_of_memory(err);
    if (code == EMS_OK)
        ems_pool_for(pool, t->folds, try_fold, t);
    for (uint32_t f = 0; code == EMS_OK && f < t->folds; f++)
        if (t->code[f] < 0)
            code = ems_fail(err, t->code[f], "cannot fit the critic without"
                            " fold %u; more pieces or a larger ridge may"
                            " help", f);
    if (code == EMS_OK)
        code = tell(t, what, run, err);
    ems_free(t->guess);
    ems_free(t->code);
    return code;
}

/* ---- Folds ----------------------------------------------------------------- */

typedef struct job {
    const ems_critic_options *options;
    const ems_run *run;
    ems_pool *pool;
    ems_rated rated;
    uint8_t *half;      /* [groups] */
    uint32_t *fold;     /* [pieces] */
} job;

static int taken(const job *j, size_t piece)
{
    const int half = j->options->half;
    return half == 0 || j->half[j->rated.group[piece]] == half - 1;
}

static void fold_by_group(job *j)
{
    for (size_t i = 0; i < j->rated.pieces; i++)
        j->fold[i] = taken(j, i) ? j->rated.group[i] : FOLD_NONE;
}

enum { RANDOM_FOLDS = 10 };

static void fold_at_random(job *j)
{
    ems_rng rng = ems_rng_seed(0, 0);
    for (size_t i = 0; i < j->rated.pieces; i++)
        j->fold[i] = taken(j, i) ? (uint32_t)ems_rng_below(&rng, RANDOM_FOLDS)
                                 : FOLD_NONE;
}

/* Fold 0: the other half, to be guessed; fold 1: the taken one. */
static void fold_by_half(job *j)
{
    for (size_t i = 0; i < j->rated.pieces; i++)
        j->fold[i] = taken(j, i) ? 1 : 0;
}

static int try_all(job *j, ems_error *err)
{
    trial piece = {.rated = &j->rated, .fold = j->fold,
                   .folds = j->rated.groups, .features = EMS_HEARD_WHOLE,
                   .ridge = j->options->ridge};
    trial window = piece, random = piece, half = piece;
    window.features = EMS_HEARD_FEATURES;
    random.folds = RANDOM_FOLDS;
    half.folds = 1;
    fold_by_group(j);
    int code = try_folds(&piece, j->pool, "in its piece, by series:", j->run,
                         err);
    if (code == EMS_OK)
        code = try_folds(&window, j->pool, "window alone, by series:", j->run,
                         err);
    fold_at_random(j);
    if (code == EMS_OK)
        code = try_folds(&random, j->pool, "in its piece, random folds:",
                         j->run, err);
    fold_by_half(j);
    if (code == EMS_OK && j->options->half)
        code = try_folds(&half, j->pool, "on the other half:", j->run, err);
    return code;
}

/* ---- Calibration ------------------------------------------------------------ */

/* Raw ratings of the windows of a collection. */
typedef struct spread {
    const ems_critic *critic;
    const ems_midi_files *files;
    struct raw {
        double *value;  /* [count, 4]: window's V, A, piece's V, A */
        size_t count, capacity;
        int code;
    } *raw;             /* per file */
    size_t step;        /* every step-th file */
} spread;

static void keep_raw(void *user, size_t i, const double *x)
{
    (void)i;
    const spread *s = ((void **)user)[0];
    struct raw *raw = ((void **)user)[1];
    if (!x)
        return;
    double *v = &raw->value[4 * raw->count++];
    ems_critic_raw(&s->critic->window, 0, x, v);
    ems_critic_raw(&s->critic->piece, 0, x, v + 2);
}

static void hear_file(void *ctx, size_t i)
{
    spread *s = ctx;
    struct raw *raw = &s->raw[i];
    ems_error err;
    ems_piece *p = ems_piece_load(s->files->items[i * s->step].path, &err);
    if (!p)
        return;
    const size_t n =
        (size_t)(ems_heard_end(p->notes, p->note_count) / 4) + 1;
    double *times = ems_alloc(n, sizeof *times);
    raw->value = ems_alloc(4 * n, sizeof *raw->value);
    raw->code = times && raw->value ? EMS_OK : EMS_ENOMEM;
    for (size_t k = 0; raw->code == EMS_OK && k < n; k++)
        times[k] = (double)k * 4 + 2;
    void *user[2] = {s, raw};
    if (raw->code == EMS_OK)
        raw->code = ems_hear_piece(p->notes, p->note_count, times, n,
                                   keep_raw, user, NULL);
    ems_free(times);
    ems_piece_free(p);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The 5th and the 95th percentile go to -0.85 and 0.85. */
static void stretch(ems_critic_head *h, int axis, double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    const double low = v[n / 20], high = v[n - 1 - n / 20];
    if (high - low < 1e-3)
        return;
    h->gain[axis] = (float)(1.7 / (high - low));
    h->offset[axis] = (float)(-0.85 - 1.7 / (high - low) * low);
}

static int stretch_all(ems_critic *c, const spread *s, size_t files,
                       ems_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < files; i++) {
        if (s->raw[i].code < 0)
            return ems_out_of_memory(err);
        n += s->raw[i].count;
    }
    double *v = ems_alloc(n + 1, sizeof *v);
    if (!v)
        return ems_out_of_memory(err);
    for (int k = 0; n > 0 && k < 4; k++) {
        size_t at = 0;
        for (size_t i = 0; i < files; i++)
            for (size_t w = 0; w < s->raw[i].count; w++)
                v[at++] = s->raw[i].value[4 * w + (size_t)k];
        stretch(k < 2 ? &c->window : &c->piece, k % 2, v, n);
    }
    ems_free(v);
    return n > 0 ? EMS_OK
                 : ems_fail(err, EMS_EFORMAT, "no MIDI file to calibrate the"
                            " critic with can be read");
}

static int calibrate(ems_critic *c, const job *j, ems_error *err)
{
    enum { FILES = 400 };
    ems_midi_files files = {0};
    int code = ems_midi_files_find(&files, &j->options->calibrate, 1, err);
    if (code < 0)
        return code;
    spread s = {.critic = c, .files = &files,
                .step = files.count / FILES + 1};
    const size_t n = (files.count + s.step - 1) / s.step;
    s.raw = ems_alloc(n, sizeof *s.raw);
    if (s.raw)
        ems_pool_for(j->pool, n, hear_file, &s);
    code = s.raw ? stretch_all(c, &s, n, err) : ems_out_of_memory(err);
    for (size_t i = 0; s.raw && i < n; i++)
        ems_free(s.raw[i].value);
    ems_free(s.raw);
    ems_midi_files_clear(&files);
    return code;
}

/* ---- The whole ---------------------------------------------------------------- */

static int fit_all(ems_critic *c, job *j, ems_error *err)
{
    double *weight = ems_alloc(j->rated.rows, sizeof *weight);
    if (!weight)
        return ems_out_of_memory(err);
    fold_by_half(j);
    weigh(weight, &j->rated, j->fold, 0);
    c->window.features = EMS_HEARD_FEATURES;
    c->piece.features = EMS_HEARD_WHOLE;
    int code = ems_critic_fit(&c->window, &j->rated, weight,
                              j->options->ridge, err);
    if (code == EMS_OK)
        code = ems_critic_fit(&c->piece, &j->rated, weight,
                              j->options->ridge, err);
    ems_free(weight);
    return code;
}

static int save(const ems_critic *c, const job *j, ems_error *err)
{
    size_t pieces = 0;
    for (size_t i = 0; i < j->rated.pieces; i++)
        pieces += (size_t)taken(j, i);
    char count[24], half[8], ridge[24];
    snprintf(count, sizeof count, "%zu", pieces);
    snprintf(half, sizeof half, "%d", j->options->half);
    snprintf(ridge, sizeof ridge, "%g", j->options->ridge);
    const ems_st_pair pairs[] = {
        {"format", "emsync critic 1"}, {"pieces", count}, {"half", half},
        {"ridge", ridge},
    };
    return ems_critic_save(c, j->options->out, pairs,
                           sizeof pairs / sizeof *pairs, err);
}

static int train(job *j, ems_error *err)
{
    j->half = ems_alloc(j->rated.groups, 1);
    j->fold = ems_alloc(j->rated.pieces, sizeof *j->fold);
    ems_critic *c = ems_alloc(1, sizeof *c);
    int code = j->half && j->fold && c ? ems_rated_halve(&j->rated, j->half,
                                                         err)
                                       : ems_out_of_memory(err);
    if (code == EMS_OK)
        ems_log(j->run, EMS_LOG_INFO, "%zu ratings of %zu pieces in %u"
                " series", j->rated.rows, j->rated.pieces, j->rated.groups);
    if (code == EMS_OK && j->options->evaluate)
        code = try_all(j, err);
    if (code == EMS_OK)
        code = fit_all(c, j, err);
    if (code == EMS_OK && j->options->calibrate)
        code = calibrate(c, j, err);
    if (code == EMS_OK)
        code = save(c, j, err);
    ems_critic_free(c);
    ems_free(j->half);
    ems_free(j->fold);
    return code;
}

ems_critic_options ems_critic_defaults(void)
{
    return (ems_critic_options){.ridge = 300, .evaluate = 1};
}

int ems_train_critic(const ems_critic_options *options, const ems_run *run,
                     ems_error *err)
{
    job j = {.options = options, .run = run};
    if (!options->data || !options->out)
        return ems_fail(err, EMS_EINVAL, "training a critic needs a folder"
                        " with rated music and a file to write");
    if (options->half < 0 || options->half > 2 || !(options->ridge > 0))
        return ems_fail(err, EMS_EINVAL, "the half is 0 (all), 1 or 2, the"
                        " ridge above 0");
    j.pool = ems_pool_new(ems_run_threads(run), err);
    if (!j.pool)
        return EMS_ENOMEM;
    int code = ems_rated_load(&j.rated, options->data, run, err);
    if (code == EMS_OK)
        code = train(&j, err);
    ems_rated_clear(&j.rated);
    ems_pool_free(j.pool);
    return code;
}

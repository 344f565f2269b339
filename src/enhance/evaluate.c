/* ems_evaluate_enhancer: filtered, restored, compared with the truth. */
#include "base/mem.h"
#include "base/run.h"
#include "enhance/bandwidth.h"
#include "enhance/measure.h"
#include "enhance/restore.h"
#include "enhance/tunes.h"

#include <stdio.h>
#include <string.h>

enum { FROM = 8 }; /* seconds */

typedef struct evaluation {
    ems_enhancer enhancer;
    ems_tunes tunes;
    float *work; /* [3][most frames, 2] */
    size_t most;
    int as_enhance;
} evaluation;

/* Where ems_enhance would begin to add; 0: nowhere. */
static int find_edge(const float *x, size_t frames, double *hz,
                     ems_error *err)
{
    ems_bandwidth *b = ems_alloc(1, sizeof *b);
    if (!b || ems_bandwidth_init(b, err) < 0) {
        ems_free(b);
        return ems_out_of_memory(err);
    }
    ems_bandwidth_add(b, x, frames, 2);
    const ems_edge edge = ems_bandwidth_edge(b, EMS_TUNE_RATE);
    *hz = edge.fall >= EMS_EDGE_FALL ? EMS_EDGE_CROSS * edge.hz : 0;
    ems_bandwidth_clear(b);
    ems_free(b);
    return EMS_OK;
}

static int score_tune(evaluation *v, const ems_tune *t, const ems_filter *f,
                      ems_enhancer_score *s, ems_error *err)
{
    float *whole = v->work, *dull = whole + 2 * v->most;
    float *y = dull + 2 * v->most;
    const size_t n = t->frames;
    double cross = 0;
    int code = ems_tune_filtered(t, f, whole, dull, 0, n, err);
    if (code == EMS_OK && v->as_enhance)
        code = find_edge(dull, n, &cross, err);
    if (code < 0)
        return code;
    ems_enhancer_cross(&v->enhancer, cross, EMS_TUNE_RATE);
    if (v->as_enhance && !(cross > 0))
        memcpy(y, dull, 2 * n * sizeof *y);
    else
        code = ems_restore(&v->enhancer, y, dull, n, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < 2 * n; i++)
        y[i] = y[i] > 1 ? 1 : y[i] < -1 ? -1 : y[i];
    const double lsd[2] = {ems_measure_lsd(whole, dull, n),
                           ems_measure_lsd(whole, y, n)};
    if (lsd[0] < 0 || lsd[1] < 0)
        return ems_out_of_memory(err);
    s->snr_in += ems_measure_snr(whole, dull, n);
    s->snr_out += ems_measure_snr(whole, y, n);
    s->lsd_in += lsd[0];
    s->lsd_out += lsd[1];
    s->tunes++;
    return EMS_OK;
}

static int score_filter(evaluation *v, ems_enhancer_score *s,
                        const ems_run *run, ems_error *err)
{
    const int none = strcmp(s->filter, "none") == 0;
    ems_filter_spec spec;
    ems_filter f;
    int code = none ? EMS_OK : ems_filter_named(&spec, s->filter, err);
    if (code == EMS_OK && !none)
        code = ems_filter_design(&f, &spec, EMS_TUNE_RATE, err);
    for (size_t i = 0; code == EMS_OK && i < v->tunes.count; i++) {
        code = ems_cancelled(run) ? ems_fail_cancelled(err) : EMS_OK;
        if (code == EMS_OK)
            code = score_tune(v, &v->tunes.tune[i], none ? NULL : &f, s,
                              err);
        ems_progress(run, s->filter, (double)(i + 1) /
                                         (double)v->tunes.count);
    }
    double *const mean[] = {&s->snr_in, &s->snr_out, &s->lsd_in, &s->lsd_out};
    for (size_t i = 0; i < 4; i++)
        *mean[i] /= s->tunes ? (double)s->tunes : 1;
    return code;
}

/* "a,b,c" into the scores' names. How many, or a negative code. */
static int take_names(const char *filters, ems_enhancer_score *scores,
                      int most, ems_error *err)
{
    int count = 0;
    while (*filters) {
        const size_t n = strcspn(filters, ",");
        if (count == most || n >= sizeof scores->filter || n == 0)
            return ems_fail(err, EMS_EINVAL, "cannot read the filters"
                            " \"%.60s\": give up to %d names with commas, such"
                            " as cheby1-6,butter-6", filters, most);
        scores[count] = (ems_enhancer_score){.tunes = 0};
        memcpy(scores[count++].filter, filters, n);
        filters += n + (filters[n] == ',');
    }
    return count;
}

static int evaluate(evaluation *v, const char *music, double seconds,
                    ems_enhancer_score *scores, int count,
                    const ems_run *run, ems_error *err)
{
    int code = ems_tunes_read(&v->tunes, music, FROM, seconds, run, err);
    for (size_t i = 0; code == EMS_OK && i < v->tunes.count; i++)
        if (v->tunes.tune[i].frames > v->most)
            v->most = v->tunes.tune[i].frames;
    if (code == EMS_OK) {
        v->work = ems_alloc(6 * v->most, sizeof *v->work);
        code = v->work ? EMS_OK : ems_out_of_memory(err);
    }
    for (int i = 0; code == EMS_OK && i < count; i++)
        code = score_filter(v, &scores[i], run, err);
    return code < 0 ? code : count;
}

int ems_evaluate_enhancer(const char *weights, const char *music,
                          const char *filters, double seconds,
                          int as_enhance, ems_enhancer_score *scores,
                          int most, const ems_run *run, ems_error *err)
{
    ems_error local;
    err = err ? err : &local;
    if (!music || !filters || !(seconds > 0 && seconds <= 3600))
        return ems_fail(err, EMS_EINVAL, "evaluating an enhancer takes music,"
                        " filters and up to 3600 seconds of each tune");
    evaluation v = {.as_enhance = as_enhance};
    int code = take_names(filters, scores, most, err);
    if (code < 0)
        return code;
    const int count = code;
    ems_pool *pool = ems_pool_new(ems_run_threads(run), err);
    code = pool ? ems_enhancer_open(&v.enhancer, weights, pool, err)
                : err->code;
    if (code == EMS_OK)
        code = evaluate(&v, music, seconds, scores, count, run, err);
    ems_enhancer_close(&v.enhancer);
    ems_tunes_clear(&v.tunes);
    ems_free(v.work);
    ems_pool_free(pool);
    return code;
}

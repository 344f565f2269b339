/* EMSYNC's test of emotion: asked valence and arousal against what a judge
 * hears in pieces composed without boundaries. */
#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "music/critic.h"
#include "music/evaluate.h"

#include <math.h>
#include <unistd.h>

typedef struct heard { /* of the tasks that sound, in order */
    double *asked_v, *asked_a, *v, *a;
    size_t count;
} heard;

/* The judge that ships, else the critic that ships. */
static ems_critic *open_judge(const ems_evaluator *e, ems_error *err)
{
    if (e->o->judge)
        return ems_critic_open(e->o->judge, err);
    char *path = ems_models_find(EMS_JUDGE_NAME, NULL);
    if (!path)
        ems_log(e->run, EMS_LOG_WARNING, "%s is not installed: the critic"
                " judges, which also labelled the training music",
                EMS_JUDGE_NAME);
    ems_critic *judge = ems_critic_open(path, err);
    ems_free(path);
    return judge;
}

static int listen(heard *h, const ems_evaluator *e, const ems_critic *judge,
                  ems_error *err)
{
    for (size_t i = 0; i < e->emotion_count; i++) {
        const ems_task *t = &e->emotions[i];
        ems_affect_point p;
        const int code = ems_critic_piece(judge, t->piece->notes,
                                          t->piece->note_count, &p, err);
        if (code < 0)
            return code;
        if (isnan(p.valence))
            continue;
        h->asked_v[h->count] = t->asked_valence;
        h->asked_a[h->count] = t->asked_arousal;
        h->v[h->count] = p.valence;
        h->a[h->count] = p.arousal;
        h->count++;
    }
    return EMS_OK;
}

static size_t place(const ems_evaluation *out, double asked)
{
    size_t i = 0;
    while (i + 1 < EMS_EVALUATE_GRID && out->asked[i] < asked - 1e-9)
        i++;
    return i;
}

static void fill_grid(ems_evaluation *out, const heard *h)
{
    size_t n[EMS_EVALUATE_GRID][EMS_EVALUATE_GRID] = {{0}};
    for (size_t i = 0; i < h->count; i++) {
        const size_t v = place(out, h->asked_v[i]);
        const size_t a = place(out, h->asked_a[i]);
        n[v][a]++;
        out->valence[v][a] += h->v[i];
        out->arousal[v][a] += h->a[i];
        out->l1 += (fabs(h->v[i] - h->asked_v[i]) +
                    fabs(h->a[i] - h->asked_a[i])) / 4 / (double)h->count;
    }
    for (size_t v = 0; v < EMS_EVALUATE_GRID; v++)
        for (size_t a = 0; a < EMS_EVALUATE_GRID; a++) {
            const double count = n[v][a] ? (double)n[v][a] : (double)NAN;
            out->valence[v][a] /= count;
            out->arousal[v][a] /= count;
        }
    out->rho_valence = ems_spearman(h->asked_v, h->v, h->count);
    out->rho_arousal = ems_spearman(h->asked_a, h->a, h->count);
    out->r_valence = ems_pearson(h->asked_v, h->v, h->count);
    out->r_arousal = ems_pearson(h->asked_a, h->a, h->count);
}

int ems_evaluate_emotion(ems_evaluator *e, ems_error *err)
{
    const size_t n = e->emotion_count;
    ems_critic *judge = open_judge(e, err);
    if (!judge)
        return err->code;
    double *block = ems_alloc(4 * n, sizeof *block);
    heard h = {block, block + n, block + 2 * n, block + 3 * n, 0};
    int code = block ? listen(&h, e, judge, err) : ems_out_of_memory(err);
    if (code == EMS_OK)
        fill_grid(e->out, &h);
    ems_free(block);
    ems_critic_free(judge);
    return code;
}

/* ems_train_text and ems_text_evaluate. */
#include "affect/text_data.h"
#include "affect/text_learn.h"
#include "affect/text_score.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"

#include <stdio.h>
#include <string.h>

ems_text_train_options ems_text_train_defaults(void)
{
    return (ems_text_train_options){
        .buckets = 65536, .width = 96, .channels = 128, .hidden = 256,
        .epochs = 8, .batch = 64, .lr = 2e-3, .weight_decay = 0.01,
        .dropout = 0.3, .forget = 0.15, .seed = 1};
}

static int in(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static int options_check(const ems_text_train_options *o, ems_error *err)
{
    const ems_text_shape s = {(size_t)o->buckets, (size_t)o->width,
                              (size_t)o->channels, (size_t)o->hidden};
    if (!o->folder || !o->out)
        return ems_fail(err, EMS_EINVAL, "training needs a folder with"
                        " GoEmotions and a file for the weights");
    if (o->epochs < 1 || o->epochs > 1000 || o->batch < EMS_SHARD ||
        o->batch > 512 || o->batch % EMS_SHARD)
        return ems_fail(err, EMS_EINVAL, "take 1 to 1000 epochs, and batches"
                        " of 8 to 512 lines, a multiple of 8");
    if (!in(o->lr, 1e-9, 1) || !in(o->weight_decay, 0, 1) ||
        !in(o->dropout, 0, 0.9) || !in(o->forget, 0, 0.9))
        return ems_fail(err, EMS_EINVAL, "an option of training is out of"
                        " range: lr 0..1, weight decay 0..1, dropout and"
                        " forgetting 0..0.9");
    return ems_text_shape_check(&s, err);
}

/* ---- One training ------------------------------------------------------- */

typedef struct school {
    const ems_text_train_options *options;
    const ems_run *run;
    ems_pool *pool;
    ems_text_set train, dev, test;
    float *target;        /* [train, outputs]: 1 where a label holds */
} school;

static void priors(float *prior, const school *s)
{
    for (size_t o = 0; o < EMS_TEXT_OUTPUTS; o++) {
        double sum = 0;
        for (size_t i = 0; i < s->train.count; i++)
            sum += (double)(s->train.labels[i] >> o & 1);
        prior[o] = (float)(sum / (double)s->train.count);
    }
}

static void set_targets(school *s)
{
    for (size_t i = 0; i < s->train.count; i++)
        for (size_t o = 0; o < EMS_TEXT_OUTPUTS; o++)
            s->target[i * EMS_TEXT_OUTPUTS + o] =
                (float)(s->train.labels[i] >> o & 1);
}

static ems_text *learn(school *s, ems_error *err)
{
    const ems_text_train_options *o = s->options;
    const ems_text_shape shape = {(size_t)o->buckets, (size_t)o->width,
                                  (size_t)o->channels, (size_t)o->hidden};
    float prior[EMS_TEXT_OUTPUTS];
    priors(prior, s);
    set_targets(s);
    ems_learner *l = ems_learner_new(&shape, prior, o->seed, s->pool, err);
    if (!l)
        return NULL;
    const ems_lesson lesson = {
        .set = &s->train, .target = s->target, .batch = (size_t)o->batch,
        .epochs = (size_t)o->epochs, .lr = o->lr, .decay = o->weight_decay,
        .warmup = 100, .dropout = (float)o->dropout,
        .forget = (float)o->forget, .seed = o->seed, .run = s->run};
    ems_text *t = NULL;
    if (ems_learner_teach(l, &lesson, err) == EMS_OK)
        t = ems_learner_result(l, err);
    ems_learner_free(l);
    return t;
}

/* ---- Judgement ---------------------------------------------------------- */

static int judge_set(ems_text *t, const ems_text_set *s, int part, int decide,
                     ems_pool *pool, ems_text_result *r)
{
    float *score = ems_alloc(s->count * EMS_TEXT_OUTPUTS, sizeof *score);
    int failed = !score;
    if (score) {
        ems_text_rate_set(score, t, s, pool);
        failed = decide && ems_text_thresholds(t->threshold, score, s) < 0;
    }
    if (!failed)
        ems_text_measure(r, part, score, t->threshold, s);
    ems_free(score);
    return failed ? -1 : 0;
}

/* Thresholds come from dev alone; `decide` 0 takes those of the model. */
static int judge(ems_text *t, const ems_text_set *dev,
                 const ems_text_set *test, int decide, ems_pool *pool,
                 ems_text_result *r, ems_error *err)
{
    if (judge_set(t, dev, 0, decide, pool, r) < 0 ||
        judge_set(t, test, 1, 0, pool, r) < 0)
        return ems_out_of_memory(err);
    return EMS_OK;
}

/* ---- All of it ---------------------------------------------------------- */

static int load_sets(school *s, const char *folder, ems_error *err)
{
    int code = ems_text_set_load(&s->train, folder, "train", err);
    if (code == EMS_OK)
        code = ems_text_set_load(&s->dev, folder, "dev", err);
    if (code == EMS_OK)
        code = ems_text_set_load(&s->test, folder, "test", err);
    if (code < 0)
        return code;
    s->target = ems_alloc(s->train.count * EMS_TEXT_OUTPUTS,
                          sizeof *s->target);
    return s->target ? EMS_OK : ems_out_of_memory(err);
}

static int train_and_save(school *s, ems_text_result *r, ems_error *err)
{
    ems_text *t = learn(s, err);
    if (!t)
        return err->code;
    int code = judge(t, &s->dev, &s->test, 1, s->pool, r, err);
    if (code == EMS_OK)
        code = ems_text_save(t, s->options->out, "GoEmotions (Apache-2.0)",
                             err);
    ems_text_free(t);
    return code;
}

int ems_train_text(const ems_text_train_options *options,
                   ems_text_result *result, const ems_run *run,
                   ems_error *err)
{
    ems_error own;
    ems_text_result unread;
    ems_error *e = err ? err : &own;
    ems_text_result *r = result ? result : &unread;
    *r = (ems_text_result){0};
    int code = options_check(options, e);
    if (code < 0)
        return code;
    school s = {.options = options, .run = run};
    const double begin = ems_now();
    s.pool = ems_pool_new(ems_run_threads(run), e);
    code = s.pool ? load_sets(&s, options->folder, e) : e->code;
    if (code == EMS_OK)
        code = train_and_save(&s, r, e);
    r->seconds = ems_now() - begin;
    ems_text_set_clear(&s.train);
    ems_text_set_clear(&s.dev);
    ems_text_set_clear(&s.test);
    ems_free(s.target);
    ems_pool_free(s.pool);
    return code;
}

int ems_text_evaluate(const char *weights, const char *folder,
                      ems_text_result *result, const ems_run *run,
                      ems_error *err)
{
    const double begin = ems_now();
    ems_text_set dev = {0}, test = {0};
    ems_error own;
    ems_error *e = err ? err : &own;
    *result = (ems_text_result){0};
    ems_text *t = ems_text_open(weights, e);
    ems_pool *pool = t ? ems_pool_new(ems_run_threads(run), e) : NULL;
    int code = pool ? ems_text_set_load(&dev, folder, "dev", e) : e->code;
    if (code == EMS_OK)
        code = ems_text_set_load(&test, folder, "test", e);
    if (code == EMS_OK)
        code = judge(t, &dev, &test, 0, pool, result, e);
    result->seconds = ems_now() - begin;
    ems_text_set_clear(&dev);
    ems_text_set_clear(&test);
    ems_pool_free(pool);
    ems_text_free(t);
    return code;
}

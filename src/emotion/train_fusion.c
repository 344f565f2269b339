/* ems_train_fusion: labelled films to the weights of a fusion. */
#include "emotion/train_fusion.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/run.h"
#include "emotion/gather.h"
#include "fusion/learn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

ems_fusion_train_options ems_fusion_train_defaults(int genres)
{
    return (ems_fusion_train_options){
        .genres = genres,
        .network = genres ? EMS_NETWORK_JOINT : EMS_NETWORK_CROSS,
        .width = 64, .heads = 4, .inner = 256, .rows = genres ? 64 : 16,
        .epochs = 60, .patience = 12, .batch = 32, .lr = 1e-3,
        .weight_decay = 0.01, .dropout = 0.3, .absent = 0.2,
        .valid = 0.1, .test = genres ? 0.2 : 0.1, .seeds = 1, .seed = 1};
}

static int in(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static int options_check(const ems_fusion_train_options *o, ems_error *err)
{
    if (!o->folder || !o->labels || (!o->out && o->folds < 2))
        return ems_fail(err, EMS_EINVAL, "training needs a folder with films,"
                        " a table of labels and a file for the weights");
    if (o->rows < 1 || o->rows > EMS_FUSION_MOST_ROWS || o->epochs < 1 ||
        o->epochs > 100000 || o->patience < 1 || o->batch < 1 ||
        o->batch > 4096 || o->folds < 0 || o->folds > 1000 || o->seeds < 1 ||
        o->seeds > 100)
        return ems_fail(err, EMS_EINVAL, "take 1 to %d rows, at least one"
                        " epoch, batches of 1 to 4096 clips, at most 1000"
                        " folds and 1 to 100 seeds", EMS_FUSION_MOST_ROWS);
    if (!in(o->lr, 1e-9, 1) || !in(o->weight_decay, 0, 10) ||
        !in(o->dropout, 0, 0.9) || !in(o->absent, 0, 0.9) ||
        !in(o->mix, 0, 1) || !in(o->valid, 0, 0.9) ||
        !in(o->test, 0, 0.9) || o->valid + o->test >= 0.95)
        return ems_fail(err, EMS_EINVAL, "an option of training is out of"
                        " range: lr 0..1, weight decay 0..10, dropout and"
                        " absence 0..0.9, shares 0..0.9 and their sum below"
                        " 0.95");
    return EMS_OK;
}

/* ---- Who learns, who judges --------------------------------------------- */

typedef struct course {
    const ems_fusion_train_options *o;
    const ems_run *run;
    ems_gathering g;
    ems_fusion_shape shape;
    ems_pool *pool;
    uint8_t *role;    /* [clips] */
    size_t *group;    /* [groups]: shuffled */
    size_t groups;
    ems_fusion_said *said; /* [clips] */
    ems_fusion_result *r;
} course;

static int shuffle_groups(course *c, ems_error *err)
{
    c->groups = c->g.labels.groups;
    c->group = ems_alloc(c->groups, sizeof *c->group);
    if (!c->group)
        return ems_out_of_memory(err);
    ems_rng rng = ems_rng_seed(c->o->seed, 7);
    for (size_t i = 0; i < c->groups; i++) {
        const size_t j = ems_rng_below(&rng, i + 1);
        c->group[i] = c->group[j];
        c->group[j] = i;
    }
    return EMS_OK;
}

/* 70 / 10 / 20 in order of the names, as the trailers were. */
static void split_sorted(course *c)
{
    const double n = (double)c->g.count;
    const size_t train = (size_t)rint(n * (1 - c->o->valid - c->o->test));
    const size_t valid = (size_t)rint(n * c->o->valid);
    for (size_t i = 0; i < c->g.count; i++)
        c->role[i] = i < train ? EMS_ROLE_TRAIN
                   : i < train + valid ? EMS_ROLE_VALID : EMS_ROLE_TEST;
}

/* Groups to test, then to validate, until their shares are full. */
static void split_groups(course *c)
{
    const double n = (double)c->g.count;
    size_t taken = 0;
    for (size_t i = 0; i < c->groups; i++) {
        const double done = (double)taken / n;
        const uint8_t role = done < c->o->test ? EMS_ROLE_TEST
            : done < c->o->test + c->o->valid ? EMS_ROLE_VALID
                                              : EMS_ROLE_TRAIN;
        for (size_t k = 0; k < c->g.count; k++)
            if (c->g.clips[k].group == c->group[i]) {
                c->role[k] = role;
                taken++;
            }
    }
}

/* As the table says; a clip of which it says nothing is learned from. */
static void split_told(course *c)
{
    static const uint8_t ROLE[] = {
        [EMS_SPLIT_ANY] = EMS_ROLE_TRAIN, [EMS_SPLIT_TRAIN] = EMS_ROLE_TRAIN,
        [EMS_SPLIT_VALID] = EMS_ROLE_VALID, [EMS_SPLIT_TEST] = EMS_ROLE_TEST};
    for (size_t i = 0; i < c->g.count; i++)
        c->role[i] = ROLE[c->g.clips[i].split];
}

static void split(course *c)
{
    if (c->g.labels.has_split)
        split_told(c);
    else if (c->o->sorted)
        split_sorted(c);
    else
        split_groups(c);
}

/* Fold f is tested, the one after it (in part) validates. */
static void split_fold(course *c, size_t f)
{
    const size_t folds = (size_t)c->o->folds;
    for (size_t i = 0; i < c->groups; i++) {
        const size_t at = i % folds;
        const uint8_t role = at == f ? EMS_ROLE_TEST
            : at == (f + 1) % folds && c->o->valid > 0 && folds > 2
                ? EMS_ROLE_VALID : EMS_ROLE_TRAIN;
        for (size_t k = 0; k < c->g.count; k++)
            if (c->g.clips[k].group == c->group[i])
                c->role[k] = role;
    }
}

/* ---- Teaching ----------------------------------------------------------- */

static ems_fusion *teach(course *c, uint64_t seed, int quiet, double from,
                         double to, ems_error *err)
{
    const ems_fusion_train_options *o = c->o;
    ems_fusion *f = ems_fusion_new(&c->shape, err);
    if (!f)
        return NULL;
    memcpy(f->id, c->g.id, sizeof f->id);
    memcpy(f->genre, c->g.labels.genre, sizeof f->genre);
    const ems_fusion_lesson lesson = {
        .clips = c->g.clips, .role = c->role, .count = c->g.count,
        .batch = o->batch, .epochs = o->epochs, .patience = o->patience,
        .lr = o->lr, .decay = o->weight_decay, .dropout = o->dropout,
        .absent = o->absent, .mix = o->mix, .minmax = o->minmax,
        .seed = seed, .pool = c->pool, .run = c->run, .from = from, .to = to,
        .quiet = quiet};
    if (ems_fusion_teach(f, &lesson, &c->r->epoch, err) == EMS_OK)
        return f;
    ems_fusion_free(f);
    return NULL;
}

static void add_said(ems_fusion_said *sum, const ems_fusion_said *x,
                     float share)
{
    for (size_t i = 0; i < EMS_EKMAN; i++)
        sum->emotion[i] += share * x->emotion[i];
    for (size_t i = 0; i < 2; i++)
        sum->affect[i] += share * x->affect[i];
    for (size_t i = 0; i < EMS_FUSION_GENRES; i++)
        sum->genre[i] += share * x->genre[i];
}

/* What the fusions of one fold say of its clips. */
static int ask_fold(course *c, size_t f, ems_fusion_said *once,
                    ems_error *err)
{
    const int seeds = c->o->seeds;
    const double all = (double)(c->o->folds * seeds + 1);
    split_fold(c, f);
    for (int i = 0; i < seeds; i++) {
        const double done = (double)((int)f * seeds + i);
        ems_fusion *x = teach(c, c->o->seed + (uint64_t)i, 1, done / all,
                              (done + 1) / all, err);
        if (!x)
            return -1;
        const int code = ems_fusion_rate(x, c->g.clips, c->g.count, once,
                                         err);
        ems_fusion_free(x);
        if (code < 0)
            return code;
        for (size_t k = 0; k < c->g.count; k++)
            if (c->role[k] == EMS_ROLE_TEST)
                add_said(&c->said[k], &once[k], 1 / (float)seeds);
    }
    return 0;
}

/* EMS_ECANCELLED and the like come in err. */
static int ask_folds(course *c, ems_error *err)
{
    ems_fusion_said *once = ems_alloc(c->g.count, sizeof *once);
    int failed = 0;
    if (!once)
        return ems_out_of_memory(err);
    memset(c->said, 0, c->g.count * sizeof *c->said);
    for (size_t f = 0; f < (size_t)c->o->folds && !failed; f++)
        failed = ask_fold(c, f, once, err) < 0;
    ems_free(once);
    if (failed)
        return err->code;
    if (ems_fusion_measure(&c->r->folds, &c->shape, c->g.clips, c->said, NULL,
                           0, c->g.count) < 0)
        return ems_out_of_memory(err);
    ems_log(c->run, EMS_LOG_INFO, "%d folds judged", c->o->folds);
    return EMS_OK;
}

static int measure(course *c, const ems_fusion *f, ems_error *err)
{
    if (ems_fusion_rate(f, c->g.clips, c->g.count, c->said, err) < 0 ||
        ems_fusion_measure(&c->r->valid, &c->shape, c->g.clips, c->said,
                           c->role, EMS_ROLE_VALID, c->g.count) < 0 ||
        ems_fusion_measure(&c->r->test, &c->shape, c->g.clips, c->said,
                           c->role, EMS_ROLE_TEST, c->g.count) < 0)
        return ems_out_of_memory(err);
    return EMS_OK;
}

/* What held-out clips were off by. */
static void set_deviation(ems_fusion *f, const ems_fusion_result *r)
{
    const ems_fusion_scores *s = r->folds.clips ? &r->folds : &r->test;
    for (int i = 0; i < 2; i++)
        f->deviation[i] = s->clips && isfinite(s->rmse[i])
                              ? (float)s->rmse[i] : 0;
}

static int teach_all(course *c, ems_error *err)
{
    const ems_fusion_train_options *o = c->o;
    const double from = o->folds > 1
        ? 1 - 1 / (double)(o->folds * o->seeds + 1) : 0;
    split(c);
    for (size_t i = 0; i < c->g.count; i++)
        c->r->clips[c->role[i] - 1]++;
    ems_fusion *f = teach(c, o->seed, 0, from, 1, err);
    if (!f)
        return err->code;
    int code = measure(c, f, err);
    set_deviation(f, c->r);
    if (code == EMS_OK)
        code = ems_fusion_save(f, o->out, "emsync train", err);
    ems_fusion_free(f);
    return code;
}

/* ---- All of it ---------------------------------------------------------- */

static int make_shape(course *c, ems_error *err)
{
    const ems_fusion_train_options *o = c->o;
    c->shape = (ems_fusion_shape){
        .kind = o->network == EMS_NETWORK_JOINT ? EMS_FUSION_JOINT
                                                : EMS_FUSION_CROSS,
        .experts = c->g.experts, .width = (size_t)o->width,
        .heads = (size_t)o->heads, .inner = (size_t)o->inner,
        .emotions = c->g.labels.has_emotion ? EMS_EKMAN : 0,
        .affect = c->g.labels.has_affect ? 2 : 0,
        .genres = c->g.labels.genres};
    memcpy(c->shape.expert, c->g.expert, sizeof c->shape.expert);
    if (ems_fusion_check(&c->shape, err) < 0)
        return EMS_EINVAL;
    c->r->parameters = ems_fusion_parameters(&c->shape);
    memcpy(c->r->genre, c->g.labels.genre, sizeof c->r->genre);
    return EMS_OK;
}

static int make_room(course *c, ems_error *err)
{
    c->role = ems_alloc(c->g.count, sizeof *c->role);
    c->said = ems_alloc(c->g.count, sizeof *c->said);
    c->pool = ems_pool_new(ems_run_threads(c->run), err);
    if (!c->role || !c->said || !c->pool)
        return ems_out_of_memory(err);
    return shuffle_groups(c, err);
}

static int run_course(course *c, ems_error *err)
{
    const double begin = ems_now();
    int code = ems_gather(&c->g, c->o, c->run, err);
    c->r->extraction = ems_now() - begin;
    if (code < 0)
        return code;
    c->r->passed_over = c->g.passed_over;
    code = make_shape(c, err);
    if (code == EMS_OK)
        code = make_room(c, err);
    if (code == EMS_OK)
        ems_log(c->run, EMS_LOG_INFO, "%zu clips in %zu groups, %zu experts,"
                " %llu parameters", c->g.count, c->groups, c->g.experts,
                (unsigned long long)c->r->parameters);
    if (code == EMS_OK && c->o->folds > 1)
        code = ask_folds(c, err);
    if (code == EMS_OK && c->o->out)
        code = teach_all(c, err);
    c->r->seconds = ems_now() - begin;
    return code == EMS_OK ? ems_fusion_report(c->r, c->o, err) : code;
}

int ems_train_fusion(const ems_fusion_train_options *options,
                     ems_fusion_result *result, const ems_run *run,
                     ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    course *c = ems_alloc(1, sizeof *c);
    ems_fusion_result *r = ems_alloc(1, sizeof *r);
    int code = c && r ? options_check(options, e) : ems_out_of_memory(e);
    if (code == EMS_OK) {
        *c = (course){.o = options, .run = run, .r = r};
        code = run_course(c, e);
        ems_gathering_clear(&c->g);
        ems_pool_free(c->pool);
        ems_free(c->role);
        ems_free(c->group);
        ems_free(c->said);
    }
    if (result && r)
        *result = *r;
    ems_free(c);
    ems_free(r);
    return code;
}

#include "nn/optim.h"

#include <math.h>

#define BETA1 0.9
#define BETA2 0.98 /* as Transformers are trained: forgets in 50 steps */
#define EPSILON 1e-9f

static void square_span(void *ctx, size_t i)
{
    ems_optim *o = ctx;
    o->sums[i] = o->ops->sum_squares(o->g + o->span[i].at, o->span[i].count);
}

double ems_optim_norm(ems_optim *o)
{
    ems_pool_for(o->pool, o->spans, square_span, o);
    double sum = 0;
    for (size_t i = 0; i < o->spans; i++)
        sum += o->sums[i];
    return sqrt(sum);
}

typedef struct step_pass {
    ems_optim *o;
    ems_adamw a;
    float decay;
} step_pass;

static void step_span(void *ctx, size_t i)
{
    const step_pass *s = ctx;
    const ems_optim *o = s->o;
    const ems_span *x = &o->span[i];
    ems_adamw a = s->a;
    a.decay = x->decay ? s->decay : 0;
    o->ops->adamw(o->p + x->at, o->g + x->at, o->m + x->at, o->v + x->at,
                  x->count, &a);
}

void ems_optim_step(ems_optim *o, uint64_t step, double lr, double decay,
                    double scale)
{
    step_pass s = {.o = o, .decay = (float)decay};
    s.a.lr = (float)lr;
    s.a.beta1 = (float)BETA1;
    s.a.beta2 = (float)BETA2;
    s.a.epsilon = EPSILON;
    s.a.correct1 = (float)(1 / (1 - pow(BETA1, (double)step)));
    s.a.correct2 = (float)(1 / (1 - pow(BETA2, (double)step)));
    s.a.scale = (float)scale;
    ems_pool_for(o->pool, o->spans, step_span, &s);
}

double ems_learning_rate(double lr, double end, double warmup, uint64_t step,
                         double progress)
{
    if ((double)step < warmup)
        return lr * ((double)step + 1) / warmup;
    const double x = progress < 0 ? 0 : progress > 1 ? 1 : progress;
    return lr * (end + (1 - end) * 0.5 * (1 + cos(3.14159265358979 * x)));
}

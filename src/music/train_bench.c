/* How fast training is: ems_bench_train. */
#include "base/mem.h"
#include "base/run.h"
#include "music/train.h"
#include "music/vocab.h"

#include <math.h>

static void fill_random(ems_training *t, size_t rows)
{
    ems_rng rng = ems_rng_seed(1, 0);
    for (size_t i = 0; i < 2 * rows; i++)
        t->ids[i] = (uint16_t)(EMS_BAR + ems_rng_below(&rng, EMS_VOCAB - 2));
    for (size_t i = 0; i < rows + 2 * (size_t)t->o.batch; i++)
        t->reals[i] = (float)ems_rng_uniform(&rng);
}

/* Seconds of a step. */
static double time_step(ems_training *t, const ems_batch *b, uint64_t i)
{
    const double start = ems_now();
    ems_graph_forward(t->graph, &t->p, b, i);
    ems_graph_backward(t->graph, &t->p, b, &t->d);
    const double norm = ems_optim_norm(&t->optim);
    ems_optim_step(&t->optim, i, 1e-5, 0.01, 1 / (1 + norm));
    return ems_now() - start;
}

/* The best of some steps, as other work disturbs. */
static void time_steps(ems_training *t, const ems_batch *b,
                       ems_train_speed *speed)
{
    enum { REPEAT = 4 };
    double best = INFINITY;
    ems_graph_work before = ems_graph_done(t->graph);
    for (uint64_t i = 1; i <= REPEAT && !ems_cancelled(&t->run); i++) {
        const double seconds = time_step(t, b, i);
        const ems_graph_work w = ems_graph_done(t->graph);
        if (seconds < best) {
            best = seconds;
            const double products = w.products - before.products;
            const double attention = w.attention - before.attention;
            speed->step = (products + attention) / seconds;
            speed->products = products /
                              (w.product_seconds - before.product_seconds);
            speed->attention = attention / (w.attention_seconds -
                                            before.attention_seconds);
        }
        before = w;
        speed->peak = fmax(speed->peak, ems_graph_peak(t->graph));
    }
    speed->tokens = (double)t->o.batch *
                    (t->o.shape.context_len - EMS_CONDITIONS) / best;
}

static int measure(ems_training *t, ems_train_speed *speed, ems_error *err)
{
    if (ems_shape_check(&t->o.shape, err) < 0)
        return EMS_EINVAL;
    if (t->o.batch < 1)
        return ems_fail(err, EMS_EINVAL, "batch of %d sequences; take at"
                        " least 1", t->o.batch);
    if (ems_train_engine(t, err) < 0)
        return err->code;
    const size_t rows = (size_t)t->o.batch *
                        (size_t)(t->o.shape.context_len - EMS_CONDITIONS);
    const ems_batch b = {.tokens = t->ids, .targets = t->ids + rows,
                         .seconds = t->reals, .conditions = t->reals + rows};
    ems_params_init(&t->p, 1);
    fill_random(t, rows);
    time_steps(t, &b, speed);
    return ems_cancelled(&t->run) ? ems_fail_cancelled(err) : EMS_OK;
}

int ems_bench_train(const ems_bench_options *options,
                    ems_train_speed *speed, const ems_run *run,
                    ems_error *err)
{
    ems_error local;
    if (!err)
        err = &local;
    ems_training *t = ems_alloc(1, sizeof *t);
    if (!t)
        return ems_out_of_memory(err);
    *speed = (ems_train_speed){0};
    t->o = ems_train_defaults();
    t->o.shape = options->shape;
    t->o.precision = options->precision;
    t->o.batch = options->batch;
    if (run)
        t->run = *run;
    const int code = measure(t, speed, err);
    ems_train_close(t);
    ems_free(t);
    return code;
}

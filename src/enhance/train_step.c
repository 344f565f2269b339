#include "base/mem.h"
#include "enhance/measure.h"
#include "enhance/restore.h"
#include "enhance/train.h"

#include <math.h>

/* The filter of a chunk; 0: none. */
static int draw_filter(const ems_enhance_train *t, ems_rng *r, ems_filter *f)
{
    ems_filter_spec s = ems_filter_bank(0);
    if (t->state.filters == EMS_FILTERS_RANDOM && ems_rng_below(r, 8) == 0)
        return 0;
    if (t->state.filters == EMS_FILTERS_BANK)
        s = ems_filter_bank((int)ems_rng_below(r, EMS_FILTER_SEEN));
    if (t->state.filters == EMS_FILTERS_RANDOM)
        s = ems_filter_draw(r);
    return ems_filter_design(f, &s, EMS_TUNE_RATE, NULL) == 0;
}

static void emphasise(float *x, size_t frames, float a, float gain)
{
    for (size_t k = 2 * frames; k-- > 2;)
        x[k] = gain * (x[k] - a * x[k - 2]);
    for (size_t k = 0; k < 2; k++)
        x[k] *= gain * (1 - a);
}

/* Music has a thousand times more power at the bottom than where treble is
 * missing, and so has the gradient. Each chunk gets its own tilt, from none to
 * 20 dB of treble, and the same loudness, truth and filtered sound alike. */
static void tilt(float *whole, float *dull, size_t frames, ems_rng *r)
{
    const float a = (float)(0.95 * ems_rng_uniform(r));
    double power = 1e-8 * (double)frames;
    emphasise(whole, frames, a, 1);
    for (size_t k = 0; k < 2 * frames; k++)
        power += (double)(whole[k] * whole[k]);
    const float gain = (float)(0.1 / sqrt(power / (double)(2 * frames)));
    for (size_t k = 0; k < 2 * frames; k++)
        whole[k] *= gain;
    emphasise(dull, frames, a, gain);
}

/* Chunk i of the step's batch, anywhere in the music. */
static void draw_chunk(void *ctx, size_t i)
{
    ems_enhance_train *t = ctx;
    const size_t chunk = (size_t)t->o.chunk;
    ems_rng r = ems_rng_seed(t->state.seed, (t->state.step << 16) + i + 1);
    const size_t at = ems_rng_below(&r, t->start[t->tunes.count]);
    ems_filter f;
    const int filtered = draw_filter(t, &r, &f);
    size_t k = 0;
    while (t->start[k + 1] <= at)
        k++;
    float *whole = t->whole + 2 * i * chunk;
    float *dull = ems_cnet_input(t->net, i);
    if (ems_tune_filtered(&t->tunes.tune[k], filtered ? &f : NULL, whole,
                          dull, at - t->start[k], chunk, NULL) < 0)
        __atomic_store_n(&t->failed, 1, __ATOMIC_RELAXED);
    tilt(whole, dull, chunk, &r);
}

int ems_enhance_gradient(ems_enhance_train *t, double *loss, ems_error *err)
{
    const size_t sounds = (size_t)t->o.batch, chunk = (size_t)t->o.chunk;
    const ems_cnet_pass pass = {
        .p = t->optim.p, .stats = t->stats, .sounds = sounds, .time = chunk,
        .train = 1, .seed = t->state.seed ^ (t->state.step << 20)};
    const float scale = 2 / (float)(2 * sounds * chunk);
    double sum = 0;
    ems_pool_for(t->pool, sounds, draw_chunk, t);
    if (t->failed)
        return ems_out_of_memory(err);
    ems_cnet_forward(t->net, &pass);
    for (size_t i = 0; i < sounds; i++) {
        const float *y = ems_cnet_output(t->net, i, 0);
        const float *want = t->whole + 2 * i * chunk;
        float *d = ems_cnet_output(t->net, i, 1);
        for (size_t k = 0; k < 2 * chunk; k++) {
            const float e = y[k] - want[k];
            sum += (double)(e * e);
            d[k] = scale * e;
        }
    }
    ems_cnet_backward(t->net, &pass, t->block + t->net->parameters);
    *loss = sum / (double)(2 * sounds * chunk);
    return EMS_OK;
}

/* The training's own network, one chunk at a time. */
static int score_tune(ems_enhance_train *t, const ems_tune *tune,
                      const ems_filter *f, float *work, size_t frames,
                      ems_enhance_snr *snr, ems_error *err)
{
    float *whole = work, *dull = work + 2 * frames;
    float *y = work + 4 * frames;
    ems_enhancer e = {.shape = t->o.shape, .p = t->optim.p,
                      .stats = t->stats, .net = t->net};
    const size_t room = t->net->time - 2 * t->net->reach;
    e.chunk = room / t->net->step * t->net->step;
    const size_t at = tune->frames >= 2 * frames ? frames : 0;
    int code = ems_tune_filtered(tune, f, whole, dull, at, frames, err);
    if (code == EMS_OK)
        code = ems_restore(&e, y, dull, frames, err);
    snr->in += ems_measure_snr(whole, dull, frames);
    snr->out += ems_measure_snr(whole, y, frames);
    return code;
}

int ems_enhance_held(ems_enhance_train *t, int filter, ems_enhance_snr *snr,
                     ems_error *err)
{
    const ems_filter_spec spec = ems_filter_bank(filter);
    const size_t frames = 8 * EMS_TUNE_RATE;
    double count = 0;
    ems_filter f;
    float *work = ems_alloc(6 * frames, sizeof *work);
    int code = work ? ems_filter_design(&f, &spec, EMS_TUNE_RATE, err)
                    : ems_out_of_memory(err);
    *snr = (ems_enhance_snr){0};
    for (size_t i = 0; code == EMS_OK && i < t->tunes.count; i++)
        if (ems_enhance_is_held(i)) {
            const ems_tune *tune = &t->tunes.tune[i];
            code = score_tune(t, tune, &f, work,
                              tune->frames < frames ? tune->frames : frames,
                              snr, err);
            count++;
        }
    ems_free(work);
    snr->in /= count > 0 ? count : 1;
    snr->out /= count > 0 ? count : 1;
    return code;
}

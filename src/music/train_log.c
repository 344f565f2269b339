/* The log, held-out scores, and the best weights so far. */
#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "music/model_io.h"
#include "music/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

__attribute__((format(printf, 2, 3)))
static void note(const ems_training *t, const char *format, ...)
{
    if (!t->log)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(t->log, format, args);
    va_end(args);
}

static void note_beginning(const ems_training *t)
{
    const ems_model_shape *s = &t->o.shape;
    note(t, "# d_model %d layers %d heads %d inner %d context %d,"
         " %zu parameters; batch %d x %d x %d ranks, seed %" PRIu64 ";"
         " %zu + %zu pieces, %zu + %zu tokens; from step %" PRIu64 "\n",
         s->d_model, s->n_layer, s->n_head, s->d_inner, s->context_len,
         t->p.count, t->o.batch, t->o.accumulate, ems_ranks_size(t->ranks),
         t->o.seed, t->sampler.pieces, t->sampler.held_pieces,
         t->sampler.tokens, t->sampler.held_tokens, t->state.step);
    if (t->o.contrast > 0)
        note(t, "# and %d pairs, contrast %g\n", t->o.pairs, t->o.contrast);
    if (t->o.breaks > 0)
        note(t, "# %g of the excerpts break off before chords\n",
             t->o.breaks);
    if (t->o.from && !t->o.resume)
        note(t, "# beginning with the weights of %s\n", t->o.from);
}

int ems_train_log_open(ems_training *t, ems_error *err)
{
    t->log = ems_log_file_open(t->log_path, t->o.resume, err);
    if (!t->log)
        return EMS_EIO;
    note_beginning(t);
    return EMS_OK;
}

void ems_train_log_restart(ems_training *t)
{
    t->line_step = t->state.step;
    t->line_time = ems_now();
    t->line_pairs = ems_pairs_told(t);
    t->loss = 0;
}

/* How surely this process's pairs were told apart since the last line. */
static void note_pairs(ems_training *t)
{
    const ems_graph_pairs now = ems_pairs_told(t);
    const double count = now.count - t->line_pairs.count;
    if (count > 0)
        note(t, " told-apart %.3f", (now.told - t->line_pairs.told) / count);
}

void ems_train_log_step(ems_training *t)
{
    const double n = (double)(t->state.step - t->line_step);
    if (n < 1)
        return;
    const double targets = (double)ems_train_sequences(t) *
                           (double)t->sampler.length;
    const double speed = n * targets / (ems_now() - t->line_time);
    note(t, "step %" PRIu64 " tokens %" PRIu64 " loss %.6f lr %.3e norm %.3f"
         " tok/s %.0f minutes %.2f", t->state.step, t->state.tokens,
         t->loss / n, t->lr, t->norm, speed, ems_train_seconds(t) / 60);
    note_pairs(t);
    note(t, "\n");
    ems_log(&t->run, EMS_LOG_DEBUG, "step %" PRIu64 ": loss %.4f, %.0f"
            " tokens a second", t->state.step, t->loss / n, speed);
    ems_train_log_restart(t);
}

static void draw(const ems_training *t)
{
    ems_error err;
    if (t->log && ems_curve_draw(t->log_path, t->curve_path, &err) < 0)
        ems_log(&t->run, EMS_LOG_DEBUG, "%s", err.text);
}

void ems_train_log_end(ems_training *t, int code, const ems_error *err)
{
    note(t, "# ended at step %" PRIu64 ", %.1f minutes of training: %s\n",
         t->state.step, ems_train_seconds(t) / 60,
         code < 0 ? err->text : "done");
    draw(t);
}

int ems_train_save_weights(ems_training *t, double nll, ems_error *err)
{
    char step[24], tokens[24], loss[24];
    snprintf(step, sizeof step, "%" PRIu64, t->state.step);
    snprintf(tokens, sizeof tokens, "%" PRIu64, t->state.tokens);
    snprintf(loss, sizeof loss, "%.6f", nll);
    const ems_st_pair pairs[] = {
        {"step", step}, {"tokens", tokens}, {"held_out_nll", loss}};
    return ems_params_save(&t->p, t->o.out, pairs, 3, err);
}

static void note_scores(ems_training *t, const ems_score_sums *with,
                        const ems_score_sums *blind)
{
    const double nll = with->nll / with->count;
    note(t, "held-out step %" PRIu64 " nll %.5f top1 %.4f top5 %.4f"
         " without-offsets nll %.5f top1 %.4f top5 %.4f%s\n",
         t->state.step, nll, with->top1 / with->count,
         with->top5 / with->count, blind->nll / blind->count,
         blind->top1 / blind->count, blind->top5 / blind->count,
         nll < t->state.best ? " best" : "");
    ems_log(&t->run, EMS_LOG_INFO, "step %" PRIu64 ": held-out loss %.4f",
            t->state.step, nll);
}

static void keep_best(ems_training *t, double nll)
{
    ems_error err;
    if (!(nll < t->state.best))
        return;
    if (!ems_train_leads(t) || ems_train_save_weights(t, nll, &err) == EMS_OK)
        t->state.best = nll;
    else
        ems_log(&t->run, EMS_LOG_WARNING, "%s; training goes on and will try"
                " again", err.text);
}

/* Ranks on processors of different kinds may round differently; before they
 * can drift apart, all take over what rank 0 has. */
static int align(ems_training *t, ems_error *err)
{
    const size_t bytes = t->p.count * sizeof(float);
    float *const blocks[] = {t->optim.p, t->optim.m, t->optim.v};
    for (int i = 0; i < 3; i++)
        if (ems_ranks_share(t->ranks, blocks[i], bytes, err) < 0)
            return err->code;
    return EMS_OK;
}

int ems_train_validate(ems_training *t, ems_error *err)
{
    ems_score_sums with, blind;
    if (align(t, err) < 0)
        return err->code;
    if (!t->sampler.held_pieces)
        return EMS_OK;
    if (ems_train_score(t, 0, &with, err) < 0 ||
        ems_train_score(t, 1, &blind, err) < 0)
        return err->code;
    if (!(with.count > 0 && blind.count > 0))
        return EMS_OK;
    note_scores(t, &with, &blind);
    keep_best(t, with.nll / with.count);
    draw(t);
    return EMS_OK;
}

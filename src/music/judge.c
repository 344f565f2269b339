#include "music/judge.h"

#include "base/mem.h"
#include "music/stats.h"

#include <math.h>
#include <stddef.h>

static const double STEP = 2;    /* seconds between two hearings */
static const double MET = 0.05;  /* seconds between hit and note */

/* The tenth and ninetieth percentile of 238 pieces that models learn from
 * (the arrangements and the free MIDI; the first minute of each). */
static const struct range {
    size_t field;
    double low, high;
} RANGES[] = {
    {offsetof(ems_piece_stats, notes_per_second), 3.8, 30.1},
    {offsetof(ems_piece_stats, polyphony), 2.7, 8.14},
    {offsetof(ems_piece_stats, silence), 0, 0.09},
    {offsetof(ems_piece_stats, longest_silence), 0, 0.58},
    {offsetof(ems_piece_stats, scale_consistency), 0.887, 1},
    {offsetof(ems_piece_stats, pitch_class_entropy), 2.36, 3.04},
    {offsetof(ems_piece_stats, groove), 0.806, 0.983},
    {offsetof(ems_piece_stats, repeated_span), 0, 0.138},
    {offsetof(ems_piece_stats, figures), 0, 0.593},
};

static double outside(double x, const struct range *r)
{
    const double far = x < r->low ? r->low - x : x > r->high ? x - r->high : 0;
    return fmin(1, far / (r->high - r->low));
}

static int judge_taste(double *taste, const ems_piece *p, ems_error *err)
{
    ems_piece_stats stats;
    const size_t n = sizeof RANGES / sizeof *RANGES;
    const int code = ems_piece_measure(&stats, p, err);
    *taste = 0;
    for (size_t i = 0; code == EMS_OK && i < n; i++) {
        const char *at = (const char *)&stats + RANGES[i].field;
        *taste += outside(*(const double *)(const void *)at, &RANGES[i]) /
                  (double)n;
    }
    return code;
}

static double judge_hits(const ems_piece *p, const ems_plan *plan)
{
    size_t missed = 0, note = 0;
    for (size_t h = 0; h < plan->hit_count; h++) {
        const double hit = plan->hits[h];
        while (note < p->note_count && p->notes[note].start < hit - MET)
            note++;
        size_t i = note;
        while (i < p->note_count && p->notes[i].start <= hit + MET &&
               p->notes[i].family == EMS_DRUMS)
            i++;
        missed += i == p->note_count || p->notes[i].start > hit + MET;
    }
    return plan->hit_count ? (double)missed / (double)plan->hit_count : 0;
}

static int judge_emotion(double *error, const ems_piece *p,
                         const ems_plan *plan, const ems_critic *critic,
                         ems_error *err)
{
    const size_t n = (size_t)ceil(plan->duration / STEP);
    double *times = ems_alloc(n, sizeof *times);
    ems_affect_point *heard = ems_alloc(n, sizeof *heard);
    int code = times && heard ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; code == EMS_OK && i < n; i++)
        times[i] = fmin(((double)i + 0.5) * STEP, plan->duration);
    if (code == EMS_OK)
        code = ems_critic_curve(critic, p->notes, p->note_count, times, n,
                                heard, err);
    *error = 0;
    for (size_t i = 0; code == EMS_OK && i < n; i++) {
        double v, a;
        ems_curve_at(plan->curve, plan->knot_count, times[i], &v, &a);
        const double off = isnan(heard[i].valence)
                               ? 1
                               : (fabs(v - heard[i].valence) +
                                  fabs(a - heard[i].arousal)) / 2;
        *error += off / (double)n;
    }
    ems_free(times);
    ems_free(heard);
    return code;
}

int ems_judge(ems_merit *m, const ems_piece *piece, const ems_plan *plan,
              const ems_critic *critic, ems_error *err)
{
    *m = (ems_merit){.hits = judge_hits(piece, plan)};
    int code = judge_emotion(&m->emotion, piece, plan, critic, err);
    if (code == EMS_OK)
        code = judge_taste(&m->taste, piece, err);
    m->cost = m->emotion + m->hits + m->taste;
    return code;
}

/* A score's valence and arousal over time, by the critic. */
#include "music/critic_features.h"
#include "music/critic.h"

#include "base/mem.h"
#include "music/piece.h"

#include <math.h>

ems_rate_options ems_rate_defaults(void)
{
    return (ems_rate_options){.hop = 4};
}

static int rate_curve(const ems_critic *c, const ems_piece *p, double hop,
                      void (*each)(void *user, double time, double valence,
                                   double arousal),
                      void *user, ems_error *err)
{
    const size_t n =
        (size_t)(ems_heard_end(p->notes, p->note_count) / hop) + 1;
    double *times = ems_alloc(n, sizeof *times);
    ems_affect_point *point = ems_alloc(n, sizeof *point);
    int code = times && point ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; code == EMS_OK && i < n; i++)
        times[i] = ((double)i + 0.5) * hop;
    if (code == EMS_OK)
        code = ems_critic_curve(c, p->notes, p->note_count, times, n, point,
                                err);
    for (size_t i = 0; code == EMS_OK && i < n; i++)
        each(user, times[i], point[i].valence, point[i].arousal);
    ems_free(times);
    ems_free(point);
    return code;
}

int ems_piece_rate(const ems_piece *piece, const ems_rate_options *options,
             void (*each)(void *user, double time, double valence,
                          double arousal),
             void *user, double *valence, double *arousal, ems_error *err)
{
    if (!(options->hop >= 0.1 && options->hop <= 3600))
        return ems_fail(err, EMS_EINVAL, "a rating every %g s is not possible;"
                        " 0.1 to 3600 s are", options->hop);
    ems_error own;
    ems_error *e = err ? err : &own;
    ems_critic *c = ems_critic_open(options->critic, e);
    if (!c)
        return e->code;
    if (options->velocity)
        ems_critic_hear_velocity(c);
    ems_affect_point whole = {NAN, NAN};
    int code = ems_critic_piece(c, piece->notes, piece->note_count, &whole,
                                e);
    if (code == EMS_OK && each)
        code = rate_curve(c, piece, options->hop, each, user, e);
    *valence = whole.valence;
    *arousal = whole.arousal;
    ems_critic_free(c);
    return code;
}

#include "music/markers.h"

#include "affect/mapping.h"
#include "music/key.h"

#include <math.h>
#include <stdio.h>

const char *ems_plan_emotion(const ems_plan *plan, double time)
{
    double valence, arousal, emotion[EMS_EKMAN];
    int most = 0;
    ems_curve_at(plan->curve, plan->knot_count, time, &valence, &arousal);
    ems_va_to_emotion(emotion, valence, arousal);
    for (int e = 1; e < EMS_EKMAN; e++)
        if (emotion[e] > emotion[most])
            most = e;
    return ems_emotion_names[most];
}

/* The number of the shot that is on at `time`, from 1. */
static size_t shot_at(const ems_plan *p, double time)
{
    size_t low = 0, high = p->cut_count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (p->cuts[mid].time <= time)
            low = mid + 1;
        else
            high = mid;
    }
    return low + 1;
}

static int add(ems_piece *piece, const ems_plan *plan, double time,
               ems_marker_kind kind, const char *what, ems_error *err)
{
    ems_marker m = {time, kind, ""};
    snprintf(m.text, sizeof m.text, "%s, shot %zu, %s", what,
             shot_at(plan, time), ems_plan_emotion(plan, time));
    return ems_piece_add_marker(piece, m, err);
}

static int add_cuts(ems_piece *piece, const ems_plan *p, ems_error *err)
{
    static const char *const name[] = {"cut", "dissolve", "fade in",
                                       "fade out"};
    size_t hit = 0; /* the first at or after the cut */
    for (size_t i = 0; i < p->cut_count; i++) {
        const ems_cut *c = &p->cuts[i];
        ems_marker cue = {c->time, EMS_MARK_CUE, ""};
        snprintf(cue.text, sizeof cue.text, "shot %zu", i + 2);
        while (hit < p->hit_count && p->hits[hit] < c->time)
            hit++;
        if ((hit == p->hit_count || p->hits[hit] > c->time) &&
            add(piece, p, c->time, EMS_MARK_CUT, name[c->kind], err) < 0)
            return EMS_ENOMEM;
        if (ems_piece_add_marker(piece, cue, err) < 0)
            return EMS_ENOMEM;
    }
    return EMS_OK;
}

/* The bar line nearest to `time`. */
static double line_near(const ems_piece *p, double time)
{
    double best = 0;
    for (size_t i = 0; i < p->bar_count; i++)
        if (fabs(p->bars[i].start - time) < fabs(best - time))
            best = p->bars[i].start;
    return best;
}

/* Sections begin with a bar; where the plan says their keys they are signed. */
static int add_sections(ems_piece *piece, const ems_plan *p, ems_error *err)
{
    ems_piece_find_key(piece); /* of the first, unless the plan says it */
    ems_signature last = {0, piece->key_sharps, piece->key_minor};
    for (size_t i = 0; i < p->section_count; i++) {
        const ems_section *s = &p->sections[i];
        const double time = i ? line_near(piece, s->from) : 0;
        char what[24];
        snprintf(what, sizeof what, "%zu", i + 1);
        if (add(piece, p, time, EMS_MARK_SECTION, what, err) < 0)
            return EMS_ENOMEM;
        if (s->tonic < 0)
            continue;
        const ems_signature key = {time, ems_key_sharps(s->tonic, s->minor),
                                   s->minor};
        if (time == 0) {
            piece->key_sharps = key.sharps;
            piece->key_minor = key.minor;
        } else if ((key.sharps != last.sharps || key.minor != last.minor) &&
                   ems_piece_add_key(piece, key, err) < 0) {
            return EMS_ENOMEM;
        }
        last = key;
    }
    return EMS_OK;
}

/* MIDI knows four rates; a film of twice as many frames has the half. */
static int smpte_of(double fps)
{
    while (fps > 31)
        fps /= 2;
    if (fps < 23.5)
        return 0;
    if (fps > 29.96 && fps < 29.98)
        return 29;
    return fps < 24.5 ? 24 : fps < 27 ? 25 : 30;
}

int ems_markers_add(ems_piece *piece, const ems_plan *plan,
                    const double *hits, size_t hit_count, ems_error *err)
{
    int code = add_cuts(piece, plan, err);
    if (code == EMS_OK)
        code = add_sections(piece, plan, err);
    for (size_t i = 0; i < hit_count && code == EMS_OK; i++) {
        char what[24];
        snprintf(what, sizeof what, i < plan->hit_count ? "hit %zu"
                                                        : "ending", i + 1);
        code = add(piece, plan, hits[i],
                   i < plan->hit_count ? EMS_MARK_HIT : EMS_MARK_SECTION,
                   what, err);
    }
    piece->smpte = smpte_of(plan->fps);
    return code;
}

/* Plans and the cut lists of other programs (lists/cues.h). */
#include "base/mem.h"
#include "lists/cues.h"
#include "music/markers.h"
#include "music/plan.h"

#include <stdio.h>
#include <string.h>

static const double USUAL_FPS = 25; /* to count frames of a film without */

int ems_plan_listed(ems_cut **cuts, size_t *count, double duration,
                    double fps, const ems_plan_options *options,
                    ems_error *err)
{
    const ems_cues_film film = {
        .duration = duration, .start = options->cuts_start,
        .rate = fps >= 1 ? ems_rate_of(fps) : (ems_rate){0, 1},
    };
    ems_cues c;
    int code = ems_cues_load(&c, options->cuts, &film, err);
    if (code < 0)
        return code;
    *cuts = ems_alloc(c.count, sizeof **cuts);
    *count = *cuts ? c.count : 0;
    for (size_t i = 0; i < *count; i++)
        (*cuts)[i] = (ems_cut){c.items[i].time, EMS_CUT, 1};
    ems_cues_clear(&c);
    return *cuts ? EMS_OK : ems_out_of_memory(err);
}

/* "Hit 3, sadness": what the music does there. */
static int add_cue(ems_cues *c, const ems_plan *p, int cuts, size_t i,
                   ems_error *err)
{
    const double time = cuts ? p->cuts[i].time : p->hits[i];
    char name[EMS_CUE_NAME];
    snprintf(name, sizeof name, "%s %zu, %s", cuts ? "Shot" : "Hit",
             cuts ? i + 2 : i + 1, ems_plan_emotion(p, time));
    return ems_cues_add(c, time, name, strlen(name), err);
}

static int kind_of(const ems_list_options *o, const char *path,
                   ems_cues_kind *kind, ems_error *err)
{
    if (o->kind == EMS_LIST_AUTO)
        return ems_cues_kind_by_suffix(path, kind, err);
    if (o->kind < EMS_LIST_AUTO || o->kind > EMS_LIST_MLT)
        return ems_fail(err, EMS_EINVAL, "there is no kind of list %d",
                        (int)o->kind);
    *kind = (ems_cues_kind)(o->kind - EMS_LIST_SECONDS);
    return EMS_OK;
}

int ems_plan_export(const ems_plan *p, const char *path,
                    const ems_list_options *options, ems_error *err)
{
    const ems_list_options usual = {0};
    const ems_list_options *o = options ? options : &usual;
    const ems_cues_film film = {
        .name = path, .duration = p->duration, .start = o->start,
        .rate = ems_rate_of(p->fps >= 1 ? p->fps : USUAL_FPS),
        .video = o->video, .music = o->music,
    };
    ems_cues_kind kind;
    ems_cues c = {0};
    int code = kind_of(o, path, &kind, err);
    const size_t count = o->cuts ? p->cut_count : p->hit_count;
    for (size_t i = 0; i < count && code == EMS_OK; i++)
        code = add_cue(&c, p, o->cuts, i, err);
    if (code == EMS_OK)
        code = ems_cues_save(&c, kind, path, &film, err);
    ems_cues_clear(&c);
    return code;
}

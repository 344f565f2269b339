/* ems_sync_evaluate: a film, in whatever form, and a MIDI file. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/run.h"
#include "lists/cues.h"
#include "sync_strip.h"

#include <math.h>
#include <string.h>

typedef enum film_kind { FILM_PLAN, FILM_ANALYSIS, FILM_LIST, FILM_VIDEO }
    film_kind;

typedef struct film {
    ems_plan *plan;
    const char *video;   /* NULL: no pictures */
    int hits, curve; /* nonzero: they are the film's own, not stand-ins */
} film;

ems_sync_options ems_sync_defaults(void)
{
    return (ems_sync_options){.rounds = 200, .seed = 1};
}

/* Of a JSON file its "format" tells, of others the suffix. */
static int kind_of(film_kind *kind, const char *path, ems_error *err)
{
    ems_cues_kind list;
    ems_error none;
    *kind = ems_cues_kind_by_suffix(path, &list, &none) == EMS_OK &&
                    !ems_path_ends(path, ".mlt")
                ? FILM_LIST : FILM_VIDEO;
    if (*kind == FILM_LIST || !ems_path_ends(path, ".json"))
        return EMS_OK;
    json_t *root = ems_json_load(path, err);
    if (!root)
        return err->code;
    const char *format = json_string_value(json_object_get(root, "format"));
    *kind = format && strcmp(format, "emsync-plan") == 0 ? FILM_PLAN
                                                          : FILM_ANALYSIS;
    json_decref(root);
    return EMS_OK;
}

static int from_analysis(film *f, ems_analysis *a, ems_error *err)
{
    f->plan = a ? ems_plan_make(a, NULL, err) : NULL;
    f->curve = 1;
    ems_analysis_free(a);
    return f->plan ? EMS_OK : (int)err->code;
}

static int from_list(film *f, const char *path, double duration,
                     const ems_sync_options *o, ems_error *err)
{
    ems_plan_options options = ems_plan_defaults();
    options.cuts = path;
    options.cuts_start = o->start;
    ems_cut *cuts = NULL;
    size_t count = 0;
    const int code = ems_plan_listed(&cuts, &count, duration, o->fps,
                                     &options, err);
    if (code < 0)
        return code;
    const ems_knot flat = {0, 0, 0};
    f->plan = ems_plan_from(duration, o->fps, cuts, count, &flat, 1, NULL,
                            err);
    ems_free(cuts);
    return f->plan ? EMS_OK : (int)err->code;
}

static int open_film(film *f, const char *path, double duration,
                     const ems_sync_options *o, const ems_run *run,
                     ems_error *err)
{
    film_kind kind;
    const int code = kind_of(&kind, path, err);
    if (code < 0)
        return code;
    switch (kind) {
    case FILM_PLAN:
        f->plan = ems_plan_load(path, err);
        f->hits = f->curve = 1;
        return f->plan ? EMS_OK : (int)err->code;
    case FILM_ANALYSIS:
        return from_analysis(f, ems_analysis_load(path, err), err);
    case FILM_LIST:
        return from_list(f, path, duration, o, err);
    default:
        f->video = path;
        return from_analysis(f, ems_analyze(path, NULL, run, err), err);
    }
}

static int check_options(const ems_sync_options *o, ems_error *err)
{
    if (o->rounds < 1 || o->rounds > 100000)
        return ems_fail(err, EMS_EINVAL, "%d rounds of chance; from 1 to"
                        " 100000 can be tried", o->rounds);
    if (!(o->fps >= 0 && o->fps <= 1e6))
        return ems_fail(err, EMS_EINVAL, "%g frames per second cannot be",
                        o->fps);
    return EMS_OK;
}

static int draw(const film *f, const ems_sync_options *o,
                const ems_piece *piece, const ems_sync_music *music,
                const ems_sync_report *report, const ems_run *run,
                ems_error *err)
{
    size_t count = 0;
    ems_sync_tile *tiles = NULL;
    int code = EMS_OK;
    if (f->video) {
        tiles = ems_sync_tiles(f->plan, &count);
        code = tiles ? ems_sync_strip_fill(tiles, count, f->video, run, err)
                     : ems_out_of_memory(err);
    }
    if (code == EMS_OK)
        code = ems_sync_draw(o->picture, f->plan, f->curve, tiles, count,
                             piece, music, report, err);
    ems_sync_strip_clear(tiles, count);
    return code;
}

int ems_sync_evaluate(ems_sync_report *out, const char *path,
                      const char *midi, const ems_sync_options *options,
                      const ems_run *run, ems_error *err)
{
    const ems_sync_options usual = ems_sync_defaults();
    const ems_sync_options *o = options ? options : &usual;
    ems_error own;
    err = err ? err : &own;
    film f = {.video = o->video};
    ems_sync_music music = {0};
    *out = (ems_sync_report){0};
    int code = check_options(o, err);
    if (code < 0)
        return code;
    ems_piece *piece = ems_piece_load(midi, err);
    code = piece ? open_film(&f, path, piece->duration, o, run, err)
                 : (int)err->code;
    if (code == EMS_OK)
        code = ems_sync_listen(&music, piece, err);
    if (code == EMS_OK)
        code = ems_sync_measure(out, f.plan, f.hits, piece, &music,
                                o->rounds, o->seed, err);
    if (code == EMS_OK && o->picture)
        code = draw(&f, o, piece, &music, out, run, err);
    if (code < 0)
        ems_sync_clear(out);
    ems_sync_music_clear(&music);
    ems_plan_free(f.plan);
    ems_piece_free(piece);
    return code;
}

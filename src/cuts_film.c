/* ems_cuts_evaluate: a film's true changes, and a list of what was found. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "lists/cues.h"
#include "lists/truth.h"

#include <math.h>
#include <string.h>

enum { SLACK = 1 }; /* frames on either side of a gradual change */

static int from_analysis(ems_truth *t, const ems_analysis *a, double *fps,
                         ems_error *err)
{
    static const ems_truth_kind KIND[] = {
        [EMS_CUT] = EMS_TRUE_CUT, [EMS_DISSOLVE] = EMS_TRUE_DISSOLVE,
        [EMS_FADE_IN] = EMS_TRUE_FADE_IN, [EMS_FADE_OUT] = EMS_TRUE_FADE_OUT,
    };
    size_t count;
    int code = EMS_OK;
    const ems_cut *cuts = ems_analysis_cuts(a, &count);
    if (!(*fps > 0))
        *fps = ems_analysis_fps(a);
    if (!(*fps > 0))
        return ems_fail(err, EMS_EFORMAT, "an analysis of sound alone has no"
                        " cuts");
    for (size_t i = 0; i < count && code == EMS_OK; i++) {
        const int64_t frame = (int64_t)llrint(cuts[i].time * *fps);
        code = ems_truth_add(t, KIND[cuts[i].kind], frame, frame, err);
    }
    return code;
}

static int from_cues(ems_truth *t, const ems_bytes *b, const char *path,
                     double fps, ems_error *err)
{
    const ems_cues_film film = {.name = path, .rate = ems_rate_of(fps)};
    const char *text = (const char *)b->data;
    ems_cues c = {0};
    int code = ems_cues_parse(&c, ems_cues_kind_of(path, text, b->size),
                              text, b->size, &film, err);
    for (size_t i = 0; i < c.count && code == EMS_OK; i++) {
        const int64_t frame = (int64_t)llrint(c.items[i].time * fps);
        code = ems_truth_add(t, EMS_TRUE_CUT, frame, frame, err);
    }
    ems_cues_clear(&c);
    return code;
}

static int from_list(ems_truth *t, const char *path, double fps,
                     ems_error *err)
{
    ems_bytes b;
    int code = ems_bytes_map(&b, path, EMS_TRUTH_BYTES, err);
    if (code < 0)
        return code;
    if (ems_truth_is((const char *)b.data, b.size))
        code = ems_truth_parse(t, (const char *)b.data, b.size, path, err);
    else if (fps >= 1 && fps <= 1000)
        code = from_cues(t, &b, path, fps, err);
    else
        code = ems_fail(err, EMS_EINVAL, "how many frames a second the film"
                        " of \"%s\" has is not known; say it (--fps)", path);
    ems_bytes_unmap(&b);
    return code;
}

static int is_list(const char *path)
{
    ems_cues_kind kind;
    ems_error none;
    return ems_cues_kind_by_suffix(path, &kind, &none) == EMS_OK &&
           kind != EMS_CUES_MLT;
}

/* A list, analysis.json or a film, which is analysed. */
static int open_changes(ems_truth *t, const char *path, double *fps,
                        const ems_run *run, ems_error *err)
{
    if (is_list(path))
        return from_list(t, path, *fps, err);
    const ems_analyze_options options = {
        .cuts = EMS_CUTS_AUTO, .threshold = ems_analyze_defaults().threshold,
        .experts = "none"};
    ems_analysis *a = ems_path_ends(path, ".json")
                          ? ems_analysis_load(path, err)
                          : ems_analyze(path, &options, run, err);
    const int code = a ? from_analysis(t, a, fps, err) : (int)err->code;
    ems_analysis_free(a);
    return code;
}

int ems_cuts_evaluate(ems_cut_report *out, const char *truth,
                      const char *detected, double fps, const ems_run *run,
                      ems_error *err)
{
    ems_error own;
    ems_truth t = {0}, d = {0};
    *out = (ems_cut_report){0};
    err = err ? err : &own;
    if (!(fps >= 0 && fps <= 1000))
        return ems_fail(err, EMS_EINVAL, "%g frames per second cannot be",
                        fps);
    /* the film first: it may know the rate that the truth needs */
    int code = open_changes(&d, detected, &fps, run, err);
    if (code == EMS_OK)
        code = open_changes(&t, truth, &fps, run, err);
    if (code == EMS_OK)
        ems_truth_score(out, &t, &d, SLACK);
    out->fps = fps;
    ems_truth_clear(&t);
    ems_truth_clear(&d);
    return code;
}

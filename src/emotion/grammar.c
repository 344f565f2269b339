#include "emotion/grammar.h"

#include "base/exact.h"
#include "base/mem.h"
#include "emotion/cuts.h"

#include <math.h>
#include <string.h>

void ems_grammar_clear(ems_grammar *g)
{
    ems_free(g->times);
    ems_free(g->picture);
    ems_free(g->sound);
    *g = (ems_grammar){0};
}

static int make_room(ems_grammar *g, size_t rows, ems_error *err)
{
    *g = (ems_grammar){.rows = rows};
    g->times = ems_alloc(rows, sizeof *g->times);
    g->picture = ems_alloc(rows * EMS_GRAMMAR_DIM, sizeof *g->picture);
    g->sound = ems_alloc(rows * EMS_TONE_DIM, sizeof *g->sound);
    if (g->times && g->picture && g->sound)
        return EMS_OK;
    ems_grammar_clear(g);
    return ems_out_of_memory(err);
}

/* ---- Of a film ---------------------------------------------------------- */

static double log2_of(double x)
{
    return ems_exact_log(x) / 0.69314718055994531;
}

void ems_grammar_row(float picture[EMS_GRAMMAR_DIM], float sound[EMS_TONE_DIM],
                     const ems_features *f)
{
    const double seen[EMS_GRAMMAR_DIM] = {
        f->brightness, f->contrast, f->saturation, f->warm, f->cool,
        f->colourfulness / 100, log2_of(1 + f->motion),
        log2_of(1 + f->length)};
    const double heard[EMS_TONE_DIM] = {
        f->loudness / 10, log2_of((f->centroid + 1) / 1000), f->flatness,
        f->low, f->onsets, f->silence, f->mode, f->clarity};
    for (size_t i = 0; i < EMS_GRAMMAR_DIM; i++)
        picture[i] = (float)seen[i];
    for (size_t i = 0; i < EMS_TONE_DIM; i++)
        sound[i] = (float)heard[i];
}

static void write_row(ems_grammar *g, size_t row, const ems_features *f)
{
    float *picture = g->picture + row * EMS_GRAMMAR_DIM;
    float *sound = g->sound + row * EMS_TONE_DIM;
    ems_grammar_row(picture, sound, f);
    for (size_t i = 0; i < EMS_GRAMMAR_DIM; i++)
        g->has_picture |= isfinite(picture[i]);
    for (size_t i = 0; i < EMS_TONE_DIM; i++)
        g->has_sound |= isfinite(sound[i]);
}

int ems_grammar_of(ems_grammar *g, const ems_film *film, const ems_shot *shots,
                   size_t count, double duration, ems_error *err)
{
    const double most = EMS_GRAMMAR_ROWS;
    const size_t rows = (size_t)fmin(fmax(ceil(duration), 1), most);
    const double step = duration / (double)rows;
    if (make_room(g, rows, err) < 0)
        return err ? err->code : EMS_ENOMEM;
    for (size_t i = 0, shot = 0; i < rows; i++) {
        g->times[i] = ((double)i + 0.5) * step;
        while (shot + 1 < count && shots[shot].end <= g->times[i])
            shot++;
        const ems_features f = ems_film_around(film, &shots[shot],
                                               g->times[i]);
        write_row(g, i, &f);
    }
    return EMS_OK;
}

int ems_grammar_one(ems_grammar *g, const ems_features *f, ems_error *err)
{
    const int code = make_room(g, 1, err);
    if (code == EMS_OK)
        write_row(g, 0, f);
    return code;
}

/* ---- Of a file ---------------------------------------------------------- */

typedef struct watching {
    ems_cut_finder *finder;
    ems_film *film;
} watching;

static int on_video(void *user, const ems_frame *frame, ems_error *err)
{
    watching *w = user;
    const int code = ems_cut_finder_add(w->finder, frame, err);
    return code < 0 ? code : ems_film_frame(w->film, frame, err);
}

static int on_audio(void *user, const float *samples, size_t count,
                    ems_error *err)
{
    watching *w = user;
    return ems_film_sound(w->film, samples, count, err);
}

static int shots_of(ems_grammar *g, watching *w, double duration,
                    ems_error *err)
{
    const ems_cut *cuts;
    size_t count;
    int code = ems_cut_finder_end(w->finder, duration, &cuts, &count, err);
    ems_shot *shots = code < 0 ? NULL : ems_alloc(count + 1, sizeof *shots);
    if (!shots)
        return code < 0 ? code : ems_out_of_memory(err);
    for (size_t i = 0; i <= count; i++) {
        shots[i].start = i ? cuts[i - 1].time : 0;
        shots[i].end = i < count ? cuts[i].time : duration;
        ems_film_shot(w->film, &shots[i]);
    }
    code = ems_grammar_of(g, w->film, shots, count + 1, duration, err);
    ems_free(shots);
    return code;
}

int ems_grammar_watch(ems_grammar *g, const char *video, const ems_run *run,
                      ems_error *err)
{
    const ems_analyze_options options = ems_analyze_defaults();
    watching w = {0};
    ems_media_info info = {0};
    const ems_media_sink sink = {.user = &w, .video = on_video,
                                 .audio = on_audio, .thumb_seconds = 0.2};
    int code = EMS_ENOMEM;
    *g = (ems_grammar){0};
    w.finder = ems_cut_finder_new(&options, err);
    w.film = w.finder ? ems_film_new(err) : NULL;
    if (w.film)
        code = ems_media_decode(video, &sink, &info, run, err);
    if (code == EMS_OK && !(info.duration > 0 && info.duration <= 1e6))
        code = ems_fail(err, EMS_EFORMAT, "\"%s\" lasts %g s", video,
                        info.duration);
    if (code == EMS_OK)
        code = shots_of(g, &w, info.duration, err);
    ems_cut_finder_free(w.finder);
    ems_film_free(w.film);
    return code;
}

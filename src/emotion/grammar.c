#include "emotion/grammar.h"

#include "base/exact.h"
#include "base/mem.h"
#include "emotion/cuts.h"
#include "nn/safetensors.h"

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

static void write_row(ems_grammar *g, size_t row, const ems_features *f)
{
    const double picture[EMS_GRAMMAR_DIM] = {
        f->brightness, f->contrast, f->saturation, f->warm, f->cool,
        f->colourfulness / 100, log2_of(1 + f->motion),
        log2_of(1 + f->length)};
    const double sound[EMS_TONE_DIM] = {
        f->loudness / 10, log2_of((f->centroid + 1) / 1000), f->flatness,
        f->low, f->onsets, f->silence, f->mode, f->clarity};
    for (size_t i = 0; i < EMS_GRAMMAR_DIM; i++) {
        g->picture[row * EMS_GRAMMAR_DIM + i] = (float)picture[i];
        g->has_picture |= isfinite(picture[i]);
    }
    for (size_t i = 0; i < EMS_TONE_DIM; i++) {
        g->sound[row * EMS_TONE_DIM + i] = (float)sound[i];
        g->has_sound |= isfinite(sound[i]);
    }
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

/* ---- In a file ---------------------------------------------------------- */

static ems_st_tensor tensor(const char *name, ems_dtype dtype, size_t rows,
                            size_t cols, const void *data)
{
    return (ems_st_tensor){.name = name, .dtype = dtype,
                           .ndim = cols ? 2 : 1, .dims = {rows, cols},
                           .data = data, .bytes = rows * (cols ? cols : 1) *
                                                  ems_dtype_size(dtype)};
}

int ems_grammar_save(const ems_grammar *g, const char *path, ems_error *err)
{
    const ems_st_tensor t[] = {
        tensor("times", EMS_DT_F64, g->rows, 0, g->times),
        tensor("picture", EMS_DT_F32, g->rows, EMS_GRAMMAR_DIM, g->picture),
        tensor("sound", EMS_DT_F32, g->rows, EMS_TONE_DIM, g->sound)};
    const ems_st_pair meta[] = {{"format", EMS_GRAMMAR_ID}};
    return ems_safetensors_write(path, t, 3, meta, 1, err);
}

static int usable(const ems_safetensors *st, const char *name, ems_dtype dtype,
                  size_t rows, size_t cols)
{
    const ems_st_tensor *t = ems_safetensors_find(st, name);
    return t && t->dtype == dtype && t->ndim == (cols ? 2 : 1) &&
           t->dims[0] == rows && (!cols || t->dims[1] == cols);
}

/* NaN is allowed, beyond a million is not. */
static int copy(float *to, size_t n, const ems_st_tensor *t, int *has)
{
    ems_st_read_f32(t, to);
    for (size_t i = 0; i < n; i++) {
        if (fabsf(to[i]) > 1e6f)
            return -1;
        *has |= !isnan(to[i]);
    }
    return 0;
}

static int read_all(ems_grammar *g, const ems_safetensors *st)
{
    if (copy(g->picture, g->rows * EMS_GRAMMAR_DIM,
             ems_safetensors_find(st, "picture"), &g->has_picture) < 0 ||
        copy(g->sound, g->rows * EMS_TONE_DIM,
             ems_safetensors_find(st, "sound"), &g->has_sound) < 0)
        return -1;
    memcpy(g->times, ems_safetensors_find(st, "times")->data,
           g->rows * sizeof *g->times);
    for (size_t i = 0; i < g->rows; i++)
        if (!(g->times[i] >= (i ? g->times[i - 1] : 0) &&
              g->times[i] <= 1e6))
            return -1;
    return 0;
}

int ems_grammar_parse(ems_grammar *g, const void *data, size_t size,
                      const char *name, ems_error *err)
{
    *g = (ems_grammar){0};
    ems_safetensors *st = ems_safetensors_parse(data, size, name, err);
    if (!st)
        return EMS_EFORMAT;
    const char *format = ems_safetensors_metadata(st, "format");
    const ems_st_tensor *t = ems_safetensors_find(st, "times");
    const size_t rows = t && t->ndim == 1 ? t->dims[0] : 0;
    int code = EMS_OK;
    if (!format || strcmp(format, EMS_GRAMMAR_ID) || rows < 1 ||
        rows > EMS_GRAMMAR_ROWS || !usable(st, "times", EMS_DT_F64, rows, 0) ||
        !usable(st, "picture", EMS_DT_F32, rows, EMS_GRAMMAR_DIM) ||
        !usable(st, "sound", EMS_DT_F32, rows, EMS_TONE_DIM))
        code = ems_fail(err, EMS_EFORMAT, "%s: no features of a film", name);
    if (code == EMS_OK)
        code = make_room(g, rows, err);
    if (code == EMS_OK && read_all(g, st) < 0) {
        ems_grammar_clear(g);
        code = ems_fail(err, EMS_EFORMAT, "%s: features out of range", name);
    }
    ems_safetensors_free(st);
    return code;
}

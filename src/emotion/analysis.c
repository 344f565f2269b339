#include "emotion/analysis.h"

#include "base/mem.h"
#include "base/run.h"
#include "emotion/cuts.h"
#include "emotion/experts.h"
#include "emotion/known.h"

#include <math.h>
#include <string.h>

/* Five thumbnails a second are enough for colours, fades and dissolves. */
static const double THUMB_SECONDS = 0.2;

ems_analyze_options ems_analyze_defaults(void)
{
    return (ems_analyze_options){.cuts = EMS_CUTS_AUTO, .threshold = 0.27};
}

double ems_analysis_duration(const ems_analysis *a)
{
    return a->duration;
}

double ems_analysis_fps(const ems_analysis *a)
{
    return a->fps;
}

const ems_cut *ems_analysis_cuts(const ems_analysis *a, size_t *count)
{
    *count = a->cut_count;
    return a->cuts;
}

const ems_knot *ems_analysis_curve(const ems_analysis *a, size_t *count)
{
    *count = a->knot_count;
    return a->curve;
}

const double *ems_analysis_emotion(const ems_analysis *a)
{
    return a->emotion;
}

const ems_stretch *ems_analysis_speech(const ems_analysis *a, size_t *count)
{
    *count = a->speech_count;
    return a->speech;
}

const ems_stretch *ems_analysis_music(const ems_analysis *a, size_t *count)
{
    *count = a->music_count;
    return a->music;
}

const float *ems_analysis_loudness(const ems_analysis *a, size_t *count,
                                   double *step, double *whole)
{
    *count = a->loudness_count;
    *step = a->loudness_step;
    *whole = a->loudness_whole;
    return a->loudness;
}

void ems_analysis_set_speech(ems_analysis *a, ems_stretch *spans,
                             size_t count)
{
    ems_free(a->speech);
    a->speech = spans;
    a->speech_count = count;
}

void ems_analysis_free(ems_analysis *a)
{
    if (!a)
        return;
    ems_free(a->source);
    ems_free(a->cuts);
    ems_free(a->shots);
    ems_free(a->curve);
    ems_free(a->feelings);
    ems_free(a->speech);
    ems_free(a->music);
    ems_free(a->loudness);
    ems_titles_clear(a->titles, a->title_count);
    ems_experts_clear(a);
    ems_free(a);
}

typedef struct job { /* one decode pass */
    ems_cut_finder *finder;
    ems_film *film;
    ems_senses *senses;
    double senses_every; /* seconds between its stills; 0: none */
    ems_titles *titles;  /* NULL: words are not read */
} job;

static int on_video(void *user, const ems_frame *frame, ems_error *err)
{
    job *j = user;
    const int code = ems_cut_finder_add(j->finder, frame, err);
    return code < 0 ? code : ems_film_frame(j->film, frame, err);
}

static int on_audio(void *user, const float *samples, size_t count,
                    ems_error *err)
{
    job *j = user;
    const int code = ems_film_sound(j->film, samples, count, err);
    return code < 0 || !ems_senses_wants_sound(j->senses)
               ? code : ems_senses_sound(j->senses, samples, count, err);
}

static int on_still(void *user, const ems_still *still, ems_error *err)
{
    job *j = user;
    const int code = j->titles ? ems_titles_still(j->titles, still, err)
                               : EMS_OK;
    return code < 0 || !(j->senses_every > 0)
               ? code : ems_senses_still(j->senses, still, err);
}

/* Six decimals: a millionth of a second, or of anything else. */
static double micro(double x)
{
    const double rounded = rint(x * 1e6) / 1e6;
    return rounded == 0 ? 0 : rounded;
}

static double milli(double x)
{
    const double rounded = rint(x * 1e3) / 1e3;
    return rounded == 0 ? 0 : rounded;
}

/* To four decimals that sum to 1: the largest takes what is left. */
static void round_shares(double p[EMS_EKMAN])
{
    int largest = 0;
    double sum = 0;
    for (int e = 0; e < EMS_EKMAN; e++) {
        p[e] = rint(p[e] * 1e4) / 1e4;
        sum += p[e];
        if (p[e] > p[largest])
            largest = e;
    }
    p[largest] = rint((p[largest] + 1 - sum) * 1e4) / 1e4;
}

static void round_features(ems_features *f)
{
    static const double SCALE[] = {1, 10, 100, 1000};
#define X(name, digits, low, high)                                          \
    f->name = rint(fmin(fmax(f->name, low), high) * SCALE[digits]) /        \
              SCALE[digits];
    ems_features in = *f;
    EMS_FEATURE_LIST(X)
#undef X
    /* fmin and fmax drop NaN, which here means "not known". */
    for (int i = 0; i < EMS_FEATURES; i++)
        if (isnan(*ems_feature_at(&in, i)))
            *ems_feature_at(f, i) = NAN;
}

static int copy_cuts(ems_analysis *a, const ems_cut *cuts, size_t count,
                     ems_error *err)
{
    a->cuts = ems_alloc(count, sizeof *a->cuts);
    if (!a->cuts)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        a->cuts[i] = (ems_cut){micro(cuts[i].time), cuts[i].kind,
                               milli(cuts[i].strength)};
    a->cut_count = count;
    return EMS_OK;
}

/* The film between the cuts. */
static int make_shots(ems_analysis *a, const ems_film *film, ems_error *err)
{
    const size_t n = a->cut_count + 1;
    a->shots = ems_alloc(n, sizeof *a->shots);
    if (!a->shots)
        return ems_out_of_memory(err);
    a->shot_count = n;
    a->knot_count = 0;
    for (size_t i = 0; i < n; i++) {
        ems_shot *s = &a->shots[i];
        s->start = i ? a->cuts[i - 1].time : 0;
        s->end = i + 1 < n ? a->cuts[i].time : a->duration;
        ems_film_shot(film, s);
        a->knot_count += ems_film_knots(s->end - s->start);
    }
    return EMS_OK;
}

/* As the features have it. */
static int make_curve(ems_analysis *a, const ems_film *film, ems_error *err)
{
    a->curve = ems_alloc(a->knot_count, sizeof *a->curve);
    a->feelings = ems_alloc(a->knot_count, sizeof *a->feelings);
    if (!a->curve || !a->feelings)
        return ems_out_of_memory(err);
    ems_knot *next = a->curve;
    for (size_t i = 0; i < a->shot_count; i++) {
        const ems_shot *s = &a->shots[i];
        ems_film_curve(film, s, i + 1 == a->shot_count, next);
        next += ems_film_knots(s->end - s->start);
    }
    return EMS_OK;
}

static void round_feelings(ems_analysis *a)
{
    for (size_t i = 0; i < a->shot_count; i++) {
        ems_shot *s = &a->shots[i];
        s->valence = milli(s->valence);
        s->arousal = milli(s->arousal);
        s->feeling_sd[0] = milli(s->feeling_sd[0]);
        s->feeling_sd[1] = milli(s->feeling_sd[1]);
        round_shares(s->emotion);
        round_features(&s->features);
    }
    for (size_t i = 0; i < a->knot_count; i++) {
        ems_feeling *f = &a->feelings[i];
        a->curve[i] = (ems_knot){micro(a->curve[i].time),
                                 milli(a->curve[i].valence),
                                 milli(a->curve[i].arousal)};
        f->valence_sd = milli(f->valence_sd);
        f->arousal_sd = milli(f->arousal_sd);
        round_shares(f->emotion);
    }
}

/* What the experts say corrects the features, where there is a fusion for
 * them. One that was asked for must be of use; the one that ships need not. */
static int feel(ems_analysis *a, const job *j, const char *fusion,
                const ems_run *run, ems_error *err)
{
    ems_error why;
    ems_feel *f = NULL;
    if (!fusion || strcmp(fusion, "none") != 0)
        f = ems_feel_new(fusion, j->senses, &why);
    if (!f && fusion && strcmp(fusion, "none") != 0)
        return ems_fail(err, why.code, "%s", why.text);
    if (!f && !fusion)
        ems_log(run, EMS_LOG_INFO, "emotion by features alone: %s", why.text);
    const int code = ems_feel_film(f, j->film, a->shots, a->shot_count,
                                   a->curve, a->feelings, err);
    ems_feel_free(f);
    ems_titles_feel(a->titles, a->title_count, a->shots, a->shot_count,
                    a->curve, a->feelings, a->knot_count);
    for (size_t i = 0; i < a->shot_count; i++)
        for (int e = 0; e < EMS_EKMAN; e++)
            a->emotion[e] += a->shots[i].emotion[e] *
                             (a->shots[i].end - a->shots[i].start) /
                             a->duration;
    round_shares(a->emotion);
    round_feelings(a);
    return code;
}

static double tenth(double x)
{
    return rint(x * 10) / 10;
}

/* Speech, music and loudness, as far as the film sounds. */
static int listen(ems_analysis *a, ems_film *film, ems_error *err)
{
    int code = ems_film_end(film, err);
    ems_sound *sound = ems_film_sounds(film);
    if (code < 0 || !ems_sound_heard(sound))
        return code;
    code = ems_hear_spans(ems_sound_hear(sound), a->duration, &a->speech,
                          &a->speech_count, &a->music, &a->music_count, err);
    if (code < 0)
        return code;
    const long n = ems_sound_loudness(sound, &a->loudness, &a->loudness_step,
                                      &a->loudness_whole, err);
    if (n < 0)
        return (int)n;
    a->loudness_count = (size_t)n;
    a->loudness_whole = tenth(a->loudness_whole);
    for (size_t i = 0; i < a->loudness_count; i++)
        a->loudness[i] = (float)tenth((double)a->loudness[i]);
    return EMS_OK;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int describe(ems_analysis *a, const char *video,
                    const ems_media_info *info, ems_error *err)
{
    a->duration = micro(info->duration);
    a->fps = info->has_video ? micro(info->fps) : 0;
    a->width = info->has_video ? info->width : 0;
    a->height = info->has_video ? info->height : 0;
    a->source = ems_strdup(base_name(video));
    if (!a->source)
        return ems_out_of_memory(err);
    if (!(a->duration > 0 && a->duration <= 1e6))
        return ems_fail(err, EMS_EFORMAT, "cannot analyse \"%s\": it lasts %g"
                        " s; between 0.000001 and 1000000 s can be scored",
                        video, info->duration);
    return EMS_OK;
}

static int assemble(ems_analysis *a, job *j, const char *video,
                    const ems_media_info *info,
                    const ems_analyze_options *options, const ems_run *run,
                    ems_error *err)
{
    const ems_cut *cuts;
    size_t count;
    int code = describe(a, video, info, err);
    if (code == EMS_OK)
        code = ems_cut_finder_end(j->finder, a->duration, &cuts, &count, err);
    if (code == EMS_OK)
        code = copy_cuts(a, cuts, count, err);
    if (code == EMS_OK)
        code = listen(a, j->film, err);
    if (code == EMS_OK)
        code = ems_analysis_take_senses(a, j->senses, err);
    if (code == EMS_OK && j->titles)
        code = ems_analysis_take_titles(a, j->titles, err);
    if (code == EMS_OK)
        code = make_shots(a, j->film, err);
    if (code == EMS_OK)
        code = make_curve(a, j->film, err);
    return code < 0 ? code : feel(a, j, options->fusion, run, err);
}

/* Who has a list without "words" in it wants none read. */
static int wants_words(const ems_analyze_options *o)
{
    const char *list = o->experts;
    if (o->no_words || (list && strcmp(list, "none") == 0))
        return 0;
    return !list || strcmp(list, "all") == 0 ||
           ems_senses_listed(list, "words");
}

static int open_senses(job *j, const char *video,
                       const ems_analyze_options *o, const ems_run *run,
                       ems_error *err)
{
    j->senses = ems_senses_new(o->experts, run, err);
    if (!j->senses)
        return err->code;
    ems_senses_recall(j->senses, video);
    j->senses_every = ems_senses_still_seconds(j->senses);
    if (!wants_words(o))
        return EMS_OK;
    j->titles = ems_titles_new(run, err);
    return j->titles ? EMS_OK : err->code;
}

/* Seconds between stills that suit both. */
static double still_seconds(const job *j)
{
    const double every = j->senses_every;
    if (!j->titles)
        return every;
    return every > 0 ? fmin(every, ems_titles_seconds) : ems_titles_seconds;
}

static int decode(job *j, const char *video, ems_media_info *info,
                  const ems_analyze_options *options, const ems_run *run,
                  ems_error *err)
{
    const double every = still_seconds(j);
    const ems_media_sink sink = {
        .user = j, .video = on_video, .audio = on_audio,
        .thumb_seconds = THUMB_SECONDS, .still_seconds = every,
        .still = every > 0 ? on_still : NULL,
    };
    j->finder = ems_cut_finder_new(options, err);
    if (!j->finder)
        return err->code;
    j->film = ems_film_new(err);
    if (!j->film)
        return err->code;
    const int code = ems_media_decode(video, &sink, info, run, err);
    return code < 0 ? code : ems_senses_end(j->senses, err);
}

/* Look at the film itself. */
static ems_analysis *look(job *j, const char *video,
                          const ems_analyze_options *options,
                          const ems_run *run, ems_error *err)
{
    ems_media_info info = {0};
    ems_analysis *a = NULL;
    int code = decode(j, video, &info, options, run, err);
    if (code == EMS_OK) {
        a = ems_alloc(1, sizeof *a);
        code = a ? assemble(a, j, video, &info, options, run, err)
                 : ems_out_of_memory(err);
    }
    if (code == EMS_OK)
        return a;
    ems_analysis_free(a);
    return NULL;
}

static void key_of(char key[65], const job *j, const ems_analyze_options *o)
{
    ems_known_key(key, o, j->senses,
                  j->titles ? ems_titles_why(j->titles) : NULL);
}

/* As an earlier run found it, else by looking. An expert that failed while it
 * ran may do better the next time: such an analysis is not kept. */
static ems_analysis *recall_or_look(job *j, const char *video,
                                    const ems_analyze_options *options,
                                    const ems_run *run, ems_error *err)
{
    const char *film = ems_senses_film(j->senses);
    char before[65], after[65];
    key_of(before, j, options);
    ems_analysis *a = ems_known_get(film, before, video);
    if (a)
        return a;
    a = look(j, video, options, run, err);
    key_of(after, j, options);
    if (a && strcmp(before, after) == 0)
        ems_known_put(film, before, a);
    return a;
}

ems_analysis *ems_analyze(const char *video,
                          const ems_analyze_options *options,
                          const ems_run *run, ems_error *err)
{
    const ems_analyze_options defaults = ems_analyze_defaults();
    ems_error own;
    job j = {0};
    if (!err)
        err = &own;
    if (!video) {
        ems_fail(err, EMS_EINVAL, "no video to analyse was given");
        return NULL;
    }
    ems_analysis *a = NULL;
    if (!options)
        options = &defaults;
    if (open_senses(&j, video, options, run, err) == EMS_OK)
        a = recall_or_look(&j, video, options, run, err);
    ems_cut_finder_free(j.finder);
    ems_film_free(j.film);
    ems_senses_free(j.senses);
    ems_titles_free(j.titles);
    return a;
}

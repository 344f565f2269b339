/* senses.c - all experts over one film. The decoding thread collects stills
 * and sound; a worker asks the networks about one load while the next one is
 * collected. */
#include "emotion/experts.h"

#include "base/mem.h"
#include "base/run.h"
#include "emotion/sense.h"
#include "emotion/spans.h"
#include "experts/registry.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A load is full with so many stills or so much sound. */
enum { LOAD_STILLS = 8, LOAD_SOUND = 8 * EMS_MEDIA_RATE };

typedef struct load {
    ems_worker_still stills[LOAD_STILLS];
    size_t still_count;
    float *sound;
    size_t sound_count;
    int last;
} load;

struct ems_senses {
    const ems_run *run;
    ems_ort *ort;
    ems_expert *detector;
    ems_sense_job *jobs;
    size_t count;
    int has_film;
    char film[65];      /* key of its content */
    load loads[2];
    int filling;        /* the load being collected */
    double next_still;
    pthread_t worker;
    int threaded;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    load *handed;       /* at work; NULL: the worker waits */
    int over;
};

/* ---- The list ------------------------------------------------------------ */

/* Is `name` in "a,b,c"? */
int ems_senses_listed(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = list; *at;) {
        const size_t length = strcspn(at, ",");
        if (length == n && !strncmp(at, name, n))
            return 1;
        at += length + (at[length] == ',');
    }
    return 0;
}

static ems_modality modality_of(ems_expert_kind kind)
{
    static const ems_modality OF[EMS_EXPERT_KINDS] = {
        EMS_SEE_FRAME, EMS_SEE_FACE, EMS_SEE_BODY, EMS_HEAR_SOUND,
        EMS_HEAR_SPEECH, EMS_READ_TEXT, EMS_SEE_FACE,
    };
    return OF[kind];
}

static ems_sense_job *add_job(ems_senses *s, size_t *room, const char *name,
                              size_t length)
{
    if (ems_reserve((void **)&s->jobs, room, s->count + 1,
                    sizeof *s->jobs) < 0)
        return NULL;
    ems_sense_job *j = &s->jobs[s->count];
    *j = (ems_sense_job){.name = ems_alloc(length + 1, 1)};
    if (!j->name)
        return NULL;
    memcpy(j->name, name, length);
    s->count++;
    return j;
}

/* Names that were asked for and are not installed. */
static int add_missing(ems_senses *s, size_t *room, const char *list,
                       ems_error *err)
{
    for (const char *at = list; *at;) {
        const size_t length = strcspn(at, ",");
        int known = length == 0 || (length == 5 && !strncmp(at, "words", 5));
        for (size_t i = 0; i < s->count && !known; i++)
            known = strlen(s->jobs[i].name) == length &&
                    !strncmp(s->jobs[i].name, at, length);
        if (!known) {
            if (length > 40)
                return ems_fail(err, EMS_EINVAL, "\"%.60s\" is no expert: a"
                                " name has at most 40 characters", at);
            ems_sense_job *j = add_job(s, room, at, length);
            if (!j)
                return ems_out_of_memory(err);
            ems_sense_drop(j, "it is not installed; \"emsync experts list\""
                              " shows which are");
        }
        at += length + (at[length] == ',');
    }
    return EMS_OK;
}

static void label(ems_sense_job *j, const ems_manifest *m)
{
    size_t named = 0, column = 0;
    for (size_t i = 0; i < m->output_count; i++)
        named += m->outputs[i].label_count;
    j->labels = named ? ems_alloc(m->dim, sizeof *j->labels) : NULL;
    for (size_t i = 0; i < m->output_count && j->labels; i++) {
        for (size_t k = 0; k < m->outputs[i].label_count; k++)
            j->labels[column + k] = m->outputs[i].labels[k];
        column += m->outputs[i].dim;
    }
}

static void describe(ems_sense_job *j)
{
    const ems_manifest *m = ems_expert_manifest(j->expert);
    j->out.modality = modality_of(m->kind);
    j->out.dim = j->rows.dim = m->dim;
    j->every = m->every;
    snprintf(j->out.sha256, sizeof j->out.sha256, "%s",
             ems_expert_id(j->expert));
    label(j, m);
    if (strcmp(m->name, j->name) != 0)
        ems_sense_drop(j, "its folder has not the name of its manifest");
    else
        j->usable = 1;
}

/* Load one of the registry. The face detector is none that speaks. */
static int add_place(ems_senses *s, size_t *room, const ems_expert_place *p,
                     const char *list, ems_error *err)
{
    ems_error why;
    ems_expert *e = ems_expert_load(p->folder, &why);
    const int detects =
        e && ems_expert_manifest(e)->kind == EMS_EXPERT_DETECTOR;
    if (detects && !s->detector) {
        s->detector = e;
        return EMS_OK;
    }
    if (detects || (list && !ems_senses_listed(list, p->name))) {
        ems_expert_free(e);
        return EMS_OK;
    }
    ems_sense_job *j = add_job(s, room, p->name, strlen(p->name));
    if (!j) {
        ems_expert_free(e);
        return ems_out_of_memory(err);
    }
    j->expert = e;
    if (e)
        describe(j);
    else
        ems_sense_drop(j, why.text);
    return EMS_OK;
}

static int collect(ems_senses *s, const char *list, ems_error *err)
{
    ems_registry r;
    size_t room = 0;
    int code = ems_registry_open(&r, err);
    for (size_t i = 0; i < r.count && code == EMS_OK; i++)
        code = add_place(s, &room, &r.places[i], list, err);
    if (code == EMS_OK && list)
        code = add_missing(s, &room, list, err);
    ems_registry_clear(&r);
    for (size_t i = 0; i < s->count; i++)
        s->jobs[i].out.name = s->jobs[i].name;
    return code;
}

/* ---- Starting ------------------------------------------------------------ */

static int threads_of(const ems_run *run)
{
    const int asked = ems_run_threads(run);
    const long cores = asked > 0 ? asked : sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > 16 ? 16 : (int)cores;
}

/* A face expert without a detector cannot work; its key names both. */
static void bind_detector(ems_senses *s, ems_sense_job *j)
{
    if (!j->usable || j->out.modality != EMS_SEE_FACE)
        return;
    if (!s->detector) {
        ems_sense_drop(j, "no face detector is installed; run \"make"
                          " experts\"");
        return;
    }
    const char *other = ems_expert_id(s->detector);
    for (int i = 0; i < 64; i++) { /* either changed: another key */
        const char *digits = "0123456789abcdef";
        const int a = (int)(strchr(digits, j->out.sha256[i]) - digits);
        const int b = (int)(strchr(digits, other[i]) - digits);
        j->out.sha256[i] = digits[a ^ b];
    }
}

static void drop_all(ems_senses *s, const char *why)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->jobs[i].usable)
            ems_sense_drop(&s->jobs[i], why);
}

ems_senses *ems_senses_new(const char *list, const ems_run *run,
                           ems_error *err)
{
    ems_senses *s = ems_alloc(1, sizeof *s);
    if (!s) {
        ems_out_of_memory(err);
        return NULL;
    }
    s->run = run;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    const int all = !list || !strcmp(list, "all");
    const int none = list && !strcmp(list, "none");
    if (!none && collect(s, all ? NULL : list, err) < 0) {
        ems_senses_free(s);
        return NULL;
    }
    for (size_t i = 0; i < s->count; i++)
        bind_detector(s, &s->jobs[i]);
    return s;
}

static int anyone_works(const ems_senses *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->jobs[i].usable)
            return 1;
    return 0;
}

static void open_library(ems_senses *s)
{
    ems_registry r;
    ems_error err;
    if (ems_registry_open(&r, &err) < 0) {
        drop_all(s, err.text);
        return;
    }
    /* half for the networks, half for decoding beside them */
    const int threads = (threads_of(s->run) + 1) / 2;
    s->ort = ems_ort_open((const char *const *)r.roots, threads, &err);
    if (!s->ort)
        drop_all(s, err.text);
    ems_registry_clear(&r);
}

static void start_job(ems_senses *s, ems_sense_job *j)
{
    ems_error err;
    const ems_manifest *m = ems_expert_manifest(j->expert);
    const int hears = m->kind == EMS_EXPERT_SOUND ||
                      m->kind == EMS_EXPERT_SPEECH;
    if (ems_expert_start(j->expert, s->ort, &err) < 0) {
        ems_sense_drop(j, err.text);
        return;
    }
    if (hears) {
        j->resampler = ems_resampler_new(EMS_MEDIA_RATE, m->sound.rate,
                                         &err);
        if (!j->resampler)
            ems_sense_drop(j, err.text);
    }
}

/* Networks are opened when the first still or sound comes: when all is in the
 * cache they are not needed. */
static void start(ems_senses *s)
{
    ems_error err;
    if (s->ort || !anyone_works(s))
        return;
    open_library(s);
    int faces = 0;
    for (size_t i = 0; i < s->count; i++)
        faces |= s->jobs[i].usable &&
                 s->jobs[i].out.modality == EMS_SEE_FACE;
    if (faces && ems_expert_start(s->detector, s->ort, &err) < 0)
        for (size_t i = 0; i < s->count; i++)
            if (s->jobs[i].out.modality == EMS_SEE_FACE)
                ems_sense_drop(&s->jobs[i], err.text);
    for (size_t i = 0; i < s->count; i++)
        if (s->jobs[i].usable)
            start_job(s, &s->jobs[i]);
}

/* ---- The cache ------------------------------------------------------------*/

void ems_senses_recall(ems_senses *s, const char *film)
{
    ems_error err;
    s->has_film = anyone_works(s) &&
                  ems_file_key(film, s->film, &err) == EMS_OK;
    for (size_t i = 0; i < s->count && s->has_film; i++) {
        ems_sense_job *j = &s->jobs[i];
        const size_t dim = j->out.dim;
        if (!j->usable || ems_cache_get(s->film, j->out.sha256, dim,
                                        &j->rows, &err) < 0) {
            j->rows.dim = dim;
            continue;
        }
        j->usable = 0;
        j->out.cached = 1;
    }
}

const char *ems_senses_film(const ems_senses *s)
{
    return s->has_film ? s->film : "";
}

static void keep(ems_senses *s)
{
    ems_error err;
    for (size_t i = 0; i < s->count && s->has_film; i++) {
        const ems_sense_job *j = &s->jobs[i];
        if (!j->usable)
            continue;
        if (ems_cache_put(s->film, j->out.sha256, &j->rows, &err) < 0)
            ems_log(s->run, EMS_LOG_DEBUG, "%s is not kept: %s", j->name,
                    err.text);
    }
}

/* ---- Working ------------------------------------------------------------- */

static int is_seeing(const ems_sense_job *j)
{
    return j->out.modality <= EMS_SEE_BODY;
}

static void work(ems_senses *s, const load *l)
{
    start(s);
    for (size_t i = 0; i < s->count; i++) {
        ems_sense_job *j = &s->jobs[i];
        if (j->usable && is_seeing(j))
            ems_sense_see(j, l->stills, l->still_count, s->detector);
        else if (j->usable)
            ems_sense_hear(j, l->sound, l->sound_count, l->last);
    }
}

static void *worker_main(void *user)
{
    ems_senses *s = user;
    pthread_mutex_lock(&s->lock);
    while (!s->over || s->handed) {
        if (!s->handed) {
            pthread_cond_wait(&s->moved, &s->lock);
            continue;
        }
        const load *l = s->handed;
        pthread_mutex_unlock(&s->lock);
        work(s, l);
        pthread_mutex_lock(&s->lock);
        s->handed = NULL;
        pthread_cond_broadcast(&s->moved);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void wait_for_worker(ems_senses *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->handed)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void stop_worker(ems_senses *s)
{
    if (!s->threaded)
        return;
    pthread_mutex_lock(&s->lock);
    s->over = 1;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->worker, NULL);
    s->threaded = 0;
}

/* Hand the collected load over (or work it here) and begin the other one. */
static void hand_over(ems_senses *s)
{
    load *l = &s->loads[s->filling];
    if (!s->threaded && threads_of(s->run) > 1)
        s->threaded = pthread_create(&s->worker, NULL, worker_main, s) == 0;
    if (!s->threaded) {
        work(s, l);
    } else {
        wait_for_worker(s);
        pthread_mutex_lock(&s->lock);
        s->handed = l;
        pthread_cond_broadcast(&s->moved);
        pthread_mutex_unlock(&s->lock);
        s->filling = 1 - s->filling;
        l = &s->loads[s->filling];
    }
    l->still_count = l->sound_count = 0;
}

/* ---- Feeding ------------------------------------------------------------- */

double ems_senses_still_seconds(const ems_senses *s)
{
    double least = 0;
    for (size_t i = 0; i < s->count; i++) {
        const ems_sense_job *j = &s->jobs[i];
        if (j->usable && is_seeing(j) && (least == 0 || j->every < least))
            least = j->every;
    }
    return least;
}

int ems_senses_wants_sound(const ems_senses *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->jobs[i].usable && !is_seeing(&s->jobs[i]))
            return 1;
    return 0;
}

int ems_senses_still(ems_senses *s, const ems_still *still, ems_error *err)
{
    load *l = &s->loads[s->filling];
    ems_worker_still *to = &l->stills[l->still_count];
    const size_t bytes =
        3 * (size_t)still->width * (size_t)still->height;
    if (to->room < bytes) {
        ems_free(to->rgb);
        to->rgb = ems_alloc(bytes, 1);
        to->room = to->rgb ? bytes : 0;
        if (!to->rgb)
            return ems_out_of_memory(err);
    }
    memcpy(to->rgb, still->rgb, bytes);
    to->still = *still;
    if (++l->still_count == LOAD_STILLS)
        hand_over(s);
    return EMS_OK;
}

int ems_senses_sound(ems_senses *s, const float *samples, size_t count,
                     ems_error *err)
{
    while (count > 0) {
        load *l = &s->loads[s->filling];
        if (!l->sound)
            l->sound = ems_alloc(LOAD_SOUND, sizeof *l->sound);
        if (!l->sound)
            return ems_out_of_memory(err);
        const size_t left = LOAD_SOUND - l->sound_count;
        const size_t n = count < left ? count : left;
        memcpy(l->sound + l->sound_count, samples, n * sizeof *samples);
        l->sound_count += n;
        samples += n;
        count -= n;
        if (l->sound_count == LOAD_SOUND)
            hand_over(s);
    }
    return EMS_OK;
}

/* What readers see: the final matrices. */
static void publish(ems_senses *s)
{
    for (size_t i = 0; i < s->count; i++) {
        ems_sense_job *j = &s->jobs[i];
        j->out.rows = j->rows.rows;
        j->out.times = j->rows.times;
        j->out.values = j->rows.values;
        j->out.labels = j->labels;
    }
}

int ems_senses_end(ems_senses *s, ems_error *err)
{
    (void)err;
    wait_for_worker(s);
    if (anyone_works(s)) {
        s->loads[s->filling].last = 1;
        hand_over(s);
        stop_worker(s);
        keep(s);
    }
    publish(s);
    return EMS_OK;
}

void ems_senses_free(ems_senses *s)
{
    if (!s)
        return;
    stop_worker(s);
    for (size_t i = 0; i < s->count; i++) {
        ems_sense_job *j = &s->jobs[i];
        ems_expert_free(j->expert);
        ems_matrix_clear(&j->rows);
        ems_resampler_free(j->resampler);
        ems_free(j->sound);
        ems_free(j->labels);
        ems_free(j->name);
    }
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < LOAD_STILLS; i++)
            ems_free(s->loads[k].stills[i].rgb);
        ems_free(s->loads[k].sound);
    }
    ems_expert_free(s->detector);
    ems_ort_close(s->ort);
    ems_free(s->jobs);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->moved);
    ems_free(s);
}

/* ---- Asking -------------------------------------------------------------- */

size_t ems_senses_count(const ems_senses *s)
{
    return s->count;
}

const ems_sense *ems_senses_at(const ems_senses *s, size_t index)
{
    return &s->jobs[index].out;
}

const ems_sense *ems_senses_find(const ems_senses *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->jobs[i].name, name))
            return &s->jobs[i].out;
    return NULL;
}

int ems_senses_speech(const ems_senses *s, double duration,
                      ems_stretch **spans, size_t *count, int *known,
                      ems_error *err)
{
    *spans = NULL;
    *count = 0;
    *known = 0;
    for (size_t i = 0; i < s->count && !*known; i++) {
        const ems_sense *e = &s->jobs[i].out;
        if (e->modality != EMS_HEAR_SPEECH || e->why[0] || !e->rows)
            continue;
        const ems_sound_input *in =
            &ems_expert_manifest(s->jobs[i].expert)->sound;
        const double step = (double)in->hop / in->rate;
        *known = 1;
        return ems_spans_find(e->values, e->rows, e->times[0] - step / 2,
                              step, duration, &ems_speech_rule, spans, count,
                              err);
    }
    return EMS_OK;
}

static int on_still(void *user, const ems_still *still, ems_error *err)
{
    return ems_senses_still(user, still, err);
}

static int on_sound(void *user, const float *samples, size_t count,
                    ems_error *err)
{
    return ems_senses_sound(user, samples, count, err);
}

static int on_frame(void *user, const ems_frame *frame, ems_error *err)
{
    (void)user;
    (void)frame;
    (void)err;
    return EMS_OK;
}

int ems_senses_watch(ems_senses *s, const char *film, ems_error *err)
{
    ems_senses_recall(s, film);
    const double every = ems_senses_still_seconds(s);
    const int hears = ems_senses_wants_sound(s);
    const ems_media_sink sink = {
        .user = s, .video = every > 0 ? on_frame : NULL,
        .still = every > 0 ? on_still : NULL, .still_seconds = every,
        .audio = hears ? on_sound : NULL, .thumb_seconds = 1e9,
    };
    ems_media_info info;
    int code = EMS_OK;
    if (sink.video || sink.audio)
        code = ems_media_decode(film, &sink, &info, s->run, err);
    return code < 0 ? code : ems_senses_end(s, err);
}

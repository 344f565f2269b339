#include "emotion/titles.h"

#include "affect/text.h"
#include "base/mem.h"
#include "base/run.h"
#include "emotion/tesseract.h"
#include "emotion/text_find.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

const double ems_titles_seconds = 1;

/* At most so many looks at once, and one more every so many seconds of film:
 * film time, so that a slow machine reads the same. */
static const double MOST_LOOKS = 12, SECONDS_A_LOOK = 4;
/* A look takes tenths of a second; this only ends what hangs. */
static const double DEADLINE = 20;
/* Writings this much alike, this soon after each other, are one. */
static const double ALIKE = 0.6, SOON = 2.5;

typedef struct look {
    struct look *next;
    double from, to;         /* the stills that show it */
    uint8_t *grey;           /* until it was read */
    int width, height;
    char text[EMS_TESSERACT_TEXT];
} look;

struct ems_titles {
    const ems_run *run;
    ems_tesseract *reader;
    char why[256];
    double looks_left, last_time;
    ems_text_place place;
    look *first, *last, *shown; /* shown: `last`, if it still is */
    size_t looks;
    double work;
    pthread_t worker;
    int threaded, over;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    look *unread;            /* the first of those that wait */
    int waiting;
};

enum { MOST_WAITING = 4 };

ems_titles *ems_titles_new(const ems_run *run, ems_error *err)
{
    ems_error why;
    ems_titles *t = ems_alloc(1, sizeof *t);
    if (!t) {
        ems_out_of_memory(err);
        return NULL;
    }
    t->run = run;
    t->looks_left = MOST_LOOKS;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->moved, NULL);
    t->reader = ems_tesseract_open(&why);
    if (!t->reader)
        snprintf(t->why, sizeof t->why, "%.255s", why.text);
    return t;
}

/* ---- Reading ------------------------------------------------------------ */

static void read_look(ems_titles *t, look *l)
{
    ems_error why;
    const double start = ems_now();
    const int code = ems_tesseract_read(t->reader, l->grey, l->width,
                                        l->height, DEADLINE, l->text, &why);
    if (code < 0)
        snprintf(t->why, sizeof t->why, "%.255s", why.text);
    ems_free(l->grey);
    l->grey = NULL;
    t->work += ems_now() - start;
}

static void *worker_main(void *user)
{
    ems_titles *t = user;
    pthread_mutex_lock(&t->lock);
    while (!t->over || t->unread) {
        look *l = t->unread;
        if (!l) {
            pthread_cond_wait(&t->moved, &t->lock);
            continue;
        }
        pthread_mutex_unlock(&t->lock);
        read_look(t, l);
        pthread_mutex_lock(&t->lock);
        t->unread = l->next;
        t->waiting--;
        pthread_cond_broadcast(&t->moved);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void hand_over(ems_titles *t, look *l)
{
    if (!t->threaded && ems_run_threads(t->run) != 1)
        t->threaded = pthread_create(&t->worker, NULL, worker_main, t) == 0;
    pthread_mutex_lock(&t->lock);
    while (t->threaded && t->waiting >= MOST_WAITING)
        pthread_cond_wait(&t->moved, &t->lock);
    *(t->last ? &t->last->next : &t->first) = l;
    t->last = l;
    if (t->threaded) {
        t->unread = t->unread ? t->unread : l;
        t->waiting++;
        pthread_cond_broadcast(&t->moved);
    }
    pthread_mutex_unlock(&t->lock);
    if (!t->threaded)
        read_look(t, l);
}

static void stop_worker(ems_titles *t)
{
    if (!t->threaded)
        return;
    pthread_mutex_lock(&t->lock);
    t->over = 1;
    pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->worker, NULL);
    t->threaded = 0;
}

/* ---- Stills ------------------------------------------------------------- */

static int grey_at(const ems_still *s, const ems_text_place *p, int x, int y)
{
    const int cx = p->x + (x < p->width ? x : p->width - 1);
    const int cy = p->y + (y < p->height ? y : p->height - 1);
    const uint8_t *c = s->rgb + 3 * ((size_t)cy * (size_t)s->width +
                                     (size_t)cx);
    return c[0] + 2 * c[1] + c[2];
}

/* The place in grey, twice as large: letters of a small still are too few
 * pixels high for Tesseract. */
static uint8_t *enlarge(const ems_still *s, const ems_text_place *p)
{
    const int width = 2 * p->width, height = 2 * p->height;
    uint8_t *grey = ems_alloc((size_t)width, (size_t)height), *to = grey;
    for (int y = 0; to && y < height; y++)
        for (int x = 0; x < width; x++) {
            const int x1 = (x + 1) / 2, y1 = (y + 1) / 2;
            *to++ = (uint8_t)((grey_at(s, p, x / 2, y / 2) +
                               grey_at(s, p, x1, y / 2) +
                               grey_at(s, p, x / 2, y1) +
                               grey_at(s, p, x1, y1)) / 16);
        }
    return grey;
}

static int begin_look(ems_titles *t, const ems_still *s,
                      const ems_text_place *p, ems_error *err)
{
    look *l = ems_alloc(1, sizeof *l);
    uint8_t *grey = l ? enlarge(s, p) : NULL;
    if (!grey) {
        ems_free(l);
        return ems_out_of_memory(err);
    }
    *l = (look){.from = s->time, .to = s->time, .grey = grey,
                .width = 2 * p->width, .height = 2 * p->height};
    t->looks++;
    t->looks_left--;
    t->place = *p;
    hand_over(t, l);
    t->shown = l;
    return EMS_OK;
}

int ems_titles_still(ems_titles *t, const ems_still *still, ems_error *err)
{
    ems_text_place place;
    if (!t->reader)
        return EMS_OK;
    t->looks_left = fmin(t->looks_left + (still->time - t->last_time) /
                                             SECONDS_A_LOOK, MOST_LOOKS);
    t->last_time = still->time;
    if (!ems_text_find(still, &place)) {
        t->shown = NULL;
        return EMS_OK;
    }
    if (t->shown && ems_text_same(&place, &t->place)) {
        t->shown->to = still->time;
        return EMS_OK;
    }
    t->shown = NULL;
    return t->looks_left >= 1 ? begin_look(t, still, &place, err) : EMS_OK;
}

/* ---- What was read ------------------------------------------------------ */

/* 1: the same; 0: nothing in common (Levenshtein's distance over the longer
 * one's length). */
static double likeness(const char *a, const char *b)
{
    const size_t m = strlen(a), n = strlen(b);
    size_t row[EMS_TESSERACT_TEXT];
    if (n >= EMS_TESSERACT_TEXT || m + n == 0)
        return 0;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            const size_t above = row[j];
            size_t least = corner + (a[i - 1] != b[j - 1]);
            least = above + 1 < least ? above + 1 : least;
            row[j] = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            corner = above;
        }
    }
    return 1 - (double)row[n] / (double)(m > n ? m : n);
}

/* The longer reading of a writing that was looked at more than once. */
static int join(look *l, const look *next)
{
    if (next->from - l->to > SOON || likeness(l->text, next->text) < ALIKE)
        return 0;
    l->to = next->to;
    if (strlen(next->text) > strlen(l->text))
        memcpy(l->text, next->text, sizeof l->text);
    return 1;
}

/* Leave those that say something, each once. */
static size_t tidy(ems_titles *t)
{
    size_t count = 0;
    look *kept = NULL, *next;
    for (look *l = t->first; l; l = next) {
        next = l->next;
        if (l->text[0] && !(kept && join(kept, l))) {
            *(kept ? &kept->next : &t->first) = l;
            kept = l;
            count++;
        } else {
            ems_free(l);
        }
    }
    *(kept ? &kept->next : &t->first) = NULL;
    t->last = kept;
    return count;
}

/* Stills are a second apart: a writing appears with a cut between two of
 * them, else half-way. */
static double moment(double before, double after, const ems_cut *cuts,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cuts[i].time > before && cuts[i].time <= after)
            return cuts[i].time;
    return (before + after) / 2;
}

static void rate(const ems_text *classifier, ems_title *title)
{
    float score[EMS_TEXT_EKMAN] = {0}, full[EMS_TEXT_FULL];
    double sum = 0;
    if (classifier)
        ems_text_rate(classifier, title->text, strlen(title->text), score,
                      full);
    for (int e = 0; e < EMS_TEXT_EKMAN; e++)
        sum += (double)score[e];
    title->neutral = 1;
    for (int e = 0; e < EMS_EKMAN; e++) {
        title->emotion[e] = sum > 0 ? rint((double)score[e] / sum * 1e4) / 1e4
                                    : 0;
        title->neutral -= title->emotion[e];
    }
    title->neutral = fmax(rint(title->neutral * 1e4) / 1e4, 0);
}

static int make(ems_title *title, const look *l, const ems_title *before,
                const ems_cut *cuts, size_t cut_count, double duration)
{
    const double step = ems_titles_seconds;
    const double from = moment(l->from - step, l->from, cuts, cut_count);
    const double to = moment(l->to, l->to + step, cuts, cut_count);
    title->from = rint(fmax(from, before ? before->to : 0) * 1e3) / 1e3;
    title->to = rint(fmin(to, duration) * 1e3) / 1e3;
    title->text = ems_strdup(l->text);
    return title->text ? EMS_OK : EMS_ENOMEM;
}

int ems_titles_end(ems_titles *t, const ems_cut *cuts, size_t cut_count,
                   double duration, ems_title **titles, size_t *count,
                   ems_error *err)
{
    ems_error why;
    *count = 0;
    stop_worker(t);
    const size_t n = tidy(t);
    ems_title *out = *titles = ems_alloc(n, sizeof *out);
    if (!out)
        return ems_out_of_memory(err);
    const double start = ems_now();
    ems_text *classifier = n ? ems_text_open(NULL, &why) : NULL;
    int code = EMS_OK;
    if (n && !classifier)
        snprintf(t->why, sizeof t->why, "%.255s", why.text);
    for (const look *l = t->first; l && code == EMS_OK; l = l->next) {
        ems_title *title = &out[*count];
        code = make(title, l, *count ? title - 1 : NULL, cuts, cut_count,
                    duration);
        if (code < 0)
            ems_out_of_memory(err);
        else if (title->to > title->from)
            rate(classifier, &out[(*count)++]);
        else
            ems_titles_drop(title);
    }
    ems_text_free(classifier);
    t->work += ems_now() - start;
    return code;
}

size_t ems_titles_looks(const ems_titles *t)
{
    return t->looks;
}

double ems_titles_work(const ems_titles *t)
{
    return t->work;
}

const char *ems_titles_why(const ems_titles *t)
{
    return t->why;
}

void ems_titles_free(ems_titles *t)
{
    if (!t)
        return;
    stop_worker(t);
    for (look *l = t->first, *next; l; l = next) {
        next = l->next;
        ems_free(l->grey);
        ems_free(l);
    }
    ems_tesseract_close(t->reader);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->moved);
    ems_free(t);
}

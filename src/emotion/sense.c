#include "emotion/sense.h"

#include "base/mem.h"
#include "base/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Values one expert may keep: 64 MB. */
static const size_t MOST_VALUES = (size_t)1 << 24;
enum { MOST_FACES = 16 };

/* ---- Rows ---------------------------------------------------------------- */

void ems_sense_drop(ems_sense_job *j, const char *why)
{
    snprintf(j->out.why, sizeof j->out.why, "%.255s", why);
    ems_matrix_clear(&j->rows);
    j->time_room = j->value_room = 0;
    j->usable = 0;
}

static void thin_out(ems_sense_job *j)
{
    const size_t dim = j->rows.dim;
    for (size_t i = 0; 2 * i < j->rows.rows; i++) {
        j->rows.times[i] = j->rows.times[2 * i];
        memmove(j->rows.values + i * dim, j->rows.values + 2 * i * dim,
                dim * sizeof *j->rows.values);
    }
    j->rows.rows = (j->rows.rows + 1) / 2;
    j->every *= 2;
}

float *ems_sense_row(ems_sense_job *j, double time)
{
    ems_matrix *m = &j->rows;
    if ((m->rows + 1) * m->dim > MOST_VALUES)
        thin_out(j);
    if (ems_reserve((void **)&m->times, &j->time_room, m->rows + 1,
                    sizeof *m->times) < 0 ||
        ems_reserve((void **)&m->values, &j->value_room,
                    (m->rows + 1) * m->dim, sizeof *m->values) < 0) {
        ems_sense_drop(j, "out of memory");
        return NULL;
    }
    m->times[m->rows] = time;
    return m->values + m->rows++ * m->dim;
}

/* ---- Pictures ------------------------------------------------------------ */

static ems_rgb picture_of(const ems_worker_still *s)
{
    return (ems_rgb){s->still.width, s->still.height, s->rgb};
}

static void see_frame(ems_sense_job *j, const ems_worker_still *s)
{
    ems_error err;
    const ems_rgb picture = picture_of(s);
    float *row = ems_sense_row(j, s->still.time);
    if (row && ems_expert_see(j->expert, &picture, NULL, 1, row, &err) < 0)
        ems_sense_drop(j, err.text);
}

/* A square around a face, larger by the manifest's margin. */
static ems_box square(const ems_box *b, double margin)
{
    const double side = fmax(b->width, b->height) * margin;
    return (ems_box){b->x + (b->width - side) / 2,
                     b->y + (b->height - side) / 2, side, side};
}

/* The mean over the largest faces. */
static void see_faces(ems_sense_job *j, const ems_worker_still *s,
                      ems_expert *detector)
{
    const ems_manifest *m = ems_expert_manifest(j->expert);
    const size_t dim = m->dim;
    const ems_rgb picture = picture_of(s);
    ems_face faces[MOST_FACES];
    ems_error err;
    size_t n;
    if (ems_expert_detect(detector, &picture, faces, MOST_FACES, &n, &err) <
        0) {
        ems_sense_drop(j, err.text);
        return;
    }
    n = n < (size_t)m->faces ? n : (size_t)m->faces;
    float *row = n ? ems_sense_row(j, s->still.time) : NULL;
    float *each = row ? ems_alloc(dim, sizeof *each) : NULL;
    if (!each)
        return;
    memset(row, 0, dim * sizeof *row);
    for (size_t i = 0; i < n && j->usable; i++) {
        const ems_box part = square(&faces[i].box, m->margin);
        if (ems_expert_see(j->expert, &picture, &part, 1, each, &err) < 0)
            ems_sense_drop(j, err.text);
        for (size_t c = 0; c < dim && j->usable; c++)
            row[c] += each[c] / (float)n;
    }
    ems_free(each);
}

/* Several pictures in one run of the network. */
static void see_batch(ems_sense_job *j, const ems_worker_still *const *due,
                      size_t count)
{
    ems_rgb pictures[64];
    ems_error err;
    const size_t dim = j->rows.dim;
    float *rows = ems_alloc(count * dim, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        pictures[i] = picture_of(due[i]);
    if (!rows)
        ems_sense_drop(j, "out of memory");
    else if (ems_expert_see(j->expert, pictures, NULL, count, rows, &err) < 0)
        ems_sense_drop(j, err.text);
    for (size_t i = 0; i < count && j->usable; i++) {
        float *row = ems_sense_row(j, due[i]->still.time);
        if (row)
            memcpy(row, rows + i * dim, dim * sizeof *row);
    }
    ems_free(rows);
}

static int is_due(ems_sense_job *j, double time)
{
    if (time < j->next)
        return 0;
    j->next = j->every * (floor(time / j->every + 1e-6) + 1) - 1e-6;
    return 1;
}

void ems_sense_see(ems_sense_job *j, const ems_worker_still *stills,
                   size_t count, ems_expert *detector)
{
    const ems_worker_still *due[64];
    const ems_manifest *m = ems_expert_manifest(j->expert);
    const double start = ems_now();
    size_t n = 0;
    for (size_t i = 0; i < count && j->usable; i++) {
        if (!is_due(j, stills[i].still.time))
            continue;
        if (m->kind == EMS_EXPERT_FACE)
            see_faces(j, &stills[i], detector);
        else if (m->batch == 1)
            see_frame(j, &stills[i]);
        else
            due[n++] = &stills[i];
        if (n == 64 || (n && i + 1 == count)) {
            see_batch(j, due, n);
            n = 0;
        }
    }
    if (n && j->usable)
        see_batch(j, due, n);
    j->out.seconds += ems_now() - start;
}

/* ---- Sound --------------------------------------------------------------- */

static int take_sound(ems_sense_job *j, const float *samples, size_t count)
{
    ems_error err;
    const size_t most = ems_resampler_most(j->resampler, count);
    size_t made = 0;
    if (ems_reserve((void **)&j->sound, &j->sound_room, j->held + most,
                    sizeof *j->sound) < 0 ||
        ems_resampler_add(j->resampler, samples, count, j->sound + j->held,
                          &made, &err) < 0) {
        ems_sense_drop(j, "out of memory");
        return 0;
    }
    j->held += made;
    return 1;
}

static void hear_window(ems_sense_job *j, size_t at)
{
    const ems_sound_input *s = &ems_expert_manifest(j->expert)->sound;
    const double middle = ((double)j->heard + (double)at +
                           (double)s->window / 2) / s->rate;
    ems_error err;
    float *row = ems_sense_row(j, middle);
    if (row && ems_expert_hear(j->expert, j->sound + at, 1, row, &err) < 0)
        ems_sense_drop(j, err.text);
}

/* The rest of the film and silence behind it. */
static int fill_up(ems_sense_job *j, size_t window)
{
    if (j->held < window / 2 || j->held >= window ||
        ems_reserve((void **)&j->sound, &j->sound_room, window,
                    sizeof *j->sound) < 0)
        return 0;
    memset(j->sound + j->held, 0, (window - j->held) * sizeof *j->sound);
    j->held = window;
    return 1;
}

void ems_sense_hear(ems_sense_job *j, const float *samples, size_t count,
                    int last)
{
    const ems_sound_input *s = &ems_expert_manifest(j->expert)->sound;
    const double start = ems_now();
    size_t at = 0;
    if (!j->usable || !take_sound(j, samples, count))
        return;
    for (; at + s->window <= j->held && j->usable; at += s->hop)
        hear_window(j, at);
    const size_t gone = at < j->held ? at : j->held;
    memmove(j->sound, j->sound + gone, (j->held - gone) * sizeof *j->sound);
    j->held -= gone;
    j->heard += (int64_t)gone;
    if (last && j->usable && fill_up(j, s->window))
        hear_window(j, 0);
    j->out.seconds += ems_now() - start;
}

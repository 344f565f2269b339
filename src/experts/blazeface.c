/* blazeface.c - the face detector's answer as boxes (Bazarevsky et al. 2019):
 * each anchor says how likely a face is and where it lies around it. */
#include "experts/expert_parts.h"

#include <math.h>

static const double LEAST_SCORE = 0.5, MOST_OVERLAP = 0.3;

static double overlap(const ems_box *a, const ems_box *b)
{
    const double w = fmin(a->x + a->width, b->x + b->width) -
                     fmax(a->x, b->x);
    const double h = fmin(a->y + a->height, b->y + b->height) -
                     fmax(a->y, b->y);
    if (!(w > 0 && h > 0))
        return 0;
    return w * h / (a->width * a->height + b->width * b->height - w * h);
}

/* Keep the best of those that overlap, sorted by score. */
static size_t insert(ems_face *faces, size_t count, size_t most,
                     const ems_face *f)
{
    size_t at = 0;
    while (at < count && faces[at].score >= f->score) {
        if (overlap(&faces[at].box, &f->box) > MOST_OVERLAP)
            return count;
        at++;
    }
    if (at == most)
        return count;
    size_t kept = at;
    for (size_t i = at; i < count; i++) /* worse ones below it go */
        if (overlap(&faces[i].box, &f->box) <= MOST_OVERLAP)
            faces[kept++] = faces[i];
    if (kept == most)
        kept--;
    for (size_t i = kept; i > at; i--)
        faces[i] = faces[i - 1];
    faces[at] = *f;
    return kept + 1;
}

static size_t add(ems_face *faces, size_t count, size_t most,
                  const float *scores, const float *boxes, int stride,
                  int each)
{
    const int side = EMS_BLAZE_SIDE / stride;
    for (int i = 0; i < side * side * each; i++) {
        const double score = 1 / (1 + exp(-(double)scores[i]));
        const float *b = boxes + 16 * i;
        if (!(score >= LEAST_SCORE) || !(b[2] > 1.0f) || !(b[3] > 1.0f))
            continue;
        const int cell = i / each;
        const double x = (cell % side + 0.5) * stride + (double)b[0];
        const double y = ((double)(cell / side) + 0.5) * stride +
                         (double)b[1];
        const ems_face f = {{x - (double)b[2] / 2, y - (double)b[3] / 2,
                             (double)b[2], (double)b[3]}, score};
        count = insert(faces, count, most, &f);
    }
    return count;
}

size_t ems_blazeface(const float *score16, const float *score32,
                     const float *box16, const float *box32, ems_face *faces,
                     size_t most)
{
    const size_t n = add(faces, 0, most, score16, box16, 16, 2);
    return add(faces, n, most, score32, box32, 32, 6);
}

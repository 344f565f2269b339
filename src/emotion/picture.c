#include "emotion/picture.h"

#include "base/mem.h"

#include <math.h>

enum { MOST_SLICES = 1 << 16 };
static const double FIRST_SLICE = 0.5; /* seconds */
/* A frame that may begin a shot: strong and sudden. */
static const double BREAK_MAFD = 10, BREAK_SCORE = 0.05;
/* Pixels count as warm or cool from this difference of red and blue on. */
enum { TINT = 26, TOO_DARK = 16 };

enum { BRIGHTNESS, CONTRAST, SATURATION, WARM, COOL, COLOURFULNESS, COLOURS };

typedef struct slice {
    double start, end;     /* of its first and after its last frame */
    double first_mafd, first_seconds; /* of the step into the slice */
    double mafd, seconds;  /* sums of the steps inside */
    float colour[COLOURS]; /* sums over thumbnails */
    int thumbs;
} slice;

struct ems_picture {
    slice *slices;
    size_t count, capacity;
    double slice_seconds, last; /* last: time of the newest frame */
};

ems_picture *ems_picture_new(ems_error *err)
{
    ems_picture *p = ems_alloc(1, sizeof *p);
    if (!p) {
        ems_out_of_memory(err);
        return NULL;
    }
    p->slice_seconds = FIRST_SLICE;
    return p;
}

void ems_picture_free(ems_picture *p)
{
    if (!p)
        return;
    ems_free(p->slices);
    ems_free(p);
}

size_t ems_picture_slices(const ems_picture *p)
{
    return p->count;
}

static void join(slice *a, const slice *b)
{
    a->end = b->end;
    a->mafd += b->first_mafd + b->mafd;
    a->seconds += b->first_seconds + b->seconds;
    for (int i = 0; i < COLOURS; i++)
        a->colour[i] += b->colour[i];
    a->thumbs += b->thumbs;
}

static void join_pairs(ems_picture *p)
{
    for (size_t i = 0; i < p->count; i += 2) {
        p->slices[i / 2] = p->slices[i];
        if (i + 1 < p->count)
            join(&p->slices[i / 2], &p->slices[i + 1]);
    }
    p->count = (p->count + 1) / 2;
    p->slice_seconds *= 2;
}

static double deviation(double sum, double squares, double n)
{
    const double mean = sum / n;
    return sqrt(fmax(squares / n - mean * mean, 0));
}

static void add_colours(slice *s, const uint8_t *rgb)
{
    const double n = EMS_THUMB_W * EMS_THUMB_H;
    double luma = 0, luma2 = 0, saturation = 0;
    double rg = 0, rg2 = 0, yb = 0, yb2 = 0;
    int warm = 0, cool = 0;
    for (int i = 0; i < EMS_THUMB_W * EMS_THUMB_H; i++, rgb += 3) {
        const int r = rgb[0], g = rgb[1], b = rgb[2];
        const int most = r > g ? (r > b ? r : b) : g > b ? g : b;
        const int least = r < g ? (r < b ? r : b) : g < b ? g : b;
        const double y = 0.299 * r + 0.587 * g + 0.114 * b;
        const double x1 = r - g, x2 = 0.5 * (r + g) - b;
        luma += y, luma2 += y * y;
        rg += x1, rg2 += x1 * x1;
        yb += x2, yb2 += x2 * x2;
        if (most >= TOO_DARK)
            saturation += (double)(most - least) / most;
        warm += r - b > TINT;
        cool += b - r > TINT;
    }
    const double d1 = deviation(rg, rg2, n), d2 = deviation(yb, yb2, n);
    const double m1 = rg / n, m2 = yb / n;
    s->colour[BRIGHTNESS] += (float)(luma / n / 255);
    s->colour[CONTRAST] += (float)(deviation(luma, luma2, n) / 255);
    s->colour[SATURATION] += (float)(saturation / n);
    s->colour[WARM] += (float)(warm / n);
    s->colour[COOL] += (float)(cool / n);
    s->colour[COLOURFULNESS] +=
        (float)(sqrt(d1 * d1 + d2 * d2) + 0.3 * sqrt(m1 * m1 + m2 * m2));
    s->thumbs++;
}

static int begin_slice(ems_picture *p, const ems_frame *frame, double step,
                       ems_error *err)
{
    if (p->count == MOST_SLICES)
        join_pairs(p);
    if (ems_reserve((void **)&p->slices, &p->capacity, p->count + 1,
                    sizeof *p->slices) < 0)
        return ems_out_of_memory(err);
    p->slices[p->count++] = (slice){
        .start = frame->time, .end = frame->time,
        .first_mafd = frame->mafd, .first_seconds = step,
    };
    return EMS_OK;
}

int ems_picture_add(ems_picture *p, const ems_frame *frame, ems_error *err)
{
    const double step = p->count ? fmax(frame->time - p->last, 0) : 0;
    slice *s = p->count ? &p->slices[p->count - 1] : NULL;
    const int sudden =
        frame->mafd >= BREAK_MAFD && frame->scene_score >= BREAK_SCORE;
    if (s)
        s->end = frame->time;
    if (!s || sudden || frame->time >= s->start + p->slice_seconds) {
        const int code = begin_slice(p, frame, step, err);
        if (code < 0)
            return code;
        s = &p->slices[p->count - 1];
    } else {
        s->mafd += frame->mafd;
        s->seconds += step;
    }
    if (frame->rgb)
        add_colours(s, frame->rgb);
    p->last = frame->time;
    return EMS_OK;
}

static double middle(const slice *s)
{
    return (s->start + s->end) / 2;
}

static size_t first_from(const ems_picture *p, double time)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (middle(&p->slices[mid]) < time)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void ems_picture_measure(const ems_picture *p, double from, double to,
                         ems_features *out)
{
    double colour[COLOURS] = {0}, mafd = 0, seconds = 0;
    long thumbs = 0;
    for (size_t i = first_from(p, from); i < p->count; i++) {
        const slice *s = &p->slices[i];
        if (middle(s) >= to)
            break;
        /* The step into the first slice comes from outside: a cut, maybe. */
        if (s->start > from + 1e-6) {
            mafd += s->first_mafd;
            seconds += s->first_seconds;
        }
        mafd += s->mafd;
        seconds += s->seconds;
        thumbs += s->thumbs;
        for (int c = 0; c < COLOURS; c++)
            colour[c] += (double)s->colour[c];
    }
    if (seconds > 0)
        out->motion = mafd / (24 * seconds);
    if (!thumbs)
        return;
    const double n = (double)thumbs;
    out->brightness = colour[BRIGHTNESS] / n;
    out->contrast = colour[CONTRAST] / n;
    out->saturation = colour[SATURATION] / n;
    out->warm = colour[WARM] / n;
    out->cool = colour[COOL] / n;
    out->colourfulness = colour[COLOURFULNESS] / n;
}

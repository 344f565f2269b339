#include "music/roll.h"

#include "base/mem.h"
#include "music/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 1600, LEFT = 64, RIGHT = 18, TOP = 52,
    PITCH_HEIGHT = 380, DRUM_HEIGHT = 56, LANE_HEIGHT = 62, GAP = 12,
    FOOT = 28, CURVE_POINTS = 800, LABEL_LETTER = 6,
};
#define INK "#333"
#define PALE "#ececec"
#define BAR_LINE "#d8d8d8"
#define HIT "#d62728"
#define CUT "#f2b8b8"
#define VALENCE "#1f6fb4"
#define AROUSAL "#c76b00"

const char *const ems_family_colour[EMS_FAMILIES] = {
    "#1f6fb4", "#6b6b6b", "#e08214", "#2b9348", "#a23b9c"};

typedef struct roll {
    ems_svg svg;
    const ems_piece *piece;
    const ems_plan *plan; /* may be NULL */
    double from, to;
    ems_plot pitch, drums, tempo, feeling;
    double bottom;        /* of the last lane */
} roll;

/* ---- Layout ---- */

static double bar_end(const ems_piece *p, size_t i)
{
    return i + 1 < p->bar_count ? p->bars[i + 1].start : p->duration;
}

static double tempo_of(const ems_piece *p, size_t i)
{
    const double length = bar_end(p, i) - p->bars[i].start;
    return length > 0 ? 60 * p->bars[i].beats / length : NAN;
}

static int is_seen(const roll *r, double from, double to)
{
    return to > r->from && from < r->to;
}

/* The pitches between which the notes lie: whole octaves, at least three. */
static void find_range(const roll *r, int family_is_drums, double *low,
                       double *high)
{
    int least = 128, most = -1;
    for (size_t i = 0; i < r->piece->note_count; i++) {
        const ems_note *n = &r->piece->notes[i];
        if ((n->family == EMS_DRUMS) != family_is_drums ||
            !is_seen(r, n->start, n->start + n->length))
            continue;
        least = n->pitch < least ? n->pitch : least;
        most = n->pitch > most ? n->pitch : most;
    }
    if (most < 0)
        least = 48, most = 72;
    *low = family_is_drums ? least - 1 : least / 12 * 12;
    *high = family_is_drums ? most + 1 : most / 12 * 12 + 12;
    if (!family_is_drums && *high - *low < 36)
        *low = fmax(0, *high - 36);
}

static ems_plot lane(roll *r, double height, double y0, double y1)
{
    const double top = r->bottom + GAP;
    r->bottom = top + height;
    return (ems_plot){.svg = &r->svg, .left = LEFT, .top = top,
                      .width = WIDTH - LEFT - RIGHT, .height = height,
                      .x0 = r->from, .x1 = r->to, .y0 = y0, .y1 = y1};
}

static void tempo_range(const roll *r, double *low, double *high)
{
    *low = 1e9, *high = 0;
    for (size_t i = 0; i < r->piece->bar_count; i++) {
        const double tempo = tempo_of(r->piece, i);
        if (!is_seen(r, r->piece->bars[i].start, bar_end(r->piece, i)) ||
            isnan(tempo))
            continue;
        *low = fmin(*low, tempo);
        *high = fmax(*high, tempo);
    }
    if (*high <= 0)
        *low = *high = 100;
    *high = fmin(*high, 400); /* a bar cut short says nothing */
    *low = 10 * floor(fmin(*low, *high) / 10) - 5;
    *high = 10 * ceil(*high / 10) + 5;
}

static void lay_out(roll *r)
{
    double low, high;
    r->bottom = TOP - GAP;
    find_range(r, 0, &low, &high);
    r->pitch = lane(r, PITCH_HEIGHT, low, high);
    find_range(r, 1, &low, &high);
    r->drums = lane(r, DRUM_HEIGHT, low, high);
    tempo_range(r, &low, &high);
    r->tempo = lane(r, LANE_HEIGHT, low, high);
    if (r->plan)
        r->feeling = lane(r, LANE_HEIGHT, -1, 1);
}

/* ---- What does not sound ---- */

static void label(roll *r, const ems_plot *p, double y, const char *text)
{
    ems_svg_text(&r->svg, LEFT - 6, ems_plot_y(p, y) + 4, 11, EMS_SVG_END,
                 "#555", text);
}

static void draw_keyboard(roll *r)
{
    const ems_plot *p = &r->pitch;
    for (int pitch = (int)p->y0; pitch <= (int)p->y1; pitch++) {
        const double y = ems_plot_y(p, pitch);
        char name[16];
        if (pitch < p->y1 && strchr("\1\3\6\10\12", pitch % 12) &&
            pitch % 12) /* black keys */
            ems_svg_rect(&r->svg, LEFT, ems_plot_y(p, pitch + 0.5), p->width,
                         p->height / (p->y1 - p->y0), "#f6f6f6", 1);
        if (pitch % 12)
            continue;
        ems_svg_line(&r->svg, LEFT, y, LEFT + p->width, y, PALE, 1);
        snprintf(name, sizeof name, "C%d", pitch / 12 - 1);
        label(r, p, pitch, name);
    }
}

/* Every bar, or every 2nd, 5th, 10th ... so that numbers have room. */
static size_t bar_step(const roll *r)
{
    static const size_t step[] = {1, 2, 5};
    size_t seen = 0, power = 1;
    for (size_t i = 0; i < r->piece->bar_count; i++)
        seen += (size_t)is_seen(r, r->piece->bars[i].start,
                                bar_end(r->piece, i));
    for (;; power *= 10)
        for (int k = 0; k < 3; k++)
            if (seen / (step[k] * power) * 26 <= (size_t)r->pitch.width)
                return step[k] * power;
}

static void draw_bars(roll *r)
{
    const size_t step = bar_step(r);
    for (size_t i = 0; i < r->piece->bar_count; i++) {
        const double time = r->piece->bars[i].start;
        const double x = ems_plot_x(&r->pitch, time);
        char text[24];
        if (time < r->from || time > r->to || i % step)
            continue;
        ems_svg_line(&r->svg, x, TOP, x, r->drums.top + DRUM_HEIGHT, BAR_LINE,
                     1);
        snprintf(text, sizeof text, "%zu", i + 1);
        ems_svg_text(&r->svg, x + 2, r->drums.top + DRUM_HEIGHT + 10, 9,
                     EMS_SVG_START, "#888", text);
    }
}

/* To the right of its line, at the right border to the left; nothing where
 * there is no room. Returns where the next label has room. */
static double label_marker(roll *r, double x, double free_from,
                           const char *text)
{
    const double room = LABEL_LETTER * (double)(strlen(text) + 1);
    if (x + room <= WIDTH) {
        ems_svg_text(&r->svg, x + 2, TOP - 6, 10, EMS_SVG_START, HIT, text);
        return x + room;
    }
    if (x - room >= free_from)
        ems_svg_text(&r->svg, x - 2, TOP - 6, 10, EMS_SVG_END, HIT, text);
    return WIDTH;
}

static void draw_markers(roll *r)
{
    double free_from = 0; /* where the next label has room */
    for (size_t i = 0; i < r->piece->marker_count; i++) {
        const ems_marker *m = &r->piece->markers[i];
        const double x = ems_plot_x(&r->pitch, m->time);
        if (m->time < r->from || m->time > r->to || m->kind == EMS_MARK_CUE)
            continue;
        const int cut = m->kind == EMS_MARK_CUT;
        ems_svg_line(&r->svg, x, cut ? TOP : TOP - 6, x, r->bottom,
                     cut ? CUT : HIT, 1);
        if (cut || x < free_from)
            continue;
        free_from = label_marker(r, x, free_from, m->text);
    }
}

/* ---- Notes ---- */

static void draw_note(roll *r, const ems_note *n)
{
    const int drum = n->family == EMS_DRUMS;
    const ems_plot *p = drum ? &r->drums : &r->pitch;
    const double end = n->start + n->length;
    if (!is_seen(r, n->start, end))
        return;
    const double height = drum ? 3 : fmax(2, p->height / (p->y1 - p->y0) - 1);
    const double x = ems_plot_x(p, fmax(n->start, r->from));
    const double width = ems_plot_x(p, fmin(end, r->to)) - x;
    ems_svg_rect(&r->svg, x, ems_plot_y(p, n->pitch) - height / 2,
                 drum ? 2.2 : fmax(1.2, width - 0.6), height,
                 ems_family_colour[n->family],
                 0.4 + 0.55 * n->velocity / 127);
}

static void draw_legend(roll *r)
{
    int count[EMS_FAMILIES] = {0};
    char text[160];
    double x = LEFT;
    for (size_t i = 0; i < r->piece->note_count; i++)
        count[r->piece->notes[i].family]++;
    for (int f = 0; f < EMS_FAMILIES; f++) {
        if (!count[f])
            continue;
        ems_svg_rect(&r->svg, x, 10, 12, 12, ems_family_colour[f], 0.9);
        snprintf(text, sizeof text, "%s, %d notes", ems_family_name[f],
                 count[f]);
        ems_svg_text(&r->svg, x + 17, 20, 12, EMS_SVG_START, INK, text);
        x += 40 + 6.4 * (double)strlen(text);
    }
    ems_svg_text(&r->svg, WIDTH - RIGHT, 20, 12, EMS_SVG_END, "#777",
                 r->piece->text);
}

/* ---- Tempo, emotion, time ---- */

static void draw_tempo(roll *r)
{
    const ems_plot *p = &r->tempo;
    char text[32];
    const double ends[2] = {p->y0 + 5, p->y1 - 5};
    for (int k = 0; k < 2; k++) {
        const double y = ems_plot_y(p, ends[k]);
        ems_svg_line(&r->svg, LEFT, y, LEFT + p->width, y, PALE, 1);
        snprintf(text, sizeof text, "%.0f bpm", ends[k]);
        label(r, p, ends[k], text);
    }
    for (size_t i = 0; i < r->piece->bar_count; i++) {
        const double start = r->piece->bars[i].start;
        const double end = bar_end(r->piece, i), tempo = tempo_of(r->piece, i);
        if (!is_seen(r, start, end) || isnan(tempo))
            continue;
        const double y = ems_plot_y(p, fmax(p->y0, fmin(p->y1, tempo)));
        ems_svg_line(&r->svg, ems_plot_x(p, fmax(start, r->from)), y,
                     ems_plot_x(p, fmin(end, r->to)), y, INK, 1.6);
    }
}

static void draw_feeling(roll *r)
{
    const ems_plot *p = &r->feeling;
    double time[CURVE_POINTS], v[CURVE_POINTS], a[CURVE_POINTS];
    for (int i = 0; i < CURVE_POINTS; i++) {
        time[i] = r->from + (r->to - r->from) * i / (CURVE_POINTS - 1);
        ems_curve_at(r->plan->curve, r->plan->knot_count, time[i], &v[i],
                     &a[i]);
    }
    for (int k = -1; k <= 1; k++) {
        const double y = ems_plot_y(p, k);
        ems_svg_line(&r->svg, LEFT, y, LEFT + p->width, y, PALE, 1);
        label(r, p, k, k < 0 ? "-1" : k ? "1" : "0");
    }
    ems_plot_curve(p, time, v, CURVE_POINTS, VALENCE);
    ems_plot_curve(p, time, a, CURVE_POINTS, AROUSAL);
    ems_svg_text(&r->svg, LEFT + 6, p->top + 11, 11, EMS_SVG_START, VALENCE,
                 "valence");
    ems_svg_text(&r->svg, LEFT + 56, p->top + 11, 11, EMS_SVG_START, AROUSAL,
                 "arousal");
}

static void draw_time(roll *r)
{
    static const double steps[] = {0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600,
                                   1800, 3600, 36000};
    size_t k = 0;
    while (k + 1 < sizeof steps / sizeof *steps &&
           (r->to - r->from) / steps[k] > 24)
        k++;
    for (double i = ceil(r->from / steps[k]); i * steps[k] <= r->to; i++) {
        const double time = i * steps[k];
        const double x = ems_plot_x(&r->pitch, time);
        char text[40];
        ems_svg_line(&r->svg, x, r->bottom + 2, x, r->bottom + 7, "#888", 1);
        if (steps[k] < 1)
            snprintf(text, sizeof text, "%.1f s", time);
        else
            snprintf(text, sizeof text, "%.0f:%02.0f", floor(time / 60),
                     fmod(time, 60));
        ems_svg_text(&r->svg, x, r->bottom + 19, 11, EMS_SVG_MIDDLE, "#555",
                     text);
    }
}

static void draw(roll *r)
{
    draw_keyboard(r);
    draw_bars(r);
    for (size_t i = 0; i < r->piece->note_count; i++)
        draw_note(r, &r->piece->notes[i]);
    draw_tempo(r);
    if (r->plan)
        draw_feeling(r);
    draw_markers(r);
    draw_legend(r);
    draw_time(r);
}

int ems_piece_draw(const ems_piece *piece, const ems_plan *plan,
                   const char *svg, double from, double to, ems_error *err)
{
    roll r = {.piece = piece, .plan = plan, .from = fmax(0, from),
              .to = to > from ? fmin(to, piece->duration) : piece->duration};
    if (!(r.to > r.from))
        return ems_fail(err, EMS_EINVAL, "nothing to draw from %g to %g"
                        " seconds: the piece lasts %g", from, to,
                        piece->duration);
    lay_out(&r);
    const int code = ems_svg_open(&r.svg, svg, WIDTH, r.bottom + FOOT, err);
    if (code < 0)
        return code;
    draw(&r);
    return ems_svg_close(&r.svg, err);
}

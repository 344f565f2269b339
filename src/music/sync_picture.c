/* How music meets a film, as a picture. */
#include "base/mem.h"
#include "base/svg.h"
#include "music/roll.h"
#include "music/sync.h"

#include <math.h>
#include <stdio.h>

enum {
    WIDTH = 1600, LEFT = 84, RIGHT = 18, TOP = 44, STRIP = 46, ACCENTS = 70,
    PITCHES = 260, TEMPO = 60, FEELING = 90, GAP = 14, FOOT = 34, POINTS = 600,
    ROOM = 6, /* beats a minute above and below */
    FRAMES = 72, TILE = 128, NARROWEST = 10, /* of a strip with pictures */
};
#define INK "#333"
#define FAINT "#999"
#define GRID "#dddddd"
#define MET "#1a7f37"
#define NEAR "#c76b00"
#define MISSED "#d62728"
#define VALENCE "#1f6fb4"
#define AROUSAL "#c76b00"

typedef struct picture {
    ems_svg svg;
    const ems_plan *film;
    const ems_piece *piece;
    const ems_sync_music *music;
    const ems_sync_report *report;
    const ems_sync_tile *tiles;
    size_t tile_count;
    int curve;
    ems_plot strip, accents, pitches, tempo, feeling;
    double bottom;
} picture;

/* ---- Layout -------------------------------------------------------------- */

static ems_plot lane(picture *p, double height, double y0, double y1)
{
    const double top = p->bottom + GAP;
    p->bottom = top + height;
    return (ems_plot){.svg = &p->svg, .left = LEFT, .top = top,
                      .width = WIDTH - LEFT - RIGHT, .height = height,
                      .x0 = 0, .x1 = p->film->duration, .y0 = y0, .y1 = y1};
}

static double bar_end(const ems_piece *p, size_t i)
{
    return i + 1 < p->bar_count ? p->bars[i + 1].start : p->duration;
}

static double tempo_of(const ems_piece *p, size_t i)
{
    return 60 * p->bars[i].beats / (bar_end(p, i) - p->bars[i].start);
}

static void lay_out(picture *p)
{
    double low = 1e9, high = 0, lowest = 60, highest = 72;
    for (size_t i = 0; i < p->piece->note_count; i++) {
        lowest = fmin(lowest, p->piece->notes[i].pitch);
        highest = fmax(highest, p->piece->notes[i].pitch);
    }
    for (size_t i = 0; i < p->piece->bar_count; i++) {
        low = fmin(low, tempo_of(p->piece, i));
        high = fmax(high, tempo_of(p->piece, i));
    }
    if (high == 0)
        low = high = 100;
    high = fmin(high, 400);
    p->bottom = TOP - GAP;
    p->strip = lane(p, p->tile_count ? FRAMES : STRIP, 0, 1);
    p->accents = lane(p, ACCENTS, 0, 1);
    p->pitches = lane(p, PITCHES, lowest - 2, highest + 2);
    p->tempo = lane(p, TEMPO, fmin(low, high) - ROOM, high + ROOM);
    if (p->curve)
        p->feeling = lane(p, FEELING, -1, 1);
}

/* ---- Marks --------------------------------------------------------------- */

static void name_lane(picture *p, const ems_plot *l, const char *name)
{
    ems_svg_text(&p->svg, LEFT - 8, l->top + 13, 12, EMS_SVG_END, INK, name);
}

static const char *colour_of(const picture *p, const ems_hit *h)
{
    const double frame = p->report->fps > 0 ? 1000 / p->report->fps : 40;
    if (fabs(h->error_ms) <= frame)
        return MET;
    return fabs(h->error_ms) <= 100 ? NEAR : MISSED; /* also NaN */
}

/* Shot i of the film. */
static ems_stretch shot_of(const ems_plan *f, size_t i)
{
    return (ems_stretch){i ? f->cuts[i - 1].time : 0,
                         i < f->cut_count ? f->cuts[i].time : f->duration};
}

/* A shot's tiles are even and about TILE pixels wide. */
static size_t tiles_of(const ems_plan *f, ems_stretch shot)
{
    const double wide = (shot.to - shot.from) / f->duration *
                        (WIDTH - LEFT - RIGHT);
    return wide < NARROWEST ? 0 : (size_t)fmax(1, wide / TILE + 0.5);
}

ems_sync_tile *ems_sync_tiles(const ems_plan *f, size_t *count)
{
    size_t n = 0;
    for (size_t i = 0; i <= f->cut_count; i++)
        n += tiles_of(f, shot_of(f, i));
    ems_sync_tile *tiles = ems_alloc(n, sizeof *tiles);
    *count = tiles ? n : 0;
    n = 0;
    for (size_t i = 0; tiles && i <= f->cut_count; i++) {
        const ems_stretch shot = shot_of(f, i);
        const size_t of = tiles_of(f, shot);
        const double each = (shot.to - shot.from) / (double)of;
        for (size_t k = 0; k < of; k++)
            tiles[n++] = (ems_sync_tile){
                .from = shot.from + (double)k * each,
                .to = shot.from + (double)(k + 1) * each};
    }
    return tiles;
}

static void draw_tiles(picture *p)
{
    const ems_plot *l = &p->strip;
    for (size_t i = 0; i < p->tile_count; i++) {
        const ems_sync_tile *t = &p->tiles[i];
        const double x = ems_plot_x(l, t->from);
        if (t->jpeg)
            ems_svg_jpeg(&p->svg, x, l->top, ems_plot_x(l, t->to) - x,
                         l->height, t->jpeg, t->size);
    }
}

/* Its number: in the middle of an empty shot, in a corner of a picture. */
static void number_shot(picture *p, double x, double width, size_t number)
{
    const ems_plot *l = &p->strip;
    char text[16];
    snprintf(text, sizeof text, "%zu", number);
    if (!p->tile_count) {
        ems_svg_text(&p->svg, x + width / 2, l->top + 28, 11, EMS_SVG_MIDDLE,
                     INK, text);
        return;
    }
    ems_svg_rect(&p->svg, x + 1, l->top, 18, 13, "#000", 0.55);
    ems_svg_text(&p->svg, x + 10, l->top + 10, 10, EMS_SVG_MIDDLE, "#fff",
                 text);
}

static void draw_strip(picture *p)
{
    const ems_plot *l = &p->strip;
    name_lane(p, l, "shots");
    for (size_t i = 0; i <= p->film->cut_count; i++) {
        const ems_stretch shot = shot_of(p->film, i);
        const double x = ems_plot_x(l, shot.from);
        ems_svg_rect(&p->svg, x, l->top, ems_plot_x(l, shot.to) - x,
                     l->height, i % 2 ? "#d5dbe3" : "#bcc6d3", 1);
    }
    draw_tiles(p);
    for (size_t i = 0; i <= p->film->cut_count; i++) {
        const ems_stretch shot = shot_of(p->film, i);
        const double x = ems_plot_x(l, shot.from);
        const double width = ems_plot_x(l, shot.to) - x;
        if (width > 20)
            number_shot(p, x, width, i + 1);
    }
}

/* A line through all lanes, in the colour of how well the cut is met. */
static void draw_cuts(picture *p)
{
    for (size_t i = 0; i < p->report->cut_count; i++) {
        const ems_hit *h = &p->report->cuts[i];
        const double x = ems_plot_x(&p->strip, h->cut);
        ems_svg_line(&p->svg, x, p->strip.top, x, p->bottom, colour_of(p, h),
                     1.2);
    }
}

static void draw_accents(picture *p)
{
    const ems_plot *l = &p->accents;
    const ems_moments *m = &p->music->accents;
    double most = 1;
    for (size_t i = 0; i < m->count; i++)
        most = fmax(most, m->weight[i]);
    name_lane(p, l, "accents");
    for (size_t i = 0; i < m->count; i++) {
        const double x = ems_plot_x(l, m->at[i]);
        ems_svg_line(&p->svg, x, ems_plot_y(l, 0), x,
                     ems_plot_y(l, m->weight[i] / most), INK, 2);
    }
    ems_svg_line(&p->svg, LEFT, ems_plot_y(l, 0), LEFT + l->width,
                 ems_plot_y(l, 0), FAINT, 1);
}

static void draw_bars(picture *p)
{
    for (size_t i = 0; i < p->music->bars.count; i++) {
        const double x = ems_plot_x(&p->pitches, p->music->bars.at[i]);
        ems_svg_line(&p->svg, x, p->accents.top, x, p->tempo.top + TEMPO,
                     GRID, 1);
    }
}

static void draw_notes(picture *p)
{
    const ems_plot *l = &p->pitches;
    const double height = l->height / (l->y1 - l->y0);
    name_lane(p, l, "notes");
    for (size_t i = 0; i < p->piece->note_count; i++) {
        const ems_note *n = &p->piece->notes[i];
        const double x = ems_plot_x(l, n->start);
        const double end = ems_plot_x(l, fmin(n->start + n->length,
                                              p->film->duration));
        const int drum = n->family == EMS_DRUMS;
        if (n->start < p->film->duration)
            ems_svg_rect(&p->svg, x, ems_plot_y(l, n->pitch),
                         drum ? 3 : fmax(1.2, end - x), height,
                         ems_family_colour[n->family],
                         0.25 + 0.6 * n->velocity / 127);
    }
}

/* Who plays, in the lane of notes. */
static void name_families(picture *p)
{
    int plays[EMS_FAMILIES] = {0};
    double y = p->pitches.top + 32;
    for (size_t i = 0; i < p->piece->note_count; i++)
        plays[p->piece->notes[i].family] = 1;
    for (int f = 0; f < EMS_FAMILIES; f++)
        if (plays[f]) {
            ems_svg_text(&p->svg, LEFT - 8, y, 11, EMS_SVG_END,
                         ems_family_colour[f], ems_family_name[f]);
            y += 14;
        }
}

static void draw_tempo(picture *p)
{
    const ems_plot *l = &p->tempo;
    name_lane(p, l, "bpm");
    const double low = l->y0 + ROOM, high = l->y1 - ROOM;
    char text[32];
    snprintf(text, sizeof text, high - low < 1 ? "%.0f" : "%.0f to %.0f",
             low, high);
    ems_svg_text(&p->svg, LEFT - 8, l->top + 28, 10, EMS_SVG_END, FAINT,
                 text);
    for (size_t i = 0; i < p->piece->bar_count; i++) {
        const double y = ems_plot_y(l, fmin(l->y1, tempo_of(p->piece, i)));
        ems_svg_line(&p->svg, ems_plot_x(l, p->piece->bars[i].start), y,
                     ems_plot_x(l, bar_end(p->piece, i)), y, INK, 1.8);
    }
}

static void draw_feeling(picture *p)
{
    const ems_plot *l = &p->feeling;
    double time[POINTS], v[POINTS], a[POINTS];
    for (int i = 0; i < POINTS; i++) {
        time[i] = p->film->duration * i / (POINTS - 1);
        ems_curve_at(p->film->curve, p->film->knot_count, time[i], &v[i],
                     &a[i]);
    }
    ems_svg_line(&p->svg, LEFT, ems_plot_y(l, 0), LEFT + l->width,
                 ems_plot_y(l, 0), GRID, 1);
    ems_plot_curve(l, time, v, POINTS, VALENCE);
    ems_plot_curve(l, time, a, POINTS, AROUSAL);
    ems_svg_text(&p->svg, LEFT - 8, l->top + 13, 12, EMS_SVG_END, VALENCE,
                 "valence");
    ems_svg_text(&p->svg, LEFT - 8, l->top + 29, 12, EMS_SVG_END, AROUSAL,
                 "arousal");
}

static void draw_time(picture *p)
{
    static const double steps[] = {0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600,
                                   1800, 3600, 36000};
    size_t k = 0;
    while (k + 1 < sizeof steps / sizeof *steps &&
           p->film->duration / steps[k] > 24)
        k++;
    for (double i = 0; i * steps[k] <= p->film->duration; i++) {
        const double time = i * steps[k], x = ems_plot_x(&p->strip, time);
        char text[40];
        ems_svg_line(&p->svg, x, p->bottom + 3, x, p->bottom + 8, FAINT, 1);
        snprintf(text, sizeof text, steps[k] < 1 ? "%.0f:%04.1f"
                                                 : "%.0f:%02.0f",
                 floor(time / 60), fmod(time, 60));
        ems_svg_text(&p->svg, x, p->bottom + 21, 11, EMS_SVG_MIDDLE, "#555",
                     text);
    }
}

static void draw_title(picture *p)
{
    const ems_sync_report *r = p->report;
    char text[200] = "no cuts";
    if (r->cut_count)
        snprintf(text, sizeof text, "%zu cut%s, %.0f %% within a frame of an"
                 " accent (by chance %.0f %%); TBIoU %.2f (%.2f)",
                 r->cut_count, r->cut_count == 1 ? "" : "s",
                 100 * r->all.frame, 100 * r->chance.frame,
                 r->all.tbiou_accents, r->chance.tbiou_accents);
    ems_svg_text(&p->svg, LEFT, 26, 15, EMS_SVG_START, INK, text);
    static const char *const colour[] = {MET, NEAR, MISSED};
    static const char *const word[] = {"cut met within a frame",
                                       "within 100 ms", "farther"};
    for (int k = 0; k < 3; k++) {
        const double x = WIDTH - 430 + 170 * k - (k == 2) * 50;
        ems_svg_line(&p->svg, x, 22, x + 18, 22, colour[k], 3);
        ems_svg_text(&p->svg, x + 24, 26, 12, EMS_SVG_START, INK, word[k]);
    }
}

int ems_sync_draw(const char *svg, const ems_plan *film, int curve,
                  const ems_sync_tile *tiles, size_t tile_count,
                  const ems_piece *piece, const ems_sync_music *music,
                  const ems_sync_report *report, ems_error *err)
{
    picture p = {.film = film, .piece = piece, .music = music,
                 .report = report, .tiles = tiles,
                 .tile_count = tile_count, .curve = curve};
    lay_out(&p);
    const int code = ems_svg_open(&p.svg, svg, WIDTH, p.bottom + FOOT, err);
    if (code < 0)
        return code;
    draw_title(&p);
    draw_strip(&p);
    draw_bars(&p);
    draw_cuts(&p);
    draw_accents(&p);
    draw_notes(&p);
    name_families(&p);
    draw_tempo(&p);
    if (curve)
        draw_feeling(&p);
    draw_time(&p);
    return ems_svg_close(&p.svg, err);
}

/* An evaluation as a picture. */
#include "base/svg.h"
#include "music/evaluate.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 1240, HEIGHT = 710, SIDE = 470, ROW = 26, COLUMN = 66 };
#define INK "#333"
#define PALE "#e4e4e4"
#define ASKED "#999"
#define COMPOSED "#c0392b"
#define REAL "#2c7fb8"

/* Where each emotion was asked for, and where the judge heard it. */
static void draw_emotion(ems_svg *s, const ems_evaluation *e)
{
    const ems_plot p = {.svg = s, .left = 60, .top = 50, .width = SIDE - 40,
                        .height = SIDE - 40, .x0 = -1, .x1 = 1, .y0 = -1,
                        .y1 = 1};
    char text[160];
    ems_plot_frame(&p, "Emotion: asked (grey) and heard", "valence",
                   "arousal");
    for (int v = 0; v < EMS_EVALUATE_GRID; v++)
        for (int a = 0; a < EMS_EVALUATE_GRID; a++) {
            const double x = ems_plot_x(&p, e->asked[v]);
            const double y = ems_plot_y(&p, e->asked[a]);
            const double hx = ems_plot_x(&p, e->valence[v][a]);
            const double hy = ems_plot_y(&p, e->arousal[v][a]);
            if (isfinite(hx + hy))
                ems_svg_line(s, x, y, hx, hy, "#d9a59f", 1);
            ems_svg_circle(s, x, y, 4, ASKED, 1);
            ems_svg_circle(s, hx, hy, 4.5, COMPOSED, 0.9);
        }
    snprintf(text, sizeof text, "L1 %.3f; Spearman's rho: valence %.2f,"
             " arousal %.2f", e->l1, e->rho_valence, e->rho_arousal);
    ems_svg_text(s, p.left, p.top + p.height + 46, 13, EMS_SVG_START, INK,
                 text);
}

/* Mean and deviation of one kind of music, on a scale of its own. */
static void draw_span(ems_svg *s, double mean, double deviation, double low,
                      double unit, double left, double y, const char *colour)
{
    if (!isfinite(mean))
        return;
    const double d = isfinite(deviation) ? deviation : 0;
    ems_svg_line(s, left + (mean - d - low) * unit, y,
                 left + (mean + d - low) * unit, y, colour, 2);
    ems_svg_circle(s, left + (mean - low) * unit, y, 3.5, colour, 1);
}

static void draw_measure(ems_svg *s, const ems_measure *m, double left,
                         double width, double y)
{
    char text[32];
    const double da = isfinite(m->deviation) ? m->deviation : 0;
    const double db = isfinite(m->real_deviation) ? m->real_deviation : 0;
    double low = m->mean - da, high = m->mean + da;
    if (isfinite(m->real_mean)) {
        low = fmin(low, m->real_mean - db);
        high = fmax(high, m->real_mean + db);
    }
    const double unit = high > low ? width / (high - low) : 0;
    ems_svg_text(s, left - 10, y + 4, 12, EMS_SVG_END, INK, m->name);
    ems_svg_line(s, left, y, left + width, y, PALE, 1);
    draw_span(s, m->real_mean, m->real_deviation, low, unit, left, y + 4,
              REAL);
    draw_span(s, m->mean, m->deviation, low, unit, left, y - 4, COMPOSED);
    const double columns[3] = {m->mean, m->real_mean, m->overlap};
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, i < 2 ? "%.3g" : "%.2f", columns[i]);
        ems_svg_text(s, left + width + COLUMN * (i + 1), y + 4, 12,
                     EMS_SVG_END, INK, isfinite(columns[i]) ? text : "-");
    }
}

static void draw_measures(ems_svg *s, const ems_evaluation *e)
{
    const double left = SIDE + 240, width = 260;
    ems_svg_text(s, left + width / 2, 30, 14, EMS_SVG_MIDDLE, "#222",
                 "Music: mean and deviation");
    ems_svg_circle(s, left, 44, 4, COMPOSED, 1);
    ems_svg_text(s, left + 8, 48, 12, EMS_SVG_START, INK, "composed");
    ems_svg_circle(s, left + 90, 44, 4, REAL, 1);
    ems_svg_text(s, left + 98, 48, 12, EMS_SVG_START, INK, "real, held out");
    static const char *const head[3] = {"composed", "real", "overlap"};
    for (int i = 0; i < 3; i++)
        ems_svg_text(s, left + width + COLUMN * (i + 1), 48, 12, EMS_SVG_END,
                     "#777", head[i]);
    for (size_t i = 0; i < e->measures; i++)
        draw_measure(s, &e->measure[i], left, width, 72 + ROW * (double)i);
}

static void draw_boundaries(ems_svg *s, const ems_evaluation *e)
{
    const double left = 60, top = SIDE + 106, width = 130;
    ems_svg_text(s, left, top - 12, 14, EMS_SVG_START, "#222",
                 "Boundaries met by a chord within 1 s (dark: 100 ms)");
    for (int i = 0; i < EMS_EVALUATE_WAYS; i++) {
        const ems_boundary_row *r = &e->boundary[i];
        const double y = top + 20 * i;
        char text[96];
        ems_svg_text(s, left + 120, y + 11, 12, EMS_SVG_END, INK, r->name);
        ems_svg_rect(s, left + 130, y, width, 14, "#f1f1f1", 1);
        ems_svg_rect(s, left + 130, y, width * r->within_1s, 14, "#9ecae1",
                     1);
        ems_svg_rect(s, left + 130, y, width * r->within_100ms, 14, REAL, 1);
        snprintf(text, sizeof text, "%.0f %%, %.0f %%; %.0f chords a minute",
                 100 * r->within_1s, 100 * r->within_100ms,
                 r->chords_per_minute);
        ems_svg_text(s, left + 140 + width, y + 11, 12, EMS_SVG_START, INK,
                     text);
    }
}

static void draw_words(ems_svg *s, const ems_evaluation *e)
{
    double y = 72 + ROW * EMS_EVALUATE_MEASURES + 10;
    char text[256];
    if (e->parts & EMS_EVALUATE_NLL) {
        snprintf(text, sizeof text, "Held-out music: %.4f nats a token, top-1"
                 " %.3f, top-5 %.3f", e->nll[0].nll, e->nll[0].top1,
                 e->nll[0].top5);
        ems_svg_text(s, SIDE + 130, y, 13, EMS_SVG_START, INK, text);
        snprintf(text, sizeof text, "without offsets %.4f, with another"
                 " excerpt's %.4f; first %d tokens %.4f, without emotion %.4f",
                 e->nll[1].nll, e->nll[2].nll, EMS_EVALUATE_EARLY,
                 e->nll[0].early, e->nll[3].early);
        ems_svg_text(s, SIDE + 130, y + 20, 13, EMS_SVG_START, INK, text);
        y += 40;
    }
    if (e->parts & EMS_EVALUATE_NOVELTY) {
        snprintf(text, sizeof text, "Longest passage shared with the training"
                 " music: %.1f bars (limit %g), mean %.2f", e->longest.bars,
                 EMS_NOVELTY_BARS, e->shared_bars);
        ems_svg_text(s, SIDE + 130, y, 13, EMS_SVG_START, INK, text);
    }
}

int ems_evaluation_draw(const ems_evaluation *e, const char *svg,
                        ems_error *err)
{
    ems_svg s;
    const int code = ems_svg_open(&s, svg, WIDTH, HEIGHT, err);
    if (code < 0)
        return code;
    if (e->parts & EMS_EVALUATE_EMOTION)
        draw_emotion(&s, e);
    if (e->parts & EMS_EVALUATE_MUSIC)
        draw_measures(&s, e);
    if (e->parts & EMS_EVALUATE_BOUNDARIES)
        draw_boundaries(&s, e);
    draw_words(&s, e);
    return ems_svg_close(&s, err);
}

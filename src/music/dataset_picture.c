/* The report on a data set as a picture. */
#include "music/dataset_tally.h"

#include "base/svg.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 960, HEIGHT = 720, SHOWN_SOURCES = 12 };

/* Each cell as dark as bars of that valence and arousal are many. */
static void draw_affect(ems_svg *s, const ems_tally *t)
{
    const ems_plot p = {.svg = s, .left = 70, .top = 60, .width = 380,
                        .height = 300, .x0 = -1, .x1 = 1, .y0 = -1, .y1 = 1};
    double most = 0;
    for (int i = 0; i < EMS_TALLY_FINE * EMS_TALLY_FINE; i++)
        most = fmax(most, t->fine[i / EMS_TALLY_FINE][i % EMS_TALLY_FINE]);
    ems_plot_frame(&p, "Bars by valence and arousal", "valence", "arousal");
    const double w = p.width / EMS_TALLY_FINE, h = p.height / EMS_TALLY_FINE;
    for (int a = 0; a < EMS_TALLY_FINE; a++)
        for (int v = 0; v < EMS_TALLY_FINE; v++)
            if (t->fine[a][v] > 0)
                ems_svg_rect(s, p.left + v * w,
                             p.top + p.height - (a + 1) * h, w, h, "#246",
                             sqrt(t->fine[a][v] / most));
}

static void draw_tempo(ems_svg *s, const ems_tally *t)
{
    size_t most = 1;
    for (int i = 0; i < EMS_TALLY_TEMPOS; i++)
        most = t->tempos[i] > most ? t->tempos[i] : most;
    const ems_plot p = {.svg = s, .left = 540, .top = 60, .width = 380,
                        .height = 130, .x0 = 0,
                        .x1 = EMS_TALLY_TEMPOS * EMS_TALLY_BPM,
                        .y0 = 0, .y1 = (double)most * 1.1};
    ems_plot_frame(&p, "Pieces by tempo", "quarter notes a minute", NULL);
    for (int i = 0; i < EMS_TALLY_TEMPOS; i++)
        ems_plot_bar(&p, i * EMS_TALLY_BPM + 1, EMS_TALLY_BPM - 2,
                     (double)t->tempos[i], "#476");
}

/* Names on the left, bars, and a number behind each. */
static void draw_row(ems_svg *s, double top, double left, double width,
                     const char *name, double share, const char *text,
                     const char *fill)
{
    ems_svg_text(s, left - 8, top + 11, 12, EMS_SVG_END, "#222", name);
    ems_svg_rect(s, left, top, width * share, 14, fill, 1);
    ems_svg_text(s, left + width * share + 6, top + 11, 11, EMS_SVG_START,
                 "#555", text);
}

static void draw_families(ems_svg *s, const ems_build *b, const ems_tally *t)
{
    ems_svg_text(s, 540, 250, 14, EMS_SVG_START, "#000",
                 "Pieces in which a family sounds");
    for (int f = 0; f < EMS_FAMILIES; f++) {
        const double share = (double)t->families[f] / (double)b->count;
        char text[32];
        snprintf(text, sizeof text, "%d %%", (int)(share * 100 + 0.5));
        draw_row(s, 264 + 20 * f, 600, 260, ems_family_name[f], share, text,
                 "#a63");
    }
}

static void draw_sources(ems_svg *s, const ems_build *b, const ems_tally *t)
{
    ems_svg_text(s, 70, 430, 14, EMS_SVG_START, "#000",
                 "Hours and long chords a minute by source");
    for (size_t i = 0; i < t->sources.count && i < SHOWN_SOURCES; i++) {
        const ems_part *p = &t->sources.items[i];
        char text[64], name[33];
        ems_tally_text(name, sizeof name, b->words.items[p->word]);
        const double minutes = fmax(p->seconds / 60, 1e-9);
        snprintf(text, sizeof text, "%.2f h, %.1f", p->seconds / 3600,
                 (double)p->chords / minutes);
        draw_row(s, 444 + 20 * (double)i, 240, 540, name,
                 p->seconds / t->sources.items[0].seconds, text, "#546");
    }
}

int ems_build_picture(const ems_build *b, const ems_tally *t,
                      const char *path, ems_error *err)
{
    ems_svg s;
    const int code = ems_svg_open(&s, path, WIDTH, HEIGHT, err);
    if (code < 0)
        return code;
    char title[160];
    snprintf(title, sizeof title, "%zu pieces, %.1f hours, %.2f million"
             " tokens, %zu songs", b->count, t->seconds / 3600,
             (double)b->token_count / 1e6, b->songs);
    ems_svg_text(&s, 20, 26, 16, EMS_SVG_START, "#000", title);
    draw_affect(&s, t);
    draw_tempo(&s, t);
    draw_families(&s, b, t);
    draw_sources(&s, b, t);
    return ems_svg_close(&s, err);
}

#include "affect/mapping.h"
#include "emotion/page.h"

#include <math.h>

/* Charts are 1000 units wide and stretched to the page; what must not be
 * stretched, text, stands outside of them. */
enum { WIDTH = 1000, TALL = 150, LOW = 60 };
static const double QUIET = -60; /* LUFS at the foot of the loudness */
enum { MOST_TITLES = 200 };
static const double LEAST_FELT = 0.1; /* of a title, to be worth a word */

const char *const ems_page_colours[EMS_EKMAN] = {
    [EMS_ANGER] = "#cf4a4a", [EMS_DISGUST] = "#6f9e3f",
    [EMS_FEAR] = "#8364b5", [EMS_JOY] = "#edb22f",
    [EMS_SADNESS] = "#3f7fb8", [EMS_SURPRISE] = "#3bafa2",
};

int ems_page_strongest(const double p[EMS_EKMAN])
{
    int best = 0;
    for (int e = 1; e < EMS_EKMAN; e++)
        if (p[e] > p[best])
            best = e;
    return best;
}

static void at(FILE *out, const ems_analysis *a, double time, double y)
{
    ems_page_number(out, WIDTH * time / a->duration, 2);
    fputc(',', out);
    ems_page_number(out, y, 2);
    fputc(' ', out);
}

static void open_chart(FILE *out, const char *title, const char *label,
                       int height)
{
    fprintf(out, "<h2>%s</h2>\n<svg class=\"chart\" role=\"img\" aria-label="
            "\"%s\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\""
            " style=\"height:%dpx\">\n", title, label, WIDTH, height, height);
}

static void draw_cuts(FILE *out, const ems_analysis *a, int height)
{
    fputs("<path class=\"cut\" d=\"", out);
    for (size_t i = 0; i < a->cut_count; i++) {
        fputs("M", out);
        at(out, a, a->cuts[i].time, 0);
        fprintf(out, "v%d", height);
    }
    fputs("\"/>\n", out);
}

/* Under a chart: what stands at its left and right edge and between. */
static void close_chart(FILE *out, const ems_analysis *a, int height)
{
    enum { LABELS = 5 };
    draw_cuts(out, a, height);
    fputs("</svg>\n<div class=\"axis\">", out);
    for (int i = 0; i < LABELS; i++) {
        fputs("<span>", out);
        ems_page_time(out, a->duration * i / (LABELS - 1));
        fputs("</span>", out);
    }
    fputs("</div>\n", out);
}

static void box(FILE *out, const ems_analysis *a, double from, double to,
                double top, double height, const char *style)
{
    fputs("<rect x=\"", out);
    ems_page_number(out, WIDTH * from / a->duration, 2);
    fputs("\" width=\"", out);
    ems_page_number(out, WIDTH * (to - from) / a->duration, 2);
    fputs("\" y=\"", out);
    ems_page_number(out, top, 2);
    fputs("\" height=\"", out);
    ems_page_number(out, height, 2);
    fprintf(out, "\" %s/>\n", style);
}

/* The emotions before `e` and it itself, as heights from the top. */
static double height_of(const double p[EMS_EKMAN], int e)
{
    double below = 0;
    for (int k = 0; k < e; k++)
        below += p[k];
    return TALL * (1 - below);
}

static void draw_shots(FILE *out, const ems_analysis *a, int e)
{
    for (size_t i = 0; i < a->shot_count; i++) {
        const ems_shot *s = &a->shots[i];
        fputs("M", out);
        at(out, a, s->start, height_of(s->emotion, e));
        fputs("L", out);
        at(out, a, s->start, height_of(s->emotion, e + 1));
        at(out, a, s->end, height_of(s->emotion, e + 1));
        at(out, a, s->end, height_of(s->emotion, e));
        fputs("Z", out);
    }
}

/* At cuts two knots stand a millisecond apart, so that it jumps there. */
static void draw_moments(FILE *out, const ems_analysis *a, int e)
{
    fputs("M", out);
    for (size_t i = 0; i < a->knot_count; i++)
        at(out, a, a->curve[i].time,
           height_of(a->feelings[i].emotion, e + 1));
    for (size_t i = a->knot_count; i-- > 0;)
        at(out, a, a->curve[i].time, height_of(a->feelings[i].emotion, e));
    fputs("Z", out);
}

static void draw_emotions(FILE *out, const ems_analysis *a)
{
    open_chart(out, "Emotion", "Probabilities of six emotions over time,"
               " stacked", TALL);
    for (int e = 0; e < EMS_EKMAN; e++) {
        fprintf(out, "<path fill=\"%s\" d=\"", ems_page_colours[e]);
        if (a->feelings)
            draw_moments(out, a, e);
        else
            draw_shots(out, a, e);
        fputs("\"/>\n", out);
    }
    close_chart(out, a, TALL);
    fputs("<ul class=\"key\">", out);
    for (int e = 0; e < EMS_EKMAN; e++) {
        fprintf(out, "<li><i style=\"background:%s\"></i>%s ",
                ems_page_colours[e], ems_emotion_names[e]);
        ems_page_number(out, 100 * a->emotion[e], 0);
        fputs(" %</li>", out);
    }
    fputs("</ul>\n", out);
}

static double on_curve(double x)
{
    return TALL * (0.5 - 0.48 * fmin(fmax(x, -1), 1));
}

/* What each may be off by. */
static void draw_band(FILE *out, const ems_analysis *a, int arousal,
                      const char *class)
{
    fprintf(out, "<path class=\"band %s\" d=\"M", class);
    for (size_t i = 0; i < a->knot_count; i++)
        at(out, a, a->curve[i].time,
           on_curve(arousal ? a->curve[i].arousal + a->feelings[i].arousal_sd
                            : a->curve[i].valence +
                                  a->feelings[i].valence_sd));
    for (size_t i = a->knot_count; i-- > 0;)
        at(out, a, a->curve[i].time,
           on_curve(arousal ? a->curve[i].arousal - a->feelings[i].arousal_sd
                            : a->curve[i].valence -
                                  a->feelings[i].valence_sd));
    fputs("Z\"/>\n", out);
}

static void draw_line(FILE *out, const ems_analysis *a, int arousal,
                      const char *class)
{
    fprintf(out, "<polyline class=\"%s\" points=\"", class);
    for (size_t i = 0; i < a->knot_count; i++) {
        const ems_knot *k = &a->curve[i];
        at(out, a, k->time,
           on_curve(arousal ? k->arousal : k->valence));
    }
    fputs("\"/>\n", out);
}

static void draw_curve(FILE *out, const ems_analysis *a)
{
    open_chart(out, "Valence and arousal", "Curves of valence and arousal"
               " from -1 to 1 over time", TALL);
    fprintf(out, "<path class=\"zero\" d=\"M0,%d H%d\"/>\n", TALL / 2, WIDTH);
    if (a->feelings) {
        draw_band(out, a, 0, "valence");
        draw_band(out, a, 1, "arousal");
    }
    draw_line(out, a, 0, "valence");
    draw_line(out, a, 1, "arousal");
    close_chart(out, a, TALL);
    fputs("<ul class=\"key\"><li><b class=\"valence\"></b>valence: unpleasant"
          " (\xe2\x88\x92" "1) to pleasant (1)</li><li><b class=\"arousal\">"
          "</b>arousal: calm (\xe2\x88\x92" "1) to excited (1)</li>", out);
    if (a->feelings)
        fputs("<li>shaded: one standard deviation to each side</li>", out);
    fputs("</ul>\n", out);
}

static double share(const ems_analysis *a, const ems_stretch *s, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += s[i].to - s[i].from;
    return 100 * sum / a->duration;
}

static void draw_loudness(FILE *out, const ems_analysis *a)
{
    fputs("<path class=\"loud\" d=\"M", out);
    at(out, a, 0, LOW);
    fputs("L", out);
    for (size_t i = 0; i < a->loudness_count; i++) {
        const double from = (double)i * a->loudness_step;
        const double level = ((double)a->loudness[i] - QUIET) / (0 - QUIET);
        const double y = LOW * (1 - fmin(fmax(level, 0), 1));
        at(out, a, fmin(from, a->duration), y);
        at(out, a, fmin(from + a->loudness_step, a->duration), y);
    }
    at(out, a, a->duration, LOW);
    fputs("Z\"/>\n", out);
}

static void draw_sound(FILE *out, const ems_analysis *a)
{
    enum { BAR = 12, HEIGHT = LOW + 2 * BAR + 12 };
    if (a->loudness_count == 0) {
        fputs("<h2>Sound</h2>\n<p>The film is silent or has no sound.</p>\n",
              out);
        return;
    }
    open_chart(out, "Sound", "Loudness over time, and where there is speech"
               " and music", HEIGHT);
    draw_loudness(out, a);
    for (size_t i = 0; i < a->speech_count; i++)
        box(out, a, a->speech[i].from, a->speech[i].to, LOW + 6, BAR,
            "class=\"speech\"");
    for (size_t i = 0; i < a->music_count; i++)
        box(out, a, a->music[i].from, a->music[i].to, LOW + BAR + 12, BAR,
            "class=\"music\"");
    close_chart(out, a, HEIGHT);
    fputs("<ul class=\"key\"><li><i class=\"loud\"></i>loudness, "
          "\xe2\x88\x92" "60 to 0 LUFS; whole film ", out);
    ems_page_number(out, a->loudness_whole, 1);
    fputs(" LUFS</li><li><i class=\"speech\"></i>speech ", out);
    ems_page_number(out, share(a, a->speech, a->speech_count), 0);
    fputs(" % of the time</li><li><i class=\"music\"></i>music ", out);
    ems_page_number(out, share(a, a->music, a->music_count), 0);
    fputs(" %</li></ul>\n", out);
}

static void write_title(FILE *out, const ems_title *t)
{
    const int top = ems_page_strongest(t->emotion);
    fputs("<li><em>", out);
    ems_page_time(out, t->from);
    fputs("</em> ", out);
    ems_page_text(out, t->text);
    if (t->emotion[top] >= LEAST_FELT) {
        fprintf(out, " <span class=\"note\"><i style=\"background:%s\"></i>%s ",
                ems_page_colours[top], ems_emotion_names[top]);
        ems_page_number(out, 100 * t->emotion[top], 0);
        fputs(" %</span>", out);
    }
    fputs("</li>\n", out);
}

static void draw_words(FILE *out, const ems_analysis *a)
{
    enum { HEIGHT = 24 };
    if (a->title_count == 0)
        return;
    open_chart(out, "Words in the pictures", "When words are to be seen",
               HEIGHT);
    for (size_t i = 0; i < a->title_count; i++)
        box(out, a, a->titles[i].from, a->titles[i].to, 6, HEIGHT - 12,
            "class=\"words\"");
    close_chart(out, a, HEIGHT);
    fputs("<ul class=\"said\">\n", out);
    for (size_t i = 0; i < a->title_count && i < MOST_TITLES; i++)
        write_title(out, &a->titles[i]);
    fputs("</ul>\n", out);
    if (a->title_count > MOST_TITLES)
        fprintf(out, "<p class=\"note\">The first %d of %zu.</p>\n",
                (int)MOST_TITLES, a->title_count);
}

void ems_page_charts(FILE *out, const ems_analysis *a)
{
    fputs("<section aria-label=\"Over time\">\n", out);
    draw_emotions(out, a);
    draw_curve(out, a);
    draw_sound(out, a);
    draw_words(out, a);
    fputs("<p class=\"note\">Thin upright lines are cuts, dissolves and"
          " fades.</p>\n</section>\n", out);
}

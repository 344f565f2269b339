/* The result of training a fusion: text, JSON, picture. */
#include "affect/mapping.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/svg.h"
#include "emotion/train_fusion.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Text --------------------------------------------------------------- */

typedef struct page {
    char *text;
    size_t size, used;
} page;

__attribute__((format(printf, 2, 3)))
static void put(page *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(p->text + p->used, p->size - p->used, format,
                            args);
    va_end(args);
    if (n > 0)
        p->used += (size_t)n < p->size - p->used ? (size_t)n
                                                 : p->size - p->used - 1;
}

static void put_emotions(page *p, const ems_fusion_scores *s)
{
    put(p, "  accuracy %.3f, macro F1 %.3f\n  %-10s", s->accuracy,
        s->macro_f1, "label");
    for (int i = 0; i < EMS_EKMAN; i++)
        put(p, " %8s", ems_emotion_names[i]);
    put(p, "       F1\n");
    for (int t = 0; t < EMS_EKMAN; t++) {
        put(p, "  %-10s", ems_emotion_names[t]);
        for (int i = 0; i < EMS_EKMAN; i++)
            put(p, " %8zu", s->confusion[t][i]);
        put(p, " %8.3f\n", s->emotion_f1[t]);
    }
}

static void put_affect(page *p, const ems_fusion_scores *s)
{
    static const char *const NAME[2] = {"valence", "arousal"};
    for (int i = 0; i < 2; i++)
        put(p, "  %s: r %.3f, concordance %.3f, off by %.3f (rms)\n", NAME[i],
            s->r[i], s->ccc[i], s->rmse[i]);
}

static void put_genres(page *p, const ems_fusion_scores *s,
                       const char genre[][32])
{
    put(p, "  mAP %.3f, precision %.3f, recall %.3f (macro, at 0.5)\n", s->map,
        s->precision, s->recall);
    put(p, "  %-20s %8s %8s %9s %8s\n", "genre", "clips", "AP", "precision",
        "recall");
    for (size_t g = 0; g < s->genres; g++)
        put(p, "  %-20s %8zu %8.3f %9.3f %8.3f\n", genre[g],
            s->genre_clips[g], s->ap[g], s->genre_precision[g],
            s->genre_recall[g]);
}

static void put_scores(page *p, const char *title, const ems_fusion_scores *s,
                       const char genre[][32])
{
    if (!s->clips)
        return;
    put(p, "%s (%zu clips)\n", title, s->clips);
    if (!isnan(s->accuracy))
        put_emotions(p, s);
    if (!isnan(s->rmse[0]))
        put_affect(p, s);
    if (!isnan(s->map))
        put_genres(p, s, genre);
}

void ems_fusion_result_text(const ems_fusion_result *r, char *text,
                            size_t size)
{
    page p = {.text = text, .size = size};
    if (!size)
        return;
    text[0] = '\0';
    put(&p, "%llu parameters; %zu clips to learn from, %zu to validate, %zu"
        " to test, %zu passed over\n", (unsigned long long)r->parameters,
        r->clips[0], r->clips[1], r->clips[2], r->passed_over);
    put_scores(&p, "each by a fusion that saw none of its group", &r->folds,
               r->genre);
    put_scores(&p, "validation", &r->valid, r->genre);
    put_scores(&p, "test", &r->test, r->genre);
}

/* ---- JSON --------------------------------------------------------------- */

static json_t *number(double x)
{
    return isfinite(x) ? ems_json_real(x, 4) : json_null();
}

static json_t *pair(const double x[2])
{
    return json_pack("{s:o, s:o}", "valence", number(x[0]), "arousal",
                     number(x[1]));
}

static json_t *emotions_json(const ems_fusion_scores *s)
{
    json_t *o = json_object(), *rows = json_object(), *f1 = json_object();
    for (int t = 0; t < EMS_EKMAN; t++) {
        json_t *row = json_array();
        for (int i = 0; i < EMS_EKMAN; i++)
            json_array_append_new(row, json_integer(
                (json_int_t)s->confusion[t][i]));
        json_object_set_new(rows, ems_emotion_names[t], row);
        json_object_set_new(f1, ems_emotion_names[t],
                            number(s->emotion_f1[t]));
    }
    json_object_set_new(o, "accuracy", number(s->accuracy));
    json_object_set_new(o, "macro_f1", number(s->macro_f1));
    json_object_set_new(o, "f1", f1);
    json_object_set_new(o, "confusion", rows);
    return o;
}

static json_t *genres_json(const ems_fusion_scores *s, const char genre[][32])
{
    json_t *o = json_object(), *each = json_object();
    for (size_t g = 0; g < s->genres; g++)
        json_object_set_new(each, genre[g], json_pack(
            "{s:I, s:o, s:o, s:o}", "clips", (json_int_t)s->genre_clips[g],
            "ap", number(s->ap[g]), "precision", number(s->genre_precision[g]),
            "recall", number(s->genre_recall[g])));
    json_object_set_new(o, "map", number(s->map));
    json_object_set_new(o, "precision", number(s->precision));
    json_object_set_new(o, "recall", number(s->recall));
    json_object_set_new(o, "each", each);
    return o;
}

static void add_scores(json_t *root, const char *key,
                       const ems_fusion_scores *s, const char genre[][32])
{
    if (!s->clips)
        return;
    json_t *o = json_object();
    json_object_set_new(o, "clips", json_integer((json_int_t)s->clips));
    if (!isnan(s->accuracy))
        json_object_set_new(o, "emotions", emotions_json(s));
    if (!isnan(s->rmse[0]))
        json_object_set_new(o, "affect", json_pack(
            "{s:o, s:o, s:o}", "r", pair(s->r), "ccc", pair(s->ccc), "rmse",
            pair(s->rmse)));
    if (!isnan(s->map))
        json_object_set_new(o, "genres", genres_json(s, genre));
    json_object_set_new(root, key, o);
}

static int write_json(const ems_fusion_result *r, const char *path,
                      ems_error *err)
{
    json_t *root = json_pack(
        "{s:s, s:i, s:I, s:{s:I, s:I, s:I}, s:I, s:i, s:o, s:o}", "format",
        "emsync-fusion-report", "version", 1, "parameters",
        (json_int_t)r->parameters, "clips", "train", (json_int_t)r->clips[0],
        "valid", (json_int_t)r->clips[1], "test", (json_int_t)r->clips[2],
        "passed_over", (json_int_t)r->passed_over, "epoch", r->epoch,
        "extraction_seconds", number(r->extraction), "seconds",
        number(r->seconds));
    if (!root)
        return ems_out_of_memory(err);
    add_scores(root, "folds", &r->folds, r->genre);
    add_scores(root, "valid", &r->valid, r->genre);
    add_scores(root, "test", &r->test, r->genre);
    const int code = ems_json_save(root, path, err);
    json_decref(root);
    return code;
}

/* ---- Picture ------------------------------------------------------------ */

enum { CELL = 64, LEFT = 110, TOP = 90, BAR = 22, WIDTH = 640 };
#define INK "#333"
#define BLUE "#2c7fb8"

/* Each row's shares as shades, with the counts. */
static double draw_confusion(ems_svg *s, const ems_fusion_scores *x,
                             double top)
{
    char text[32];
    for (int t = 0; t < EMS_EKMAN; t++) {
        size_t all = 0;
        for (int i = 0; i < EMS_EKMAN; i++)
            all += x->confusion[t][i];
        const double y = top + CELL * t;
        ems_svg_text(s, LEFT - 8, y + CELL / 2.0 + 4, 13, EMS_SVG_END, INK,
                     ems_emotion_names[t]);
        ems_svg_text(s, LEFT + CELL * (t + 0.5), top - 8, 13, EMS_SVG_MIDDLE,
                     INK, ems_emotion_names[t]);
        for (int i = 0; i < EMS_EKMAN; i++) {
            const double share = all ? (double)x->confusion[t][i] /
                                       (double)all : 0;
            ems_svg_rect(s, LEFT + CELL * i, y, CELL - 1, CELL - 1, BLUE,
                         share);
            snprintf(text, sizeof text, "%zu", x->confusion[t][i]);
            ems_svg_text(s, LEFT + CELL * (i + 0.5), y + CELL / 2.0 + 5, 14,
                         EMS_SVG_MIDDLE, share > 0.6 ? "#fff" : INK, text);
        }
    }
    return top + CELL * EMS_EKMAN + 50;
}

static double draw_bar(ems_svg *s, const char *name, double value, double y)
{
    char text[32];
    const double width = WIDTH - LEFT - 130;
    snprintf(text, sizeof text, "%.3f", value);
    ems_svg_text(s, LEFT + 40, y + 14, 13, EMS_SVG_END, INK, name);
    ems_svg_rect(s, LEFT + 50, y, width, BAR - 6, "#eee", 1);
    if (isfinite(value) && value > 0)
        ems_svg_rect(s, LEFT + 50, y, width * fmin(value, 1), BAR - 6, BLUE,
                     1);
    ems_svg_text(s, WIDTH - 14, y + 14, 13, EMS_SVG_END, INK,
                 isfinite(value) ? text : "-");
    return y + BAR;
}

static const ems_fusion_scores *judged(const ems_fusion_result *r,
                                       const char **how)
{
    *how = r->folds.clips ? "clips of groups not seen"
         : r->test.clips  ? "test clips" : "validation clips";
    return r->folds.clips ? &r->folds : r->test.clips ? &r->test : &r->valid;
}

static double height_of(const ems_fusion_scores *s)
{
    return TOP + (isnan(s->accuracy) ? 0 : CELL * EMS_EKMAN + 50) +
           BAR * (isnan(s->rmse[0]) ? 0 : 2) +
           BAR * (isnan(s->map) ? 0.0 : (double)s->genres + 1) + 20;
}

static int write_picture(const ems_fusion_result *r, const char *path,
                         ems_error *err)
{
    ems_svg s;
    const char *how;
    char title[160];
    const ems_fusion_scores *x = judged(r, &how);
    double y = TOP;
    if (ems_svg_open(&s, path, WIDTH, height_of(x), err) < 0)
        return err ? err->code : EMS_EIO;
    snprintf(title, sizeof title, "%zu %s", x->clips, how);
    ems_svg_text(&s, LEFT, 32, 17, EMS_SVG_START, INK, title);
    if (!isnan(x->accuracy)) {
        snprintf(title, sizeof title, "accuracy %.3f, macro F1 %.3f; rows:"
                 " label, columns: said", x->accuracy, x->macro_f1);
        ems_svg_text(&s, LEFT, 54, 13, EMS_SVG_START, INK, title);
        y = draw_confusion(&s, x, y);
    }
    if (!isnan(x->rmse[0])) {
        y = draw_bar(&s, "r of valence", x->r[0], y);
        y = draw_bar(&s, "r of arousal", x->r[1], y);
    }
    if (!isnan(x->map))
        y = draw_bar(&s, "mAP", x->map, y);
    for (size_t g = 0; !isnan(x->map) && g < x->genres; g++)
        y = draw_bar(&s, r->genre[g], x->ap[g], y);
    return ems_svg_close(&s, err);
}

/* ---- All ---------------------------------------------------------------- */

static int write_text(const ems_fusion_result *r, const char *path,
                      ems_error *err)
{
    char text[16384];
    ems_fusion_result_text(r, text, sizeof text);
    return ems_file_write(path, text, strlen(text), err);
}

int ems_fusion_report(const ems_fusion_result *r,
                      const ems_fusion_train_options *o, ems_error *err)
{
    int code = EMS_OK;
    if (o->report)
        code = write_json(r, o->report, err);
    if (code == EMS_OK && o->report_text)
        code = write_text(r, o->report_text, err);
    if (code == EMS_OK && o->picture)
        code = write_picture(r, o->picture, err);
    return code;
}

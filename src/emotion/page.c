#include "emotion/page.h"

#include "affect/mapping.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/mem.h"
#include "media/jpeg.h"

#include <math.h>

/* Beyond so many shots only every second, third ... is shown. */
enum { MOST_CARDS = 300, THUMB_WIDTH = 240 };

static const char STYLE[] =
    ":root{color-scheme:light dark;--back:#fbfaf8;--ink:#23211f;--soft:#6b6660;"
    "--line:#dcd7cf;--card:#fff;--cut:#0003;--v:#b4552d;--a:#2d6a9f;"
    "--loud:#9a958d;--speech:#c2693f;--music:#4b7f52;"
    "--words:#7a5c9e}"
    "@media(prefers-color-scheme:dark){:root{--back:#181716;--ink:#ece8e2;"
    "--soft:#a39d94;--line:#3a3733;--card:#211f1d;--cut:#fff3;--v:#e58a5f;"
    "--a:#6fb1e6;--loud:#77726a;--speech:#dd8a5e;--music:#7cb583;"
    "--words:#b197d6}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:66rem;padding:2rem 1.25rem 4rem;background:"
    "var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}"
    "h2{font-size:1.05rem;margin:2.2rem 0 .5rem}"
    "p{margin:.3rem 0;max-width:44rem}.note,.facts{color:var(--soft);"
    "font-size:.92rem}"
    ".chart{display:block;width:100%;background:var(--card);border:1px solid"
    " var(--line);border-radius:4px}"
    ".chart path,.chart polyline{vector-effect:non-scaling-stroke}"
    ".cut{stroke:var(--cut);stroke-width:1}.zero{stroke:var(--line)}"
    "polyline{fill:none;stroke-width:2;stroke-linejoin:round}"
    "polyline.valence{stroke:var(--v)}"
    "polyline.arousal{stroke:var(--a);stroke-dasharray:6 3}"
    ".loud{fill:var(--loud);background:var(--loud)}"
    ".speech{fill:var(--speech);background:var(--speech)}"
    ".words{fill:var(--words)}"
    ".band{opacity:.13}.band.valence{fill:var(--v)}"
    ".band.arousal{fill:var(--a)}"
    ".said{list-style:none;padding:0;margin:.5rem 0;font-size:.92rem}"
    ".said li{overflow-wrap:anywhere}.said em{display:inline-block;"
    "min-width:4.2em;font-style:normal;color:var(--soft);"
    "font-variant-numeric:tabular-nums}"
    ".said i{display:inline-block;width:.7em;height:.7em;border-radius:50%;"
    "margin:0 .3em 0 .4em}"
    ".music{fill:var(--music);background:var(--music)}"
    ".axis{display:flex;justify-content:space-between;color:var(--soft);"
    "font-size:.8rem;font-variant-numeric:tabular-nums;margin-top:.15rem}"
    ".key{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;"
    "padding:0;margin:.5rem 0;font-size:.88rem}"
    ".key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;"
    "margin-right:.4em}"
    ".key b{display:inline-block;width:1.6em;height:0;vertical-align:middle;"
    "margin-right:.4em;border-top:2px solid var(--v)}"
    ".key b.arousal{border-top:2px dashed var(--a)}"
    ".shots{display:grid;grid-template-columns:repeat(auto-fill,minmax(10rem,"
    "1fr));gap:1rem;list-style:none;padding:0;margin:.6rem 0}"
    ".shots li{background:var(--card);border:1px solid var(--line);"
    "border-radius:4px;overflow:hidden;font-size:.85rem;line-height:1.35}"
    ".shots img,.shots .none{display:block;width:100%;aspect-ratio:16/9;"
    "object-fit:cover;background:#000}"
    ".shots div.text{padding:.45rem .6rem .55rem}"
    ".shots em{display:block;font-style:normal;color:var(--soft);"
    "font-variant-numeric:tabular-nums}"
    ".shots i{display:inline-block;width:.7em;height:.7em;border-radius:50%;"
    "margin-right:.35em}"
    "table{border-collapse:collapse;font-size:.9rem;width:100%}"
    "th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid"
    " var(--line);vertical-align:top}"
    "th{white-space:nowrap}td{overflow-wrap:anywhere}"
    "td.took{white-space:nowrap;text-align:right;padding-right:0;"
    "font-variant-numeric:tabular-nums}th:last-child{text-align:right;"
    "padding-right:0}";

/* ---- Pictures of the shots ---------------------------------------------- */

typedef struct jpeg {
    uint8_t *data;
    size_t size;
} jpeg;

typedef struct thumbs {
    const ems_analysis *a;
    jpeg *of;      /* [shot_count] */
    size_t step;   /* every so many shots has one */
    size_t next;   /* the shot that waits for its picture */
} thumbs;

/* The first still from the middle of the shot on, or before its end. */
static int on_still(void *user, const ems_still *still, ems_error *err)
{
    thumbs *t = user;
    const ems_analysis *a = t->a;
    while (t->next < a->shot_count) {
        const ems_shot *s = &a->shots[t->next];
        if (still->time < (s->start + s->end) / 2)
            return EMS_OK;
        jpeg *j = &t->of[t->next];
        t->next += t->step;
        if (still->time >= s->end && s->end < a->duration)
            continue; /* too short for the grid of stills */
        return ems_jpeg_encode(still, THUMB_WIDTH, &j->data, &j->size, err);
    }
    return EMS_OK;
}

static int on_video(void *user, const ems_frame *frame, ems_error *err)
{
    (void)user, (void)frame, (void)err;
    return EMS_OK;
}

static int take_thumbs(thumbs *t, const char *video, const ems_run *run,
                       ems_error *err)
{
    const ems_media_sink sink = {
        .user = t, .video = on_video, .still = on_still,
        .still_seconds = 0.1, .thumb_seconds = 1e9,
    };
    ems_media_info info;
    t->of = ems_alloc(t->a->shot_count, sizeof *t->of);
    if (!t->of)
        return ems_out_of_memory(err);
    return video && t->a->fps > 0
               ? ems_media_decode(video, &sink, &info, run, err) : EMS_OK;
}

static void free_thumbs(thumbs *t)
{
    for (size_t i = 0; t->of && i < t->a->shot_count; i++)
        ems_free(t->of[i].data);
    ems_free(t->of);
}

/* ---- The page ----------------------------------------------------------- */

static void write_head(FILE *out, const ems_analysis *a)
{
    const int top = ems_page_strongest(a->emotion);
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset="
          "\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width,"
          " initial-scale=1\"/>\n<meta http-equiv=\"Content-Security-Policy\""
          " content=\"default-src 'none'; img-src data:; style-src"
          " 'unsafe-inline'\"/>\n<title>", out);
    ems_page_text(out, a->source);
    fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", STYLE);
    ems_page_text(out, a->source);
    fputs("</h1>\n<p class=\"facts\">", out);
    ems_page_time(out, a->duration);
    if (a->fps > 0) {
        fprintf(out, " long, %d \xc3\x97 %d, ", a->width, a->height);
        ems_page_number(out, a->fps, 2);
        fprintf(out, " frames a second, %zu shot%s", a->shot_count,
                a->shot_count == 1 ? "" : "s");
    } else {
        fputs(" long, sound alone", out);
    }
    fprintf(out, "</p>\n<p>Above all <strong>%s</strong> (",
            ems_emotion_names[top]);
    ems_page_number(out, 100 * a->emotion[top], 0);
    fputs(" %), over the whole film.</p>\n", out);
}

static const char *const CHANGE[] = {
    [EMS_CUT] = "cut", [EMS_DISSOLVE] = "dissolve",
    [EMS_FADE_IN] = "fade in", [EMS_FADE_OUT] = "after a fade out",
};

static void write_thumb(FILE *out, const ems_shot *s, size_t number,
                        const jpeg *picture)
{
    if (!picture->data) {
        fputs("<div class=\"none\"></div>", out);
        return;
    }
    fprintf(out, "<img alt=\"Shot %zu at ", number);
    ems_page_time(out, (s->start + s->end) / 2);
    fputs("\" src=\"data:image/jpeg;base64,", out);
    ems_base64_write(out, picture->data, picture->size);
    fputs("\"/>", out);
}

static void write_card(FILE *out, const ems_analysis *a, size_t i,
                       const jpeg *picture)
{
    const ems_shot *s = &a->shots[i];
    const int top = ems_page_strongest(s->emotion);
    fputs("<li>", out);
    if (a->fps > 0)
        write_thumb(out, s, i + 1, picture);
    fprintf(out, "<div class=\"text\"><em>%zu \xc2\xb7 ", i + 1);
    ems_page_time(out, s->start);
    fputs(" \xe2\x80\x93 ", out);
    ems_page_time(out, s->end);
    for (size_t k = 0; k < a->cut_count; k++)
        if (fabs(a->cuts[k].time - s->start) < 1e-6)
            fprintf(out, " \xc2\xb7 %s", CHANGE[a->cuts[k].kind]);
    fprintf(out, "</em><i style=\"background:%s\"></i>%s ",
            ems_page_colours[top], ems_emotion_names[top]);
    ems_page_number(out, 100 * s->emotion[top], 0);
    fputs(" %<em>valence ", out);
    ems_page_number(out, s->valence, 2);
    fputs("</em><em>arousal ", out);
    ems_page_number(out, s->arousal, 2);
    fputs("</em></div></li>\n", out);
}

static void write_expert(FILE *out, const ems_expert_said *e)
{
    fputs("<tr><th scope=\"row\">", out);
    ems_page_text(out, e->name);
    fputs("</th><td>", out);
    ems_page_text(out, e->modality);
    fputs("</td><td>", out);
    if (e->why[0]) {
        fputs("left out: ", out);
        ems_page_text(out, e->why);
    } else {
        ems_page_text(out, e->says);
        fprintf(out, " <span class=\"note\">(%zu moment%s)</span>", e->rows,
                e->rows == 1 ? "" : "s");
    }
    fputs("</td><td class=\"took\">", out);
    if (e->cached)
        fputs("cached", out);
    else if (e->seconds > 0) {
        ems_page_number(out, e->seconds, 1);
        fputs(" s", out);
    }
    fputs("</td></tr>\n", out);
}

static void write_experts(FILE *out, const ems_analysis *a)
{
    fputs("<section aria-label=\"Experts\">\n<h2>What the experts said</h2>\n",
          out);
    if (a->expert_count == 0)
        fputs("<p class=\"note\">No pretrained networks were asked; light,"
              " colour, motion, editing and sound alone speak here.</p>\n",
              out);
    else
        fputs("<table>\n<tr><th scope=\"col\">Expert</th><th scope=\"col\">"
              "Looks at</th><th scope=\"col\">Says</th><th scope=\"col\">"
              "Took</th></tr>\n", out);
    for (size_t i = 0; i < a->expert_count; i++)
        write_expert(out, &a->experts[i]);
    fputs(a->expert_count ? "</table>\n</section>\n" : "</section>\n", out);
}

static void write_page(FILE *out, const thumbs *t)
{
    const ems_analysis *a = t->a;
    write_head(out, a);
    ems_page_charts(out, a);
    write_experts(out, a);
    fputs("<section aria-label=\"Shots\">\n<h2>Shots</h2>\n", out);
    if (t->step > 1)
        fprintf(out, "<p class=\"note\">One in %zu is shown.</p>\n", t->step);
    fputs("<ol class=\"shots\">\n", out);
    for (size_t i = 0; i < a->shot_count; i += t->step)
        write_card(out, a, i, &t->of[i]);
    fputs("</ol>\n</section>\n<p class=\"note\">EMSYNC " EMS_VERSION
          "</p>\n</body>\n</html>\n", out);
}

int ems_analysis_page(const ems_analysis *a, const char *video,
                      const char *html, const ems_run *run, ems_error *err)
{
    ems_error own;
    ems_output out;
    thumbs t = {.a = a, .step = 1 + a->shot_count / MOST_CARDS};
    if (!err)
        err = &own;
    int code = take_thumbs(&t, video, run, err);
    if (code == EMS_OK)
        code = ems_output_open(&out, html, err);
    if (code == EMS_OK) {
        write_page(out.file, &t);
        code = ems_output_commit(&out, err);
    }
    free_thumbs(&t);
    return code;
}

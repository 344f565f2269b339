#include "emotion/watch.h"

#include "base/mem.h"
#include "emotion/experts.h"
#include "emotion/grammar.h"
#include "emotion/picture.h"

#include <math.h>
#include <string.h>
#include <strings.h>

int ems_is_picture(const char *path)
{
    static const char *const SUFFIX[] = {".jpg", ".jpeg", ".png", ".webp",
                                         ".bmp", NULL};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && SUFFIX[i]; i++)
        if (strcasecmp(dot, SUFFIX[i]) == 0)
            return 1;
    return 0;
}

/* "scene" in "faces,scene"? NULL lists all. */
static int listed(const char *list, const char *name)
{
    const size_t n = strlen(name);
    if (!list || strcmp(list, "all") == 0)
        return 1;
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && strncmp(p, name, n) == 0)
            return 1;
    return 0;
}

/* Rows of the networks whose times lie in [from, to). */
static int add_senses(ems_parts *p, const ems_senses *s, double from,
                      double to, size_t rows, ems_error *err)
{
    int code = EMS_OK;
    for (size_t i = 0; i < ems_senses_count(s) && code == EMS_OK; i++) {
        const ems_sense *e = ems_senses_at(s, i);
        size_t first = 0, n = 0;
        if (e->why[0] || !e->dim || e->dim > EMS_FUSION_MOST_DIM)
            continue;
        while (first < e->rows && e->times[first] < from)
            first++;
        while (first + n < e->rows && e->times[first + n] < to)
            n++;
        code = ems_parts_add(p, e->name, e->sha256, e->dim, n,
                             n ? e->values + first * e->dim : NULL, rows,
                             err);
    }
    return code;
}

static int add_grammar(ems_parts *p, const ems_grammar *g,
                       const char *experts, size_t rows, ems_error *err)
{
    int code = EMS_OK;
    if (listed(experts, "grammar"))
        code = ems_parts_add(p, "grammar", EMS_GRAMMAR_ID, EMS_GRAMMAR_DIM,
                             g->has_picture ? g->rows : 0, g->picture, rows,
                             err);
    if (code == EMS_OK && listed(experts, "tone"))
        code = ems_parts_add(p, "tone", EMS_TONE_ID, EMS_TONE_DIM,
                             g->has_sound ? g->rows : 0, g->sound, rows,
                             err);
    return code;
}

int ems_watch_list(ems_parts *p, const char *experts, const ems_run *run,
                   ems_error *err)
{
    *p = (ems_parts){0};
    const ems_grammar none = {0};
    ems_senses *s = ems_senses_new(experts, run, err);
    int code = s ? add_grammar(p, &none, experts, 1, err) : EMS_ENOMEM;
    if (code == EMS_OK)
        code = add_senses(p, s, 0, -1, 1, err);
    ems_senses_free(s);
    if (code < 0)
        ems_parts_clear(p);
    return code;
}

/* ---- A film ------------------------------------------------------------- */

static int watch_film(ems_parts *p, const char *film, const char *experts,
                      size_t rows, const ems_run *run, ems_error *err)
{
    ems_grammar g = {0};
    ems_senses *s = ems_senses_new(experts, run, err);
    int code = s ? ems_senses_watch(s, film, err) : EMS_ENOMEM;
    if (code == EMS_OK)
        code = ems_grammar_watch(&g, film, run, err);
    if (code == EMS_OK)
        code = add_grammar(p, &g, experts, rows, err);
    if (code == EMS_OK)
        code = add_senses(p, s, -INFINITY, INFINITY, rows, err);
    ems_grammar_clear(&g);
    ems_senses_free(s);
    return code;
}

/* ---- Pictures ----------------------------------------------------------- */

/* Views of a picture are four seconds apart, as far as any expert waits
 * between two looks; pictures lie behind each other as in one film. */
enum { VIEWS = 2 };
static const double VIEW_GAP = 4;

typedef struct looking {
    ems_senses *senses;
    ems_features features; /* of the picture that was shown last */
    size_t index;
} looking;

static int show(looking *l, const ems_still *whole, int view, ems_error *err)
{
    const int share = view == 0 ? 4 : 3; /* quarters */
    const int right = view > 0 && l->index % 2, low = view > 0 && l->index & 2;
    ems_still crop = {
        .time = VIEW_GAP * (double)(l->index * VIEWS + (size_t)view),
        .width = whole->width * share / 4,
        .height = whole->height * share / 4};
    const int x = right ? whole->width - crop.width : 0;
    const int y = low ? whole->height - crop.height : 0;
    if (crop.width < 1 || crop.height < 1)
        return EMS_OK;
    uint8_t *rgb = ems_alloc((size_t)crop.width * (size_t)crop.height, 3);
    if (!rgb)
        return ems_out_of_memory(err);
    for (int i = 0; i < crop.height; i++)
        memcpy(rgb + 3 * i * crop.width,
               whole->rgb + 3 * ((y + i) * whole->width + x),
               3 * (size_t)crop.width);
    crop.rgb = rgb;
    const int code = ems_senses_still(l->senses, &crop, err);
    ems_free(rgb);
    return code;
}

/* Averaged down to a thumbnail. */
static void shrink(uint8_t *to, const ems_still *s)
{
    for (int y = 0; y < EMS_THUMB_H; y++)
        for (int x = 0; x < EMS_THUMB_W; x++) {
            const int x0 = x * s->width / EMS_THUMB_W;
            const int y0 = y * s->height / EMS_THUMB_H;
            const int x1 = (x + 1) * s->width / EMS_THUMB_W;
            const int y1 = (y + 1) * s->height / EMS_THUMB_H;
            int sum[3] = {0}, n = 0;
            for (int j = y0; j < y1 || j == y0; j++)
                for (int i = x0; i < x1 || i == x0; i++, n++)
                    for (int c = 0; c < 3; c++)
                        sum[c] += s->rgb[3 * (j * s->width + i) + c];
            for (int c = 0; c < 3; c++)
                *to++ = (uint8_t)(sum[c] / n);
        }
}

/* Nothing moves in a picture, and it lasts no time: those are not known. */
static int measure(looking *l, const ems_still *still, ems_error *err)
{
    uint8_t thumb[EMS_THUMB_W * EMS_THUMB_H * 3];
    ems_picture *p = ems_picture_new(err);
    if (!p)
        return EMS_ENOMEM;
    shrink(thumb, still);
    for (int i = 0; i < EMS_FEATURES; i++)
        *ems_feature_at(&l->features, i) = NAN;
    const int code = ems_picture_add(p, &(ems_frame){.rgb = thumb}, err);
    ems_picture_measure(p, 0, 1, &l->features);
    l->features.motion = NAN;
    ems_picture_free(p);
    return code;
}

static int on_still(void *user, const ems_still *still, ems_error *err)
{
    looking *l = user;
    int code = measure(l, still, err);
    for (int i = 0; i < VIEWS && code == EMS_OK; i++)
        code = show(l, still, i, err);
    return code;
}

static int look(looking *l, ems_watching *w, const char *experts,
                size_t rows, const ems_run *run)
{
    ems_grammar g = {0};
    const size_t i = l->index;
    int code = ems_media_picture(w->path[i], on_still, l, run, w->why[i]);
    if (code == EMS_OK)
        code = ems_grammar_one(&g, &l->features, w->why[i]);
    if (code == EMS_OK)
        code = add_grammar(w->parts[i], &g, experts, rows, w->why[i]);
    ems_grammar_clear(&g);
    return code == EMS_OK;
}

static void collect(looking *l, ems_watching *w, size_t rows)
{
    const double length = VIEW_GAP * VIEWS;
    for (size_t i = 0; i < w->count; i++)
        if (w->done[i])
            w->done[i] = add_senses(w->parts[i], l->senses,
                                    (double)i * length - 0.5,
                                    (double)(i + 1) * length - 0.5, rows,
                                    w->why[i]) == EMS_OK;
}

static void watch_pictures(ems_watching *w, const char *experts, size_t rows,
                           const ems_run *run)
{
    looking l = {.senses = ems_senses_new(experts, run, w->why[0])};
    for (; l.senses && l.index < w->count; l.index++)
        w->done[l.index] = look(&l, w, experts, rows, run);
    if (l.senses && ems_senses_end(l.senses, w->why[0]) == EMS_OK)
        collect(&l, w, rows);
    else
        memset(w->done, 0, sizeof w->done);
    ems_senses_free(l.senses);
}

void ems_watch(ems_watching *w, const char *experts, size_t rows,
               const ems_run *run)
{
    if (w->count && ems_is_picture(w->path[0]))
        watch_pictures(w, experts, rows, run);
    else if (w->count)
        w->done[0] = watch_film(w->parts[0], w->path[0], experts, rows, run,
                                w->why[0]) == EMS_OK;
    for (size_t i = 0; i < w->count; i++)
        if (!w->done[i])
            ems_parts_clear(w->parts[i]);
}

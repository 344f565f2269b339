#include "music/dataset_tally.h"

#include "base/mem.h"
#include "music/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t bin(double x, int bins)
{
    const int i = (int)((x + 1) * bins / 2);
    return (size_t)(i < 0 ? 0 : i >= bins ? bins - 1 : i);
}

static void count_piece(ems_tally *t, const ems_built_piece *p)
{
    t->seconds += (double)p->seconds;
    t->chords += p->chords;
    t->held_out += p->held_out;
    for (int f = 0; f < EMS_FAMILIES; f++)
        t->families[f] += p->families >> f & 1;
    const int tempo = (int)(p->bpm / EMS_TALLY_BPM);
    t->tempos[tempo < EMS_TALLY_TEMPOS ? tempo : EMS_TALLY_TEMPOS - 1]++;
    if (isnan(p->valence) || isnan(p->arousal))
        t->emotion_unknown++;
    else
        t->grid[bin((double)p->arousal, EMS_TALLY_GRID)]
               [bin((double)p->valence, EMS_TALLY_GRID)]++;
}

static void count_bars(ems_tally *t, const ems_build *b)
{
    double known = 0;
    for (size_t i = 0; i < b->bar_count; i++) {
        const float v = b->affect[2 * i], a = b->affect[2 * i + 1];
        if (isnan(v) || isnan(a))
            continue;
        t->fine[bin((double)a, EMS_TALLY_FINE)]
               [bin((double)v, EMS_TALLY_FINE)]++;
        known++;
    }
    for (int i = 0; known > 0 && i < EMS_TALLY_FINE * EMS_TALLY_FINE; i++)
        t->fine[i / EMS_TALLY_FINE][i % EMS_TALLY_FINE] /= known;
}

/* ---- Agreement --------------------------------------------------------------- */

static void agree(ems_agreement *g, const ems_build *b, int who, int axis)
{
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < b->count; i++) {
        const double s = (double)b->pieces[i].said[who][axis];
        const double c = (double)b->pieces[i].said[EMS_SAID_CRITIC][axis];
        g->known[axis] += isnan(s) ? 0 : 1;
        if (isnan(s) || isnan(c))
            continue;
        n++;
        x += s, y += c;
        xx += s * s, yy += c * c, xy += s * c;
    }
    g->shared[axis] = (size_t)n;
    const double vx = xx - x * x / n, vy = yy - y * y / n;
    g->r[axis] = n >= 3 && vx > 1e-12 && vy > 1e-12
                     ? (xy - x * y / n) / sqrt(vx * vy)
                     : (double)NAN;
}

/* ---- Parts -------------------------------------------------------------------- */

static int part_order(const void *a, const void *b)
{
    const ems_part *x = a, *y = b;
    const int c = (x->seconds < y->seconds) - (x->seconds > y->seconds);
    return c ? c : (x->word > y->word) - (x->word < y->word);
}

static void count_part(ems_part *part, const ems_built_piece *p)
{
    part->pieces++;
    part->held_out += p->held_out;
    part->without_chords += p->chords == 0;
    part->seconds += (double)p->seconds;
    part->tokens += p->tokens;
    part->chords += p->chords;
    part->weighted += (double)p->tokens * (double)p->weight;
    const float value[2] = {p->valence, p->arousal};
    for (int axis = 0; axis < 2; axis++) {
        if (isnan(value[axis]))
            continue;
        part->sum[axis] += (double)value[axis] * (double)p->seconds;
        part->known[axis] += (double)p->seconds;
    }
}

/* `at`: offset of the word's index in a piece. */
static int take_parts(ems_parts *out, const ems_build *b, size_t at,
                      ems_error *err)
{
    ems_part *all = ems_alloc(b->words.count, sizeof *all);
    if (!all)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < b->count; i++) {
        const char *piece = (const char *)&b->pieces[i];
        count_part(&all[*(const uint32_t *)(const void *)(piece + at)],
                   &b->pieces[i]);
    }
    for (size_t i = 0; i < b->words.count; i++) {
        if (all[i].pieces == 0)
            continue;
        all[i].word = (uint32_t)i;
        all[out->count++] = all[i];
    }
    qsort(all, out->count, sizeof *all, part_order);
    out->items = all;
    return EMS_OK;
}

/* Bytes of the character at `s`, 0: not UTF-8. */
static size_t character(const unsigned char *s)
{
    const size_t n = s[0] < 0x80 ? 1
                     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                     : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                     : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if (s[i] >> 6 != 2)
            return 0;
    /* too long a form, surrogates, beyond the last character */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

const char *ems_tally_text(char *out, size_t room, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = 0;
    while (*s) {
        const size_t bytes = character(s);
        const int shown = bytes && *s >= ' ' && *s != 127;
        const size_t step = bytes ? bytes : 1;
        if (n + (shown ? step : 1) >= room)
            break;
        if (shown)
            memcpy(out + n, s, step);
        else
            out[n] = '?';
        n += shown ? step : 1;
        s += step;
    }
    out[n] = '\0';
    return out;
}

void ems_tally_licences(char *out, size_t room, const ems_build *b,
                        uint32_t source)
{
    uint32_t seen[8];
    size_t count = 0, n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < b->count && count < 8; i++) {
        const ems_built_piece *p = &b->pieces[i];
        size_t k = 0;
        while (k < count && seen[k] != p->licence)
            k++;
        if (p->source != source || k < count)
            continue;
        seen[count++] = p->licence;
        const char *word = b->words.items[p->licence];
        if (n && n + 3 < room)
            memcpy(out + n, "; ", 3), n += 2;
        ems_tally_text(out + n, room - n, *word ? word : "not stated");
        n += strlen(out + n);
    }
}

int ems_tally_take(ems_tally *t, const ems_build *b, ems_error *err)
{
    *t = (ems_tally){0};
    for (size_t i = 0; i < b->count; i++)
        count_piece(t, &b->pieces[i]);
    count_bars(t, b);
    for (int who = 0; who < EMS_SAID; who++)
        for (int axis = 0; axis < 2; axis++)
            agree(&t->said[who], b, who, axis);
    int code = take_parts(&t->sources, b, offsetof(ems_built_piece, source),
                          err);
    if (code == EMS_OK)
        code = take_parts(&t->licences, b,
                          offsetof(ems_built_piece, licence), err);
    if (code == EMS_OK)
        code = take_parts(&t->styles, b, offsetof(ems_built_piece, style),
                          err);
    if (code < 0)
        ems_tally_clear(t);
    return code;
}

void ems_tally_clear(ems_tally *t)
{
    ems_free(t->sources.items);
    ems_free(t->licences.items);
    ems_free(t->styles.items);
    *t = (ems_tally){0};
}

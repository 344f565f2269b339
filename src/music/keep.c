#include "music/keep.h"

#include "base/mem.h"
#include "music/plan_names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SAME_HIT = 0.003; /* seconds; a file counts in ticks */
static const double SAME_FILM = 0.05;
static const double AROUND = 6;       /* seconds to either side of a moved hit */
static const double HAIR = 1e-4;

/* ---- Which parts --------------------------------------------------------- */

static int add_part(ems_keep *k, ems_keep_part part, ems_error *err)
{
    if (ems_reserve((void *)&k->parts, &k->capacity, k->count + 1,
                    sizeof *k->parts) < 0)
        return ems_out_of_memory(err);
    k->parts[k->count++] = part;
    return EMS_OK;
}

/* The old bar line nearest to `time`, or the film's end. */
static double line_near(const ems_keep *k, double time)
{
    double best = 0;
    for (size_t i = 0; i < k->old->bar_count; i++)
        if (fabs(k->old->bars[i].start - time) < fabs(best - time))
            best = k->old->bars[i].start;
    return fabs(k->old->duration - time) < fabs(best - time)
               ? k->old->duration : best;
}

static ems_stretch section_span(const ems_keep *k, const ems_plan *p,
                                size_t section)
{
    const size_t next = section + 1;
    ems_stretch s = {0, k->old->duration};
    if (section > 0)
        s.from = line_near(k, p->sections[section].from);
    if (next < p->section_count)
        s.to = line_near(k, p->sections[next].from);
    return s;
}

static unsigned locked_in(const ems_plan *p, size_t section)
{
    unsigned locked = 0;
    for (size_t i = 0; i < p->lock_count; i++)
        if ((size_t)p->locks[i].section == section + 1)
            locked |= p->locks[i].families;
    return locked;
}

/* A number at *text, which then stands behind it and a comma. 0: none. */
static unsigned long take_number(const char **text)
{
    char *end;
    if (**text < '0' || **text > '9')
        return 0;
    const unsigned long n = strtoul(*text, &end, 10);
    if (*end != '\0' && *end != ',')
        return 0;
    *text = *end == ',' ? end + 1 : end;
    return n;
}

static int add_sections(ems_keep *k, const ems_plan *p, const char *text,
                        ems_error *err)
{
    const char *at = text;
    const size_t most = p->section_count ? p->section_count : 1;
    while (*at) {
        const unsigned long n = take_number(&at);
        if (n < 1 || n > most)
            return ems_fail(err, EMS_EINVAL, "no section \"%.40s\" in the"
                            " plan; there are 1 to %zu", text, most);
        const ems_keep_part part = {section_span(k, p, n - 1),
                                    locked_in(p, n - 1), 0};
        if (add_part(k, part, err) < 0)
            return EMS_ENOMEM;
    }
    return EMS_OK;
}

static int was_hit(const ems_piece *old, double time)
{
    for (size_t i = 0; i < old->marker_count; i++) {
        const ems_marker *m = &old->markers[i];
        const int ending = m->kind == EMS_MARK_SECTION &&
                           strncmp(m->text, "ending", 6) == 0;
        if ((m->kind == EMS_MARK_HIT || ending) &&
            fabs(m->time - time) < SAME_HIT)
            return 1;
    }
    return 0;
}

static int is_hit(const double *hits, size_t count, double time)
{
    for (size_t i = 0; i < count; i++)
        if (fabs(hits[i] - time) < SAME_HIT)
            return 1;
    return 0;
}

/* From the last old bar line AROUND before to the first AROUND after, but not
 * beyond a hit that both have. */
static ems_stretch neighbourhood(const ems_keep *k, const double *hits,
                                 size_t count, double time)
{
    ems_stretch s = {0, k->old->duration};
    for (size_t i = 0; i < k->old->bar_count; i++) {
        const double line = k->old->bars[i].start;
        const int common = is_hit(hits, count, line) && was_hit(k->old, line);
        if (line < time - HAIR && (line <= time - AROUND || common))
            s.from = line;
        if (line > time + HAIR && (line >= time + AROUND || common)) {
            s.to = line;
            return s;
        }
    }
    return s;
}

static int add_moved(ems_keep *k, const double *hits, size_t count,
                     double time, ems_error *err)
{
    const ems_keep_part part = {neighbourhood(k, hits, count, time), 0, 1};
    return add_part(k, part, err);
}

/* Hits that only one of the two has. */
static int add_changes(ems_keep *k, const double *hits, size_t count,
                       ems_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!was_hit(k->old, hits[i]) &&
            add_moved(k, hits, count, hits[i], err) < 0)
            return EMS_ENOMEM;
    for (size_t i = 0; i < k->old->marker_count; i++) {
        const ems_marker *m = &k->old->markers[i];
        if (m->kind == EMS_MARK_HIT && !is_hit(hits, count, m->time) &&
            add_moved(k, hits, count, m->time, err) < 0)
            return EMS_ENOMEM;
    }
    return EMS_OK;
}

static int part_order(const void *a, const void *b)
{
    const ems_keep_part *x = a, *y = b;
    if (x->span.from != y->span.from)
        return x->span.from < y->span.from ? -1 : 1;
    return (x->span.to > y->span.to) - (x->span.to < y->span.to);
}

/* Parts that overlap become one; only what is locked in all of it stays. */
static void merge(ems_keep *k)
{
    size_t n = 0;
    if (k->count > 1)
        qsort(k->parts, k->count, sizeof *k->parts, part_order);
    for (size_t i = 0; i < k->count; i++) {
        const ems_keep_part *p = &k->parts[i];
        ems_keep_part *last = n ? &k->parts[n - 1] : NULL;
        if (!last || p->span.from >= last->span.to - HAIR) {
            k->parts[n++] = *p;
            continue;
        }
        last->span.to = fmax(last->span.to, p->span.to);
        last->locked &= p->locked;
        last->moved |= p->moved;
    }
    k->count = n;
}

static int read_families(unsigned *out, const char *text, ems_error *err)
{
    *out = 0;
    while (text && *text) {
        const size_t n = strcspn(text, ",");
        int f = 0;
        while (f < EMS_FAMILIES && (strlen(ems_family_words[f]) != n ||
                                    strncmp(ems_family_words[f], text, n)))
            f++;
        if (f == EMS_FAMILIES)
            return ems_fail(err, EMS_EINVAL, "there is no family \"%.*s\" to"
                            " lock; there are bass, drums, guitar, piano,"
                            " strings", (int)(n < 40 ? n : 40), text);
        *out |= 1u << f;
        text += n + (text[n] == ',');
    }
    return EMS_OK;
}

/* ---- Opening ------------------------------------------------------------- */

/* FNV-1a of the old notes: each call on its own result finds other music. */
static uint64_t stream_of(const ems_piece *p)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < p->note_count; i++) {
        const ems_note *n = &p->notes[i];
        const uint64_t x = (uint64_t)(n->start * 1000 + 0.5) << 16 |
                           (uint64_t)n->family << 8 | n->pitch;
        h = (h ^ x) * 1099511628211u;
    }
    return h | 1u << 8; /* apart from those of candidates */
}

static int lay_metre(ems_keep *k, const ems_plan *plan, const double *hits,
                     size_t hit_count, ems_error *err)
{
    ems_stretch *moved = ems_alloc(k->count, sizeof *moved);
    size_t n = 0;
    if (!moved)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < k->count; i++)
        if (k->parts[i].moved)
            moved[n++] = k->parts[i].span;
    const int code = ems_metre_keep(&k->metre, plan, hits, hit_count, k->old,
                                    moved, n, err);
    ems_free(moved);
    return code;
}

int ems_keep_open(ems_keep *k, const ems_plan *plan, const double *hits,
                  size_t hit_count, const ems_compose_options *options,
                  ems_error *err)
{
    unsigned locked;
    *k = (ems_keep){0};
    int code = read_families(&locked, options->lock, err);
    if (code < 0)
        return code;
    k->old = ems_piece_load(options->keep, err);
    if (!k->old)
        return err->code;
    if (fabs(k->old->duration - plan->duration) > SAME_FILM ||
        k->old->bar_count == 0)
        return ems_fail(err, EMS_EINVAL, "\"%s\" lasts %.3f s, but the film"
                        " %.3f; give the score that was composed for it",
                        options->keep, k->old->duration, plan->duration);
    if (options->sections)
        code = add_sections(k, plan, options->sections, err);
    if (code == EMS_OK)
        code = add_changes(k, hits, hit_count, err);
    merge(k);
    for (size_t i = 0; i < k->count; i++)
        k->parts[i].locked |= locked;
    k->stream = stream_of(k->old);
    return code == EMS_OK ? lay_metre(k, plan, hits, hit_count, err) : code;
}

void ems_keep_clear(ems_keep *k)
{
    ems_piece_free(k->old);
    ems_free(k->parts);
    ems_metre_clear(&k->metre);
    *k = (ems_keep){0};
}

/* ---- Splicing ------------------------------------------------------------ */

static int begins_in(const ems_keep_part *p, double time)
{
    return time >= p->span.from - HAIR && time < p->span.to - HAIR;
}

static int stays(const ems_keep_part *p, double time, int family)
{
    return !begins_in(p, time) || (p->locked >> family & 1);
}

static void drop_old(ems_piece *old, const ems_keep_part *p)
{
    size_t n = 0;
    for (size_t i = 0; i < old->note_count; i++)
        if (stays(p, old->notes[i].start, old->notes[i].family))
            old->notes[n++] = old->notes[i];
    old->note_count = n;
    n = 0;
    for (size_t i = 0; i < old->control_count; i++)
        if (stays(p, old->controls[i].time, old->controls[i].family))
            old->controls[n++] = old->controls[i];
    old->control_count = n;
}

int ems_keep_surround(const ems_keep *k, size_t i, ems_piece *fresh,
                      ems_error *err)
{
    for (size_t j = 0; j < k->old->note_count; j++) {
        const ems_note n = k->old->notes[j];
        if (stays(&k->parts[i], n.start, n.family) &&
            ems_piece_add_note(fresh, n, err) < 0)
            return EMS_ENOMEM;
    }
    ems_piece_sort(fresh);
    return EMS_OK;
}

int ems_keep_splice(ems_keep *k, size_t i, const ems_piece *fresh,
                    ems_error *err)
{
    const ems_keep_part *p = &k->parts[i];
    drop_old(k->old, p);
    for (size_t j = 0; j < fresh->note_count; j++) {
        ems_note n = fresh->notes[j];
        if (stays(p, n.start, n.family))
            continue;
        n.length = fmin(n.length, p->span.to - n.start);
        if (ems_piece_add_note(k->old, n, err) < 0)
            return EMS_ENOMEM;
    }
    for (size_t j = 0; j < fresh->control_count; j++) {
        const ems_control c = fresh->controls[j];
        if (!stays(p, c.time, c.family) &&
            ems_piece_add_control(k->old, c, err) < 0)
            return EMS_ENOMEM;
    }
    ems_piece_sort(k->old);
    return EMS_OK;
}

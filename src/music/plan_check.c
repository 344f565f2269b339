/* What is wrong with a plan that can be read. */
#include "music/plan.h"

#include <math.h>
#include <stdio.h>

/* Beyond these the tempo of a stretch is no longer the film's. */
static const double SLOWER = 0.7, FASTER = 1.45;

typedef struct finder {
    const ems_plan *p;
    const char *name;
    void (*each)(void *user, const char *sentence);
    void *user;
    int found;
} finder;

static void find(finder *f, const char *path, size_t i, const char *text)
{
    char sentence[400];
    snprintf(sentence, sizeof sentence, "%s: %s[%zu] %s", f->name, path, i,
             text);
    f->each(f->user, sentence);
    f->found++;
}

/* The tempo that brings the next hit onto a beat, beats a minute. */
static double tempo_needed(double length, double wanted)
{
    const double beats = fmax(1, rint(length * wanted / 60));
    return 60 * beats / length;
}

static void check_hits(finder *f)
{
    const ems_plan *p = f->p;
    const ems_tempo t = ems_tempo_of(p);
    for (size_t i = 1; i < p->hit_count; i++) {
        const double length = p->hits[i] - p->hits[i - 1];
        const double needed = tempo_needed(length, t.wanted);
        char text[200];
        if (needed >= t.least * SLOWER && needed <= t.most * FASTER)
            continue;
        snprintf(text, sizeof text, "is %.2f s after the hit before it; a"
                 " beat so long makes %.0f a minute, and the tempo is %.0f to"
                 " %.0f", length, needed, t.least, t.most);
        find(f, "hits", i, text);
    }
}

static void check_sections(finder *f)
{
    const ems_plan *p = f->p;
    for (size_t i = 0; i < p->section_count; i++) {
        const double to = i + 1 < p->section_count ? p->sections[i + 1].from
                                                   : p->duration;
        const double beat = 60 / ems_tempo_of(p).wanted;
        char text[160];
        if (to - p->sections[i].from >= beat)
            continue;
        snprintf(text, sizeof text, "lasts %.2f s, less than a beat of %.2f"
                 " s", to - p->sections[i].from, beat);
        find(f, "sections", i, text);
    }
}

static void check_locks(finder *f)
{
    const ems_plan *p = f->p;
    for (size_t i = 0; i < p->lock_count; i++) {
        const size_t s = (size_t)p->locks[i].section - 1;
        const unsigned play = s < p->section_count ? p->sections[s].families
                                                   : 0;
        if (play && (p->locks[i].families & ~play))
            find(f, "locks", i, "keeps a family that does not play in its"
                 " section");
    }
}

int ems_plan_contradictions(const ems_plan *p, const char *name,
                            void (*each)(void *user, const char *sentence),
                            void *user)
{
    finder f = {p, name, each, user, 0};
    if (p->knot_count == 0)
        return 0;
    if (p->sync == EMS_SYNC_EXACT)
        check_hits(&f);
    check_sections(&f);
    check_locks(&f);
    return f.found;
}

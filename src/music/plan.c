#include "music/plan.h"

#include "base/mem.h"
#include "base/sha256.h"

#include <math.h>
#include <string.h>

static const double PAPER_GAP = 4.0;

ems_plan_options ems_plan_defaults(void)
{
    return (ems_plan_options){
        .seed = 1, .sync = EMS_SYNC_EXACT, .min_gap = 0,
        .valence = NAN, .arousal = NAN,
    };
}

void ems_plan_free(ems_plan *p)
{
    if (!p)
        return;
    ems_free(p->hits);
    ems_free(p->cuts);
    ems_free(p->curve);
    ems_free(p->phrases);
    ems_free(p->sections);
    ems_free(p->speech);
    ems_free(p->locks);
    ems_free(p);
}

double ems_plan_duration(const ems_plan *p)
{
    return p->duration;
}

const double *ems_plan_hits(const ems_plan *p, size_t *count)
{
    *count = p->hit_count;
    return p->hits;
}

size_t ems_thin(double *kept, const double *times, size_t count, double gap)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const double t = times[i];
        if (n == 0 || t - kept[n - 1] >= gap)
            kept[n++] = t;
    }
    return n;
}

void ems_curve_at(const ems_knot *curve, size_t count, double time,
                  double *valence, double *arousal)
{
    size_t low = 0, high = count; /* first knot later than `time` */
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (curve[mid].time <= time)
            low = mid + 1;
        else
            high = mid;
    }
    const ems_knot *b = &curve[low < count ? low : count - 1];
    const ems_knot *a = low ? &curve[low - 1] : b;
    const double span = b->time - a->time;
    const double w = span > 0 ? (time - a->time) / span : 0;
    *valence = a->valence + w * (b->valence - a->valence);
    *arousal = a->arousal + w * (b->arousal - a->arousal);
}

/* ---- Making a plan ------------------------------------------------------ */

static double micro(double x)
{
    const double rounded = rint(x * 1e6) / 1e6;
    return rounded == 0 ? 0 : rounded;
}

static int is_emotion(double x)
{
    return x >= -1 && x <= 1;
}

static int check_options(const ems_plan_options *o, ems_error *err)
{
    const double gap = o->min_gap > 0 ? o->min_gap : EMS_PLAN_GAP_LEAST;
    if (o->seed > EMS_PLAN_SEED_MOST)
        return ems_fail(err, EMS_EINVAL, "the seed %llu is too large; the"
                        " largest is %llu", (unsigned long long)o->seed,
                        (unsigned long long)EMS_PLAN_SEED_MOST);
    if (o->sync < EMS_SYNC_EXACT || o->sync > EMS_SYNC_GUIDED)
        return ems_fail(err, EMS_EINVAL, "there is no synchronisation %d",
                        (int)o->sync);
    if (!(gap >= EMS_PLAN_GAP_LEAST && gap <= EMS_PLAN_LONGEST))
        return ems_fail(err, EMS_EINVAL, "hits %g s apart cannot be played;"
                        " the smallest gap is %g s", gap, EMS_PLAN_GAP_LEAST);
    if (!isnan(o->valence) && !is_emotion(o->valence))
        return ems_fail(err, EMS_EINVAL, "valence %g lies outside [-1, 1]",
                        o->valence);
    if (!isnan(o->arousal) && !is_emotion(o->arousal))
        return ems_fail(err, EMS_EINVAL, "arousal %g lies outside [-1, 1]",
                        o->arousal);
    return EMS_OK;
}

static int check_film(double duration, double fps, const ems_cut *cuts,
                      size_t cut_count, const ems_knot *curve,
                      size_t knot_count, ems_error *err)
{
    if (!(duration >= 1e-6 && duration <= EMS_PLAN_LONGEST))
        return ems_fail(err, EMS_EINVAL, "cannot plan music of %g s; it must"
                        " be above 0 and at most %g s", duration,
                        EMS_PLAN_LONGEST);
    if (!(fps >= 0 && fps <= 1e6))
        return ems_fail(err, EMS_EINVAL, "%g frames per second cannot be",
                        fps);
    if (cut_count > EMS_PLAN_MOST || knot_count > EMS_PLAN_MOST)
        return ems_fail(err, EMS_EINVAL, "too many cuts or knots; at most %d"
                        " of each can be planned with", EMS_PLAN_MOST);
    for (size_t i = 0; i < cut_count; i++)
        if (!(cuts[i].time > (i ? cuts[i - 1].time : 0) &&
              cuts[i].time <= duration))
            return ems_fail(err, EMS_EINVAL, "cut %zu at %g s is not in order"
                            " or outside the film", i, cuts[i].time);
    if (knot_count == 0)
        return ems_fail(err, EMS_EINVAL, "the emotion curve is empty; it"
                        " needs at least one knot");
    for (size_t i = 0; i < knot_count; i++)
        if (!(curve[i].time >= 0 && curve[i].time <= duration) ||
            (i && !(curve[i].time > curve[i - 1].time)) ||
            !is_emotion(curve[i].valence) || !is_emotion(curve[i].arousal))
            return ems_fail(err, EMS_EINVAL, "knot %zu of the emotion curve,"
                            " at %g s, is not in order or outside the film"
                            " or [-1, 1]", i, curve[i].time);
    return EMS_OK;
}

static int copy_film(ems_plan *p, const ems_cut *cuts, const ems_knot *curve,
                     const ems_plan_options *o, ems_error *err)
{
    p->cuts = ems_alloc(p->cut_count, sizeof *p->cuts);
    p->curve = ems_alloc(p->knot_count, sizeof *p->curve);
    if (!p->cuts || !p->curve)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < p->cut_count; i++)
        p->cuts[i] = (ems_cut){micro(cuts[i].time), cuts[i].kind,
                               micro(cuts[i].strength)};
    for (size_t i = 0; i < p->knot_count; i++) {
        const double v = isnan(o->valence) ? curve[i].valence : o->valence;
        const double a = isnan(o->arousal) ? curve[i].arousal : o->arousal;
        p->curve[i] = (ems_knot){micro(curve[i].time), micro(v), micro(a)};
    }
    return EMS_OK;
}

/* What the music does, from what the film does. */
static int lay_out(ems_plan *p, const ems_plan_options *o, ems_error *err)
{
    const ems_tempo tempo = ems_tempo_of(p);
    p->tempo = (ems_tempo){micro(tempo.wanted), micro(tempo.least),
                           micro(tempo.most)};
    const double usual = p->sync == EMS_SYNC_PAPER ? PAPER_GAP
                                                   : ems_plan_gap(p);
    int code = ems_plan_choose_hits(p, o->min_gap > 0 ? o->min_gap : usual,
                                    err);
    if (code == EMS_OK)
        code = ems_plan_choose_phrases(p, err);
    if (code == EMS_OK)
        code = ems_plan_choose_sections(p, err);
    p->ending = ems_plan_ending(p, &p->ending_time);
    return code;
}

ems_plan *ems_plan_from(double duration, double fps, const ems_cut *cuts,
                        size_t cut_count, const ems_knot *curve,
                        size_t knot_count, const ems_plan_options *options,
                        ems_error *err)
{
    const ems_plan_options defaults = ems_plan_defaults();
    const ems_plan_options *o = options ? options : &defaults;
    if (check_options(o, err) < 0 ||
        check_film(duration, fps, cuts, cut_count, curve, knot_count,
                   err) < 0)
        return NULL;
    ems_plan *p = ems_alloc(1, sizeof *p);
    if (!p) {
        ems_out_of_memory(err);
        return NULL;
    }
    *p = (ems_plan){
        .duration = micro(duration), .fps = micro(fps), .seed = o->seed,
        .sync = o->sync, .cut_count = cut_count, .knot_count = knot_count,
    };
    if (copy_film(p, cuts, curve, o, err) < 0 || lay_out(p, o, err) < 0) {
        ems_plan_free(p);
        return NULL;
    }
    return p;
}

static int copy_speech(ems_plan *p, const ems_analysis *a, ems_error *err)
{
    size_t count = 0;
    const ems_stretch *speech = ems_analysis_speech(a, &count);
    p->speech = ems_alloc(count, sizeof *p->speech);
    if (!p->speech)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        const ems_stretch s = {micro(fmin(speech[i].from, p->duration)),
                               micro(fmin(speech[i].to, p->duration))};
        if (s.to > s.from)
            p->speech[p->speech_count++] = s;
    }
    return EMS_OK;
}

ems_plan *ems_plan_make(const ems_analysis *a,
                        const ems_plan_options *options, ems_error *err)
{
    size_t cut_count, knot_count;
    if (!a) {
        ems_fail(err, EMS_EINVAL, "no analysis to plan from was given");
        return NULL;
    }
    const double duration = ems_analysis_duration(a);
    const double fps = ems_analysis_fps(a);
    const ems_cut *cuts = ems_analysis_cuts(a, &cut_count);
    const ems_knot *curve = ems_analysis_curve(a, &knot_count);
    ems_cut *listed = NULL;
    if (options && options->cuts) {
        if (ems_plan_listed(&listed, &cut_count, duration, fps, options,
                            err) < 0)
            return NULL;
        cuts = listed;
    }
    ems_plan *p = ems_plan_from(duration, fps, cuts, cut_count, curve,
                                knot_count, options, err);
    ems_free(listed);
    if (p && copy_speech(p, a, err) < 0) {
        ems_plan_free(p);
        return NULL;
    }
    return p;
}

/* ---- Hash --------------------------------------------------------------- */

static void add_integer(ems_sha256 *s, uint64_t x)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(x >> (8 * i));
    ems_sha256_add(s, bytes, sizeof bytes);
}

/* In millionths, which is all a plan holds. */
static void add_number(ems_sha256 *s, double x)
{
    add_integer(s, (uint64_t)llrint(x * 1e6));
}

static void add_wishes(ems_sha256 *s, const ems_plan *p)
{
    add_number(s, p->tempo.wanted);
    add_number(s, p->tempo.least);
    add_number(s, p->tempo.most);
    for (size_t i = 0; i < p->phrase_count; i++)
        add_number(s, p->phrases[i]);
    add_integer(s, p->section_count);
    for (size_t i = 0; i < p->section_count; i++) {
        const ems_section *x = &p->sections[i];
        add_number(s, x->from);
        add_integer(s, x->seed);
        add_integer(s, (uint64_t)(x->tonic + 1) << 8 | (uint64_t)x->minor);
        add_integer(s, x->families);
    }
    for (size_t i = 0; i < p->speech_count; i++) {
        add_number(s, p->speech[i].from);
        add_number(s, p->speech[i].to);
    }
    add_integer(s, (uint64_t)p->ending);
    add_number(s, p->ending_time);
}

void ems_plan_hash(const ems_plan *p, char out[17])
{
    ems_sha256 s;
    uint8_t digest[32];
    ems_sha256_begin(&s);
    add_number(&s, p->duration);
    add_integer(&s, p->seed);
    add_integer(&s, (uint64_t)p->sync);
    add_integer(&s, p->hit_count);
    for (size_t i = 0; i < p->hit_count; i++)
        add_number(&s, p->hits[i]);
    add_integer(&s, p->knot_count);
    for (size_t i = 0; i < p->knot_count; i++) {
        add_number(&s, p->curve[i].time);
        add_number(&s, p->curve[i].valence);
        add_number(&s, p->curve[i].arousal);
    }
    add_wishes(&s, p);
    ems_sha256_end(&s, digest);
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[i % 2 ? digest[i / 2] & 15
                                          : digest[i / 2] >> 4];
    out[16] = 0;
}

#include "emotion/spans.h"

#include "base/mem.h"

#include <math.h>

const ems_span_rule ems_speech_rule = {0.75, 0.35, 0.25, 0.35, 0.05};
const ems_span_rule ems_music_rule = {0.55, 0.40, 2.0, 1.5, 0};

typedef struct spans {
    ems_stretch *at;
    size_t count, capacity;
} spans;

static int add(spans *s, double from, double to, ems_error *err)
{
    if (ems_reserve((void **)&s->at, &s->capacity, s->count + 1,
                    sizeof *s->at) < 0)
        return ems_out_of_memory(err);
    s->at[s->count++] = (ems_stretch){from, to};
    return EMS_OK;
}

/* Runs between `enter` and `leave`, joined over short pauses. */
static int collect(spans *s, const float *p, size_t n, double start,
                   double step, const ems_span_rule *rule, ems_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!((double)p[i] >= rule->enter))
            continue;
        size_t first = i, end = i + 1;
        const double earlier = s->count ? s->at[s->count - 1].to : -1e9;
        while (first > 0 && (double)p[first - 1] >= rule->leave &&
               start + (double)first * step > earlier)
            first--;
        while (end < n && (double)p[end] >= rule->leave)
            end++;
        const double from = start + (double)first * step;
        const double to = start + (double)end * step;
        i = end;
        if (s->count && from - earlier < rule->gap)
            s->at[s->count - 1].to = to;
        else if (add(s, from, to, err) < 0)
            return EMS_ENOMEM;
    }
    return EMS_OK;
}

static double milli(double x)
{
    return rint(x * 1e3) / 1e3;
}

/* Drop what is too short, pad the rest, keep it inside the film and apart. */
static void finish(spans *s, double duration, const ems_span_rule *rule)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        const ems_stretch x = s->at[i];
        if (x.to - x.from < rule->shortest - 1e-9)
            continue;
        const double from = milli(fmax(x.from - rule->pad, 0));
        const double to = fmin(milli(x.to + rule->pad), duration);
        if (kept && from <= s->at[kept - 1].to)
            s->at[kept - 1].to = to;
        else if (to > from)
            s->at[kept++] = (ems_stretch){from, to};
    }
    s->count = kept;
}

int ems_spans_find(const float *p, size_t n, double start, double step,
                   double duration, const ems_span_rule *rule,
                   ems_stretch **out, size_t *count, ems_error *err)
{
    spans s = {0};
    *out = NULL;
    *count = 0;
    const int code = collect(&s, p, n, start, step, rule, err);
    finish(&s, duration, rule);
    if (code < 0 || s.count == 0) {
        ems_free(s.at);
        return code;
    }
    *out = s.at;
    *count = s.count;
    return EMS_OK;
}

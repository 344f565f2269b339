#include "lists/truth.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const KINDS[EMS_TRUTH_KINDS] = {
    [EMS_TRUE_CUT] = "cut", [EMS_TRUE_DISSOLVE] = "dissolve",
    [EMS_TRUE_FADE_IN] = "fade_in", [EMS_TRUE_FADE_OUT] = "fade_out",
    [EMS_TRUE_FLASH] = "flash", [EMS_TRUE_PAN] = "pan",
    [EMS_TRUE_SHAKE] = "shake",
};

const char *ems_truth_name(int kind)
{
    return kind >= 0 && kind < EMS_TRUTH_KINDS ? KINDS[kind] : NULL;
}

/* ---- The file ----------------------------------------------------------- */

typedef struct text {
    const char *at, *end;
} text;

/* The kind whose name stands here with a comma behind it; -1: none. */
static int kind_at(const text *t)
{
    for (int k = 0; k < EMS_TRUTH_KINDS; k++) {
        const size_t n = strlen(KINDS[k]);
        if ((size_t)(t->end - t->at) > n && t->at[n] == ',' &&
            memcmp(t->at, KINDS[k], n) == 0)
            return k;
    }
    return -1;
}

int ems_truth_is(const char *data, size_t size)
{
    const text t = {data, data + size};
    return size > 0 && kind_at(&t) >= 0;
}

/* Digits, then `stop` or the line's end. */
static int number(text *t, char stop, int64_t *out)
{
    const char *start = t->at;
    *out = 0;
    while (t->at < t->end && *t->at >= '0' && *t->at <= '9' &&
           t->at - start < 10)
        *out = *out * 10 + (*t->at++ - '0');
    if (t->at == start)
        return 0;
    if (stop)
        return t->at < t->end && *t->at++ == stop;
    if (t->at < t->end && *t->at == '\r')
        t->at++;
    return t->at == t->end || *t->at++ == '\n';
}

int ems_truth_add(ems_truth *t, ems_truth_kind kind, int64_t first,
                  int64_t end, ems_error *err)
{
    if (t->count >= EMS_TRUTH_MOST)
        return ems_fail(err, EMS_EFORMAT, "the list has more than %d"
                        " changes", EMS_TRUTH_MOST);
    if (ems_reserve((void *)&t->items, &t->capacity, t->count + 1,
                    sizeof *t->items) < 0)
        return ems_out_of_memory(err);
    t->items[t->count++] = (ems_change){kind, first, end, 0};
    return EMS_OK;
}

int ems_truth_parse(ems_truth *truth, const char *data, size_t size,
                    const char *name, ems_error *err)
{
    text t = {data, data + size};
    int code = EMS_OK;
    *truth = (ems_truth){0};
    for (size_t line = 1; t.at < t.end && code == EMS_OK; line++) {
        int64_t first = 0, end = 0;
        const int kind = kind_at(&t);
        if (kind >= 0)
            t.at += strlen(KINDS[kind]) + 1;
        if (kind < 0 || !number(&t, ',', &first) || !number(&t, 0, &end) ||
            end < first)
            code = ems_fail(err, EMS_EFORMAT, "\"%s\", line %zu: a change is"
                            " kind,first frame,frame after it, such as"
                            " \"dissolve,240,252\"", name, line);
        else
            code = ems_truth_add(truth, (ems_truth_kind)kind, first, end,
                                 err);
    }
    if (code < 0)
        ems_truth_clear(truth);
    return code;
}

void ems_truth_clear(ems_truth *t)
{
    ems_free(t->items);
    *t = (ems_truth){0};
}

/* ---- Scores ------------------------------------------------------------- */

static int by_frame(const void *a, const void *b)
{
    const ems_change *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

static void sort(ems_truth *t)
{
    if (t->count)
        qsort(t->items, t->count, sizeof *t->items, by_frame);
    for (size_t i = 0; i < t->count; i++)
        t->items[i].met = 0;
}

static int is_gradual(ems_truth_kind kind)
{
    return kind == EMS_TRUE_DISSOLVE || kind == EMS_TRUE_FADE_IN ||
           kind == EMS_TRUE_FADE_OUT;
}

/* The first change that begins at `frame` or later. */
static size_t from_frame(const ems_truth *t, int64_t frame)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (t->items[mid].first < frame)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* 0: of the very kind; the larger, the less it says so. */
static int strangeness(ems_truth_kind said, ems_truth_kind is)
{
    return 2 * (said != is) + (said == EMS_TRUE_CUT);
}

/* Inside one change no detector says more; and a strange file takes time in
 * proportion to its size. */
enum { LOOKED_AT = 1024 };

/* The best detection in [from, to] that is still free. */
static ems_change *take(ems_truth *detected, int64_t from, int64_t to,
                        ems_truth_kind kind)
{
    ems_change *best = NULL;
    const size_t begin = from_frame(detected, from);
    for (size_t i = begin; i < detected->count && i < begin + LOOKED_AT;
         i++) {
        ems_change *d = &detected->items[i];
        if (d->first > to)
            break;
        if (!d->met && (!best || strangeness(d->kind, kind) <
                                     strangeness(best->kind, kind)))
            best = d;
    }
    if (best)
        best->met = 1;
    return best;
}

static void meet(ems_cut_tally *tally, ems_truth *truth, ems_truth *detected,
                 int gradual, int slack)
{
    for (size_t i = 0; i < truth->count; i++) {
        const ems_change *t = &truth->items[i];
        if (gradual ? !is_gradual(t->kind) : t->kind != EMS_TRUE_CUT)
            continue;
        const int more = gradual ? slack : 0;
        if (take(detected, t->first - more,
                 (gradual ? t->end : t->first) + more, t->kind))
            tally->found++;
        else
            tally->missed++;
    }
}

/* What is true around this frame: the nearest of some that begin before. */
static int around(const ems_truth *truth, int64_t frame, int slack,
                  int gradual)
{
    size_t i = from_frame(truth, frame + slack + 1);
    for (int k = 0; i > 0 && k < LOOKED_AT; k++) {
        const ems_change *t = &truth->items[--i];
        if (t->end + slack >= frame && (!gradual || is_gradual(t->kind)))
            return (int)t->kind;
    }
    return EMS_TRUTH_KINDS;
}

static void rates(ems_cut_tally *t)
{
    const double found = (double)t->found;
    const double said = found + (double)t->wrong;
    const double are = found + (double)t->missed;
    t->precision = said > 0 ? found / said : NAN;
    t->recall = are > 0 ? found / are : NAN;
    t->f1 = said + are > 0 ? 2 * found / (said + are) : NAN;
}

void ems_truth_score(ems_cut_report *out, ems_truth *truth,
                     ems_truth *detected, int slack)
{
    sort(truth);
    sort(detected);
    out->hard = out->gradual = (ems_cut_tally){0};
    memset(out->wrong_at, 0, sizeof out->wrong_at);
    meet(&out->hard, truth, detected, 0, 0);
    meet(&out->gradual, truth, detected, 1, slack);
    for (size_t i = 0; i < detected->count; i++) {
        const ems_change *d = &detected->items[i];
        if (d->met)
            continue;
        const int inside = around(truth, d->first, slack, 1) !=
                           EMS_TRUTH_KINDS;
        ems_cut_tally *whose = inside || is_gradual(d->kind) ? &out->gradual
                                                             : &out->hard;
        whose->wrong++;
        out->wrong_at[around(truth, d->first, slack, 0)]++;
    }
    rates(&out->hard);
    rates(&out->gradual);
}

/* Statistics of composed against real music, and what is borrowed. */
#include "base/mem.h"
#include "base/rng.h"
#include "music/evaluate.h"
#include "music/novelty.h"
#include "music/stats.h"
#include "music/token_piece.h"

#include <math.h>
#include <stddef.h>

enum { REAL_STREAM = 0x7265616c };

typedef struct measure {
    const char *name;
    size_t at;    /* of a double in ems_piece_stats */
} measure;

#define AT(f) offsetof(ems_piece_stats, f)
static const measure measures[] = {
    {"pitch-class entropy", AT(pitch_class_entropy)},
    {"scale consistency", AT(scale_consistency)},
    {"groove consistency", AT(groove)},
    {"polyphony", AT(polyphony)},
    {"empty bars", AT(empty_bars)},
    {"silence", AT(silence)},
    {"notes a second", AT(notes_per_second)},
    {"mean pitch", AT(mean_pitch)},
    {"low notes sound", AT(ground)},
    {"longest note", AT(longest_note)},
    {"repeated span", AT(repeated_span)},
    {"repeated figures", AT(figures)},
    {"onsets on the grid", AT(on_grid)},
    {"struck again", AT(struck_again)},
    {"back after four bars", AT(theme)},
    {"bass share", AT(family_share[EMS_BASS])},
    {"drums share", AT(family_share[EMS_DRUMS])},
    {"guitar share", AT(family_share[EMS_GUITAR])},
    {"piano share", AT(family_share[EMS_PIANO])},
    {"strings share", AT(family_share[EMS_STRINGS])},
    {"families", AT(families)},
};
enum { MEASURES = sizeof measures / sizeof *measures };
_Static_assert((int)MEASURES <= (int)EMS_EVALUATE_MEASURES, "room for all");

typedef struct values { /* [MEASURES] arrays of [room] numbers */
    double *value;
    size_t room, count;
} values;

static double value_of(const ems_piece_stats *s, size_t which)
{
    return *(const double *)(const void *)((const char *)s +
                                           measures[which].at);
}

static int add_piece(values *v, const ems_piece *p, ems_error *err)
{
    ems_piece_stats s;
    const int code = ems_piece_measure(&s, p, err);
    for (size_t i = 0; code == EMS_OK && i < MEASURES; i++)
        v->value[i * v->room + v->count] = value_of(&s, i);
    v->count += code == EMS_OK;
    return code;
}

int ems_evaluate_add(double *mean, double share, const ems_piece *p,
                     ems_error *err)
{
    ems_piece_stats s;
    const int code = ems_piece_measure(&s, p, err);
    for (size_t i = 0; code == EMS_OK && i < MEASURES; i++)
        mean[i] += share * value_of(&s, i);
    return code;
}

void ems_evaluate_name(ems_evaluation *out)
{
    out->measures = MEASURES;
    for (size_t i = 0; i < MEASURES; i++)
        out->measure[i].name = measures[i].name;
}

/* ---- Real music ---- */

/* An excerpt of a held-out piece from one of its bars on, not nearer to its
 * end than `seconds` if it can be helped. */
static ems_piece *excerpt(const ems_dataset_piece *p, double seconds,
                          ems_rng *rng, ems_error *err)
{
    size_t bars = 0;
    double left = ems_tokens_seconds(p->tokens, p->token_count);
    for (size_t at = 0; bars < p->bar_count; bars++) {
        left -= ems_tokens_seconds(p->tokens + at, p->bars[bars] - at);
        at = p->bars[bars];
        if (left < seconds)
            break;
    }
    const size_t from = bars ? p->bars[ems_rng_below(rng, bars)] : 0;
    return ems_piece_from_tokens(p->tokens + from, p->token_count - from,
                                 seconds, err);
}

static int list_held(const ems_dataset *d, size_t **list, size_t *count,
                     ems_error *err)
{
    const size_t n = ems_dataset_count(d);
    *list = ems_alloc(n, sizeof **list);
    if (!*list)
        return ems_out_of_memory(err);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (ems_dataset_get(d, i).held_out)
            (*list)[(*count)++] = i;
    return EMS_OK;
}

static int add_real(values *v, const ems_evaluator *e, ems_error *err)
{
    size_t *held = NULL, count = 0;
    ems_rng rng = ems_rng_seed(e->o->seed, REAL_STREAM);
    int code = list_held(e->data, &held, &count, err);
    for (size_t i = 0; code == EMS_OK && count && i < v->room; i++) {
        const ems_dataset_piece p =
            ems_dataset_get(e->data, held[ems_rng_below(&rng, count)]);
        ems_error why;
        ems_piece *piece = excerpt(&p, e->o->seconds, &rng, &why);
        if (piece)
            code = add_piece(v, piece, err);
        else if (why.code != EMS_EFORMAT)
            code = ems_out_of_memory(err);
        ems_piece_free(piece);
    }
    ems_free(held);
    return code;
}

/* ---- The table ---- */

static void mean_and_deviation(const double *x, size_t n, double *mean,
                               double *deviation)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    *mean = n ? sum / (double)n : NAN;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - *mean) * (x[i] - *mean);
    *deviation = n > 1 ? sqrt(square / (double)(n - 1)) : NAN;
}

static void fill_table(ems_evaluation *out, const values *a, const values *b)
{
    ems_evaluate_name(out);
    for (size_t i = 0; i < MEASURES; i++) {
        const double *x = a->value + i * a->room, *y = b->value + i * b->room;
        ems_measure *m = &out->measure[i];
        mean_and_deviation(x, a->count, &m->mean, &m->deviation);
        mean_and_deviation(y, b->count, &m->real_mean, &m->real_deviation);
        m->overlap = ems_overlap(x, a->count, y, b->count);
    }
}

int ems_evaluate_statistics(ems_evaluator *e, ems_piece *const *composed,
                            size_t count, ems_error *err)
{
    values a = {ems_alloc(MEASURES * count, sizeof(double)), count, 0};
    values b = {ems_alloc(MEASURES * count, sizeof(double)), count, 0};
    int code = a.value && b.value ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < count && code == EMS_OK; i++)
        code = add_piece(&a, composed[i], err);
    if (code == EMS_OK && e->data)
        code = add_real(&b, e, err);
    if (code == EMS_OK) {
        fill_table(e->out, &a, &b);
        e->out->pieces = a.count;
        e->out->real_pieces = b.count;
    }
    ems_free(a.value);
    ems_free(b.value);
    return code;
}

int ems_evaluate_novelty(ems_evaluator *e, ems_piece *const *pieces,
                         size_t count, ems_error *err)
{
    ems_novelty *index = ems_novelty_open(e->o->index, err);
    ems_evaluation *out = e->out;
    if (!index)
        return err->code;
    int code = EMS_OK;
    for (size_t i = 0; i < count && code == EMS_OK; i++) {
        ems_passage p;
        code = ems_novelty_search(index, pieces[i], &p, err);
        if (code < 0)
            break;
        out->shared_bars += p.bars / (double)count;
        out->too_long += p.bars > EMS_NOVELTY_BARS;
        if (p.bars > out->longest.bars)
            out->longest = p;
    }
    ems_novelty_free(index);
    return code;
}

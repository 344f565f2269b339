/* Which tensors a fusion has, and where. */
#include "fusion/fusion.h"

#include <stdio.h>
#include <string.h>

/* ---- Is it one? --------------------------------------------------------- */

static int name_ok(const char *name)
{
    const size_t n = strnlen(name, EMS_FUSION_NAME);
    if (n == 0 || n == EMS_FUSION_NAME)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return 0;
    }
    return 1;
}

static int experts_ok(const ems_fusion_shape *s, ems_error *err)
{
    if (s->experts < 1 || s->experts > EMS_FUSION_EXPERTS)
        return ems_fail(err, EMS_EINVAL, "a fusion joins 1 to %d experts, not"
                        " %zu", EMS_FUSION_EXPERTS, s->experts);
    for (size_t i = 0; i < s->experts; i++) {
        const ems_fusion_expert *e = &s->expert[i];
        if (!name_ok(e->name))
            return ems_fail(err, EMS_EINVAL, "the name of expert %zu is not"
                            " made of letters, digits, '-', '_' and '.'",
                            i + 1);
        if (i && strcmp(s->expert[i - 1].name, e->name) >= 0)
            return ems_fail(err, EMS_EINVAL, "the experts of a fusion must"
                            " ascend by name and differ: \"%s\"", e->name);
        if (e->dim < 1 || e->dim > EMS_FUSION_MOST_DIM || e->rows < 1 ||
            e->rows > EMS_FUSION_MOST_ROWS)
            return ems_fail(err, EMS_EINVAL, "expert \"%s\" must give 1 to %d"
                            " rows of 1 to %d numbers", e->name,
                            EMS_FUSION_MOST_ROWS, EMS_FUSION_MOST_DIM);
    }
    return EMS_OK;
}

int ems_fusion_check(const ems_fusion_shape *s, ems_error *err)
{
    if (experts_ok(s, err) < 0)
        return EMS_EINVAL;
    if (s->width < 1 || s->width > EMS_FUSION_MOST_WIDTH || s->heads < 1 ||
        s->width % s->heads)
        return ems_fail(err, EMS_EINVAL, "a fusion is 1 to %d wide, and its"
                        " heads divide that; here %zu and %zu",
                        EMS_FUSION_MOST_WIDTH, s->width, s->heads);
    if (s->kind == EMS_FUSION_JOINT &&
        (s->inner < 1 || s->inner > EMS_FUSION_MOST_INNER))
        return ems_fail(err, EMS_EINVAL, "the inner layer of a fusion is 1 to"
                        " %d wide, not %zu", EMS_FUSION_MOST_INNER, s->inner);
    if ((s->emotions && s->emotions != EMS_EKMAN) ||
        (s->affect && s->affect != 2) || s->genres > EMS_FUSION_GENRES ||
        ems_fusion_outputs(s) == 0)
        return ems_fail(err, EMS_EINVAL, "a fusion tells the six emotions,"
                        " valence and arousal, up to %d genres, or several of"
                        " them", EMS_FUSION_GENRES);
    return EMS_OK;
}

/* ---- Where is what? ----------------------------------------------------- */

typedef struct walk {
    float *block;
    size_t at;
    ems_fusion_tensor *list;
    size_t count;
} walk;

/* Tensors begin at multiples of 16 floats. */
static float *take(walk *w, size_t rows, size_t cols, const char *stem,
                   const char *who, const char *what)
{
    if (w->list) {
        ems_fusion_tensor *t = &w->list[w->count];
        *t = (ems_fusion_tensor){.at = w->at, .rows = rows, .cols = cols};
        snprintf(t->name, sizeof t->name, "%s%s%s", stem, who, what);
    }
    float *p = w->block ? w->block + w->at : NULL;
    w->count++;
    w->at += ((rows ? rows : 1) * cols + 15) & ~(size_t)15;
    return p;
}

static ems_linear take_linear(walk *w, size_t n, size_t k, const char *stem,
                              const char *who)
{
    ems_linear l;
    l.w = take(w, n, k, stem, who, ".weight");
    l.b = take(w, 0, n, stem, who, ".bias");
    return l;
}

static ems_attention_params take_attention(walk *w, size_t d,
                                           const char *stem, const char *who)
{
    ems_attention_params a;
    a.in.w = take(w, 3 * d, d, stem, who, ".in_proj_weight");
    a.in.b = take(w, 0, 3 * d, stem, who, ".in_proj_bias");
    a.out.w = take(w, d, d, stem, who, ".out_proj.weight");
    a.out.b = take(w, 0, d, stem, who, ".out_proj.bias");
    return a;
}

static void pair_name(char *to, size_t size, const ems_fusion_shape *s,
                      const ems_fusion_pair *p)
{
    snprintf(to, size, "%s_%s", s->expert[p->a].name, s->expert[p->b].name);
}

static void list_pairs(ems_fusion_params *p, const ems_fusion_shape *s)
{
    size_t sequences = 0;
    for (size_t i = 0; i < s->experts; i++)
        sequences += s->expert[i].rows > 1;
    p->pairs = 0;
    for (size_t a = 0; a < s->experts; a++)
        for (size_t b = 0; b < s->experts; b++)
            if (s->expert[a].rows > 1 && s->expert[b].rows > 1 &&
                (a != b || sequences == 1))
                p->pair[p->pairs++] = (ems_fusion_pair){.a = a, .b = b};
}

static void unit_name(char *to, size_t size, const ems_fusion_params *p,
                      const ems_fusion_shape *s, const ems_fusion_unit *u)
{
    if (u->single)
        snprintf(to, size, "%s", s->expert[u->index].name);
    else
        pair_name(to, size, s, &p->pair[u->index]);
}

/* Pairs and singles in one order, by name. */
static void list_units(ems_fusion_params *p, const ems_fusion_shape *s)
{
    char one[2 * EMS_FUSION_NAME + 2], other[2 * EMS_FUSION_NAME + 2];
    p->units = 0;
    for (size_t i = 0; i < p->pairs + s->experts; i++) {
        const int single = i >= p->pairs;
        const size_t index = single ? i - p->pairs : i;
        if (single && s->expert[index].rows > 1)
            continue;
        const ems_fusion_unit u = {single, index};
        unit_name(one, sizeof one, p, s, &u);
        size_t to = p->units++;
        for (; to > 0; to--) {
            unit_name(other, sizeof other, p, s, &p->unit[to - 1]);
            if (strcmp(other, one) <= 0)
                break;
            p->unit[to] = p->unit[to - 1];
        }
        p->unit[to] = u;
    }
}

static void place_cross(walk *w, ems_fusion_params *p,
                        const ems_fusion_shape *s)
{
    const size_t d = s->width;
    char name[2 * EMS_FUSION_NAME + 2];
    for (size_t i = 0; i < s->experts; i++) {
        const char *who = s->expert[i].name;
        if (s->expert[i].rows == 1)
            continue;
        p->query[i] = take_linear(w, d, d, "query.", who);
        p->key[i] = take_linear(w, d, d, "key.", who);
        p->value[i] = take_linear(w, d, d, "value.", who);
    }
    for (size_t i = 0; i < p->pairs; i++) {
        ems_fusion_pair *x = &p->pair[i];
        pair_name(name, sizeof name, s, x);
        x->mha = take_attention(w, d, "attention.", name);
        x->gain = take(w, 0, d, "norm.", name, ".weight");
        x->bias = take(w, 0, d, "norm.", name, ".bias");
    }
    p->code = p->units * d;
}

static void place_joint(walk *w, ems_fusion_params *p,
                        const ems_fusion_shape *s)
{
    static const char *const NORM[3] = {"norm1", "norm2", "norm"};
    const size_t d = s->width;
    p->positions = 1;
    for (size_t i = 0; i < s->experts; i++)
        p->positions += s->expert[i].rows + 1;
    for (size_t i = 0; i < s->experts; i++) {
        const char *who = s->expert[i].name;
        p->separator[i] = take(w, 0, d, "separator.", who, "");
        p->position[i] = take(w, p->positions, d, "position.", who, "");
    }
    p->start = take(w, 0, d, "start", "", "");
    p->mha = take_attention(w, d, "attention", "");
    p->inner = take_linear(w, s->inner, d, "linear1", "");
    p->outer = take_linear(w, d, s->inner, "linear2", "");
    for (size_t i = 0; i < 3; i++) {
        p->gain[i] = take(w, 0, d, NORM[i], "", ".weight");
        p->bias[i] = take(w, 0, d, NORM[i], "", ".bias");
    }
    p->code = d;
}

size_t ems_fusion_place(ems_fusion_params *p, float *block,
                        const ems_fusion_shape *s, ems_fusion_tensor *list,
                        size_t *count)
{
    walk w = {.block = block, .list = list};
    *p = (ems_fusion_params){0};
    for (size_t i = 0; i < s->experts; i++)
        p->encode[i] = take_linear(&w, s->width, s->expert[i].dim, "encode.",
                                   s->expert[i].name);
    if (s->kind == EMS_FUSION_CROSS) {
        list_pairs(p, s);
        list_units(p, s);
        place_cross(&w, p, s);
    } else {
        place_joint(&w, p, s);
    }
    p->output = take_linear(&w, ems_fusion_outputs(s), p->code, "output", "");
    if (count)
        *count = w.count;
    return w.at;
}

static uint64_t linear(size_t n, size_t k)
{
    return (uint64_t)n * k + n;
}

uint64_t ems_fusion_parameters(const ems_fusion_shape *s)
{
    ems_fusion_params p;
    const size_t d = s->width;
    ems_fusion_place(&p, NULL, s, NULL, NULL);
    uint64_t sum = linear(ems_fusion_outputs(s), p.code);
    for (size_t i = 0; i < s->experts; i++) {
        sum += linear(d, s->expert[i].dim);
        if (s->kind == EMS_FUSION_JOINT)
            sum += (uint64_t)d * (p.positions + 1);
        else if (s->expert[i].rows > 1)
            sum += 3 * linear(d, d);
    }
    if (s->kind == EMS_FUSION_CROSS)
        return sum + p.pairs * (4 * linear(d, d) + 2 * d);
    return sum + d + 4 * linear(d, d) + linear(s->inner, d) +
           linear(d, s->inner) + 6 * d;
}

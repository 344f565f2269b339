/* Correlations and the overlap of distributions. */
#include "base/mem.h"
#include "music/evaluate.h"

#include <math.h>
#include <stdlib.h>

static double mean_of(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i];
    return sum / (double)count;
}

double ems_pearson(const double *x, const double *y, size_t count)
{
    double xx = 0, yy = 0, xy = 0;
    if (count < 2)
        return NAN;
    const double mx = mean_of(x, count), my = mean_of(y, count);
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

/* ---- Ranks ---- */

typedef struct item {
    double value;
    size_t at;
} item;

static int item_order(const void *a, const void *b)
{
    const double x = ((const item *)a)->value, y = ((const item *)b)->value;
    return (x > y) - (x < y);
}

/* Equal values share the mean of their ranks. */
static void rank(double *out, item *items, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i] = (item){x[i], i};
    qsort(items, count, sizeof *items, item_order);
    for (size_t i = 0; i < count;) {
        size_t j = i;
        while (j < count && items[j].value <= items[i].value)
            j++;
        for (size_t k = i; k < j; k++)
            out[items[k].at] = (double)(i + j - 1) / 2;
        i = j;
    }
}

double ems_spearman(const double *x, const double *y, size_t count)
{
    double *ranks = ems_alloc(2 * count, sizeof *ranks);
    item *items = ems_alloc(count, sizeof *items);
    double rho = NAN;
    if (ranks && items) {
        rank(ranks, items, x, count);
        rank(ranks + count, items, y, count);
        rho = ems_pearson(ranks, ranks + count, count);
    }
    ems_free(ranks);
    ems_free(items);
    return rho;
}

/* ---- Overlap ---- */

typedef struct smooth {
    const double *x;
    size_t count;
    double width;
} smooth;

/* Scott's width; never so small that equal values have none. */
static smooth smooth_of(const double *x, size_t count, double least)
{
    const double mean = mean_of(x, count);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    const double width = sqrt(sum / (double)count) *
                         pow((double)count, -0.2);
    return (smooth){x, count, width > least ? width : least};
}

static double density(const smooth *s, double at)
{
    static const double root = 2.5066282746310002; /* of 2 pi */
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        const double d = (at - s->x[i]) / s->width;
        sum += exp(-d * d / 2);
    }
    return sum / ((double)s->count * s->width * root);
}

double ems_overlap(const double *x, size_t n, const double *y, size_t m)
{
    enum { STEPS = 1000 };
    if (n == 0 || m == 0)
        return NAN;
    double low = x[0], high = x[0];
    for (size_t i = 0; i < n + m; i++) {
        const double v = i < n ? x[i] : y[i - n];
        low = fmin(low, v);
        high = fmax(high, v);
    }
    if (!(high > low))
        return 1;
    const double span = high - low;
    const smooth a = smooth_of(x, n, span / 200);
    const smooth b = smooth_of(y, m, span / 200);
    const double reach = 4 * fmax(a.width, b.width);
    const double step = (span + 2 * reach) / STEPS;
    double area = 0;
    for (int i = 0; i < STEPS; i++) {
        const double at = low - reach + (i + 0.5) * step;
        area += step * fmin(density(&a, at), density(&b, at));
    }
    return fmin(area, 1);
}

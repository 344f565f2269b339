#include "music/critic_fit.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

static void standardise(ems_critic_head *h, const ems_rated *r,
                        const double *weight)
{
    double total = 0;
    for (size_t i = 0; i < r->rows; i++)
        total += weight[i];
    for (size_t f = 0; f < h->features; f++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < r->rows; i++)
            mean += weight[i] * (double)r->x[i * EMS_HEARD_WHOLE + f];
        mean /= total;
        for (size_t i = 0; i < r->rows; i++) {
            const double d = (double)r->x[i * EMS_HEARD_WHOLE + f] - mean;
            square += weight[i] * d * d;
        }
        h->mean[f] = (float)mean;
        h->scale[f] = (float)(sqrt(square / total) + 1e-4);
    }
}

static void standard(const ems_critic_head *h, const float *x, double *z)
{
    for (size_t f = 0; f < h->features; f++) {
        const double v = ((double)x[f] - (double)h->mean[f]) /
                         (double)h->scale[f];
        z[f] = v < -EMS_CRITIC_CLIP  ? -EMS_CRITIC_CLIP
               : v > EMS_CRITIC_CLIP ? EMS_CRITIC_CLIP : v;
    }
}

/* a[n, n] + ridge = L L', in the lower half. 0: not positive. */
static int factor(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double s = a[i * n + j];
            for (size_t k = 0; k < j; k++)
                s -= a[i * n + k] * a[j * n + k];
            if (i > j)
                a[i * n + j] = s / a[j * n + j];
            else if (s > 0)
                a[i * n + i] = sqrt(s);
            else
                return 0;
        }
    return 1;
}

static void solve(const double *l, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= l[i * n + k] * b[k];
        b[i] /= l[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            b[i] -= l[k * n + i] * b[k];
        b[i] /= l[i * n + i];
    }
}

/* Adds weight * z z' to the lower half of a and weight * z y to b. */
static void gather(double *a, double *b, const double *z, size_t n,
                   const double y[2], double weight)
{
    for (size_t i = 0; i < n; i++) {
        const double w = weight * z[i];
        double *row = a + i * n;
        for (size_t j = 0; j <= i; j++)
            row[j] += w * z[j];
        b[i] += w * y[0];
        b[n + i] += w * y[1];
    }
}

static void normal_equations(const ems_critic_head *h, const ems_rated *r,
                             const double *weight, double *a, double *b,
                             double *z)
{
    const size_t n = h->features;
    for (size_t i = 0; i < r->rows; i++) {
        if (!(weight[i] > 0))
            continue;
        const double y[2] = {(double)r->y[2 * i] - (double)h->bias[0],
                             (double)r->y[2 * i + 1] - (double)h->bias[1]};
        standard(h, &r->x[i * EMS_HEARD_WHOLE], z);
        gather(a, b, z, n, y, weight[i]);
    }
}

static void mean_rating(ems_critic_head *h, const ems_rated *r,
                        const double *weight)
{
    double total = 0, sum[2] = {0};
    for (size_t i = 0; i < r->rows; i++) {
        total += weight[i];
        sum[0] += weight[i] * (double)r->y[2 * i];
        sum[1] += weight[i] * (double)r->y[2 * i + 1];
    }
    for (int a = 0; a < 2; a++) {
        h->bias[a] = (float)(sum[a] / total);
        h->gain[a] = 1;
        h->offset[a] = 0;
    }
}

int ems_critic_fit(ems_critic_head *h, const ems_rated *r,
                   const double *weight, double ridge, ems_error *err)
{
    const size_t n = h->features;
    double *a = ems_alloc(n * n + 3 * n, sizeof *a);
    if (!a)
        return ems_out_of_memory(err);
    double *b = a + n * n, *z = b + 2 * n;
    standardise(h, r, weight);
    mean_rating(h, r, weight);
    normal_equations(h, r, weight, a, b, z);
    for (size_t i = 0; i < n; i++)
        a[i * n + i] += ridge;
    const int good = factor(a, n);
    for (size_t k = 0; good && k < 2; k++) {
        solve(a, n, b + k * n);
        for (size_t i = 0; i < n; i++)
            h->weight[k][i] = (float)b[k * n + i];
    }
    ems_free(a);
    return good ? EMS_OK
                : ems_fail(err, EMS_EINTERNAL, "the critic's equations have no"
                           " answer; ask for a larger ridge");
}

double ems_correlation(const double *a, const double *b, size_t n)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        ma += a[i] / (double)n;
        mb += b[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

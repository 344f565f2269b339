/* ops_kern.c - ops.h in vector extensions; compiled once per instruction set
 * (EMS_ISA its name, EMS_VW floats per vector), without contraction: these
 * passes wait for memory, and so all sets and compilers give the same bits. */
#include "nn/ops.h"

#include <math.h>
#include <string.h>

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

enum { VW = EMS_VW, LANES = 16, L = LANES / VW };
typedef float vf __attribute__((vector_size(VW * 4)));
typedef float vfu __attribute__((vector_size(VW * 4), aligned(4)));
typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4)));

#define INLINE static inline __attribute__((always_inline))
/* Visit n elements, 16 a turn: lane block v holds elements j .. j + VW. */
#define EACH(j, v, n)                                                         \
    for (size_t j##0 = 0; j##0 < (n); j##0 += LANES)                          \
        for (size_t v = 0, j = j##0; v < L; v++, j += VW)

INLINE vf all(float x)
{
    return x - (vf){0};
}

/* Elements j .. j + VW of n; 0 past the end. */
INLINE vf load(const float *p, size_t j, size_t n)
{
    if (j + VW <= n)
        return *(const vfu *)(p + j);
    vf x = {0};
    for (size_t l = 0; j + l < n; l++)
        x[l] = p[j + l];
    return x;
}

INLINE void store(float *p, vf x, size_t j, size_t n)
{
    if (j + VW <= n)
        *(vfu *)(p + j) = x;
    else
        for (size_t l = 0; j + l < n; l++)
            p[j + l] = x[l];
}

/* -1 where j + lane < n */
INLINE vi inside(size_t j, size_t n)
{
    vi i;
    for (int l = 0; l < VW; l++)
        i[l] = l;
    const long left = (long)n - (long)j;
    return i < (int32_t)(left > VW ? VW : left);
}

INLINE vf choose(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

INLINE vf larger(vf a, vf b)
{
    return choose(a > b, a, b);
}

INLINE float fold(const vf *lane)
{
    float t[LANES];
    memcpy(t, lane, sizeof t);
    for (int w = LANES / 2; w; w /= 2)
        for (int l = 0; l < w; l++)
            t[l] += t[l + w];
    return t[0];
}

INLINE float fold_max(const vf *lane)
{
    float t[LANES];
    memcpy(t, lane, sizeof t);
    for (int l = 1; l < LANES; l++)
        t[0] = t[l] > t[0] ? t[l] : t[0];
    return t[0];
}

/* e^x = 2^n e^r with |r| <= ln(2)/2; Taylor to the 7th power (error of the
 * series below 1e-8), ln 2 in two parts. */
INLINE vf exponential(vf x)
{
    const vf low = all(-87.0f), high = all(88.0f);
    const vi under = x < low;
    x = larger(x, low);
    x = choose(x < high, x, high);
    const vf magic = all(12582912.0f); /* 1.5 * 2^23: rounds to an integer */
    const vf t = x * 1.44269504f + magic;
    const vf n = t - magic;
    vf r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vf p = all(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const vi bits = ((vi)t - (vi)magic) << 23;
    return (vf)(((vi)p + bits) & ~under);
}

static void exp_all(float *x, size_t n)
{
    for (size_t j = 0; j < n; j += VW)
        store(x, exponential(load(x, j, n)), j, n);
}

/* What element first + j .. is multiplied with: 0 or scale. */
INLINE vf keep(ems_drop d, size_t first)
{
    vu h;
    for (uint32_t l = 0; l < VW; l++)
        h[l] = l;
    h = (h + (uint32_t)first) * EMS_DROP_STEP + d.key;
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    h ^= h >> 16;
    const vi kept = (vi)(h >> 8) >= (int32_t)d.threshold;
    return (vf)((vi)all(d.scale) & kept);
}

static void drop(float *x, size_t n, size_t first, ems_drop d)
{
    if (d.threshold)
        for (size_t j = 0; j < n; j += VW)
            store(x, load(x, j, n) * keep(d, first + j), j, n);
}

/* normal[] = x + drop(branch); returns the mean. */
INLINE float add_row(const ems_add_norm *a, size_t row, float *sum)
{
    const size_t n = a->n, at = row * n;
    const float *x = a->x + at, *branch = a->branch + at;
    vf lane[L] = {{0}};
    EACH (j, v, n) {
        vf b = load(branch, j, n);
        if (a->drop.threshold)
            b *= keep(a->drop, (a->first + row) * n + j);
        const vf s = load(x, j, n) + b;
        store(sum, s, j, n);
        lane[v] += s;
    }
    return fold(lane) / (float)n;
}

static void add_norm_row(const ems_add_norm *a, size_t row)
{
    const size_t n = a->n;
    float *const normal = a->normal + row * n, *const y = a->y + row * n;
    const float mean = add_row(a, row, normal);
    vf lane[L] = {{0}};
    EACH (j, v, n) {
        const vf d = load(normal, j, n) - mean;
        const vf inner = (vf)((vi)d & inside(j, n));
        lane[v] += inner * inner;
    }
    const float rstd = 1 / sqrtf(fold(lane) / (float)n + 1e-6f);
    a->rstd[row] = rstd;
    for (size_t j = 0; j < n; j += VW) {
        const vf z = (load(normal, j, n) - mean) * rstd;
        store(normal, z, j, n);
        store(y, z * load(a->gain, j, n) + load(a->bias, j, n), j, n);
    }
}

static void add_norm(const ems_add_norm *a)
{
    for (size_t row = 0; row < a->rows; row++)
        add_norm_row(a, row);
}

static void norm_back_row(const ems_norm_back *a, size_t row)
{
    const size_t n = a->n, at = row * n;
    const float *dy = a->dy + at, *z = a->normal + at, *gain = a->gain;
    vf sum[L] = {{0}}, dot[L] = {{0}};
    EACH (j, v, n) {
        const vf dz = load(dy, j, n) * load(gain, j, n);
        sum[v] += dz;
        dot[v] += dz * load(z, j, n);
    }
    const float mean = fold(sum) / (float)n, slope = fold(dot) / (float)n;
    for (size_t j = 0; j < n; j += VW) {
        const vf dz = load(dy, j, n) * load(gain, j, n);
        const vf dx = (dz - mean - load(z, j, n) * slope) * a->rstd[row];
        store(a->dx + at, dx, j, n);
        vf db = dx;
        if (a->drop.threshold)
            db *= keep(a->drop, (a->first + row) * n + j);
        store(a->dbranch + at, db, j, n);
    }
}

static void norm_back(const ems_norm_back *a)
{
    for (size_t row = 0; row < a->rows; row++)
        norm_back_row(a, row);
}

enum { STRIP = 4 }; /* vectors of columns that are summed in registers */

/* Sums of up to STRIP * VW columns. */
INLINE void strip(size_t rows, size_t n, size_t ld, const float *x,
                  const float *y, float *sum, float *dot)
{
    vf s[STRIP], d[STRIP];
    for (size_t v = 0; v < STRIP; v++) {
        s[v] = load(sum, v * VW, n);
        d[v] = y ? load(dot, v * VW, n) : all(0);
    }
    for (size_t i = 0; i < rows; i++, x += ld) {
        for (size_t v = 0; v < STRIP; v++) {
            const vf a = load(x, v * VW, n);
            s[v] += a;
            if (y)
                d[v] += a * load(y + i * ld, v * VW, n);
        }
    }
    for (size_t v = 0; v < STRIP; v++) {
        store(sum, s[v], v * VW, n);
        if (y)
            store(dot, d[v], v * VW, n);
    }
}

static void columns(size_t rows, size_t n, size_t ld, const float *x,
                    const float *y, float *sum, float *dot)
{
    enum { WIDE = STRIP * VW };
    for (size_t j = 0; j < n; j += WIDE) {
        const float *z = dot ? y + j : NULL;
        if (n - j >= WIDE)
            strip(rows, WIDE, ld, x + j, z, sum + j, dot ? dot + j : NULL);
        else
            strip(rows, n - j, ld, x + j, z, sum + j, dot ? dot + j : NULL);
    }
}

/* Visit whole lanes where there is room for them. */
#define WHOLE(j, v, n)                                                        \
    for (size_t j##0 = 0; j##0 < (n); j##0 += LANES)                          \
        for (size_t v = 0, j = j##0; v < L; v++, j += VW)
#define AT(p, j) (*(vfu *)((p) + (j)))
#define GET(p, j) (*(const vfu *)((p) + (j)))

static void softmax(float *p, float *s, const float *mask, size_t n,
                    size_t width, float scale)
{
    vf most[L], lane[L] = {{0}};
    for (size_t v = 0; v < L; v++)
        most[v] = all(-INFINITY);
    for (size_t j = 0; mask && j < n; j++)
        s[j] += mask[j] / scale;
    for (size_t j = n; j % LANES; j++)
        s[j] = -INFINITY;
    WHOLE (j, v, n)
        most[v] = larger(GET(s, j), most[v]);
    const float max = fold_max(most);
    WHOLE (j, v, n) {
        const vf e = exponential((GET(s, j) - max) * scale);
        AT(s, j) = e;
        lane[v] += e;
    }
    const float inverse = 1 / fold(lane);
    WHOLE (j, v, n)
        AT(p, j) = GET(s, j) * inverse;
    if (width > n)
        memset(p + n, 0, (width - n) * sizeof *p);
}

static void softmax_back(float *d, const float *p, float dot, size_t n,
                         size_t width, float scale)
{
    WHOLE (j, v, n)
        AT(d, j) = GET(p, j) * (GET(d, j) - dot) * scale;
    if (width > n)
        memset(d + n, 0, (width - n) * sizeof *d);
}

static float dot(const float *x, const float *y, size_t n)
{
    vf lane[L] = {{0}};
    EACH (j, v, n)
        lane[v] += load(x, j, n) * load(y, j, n);
    return fold(lane);
}

/* x[] = e^(x - max); returns the sum, and max. */
static float exp_row(float *out, const float *x, size_t n, float *max)
{
    vf most[L];
    for (size_t v = 0; v < L; v++)
        most[v] = all(-INFINITY);
    EACH (j, v, n)
        most[v] = larger(choose(inside(j, n), load(x, j, n), all(-INFINITY)),
                         most[v]);
    *max = fold_max(most);
    vf lane[L] = {{0}};
    EACH (j, v, n) {
        const vf e = exponential(load(x, j, n) - *max);
        lane[v] += (vf)((vi)e & inside(j, n));
        if (out)
            store(out, e, j, n);
    }
    return fold(lane);
}

static double cross_entropy(float *logits, size_t n, size_t target,
                            float weight, int keep_logits)
{
    float max;
    const float wanted = logits[target];
    const float sum = exp_row(keep_logits ? NULL : logits, logits, n, &max);
    if (!keep_logits) {
        const float scale = weight / sum;
        for (size_t j = 0; j < n; j += VW)
            store(logits, load(logits, j, n) * scale, j, n);
        logits[target] -= weight;
    }
    return (log((double)sum) + (double)max - (double)wanted) *
           (double)weight;
}

static double sum_squares(const float *x, size_t n)
{
    vf lane[L] = {{0}};
    EACH (j, v, n) {
        const vf y = load(x, j, n);
        lane[v] += y * y;
    }
    return (double)fold(lane);
}

static void adamw(float *p, const float *g, float *m, float *v, size_t n,
                  const ems_adamw *a)
{
    const float shrink = 1 - a->lr * a->decay;
    const float rate = a->lr * a->correct1, c2 = a->correct2;
    for (size_t i = 0; i < n; i++) {
        const float x = g[i] * a->scale;
        m[i] = m[i] * a->beta1 + x * (1 - a->beta1);
        v[i] = v[i] * a->beta2 + x * x * (1 - a->beta2);
        p[i] = p[i] * shrink - rate * m[i] / (sqrtf(v[i] * c2) + a->epsilon);
    }
}

extern const ems_ops CAT(ems_ops_, EMS_ISA);
const ems_ops CAT(ems_ops_, EMS_ISA) = {
    .add_norm = add_norm,
    .norm_back = norm_back,
    .columns = columns,
    .drop = drop,
    .softmax = softmax,
    .softmax_back = softmax_back,
    .dot = dot,
    .cross_entropy = cross_entropy,
    .sum_squares = sum_squares,
    .adamw = adamw,
    .exp = exp_all,
};

#include "enhance/muon.h"

#include <math.h>
#include <string.h>

enum { STEPS = 5 };
#define MOMENTUM 0.95f
/* The quintic a x + b x^3 + c x^5 that lifts small values fastest. */
static const float quintic_a = 3.4445f, quintic_b = -4.7750f,
                   quintic_c = 2.0315f;

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One matrix as large as the kernel for its update, one for a product, and
 * two square ones. */
static size_t floats_of(size_t rows, size_t cols)
{
    const size_t small = lesser(rows, cols);
    return 2 * rows * cols + 2 * small * small;
}

static size_t rows_of(const ems_cnet *n, const ems_cnet_layer *l)
{
    return l->taps * n->tensor[l->in].channels;
}

size_t ems_muon_floats(const ems_cnet *n)
{
    size_t most = 0;
    for (size_t i = 0; i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        const size_t cols = n->tensor[l->out].channels;
        const size_t floats = floats_of(rows_of(n, l), cols);
        if (l->kind == EMS_CNET_CONV && floats > most)
            most = floats;
    }
    return most;
}

/* out = x' x or, when there are fewer rows than columns, x x'. */
static void gram(ems_gemm_pool *gemm, float *out, const float *x, size_t rows,
                 size_t cols)
{
    const int wide = rows < cols;
    const size_t n = lesser(rows, cols);
    ems_gemm_all(gemm, &(ems_gemm){
        .c = out, .ldc = n, .a = x, .a_row = wide ? cols : 1,
        .a_col = wide ? 1 : cols, .b = x, .b_row = wide ? 1 : cols,
        .b_col = wide ? cols : 1, .m = n, .n = n, .k = wide ? cols : rows});
}

/* s = a I + b s + c s^2 */
static void polynomial(ems_gemm_pool *gemm, float *s, float *square, size_t n)
{
    ems_gemm_all(gemm, &(ems_gemm){.c = square, .ldc = n, .a = s, .a_row = n,
                                   .a_col = 1, .b = s, .b_row = n, .b_col = 1,
                                   .m = n, .n = n, .k = n});
    for (size_t i = 0; i < n * n; i++)
        s[i] = quintic_b * s[i] + quintic_c * square[i];
    for (size_t i = 0; i < n; i++)
        s[i * (n + 1)] += quintic_a;
}

void ems_muon_orthogonal(ems_gemm_pool *gemm, float *x, size_t rows,
                         size_t cols, float *work)
{
    const size_t n = lesser(rows, cols), count = rows * cols;
    float *y = work, *s = y + count, *square = s + n * n;
    const int wide = rows < cols;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    const float scale = (float)(1 / (sqrt(sum) + 1e-30));
    for (size_t i = 0; i < count; i++)
        x[i] *= scale;
    for (int k = 0; k < STEPS; k++) {
        gram(gemm, s, x, rows, cols);
        polynomial(gemm, s, square, n);
        ems_gemm_all(gemm, &(ems_gemm){
            .c = y, .ldc = cols, .a = wide ? s : x, .a_row = wide ? n : cols,
            .a_col = 1, .b = wide ? x : s, .b_row = wide ? cols : n,
            .b_col = 1, .m = rows, .n = cols, .k = n});
        memcpy(x, y, count * sizeof *x);
    }
}

static int step_kernel(ems_gemm_pool *gemm, float *p, const float *g,
                       float *m, size_t rows, size_t cols, double lr,
                       float *work)
{
    const size_t count = rows * cols;
    float *update = work;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        m[i] = MOMENTUM * m[i] + g[i];
        update[i] = g[i] + MOMENTUM * m[i]; /* Nesterov's */
        sum += (double)update[i];
    }
    if (!isfinite(sum))
        return -1;
    ems_muon_orthogonal(gemm, update, rows, cols, work + count);
    const double wider = cols > rows ? (double)cols / (double)rows : 1;
    const float scale = (float)(lr * sqrt(wider));
    for (size_t i = 0; i < count; i++)
        p[i] -= scale * update[i];
    return 0;
}

int ems_muon_step(const ems_cnet *n, float *p, const float *g, float *m,
                  double lr, float *work)
{
    for (size_t i = 0; i < n->layers; i++) {
        const ems_cnet_layer *l = &n->layer[i];
        const size_t at = l->weight, cols = n->tensor[l->out].channels;
        if (l->kind == EMS_CNET_CONV &&
            step_kernel(n->gemm, p + at, g + at, m + at, rows_of(n, l), cols,
                        lr, work) < 0)
            return -1;
    }
    return 0;
}

#include "base/spectrum.h"

#include "base/mem.h"

/* By their series, |x| <= pi: libm's last bits differ between versions. */
static double sine_of(double x)
{
    double sum = 1;
    for (int k = 28; k > 0; k -= 2)
        sum = 1 - x * x * sum / (k * (k + 1));
    return x * sum;
}

static double cosine_of(double x)
{
    double sum = 1;
    for (int k = 27; k > 0; k -= 2)
        sum = 1 - x * x * sum / (k * (k + 1));
    return sum;
}

static const double PI = 3.14159265358979323846;

int ems_spectrum_init(ems_spectrum *s, size_t size)
{
    float *block = ems_alloc(4 * size, sizeof *block);
    if (!block)
        return -1;
    *s = (ems_spectrum){
        .size = size, .window = block, .cosine = block + size,
        .sine = block + size + size / 2, .re = block + 2 * size,
        .im = block + 3 * size,
    };
    for (size_t i = 0; i < size; i++) {
        const double turn = 2 * PI * (double)i / (double)size;
        const double c = turn <= PI ? cosine_of(turn)
                                    : cosine_of(2 * PI - turn);
        s->window[i] = (float)(0.5 - 0.5 * c);
        if (i < size / 2) {
            s->cosine[i] = (float)c;
            s->sine[i] = (float)-sine_of(turn);
        }
    }
    return 0;
}

void ems_spectrum_clear(ems_spectrum *s)
{
    ems_free(s->window);
    *s = (ems_spectrum){0};
}

static size_t reversed(size_t i, size_t size)
{
    size_t r = 0;
    for (size_t bit = 1; bit < size; bit <<= 1, i >>= 1)
        r = r << 1 | (i & 1);
    return r;
}

/* Radix 2, decimation in time. */
static void transform(ems_spectrum *s)
{
    float *re = s->re, *im = s->im;
    for (size_t half = 1; half < s->size; half *= 2) {
        const size_t step = s->size / (2 * half);
        for (size_t base = 0; base < s->size; base += 2 * half) {
            for (size_t k = 0; k < half; k++) {
                const float c = s->cosine[k * step], d = s->sine[k * step];
                const size_t a = base + k, b = a + half;
                const float x = re[b] * c - im[b] * d;
                const float y = re[b] * d + im[b] * c;
                re[b] = re[a] - x;
                im[b] = im[a] - y;
                re[a] += x;
                im[a] += y;
            }
        }
    }
}

void ems_spectrum_run(ems_spectrum *s, float *power, const float *samples)
{
    for (size_t i = 0; i < s->size; i++) {
        const size_t r = reversed(i, s->size);
        s->re[r] = samples[i] * s->window[i];
        s->im[i] = 0;
    }
    transform(s);
    const float scale = 4.0f / (float)s->size; /* Hann's mean is 1/2 */
    for (size_t i = 0; i <= s->size / 2; i++) {
        const float x = s->re[i] * scale, y = s->im[i] * scale;
        power[i] = x * x + y * y;
    }
}

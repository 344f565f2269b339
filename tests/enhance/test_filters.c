/* The filters of the study against scipy, and against what their names
 * promise. */
#include "ems_test.h"

#include "enhance/filters.h"
#include "base/mem.h"
#include "filters_reference.h"

#include <math.h>

enum { REFERENCES = sizeof reference / sizeof *reference };
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void design(ems_filter *f, ems_filter_spec s, double rate)
{
    ems_error err = {0};
    if (ems_filter_design(f, &s, rate, &err) != 0)
        fail_msg("%s", err.text);
}

static ems_filter_spec reference_filter(ems_filter *f, size_t i)
{
    ems_filter_spec s;
    assert_int_equal(ems_filter_named(&s, reference[i].name, NULL), 0);
    s.cutoff = reference[i].cutoff;
    design(f, s, reference[i].rate);
    return s;
}

/* The generator of filters_reference.py. */
static void make_noise(float *x, size_t n, size_t stride)
{
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i * stride] = (float)(state >> 8) / 8388608.0f - 1;
    }
}

static double db(double x)
{
    return 20 * log10(x);
}

static void near(double got, double want, double most, const char *what,
                 const char *name)
{
    if (!(fabs(got - want) <= most))
        fail_msg("%s of %s: %.15g, want %.15g", what, name, got, want);
}

static void test_magnitudes(void **state)
{
    (void)state;
    double worst = 0;
    for (size_t i = 0; i < REFERENCES; i++) {
        ems_filter f;
        reference_filter(&f, i);
        for (size_t k = 0; k < COUNT(fraction); k++) {
            const double rate = reference[i].rate;
            const double hz =
                fmin(fraction[k] * reference[i].cutoff, rate / 2 * 0.999);
            const double want = reference[i].magnitude[k];
            const double got = ems_filter_magnitude(&f, hz, rate);
            near(got, want, 1e-9, "magnitude", reference[i].name);
            near(got, want, 1e-6 * want, "stop band", reference[i].name);
            worst = fmax(worst, fabs(got - want));
        }
    }
    print_message("magnitudes differ by at most %.1e\n", worst);
}

static void test_one_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < REFERENCES; i++) {
        ems_filter f;
        reference_filter(&f, i);
        float x[FRAMES] = {0};
        x[IMPULSE] = 1;
        ems_filter_state s = {0};
        ems_filter_stream(&f, &s, x, x, FRAMES, 1);
        for (size_t k = 0; k < COUNT(once_at); k++)
            near(x[once_at[k]], reference[i].once[k], 1e-7, "impulse",
                 reference[i].name);
    }
}

static void test_zero_phase(void **state)
{
    (void)state;
    for (size_t i = 0; i < REFERENCES; i++) {
        ems_filter f;
        reference_filter(&f, i);
        float x[FRAMES * 2] = {0};
        x[IMPULSE * 2] = 1;
        make_noise(x + 1, FRAMES, 2);
        assert_int_equal(ems_filter_zero_phase(&f, x, x, FRAMES, 2, NULL), 0);
        for (size_t k = 0; k < COUNT(zero_at); k++) {
            const size_t at = 2 * (size_t)zero_at[k];
            near(x[at], reference[i].zero[k], 1e-6, "zero phase, impulse",
                 reference[i].name);
            near(x[at + 1], reference[i].zero_noise[k], 1e-6,
                 "zero phase, noise", reference[i].name);
        }
    }
}

/* From the most to the least damped; holds for low cut-offs, where the
 * bilinear transform bends little. */
static void ascending(const ems_filter *f, const char *name)
{
    for (int i = f->order % 2 + 1; i < f->sections; i++)
        if (!(f->section[i].a2 > f->section[i - 1].a2))
            fail_msg("%s: section %d is out of order", name, i);
}

static void stable(const ems_filter *f, const char *name)
{
    for (int i = 0; i < f->sections; i++) {
        const ems_section *s = &f->section[i];
        if (!(fabs(s->a2) < 1 && fabs(s->a1) < 1 + s->a2))
            fail_msg("%s: section %d is not stable", name, i);
    }
}

/* Hz at `t` of the way, as the bilinear transform sees it, from 0 (t = 0)
 * over the cut-off (t = 1) to half the rate (never reached). */
static double warped(double t, double cutoff, double rate)
{
    return rate / M_PI * atan(t * tan(M_PI * cutoff / rate));
}

/* What the family promises about the pass band, the edge and beyond. */
static void keeps_promise(const ems_filter *f, ems_filter_spec s, double rate,
                          const char *name)
{
    const int ripples = s.family == EMS_CHEBY1 || s.family == EMS_ELLIPTIC;
    const double edge = ripples ? -0.05 : 10 * log10(0.5);
    const double start = ripples && s.order % 2 == 0 ? -0.05 : 0;
    near(db(ems_filter_magnitude(f, 0, rate)), start, 1e-3, "start", name);
    near(db(ems_filter_magnitude(f, s.cutoff, rate)), edge, 1e-3, "edge", name);
    double last = 1 + 1e-4, lowest = 1;
    for (double t = 0.01; t < 4; t += 0.01) {
        const double m =
            ems_filter_magnitude(f, warped(t, s.cutoff, rate), rate);
        if (ripples && t < 1 && !(db(m) < 1e-3 && db(m) > -0.051))
            fail_msg("%s: %g dB in the pass band", name, db(m));
        if (!ripples && !(m < last))
            fail_msg("%s: rises to %g", name, m);
        last = m + 1e-9;
        lowest = fmin(lowest, m);
        if (s.family == EMS_ELLIPTIC && lowest < 0.1 && !(m < 0.1 + 1e-4))
            fail_msg("%s: %g dB in the stop band", name, db(m));
    }
}

static void test_every_order(void **state)
{
    (void)state;
    const double cutoff[] = {0.06,  20,    1000,  4000,
                             11025, 16000, 22000, 22049.9};
    for (int family = 0; family < EMS_FILTER_FAMILIES; family++)
        for (int order = 1; order <= EMS_FILTER_ORDER; order++)
            for (size_t k = 0; k < COUNT(cutoff); k++) {
                const ems_filter_spec s = {(ems_filter_family)family, order,
                                           cutoff[k]};
                char name[EMS_FILTER_NAME];
                ems_filter_name(name, &s);
                ems_filter f;
                design(&f, s, 44100);
                assert_int_equal(f.sections, (order + 1) / 2);
                stable(&f, name);
                if (cutoff[k] <= 1000)
                    ascending(&f, name);
                if (cutoff[k] > 1 && cutoff[k] < 22049)
                    keeps_promise(&f, s, 44100, name);
            }
}

static void test_stream_is_seamless(void **state)
{
    (void)state;
    enum { LONG = 3000 };
    static float x[LONG * 2], whole[LONG * 2], cut[LONG * 2];
    make_noise(x, LONG * 2, 1);
    ems_filter f;
    design(&f, ems_filter_bank(3), 44100);
    ems_filter_state s = {0}, t = {0};
    ems_filter_stream(&f, &s, whole, x, LONG, 2);
    for (size_t at = 0, n = 1; at < LONG; at += n, n = n * 2 + 1) {
        n = LONG - at < n ? LONG - at : n;
        ems_filter_stream(&f, &t, cut + 2 * at, x + 2 * at, n, 2);
    }
    assert_memory_equal(whole, cut, sizeof whole);
}

static void test_silence_ends_in_zero(void **state)
{
    (void)state;
    for (int i = 0; i < EMS_FILTER_BANK; i++) {
        ems_filter f;
        design(&f, ems_filter_bank(i), 44100);
        ems_filter_state s = {0}, none = {0};
        float x[2048] = {1};
        int rounds = 0;
        do {
            assert_true(rounds++ < 2000);
            ems_filter_stream(&f, &s, x, x, COUNT(x), 1);
            memset(x, 0, sizeof x);
        } while (memcmp(&s, &none, sizeof s) != 0);
    }
}

static void test_ends(void **state)
{
    (void)state;
    ems_filter f;
    design(&f, ems_filter_bank(3), 44100);
    const double gain = ems_filter_magnitude(&f, 0, 44100);
    float x[100];
    for (size_t n = 0; n <= 100; n++) { /* shorter than the extension too */
        for (size_t i = 0; i < n; i++)
            x[i] = 0.5f;
        assert_int_equal(ems_filter_zero_phase(&f, x, x, n, 1, NULL), 0);
        for (size_t i = 0; i < n; i++)
            near(x[i], 0.5 * gain * gain, 1e-6, "a constant", "cheby1-12");
    }
}

static void test_bad_samples(void **state)
{
    (void)state;
    float x[400], y[400];
    make_noise(x, 400, 1);
    memcpy(y, x, sizeof x);
    x[0] = x[50] = NAN, x[399] = -INFINITY;
    y[0] = y[50] = y[399] = 0;
    ems_filter f;
    design(&f, ems_filter_bank(0), 44100);
    ems_filter_state s = {0}, t = {0};
    float a[400], b[400];
    ems_filter_stream(&f, &s, a, x, 200, 2);
    ems_filter_stream(&f, &t, b, y, 200, 2);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(ems_filter_zero_phase(&f, a, x, 200, 2, NULL), 0);
    assert_int_equal(ems_filter_zero_phase(&f, b, y, 200, 2, NULL), 0);
    assert_memory_equal(a, b, sizeof a);
}

static void refuses(ems_filter_family family, int order, double cutoff,
                    double rate, const char *why)
{
    const ems_filter_spec s = {family, order, cutoff};
    ems_filter f;
    ems_error err = {0};
    assert_int_equal(ems_filter_design(&f, &s, rate, &err), EMS_EINVAL);
    assert_non_null(strstr(err.text, why));
}

static void test_refusals(void **state)
{
    (void)state;
    refuses(EMS_FILTER_FAMILIES, 6, 100, 44100, "family");
    refuses((ems_filter_family)-1, 6, 100, 44100, "family");
    refuses(EMS_BUTTER, 0, 100, 44100, "order 0");
    refuses(EMS_BUTTER, 17, 100, 44100, "order 17");
    refuses(EMS_BESSEL, 6, 0, 44100, "cut-off");
    refuses(EMS_BESSEL, 6, -5, 44100, "cut-off");
    refuses(EMS_BESSEL, 6, (double)NAN, 44100, "cut-off");
    refuses(EMS_BESSEL, 6, 22050, 44100, "cut-off");
    refuses(EMS_BESSEL, 6, 100, 0, "cut-off");
    refuses(EMS_BESSEL, 6, 100, (double)NAN, "cut-off");
    refuses(EMS_BESSEL, 6, 100, (double)INFINITY, "cut-off");
    ems_filter f;
    design(&f, ems_filter_bank(0), 44100);
    float x[6] = {0};
    ems_error err = {0};
    assert_int_equal(ems_filter_zero_phase(&f, x, x, 2, 3, &err), EMS_EINVAL);
    assert_int_equal(ems_filter_zero_phase(&f, x, x, SIZE_MAX / 4, 2, &err),
                     EMS_ENOMEM);
    ems_alloc_fail_at(1);
    assert_int_equal(ems_filter_zero_phase(&f, x, x, 2, 2, &err), EMS_ENOMEM);
    ems_alloc_fail_at(0);
    ems_filter_spec s;
    assert_int_equal(ems_filter_named(&s, "cheby2-6", &err), EMS_EINVAL);
    assert_non_null(strstr(err.text, "cheby1-N"));
    assert_int_equal(ems_filter_named(&s, "butter-17", &err), EMS_EINVAL);
}

static void test_bank_and_draw(void **state)
{
    (void)state;
    for (int i = 0; i < EMS_FILTER_BANK; i++) {
        const ems_filter_spec s = ems_filter_bank(i);
        char name[EMS_FILTER_NAME];
        ems_filter_name(name, &s);
        assert_string_equal(name, reference[i].name);
        assert_true(s.cutoff == 11025);
    }
    assert_string_equal(reference[EMS_FILTER_UNSEEN].name, "butter-6");
    ems_rng r = ems_rng_seed(1, 0), again = r;
    int drawn[EMS_FILTER_FAMILIES][EMS_FILTER_ORDER + 1] = {{0}};
    int low = 0;
    for (int i = 0; i < 8000; i++) {
        const ems_filter_spec s = ems_filter_draw(&r);
        const ems_filter_spec t = ems_filter_draw(&again);
        assert_true(s.family == t.family && s.order == t.order);
        assert_true(s.order >= 2 && s.order <= 12);
        assert_true(s.cutoff >= 4000 && s.cutoff < 16000);
        drawn[s.family][s.order]++;
        low += s.cutoff < 8000;
    }
    for (int k = 0; k < EMS_FILTER_FAMILIES; k++)
        for (int order = 2; order <= 12; order++)
            assert_in_range(drawn[k][order], 120, 245);
    assert_in_range(low, 3800, 4200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_magnitudes),
        cmocka_unit_test(test_one_pass),
        cmocka_unit_test(test_zero_phase),
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_stream_is_seamless),
        cmocka_unit_test(test_silence_ends_in_zero),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_bad_samples),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bank_and_draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Both fusions against PyTorch (reference.py): outputs, loss, and the
 * gradient of every weight within 1e-4; and their sizes against the paper's. */
#include "rig.h"

#include "base/mem.h"
#include "nn/safetensors.h"

#include <math.h>

static const double TOLERANCE = 1e-4;

/* Largest difference, relative to the largest number of the tensor. */
static void same(const char *name, const float *ours, const float *theirs,
                 size_t n)
{
    double most = 0, worst = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)theirs[i]));
        worst = fmax(worst, fabs((double)ours[i] - (double)theirs[i]));
    }
    if (!(worst <= TOLERANCE * most))
        fail_msg("%s: off by %g of %g", name, worst, most);
}

/* A gradient that is 0 but for rounding: a key's bias moves every score of a
 * row alike. */
static int is_noise(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most < 1e-5;
}

static float *get(const ems_safetensors *st, const char *name, size_t *count)
{
    const ems_st_tensor *t = ems_safetensors_find(st, name);
    if (!t)
        return NULL;
    float *x = ems_alloc(ems_st_count(t), sizeof *x);
    ems_st_read_f32(t, x);
    *count = ems_st_count(t);
    return x;
}

static void fill(const ems_safetensors *st, const char *name, float *to,
                 size_t want)
{
    size_t n = 0;
    float *x = get(st, name, &n);
    if (n != want)
        fail_msg("%s: %zu numbers, want %zu", name, n, want);
    memcpy(to, x, n * sizeof *x);
    ems_free(x);
}

static size_t count_of(const ems_fusion_tensor *t)
{
    return (t->rows ? t->rows : 1) * t->cols;
}

static void load(rig *r, const ems_safetensors *st)
{
    char name[128];
    for (size_t i = 0; i < r->tensors; i++)
        fill(st, r->tensor[i].name, r->block + r->tensor[i].at,
             count_of(&r->tensor[i]));
    for (size_t c = 0; c < RIG_CLIPS; c++) {
        ems_clip *clip = &r->clip[c];
        clip->known = EMS_KNOWN_EMOTION | EMS_KNOWN_AFFECT | EMS_KNOWN_GENRES;
        for (size_t e = 0; e < r->net.shape.experts; e++) {
            size_t n = 0;
            snprintf(name, sizeof name, "input.%zu.%s", c,
                     r->net.shape.expert[e].name);
            r->rows[c][e] = get(st, name, &n);
            clip->part[e] = (ems_fusion_rows){
                r->rows[c][e], n / r->net.shape.expert[e].dim};
        }
        snprintf(name, sizeof name, "emotion.%zu", c);
        fill(st, name, clip->emotion, EMS_EKMAN);
        snprintf(name, sizeof name, "affect.%zu", c);
        fill(st, name, clip->affect, 2);
        snprintf(name, sizeof name, "genre.%zu", c);
        fill(st, name, clip->genre, 21);
    }
}

static void compare(ems_fusion_kind kind, const char *file)
{
    ems_safetensors *st = ems_safetensors_open(file, NULL);
    rig *r = rig_new(kind);
    float out[RIG_CLIPS * 29], loss;
    char name[160];
    assert_non_null(st);
    load(r, st);
    const float ours = (float)rig_run(r);
    fill(st, "outputs", out, RIG_CLIPS * 29);
    fill(st, "loss", &loss, 1);
    same("outputs", r->shard->output, out, RIG_CLIPS * 29);
    same("loss", &ours, &loss, 1);
    for (size_t i = 0; i < r->tensors; i++) {
        const ems_fusion_tensor *t = &r->tensor[i];
        size_t n = 0;
        snprintf(name, sizeof name, "grad.%s", t->name);
        float *grad = get(st, name, &n);
        assert_int_equal(n, count_of(t));
        if (is_noise(grad, n))
            assert_true(is_noise(r->shard->grads + t->at, n));
        else
            same(name, r->shard->grads + t->at, grad, n);
        ems_free(grad);
    }
    rig_free(r);
    ems_safetensors_free(st);
}

static void cross(void **state)
{
    (void)state;
    compare(EMS_FUSION_CROSS, EMS_HERE "/cross.safetensors");
}

static void joint(void **state)
{
    (void)state;
    compare(EMS_FUSION_JOINT, EMS_HERE "/joint.safetensors");
}

/* EMSYNC's 10,139,142, VEMOCLAP's 10,535,942 with words in pictures, and
 * 26,817,301 of the trailers' genres. */
static void papers_sizes(void **state)
{
    (void)state;
    ems_fusion_shape s = {
        .kind = EMS_FUSION_CROSS, .experts = 4,
        .expert = {{"asr", 768, 1}, {"beats", 768, 16}, {"clip", 512, 16},
                   {"face", 768, 16}, {"ocr", 768, 1}},
        .width = 512, .heads = 4, .emotions = EMS_EKMAN};
    assert_int_equal(ems_fusion_parameters(&s), 10139142);
    s.experts = 5;
    assert_int_equal(ems_fusion_parameters(&s), 10535942);
    s.kind = EMS_FUSION_JOINT;
    s.expert[1].rows = 144;
    s.expert[2].rows = 160;
    s.expert[3].rows = 80;
    s.width = 1280;
    s.heads = 8;
    s.inner = 5120;
    s.emotions = 0;
    s.genres = 21;
    assert_int_equal(ems_fusion_parameters(&s), 26817301);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross),
        cmocka_unit_test(joint),
        cmocka_unit_test(papers_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "experts/picture_fit.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* Which source pixels make an output pixel along one axis. */
typedef struct axis {
    int count;     /* weights of each output pixel */
    double from, scale; /* source = from + (output + 0.5) * scale */
} axis;

static axis make_axis(double from, double length, int out)
{
    const double scale = length / out;
    return (axis){(int)ceil(fmax(scale, 1) * 2) + 1, from, scale};
}

/* Weights of output pixel i into w[0..count); returns the first source pixel
 * (may lie outside the picture). */
static int weigh(const axis *a, int i, float *w)
{
    const double reach = fmax(a->scale, 1);
    const double centre = a->from + (i + 0.5) * a->scale - 0.5;
    const int first = (int)ceil(centre - reach);
    double sum = 0;
    for (int k = 0; k < a->count; k++) {
        const double d = fabs(first + k - centre) / reach;
        w[k] = (float)fmax(1 - d, 0);
        sum += (double)w[k];
    }
    for (int k = 0; k < a->count; k++)
        w[k] = (float)((double)w[k] / sum);
    return first;
}

static int clamp(int x, int size)
{
    return x < 0 ? 0 : x >= size ? size - 1 : x;
}

static int room(float **block, size_t *have, size_t want, ems_error *err)
{
    if (*have >= want)
        return EMS_OK;
    ems_free(*block);
    *have = 0;
    *block = ems_alloc_aligned(want, sizeof **block);
    if (!*block)
        return ems_out_of_memory(err);
    *have = want;
    return EMS_OK;
}

static void across(const ems_fitter *f, const ems_rgb *p, const axis *a,
                   int out_width)
{
    for (int x = 0; x < out_width; x++) {
        const int first = weigh(a, x, f->weights);
        for (int y = 0; y < p->height; y++) {
            const uint8_t *row = p->data + 3 * (size_t)y * (size_t)p->width;
            float r = 0, g = 0, b = 0;
            for (int k = 0; k < a->count; k++) {
                const uint8_t *px = row + 3 * clamp(first + k, p->width);
                r += f->weights[k] * (float)px[0];
                g += f->weights[k] * (float)px[1];
                b += f->weights[k] * (float)px[2];
            }
            float *to = f->rows + 3 * ((size_t)y * (size_t)out_width +
                                       (size_t)x);
            to[0] = r;
            to[1] = g;
            to[2] = b;
        }
    }
}

static void down(const ems_fitter *f, int height, const axis *a, int width,
                 int out_height, float *out, size_t stride)
{
    const size_t n = 3 * (size_t)width;
    for (int y = 0; y < out_height; y++) {
        const int first = weigh(a, y, f->weights);
        float *to = out + (size_t)y * stride;
        memset(to, 0, n * sizeof *to);
        for (int k = 0; k < a->count; k++) {
            const float w = f->weights[k];
            const float *row = f->rows + (size_t)clamp(first + k, height) * n;
            if (w != 0.0f)
                for (size_t i = 0; i < n; i++)
                    to[i] += w * row[i];
        }
    }
}

/* ---- Placing ------------------------------------------------------------- */

/* The part of the picture that is seen, and how many output pixels it takes
 * (fewer than all when bars are added). */
static ems_box seen(const ems_picture_input *in, const ems_box *part,
                    int *width, int *height)
{
    ems_box b = *part;
    const double wanted = (double)in->width / in->height;
    const double is = b.width / b.height;
    *width = in->width;
    *height = in->height;
    if (in->fit == EMS_FIT_CROP && is > wanted) {
        b.x += (b.width - b.height * wanted) / 2;
        b.width = b.height * wanted;
    } else if (in->fit == EMS_FIT_CROP) {
        b.y += (b.height - b.width / wanted) / 2;
        b.height = b.width / wanted;
    } else if (in->fit == EMS_FIT_PAD && is > wanted) {
        *height = (int)fmax(rint(in->width / is), 1);
    } else if (in->fit == EMS_FIT_PAD) {
        *width = (int)fmax(rint(in->height * is), 1);
    }
    return b;
}

ems_box ems_fit_back(const ems_picture_input *in, const ems_rgb *picture)
{
    const ems_box whole = {0, 0, picture->width, picture->height};
    int width, height;
    const ems_box b = seen(in, &whole, &width, &height);
    const double sx = b.width / width, sy = b.height / height;
    return (ems_box){b.x - sx * ((in->width - width) / 2),
                     b.y - sy * ((in->height - height) / 2), sx, sy};
}

/* ---- Numbers ------------------------------------------------------------- */

size_t ems_fit_bytes(const ems_picture_input *in)
{
    return (size_t)in->width * (size_t)in->height * (size_t)in->channels *
           (in->type == EMS_TENSOR_UINT8 ? 1 : 4);
}

static void store(const ems_picture_input *in, void *out, size_t at,
                  double x, int c)
{
    x = in->low + (in->high - in->low) * x / 255;
    x = (x - in->mean[c]) / in->std[c];
    if (in->type == EMS_TENSOR_UINT8)
        ((uint8_t *)out)[at] = (uint8_t)fmin(fmax(rint(x), 0), 255);
    else if (in->type == EMS_TENSOR_INT32)
        ((int32_t *)out)[at] = (int32_t)rint(x);
    else
        ((float *)out)[at] = (float)x;
}

static void convert(const ems_picture_input *in, const float *rgb, void *out)
{
    const size_t n = (size_t)in->width * (size_t)in->height;
    const size_t step = in->first ? 1 : (size_t)in->channels;
    const size_t plane = in->first ? n : 1;
    for (size_t i = 0; i < n; i++) {
        const float *p = rgb + 3 * i;
        if (in->channels == 1) /* luma as the face networks were taught */
            store(in, out, i,
                  0.2989 * (double)p[0] + 0.587 * (double)p[1] +
                      0.114 * (double)p[2], 0);
        else
            for (int c = 0; c < 3; c++)
                store(in, out, i * step + (size_t)c * plane,
                      (double)p[in->bgr ? 2 - c : c], c);
    }
}

int ems_fit_picture(ems_fitter *f, const ems_picture_input *in,
                    const ems_rgb *picture, const ems_box *part, void *out,
                    ems_error *err)
{
    const ems_box whole = {0, 0, picture->width, picture->height};
    int width, height;
    const ems_box b = seen(in, part ? part : &whole, &width, &height);
    const axis ax = make_axis(b.x, b.width, width);
    const axis ay = make_axis(b.y, b.height, height);
    const size_t pixels = (size_t)in->width * (size_t)in->height;
    int code = room(&f->weights, &f->weight_room,
                    (size_t)(ax.count > ay.count ? ax.count : ay.count), err);
    if (code == EMS_OK)
        code = room(&f->rows, &f->row_room,
                    3 * (size_t)width * (size_t)picture->height, err);
    if (code == EMS_OK)
        code = room(&f->out, &f->out_room, 3 * pixels, err);
    if (code < 0)
        return code;
    if (width != in->width || height != in->height)
        memset(f->out, 0, 3 * pixels * sizeof *f->out);
    float *corner = f->out + 3 * ((size_t)((in->height - height) / 2) *
                                      (size_t)in->width +
                                  (size_t)((in->width - width) / 2));
    across(f, picture, &ax, width);
    down(f, picture->height, &ay, width, height, corner,
         3 * (size_t)in->width);
    convert(in, f->out, out);
    return EMS_OK;
}

void ems_fitter_clear(ems_fitter *f)
{
    ems_free(f->rows);
    ems_free(f->out);
    ems_free(f->weights);
    *f = (ems_fitter){0};
}

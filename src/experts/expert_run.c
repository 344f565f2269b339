/* expert_run.c - pictures and sound in, rows out. */
#include "experts/expert_parts.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* ---- Answers ------------------------------------------------------------- */

static int wrong_answer(const ems_expert *e, size_t i, size_t got,
                        ems_error *err)
{
    return ems_fail(err, EMS_EFORMAT, "the network of \"%s\" gives %zu values"
                    " at \"%.80s\", which do not make the %zu of its"
                    " manifest", e->manifest->name, got, e->outputs[i],
                    e->manifest->outputs[i].dim);
}

/* `places` values of each of `dim` columns become one. */
static void pool_values(const ems_expert_output *o, const float *in,
                        size_t places, float *out)
{
    const size_t step = o->first ? 1 : o->dim;
    const size_t column = o->first ? places : 1;
    for (size_t c = 0; c < o->dim; c++) {
        const float *v = in + c * column;
        double sum = (double)v[0];
        for (size_t p = 1; p < places && o->pool != EMS_POOL_FIRST; p++)
            sum = o->pool == EMS_POOL_MAX ? fmax(sum, (double)v[p * step])
                                          : sum + (double)v[p * step];
        out[c] = (float)(o->pool == EMS_POOL_MEAN ? sum / (double)places
                                                  : sum);
    }
}

/* Put the answers for `count` inputs into their rows. */
static int take(const ems_expert *e, const ems_tensor *answers, size_t count,
                float *rows, ems_error *err)
{
    const ems_manifest *m = e->manifest;
    size_t column = 0;
    for (size_t i = 0; i < m->output_count; i++) {
        const ems_expert_output *o = &m->outputs[i];
        const size_t all = ems_tensor_elements(&answers[i]);
        const size_t each = all / count;
        const size_t places = each / o->dim;
        if (answers[i].type != EMS_TENSOR_FLOAT || all % count ||
            each % o->dim || places == 0 ||
            (o->pool == EMS_POOL_NONE && places != 1))
            return wrong_answer(e, i, all, err);
        for (size_t r = 0; r < count; r++)
            pool_values(o, (const float *)answers[i].data + r * each, places,
                        rows + r * m->dim + column);
        column += o->dim;
    }
    for (size_t k = 0; k < count * m->dim; k++) {
        const double x = ((double)rows[k] - m->shift) * m->scale;
        rows[k] = isfinite(x) ? (float)x : 0.0f;
    }
    return EMS_OK;
}

/* ---- One run ------------------------------------------------------------- */

static void keep_states(ems_expert *e, const ems_tensor *answers)
{
    const ems_manifest *m = e->manifest;
    for (size_t i = 0; i < m->state_count; i++) {
        size_t n = 1;
        for (int d = 0; d < m->states[i].rank; d++)
            n *= (size_t)m->states[i].dims[d];
        const ems_tensor *a = &answers[m->output_count + i];
        if (a->type == EMS_TENSOR_FLOAT && ems_tensor_elements(a) == n)
            memcpy(e->states[i], a->data, n * sizeof(float));
    }
}

static int run(ems_expert *e, const ems_tensor *input, size_t count,
               float *rows, ems_error *err)
{
    const ems_manifest *m = e->manifest;
    enum { MOST = 2 + EMS_EXPERT_STATES + EMS_EXPERT_OUTPUTS };
    const char *in_names[MOST], *out_names[MOST];
    ems_tensor in[MOST] = {*input}, out[MOST] = {{0}};
    int64_t constant = m->constant_value;
    size_t fed = 1, asked = 0;
    in_names[0] = e->input;
    for (size_t i = 0; i < m->state_count; i++, fed++) {
        const ems_state *s = &m->states[i];
        in_names[fed] = s->in;
        in[fed] = (ems_tensor){.type = EMS_TENSOR_FLOAT, .rank = s->rank,
                               .data = e->states[i]};
        memcpy(in[fed].dims, s->dims, sizeof in[fed].dims);
    }
    if (m->constant) {
        in_names[fed] = m->constant;
        in[fed++] = (ems_tensor){.type = EMS_TENSOR_INT64, .data = &constant};
    }
    for (size_t i = 0; i < m->output_count; i++)
        out_names[asked++] = e->outputs[i];
    for (size_t i = 0; i < m->state_count; i++)
        out_names[asked++] = m->states[i].out;
    int code = ems_onnx_run(e->net, in_names, in, fed, out_names, out, asked,
                            err);
    if (code == EMS_OK)
        code = take(e, out, count, rows, err);
    if (code == EMS_OK)
        keep_states(e, out);
    ems_tensors_release(e->net, out, asked);
    return code;
}

/* ---- Pictures ------------------------------------------------------------ */

static ems_tensor picture_batch(const ems_expert *e)
{
    const ems_picture_input *p = &e->manifest->picture;
    const int64_t n = e->manifest->batch;
    if (p->first)
        return (ems_tensor){.type = p->type, .rank = 4, .data = e->batch,
                            .dims = {n, p->channels, p->height, p->width}};
    return (ems_tensor){.type = p->type, .rank = 4, .data = e->batch,
                        .dims = {n, p->height, p->width, p->channels}};
}

/* The last batch is filled up with what stood there before: a network may
 * want exactly so many. */
int ems_expert_see(ems_expert *e, const ems_rgb *pictures,
                   const ems_box *parts, size_t count, float *rows,
                   ems_error *err)
{
    const ems_manifest *m = e->manifest;
    const size_t batch = (size_t)m->batch, bytes = ems_fit_bytes(&m->picture);
    const ems_tensor input = picture_batch(e);
    float *room = ems_alloc(batch * m->dim, sizeof *room);
    int code = room ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < count && code == EMS_OK; i += batch) {
        const size_t n = count - i < batch ? count - i : batch;
        for (size_t k = 0; k < n && code == EMS_OK; k++)
            code = ems_fit_picture(&e->fitter, &m->picture, &pictures[i + k],
                                   parts ? &parts[i + k] : NULL,
                                   (char *)e->batch + k * bytes, err);
        if (code == EMS_OK)
            code = run(e, &input, batch, room, err);
        if (code == EMS_OK)
            memcpy(rows + i * m->dim, room, n * m->dim * sizeof *rows);
    }
    ems_free(room);
    return code;
}

/* ---- Sound --------------------------------------------------------------- */

static ems_tensor window_tensor(const ems_sound_input *s, float *samples)
{
    const int64_t n = (int64_t)s->window;
    ems_tensor t = {.type = EMS_TENSOR_FLOAT, .rank = s->rank,
                    .data = samples, .dims = {1, n}};
    if (s->rank == 1)
        t.dims[0] = n;
    if (s->rank == 3) {
        t.dims[1] = 1;
        t.dims[2] = n;
    }
    return t;
}

/* Sound through the front network to the main one. */
static int run_front(ems_expert *e, const ems_tensor *sound, float *row,
                     ems_error *err)
{
    const ems_sound_input *s = &e->manifest->sound;
    size_t count;
    const char *in = ems_onnx_inputs(e->front_net, &count)->name;
    const char *out = ems_onnx_outputs(e->front_net, &count)->name;
    ems_tensor middle = {0};
    int code = ems_onnx_run(e->front_net, &in, sound, 1, &out, &middle, 1,
                            err);
    if (code < 0)
        return code;
    ems_tensor input = {.type = EMS_TENSOR_FLOAT, .rank = s->front_rank,
                        .data = middle.data};
    memcpy(input.dims, s->front_dims, sizeof input.dims);
    const size_t n = ems_tensor_elements(&input);
    if (middle.type != EMS_TENSOR_FLOAT || ems_tensor_elements(&middle) != n)
        code = ems_fail(err, EMS_EFORMAT, "the front of \"%s\" gives %zu"
                        " values; its manifest says %zu", e->manifest->name,
                        ems_tensor_elements(&middle), n);
    float *values = middle.data;
    for (size_t i = 0; i < n && code == EMS_OK; i++)
        values[i] = (float)((double)values[i] * s->front_scale +
                            s->front_offset);
    if (code == EMS_OK)
        code = run(e, &input, 1, row, err);
    ems_tensors_release(e->front_net, &middle, 1);
    return code;
}

int ems_expert_hear(ems_expert *e, const float *windows, size_t count,
                    float *rows, ems_error *err)
{
    const ems_manifest *m = e->manifest;
    const ems_sound_input *s = &m->sound;
    float *samples = ems_alloc(s->window, sizeof *samples);
    int code = samples ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < count && code == EMS_OK; i++) {
        for (size_t k = 0; k < s->window; k++)
            samples[k] = (float)((double)windows[i * s->window + k] *
                                 s->scale);
        const ems_tensor sound = window_tensor(s, samples);
        code = e->front_net ? run_front(e, &sound, rows + i * m->dim, err)
                            : run(e, &sound, 1, rows + i * m->dim, err);
    }
    ems_free(samples);
    return code;
}

void ems_expert_reset(ems_expert *e)
{
    const ems_manifest *m = e->manifest;
    for (size_t i = 0; i < m->state_count && e->states[i]; i++) {
        size_t n = 1;
        for (int d = 0; d < m->states[i].rank; d++)
            n *= (size_t)m->states[i].dims[d];
        memset(e->states[i], 0, n * sizeof(float));
    }
}

/* ---- Faces --------------------------------------------------------------- */

static int is_blazeface(const ems_manifest *m)
{
    return m->output_count == 4 && m->picture.width == EMS_BLAZE_SIDE &&
           m->picture.height == EMS_BLAZE_SIDE &&
           m->outputs[0].dim == EMS_BLAZE_FINE &&
           m->outputs[1].dim == EMS_BLAZE_COARSE &&
           m->outputs[2].dim == 16 * EMS_BLAZE_FINE &&
           m->outputs[3].dim == 16 * EMS_BLAZE_COARSE;
}

static void largest_first(ems_face *faces, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && faces[k].box.width * faces[k].box.height >
                                        faces[k - 1].box.width *
                                            faces[k - 1].box.height; k--) {
            const ems_face f = faces[k];
            faces[k] = faces[k - 1];
            faces[k - 1] = f;
        }
}

int ems_expert_detect(ems_expert *e, const ems_rgb *picture, ems_face *faces,
                      size_t most, size_t *count, ems_error *err)
{
    const ems_manifest *m = e->manifest;
    *count = 0;
    if (!is_blazeface(m))
        return ems_fail(err, EMS_EUNSUPPORTED, "\"%s\" is no face detector"
                        " that is known: BlazeFace with 256 x 256 pixels",
                        m->name);
    float *row = ems_alloc(m->dim, sizeof *row);
    int code = row ? ems_expert_see(e, picture, NULL, 1, row, err)
                   : ems_out_of_memory(err);
    if (code == EMS_OK) {
        const float *coarse = row + EMS_BLAZE_FINE;
        const float *boxes = coarse + EMS_BLAZE_COARSE;
        *count = ems_blazeface(row, coarse, boxes,
                               boxes + 16 * EMS_BLAZE_FINE, faces, most);
        const ems_box back = ems_fit_back(&m->picture, picture);
        for (size_t i = 0; i < *count; i++) {
            ems_box *b = &faces[i].box;
            *b = (ems_box){back.x + b->x * back.width,
                           back.y + b->y * back.height,
                           b->width * back.width, b->height * back.height};
        }
        largest_first(faces, *count);
    }
    ems_free(row);
    return code;
}

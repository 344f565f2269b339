/* Rating a text. */
#include "affect/text.h"

#include "affect/mapping.h"
#include "affect/text_model.h"
#include "base/exact.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_FILE = 1 << 28,   /* bytes of a file of weights */
    MORE = 3, /* rows are worked on in fours */
    MAX_CHUNKS = 4096,    /* of a text; the rest of it is not looked at */
};

#define FILE_NAME "emsync-text.safetensors"

const char *const ems_text_ekman_names[EMS_TEXT_EKMAN] = {
    "anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral",
};

const char *const ems_text_full_names[EMS_TEXT_FULL] = {
    "admiration", "amusement", "anger", "annoyance", "approval", "caring",
    "confusion", "curiosity", "desire", "disappointment", "disapproval",
    "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief",
    "joy", "love", "nervousness", "neutral", "optimism", "pride",
    "realization", "relief", "remorse", "sadness", "surprise",
};

enum { FULL_NEUTRAL = 20 };

const char *ems_text_label_name(size_t index)
{
    if (index < EMS_TEXT_FULL)
        return ems_text_full_names[index];
    index -= EMS_TEXT_FULL;
    return index < EMS_TEXT_EKMAN ? ems_text_ekman_names[index] : NULL;
}

void ems_text_affect(double *valence, double *arousal,
                     const float ekman[EMS_TEXT_EKMAN])
{
    double sum = 0, p[EMS_EKMAN];
    for (size_t i = 0; i < EMS_TEXT_EKMAN; i++)
        sum += (double)ekman[i];
    for (size_t i = 0; i < EMS_EKMAN; i++)
        p[i] = sum > 0 ? (double)ekman[i] / sum : 0;
    ems_emotion_to_va(valence, arousal, p);
}

extern const ems_text_kern ems_text_kern_base, ems_text_kern_avx2,
    ems_text_kern_avx512, ems_text_kern_wide;

const ems_text_kern *ems_text_kern_get(ems_cpu_level level)
{
    switch (level) {
    case EMS_CPU_REF:
    case EMS_CPU_BASE: return &ems_text_kern_base;
    case EMS_CPU_AVX2: return &ems_text_kern_avx2;
    case EMS_CPU_AVX512: return &ems_text_kern_avx512;
    case EMS_CPU_WIDE: return &ems_text_kern_wide;
    }
    return &ems_text_kern_base;
}

/* ---- Opening ------------------------------------------------------------ */

static char *find_shipped(ems_error *err)
{
    char *path = ems_models_find(FILE_NAME, NULL);
    if (!path)
        ems_fail(err, EMS_EIO, "no classifier of texts: %s is neither in the"
                 " folder $EMSYNC_MODELS nor in %s (make one with \"emsync"
                 " train text\")", FILE_NAME, EMS_MODELS_INSTALLED);
    return path;
}

static ems_text *open_file(const char *path, ems_error *err)
{
    ems_bytes b;
    if (ems_bytes_map(&b, path, MAX_FILE, err) < 0)
        return NULL;
    ems_text *t = ems_text_parse(b.data, b.size, path, err);
    ems_bytes_unmap(&b);
    return t;
}

ems_text *ems_text_open(const char *weights, ems_error *err)
{
    if (weights)
        return open_file(weights, err);
    char *path = find_shipped(err);
    ems_text *t = path ? open_file(path, err) : NULL;
    ems_free(path);
    return t;
}

/* ---- One chunk ---------------------------------------------------------- */

float ems_text_sigmoid(float x)
{
    return (float)(1 / (1 + ems_exact_exp(-(double)x)));
}

/* n is a multiple of 8. */
static double dot(const float *a, const float *b, size_t n)
{
    double s[8] = {0};
    for (size_t i = 0; i < n; i += 8)
        for (size_t k = 0; k < 8; k++)
            s[k] += (double)a[i + k] * (double)b[i + k];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* out[C] = sum over t of softmax(query . z[t]) z[t] */
static void attend(float *out, const float *z, const float *query, size_t words,
                   size_t channels)
{
    double score[EMS_WORDS_MAX], most = -1e300, sum = 0;
    for (size_t t = 0; t < words; t++) {
        score[t] = dot(query, z + t * channels, channels);
        most = score[t] > most ? score[t] : most;
    }
    for (size_t t = 0; t < words; t++)
        sum += score[t] = ems_exact_exp(score[t] - most);
    memset(out, 0, channels * sizeof *out);
    for (size_t t = 0; t < words; t++) {
        const float share = (float)(score[t] / sum);
        for (size_t c = 0; c < channels; c++)
            out[c] += share * z[t * channels + c];
    }
}

static void highest(float *out, const float *z, size_t words, size_t channels)
{
    memcpy(out, z, channels * sizeof *out);
    for (size_t t = 1; t < words; t++)
        for (size_t c = 0; c < channels; c++)
            out[c] = z[t * channels + c] > out[c] ? z[t * channels + c]
                                                  : out[c];
}

static void average(float *out, const float *v, size_t words, size_t width)
{
    const float share = 1 / (float)words;
    memset(out, 0, width * sizeof *out);
    for (size_t t = 0; t < words; t++)
        for (size_t d = 0; d < width; d++)
            out[d] += v[t * width + d] * share;
}

/* v: [words + 2 + MORE, D], the first row and those after the words zero. */
static void embed(const ems_text *m, const ems_words *w, float *v)
{
    const size_t width = m->shape.width, hashes = w->end[w->count - 1];
    ems_rows r = {m->table, m->scale, m->shape.buckets, width, w->hash, 0};
    for (size_t i = 0; i < hashes; i++) /* they lie all over the table */
        __builtin_prefetch(m->table + ems_text_row(w->hash[i], r.buckets) *
                           width);
    memset(v, 0, width * sizeof *v);
    memset(v + (w->count + 1) * width, 0, (1 + MORE) * width * sizeof *v);
    for (size_t t = 0; t < w->count; t++, r.hash += r.count) {
        r.count = w->end[t] - (t ? w->end[t - 1] : 0u);
        m->kern->mean(v + (t + 1) * width, &r);
    }
}

void ems_text_chunk(const ems_text *m, const ems_words *w,
                    float score[EMS_TEXT_OUTPUTS])
{
    const ems_text_params *p = &m->params;
    const ems_text_shape *s = &m->shape;
    const size_t width = s->width, channels = s->channels;
    float v[(EMS_WORDS_MAX + 2 + MORE) * EMS_TEXT_MAX_WIDTH];
    float z[(EMS_WORDS_MAX + MORE) * EMS_TEXT_MAX_CHANNELS];
    float u[EMS_TEXT_MAX_POOLED], h[EMS_TEXT_MAX_HIDDEN], o[EMS_TEXT_PADDED];
    embed(m, w, v);
    m->kern->dense(&(ems_dense){z, v, width, p->conv_w, p->conv_b,
                                (w->count + MORE) & ~(size_t)MORE, channels,
                                3 * width, 1});
    highest(u, z, w->count, channels);
    attend(u + channels, z, p->query, w->count, channels);
    average(u + 2 * channels, v + width, w->count, width);
    m->kern->dense(&(ems_dense){h, u, 0, p->hidden_w, p->hidden_b, 1,
                                s->hidden, ems_text_pooled(s), 1});
    m->kern->dense(&(ems_dense){o, h, 0, p->output_w, p->output_b, 1,
                                EMS_TEXT_PADDED, s->hidden, 0});
    for (size_t i = 0; i < EMS_TEXT_OUTPUTS; i++)
        score[i] = ems_text_sigmoid(o[i]);
}

/* ---- Any text ----------------------------------------------------------- */

void ems_text_rate(const ems_text *t, const char *text, size_t size,
                   float ekman[EMS_TEXT_EKMAN], float full[EMS_TEXT_FULL])
{
    ems_words w;
    double sum[EMS_TEXT_OUTPUTS] = {0}, words = 0;
    for (size_t at = 0, chunk = 0; at < size && chunk < MAX_CHUNKS; chunk++) {
        at += ems_words_read(&w, text + at, size - at);
        float score[EMS_TEXT_OUTPUTS];
        if (w.letters == 0 && (w.count == 0 || words > 0))
            continue;
        ems_text_chunk(t, &w, score);
        for (size_t i = 0; i < EMS_TEXT_OUTPUTS; i++)
            sum[i] += (double)score[i] * (double)w.count;
        words += (double)w.count;
    }
    if (words <= 0) /* nothing to read: neutral */
        words = sum[FULL_NEUTRAL] = sum[EMS_TEXT_FULL + EMS_TEXT_NEUTRAL] = 1;
    for (size_t i = 0; i < EMS_TEXT_OUTPUTS; i++) {
        float *to = i < EMS_TEXT_FULL ? full + i : ekman + i - EMS_TEXT_FULL;
        *to = (float)(sum[i] / words);
    }
}

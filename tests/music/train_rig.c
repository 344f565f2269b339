#include "train_rig.h"

#include "music/dataset.h"
#include "music/train.h"
#include "music/vocab.h"
#include "nn/safetensors.h"

#include <math.h>

static void phrase(uint16_t *t, int i, int families)
{
    const int pitch = 40 + i % 24;
    t[0] = EMS_BAR;
    t[1] = EMS_CHORD;
    t[2] = (uint16_t)ems_note_token(EMS_PIANO, pitch, 1);
    t[3] = (uint16_t)ems_note_token(families > 2 ? i % 3 : EMS_DRUMS, 36, 1);
    t[4] = EMS_SHIFT_BASE + 125;
    t[5] = (uint16_t)ems_note_token(EMS_PIANO, pitch, 0);
    t[6] = EMS_SHIFT_BASE + 100;
    t[7] = EMS_SHIFT_BASE + 25;
}

typedef struct writer {
    FILE *file;
    uint64_t tokens, bars;
} writer;

static void put(FILE *f, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(x >> 8 * i & 255), f);
}

static void put_float(FILE *f, float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    put(f, u, 4);
}

static void put_piece(writer *w, size_t phrases, float valence, int families,
                      int held_out)
{
    put(w->file, w->tokens, 8);
    put(w->file, w->bars, 8);
    put(w->file, phrases * PHRASE, 4);
    put(w->file, phrases, 4);
    put_float(w->file, valence);
    put_float(w->file, 0.25f);
    put_float(w->file, 1);
    put(w->file, (uint64_t)families, 1);
    put(w->file, (uint64_t)held_out, 1);
    put(w->file, 0, 2);
    put(w->file, w->bars, 4); /* any number of its own */
    put(w->file, 0, 4);
    w->tokens += phrases * PHRASE;
    w->bars += phrases;
}

void write_data(const char *path, int pieces)
{
    static const size_t phrases[] = {PHRASES, PHRASES, 10, PHRASES};
    static const int families[] = {4, 2, 4, 4}, held_out[] = {0, 0, 0, 1};
    static const float valence[] = {NAN, 0.5f, -0.5f, 0.5f};
    uint64_t n = 0;
    for (int i = 0; i < pieces; i++)
        n += phrases[i];
    writer w = {fopen(path, "wb"), 0, 0};
    assert_non_null(w.file);
    fwrite(EMS_DATASET_MAGIC, 1, 8, w.file);
    put(w.file, EMS_DATASET_VERSION, 4);
    put(w.file, (uint64_t)pieces, 4);
    put(w.file, n * PHRASE, 8);
    put(w.file, n, 8);
    const uint64_t bars_at = EMS_DATASET_HEADER +
                             (uint64_t)pieces * EMS_DATASET_PIECE;
    const uint64_t affect_at = bars_at + (n * 4 + 7) / 8 * 8;
    const uint64_t tokens_at = affect_at + n * 8;
    put(w.file, EMS_DATASET_HEADER, 8);
    put(w.file, bars_at, 8);
    put(w.file, affect_at, 8);
    put(w.file, tokens_at, 8);
    put(w.file, tokens_at + n * PHRASE * 2, 8);
    put(w.file, 1, 8);
    for (int i = 0; i < pieces; i++)
        put_piece(&w, phrases[i], valence[i], families[i], held_out[i]);
    for (int i = 0; i < pieces; i++)
        for (size_t b = 0; b < phrases[i]; b++)
            put(w.file, b * PHRASE, 4);
    put(w.file, 0, n * 4 % 8 ? 4 : 0);
    for (uint64_t i = 0; i < 2 * n; i++)
        put_float(w.file, NAN);
    for (int i = 0; i < pieces; i++)
        for (size_t b = 0; b < phrases[i]; b++) {
            uint16_t t[PHRASE];
            phrase(t, (int)b, families[i]);
            for (int k = 0; k < PHRASE; k++)
                put(w.file, t[k], 2);
        }
    put(w.file, 0, 1); /* an empty name */
    fclose(w.file);
}

/* ---- Training ----------------------------------------------------------- */

typedef struct watch {
    double stop_at;  /* progress; 0: never */
    int stop;
    int lines;
} watch;

static void on_progress(void *user, const char *stage, double done)
{
    watch *w = user;
    assert_string_equal(stage, "train");
    if (w->stop_at > 0 && done >= w->stop_at)
        w->stop = 1;
}

static int on_cancelled(void *user)
{
    return ((watch *)user)->stop;
}

static void on_log(void *user, ems_log_level level, const char *text)
{
    (void)level;
    assert_true(strlen(text) > 10);
    ((watch *)user)->lines++;
}

ems_train_options short_run(const char *data, const char *out)
{
    ems_train_options o = ems_train_defaults();
    o.shape = (ems_model_shape){16, 1, 2, 24, 42, EMS_VOCAB};
    o.dataset = data;
    o.out = out;
    o.batch = 3;
    o.steps = 12;
    o.lr = 0.01;
    o.warmup = 3;
    o.validate_steps = 5;
    return o;
}

int train(const ems_train_options *o, int threads, double stop_at,
          ems_error *err)
{
    watch w = {.stop_at = stop_at};
    const ems_run run = {.threads = threads, .user = &w,
                         .progress = on_progress, .log = on_log,
                         .cancelled = on_cancelled};
    return ems_train_music(o, &run, err);
}

void must(int code, const ems_error *err)
{
    if (code < 0)
        fail_msg("%s", err->text);
}

void same_checkpoint(const char *a, const char *b)
{
    ems_safetensors *x = ems_safetensors_open(a, NULL);
    ems_safetensors *y = ems_safetensors_open(b, NULL);
    assert_true(x && y);
    static const char *const names[] = {"parameters", "moment1", "moment2"};
    for (int i = 0; i < 3; i++) {
        const ems_st_tensor *s = ems_safetensors_find(x, names[i]);
        const ems_st_tensor *t = ems_safetensors_find(y, names[i]);
        assert_true(s && t && s->bytes == t->bytes);
        assert_memory_equal(s->data, t->data, s->bytes);
    }
    ems_safetensors_free(x);
    ems_safetensors_free(y);
}

uint64_t steps_in(const char *checkpoint)
{
    ems_train_state s;
    assert_int_equal(ems_checkpoint_state(checkpoint, &s, NULL), EMS_OK);
    return s.step;
}

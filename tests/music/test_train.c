/* The training loop: excerpts, resuming, and what can go wrong. */
#include "train_rig.h"

#include "base/mem.h"
#include "music/dataset.h"
#include "music/model_io.h"
#include "music/train.h"
#include "music/train_breaks.h"
#include "music/vocab.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#define DATA EMS_SCRATCH "/train.tok"
#define SOLO EMS_SCRATCH "/solo.tok"
#define OUT EMS_SCRATCH "/train.out"

/* ---- Excerpts ----------------------------------------------------------- */

enum { LENGTH = 100, SAMPLES = 4000 };

typedef struct row {
    uint16_t tokens[LENGTH], targets[LENGTH];
    float seconds[LENGTH], conditions[2];
} row;

typedef struct tally {
    int start, bar, blind, no_chords, no_valence, no_arousal, more, padded;
    int shift[7];
} tally;

static int has(const row *r, unsigned token)
{
    for (size_t i = 0; i < LENGTH; i++)
        if (r->targets[i] == token)
            return 1;
    return 0;
}

/* Seconds by the definition: forwards from each input to the next <CHORD>;
 * past the excerpt, chords go on every two seconds while the piece does. */
static void check_seconds(const row *r)
{
    for (size_t i = 0; i < LENGTH; i++) {
        double time = 0;
        size_t j = i;
        for (; j < LENGTH && r->targets[j] != EMS_CHORD; j++)
            if (ems_is_shift(r->targets[j]))
                time += ems_shift_ticks(r->targets[j]) * EMS_TICK;
        const double s = (double)r->seconds[i];
        if (j < LENGTH)
            assert_true(fabs(s - time) < 1e-5);
        else
            assert_true(s >= time - 1e-5 && (s < 2.001 || s == 8));
    }
}

static void count_sample(const row *r, tally *t)
{
    int blind = 1, pitch = 0;
    for (size_t i = 0; i < LENGTH; i++)
        blind &= r->seconds[i] == 8;
    t->blind += blind;
    t->no_chords += !has(r, EMS_CHORD);
    t->start += r->targets[0] == EMS_START;
    t->bar += r->targets[0] == EMS_BAR;
    t->no_valence += isnan(r->conditions[0]);
    t->no_arousal += isnan(r->conditions[1]);
    t->more += r->tokens[0] == EMS_MORE_INSTRUMENTS;
    t->padded += has(r, EMS_PAD);
    if (!blind)
        check_seconds(r);
    for (size_t i = 0; i + 1 < LENGTH && !pitch; i++) {
        assert_int_equal(r->tokens[i + 1], r->targets[i]);
        const int token = r->targets[i];
        if (ems_is_note(token) && ems_note_family(token) == EMS_DRUMS)
            assert_int_equal(ems_note_pitch(token), 36);
        if (ems_is_note(token) && ems_note_family(token) == EMS_BASS)
            pitch = ems_note_pitch(token);
    }
    if (pitch) {
        assert_in_range(pitch, 33, 39);
        t->shift[pitch - 33]++;
    }
}

static void near(int count, double share, double tolerance)
{
    if (fabs((double)count / SAMPLES - share) > tolerance)
        fail_msg("share %g, want %g", (double)count / SAMPLES, share);
}

static void excerpts_follow_the_rules(void **state)
{
    (void)state;
    write_data(DATA, 4);
    ems_error err;
    ems_dataset *d = ems_dataset_open(DATA, &err);
    if (!d)
        fail_msg("%s", err.text);
    ems_sampler s;
    assert_int_equal(ems_sampler_open(&s, d, LENGTH, &err), EMS_OK);
    assert_int_equal(s.pieces, 3);
    assert_int_equal(s.held_pieces, 1);
    row *r = ems_alloc(1, sizeof *r);
    ems_excerpt e = {r->tokens, r->targets, r->seconds, r->conditions};
    tally t = {0};
    for (uint64_t i = 0; i < SAMPLES; i++) {
        ems_rng rng = ems_rng_seed(1, i);
        ems_sample(&s, &rng, &e);
        count_sample(r, &t);
    }
    near(t.start, 0.05, 0.012);
    near(t.bar, 0.5 + 0.45 / PHRASE, 0.05);
    near(t.blind, 0.2, 0.02);
    near(t.no_chords, 0.1, 0.015);
    near(t.no_arousal, 0.2, 0.02);
    near(t.no_valence, 0.2 + 0.8 * 60 / 130, 0.04); /* one piece unknown */
    near(t.padded, 10.0 / 130, 0.02);               /* the short piece */
    near(t.more, 70.0 / 130, 0.03);
    for (int i = 0; i < 7; i++)
        assert_true(t.shift[i] > SAMPLES / 30);
    ems_rng rng = ems_rng_seed(1, 0);
    ems_sample_held(&s, &rng, 1, &e);
    assert_true(r->seconds[7] == 8 && has(r, EMS_CHORD));
    assert_true(r->conditions[0] == 0.5f && r->conditions[1] == 0.25f);
    ems_sample_held(&s, &rng, 0, &e);
    check_seconds(r);
    s.breaks = 1;
    for (uint64_t i = 0; i < SAMPLES; i++) {
        rng = ems_rng_seed(1, i);
        ems_sample(&s, &rng, &e);
        count_sample(r, &t);
    }
    near(t.blind, 2 * 0.2, 0.03); /* nothing breaks off there */
    near(t.no_chords, 2 * 0.1, 0.03);
    ems_free(r);
    ems_sampler_close(&s);
    ems_dataset_close(d);
}

static void pairs_differ_in_valence(void **state)
{
    (void)state;
    enum { MANY = 400 };
    write_data(DATA, 4);
    ems_error err;
    ems_dataset *d = ems_dataset_open(DATA, &err);
    assert_non_null(d);
    ems_sampler s;
    assert_int_equal(ems_sampler_open(&s, d, LENGTH, &err), EMS_OK);
    row *a = ems_alloc(2, sizeof *a), *b = a + 1;
    ems_excerpt e = {a->tokens, a->targets, a->seconds, a->conditions};
    ems_excerpt other = {b->tokens, b->targets, b->seconds, b->conditions};
    int found = 0, none = 0, bright = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        ems_rng rng = ems_rng_seed(1, i);
        ems_sample_pair(&s, &rng, &e, &other);
        assert_memory_equal(a->targets, b->targets, sizeof a->targets);
        if (!a->targets[0]) {
            none++;
            assert_false(has(a, EMS_BAR));
            continue;
        }
        found++; /* 0.5 and -0.5 are all that the pieces have */
        bright += a->conditions[0] > 0;
        assert_true(fabsf(a->conditions[0]) == 0.5f);
        assert_true(b->conditions[0] == -a->conditions[0]);
        assert_memory_equal(a->tokens, b->tokens, sizeof a->tokens);
        assert_memory_equal(a->seconds, b->seconds, sizeof a->seconds);
        assert_memory_equal(a->conditions + 1, b->conditions + 1,
                            sizeof(float));
    }
    assert_true(found > MANY / 2 && none > 0);
    /* Six times as much music is bright; yet either side comes as often. */
    assert_true(abs(2 * bright - found) < found / 6);
    ems_free(a);
    ems_sampler_close(&s);
    ems_dataset_close(d);
}

/* ---- Breaks ------------------------------------------------------------- */

static int P(int pitch, int on)
{
    return ems_note_token(EMS_PIANO, pitch, on);
}

static int D(int on)
{
    return ems_note_token(EMS_DRUMS, 36, on);
}

enum { AHEAD = 60, MUSIC = 30 };

/* A chord two seconds on; before it notes that end and begin, one that sounds
 * through, two that are struck anew. Returns the tokens. */
static size_t some_music(uint16_t *t)
{
    const int tokens[MUSIC] = {
        EMS_BAR, EMS_CHORD, D(1), P(40, 1), P(50, 1), P(60, 1),
        EMS_SHIFT_BASE + 125, P(70, 1), D(0), P(40, 0),
        EMS_SHIFT_BASE + 100, P(60, 1), P(70, 1), P(60, 0), P(70, 0),
        EMS_SHIFT_BASE + 25,
        EMS_BAR, EMS_CHORD, P(60, 1), P(64, 1), P(70, 1), P(60, 0),
        P(70, 0), EMS_SHIFT_BASE + 30, P(50, 0), P(60, 0), P(64, 0), P(70, 0),
        EMS_SHIFT_BASE + 20, EMS_BAR};
    for (size_t i = 0; i < MUSIC; i++)
        t[i] = (uint16_t)tokens[i];
    return MUSIC;
}

/* Every OFF ends a note that sounds; ticks until the second chord. */
static int check_music(const uint16_t *t, size_t count)
{
    int sounding[EMS_VOCAB] = {0}, ticks = 0, at = -1, chords = 0;
    for (size_t i = 0; i < count; i++) {
        if (ems_is_shift(t[i]))
            ticks += ems_shift_ticks(t[i]);
        if (t[i] == EMS_CHORD && chords++ == 1)
            at = ticks;
        if (!ems_is_note(t[i]))
            continue;
        if (ems_note_is_on(t[i]))
            sounding[t[i] - EMS_PITCHES]++;
        else
            assert_true(sounding[t[i]]-- > 0);
    }
    for (int i = 0; i < EMS_VOCAB; i++)
        assert_int_equal(sounding[i], 0);
    assert_int_equal(chords, 2);
    return at;
}

static void breaks_keep_the_notes_whole(void **state)
{
    (void)state;
    uint16_t music[MUSIC], out[AHEAD];
    const ems_dataset_piece p = {.tokens = music,
                                 .token_count = some_music(music)};
    int early = 0, seen[252] = {0}, different = 0;
    check_music(music, p.token_count);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        ems_rng rng = ems_rng_seed(2, i);
        size_t count = 0;
        assert_int_equal(ems_copy_with_breaks(&p, 0, &rng, out, &count,
                                              AHEAD), p.token_count);
        const int at = check_music(out, count);
        assert_in_range(at, 126, 250); /* a second from the chord before */
        early += at < 250;
        different += !seen[at]++;
        assert_int_equal(out[count - 1], EMS_BAR);
        for (size_t k = 0; at == 250 && k < count; k++)
            assert_int_equal(out[k], music[k]);
    }
    near(early, 0.7, 0.02);
    assert_true(different > 100); /* on no grid */
    for (uint64_t i = 0; i < SAMPLES; i++) { /* no more than there is room */
        const size_t most = 4 + i % 16;
        ems_rng rng = ems_rng_seed(2, i);
        size_t count = 0;
        out[most] = EMS_VOCAB;
        ems_copy_with_breaks(&p, 0, &rng, out, &count, most);
        assert_true(count <= most && count + 3 >= most);
        assert_int_equal(out[most], EMS_VOCAB);
    }
}

/* ---- Training ----------------------------------------------------------- */

static ems_train_options options(const char *out)
{
    return short_run(DATA, out);
}

static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    ems_error err;
    write_data(DATA, 4);
    ems_train_options o = options(OUT ".a");
    o.contrast = 4;
    o.breaks = 0.5;
    must(train(&o, 1, 0, &err), &err);
    assert_int_equal(steps_in(OUT ".a.ckpt"), 12);
    o.out = OUT ".b";
    assert_int_equal(train(&o, 2, 0.5, &err), EMS_ECANCELLED);
    assert_int_equal(steps_in(OUT ".b.ckpt"), 6);
    o.resume = 1;
    must(train(&o, 3, 0, &err), &err);
    same_checkpoint(OUT ".a.ckpt", OUT ".b.ckpt");
    o.out = OUT ".c";
    o.resume = 0;
    o.seed = 2;
    must(train(&o, 2, 0, &err), &err);
    ems_safetensors *st = ems_safetensors_open(OUT ".c", &err);
    assert_non_null(st);
    assert_non_null(ems_safetensors_metadata(st, "held_out_nll"));
    ems_params p;
    must(ems_params_load(st, OUT ".c", &p, &err), &err);
    assert_int_equal(p.shape.d_inner, 24);
    ems_free(p.block);
    ems_safetensors_free(st);
}

static double last_loss(const char *log)
{
    char line[512];
    double loss = NAN;
    FILE *f = fopen(log, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "loss ");
        if (at)
            loss = atof(at + 5);
    }
    fclose(f);
    return loss;
}

static void it_learns(void **state)
{
    (void)state;
    ems_error err;
    write_data(DATA, 4);
    ems_train_options o = options(OUT ".learn");
    o.steps = 300;
    o.dropout = 0;
    must(train(&o, 0, 0, &err), &err);
    assert_true(last_loss(OUT ".learn.log") < 1.5);
}

static void without_held_out_pieces(void **state)
{
    (void)state;
    ems_error err;
    write_data(SOLO, 3);
    ems_train_options o = options(OUT ".solo");
    o.dataset = SOLO;
    unlink(OUT ".solo");
    must(train(&o, 0, 0, &err), &err);
    assert_int_equal(access(OUT ".solo", R_OK), 0);
}

/* A parameter that is not a number: the loop must stop and touch nothing. */
static void divergence_is_told(void **state)
{
    (void)state;
    ems_error err;
    write_data(DATA, 4);
    ems_train_options o = options(OUT ".nan");
    o.steps = 4;
    must(train(&o, 0, 0, &err), &err);
    FILE *f = fopen(OUT ".nan.ckpt", "r+b");
    uint8_t head[8];
    assert_true(f && fread(head, 1, 8, f) == 8);
    const float bad = NAN;
    assert_int_equal(fseek(f, 8 + head[0] + 256 * head[1], SEEK_SET), 0);
    fwrite(&bad, sizeof bad, 1, f);
    fclose(f);
    o.steps = 8;
    o.resume = 1;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINTERNAL);
    assert_non_null(strstr(err.text, "diverged"));
    assert_int_equal(steps_in(OUT ".nan.ckpt"), 4);
}

/* Files may not grow: what a full disk does to a write. */
static void full_disk_is_told(void **state)
{
    (void)state;
    ems_error err;
    write_data(DATA, 4);
    ems_train_options o = options(OUT ".full");
    o.steps = 4;
    must(train(&o, 0, 0, &err), &err);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit small = before;
    small.rlim_cur = 20000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    o.steps = 8;
    o.resume = 1;
    const int code = train(&o, 0, 0, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(code, EMS_EIO);
    assert_int_equal(steps_in(OUT ".full.ckpt"), 4);
    must(train(&o, 0, 0, &err), &err);
    assert_int_equal(steps_in(OUT ".full.ckpt"), 8);
}

static void bad_options(void **state)
{
    (void)state;
    ems_error err;
    write_data(DATA, 4);
    ems_train_options o = options(NULL);
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o = options(OUT ".bad");
    o.steps = 0;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o = options(OUT ".bad");
    o.lr = NAN;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
    o = options(OUT ".bad");
    o.dataset = EMS_SCRATCH "/none";
    assert_int_equal(train(&o, 0, 0, &err), EMS_EIO);
    o = options(OUT ".bad");
    o.resume = 1;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EIO);
    o = options(EMS_SCRATCH "/no-folder/x");
    assert_int_equal(train(&o, 0, 0, &err), EMS_EIO);
    o = options(OUT ".bad");
    o.shape.n_head = 3;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EINVAL);
}

static void checkpoints_are_checked(void **state)
{
    (void)state;
    ems_error err;
    ems_train_state s;
    write_data(DATA, 4);
    ems_train_options o = options(OUT ".k");
    o.steps = 1;
    must(train(&o, 0, 0, &err), &err);
    /* The weights are no checkpoint. */
    assert_int_equal(ems_checkpoint_state(OUT ".k", &s, &err), EMS_EFORMAT);
    rename(OUT ".k", OUT ".k.ckpt");
    o.resume = 1;
    assert_int_equal(train(&o, 0, 0, &err), EMS_EFORMAT);
    /* A shape without its tensors. */
    const ems_st_pair pairs[] = {
        {"d_model", "16"}, {"n_layer", "1"}, {"n_head", "2"},
        {"d_inner", "24"}, {"context_len", "42"}, {"vocab_size", "1011"},
        {"step", "1"}, {"tokens", "1"}, {"seed", "1"},
        {"seconds_bits", "0"}, {"best_bits", "0"}};
    const float one = 1;
    const ems_st_tensor t = {.name = "parameters", .dtype = EMS_DT_F32,
                             .ndim = 1, .dims = {1}, .data = &one,
                             .bytes = sizeof one};
    must(ems_safetensors_write(OUT ".k.ckpt", &t, 1, pairs, 11, &err), &err);
    assert_int_equal(train(&o, 0, 0, &err), EMS_EFORMAT);
}

static void dry_run_and_bench(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = options(OUT ".dry");
    o.dry_run = 1;
    o.dataset = NULL;
    unlink(OUT ".dry.log");
    must(train(&o, 0, 0, &err), &err);
    assert_int_not_equal(access(OUT ".dry.log", R_OK), 0);
    ems_bench_options b = {.shape = o.shape, .batch = 2};
    ems_train_speed speed;
    must(ems_bench_train(&b, &speed, NULL, &err), &err);
    assert_true(speed.tokens > 0 && speed.attention > 0);
    assert_true(speed.products > 0 && speed.peak > 0);
    b.precision = EMS_INT8;
    assert_int_equal(ems_bench_train(&b, &speed, NULL, &err),
                     EMS_EUNSUPPORTED);
}

static void memory_can_run_out(void **state)
{
    (void)state;
    ems_error err;
    write_data(DATA, 4);
    ems_train_options o = options(OUT ".oom");
    o.steps = 1;
    for (long n = 1;; n++) {
        ems_alloc_fail_at(n);
        const int code = train(&o, 1, 0, &err);
        ems_alloc_fail_at(0);
        if (code == EMS_OK) {
            assert_true(n > 20);
            return;
        }
        assert_int_equal(code, EMS_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excerpts_follow_the_rules),
        cmocka_unit_test(pairs_differ_in_valence),
        cmocka_unit_test(breaks_keep_the_notes_whole),
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(it_learns),
        cmocka_unit_test(without_held_out_pieces),
        cmocka_unit_test(divergence_is_told),
        cmocka_unit_test(full_disk_is_told),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(checkpoints_are_checked),
        cmocka_unit_test(dry_run_and_bench),
        cmocka_unit_test(memory_can_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

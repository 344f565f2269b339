#include "audio/audio.h"
#include "audio/mix.h"
#include "base/mem.h"
#include "base/run.h"

#include <math.h>
#include <string.h>

#define LONGEST (24 * 3600.0)
#define USUAL_FADE 3.0     /* seconds: the paper's, none below that length */
#define DECLICK 0.010      /* seconds: no ending is cut harder than this */
#define SILENT 1e-6f       /* -120 dBFS */
/* A stem whose first note has less than this left may well be silent. */
#define TIME_TO_SOUND 0.1

typedef struct render {
    ems_mix mix;
    ems_bank bank;
    ems_stem *stem[EMS_FAMILIES]; /* most notes first */
    double first[EMS_FAMILIES];   /* its first onset, seconds */
    float *chunk[2][EMS_FAMILIES]; /* [EMS_CHUNK][2]: one made, one mixed */
    float *mixed;                  /* [EMS_CHUNK][2] */
    float peak[EMS_FAMILIES];
    ems_meter *meter;
    double duration, fade; /* seconds */
    uint64_t at;           /* of the chunk being made */
    int turn;
    ems_error error;       /* from the mixing task */
} render;

ems_render_options ems_render_defaults(void)
{
    return (ems_render_options){.lufs = -14, .fade = -1};
}

/* ---- Pass one: from notes to float frames ------------------------------- */

static void fade_out(const render *r, float *x, uint64_t at, size_t n)
{
    const double start = r->duration - r->fade;
    if ((double)(at + n) <= start * EMS_RATE)
        return;
    for (size_t i = 0; i < n; i++) {
        const double t = ((double)(at + i) / EMS_RATE - start) / r->fade;
        if (t <= 0)
            continue;
        const float g = t < 1 ? (float)(0.5 + 0.5 * cos(M_PI * t)) : 0;
        x[2 * i] *= g;
        x[2 * i + 1] *= g;
    }
}

static void note_peak(float *peak, const float *x, size_t samples)
{
    for (size_t i = 0; i < samples; i++)
        *peak = fabsf(x[i]) > *peak ? fabsf(x[i]) : *peak;
}

/* Fade, add up, measure and store the chunk made last time. */
static int mix_chunk(render *r, uint64_t at, ems_error *err)
{
    ems_mix *m = &r->mix;
    const size_t n = ems_chunk_size(m, at), samples = n * EMS_CHANNELS;
    memset(r->mixed, 0, samples * sizeof *r->mixed);
    for (size_t s = 0; s < m->stems; s++) {
        float *x = r->chunk[!r->turn][s];
        note_peak(&r->peak[s], x, samples);
        fade_out(r, x, at, n);
        for (size_t i = 0; i < samples; i++)
            r->mixed[i] += x[i];
        if (m->keep && ems_wav_put(&m->stem[s], at, x, n, err) < 0)
            return err->code;
    }
    float peak = 0;
    note_peak(&peak, r->mixed, samples);
    m->peak = fmax(m->peak, (double)peak);
    if (ems_meter_add(r->meter, r->mixed, n) < 0)
        return ems_out_of_memory(err);
    return ems_wav_put(&m->wav, at, r->mixed, n, err);
}

/* Tasks: every stem's next chunk, and the mix of the chunk before. */
static void render_task(void *ctx, size_t i)
{
    render *r = ctx;
    if (i < r->mix.stems) {
        if (r->at < r->mix.frames)
            ems_stem_render(r->stem[i], r->chunk[r->turn][i], EMS_CHUNK);
    } else if (r->at > 0 && r->error.code == EMS_OK) {
        mix_chunk(r, r->at - EMS_CHUNK, &r->error);
    }
}

static int render_all(render *r, ems_error *err)
{
    ems_mix *m = &r->mix;
    for (r->at = 0; r->at < m->frames + EMS_CHUNK; r->at += EMS_CHUNK) {
        ems_pool_for(m->pool, m->stems + 1, render_task, r);
        r->turn = !r->turn;
        if (r->error.code != EMS_OK)
            return ems_fail(err, r->error.code, "%s", r->error.text);
        if (ems_cancelled(m->run))
            return ems_fail_cancelled(err);
        ems_progress(m->run, "render",
                     fmin(0.8, 0.8 * (double)r->at / (double)m->frames));
    }
    m->lufs = ems_meter_lufs(r->meter);
    return EMS_OK;
}

/* ---- Getting ready ------------------------------------------------------ */

static int valid_note(const ems_note *n)
{
    return n->start >= 0 && n->start < 1e7 && n->length > 0 &&
           n->length < 1e7 && n->family < EMS_FAMILIES && n->pitch < 128 &&
           n->velocity >= 1 && n->velocity < 128;
}

static int check_arguments(const ems_piece *piece, const char *wav,
                           const ems_render_options *o, ems_error *err)
{
    if (!piece || !wav || !*wav)
        return ems_fail(err, EMS_EINVAL, "render needs a piece and a file");
    if (!(piece->duration * EMS_RATE >= 1 && piece->duration <= LONGEST))
        return ems_fail(err, EMS_EINVAL,
                        "cannot render %g seconds: the length must lie "
                        "between one sample and 24 hours", piece->duration);
    if (!(o->lufs >= -60 && o->lufs <= -5))
        return ems_fail(err, EMS_EINVAL,
                        "loudness %g LUFS is not within -60 to -5", o->lufs);
    if (!(o->fade <= LONGEST))
        return ems_fail(err, EMS_EINVAL, "a fade of %g seconds", o->fade);
    for (size_t i = 0; i < piece->note_count; i++)
        if (!valid_note(&piece->notes[i]))
            return ems_fail(err, EMS_EINVAL,
                            "note %zu of the piece is out of range", i);
    return EMS_OK;
}

/* The paper fades the last 3 s of what is longer. Music that has ended by
 * then rings out by itself. */
static double choose_fade(const ems_piece *piece, double wanted)
{
    const double d = piece->duration;
    double fade = wanted >= 0 ? wanted : d > USUAL_FADE ? USUAL_FADE : 0;
    double end = 0;
    for (size_t i = 0; i < piece->note_count; i++)
        end = fmax(end, piece->notes[i].start + piece->notes[i].length);
    if (end <= d - fade)
        fade = 0;
    return fmin(fmax(fade, DECLICK), d);
}

/* Families by number of notes, the most first: the longest work is handed
 * out first. */
static size_t count_families(const ems_piece *piece,
                             ems_family order[EMS_FAMILIES],
                             double first[EMS_FAMILIES])
{
    size_t notes[EMS_FAMILIES] = {0}, used = 0;
    for (size_t i = 0; i < piece->note_count; i++) {
        const ems_note *n = &piece->notes[i];
        if (n->start < piece->duration && notes[n->family]++ == 0)
            first[n->family] = n->start;
    }
    for (int f = 0; f < EMS_FAMILIES; f++) {
        if (!notes[f])
            continue;
        size_t at = used++;
        for (; at > 0 && notes[order[at - 1]] < notes[f]; at--)
            order[at] = order[at - 1];
        order[at] = (ems_family)f;
    }
    return used;
}

static int make_stems(render *r, const ems_piece *piece,
                      const ems_render_options *o, ems_error *err)
{
    ems_family order[EMS_FAMILIES];
    double first[EMS_FAMILIES] = {0};
    const size_t used = count_families(piece, order, first);
    if (used == 0) {
        ems_log(r->mix.run, EMS_LOG_WARNING,
                "the piece has no notes: the sound is silence");
        return EMS_OK;
    }
    const char *font = ems_soundfont_find(o->soundfont, err);
    if (!font)
        return EMS_EIO;
    int code = ems_bank_open(&r->bank, font, err);
    for (size_t i = 0; i < used && code == EMS_OK; i++) {
        r->stem[i] = ems_stem_new(&r->bank, piece, order[i], r->mix.frames,
                                  err);
        if (!r->stem[i])
            return err->code;
        r->first[i] = first[order[i]];
        r->mix.stems = i + 1;
    }
    return code;
}

static int make_buffers(render *r, ems_error *err)
{
    const size_t frame = EMS_CHANNELS * sizeof(float);
    r->mixed = ems_alloc(EMS_CHUNK, frame);
    int missing = !r->mixed;
    for (size_t s = 0; s < r->mix.stems; s++)
        for (int turn = 0; turn < 2; turn++) {
            r->chunk[turn][s] = ems_alloc(EMS_CHUNK, frame);
            missing |= !r->chunk[turn][s];
        }
    if (missing)
        return ems_out_of_memory(err);
    r->meter = ems_meter_new(0, err);
    return r->meter ? EMS_OK : EMS_ENOMEM;
}

static int make_files(render *r, const char *wav, const char *folder,
                      ems_error *err)
{
    ems_mix *m = &r->mix;
    int code = ems_wav_create(&m->wav, wav, m->frames, err);
    if (code < 0 || !folder)
        return code;
    code = ems_folder_make(folder, err);
    m->keep = code == EMS_OK;
    for (size_t i = 0; i < m->stems && code == EMS_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.wav",
                 ems_stem_name(r->stem[i]));
        char *path = ems_path_join(folder, name);
        if (!path)
            return ems_out_of_memory(err);
        code = ems_wav_create(&m->stem[i], path, m->frames, err);
        ems_free(path);
    }
    return code;
}

/* ---- After pass one ----------------------------------------------------- */

/* Notes without sound are an error, never a silent file. */
static int check_silence(const render *r, const ems_piece *piece,
                         ems_error *err)
{
    for (size_t i = 0; i < r->mix.stems; i++) {
        const ems_stem *s = r->stem[i];
        const ems_family f = ems_stem_family(s);
        if (*ems_stem_complaint(s))
            ems_log(r->mix.run, EMS_LOG_WARNING, "FluidSynth: %s",
                    ems_stem_complaint(s));
        if (r->peak[i] < SILENT &&
            r->first[i] + TIME_TO_SOUND <= r->duration)
            return ems_fail(err, EMS_EFORMAT,
                            "the soundfont \"%s\" gives no sound for the "
                            "%zu notes of %s (program %d): choose another "
                            "soundfont or program", r->bank.path,
                            ems_stem_notes(s), ems_stem_name(s),
                            piece->program[f]);
        if (ems_stem_mute(s))
            ems_log(r->mix.run, EMS_LOG_WARNING,
                    "the soundfont has no sound for %zu of the %zu notes of "
                    "%s (program %d)", ems_stem_mute(s), ems_stem_notes(s),
                    ems_stem_name(s), piece->program[f]);
    }
    return EMS_OK;
}

static int commit(render *r, ems_error *err)
{
    int code = EMS_OK;
    for (size_t i = 0; r->mix.keep && i < r->mix.stems && code == EMS_OK; i++)
        code = ems_wav_commit(&r->mix.stem[i], err);
    return code == EMS_OK ? ems_wav_commit(&r->mix.wav, err) : code;
}

static void clear(render *r)
{
    for (size_t i = 0; i < EMS_FAMILIES; i++) {
        ems_stem_free(r->stem[i]);
        ems_wav_discard(&r->mix.stem[i]);
        ems_free(r->chunk[0][i]);
        ems_free(r->chunk[1][i]);
    }
    ems_wav_discard(&r->mix.wav);
    ems_bank_close(&r->bank);
    ems_meter_free(r->meter);
    ems_pool_free(r->mix.pool);
    ems_free(r->mixed);
    ems_free(r);
}

static int run_all(render *r, const ems_piece *piece, const char *wav,
                   const ems_render_options *o, ems_loudness *out,
                   ems_error *err)
{
    int code = make_stems(r, piece, o, err);
    if (code == EMS_OK)
        code = make_buffers(r, err);
    if (code == EMS_OK)
        code = make_files(r, wav, o->stems, err);
    if (code < 0)
        return code;
    r->mix.pool = ems_pool_new(ems_run_threads(r->mix.run), err);
    if (!r->mix.pool)
        return EMS_ENOMEM;
    code = render_all(r, err);
    if (code == EMS_OK)
        code = check_silence(r, piece, err);
    if (code == EMS_OK)
        code = ems_mix_master(&r->mix, o->lufs, out, err);
    return code == EMS_OK ? commit(r, err) : code;
}

int ems_render_measured(const ems_piece *piece, const char *wav,
                        const ems_render_options *options, const ems_run *run,
                        ems_loudness *out, ems_error *err)
{
    const ems_render_options o = options ? *options : ems_render_defaults();
    ems_error own;
    err = err ? err : &own;
    int code = check_arguments(piece, wav, &o, err);
    if (code < 0)
        return code;
    render *r = ems_alloc(1, sizeof *r);
    if (!r)
        return ems_out_of_memory(err);
    r->duration = piece->duration;
    r->fade = choose_fade(piece, o.fade);
    r->mix.run = run;
    r->mix.frames = (uint64_t)llround(piece->duration * EMS_RATE);
    ems_loudness loudness;
    code = run_all(r, piece, wav, &o, &loudness, err);
    clear(r);
    if (code == EMS_OK)
        ems_progress(run, "render", 1);
    if (code == EMS_OK && out)
        *out = loudness;
    return code;
}

int ems_render(const ems_piece *piece, const char *wav,
               const ems_render_options *options, const ems_run *run,
               ems_error *err)
{
    return ems_render_measured(piece, wav, options, run, NULL, err);
}

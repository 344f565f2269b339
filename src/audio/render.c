#include "audio/audio.h"
#include "audio/loudness.h"
#include "audio/mix.h"
#include "audio/synth.h"
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
/* An ending: nothing begins in the last so many seconds of a piece. */
#define ENDING 1.0

typedef struct render {
    ems_mix mix;
    ems_bank bank;
    ems_strip strip[EMS_FAMILIES];
    ems_touch touch;
    size_t stems;
    ems_stem *stem[EMS_FAMILIES]; /* most notes first */
    ems_family family[EMS_FAMILIES];
    double first[EMS_FAMILIES];   /* its first onset, seconds */
    size_t order[EMS_FAMILIES];   /* stems in the order of families: that of
                                     the sum */
    ems_wav file[EMS_FAMILIES];   /* when `keep` */
    int keep, raw;
    ems_compressor bus;
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
    return (ems_render_options){.lufs = -14, .peak = -1, .fade = -1,
                                .humanize = 3};
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

/* Fade and add up the stems of the chunk made last time, and store them. */
static int sum_stems(render *r, uint64_t at, size_t n, ems_error *err)
{
    const size_t samples = n * EMS_CHANNELS;
    memset(r->mixed, 0, samples * sizeof *r->mixed);
    for (size_t k = 0; k < r->stems; k++) {
        const size_t s = r->order[k];
        float *x = r->chunk[!r->turn][s];
        note_peak(&r->peak[s], x, samples);
        fade_out(r, x, at, n);
        for (size_t i = 0; i < samples; i++)
            r->mixed[i] += x[i];
        if (r->keep && ems_wav_put(&r->file[s], at, x, n, err) < 0)
            return err->code;
    }
    return EMS_OK;
}

static int mix_chunk(render *r, uint64_t at, ems_error *err)
{
    ems_mix *m = &r->mix;
    const size_t n = ems_chunk_size(m, at);
    if (sum_stems(r, at, n, err) < 0)
        return err->code;
    if (!r->raw)
        ems_compressor_run(&r->bus, r->mixed, n);
    float peak = 0;
    note_peak(&peak, r->mixed, n * EMS_CHANNELS);
    m->peak = fmax(m->peak, (double)peak);
    if (ems_meter_add(r->meter, r->mixed, n) < 0)
        return ems_out_of_memory(err);
    return ems_wav_put(&m->wav, at, r->mixed, n, err);
}

/* Tasks: every stem's next chunk, and the mix of the chunk before. */
static void render_task(void *ctx, size_t i)
{
    render *r = ctx;
    if (i < r->stems) {
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
        ems_pool_for(m->pool, r->stems + 1, render_task, r);
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
    if (!(o->peak >= -30 && o->peak <= 0))
        return ems_fail(err, EMS_EINVAL,
                        "a true peak of %g dBTP is not within -30 to 0",
                        o->peak);
    if (!(o->fade <= LONGEST))
        return ems_fail(err, EMS_EINVAL, "a fade of %g seconds", o->fade);
    if (!(o->humanize >= 0 && o->humanize <= 50))
        return ems_fail(err, EMS_EINVAL, "onsets cannot be moved by %g ms: 0 "
                        "to 50 will do", o->humanize);
    if (!(o->origin >= 0 && o->origin < 86400))
        return ems_fail(err, EMS_EINVAL, "a film cannot begin %g seconds "
                        "after midnight", o->origin);
    if (o->sample < EMS_PCM24 || o->sample > EMS_FLOAT32)
        return ems_fail(err, EMS_EINVAL, "there is no sample format %d",
                        (int)o->sample);
    for (size_t i = 0; i < piece->note_count; i++)
        if (!valid_note(&piece->notes[i]))
            return ems_fail(err, EMS_EINVAL,
                            "note %zu of the piece is out of range", i);
    return EMS_OK;
}

/* The paper fades the last 3 s of what is longer. Music that has ended by
 * then rings out by itself; an ending, a last chord after which nothing
 * begins, is let go in time to ring out, and the fade waits for that. */
static void choose_ending(render *r, const ems_piece *piece, double wanted)
{
    const double d = piece->duration;
    double fade = wanted >= 0 ? wanted : d > USUAL_FADE ? USUAL_FADE : 0;
    double end = 0, last = 0;
    for (size_t i = 0; i < piece->note_count; i++) {
        const ems_note *n = &piece->notes[i];
        end = fmax(end, n->start + n->length);
        last = n->start < d ? fmax(last, n->start) : last;
    }
    r->touch.release = INFINITY;
    if (wanted < 0 && fade > 0 && d - last >= ENDING && end > d - fade) {
        fade = fmin(fade, 0.6 * (d - last));
        r->touch.release = d - fade;
    } else if (end <= d - fade) {
        fade = 0;
    }
    r->fade = fmin(fmax(fade, DECLICK), d);
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

/* `order` lists the stems by family. */
static void sort_stems(render *r)
{
    size_t n = 0;
    for (int f = 0; f < EMS_FAMILIES; f++)
        for (size_t i = 0; i < r->stems; i++)
            if (r->family[i] == (ems_family)f)
                r->order[n++] = i;
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
        const ems_stem_options own = {r->mix.frames, &r->strip[order[i]],
                                      r->touch};
        r->stem[i] = ems_stem_new(&r->bank, piece, order[i], &own, err);
        if (!r->stem[i])
            return err->code;
        r->first[i] = first[order[i]];
        r->stems = i + 1;
        r->family[i] = order[i];
    }
    sort_stems(r);
    return code;
}

static int make_buffers(render *r, ems_error *err)
{
    const size_t frame = EMS_CHANNELS * sizeof(float);
    r->mixed = ems_alloc(EMS_CHUNK, frame);
    int missing = !r->mixed;
    for (size_t s = 0; s < r->stems; s++)
        for (int turn = 0; turn < 2; turn++) {
            r->chunk[turn][s] = ems_alloc(EMS_CHUNK, frame);
            missing |= !r->chunk[turn][s];
        }
    if (missing)
        return ems_out_of_memory(err);
    r->meter = ems_meter_new(0, err);
    ems_compressor_begin(&r->bus);
    return r->meter ? EMS_OK : EMS_ENOMEM;
}

static int make_stem_file(render *r, size_t i, const char *folder,
                          ems_wav_spec spec, ems_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "%s.wav", ems_mixer_name(r->family[i]));
    char *path = ems_path_join(folder, name);
    if (!path)
        return ems_out_of_memory(err);
    spec.path = path;
    spec.sample = EMS_FLOAT32;
    const int code = ems_wav_create(&r->file[i], &spec, err);
    r->file[i].spec.path = NULL;
    ems_free(path);
    return code;
}

static int make_files(render *r, const ems_piece *piece, const char *wav,
                      const ems_render_options *o, ems_error *err)
{
    ems_mix *m = &r->mix;
    const ems_wav_spec spec = {
        .path = wav, .frames = m->frames, .sample = o->sample,
        .origin = (uint64_t)llround(o->origin * EMS_RATE),
        .about = piece->text};
    int code = ems_wav_create(&m->wav, &spec, err);
    if (code < 0 || !o->stems)
        return code;
    code = ems_folder_make(o->stems, err);
    r->keep = code == EMS_OK;
    for (size_t i = 0; i < r->stems && code == EMS_OK; i++)
        code = make_stem_file(r, i, o->stems, spec, err);
    return code;
}

/* ---- After pass one ----------------------------------------------------- */

/* Notes without sound are an error, never a silent file. */
static int check_stem(const render *r, size_t i, const ems_piece *piece,
                      ems_error *err)
{
    ems_stem_state s;
    ems_stem_tell(r->stem[i], &s);
    const char *name = ems_mixer_name(s.family);
    const int program = piece->program[s.family];
    ems_log(r->mix.run, EMS_LOG_DEBUG, "%s: program %d of the bank has %.1f "
            "LUFS, corrected by %+.1f dB", name, program, s.loudness,
            s.correction);
    if (*s.complaint)
        ems_log(r->mix.run, EMS_LOG_WARNING, "FluidSynth: %s", s.complaint);
    if (s.absurd)
        ems_log(r->mix.run, EMS_LOG_WARNING, "%zu samples of %s were no "
                "numbers or far too loud and are silent now: the soundfont "
                "\"%s\" is broken", s.absurd, name, r->bank.path);
    if (r->peak[i] < SILENT && r->first[i] + TIME_TO_SOUND <= r->duration)
        return ems_fail(err, EMS_EFORMAT,
                        "the soundfont \"%s\" gives no sound for the %zu "
                        "notes of %s (program %d): choose another program or "
                        "a General MIDI soundfont (Debian package "
                        "fluid-soundfont-gm)", r->bank.path, s.notes, name,
                        program);
    if (s.mute)
        ems_log(r->mix.run, EMS_LOG_WARNING,
                "the soundfont has no sound for %zu of the %zu notes of %s "
                "(program %d)", s.mute, s.notes, name, program);
    return EMS_OK;
}

static int check_silence(const render *r, const ems_piece *piece,
                         ems_error *err)
{
    int code = EMS_OK;
    for (size_t i = 0; i < r->stems && code == EMS_OK; i++)
        code = check_stem(r, i, piece, err);
    return code;
}

static int commit(render *r, ems_error *err)
{
    int code = EMS_OK;
    for (size_t i = 0; r->keep && i < r->stems && code == EMS_OK; i++)
        code = ems_wav_commit(&r->file[i], err);
    return code == EMS_OK ? ems_wav_commit(&r->mix.wav, err) : code;
}

static void clear(render *r)
{
    for (size_t i = 0; i < EMS_FAMILIES; i++) {
        ems_stem_free(r->stem[i]);
        ems_wav_discard(&r->file[i]);
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
        code = make_files(r, piece, wav, o, err);
    if (code < 0)
        return code;
    r->mix.pool = ems_pool_new(ems_run_threads(r->mix.run), err);
    if (!r->mix.pool)
        return EMS_ENOMEM;
    code = render_all(r, err);
    if (code == EMS_OK)
        code = check_silence(r, piece, err);
    out->compressed = r->bus.most;
    if (code == EMS_OK)
        code = ems_mix_master(&r->mix, r->raw ? (double)NAN : o->lufs,
                              o->peak, out, err);
    return code == EMS_OK ? commit(r, err) : code;
}

/* What the options say, in `r`. */
static int set_up(render *r, const ems_piece *piece,
                  const ems_render_options *o, const ems_run *run,
                  ems_error *err)
{
    r->duration = piece->duration;
    r->raw = o->raw;
    r->touch = (ems_touch){.humanize = o->humanize, .seed = o->seed};
    choose_ending(r, piece, o->fade);
    r->mix.run = run;
    r->mix.frames = (uint64_t)llround(piece->duration * EMS_RATE);
    return ems_mixer_parse(r->strip, o->mixer, err);
}

int ems_render_wav(const ems_piece *piece, const char *wav,
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
    ems_loudness loudness = {0};
    code = set_up(r, piece, &o, run, err);
    if (code == EMS_OK)
        code = run_all(r, piece, wav, &o, &loudness, err);
    clear(r);
    if (code == EMS_OK)
        ems_progress(run, "render", 1);
    if (code == EMS_OK && out)
        *out = loudness;
    return code;
}

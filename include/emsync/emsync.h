/* emsync.h - give a video its own soundtrack: music that follows its emotion
 * and lands on its cuts.
 *
 * Five stages, each a call, each with a file that can be edited by hand:
 *
 *     video -> ems_analyze -> ems_plan_make -> ems_compose -> ems_render
 *           -> ems_mux -> video with soundtrack
 *
 *     ems_error err;
 *     ems_score_options o = ems_score_defaults();
 *     if (ems_score("in.mp4", "out.mp4", &o, NULL, NULL, &err) < 0)
 *         fprintf(stderr, "%s\n", err.text);
 *
 * Rules that hold for every function here:
 * - Nothing prints, ends the process or keeps global state.
 * - Times are seconds from the first video frame; valence and arousal lie in
 *   [-1,1] (unpleasant..pleasant, calm..excited).
 * - A function that returns a pointer gives NULL on failure; one that returns
 *   int gives 0 or a negative ems_code. `err` may be NULL; otherwise it then
 *   holds the same code and one sentence: what failed, on what, what to do.
 * - Output files appear whole, by rename, or not at all.
 * - Objects are independent: any number of threads may work on different
 *   objects; one object is used by one thread at a time. Read-only calls on
 *   the same object may run at the same time. Every free accepts NULL.
 * - Options: start from the *_defaults() function, then change fields.
 *   Strings in options are borrowed for the time of the call. */
#ifndef EMSYNC_H
#define EMSYNC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMS_VERSION "0.1.0"
#define EMS_API __attribute__((visibility("default")))

typedef enum ems_code {
    EMS_OK = 0,
    EMS_EINVAL = -1,       /* a wrong argument or option */
    EMS_ENOMEM = -2,
    EMS_EIO = -3,          /* a file cannot be read or written */
    EMS_EFORMAT = -4,      /* a file is not what it should be */
    EMS_EUNSUPPORTED = -5, /* right, but beyond what this build can do */
    EMS_ECANCELLED = -6,
    EMS_EINTERNAL = -7,    /* a mistake in this library */
} ems_code;

typedef struct ems_error {
    ems_code code;
    char text[508];
} ems_error;

typedef enum ems_log_level {
    EMS_LOG_WARNING, EMS_LOG_INFO, EMS_LOG_DEBUG,
} ems_log_level;

/* How a call runs. NULL stands for all zeros: one thread per core, silence.
 * The callbacks come from the calling thread only. */
typedef struct ems_run {
    int threads; /* 0: EMSYNC_THREADS, else one per core. Never changes a result. */
    void *user;
    /* `stage` is a stage's name, `done` in 0..1. */
    void (*progress)(void *user, const char *stage, double done);
    void (*log)(void *user, ems_log_level level, const char *text);
    /* Asked often; nonzero ends the call with EMS_ECANCELLED. */
    int (*cancelled)(void *user);
} ems_run;

/* ---- What the stages exchange ---------------------------------------- */

typedef enum ems_cut_kind {
    EMS_CUT, EMS_DISSOLVE, EMS_FADE_IN, EMS_FADE_OUT,
} ems_cut_kind;

typedef struct ems_cut {
    double time;       /* of the first frame of the new shot */
    ems_cut_kind kind;
    double strength;   /* scene score in 0..1 */
} ems_cut;

typedef struct ems_knot { /* one point of the emotion curve; linear between */
    double time;
    double valence, arousal;
} ems_knot;

typedef struct ems_stretch { /* of time, seconds; from < to */
    double from, to;
} ems_stretch;

/* Ekman's six emotions, alphabetical as everywhere in EMSYNC. */
enum { EMS_ANGER, EMS_DISGUST, EMS_FEAR, EMS_JOY, EMS_SADNESS, EMS_SURPRISE,
       EMS_EKMAN };

typedef enum ems_family { /* instrument families, in the order of the tokens */
    EMS_BASS, EMS_DRUMS, EMS_GUITAR, EMS_PIANO, EMS_STRINGS, EMS_FAMILIES,
} ems_family;

typedef struct ems_note {
    double start, length;          /* seconds, length > 0 */
    uint8_t family, pitch, velocity; /* ems_family; MIDI 0..127; 1..127 */
} ems_note;

/* ---- 1. analyze: what happens in the video, and how it feels ----------- */

typedef struct ems_analysis ems_analysis;

typedef enum ems_cut_policy {
    EMS_CUTS_AUTO,  /* every transition found */
    EMS_CUTS_PAPER, /* EMSYNC: score > 0.27, at least 4 s apart */
} ems_cut_policy;

typedef struct ems_analyze_options {
    ems_cut_policy cuts;
    double threshold; /* scene score that makes a hard cut; default 0.27 */
    const char *experts; /* pretrained networks to ask: names with commas,
                            "all" or NULL, "none" */
    const char *fusion;  /* weights that join what they say; NULL: those that
                            ship, if they fit; "none": features alone */
    int no_words;        /* nonzero: do not read what is written in the
                            pictures */
} ems_analyze_options;

EMS_API ems_analyze_options ems_analyze_defaults(void);

/* Decode `video` once and analyse it. Works for anything FFmpeg can read;
 * a file without pictures or without sound gives what the other half tells. */
EMS_API ems_analysis *ems_analyze(const char *video,
                                  const ems_analyze_options *options,
                                  const ems_run *run, ems_error *err);
/* analysis.json (docs/FORMATS.md). */
EMS_API ems_analysis *ems_analysis_load(const char *path, ems_error *err);
EMS_API int ems_analysis_save(const ems_analysis *a, const char *path,
                              ems_error *err);
/* One HTML page for people: pictures of the shots, emotion, sound and cuts over
 * time; nothing in it comes from outside. `video` is decoded once more for
 * the pictures; NULL: none. */
EMS_API int ems_analysis_page(const ems_analysis *a, const char *video,
                              const char *html, const ems_run *run,
                              ems_error *err);
EMS_API double ems_analysis_duration(const ems_analysis *a);
EMS_API double ems_analysis_fps(const ems_analysis *a); /* 0: no pictures */
/* Arrays belong to the analysis; ascending in time. */
EMS_API const ems_cut *ems_analysis_cuts(const ems_analysis *a, size_t *count);
EMS_API const ems_knot *ems_analysis_curve(const ems_analysis *a,
                                           size_t *count);
/* Ekman probabilities of the whole video, EMS_EKMAN values that sum to 1. */
EMS_API const double *ems_analysis_emotion(const ems_analysis *a);
/* Where the original sound holds speech, where music; ascending, apart. NULL
 * with *count 0: nowhere, or no sound. */
EMS_API const ems_stretch *ems_analysis_speech(const ems_analysis *a,
                                               size_t *count);
EMS_API const ems_stretch *ems_analysis_music(const ems_analysis *a,
                                              size_t *count);
/* How loud the original sound is: LUFS (at least -70) of *count stretches of
 * *step seconds from 0 on, and *whole, its integrated loudness. *count 0: no
 * sound (or silence, or a file of before 2026-11). */
EMS_API const float *ems_analysis_loudness(const ems_analysis *a,
                                           size_t *count, double *step,
                                           double *whole);

typedef struct ems_title { /* words in the pictures: a title, a sign */
    double from, to;
    const char *text;    /* UTF-8, without line breaks */
    double neutral, emotion[EMS_EKMAN]; /* what it tells; sums to 1 */
} ems_title;

/* What was read in the pictures, ascending, apart; belongs to the analysis.
 * NULL with *count 0: nothing. */
EMS_API const ems_title *ems_analysis_titles(const ems_analysis *a,
                                             size_t *count);
EMS_API void ems_analysis_free(ems_analysis *a);

typedef struct ems_expert_said { /* what a pretrained network gave a film */
    const char *name, *modality;
    const char *says;    /* its strongest named values, "joy 0.52, ..." */
    const char *why;     /* why it was left out; "" otherwise */
    size_t rows, dim;    /* moments looked or listened at; values of each */
    double seconds;      /* of work; not kept in analysis.json */
    int cached;          /* nonzero: known from an earlier run */
} ems_expert_said;

/* The experts that were asked (docs/EXPERTS.md); belongs to the analysis. */
EMS_API const ems_expert_said *ems_analysis_experts(const ems_analysis *a,
                                                    size_t *count);

/* ---- 2. plan: what the music shall do --------------------------------- */

typedef struct ems_plan ems_plan;

typedef enum ems_sync {
    EMS_SYNC_EXACT, /* the music is led to every hit: error below a frame */
    EMS_SYNC_PAPER, /* conditioning alone, as in EMSYNC */
    EMS_SYNC_GUIDED, /* led to every hit, but without planned bars: the
                        tempo is whatever the model plays */
} ems_sync;

typedef struct ems_plan_options {
    uint64_t seed;
    ems_sync sync;
    double min_gap;          /* seconds between hits; <= 0: the policy's own
                                (paper 4 s, exact 1 s) */
    double valence, arousal; /* NaN: as analysed; else used for the whole film */
    const char *cuts;        /* a cut list of another program instead of the
                                analysis' cuts (docs/FORMATS.md); NULL: none */
    const char *cuts_start;  /* timecode that the film's first frame has in an
                                EDL; NULL: its first whole hour */
} ems_plan_options;

EMS_API ems_plan_options ems_plan_defaults(void);
EMS_API ems_plan *ems_plan_make(const ems_analysis *a,
                                const ems_plan_options *options,
                                ems_error *err);
/* plan.json (docs/FORMATS.md). */
EMS_API ems_plan *ems_plan_load(const char *path, ems_error *err);
EMS_API int ems_plan_save(const ems_plan *p, const char *path, ems_error *err);
EMS_API double ems_plan_duration(const ems_plan *p);
/* Times of the hits, ascending; they belong to the plan. */
EMS_API const double *ems_plan_hits(const ems_plan *p, size_t *count);

/* Everything in a plan that contradicts itself or cannot be played: `each`
 * gets one sentence with the JSON path per finding. Returns how many there
 * are, or a negative code where the file cannot be read at all. */
EMS_API int ems_plan_check(const char *path,
                           void (*each)(void *user, const char *sentence),
                           void *user, ems_error *err);

typedef enum ems_list_kind { /* how other programs write moments of a film */
    EMS_LIST_AUTO,     /* told by the file's suffix */
    EMS_LIST_SECONDS,  /* plain seconds (.txt) */
    EMS_LIST_AUDACITY, /* label track */
    EMS_LIST_SCENES,   /* PySceneDetect (.csv) */
    EMS_LIST_EDL,      /* CMX 3600 (.edl) */
    EMS_LIST_OTIO,     /* OpenTimelineIO (.otio) */
    EMS_LIST_FCPXML,   /* Final Cut Pro X (.fcpxml) */
    EMS_LIST_CHAPTERS, /* YouTube; at least three of ten seconds */
    EMS_LIST_MLT,      /* Shotcut and Kdenlive project (.mlt), with the music
                          on a track of its own; needs video and music */
} ems_list_kind;

typedef struct ems_list_options {
    ems_list_kind kind;
    int cuts;          /* nonzero: every cut; else the hits */
    const char *video, *music; /* files, for lists that name them; or NULL */
    const char *start; /* timecode of the first frame in an EDL; NULL: one hour */
} ems_list_options;

/* Write the plan's hits or cuts for another program, each with a name that
 * tells its number and emotion. NULL options: hits, the kind by suffix. */
EMS_API int ems_plan_export(const ems_plan *p, const char *path,
                            const ems_list_options *options, ems_error *err);
EMS_API void ems_plan_free(ems_plan *p);

/* ---- 3. compose: the music as notes ------------------------------------ */

typedef struct ems_piece ems_piece; /* notes, bars, tempo map, markers */

typedef enum ems_precision { EMS_F32, EMS_BF16, EMS_INT8 } ems_precision;

typedef enum ems_velocity {
    EMS_VELOCITY_SHAPED, /* metre, phrase, arousal, hits (docs/MUSIC.md) */
    EMS_VELOCITY_PAPER,  /* 80, and 120 for the notes of a chord */
} ems_velocity;

typedef struct ems_compose_options {
    const char *model;   /* safetensors; NULL: the model that ships */
    double temperature;  /* default 1.35, the paper's */
    double top_p;        /* NAN (default): 0.75, which hammers less than the
                            paper's 0.6, by EMS_SYNC_PAPER that */
    double guidance;     /* how strongly emotion is followed and, by
                            EMS_SYNC_PAPER, boundaries: 1 as the model says, 0
                            not at all; twice the work unless 1. Default 3
                            (docs/MUSIC.md) */
    double steer;        /* how strongly density and key are led by the emotion,
                            exact mode only: 0 not at all, 1 (default) */
    int fewer_instruments; /* nonzero: one or two instruments */
    int from_start;      /* nonzero: prime as the true beginning of a song */
    int hop;             /* tokens dropped when the window is full;
                            0: a third of the window; 1: as the authors do */
    ems_precision precision; /* of the weights at work; default EMS_INT8
                            (docs/decisions/023) */
    int candidates;      /* pieces composed, of which the best is kept, exact
                            mode only (docs/MUSIC.md); default 3, at most 64 */
    ems_velocity velocity;
    const char *keep;    /* an earlier score of this plan, of which all is kept
                            but `sections` and what is not locked; NULL: none */
    const char *sections; /* to compose anew: "3", "2,5"; NULL: those in which
                            the plan is not what `keep` was composed for */
    const char *lock;    /* families kept in them too: "drums,bass"; or NULL */
    int likelihood;        /* nonzero: weigh every token, for evaluation */
} ems_compose_options;

EMS_API ems_compose_options ems_compose_defaults(void);
/* Equal plan, options and model give equal notes on every x86-64 CPU with
 * FMA, every compiler and thread count. */
EMS_API ems_piece *ems_compose(const ems_plan *plan,
                               const ems_compose_options *options,
                               const ems_run *run, ems_error *err);
/* Standard MIDI File, type 1, 480 ticks per quarter (docs/FORMATS.md). */
EMS_API ems_piece *ems_piece_load(const char *path, ems_error *err);
EMS_API int ems_piece_save(const ems_piece *p, const char *path,
                           ems_error *err);
/* A picture (SVG) of the notes by family, bars, hits, tempo and, unless plan
 * is NULL, its curve, from second `from` to `to` (not above `from`: all). */
EMS_API int ems_piece_draw(const ems_piece *piece, const ems_plan *plan,
                           const char *svg, double from, double to,
                           ems_error *err);
EMS_API double ems_piece_duration(const ems_piece *p);
/* Ascending by start; belongs to the piece. */
EMS_API const ems_note *ems_piece_notes(const ems_piece *p, size_t *count);
EMS_API void ems_piece_free(ems_piece *p);

/* ---- 4. render: the music as sound -------------------------------------- */

typedef enum ems_sample_type { EMS_PCM24, EMS_PCM16, EMS_FLOAT32 } ems_sample_type;

typedef struct ems_render_options {
    const char *soundfont; /* SF2 or SF3; NULL: FluidR3 GM where the system
                              keeps it */
    const char *stems;     /* folder for one WAV per instrument: 32-bit float,
                              before the master; NULL: none */
    double lufs;           /* integrated loudness; default -14 */
    double peak;           /* highest true peak, dBTP, -20..0; default -1 */
    double fade;           /* seconds at the end; < 0: 3 s, none if short,
                              after the last chord where there is an ending */
    const char *mixer;     /* "piano level=-3 pan=0.2; drums room=0": changes
                              to the house balance (docs/SOUND.md), or NULL */
    ems_sample_type sample;     /* of WAV and FLAC (where float becomes 24 bits) */
    int raw;               /* nonzero: the sum of the stems and nothing more:
                              no compressor, loudness, limiter */
    double humanize;       /* onsets vary by so many ms; 0: not at all; notes
                              at cuts and hits never do; default 3 */
    uint64_t seed;         /* of that */
    double origin;         /* seconds after midnight at which the film begins:
                              timecode of broadcast WAV; default 0 */
} ems_render_options;

typedef struct ems_loudness {
    double lufs;       /* integrated, EBU R128; -70 for silence */
    double true_peak;  /* dBTP; -144 for silence */
    double limited;    /* the most the limiter took away, dB >= 0 */
    double compressed; /* and the compressor of the mix before it */
} ems_loudness;

EMS_API ems_render_options ems_render_defaults(void);
/* Write `out`: 48 kHz stereo, exactly as long as the piece; WAV, FLAC or Opus
 * by the suffix (.wav, .flac, .opus, .ogg). `measured` (may be NULL): loudness
 * and true peak of the file, read again after it was written. */
EMS_API int ems_render(const ems_piece *piece, const char *out,
                       const ems_render_options *options,
                       ems_loudness *measured, const ems_run *run,
                       ems_error *err);

typedef struct ems_bank_voice { /* what a SoundFont has for a family */
    ems_family family;
    int program;       /* of General MIDI; drums: the kit */
    double lufs;       /* of eight notes at velocity 80; NaN: a problem */
    double correction; /* dB that give it its place in the balance */
    char problem[256]; /* a sentence; "": none */
} ems_bank_voice;

/* How loud a SoundFont (NULL: the system's) is, and what a render adds so that
 * another bank changes neither balance nor loudness. */
EMS_API int ems_bank_survey(const char *soundfont,
                            ems_bank_voice out[EMS_FAMILIES], ems_error *err);

/* ---- 5. mux: the sound into the video ----------------------------------- */

typedef enum ems_audio_mode {
    EMS_AUDIO_REPLACE, /* the music instead of the original sound */
    EMS_AUDIO_MIX,     /* both in one stream */
    EMS_AUDIO_TRACK,   /* the music as a second audio stream */
} ems_audio_mode;

typedef struct ems_mux_options {
    ems_audio_mode audio; /* default mix: the original sound is kept */
    double music_db;      /* gain of the music in a mix; default -6 */
    const char *comment;  /* for the container's metadata; NULL: none */
    const ems_stretch *speech; /* where people speak: ems_analysis_speech */
    size_t speech_count;
    double duck_db;       /* by which a mix lowers the music there; 11 */
    int accessible;       /* nonzero: by as much as it takes for speech to lie
                             20 LU above the music */
    int enhance_original; /* nonzero: a mix restores the treble of original
                             sound that is dull (as ems_enhance) */
    const char *enhancer; /* weights for that; NULL: those that ship */
} ems_mux_options;

typedef struct ems_speech_ratio {
    double seconds;       /* of speech; 0: none, and nothing else is known */
    double speech;        /* loudness of the original sound there, LUFS */
    double before, after; /* LU by which it lies above the music there, without
                             ducking and with it; NaN: unknown */
    double duck;          /* dB by which the music was lowered */
} ems_speech_ratio;

EMS_API ems_mux_options ems_mux_defaults(void);
/* The video stream is copied; other streams, chapters and metadata stay. In a
 * mix the original sound keeps its level, save where the sum would exceed -1
 * dBTP; the music steps back where there is speech. `speech` may be NULL. */
EMS_API int ems_mux(const char *video, const char *wav, const char *out,
                    const ems_mux_options *options, ems_speech_ratio *speech,
                    const ems_run *run, ems_error *err);

/* A passage that a piece shares with the training music. */
typedef struct ems_passage {
    double bars;       /* how long, in the piece's bars; 0: there is none */
    double start, end; /* seconds */
    ems_family family; /* whose top voice it is */
    size_t notes;
    char source[160];  /* name of the training piece, cut if need be */
} ems_passage;

#define EMS_NOVELTY_BARS 8.0 /* a composed piece may share so many */

/* ---- All five in a row --------------------------------------------------- */

typedef struct ems_score_options {
    ems_analyze_options analyze;
    ems_plan_options plan;
    ems_compose_options compose;
    ems_render_options render;
    ems_mux_options mux;
    const char *keep;   /* folder for analysis.json, plan.json, score.mid,
                           mix.wav and stems; NULL: nothing is kept */
} ems_score_options;

typedef struct ems_hit {  /* the proof: where the music answers the picture */
    double cut, note;     /* seconds; note: the nearest onset */
    double error_ms, error_frames; /* note - cut */
} ems_hit;

typedef struct ems_report {
    ems_hit *hits;        /* owned: ems_report_clear */
    size_t hit_count;
    double duration, fps;
    double analyze, plan, compose, render, mux, total; /* seconds of work */
    size_t peak_rss;      /* bytes, of the process so far */
    size_t notes, bars;
    ems_loudness sound;   /* of the music's file, read again */
    ems_speech_ratio speech; /* in the film, if the music was mixed into it */
    ems_passage novelty;  /* the longest shared with the training music; its
                             bars are NaN where no index is installed */
} ems_report;

EMS_API ems_score_options ems_score_defaults(void);
/* `report` may be NULL; otherwise it is overwritten. */
EMS_API int ems_score(const char *video, const char *out,
                      const ems_score_options *options, ems_report *report,
                      const ems_run *run, ems_error *err);
/* report.json (docs/FORMATS.md). */
EMS_API int ems_report_save(const ems_report *r, const char *path,
                            ems_error *err);
EMS_API void ems_report_clear(ems_report *r);

/* ---- The enhancer -------------------------------------------------------- */

typedef enum ems_enhancer_kind {
    EMS_ENHANCER_RESNET, EMS_ENHANCER_UNET,
} ems_enhancer_kind;

/* A network that restores the treble of dull sound (docs/SOUND.md). The
 * paper's: resnet, width 512, 15 blocks (55,074,306 parameters); unet, width
 * 128 (56,424,324). */
typedef struct ems_enhancer_shape {
    ems_enhancer_kind kind;
    int width;      /* channels of a resnet's layers, of a unet's first one */
    int blocks;     /* of a resnet */
    int batch_norm; /* nonzero: normalise after convolutions */
    double dropout; /* while training; not together with batch norm */
} ems_enhancer_shape;

typedef struct ems_enhance_options {
    const char *weights; /* NULL: the network that ships */
    int always;          /* nonzero: restore even what is not dull */
} ems_enhance_options;

typedef struct ems_enhance_result {
    double seconds;      /* of sound */
    double edge;         /* Hz where the sound ended; 0: it has no edge */
    int restored;        /* 0: left as it is */
    int rate, channels;  /* of what was written */
} ems_enhance_result;

EMS_API ems_enhance_options ems_enhance_defaults(void);
/* Restore the treble of a file's sound (any that FFmpeg reads; of a film, the
 * main sound) and write a 24-bit WAV: 44.1 kHz for rates up to that and its
 * multiples, else 48; mono stays mono, more than two channels become stereo.
 * What lies below the edge of a low-passed sound stays; sound that has no edge
 * below 16 kHz is written as it is. Memory does not grow with length. `result` may be NULL. */
EMS_API int ems_enhance(const char *in, const char *out,
                        const ems_enhance_options *options,
                        ems_enhance_result *result, const ems_run *run,
                        ems_error *err);

/* What a network learns to undo, by zero-phase low-pass filters. */
typedef enum ems_enhancer_filters {
    EMS_FILTERS_ONE,    /* Chebyshev-I of order 6 at 11,025 Hz alone */
    EMS_FILTERS_BANK,   /* the paper's augmentation: Chebyshev-I 6, 8, 10, 12,
                           Bessel 6, 12, elliptic 6, 12 at 11,025 Hz */
    EMS_FILTERS_RANDOM, /* any of four families, order 2 to 12, 4 to 16 kHz;
                           one chunk of eight unfiltered */
} ems_enhancer_filters;

typedef enum ems_enhancer_optimizer {
    EMS_OPTIMIZER_MUON, /* kernels by orthogonal steps, the rest by Adam with
                           a tenth of the rate */
    EMS_OPTIMIZER_ADAM,
} ems_enhancer_optimizer;

typedef struct ems_enhancer_options {
    ems_enhancer_shape shape;
    ems_enhancer_filters filters;
    ems_enhancer_optimizer optimizer;
    const char *music;    /* folder of full-band music (all FFmpeg reads) */
    const char *out;      /* weights (safetensors); beside it .ckpt and .log */
    int resume;           /* nonzero: go on from out.ckpt */
    int batch, chunk;     /* chunks of so many samples per step */
    int steps;            /* in all */
    double lr;            /* highest rate; 100 steps up, a half cosine down to
                             a hundredth */
    uint64_t seed;
    double checkpoint_minutes;
    int validate_steps;   /* between two scores of the held-out tunes */
    double tune_seconds;  /* at most, of each file */
} ems_enhancer_options;

EMS_API ems_enhancer_options ems_enhancer_defaults(void);
/* Teach the network on the folder's music but every eighth file, which is held
 * out. Cancelling leaves out.ckpt. Equal options and music give equal
 * weights, for any number of threads. */
EMS_API int ems_train_enhancer(const ems_enhancer_options *options,
                               const ems_run *run, ems_error *err);

typedef struct ems_enhancer_score { /* means over the tunes */
    char filter[16];
    size_t tunes;
    double snr_in, snr_out; /* signal to noise, dB, of the filtered sound and
                               of the restored one */
    double lsd_in, lsd_out; /* log-spectral distance, dB */
} ems_enhancer_score;

/* Filter up to `seconds` of every tune of a folder from second 8 on, restore it, and
 * compare with the truth. filters: names with commas, "cheby1-6,butter-6",
 * or "none" for sound as it is; scores: one for each, at most `most`.
 * as_enhance: 0 adds all that the network says, otherwise as ems_enhance does,
 * only above the edge of a sound that has one. `weights` NULL: the network
 * that ships. Returns how many, or a negative code. */
EMS_API int ems_evaluate_enhancer(const char *weights, const char *music,
                                  const char *filters, double seconds,
                                  int as_enhance, ems_enhancer_score *scores,
                                  int most, const ems_run *run,
                                  ems_error *err);

/* ---- Words --------------------------------------------------------------- */

typedef struct ems_text ems_text; /* a classifier of texts; read-only */

/* Ekman's six and EMS_TEXT_NEUTRAL; the 28 labels of GoEmotions. */
enum { EMS_TEXT_NEUTRAL = EMS_EKMAN, EMS_TEXT_EKMAN = 7, EMS_TEXT_FULL = 28 };

/* `weights`: safetensors; NULL: the classifier that ships. */
EMS_API ems_text *ems_text_open(const char *weights, ems_error *err);
/* How much of each emotion `size` bytes of text tell: scores in [0,1] that
 * need not sum to 1, several may be high. Any length and any bytes will do;
 * what is not UTF-8 is read as Latin-1; long texts are rated line by line and
 * averaged by words. What is left of an empty text is neutral. Never fails. */
EMS_API void ems_text_rate(const ems_text *t, const char *text, size_t size,
                           float ekman[EMS_TEXT_EKMAN],
                           float full[EMS_TEXT_FULL]);
/* Name of a label: 0 to 27 those of `full` ("admiration" .. "surprise",
 * alphabetical), 28 to 34 those of `ekman`; else NULL. */
EMS_API const char *ems_text_label_name(size_t index);
/* Valence and arousal of the scores, each score its share of their sum and
 * neutral in the middle, through the table of docs/EMOTION.md. */
EMS_API void ems_text_affect(double *valence, double *arousal,
                             const float ekman[EMS_TEXT_EKMAN]);
EMS_API void ems_text_free(ems_text *t);

typedef struct ems_text_train_options {
    const char *folder; /* GoEmotions: original/ and ekman/ with labels.txt,
                           train.tsv, dev.tsv, test.tsv each */
    const char *out;    /* weights */
    int buckets, width, channels, hidden; /* docs/EMOTION.md; the last three
                                             in steps of 32 */
    int epochs, batch;  /* lines per step: a multiple of 8 */
    double lr, weight_decay, dropout;
    double forget;      /* share of the pieces of words left out at random */
    uint64_t seed;
} ems_text_train_options;

typedef struct ems_text_label {
    const char *name;
    double threshold; /* where F1 on dev is highest */
    double f1[2], precision[2], recall[2]; /* dev, test */
    size_t lines[2];  /* with this label */
} ems_text_label;

typedef struct ems_text_result {
    ems_text_label full[EMS_TEXT_FULL], ekman[EMS_TEXT_EKMAN];
    double full_macro[2], full_micro[2], ekman_macro[2], ekman_micro[2];
    size_t lines[2];  /* of dev, test */
    double seconds;   /* of work */
} ems_text_result;

EMS_API ems_text_train_options ems_text_train_defaults(void);
/* Teach a classifier of texts and measure it. Equal options give equal weights
 * on any number of threads. `result` may be NULL. */
EMS_API int ems_train_text(const ems_text_train_options *options,
                           ems_text_result *result, const ems_run *run,
                           ems_error *err);
/* Measure a classifier, with its own thresholds. */
EMS_API int ems_text_evaluate(const char *weights, const char *folder,
                              ems_text_result *result, const ems_run *run,
                              ems_error *err);
/* Lines of the file rated per second, reading and splitting included; the
 * best of several rounds of a second in all. */
EMS_API int ems_bench_text(const char *weights, const char *file,
                           double *lines_per_second, const ems_run *run,
                           ems_error *err);

/* ---- Experts: pretrained networks that look and listen --------------------- */

typedef struct ems_expert_info { /* lives as long as the call it comes from */
    const char *name, *folder, *modality, *what, *licence, *source;
    const char *sha256; /* of manifest and network together */
    size_t dim;         /* values of one look or listen */
    double every;       /* seconds between two */
    const char *why;    /* NULL, or why it cannot be used */
} ems_expert_info;

/* All experts of this machine, by name; `open_networks`: also ask ONNX
 * Runtime whether it takes them. Returns how many cannot be used. */
EMS_API int ems_experts_each(int open_networks,
                             void (*each)(void *user,
                                          const ems_expert_info *info),
                             void *user, ems_error *err);
/* The expert in `folder` alone; returns 1 if it cannot be used. */
EMS_API int ems_expert_check(const char *folder,
                             void (*each)(void *user,
                                          const ems_expert_info *info),
                             void *user, ems_error *err);
/* Check it and copy it to the user's experts. */
EMS_API int ems_expert_add(const char *folder, ems_error *err);
/* A TensorFlow.js graph model (model.json with its weight files) as ONNX.
 * `outputs`: names of nodes, NULL at the end; NULL: the model's own. */
EMS_API int ems_expert_convert(const char *model, const char *onnx,
                               const char *const *outputs, ems_error *err);
/* Seconds of work for one look or listen, and for a second of film. */
EMS_API int ems_bench_experts(void (*each)(void *user,
                                           const ems_expert_info *info,
                                           double once, double per_second),
                              void *user, const ems_run *run,
                              ems_error *err);

/* ---- What a film feels like: the fusion of experts ------------------------- */

enum { EMS_GENRES = 32 }; /* at most */

typedef struct ems_fusion_scores { /* NaN: could not be measured */
    size_t clips;
    size_t confusion[EMS_EKMAN][EMS_EKMAN]; /* [label][said] */
    double accuracy, macro_f1, emotion_f1[EMS_EKMAN];
    double r[2], ccc[2], rmse[2];           /* valence, arousal */
    size_t genres, genre_clips[EMS_GENRES]; /* clips of each */
    double map, precision, recall;          /* macro, at 0.5 */
    double ap[EMS_GENRES], genre_precision[EMS_GENRES],
        genre_recall[EMS_GENRES];
} ems_fusion_scores;

typedef enum ems_network {
    EMS_NETWORK_CROSS, /* cross-attention between experts, as EMSYNC's */
    EMS_NETWORK_JOINT, /* one transformer over all, as for the trailers */
} ems_network;

typedef struct ems_fusion_train_options {
    const char *folder;  /* films and pictures */
    const char *labels;  /* CSV (docs/FORMATS.md) */
    const char *out;     /* weights; NULL with folds: only measure */
    const char *experts; /* names with commas between; NULL: all there are */
    const char *cache;   /* folder for features of this program's own, so that
                            a second run goes on; NULL: folder/.emsync */
    const char *report, *report_text, *picture; /* JSON, text, SVG; or NULL */
    int genres;          /* nonzero: genres; else emotions, or valence and
                            arousal, or both, as the labels have them */
    ems_network network;
    int width, heads, inner; /* docs/EMOTION.md */
    int rows;            /* of each expert at most; more are thinned evenly */
    int minmax;          /* nonzero: one range per expert, as EMSYNC scales;
                            else each number by its deviation */
    int epochs, patience; /* patience: epochs without a better validation */
    int batch;
    double lr, weight_decay, dropout;
    double absent;       /* chance that an expert is left out of a clip */
    double mix;          /* share of clips joined with one of like emotion */
    double valid, test;  /* shares, where the labels say no split */
    int sorted;          /* nonzero: split in order of the names, as the
                            trailers; else at random by group */
    int folds;           /* > 1: also judge every clip by a fusion that saw
                            no clip of its group */
    int seeds;           /* fusions that are averaged for folds: 1 */
    uint64_t seed;
} ems_fusion_train_options;

typedef struct ems_fusion_result {
    size_t clips[3];     /* to learn from, to validate, to test */
    size_t passed_over;  /* files that could not be used */
    uint64_t parameters;
    int epoch;           /* whose weights were kept */
    ems_fusion_scores valid, test, folds; /* clips 0: none */
    char genre[EMS_GENRES][32];
    double extraction, seconds; /* of work */
} ems_fusion_result;

EMS_API ems_fusion_train_options ems_fusion_train_defaults(int genres);
/* Teach the network that joins the experts, and measure it. Equal options and
 * features give equal weights on any number of threads. */
EMS_API int ems_train_fusion(const ems_fusion_train_options *options,
                             ems_fusion_result *result, const ems_run *run,
                             ems_error *err);
/* The result as a table for people, cut to `size` bytes with the last a 0;
 * 16384 hold all of it. */
EMS_API void ems_fusion_result_text(const ems_fusion_result *r, char *text,
                                    size_t size);

/* ---- How music feels to listeners ------------------------------------------ */

typedef struct ems_rate_options {
    const char *critic; /* safetensors; NULL: the critic that ships */
    double hop;         /* seconds between two ratings; 4 */
    int velocity;       /* nonzero: loudness counts; 0 suits what is composed */
} ems_rate_options;

EMS_API ems_rate_options ems_rate_defaults(void);
/* Valence and arousal of a piece as the critic hears it. `each` (may be NULL)
 * gets the middle of every hop, in order, rated by the 16 s around it and the
 * piece as context; NaN where nothing pitched sounds. The means of the whole
 * piece go to *valence and *arousal (NaN: nothing sounds). */
EMS_API int ems_piece_rate(const ems_piece *piece,
                           const ems_rate_options *options,
                           void (*each)(void *user, double time,
                                        double valence, double arousal),
                           void *user, double *valence, double *arousal,
                           ems_error *err);

typedef struct ems_critic_options {
    const char *data;      /* folder of VGMIDI: annotations (JSON) and midi */
    const char *out;       /* safetensors */
    const char *calibrate; /* folder of MIDI files of bands: the 5th and 95th
                              percentile of their ratings become -0.85 and
                              0.85; NULL: the listeners' own range */
    int half;     /* 1 or 2: learn from that half of the series; 0: all */
    double ridge; /* > 0; 300 */
    int evaluate; /* nonzero: log how well series that were left out are
                     guessed */
} ems_critic_options;

EMS_API ems_critic_options ems_critic_defaults(void);
/* Equal data give equal weights, on any number of threads. */
EMS_API int ems_train_critic(const ems_critic_options *options,
                             const ems_run *run, ems_error *err);

typedef struct ems_critic_axis { /* of valence or arousal */
    size_t pieces;       /* labelled and heard */
    double r, rho;       /* Pearson's and Spearman's correlation */
    double in_order;     /* share of the pairs of a label above and one below 0
                            that are heard in this order; NaN: no pair */
    size_t signs, right; /* labels other than 0; heard with the same sign */
} ems_critic_axis;

/* Compare ratings of the MIDI files below `folder` with a table's (CSV: file,
 * valence, arousal; empty: unknown). `window` > 0: rate so many seconds in
 * the middle of each piece, alone; 0: the whole piece. `hop` does not count. */
EMS_API int ems_critic_check(const char *folder, const char *labels,
                             double window, const ems_rate_options *options,
                             ems_critic_axis axis[2], const ems_run *run,
                             ems_error *err);

/* ---- Models, data, training ---------------------------------------------- */

typedef struct ems_model_shape {
    int d_model, n_layer, n_head, d_inner, context_len, vocab_size;
} ems_model_shape;

typedef struct ems_model_info {
    ems_model_shape shape;
    uint64_t parameters;
    char sha256[65]; /* of the file, hexadecimal */
} ems_model_info;

/* Learned numbers of a model of this shape; 0: EMS_EINVAL, no such model. */
EMS_API uint64_t ems_model_parameters(const ems_model_shape *shape,
                                      ems_error *err);
EMS_API int ems_model_inspect(const char *weights, ems_model_info *out,
                              ems_error *err);
/* Convert a PyTorch state dict (zip with pickle) to safetensors. Reads the
 * part of pickle that tensors need, executes nothing, refuses the rest. */
EMS_API int ems_model_import(const char *pt, const char *safetensors,
                             ems_error *err);
/* Rewrite weights as EMS_F32 or EMS_BF16 (half the bytes, 8 bits of mantissa). */
EMS_API int ems_model_convert(const char *weights, const char *out,
                              ems_precision precision, ems_error *err);
/* Recompute the logits (and, with `grads`, loss and gradients) of reference
 * vectors laid out as in docs/FORMATS.md and call `each` with the largest
 * relative error per tensor. Returns the number of tensors above `tolerance`,
 * or a negative code. `grads` may be NULL. */
EMS_API int ems_model_check(const char *weights, const char *io,
                            const char *grads, double tolerance,
                            void (*each)(void *user, const char *tensor,
                                         double error),
                            void *user, const ems_run *run, ems_error *err);

typedef struct ems_dataset_options {
    const char *const *folders; /* searched for .mid, .midi, .kar, at any
                                   depth */
    size_t folder_count;
    /* Who says how the music feels; NULL: nobody. Formats: docs/FORMATS.md. */
    const char *labels;    /* CSV: file, valence, arousal, title, licence... */
    const char *features;  /* CSV: artist, title or track_id, valence 0..1 */
    const char *emotions;  /* CSV: file and scores of emotions */
    const char *listeners; /* VGMIDI's JSON, a file or a folder of them */
    const char *critic;    /* weights; NULL: the critic that ships */
    const char *text;      /* classifier of the lyrics; NULL: that ships */
    int no_critic, no_lyrics; /* nonzero: do not ask them */
    double spread;         /* stretch: this share of the time fills -1..1 in
                              valence and arousal; 0: the critic's scale */
    int free_timing;       /* nonzero: notes stay where they are; else every
                              beat is a whole number of token steps and notes
                              lie on its twelfths */
    const char *sources;   /* CSV: source, licence, weight; or NULL */
    const char *exclude;   /* titles to leave out, one a line; or NULL */
    double held_out;       /* share of the songs kept for validation; 0.05 */
    const char *lyrics_out, *lyrics_full_out; /* CSV of the lyrics' 7 and 28
                                                 scores, or NULL */
    const char *report, *report_text, *picture; /* JSON, text, SVG; or NULL */
} ems_dataset_options;

EMS_API ems_dataset_options ems_dataset_defaults(void);
/* Read folders of MIDI into one token file (docs/FORMATS.md). Files that are
 * broken, too short or there twice are passed over and counted. EMS_EINVAL
 * when labels or listeners match no file, EMS_EFORMAT when no file can be
 * used; then, and on any other failure, `out` stays as it was. */
EMS_API int ems_dataset_build(const char *out,
                              const ems_dataset_options *options,
                              const ems_run *run, ems_error *err);

typedef enum ems_schedule { /* of the learning rate, after warm-up */
    EMS_COSINE,   /* a half cosine down to lr_end at the end of the run */
    EMS_CONSTANT, /* as it is: for a run that will be resumed and extended */
    EMS_WSD,      /* constant, then linear to lr_end over the decay */
} ems_schedule;

typedef struct ems_train_options {
    ems_model_shape shape;   /* of a new model; ignored on resume */
    ems_precision precision; /* of the matrix products: EMS_F32 or EMS_BF16 */
    const char *dataset;
    const char *out;         /* weights; out.ckpt holds the optimiser */
    int resume;              /* nonzero: go on from out.ckpt, also with more
                                steps or minutes, or another data set */
    const char *from;        /* weights of a new model; NULL: random ones. The
                                shape is theirs; only its context_len may be
                                larger: what can be kept is kept */
    int batch, steps;        /* sequences per graph; steps in all */
    int excerpt;             /* tokens of a sequence; 0: all that the model can
                                see. Shorter ones begin more often from the
                                conditions alone, which teaches to heed them */
    int accumulate;          /* graphs per step: a step takes `accumulate` x
                                `batch` sequences of every rank; 1 */
    double minutes;          /* stop when training has taken this long in
                                all, resumes included; 0: no limit */
    double contrast;         /* above 0: a step also asks, of short excerpts,
                                which of two valences is theirs; an answer
                                counts like so many targets. 0: the paper's
                                training, which does not ask for it */
    int pairs;               /* such excerpts, of 128 tokens, of every step
                                (whatever `accumulate`) and rank; 16 */
    double breaks;           /* share of the excerpts whose music breaks off
                                before its chords, so that only the offset
                                says when they come; 0: the paper's training */
    double lr, warmup, weight_decay, clip, dropout;
    ems_schedule schedule;   /* over `steps`, or `minutes` if they come first */
    double lr_end;           /* share of lr left at the end */
    double decay_minutes;    /* of EMS_WSD: the last ones of `minutes` */
    int decay_steps;         /* or the last ones of `steps` */
    uint64_t seed;
    double checkpoint_minutes, validate_steps;
    int dry_run;             /* nonzero: log bytes and FLOPs, do nothing */
} ems_train_options;

EMS_API ems_train_options ems_train_defaults(void);
/* Progress goes to the log callback and to out.log, a line every ten steps.
 * out.svg shows it; `out` always holds the weights with the lowest held-out
 * loss so far. Equal options give equal weights, also when training is cut
 * short and resumed (unless `minutes` ends it). A loss that is not finite ends
 * the call with EMS_EINTERNAL; a full disk does not, as long as a later write
 * succeeds.
 * Started by mpirun, ranks share the work: all make this call with equal
 * options and get the same result; only rank 0 calls back and writes files.
 * MPI then begins and ends in it, so once in a process. EMS_EUNSUPPORTED: one
 * of several processes, but without MPI. */
EMS_API int ems_train_music(const ems_train_options *options,
                            const ems_run *run, ems_error *err);
/* The number of this process among those that mpirun or srun started
 * together, 0 when it is alone; *size (may be NULL): how many they are. Only
 * number 0 should talk to people. */
EMS_API int ems_rank(int *size);

/* ---- Judging music --------------------------------------------------------- */

/* The longest passage of any family's top voice that is also in the training
 * music, in whatever key, tempo and instrument; repeated notes, scales and
 * short figures do not count (docs/MUSIC.md). `index`: NULL, the one that
 * ships. */
EMS_API int ems_piece_novelty(const ems_piece *piece, const char *index,
                              ems_passage *longest, ems_error *err);
/* Make the index of a data set's training pieces, of at most so many
 * megabytes. */
EMS_API int ems_novelty_build(const char *dataset, const char *out,
                              double megabytes, const ems_run *run,
                              ems_error *err);

typedef struct ems_sync_share { /* how moments of a film are met */
    size_t moments;
    double median_ms, p95_ms; /* from each to the nearest accented onset */
    double frame, within_100ms, within_1s; /* shares that are so near */
    double tbiou_accents, tbiou_bars, tbiou_beats; /* moments and accents, bar
                                  lines, beats: common over all, within 0.5 s */
} ems_sync_share;

typedef struct ems_sync_report {
    ems_hit *cuts;         /* owned: ems_sync_clear; note: nearest accent, NaN
                              where there is none */
    size_t cut_count;
    double duration, fps;  /* fps 0: unknown; a frame counts as 40 ms */
    ems_sync_share all, hits, chance; /* every cut; the plan's hits (no moments
                              without a plan); cuts elsewhere */
    double accepted;       /* share of the hard cuts at least 1 s from their
                              neighbours that are hits; NaN: no plan, or none */
    double largest_change, mean_change; /* of tempo from bar to bar: 0.04: 4 % */
    double smooth_bars;    /* share of the changes of at most 4 % */
    double on_grid;        /* share of onsets within 10 ms of a sixteenth or a
                              triplet eighth of their bar */
    size_t notes, accents, bars, beats;
} ems_sync_report;

typedef struct ems_sync_options {
    double fps;          /* of the film of a cut list; 0: unknown */
    const char *start;   /* timecode of its first frame in an EDL, or NULL */
    int rounds;          /* of chance; 200 */
    uint64_t seed;       /* of chance; 1 */
    const char *picture; /* SVG, or NULL */
    const char *video;   /* for its film strip, where `film` is none; or NULL */
} ems_sync_options;

EMS_API ems_sync_options ems_sync_defaults(void);
/* Does a MIDI file, whoever made it, meet a film? `film`: plan.json,
 * analysis.json, a cut list, or a video, which is analysed. What is measured:
 * docs/MUSIC.md. */
EMS_API int ems_sync_evaluate(ems_sync_report *out, const char *film,
                              const char *midi,
                              const ems_sync_options *options,
                              const ems_run *run, ems_error *err);
/* As JSON (docs/FORMATS.md). */
EMS_API int ems_sync_save(const ems_sync_report *r, const char *json,
                          ems_error *err);
EMS_API void ems_sync_clear(ems_sync_report *r);

typedef enum ems_truth_kind { /* of a list of true changes; the last three are
                                 no changes of shot */
    EMS_TRUE_CUT, EMS_TRUE_DISSOLVE, EMS_TRUE_FADE_IN, EMS_TRUE_FADE_OUT,
    EMS_TRUE_FLASH, EMS_TRUE_PAN, EMS_TRUE_SHAKE, EMS_TRUTH_KINDS,
} ems_truth_kind;

typedef struct ems_cut_tally {
    size_t found, wrong, missed;
    double precision, recall, f1; /* NaN: nothing to count */
} ems_cut_tally;

typedef struct ems_cut_report {
    double fps;
    ems_cut_tally hard, gradual;
    size_t wrong_at[EMS_TRUTH_KINDS + 1]; /* what was there instead; the last:
                                             nothing */
} ems_cut_report;

/* "cut", "dissolve" ...; NULL for what is none. */
EMS_API const char *ems_truth_name(int kind);
/* Which changes of `truth` (docs/FORMATS.md, a cut list, analysis.json) does
 * `found` have: a video, which is analysed, analysis.json, or such a list?
 * `fps` is needed only where two lists are compared; 0: unknown. */
EMS_API int ems_cuts_evaluate(ems_cut_report *out, const char *truth,
                              const char *found, double fps,
                              const ems_run *run, ems_error *err);

enum {
    EMS_EVALUATE_MUSIC = 1,      /* statistics, composed against real */
    EMS_EVALUATE_EMOTION = 2,    /* asked against heard by a judge */
    EMS_EVALUATE_BOUNDARIES = 4, /* do chords meet them? */
    EMS_EVALUATE_NLL = 8,        /* of held-out music */
    EMS_EVALUATE_NOVELTY = 16,   /* passages shared with the training music */
    EMS_EVALUATE_ALL = 31,
    EMS_EVALUATE_MEASURES = 21, EMS_EVALUATE_GRID = 5, EMS_EVALUATE_WAYS = 6,
    EMS_EVALUATE_TELLINGS = 7, EMS_EVALUATE_EARLY = 128 /* tokens */,
};

typedef struct ems_evaluate_options {
    const char *dataset; /* its held-out pieces are the real music; NULL: no
                            real music, no NLL */
    const char *folder;  /* MIDI files to measure instead of composing (music
                            and novelty only); NULL: compose */
    const char *judge;   /* critic's weights; NULL: the judge that ships */
    const char *index;   /* of novelty; NULL: the one that ships */
    unsigned parts;      /* EMS_EVALUATE_* together */
    int pieces;          /* for each of the 25 emotions; 8 */
    int lists;           /* of boundaries; 24 */
    int excerpts;        /* of held-out music, for its NLL; 48 */
    int window;          /* tokens of each; 0: all that the model can see.
                            Models are compared at one that both can */
    double seconds;      /* of each piece; 30 */
    uint64_t seed;
    ems_sync sync;       /* how the pieces are composed */
    ems_compose_options compose;
} ems_evaluate_options;

typedef struct ems_measure { /* over composed and over real pieces */
    const char *name;        /* docs/MUSIC.md says what it is */
    double mean, deviation, real_mean, real_deviation; /* NaN: unknown */
    double overlap;          /* of the two distributions, 0..1 */
} ems_measure;

typedef struct ems_chord_row { /* three or more pitches struck together */
    size_t chords;
    double notes;            /* of a chord */
    double known;            /* share that are triads or seventh chords */
    double sharp;            /* share of pitch-class pairs that are a semitone
                                or tritone apart */
    double nats;             /* a note-ON after <CHORD>; NaN: none */
} ems_chord_row;

typedef struct ems_boundary_row { /* one way to compose for boundaries */
    const char *name;
    size_t boundaries;
    double within_100ms, within_1s; /* share with a chord so near */
    double chords_per_minute;
    double chords_near, chords_away; /* per minute within 1 s of a boundary,
                                        and elsewhere */
    double nats;             /* a token: -ln of its probability to the model,
                                told of emotion and boundaries, not led */
    double rules, due;       /* nats a token that the guide took; share of the
                                tokens that it put there */
    ems_chord_row chords[2]; /* elsewhere, at boundaries */
    double mean[EMS_EVALUATE_MEASURES]; /* as ems_evaluation's measures */
} ems_boundary_row;

typedef struct ems_nll_row { /* held-out music, one way to tell of it */
    const char *name;
    double tokens, nll, top1, top5;
    double early; /* nll of the first EMS_EVALUATE_EARLY tokens: what follows
                     says for itself what emotion it has */
} ems_nll_row;

typedef struct ems_evaluation { /* parts that were not done are all zero */
    unsigned parts;             /* done */
    size_t pieces, real_pieces, skipped;
    double seconds;             /* of composed music */
    size_t measures;
    ems_measure measure[EMS_EVALUATE_MEASURES];
    double asked[EMS_EVALUATE_GRID]; /* both axes */
    double valence[EMS_EVALUATE_GRID][EMS_EVALUATE_GRID]; /* heard, mean, */
    double arousal[EMS_EVALUATE_GRID][EMS_EVALUATE_GRID]; /* [asked V][A] */
    double l1;                  /* mean of |asked - heard| / 2 */
    double rho_valence, rho_arousal, r_valence, r_arousal; /* Spearman's,
                                                              Pearson's */
    ems_boundary_row boundary[EMS_EVALUATE_WAYS];
    ems_nll_row nll[EMS_EVALUATE_TELLINGS];
    ems_passage longest;        /* shared passage of all pieces */
    double shared_bars;         /* mean */
    size_t too_long;            /* pieces above EMS_NOVELTY_BARS */
} ems_evaluation;

EMS_API ems_evaluate_options ems_evaluate_defaults(void);
/* Judge a model by what it composes. Parts that cannot be done for want of a
 * data set, judge or index are left out, with a warning to the log. Equal
 * options give equal results. */
EMS_API int ems_evaluate_music(const ems_evaluate_options *options,
                               ems_evaluation *out, const ems_run *run,
                               ems_error *err);
EMS_API int ems_evaluation_save(const ems_evaluation *e, const char *json,
                                ems_error *err);
/* A picture (SVG). */
EMS_API int ems_evaluation_draw(const ems_evaluation *e, const char *svg,
                                ems_error *err);

/* ---- Measuring ------------------------------------------------------------- */

typedef struct ems_bench_options {
    ems_model_shape shape;
    ems_precision precision;
    int window;  /* tokens in the window when timing starts */
    int tokens;  /* tokens timed */
    int batch;   /* training: sequences per step */
    int pieces;  /* composing: side by side, 1 to EMS_BENCH_PIECES */
    const char *weights; /* composing: this model, whatever `shape` says; NULL:
                            random weights */
} ems_bench_options;

enum { EMS_BENCH_PIECES = 64 };

EMS_API ems_bench_options ems_bench_defaults(void);
/* Tokens per second of composing or training, with random weights of the
 * shape: the best of many laps, for other work on the machine only ever adds.
 * `bandwidth` (may be NULL): the tokens per second at which the weights alone
 * can be streamed from memory on this machine, measured in the same call. */
EMS_API int ems_bench_compose(const ems_bench_options *options,
                              double *tokens_per_second, double *bandwidth,
                              const ems_run *run, ems_error *err);
typedef struct ems_precision_loss { /* means over `steps` next tokens */
    uint64_t steps;
    double other_top1;     /* share where another token is the likeliest */
    double divergence;     /* Kullback-Leibler from float32's, nats */
    double nll, nll_exact; /* of the true tokens; with float32 */
} ems_precision_loss;

/* What rounding a model does: read held-out music of a data set with its
 * weights in `precision` and in float32. */
EMS_API int ems_bench_precision(ems_precision_loss *out, const char *weights,
                                const char *dataset, ems_precision precision,
                                int steps, const ems_run *run,
                                ems_error *err);
typedef struct ems_train_speed { /* of the best step */
    double tokens;     /* per second */
    /* Multiplications and additions per second: of the whole step by its
     * products, of the products with weights, of attention with its softmax
     * (without what the mask hides), and of multiply-add in registers on all
     * threads, which is the most there can be. */
    double step, products, attention, peak;
} ems_train_speed;

/* Training steps with random weights and tokens. */
EMS_API int ems_bench_train(const ems_bench_options *options,
                            ems_train_speed *speed, const ems_run *run,
                            ems_error *err);

/* One line per thing the program needs: `ok` and what was found, or what is
 * wrong and the command that repairs it. Returns how many are wrong. */
EMS_API int ems_doctor(void (*each)(void *user, int ok, const char *text),
                       void *user);

#ifdef __cplusplus
}
#endif
#endif

/* commands.h - what the sub-commands share: the option rows of each stage (f is
 * the field with the stage's options), words, the frame of a JSON result. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H
#include "json.h"
#include "options.h"
#include "ui.h"

extern const char *const cli_cut_words[];       /* ems_cut_policy */
extern const char *const cli_sync_words[];      /* ems_sync */
extern const char *const cli_audio_words[];     /* ems_audio_mode */
extern const char *const cli_precision_words[]; /* ems_precision */
extern const char *const cli_velocity_words[];  /* ems_velocity */
extern const char *const cli_sample_words[];    /* ems_sample_type */
extern const char *const cli_keep_names[];      /* files of --keep */
extern const char *const cli_stem_names[];      /* files of --stems */

#define ANALYZE_OPTIONS(f)                                                 \
    CLI_TITLE("Cuts"),                                                        \
    CLI_WORDS(f.cuts, cli_cut_words, "cuts", "POLICY",                     \
              "auto keeps every transition found; paper, as in EMSYNC, only"  \
              " hard cuts at least 4 s apart"),                               \
    CLI_NUMBER(f.threshold, 0, 1, "threshold", "X",                        \
               "scene score that makes a hard cut"),                          \
    CLI_TITLE("Experts"),                                                     \
    {CLI_ROW(CLI_TEXT, f.experts, "experts", "LIST",                          \
             "pretrained networks to ask: names with commas between, all or"  \
             " none (emsync experts list)"), .unset = "all"},                \
    {CLI_ROW(CLI_TEXT, f.fusion, "fusion", "FILE",                         \
             "weights that join what the experts say (emsync train"          \
             " emotion), or none"), .unset = "those that ship"},               \
    CLI_SWITCH(f.no_words, 1, "no-words",                                  \
               "do not read titles and signs in the pictures")

#define PLAN_OPTIONS(f)                                                    \
    CLI_TITLE("Plan"),                                                        \
    {CLI_ROW(CLI_SEED, f.seed, "seed", "N",                                \
             "another seed is another piece; the same gives the same notes")},\
    CLI_WORDS(f.sync, cli_sync_words, "sync", "HOW",                       \
              "exact leads the music to every hit; paper leaves it to the"    \
              " model alone"),                                                \
    {CLI_ROW(CLI_REAL, f.min_gap, "min-gap", "S",                          \
             "seconds between hits at least"), .max = 3600,                   \
     .unset = "1 exact, 4 paper"},                                            \
    {CLI_ROW(CLI_REAL, f.valence, "valence", "V",                          \
             "one valence for the whole film, -1 unpleasant to 1 pleasant"),  \
     .min = -1, .max = 1, .unset = "as analysed"},                            \
    {CLI_ROW(CLI_REAL, f.arousal, "arousal", "A",                          \
             "one arousal for the whole film, -1 calm to 1 excited"),         \
     .min = -1, .max = 1, .unset = "as analysed"},                            \
    {CLI_ROW(CLI_INPUT, f.cuts, "cut-list", "FILE",                        \
             "the cuts of another program: seconds, Audacity, PySceneDetect"  \
             " CSV, EDL, OpenTimelineIO, FCPXML"),                            \
     .unset = "as analysed"},                                                 \
    {CLI_ROW(CLI_TEXT, f.cuts_start, "cut-start", "TIMECODE",              \
             "where the film begins in an EDL"),                              \
     .unset = "its first whole hour"}

#define COMPOSE_OPTIONS(f)                                                 \
    CLI_TITLE("Composition"),                                                 \
    {CLI_ROW(CLI_INPUT, f.model, "model", "FILE",                          \
             "weights of the composer, safetensors"),                         \
     .unset = "the model that ships"},                                        \
    CLI_NUMBER(f.temperature, 0.01, 10, "temperature", "X",                \
               "higher is more daring"),                                      \
    {CLI_ROW(CLI_REAL, f.top_p, "top-p", "X",                              \
             "share of likely continuations to draw from"), .min = 0.01,      \
     .max = 1, .unset = "0.75; 0.6 where the plan syncs as the paper"},       \
    CLI_NUMBER(f.guidance, 0, 20, "guidance", "X",                         \
               "how strongly music follows what it is told; 1: as trained"),  \
    CLI_NUMBER(f.steer, 0, 1, "steer", "X",                                \
               "how strongly density and key are led by the emotion"),        \
    CLI_SWITCH(f.fewer_instruments, 1, "fewer-instruments",                \
               "one or two instruments"),                                     \
    CLI_SWITCH(f.from_start, 1, "from-start",                              \
               "begin as a song begins, not in its midst"),                   \
    {CLI_ROW(CLI_INT, f.hop, "hop", "N",                                   \
             "tokens to forget when the window is full; 1 is EMSYNC's"),      \
     .max = 65536, .unset = "a third of the window"},                         \
    CLI_WORDS(f.precision, cli_precision_words, "precision", "TYPE",       \
              "of the weights while composing"),                              \
    CLI_WORDS(f.velocity, cli_velocity_words, "velocity", "HOW",           \
              "shaped plays metre, phrases, emotion and hits; paper has"      \
              " EMSYNC's two levels"),                                        \
    CLI_COUNT(f.candidates, 1, 64, "candidates", "pieces to compose, of"   \
              " which the best is kept")

#define RENDER_OPTIONS(f)                                                  \
    CLI_TITLE("Sound"),                                                       \
    {CLI_ROW(CLI_INPUT, f.soundfont, "soundfont", "FILE",                  \
             "SF2 or SF3 bank of instruments"), .unset = "FluidR3 GM"},       \
    {CLI_ROW(CLI_FOLDER, f.stems, "stems", "DIR",                          \
             "write one WAV per instrument there: 32-bit float, before the"   \
             " master; they add up to the mix of --raw"),                     \
     .words = cli_stem_names},                                                \
    CLI_NUMBER(f.lufs, -70, 0, "lufs", "N",                                \
               "loudness of the music: LUFS by EBU R128, -14, -16, -23"),     \
    CLI_NUMBER(f.peak, -20, 0, "peak", "N",                                \
               "highest true peak of the music, dBTP"),                       \
    {CLI_ROW(CLI_TEXT, f.mixer, "mixer", "TEXT",                           \
             "changes to the balance, as in \"piano level=-3 pan=0.2; drums"  \
             " room=0\"; also low and high, the equaliser, in dB")},          \
    CLI_WORDS(f.sample, cli_sample_words, "sample", "TYPE",                \
              "of the samples of WAV and FLAC: 16 and 24 bits with dither,"   \
              " or float"),                                                   \
    CLI_SWITCH(f.raw, 1, "raw",                                            \
               "the sum of the stems and nothing more: no compressor,"        \
               " loudness, limiter"),                                         \
    CLI_NUMBER(f.humanize, 0, 50, "humanize", "MS",                        \
               "onsets vary by so many milliseconds, those at cuts never"),   \
    {CLI_ROW(CLI_REAL, f.origin, "origin", "S",                            \
             "seconds after midnight at which the film begins, for the"       \
             " timecode of broadcast WAV; 3600 is 01:00:00:00"),              \
     .max = 86399},                                                           \
    {CLI_ROW(CLI_REAL, f.fade, "fade", "S", "fade-out in seconds"),        \
     .max = 60, .unset = "3, none if the piece is short"}

#define MUX_OPTIONS(f)                                                     \
    CLI_TITLE("Film"),                                                        \
    CLI_WORDS(f.audio, cli_audio_words, "audio", "HOW",                    \
              "replace the original sound, mix the music into it, or add the" \
              " music as a track of its own"),                                \
    CLI_NUMBER(f.music_db, -60, 20, "music-db", "N",                       \
               "gain of the music in a mix, in decibels"),                    \
    CLI_NUMBER(f.duck_db, 0, 60, "duck", "DB",                             \
               "how much softer the music is in a mix while people speak"),   \
    CLI_SWITCH(f.accessible, 1, "accessible",                              \
               "as soft as it takes for speech to lie 20 LU above the music"),  \
    CLI_SWITCH(f.enhance_original, 1, "enhance-original",                     \
               "give dull original sound its treble back before mixing")

#define SHAPE_OPTIONS(f)                                                   \
    CLI_TITLE("Model"),                                                       \
    CLI_COUNT(f.n_layer, 1, 64, "layers", "layers of the transformer"),    \
    CLI_COUNT(f.d_model, 4, 16384, "width", "width of a layer"),           \
    CLI_COUNT(f.n_head, 1, 256, "heads", "attention heads of a layer"),    \
    CLI_COUNT(f.d_inner, 1, 65536, "inner", "inner width of a layer"),     \
    CLI_COUNT(f.context_len, 4, 65536, "context", "positions it can see")

#define CLI_END {.name = NULL}

/* How far speech lies above the music; nothing where nobody speaks. */
void cli_print_speech(const ems_speech_ratio *s);
void cli_json_speech(cli_json *j, const ems_speech_ratio *s);

/* {"file": path, ...: a result with where it was written; close the brace. */
void cli_result_open(cli_json *j, const char *path);
void cli_result_close(cli_json *j);

extern const cli_command cli_score, cli_analyze, cli_plan, cli_cuts, cli_compose,
    cli_render, cli_bank, cli_mux, cli_model_info, cli_model_check, cli_model_import,
    cli_evaluate_music, cli_evaluate_sync, cli_evaluate_cuts, cli_roll, cli_model_convert,
    cli_model_index, cli_model_novelty,
    cli_dataset_build, cli_train_music, cli_bench_compose, cli_bench_train,
    cli_doctor, cli_text, cli_train_text, cli_evaluate_text, cli_bench_text,
    cli_rate, cli_train_critic, cli_evaluate_critic, cli_experts_list,
    cli_experts_check, cli_experts_add, cli_experts_convert, cli_experts_bench,
    cli_train_emotion, cli_train_genre,
    cli_enhance, cli_train_enhancer, cli_evaluate_enhancer;
#endif

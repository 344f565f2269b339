#include "commands.h"

const cli_command *const cli_commands[] = {
    &cli_score,         &cli_analyze,       &cli_plan,          &cli_cuts,
    &cli_compose,       &cli_roll,          &cli_render,        &cli_mux,
    &cli_bank,
    &cli_rate,          &cli_train_critic,  &cli_evaluate_critic,
    &cli_model_info,    &cli_model_check,   &cli_model_import,
    &cli_model_convert, &cli_model_index,   &cli_model_novelty,
    &cli_dataset_build, &cli_train_music,   &cli_train_text,
    &cli_train_emotion, &cli_train_genre,
    &cli_text,          &cli_evaluate_text, &cli_bench_text,
    &cli_evaluate_music, &cli_evaluate_sync, &cli_evaluate_cuts,
    &cli_enhance,       &cli_train_enhancer, &cli_evaluate_enhancer,
    &cli_bench_compose, &cli_bench_train,   &cli_doctor,
    &cli_experts_list,  &cli_experts_check, &cli_experts_add,
    &cli_experts_convert, &cli_experts_bench,
    NULL,
};

const char *const cli_cut_words[] = {"auto", "paper", NULL};
const char *const cli_sync_words[] = {"exact", "paper", "guided",
                                      NULL};
const char *const cli_audio_words[] = {"replace", "mix", "track", NULL};
const char *const cli_precision_words[] = {"f32", "bf16", "int8", NULL};
const char *const cli_velocity_words[] = {"shaped", "paper", NULL};
const char *const cli_keep_names[] = {"analysis.json", "plan.json",
                                      "score.mid", "mix.wav", NULL};
const char *const cli_sample_words[] = {"24", "16", "float", NULL};
const char *const cli_stem_names[] = {"bass.wav", "drums.wav", "guitar.wav",
                                      "piano.wav", "strings.wav", NULL};

void cli_print_speech(const ems_speech_ratio *s)
{
    if (s->seconds > 0)
        printf("speech %.1f s, %.1f LU above the music (%.1f without ducking"
               " by %.1f dB)\n", s->seconds, s->after, s->before, s->duck);
}

void cli_json_speech(cli_json *j, const ems_speech_ratio *s)
{
    if (!(s->seconds > 0))
        return;
    cli_json_open(j, "speech", '{');
    cli_json_real(j, "seconds", s->seconds);
    cli_json_real(j, "lufs", s->speech);
    cli_json_real(j, "above_music", s->after);
    cli_json_real(j, "above_music_unducked", s->before);
    cli_json_real(j, "ducked", s->duck);
    cli_json_close(j, '}');
}

void cli_result_open(cli_json *j, const char *path)
{
    *j = (cli_json){.out = stdout};
    cli_json_open(j, NULL, '{');
    if (path)
        cli_json_text(j, "file", path);
}

void cli_result_close(cli_json *j)
{
    cli_json_close(j, '}');
    putchar('\n');
}

/* emsync render: the music as sound. */
#include "commands.h"

typedef struct settings {
    cli_common common;
    ems_render_options options;
    const char *out;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_render_defaults();
}

static void print(const ems_piece *p, const ems_loudness *l,
                  const settings *s, const cli_ui *ui)
{
    char length[32];
    if (s->common.json) {
        cli_json j;
        cli_result_open(&j, s->out);
        cli_json_text(&j, "stems", s->options.stems);
        cli_json_real(&j, "duration", ems_piece_duration(p));
        cli_json_real(&j, "lufs", l->lufs);
        cli_json_real(&j, "true_peak", l->true_peak);
        cli_json_real(&j, "limited", l->limited);
        cli_json_real(&j, "compressed", l->compressed);
        cli_result_close(&j);
    } else if (cli_talks(ui)) {
        printf("%s of sound; as written: %.2f LUFS, true peak %.2f dBTP\n"
               "compressor at most %.1f dB, limiter %.1f dB\nwrote %s\n",
               cli_time(ems_piece_duration(p), length, sizeof length),
               l->lufs, l->true_peak, l->compressed, l->limited, s->out);
        if (s->options.stems)
            printf("      %s/\n", s->options.stems);
    }
}

static int run(void *data, cli_ui *ui)
{
    const settings *s = data;
    ems_error err;
    ems_piece *p = ems_piece_load(s->common.operands[0], &err);
    ems_loudness loudness;
    const int code = p ? ems_render(p, s->out, &s->options, &loudness,
                                    &ui->run, &err)
                       : -1;
    cli_ui_clear(ui);
    if (code == EMS_OK)
        print(p, &loudness, s, ui);
    ems_piece_free(p);
    return code < 0 ? cli_fail(ui, &err) : CLI_DONE;
}

static const cli_operand operands[] = {
    {CLI_INPUT, "SCORE", "a Standard MIDI File", 0, 0},
    CLI_END,
};

static const cli_option options[] = {
    CLI_RESULT(out, "the mix, 48 kHz stereo: .wav, .flac or .opus"),
    RENDER_OPTIONS(options),
    {CLI_ROW(CLI_SEED, options.seed, "seed", "N",
             "another seed moves the onsets otherwise")},
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync render score.mid -o mix.wav",
     "Play the score with the SoundFont of the system."},
    {"emsync render score.mid -o mix.wav --stems stems --lufs -23",
     "Broadcast loudness, and one file per instrument."},
    {"emsync render score.mid -o mix.flac --mixer \"drums level=-6 room=0\"",
     "Softer, drier drums; without loss, a third smaller."},
    {NULL, NULL},
};

const cli_command cli_render = {
    .name = "render",
    .summary = "play a score into a sound file",
    .details = "The sound is exactly as long as the score.",
    .operands = operands,
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

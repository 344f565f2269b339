/* emsync evaluate music: judge the composer by what it composes. */
#include "commands.h"

#include <math.h>

typedef struct settings {
    cli_common common;
    ems_evaluate_options options;
    const char *report, *picture;
    int quick, music, emotion, boundaries, held_out, novelty;
} settings;

static void defaults(void *s)
{
    ((settings *)s)->options = ems_evaluate_defaults();
}

/* ---- For people --------------------------------------------------------- */

static void number(double x, int width)
{
    if (isfinite(x))
        printf("%*.3f", width, x);
    else
        printf("%*s", width, "-");
}

static void print_music(const settings *s, const ems_evaluation *e)
{
    printf("\n%-22s%10s%10s%10s%10s%10s\n", "music",
           s->options.folder ? "folder" : "composed", "sd", "real", "sd",
           "overlap");
    for (size_t i = 0; i < e->measures; i++) {
        const ems_measure *m = &e->measure[i];
        printf("  %-20s", m->name);
        number(m->mean, 10);
        number(m->deviation, 10);
        number(m->real_mean, 10);
        number(m->real_deviation, 10);
        number(m->overlap, 10);
        printf("\n");
    }
}

static void print_emotion(const ems_evaluation *e)
{
    printf("\nemotion: heard valence / arousal where so much was asked\n");
    printf("%10s", "");
    for (int a = 0; a < EMS_EVALUATE_GRID; a++)
        printf("     A %+4.1f   ", e->asked[a]);
    printf("\n");
    for (int v = EMS_EVALUATE_GRID; v-- > 0;) {
        printf("  V %+4.1f  ", e->asked[v]);
        for (int a = 0; a < EMS_EVALUATE_GRID; a++)
            printf("  %+5.2f /%+5.2f", e->valence[v][a], e->arousal[v][a]);
        printf("\n");
    }
    printf("  normalised L1 %.4f (EMSYNC's paper, with a judge of its own:"
           " 0.1948)\n", e->l1);
    printf("  Spearman's rho: valence %.3f (goal 0.6), arousal %.3f (goal"
           " 0.85)\n", e->rho_valence, e->rho_arousal);
    printf("  Pearson's r:    valence %.3f, arousal %.3f\n", e->r_valence,
           e->r_arousal);
}

static void print_boundaries(const ems_evaluation *e)
{
    printf("\n%-22s%8s%15s%12s%17s%8s%8s\n", "boundaries", "number",
           "within 100 ms", "within 1 s", "chords a minute", "near", "away");
    for (int i = 0; i < EMS_EVALUATE_WAYS; i++) {
        const ems_boundary_row *r = &e->boundary[i];
        printf("  %-20s%8zu%13.1f %%%10.1f %%%17.1f%8.1f%8.1f\n", r->name,
               r->boundaries, 100 * r->within_100ms, 100 * r->within_1s,
               r->chords_per_minute, r->chords_near, r->chords_away);
    }
}

static void print_chords(const char *way, const char *where,
                         const ems_chord_row *c)
{
    if (c->chords == 0)
        return;
    printf("  %-18s %-13s%8zu%8.2f%8.1f %%%8.1f %%", way, where, c->chords,
           c->notes, 100 * c->known, 100 * c->sharp);
    number(c->nats, 14);
    printf("\n");
}

static void print_price(const ems_evaluation *e)
{
    printf("\n%-22s%14s%18s%18s\n", "what it costs", "nats a token",
           "taken by rules", "put by rules");
    for (int i = 0; i < EMS_EVALUATE_WAYS; i++) {
        const ems_boundary_row *r = &e->boundary[i];
        printf("  %-20s%14.3f%18.3f%16.1f %%\n", r->name, r->nats, r->rules,
               100 * r->due);
    }
    printf("\n%-34s%8s%8s%10s%10s%14s\n", "chords", "number", "notes",
           "known", "sharp", "nats a note");
    for (int i = 0; i < EMS_EVALUATE_WAYS; i++) {
        const ems_boundary_row *r = &e->boundary[i];
        print_chords(r->name, "at boundaries", &r->chords[1]);
        print_chords(r->name, "elsewhere", &r->chords[0]);
    }
}

/* The same statistics of every way's music, side by side. */
static void print_ways(const ems_evaluation *e)
{
    printf("\n%-22s", "music");
    for (int i = 0; i < EMS_EVALUATE_WAYS; i++)
        printf("%20s", e->boundary[i].name);
    printf("\n");
    for (size_t m = 0; m < e->measures; m++) {
        printf("  %-20s", e->measure[m].name);
        for (int i = 0; i < EMS_EVALUATE_WAYS; i++)
            number(e->boundary[i].mean[m], 20);
        printf("\n");
    }
}

static void print_held_out(const ems_evaluation *e)
{
    printf("\n%-30s%10s%10s%10s%10s%12s %d\n", "held-out music, told",
           "tokens", "NLL", "top-1", "top-5", "NLL, first",
           EMS_EVALUATE_EARLY);
    for (int i = 0; i < EMS_EVALUATE_TELLINGS; i++) {
        const ems_nll_row *r = &e->nll[i];
        printf("  %-28s%10.0f%10.4f%10.4f%10.4f%12.4f\n", r->name, r->tokens,
               r->nll, r->top1, r->top5, r->early);
    }
}

static void print_novelty(const ems_evaluation *e)
{
    printf("\nnovelty: longest passage shared with the training music %.1f"
           " bars (limit %g)", e->longest.bars, EMS_NOVELTY_BARS);
    if (e->longest.bars > 0)
        printf(", as in %s", e->longest.source);
    printf("\n  mean of the pieces %.2f bars; %zu of %zu above the limit\n",
           e->shared_bars, e->too_long, e->pieces);
}

static void print_people(const settings *s, const ems_evaluation *e)
{
    if (s->options.folder)
        printf("%zu pieces of \"%s\"", e->pieces, s->options.folder);
    else
        printf("%zu pieces of %g s, %.0f s composed in all", e->pieces,
               s->options.seconds, e->seconds);
    if (e->real_pieces)
        printf("; %zu real ones", e->real_pieces);
    if (e->skipped)
        printf("; %zu files could not be read", e->skipped);
    printf("\n");
    if (e->parts & EMS_EVALUATE_NLL)
        print_held_out(e);
    if (e->parts & EMS_EVALUATE_MUSIC)
        print_music(s, e);
    if (e->parts & EMS_EVALUATE_EMOTION)
        print_emotion(e);
    if (e->parts & EMS_EVALUATE_BOUNDARIES) {
        print_boundaries(e);
        print_price(e);
        print_ways(e);
    }
    if (e->parts & EMS_EVALUATE_NOVELTY)
        print_novelty(e);
    if (s->report)
        printf("wrote %s\n", s->report);
    if (s->picture)
        printf("wrote %s\n", s->picture);
}

/* ---- For programs ------------------------------------------------------- */

static void print_json(const settings *s, const ems_evaluation *e)
{
    cli_json j;
    cli_result_open(&j, s->report);
    cli_json_text(&j, "picture", s->picture);
    cli_json_whole(&j, "pieces", e->pieces);
    cli_json_whole(&j, "skipped", e->skipped);
    if (e->parts & EMS_EVALUATE_NLL)
        cli_json_real(&j, "nll", e->nll[0].nll);
    if (e->parts & EMS_EVALUATE_EMOTION) {
        cli_json_real(&j, "l1", e->l1);
        cli_json_real(&j, "rho_valence", e->rho_valence);
        cli_json_real(&j, "rho_arousal", e->rho_arousal);
    }
    if (e->parts & EMS_EVALUATE_BOUNDARIES) {
        cli_json_real(&j, "told_within_1s", e->boundary[0].within_1s);
        cli_json_real(&j, "not_told_within_1s", e->boundary[1].within_1s);
    }
    if (e->parts & EMS_EVALUATE_NOVELTY)
        cli_json_real(&j, "shared_bars", e->longest.bars);
    cli_result_close(&j);
}

/* ---- The command -------------------------------------------------------- */

static void choose(settings *s)
{
    unsigned parts = 0;
    parts |= s->music ? EMS_EVALUATE_MUSIC : 0;
    parts |= s->emotion ? EMS_EVALUATE_EMOTION : 0;
    parts |= s->boundaries ? EMS_EVALUATE_BOUNDARIES : 0;
    parts |= s->held_out ? EMS_EVALUATE_NLL : 0;
    parts |= s->novelty ? EMS_EVALUATE_NOVELTY : 0;
    if (parts)
        s->options.parts = parts;
    if (s->quick) {
        s->options.pieces = 1;
        s->options.lists = 4;
        s->options.excerpts = 8;
        s->options.seconds = 12;
    }
}

static int run(void *data, cli_ui *ui)
{
    settings *s = data;
    ems_error err;
    ems_evaluation e;
    choose(s);
    int code = ems_evaluate_music(&s->options, &e, &ui->run, &err);
    if (code == EMS_OK && s->report)
        code = ems_evaluation_save(&e, s->report, &err);
    if (code == EMS_OK && s->picture)
        code = ems_evaluation_draw(&e, s->picture, &err);
    cli_ui_clear(ui);
    if (code < 0)
        return cli_fail(ui, &err);
    if (s->common.json)
        print_json(s, &e);
    else if (cli_talks(ui))
        print_people(s, &e);
    return CLI_DONE;
}

static const cli_option options[] = {
    CLI_TITLE("Files"),
    {CLI_ROW(CLI_INPUT, options.dataset, "data", "FILE",
             "a data set; its held-out pieces are the real music"),
     .unset = "no real music, no NLL"},
    {CLI_ROW(CLI_TEXT, options.folder, "midi", "DIR",
             "measure the MIDI files there instead of composing"),
     .unset = "compose"},
    {CLI_ROW(CLI_INPUT, options.judge, "judge", "FILE",
             "critic that rates the pieces"),
     .unset = "the judge that ships"},
    {CLI_ROW(CLI_INPUT, options.index, "index", "FILE",
             "of the training music"), .unset = "the one that ships"},
    {CLI_ROW(CLI_OUTPUT, report, "report", "FILE", "all numbers as JSON")},
    {CLI_ROW(CLI_OUTPUT, picture, "picture", "FILE", "all numbers as SVG")},
    CLI_TITLE("Parts (none named: all)"),
    CLI_SWITCH(music, 1, "stats", "statistics, composed against real"),
    CLI_SWITCH(emotion, 1, "emotion", "emotion asked against emotion heard"),
    CLI_SWITCH(boundaries, 1, "boundaries", "do chords meet boundaries?"),
    CLI_SWITCH(held_out, 1, "nll", "likelihood of held-out music"),
    CLI_SWITCH(novelty, 1, "novelty",
               "passages shared with the training music"),
    CLI_TITLE("How much"),
    CLI_SWITCH(quick, 1, "quick",
               "a minute's look: 1 piece of 12 s an emotion, 4 lists, 8"
               " excerpts"),
    CLI_COUNT(options.pieces, 1, 10000, "pieces",
              "pieces for each of the 25 emotions"),
    CLI_COUNT(options.lists, 1, 100000, "lists", "lists of boundaries"),
    CLI_COUNT(options.excerpts, 1, 1000000, "excerpts",
              "excerpts of held-out music"),
    {CLI_ROW(CLI_INT, options.window, "window", "N", "tokens of each"),
     .max = 1 << 20, .unset = "all that the model can see"},
    CLI_NUMBER(options.seconds, 8, 3600, "seconds", "S",
               "length of a piece"),
    {CLI_ROW(CLI_SEED, options.seed, "seed", "N", "of all that is random")},
    CLI_WORDS(options.sync, cli_sync_words, "sync", "HOW",
              "how the pieces are composed: exact with the guide, paper by"
              " the model alone"),
    COMPOSE_OPTIONS(options.compose),
    CLI_END,
};

static const cli_example examples[] = {
    {"emsync evaluate music --data data.ems --report judged.json",
     "Everything about the model that ships."},
    {"emsync evaluate music --model weights.safetensors --emotion --quick",
     "Does a new model follow emotions?"},
    {"emsync evaluate music --midi ~/midi --data data.ems",
     "Compare a folder of music with the data set."},
    {NULL, NULL},
};

const cli_command cli_evaluate_music = {
    .name = "evaluate music",
    .summary = "judge the composer by what it composes",
    .details = "Composes for 25 emotions and for random boundaries, and"
               " measures: statistics beside real music, emotion asked and"
               " heard, boundaries met, held-out likelihood, and passages"
               " shared with the training music.",
    .options = options,
    .examples = examples,
    .settings = sizeof(settings),
    .defaults = defaults,
    .run = run,
    .writes = true,
    .works = true,
};

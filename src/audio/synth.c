#include "audio/synth.h"

#include "audio/audio.h"
#include "audio/loudness.h"
#include "audio/room.h"
#include "base/mem.h"

#include <fluidsynth.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    DRUM_CHANNEL = 9,
    DRUM_BANK = 128,
    POLYPHONY = 256,
    CC_PAN = 10,
};

/* Louder than this is no music but a broken bank: +24 dBFS. */
#define ABSURD 16.0f
/* Calibration changes a bank's gain by at most so many dB. */
#define MOST 30.0

typedef struct complaint {
    char text[160];
    int errors; /* messages of level FLUID_ERR or worse */
} complaint;

/* FluidSynth's place in the bank; it opens one at a time, and reads its tables
 * two bytes at a time, hence the buffer. */
typedef struct cursor {
    const ems_source *source;
    uint64_t at;
    uint64_t held_at;
    size_t held; /* bytes of the file from held_at on */
    uint8_t buffer[8192];
} cursor;

struct ems_stem {
    ems_family family;
    fluid_settings_t *settings;
    fluid_synth_t *synth;
    int font, channel;
    ems_room *room;
    ems_channel desk;
    float send;      /* to the room */
    ems_events events;
    size_t next, mute;
    size_t absurd;   /* samples that were not finite, or far too loud */
    int64_t block;   /* rendered so far */
    double loudness, correction; /* of the probe, LUFS; dB */
    cursor cursor;
    complaint complaint;
};

/* ---- FluidSynth's log --------------------------------------------------- */

/* Its log function is one per process; whose message it is shows in the
 * thread it comes from. */
static _Thread_local complaint *listener;
static pthread_once_t log_once = PTHREAD_ONCE_INIT;

static void hear(int level, const char *message, void *data)
{
    (void)data;
    if (listener && level <= FLUID_ERR)
        listener->errors++;
    if (listener && level <= FLUID_WARN && !listener->text[0])
        snprintf(listener->text, sizeof listener->text, "%s", message);
}

static void take_log(void)
{
    for (int level = FLUID_PANIC; level <= FLUID_DBG; level++)
        fluid_set_log_function(level, hear, NULL);
}

/* ---- Reading the bank through the file that was checked ----------------- */

/* FluidSynth hands on only a name: an impossible path with the address of
 * the cursor in it, as FluidSynth's own example for fonts in memory does. */
static const char name_format[] = "/dev/null/emsync-%p";

static void *bank_open(const char *name)
{
    void *handle = NULL;
    if (sscanf(name, name_format, &handle) != 1 || !handle)
        return NULL;
    ((cursor *)handle)->at = 0;
    return handle;
}

static int fill(cursor *c)
{
    const uint64_t left = c->source->size - c->at;
    c->held_at = c->at;
    c->held = left < sizeof c->buffer ? (size_t)left : sizeof c->buffer;
    if (ems_source_read(c->source, c->at, c->buffer, c->held) == 0)
        return 0;
    c->held = 0;
    return -1;
}

static int bank_read(void *to, fluid_long_long_t count, void *handle)
{
    cursor *c = handle;
    const size_t n = (size_t)count;
    if (count < 0 || n > c->source->size - c->at)
        return FLUID_FAILED;
    if (n > sizeof c->buffer) {
        if (ems_source_read(c->source, c->at, to, n) < 0)
            return FLUID_FAILED;
    } else {
        if ((c->at < c->held_at || c->at + n > c->held_at + c->held) &&
            fill(c) < 0)
            return FLUID_FAILED;
        memcpy(to, c->buffer + (c->at - c->held_at), n);
    }
    c->at += n;
    return FLUID_OK;
}

static int bank_seek(void *handle, fluid_long_long_t offset, int origin)
{
    cursor *c = handle;
    const int64_t base = origin == SEEK_SET   ? 0
                         : origin == SEEK_CUR ? (int64_t)c->at
                                              : (int64_t)c->source->size;
    const int64_t at = base + offset;
    if (at < 0 || (uint64_t)at > c->source->size)
        return FLUID_FAILED;
    c->at = (uint64_t)at;
    return FLUID_OK;
}

static fluid_long_long_t bank_tell(void *handle)
{
    return (fluid_long_long_t)((cursor *)handle)->at;
}

static int bank_close(void *handle)
{
    (void)handle; /* the stem's own */
    return FLUID_OK;
}

/* Hostile banks can make FluidSynth give what is no number. */
static size_t tame(float *x, size_t samples)
{
    size_t bad = 0;
    for (size_t i = 0; i < samples; i++) {
        const int good = fabsf(x[i]) <= ABSURD;
        bad += !good;
        x[i] = good ? x[i] : 0;
    }
    return bad;
}

static int load_bank(ems_stem *s, const ems_bank *bank)
{
    fluid_sfloader_t *loader = new_fluid_defsfloader(s->settings);
    if (!loader)
        return FLUID_FAILED;
    fluid_sfloader_set_callbacks(loader, bank_open, bank_read, bank_seek,
                                 bank_tell, bank_close);
    fluid_synth_add_sfloader(s->synth, loader);
    s->cursor.source = &bank->source;
    char name[64];
    snprintf(name, sizeof name, name_format, (void *)&s->cursor);
    return fluid_synth_sfload(s->synth, name, 0);
}

/* ---- The synth ---------------------------------------------------------- */

/* Samples are loaded for the chosen program only: FluidR3 whole is 148 MB. */
static int make_synth(ems_stem *s)
{
    fluid_settings_t *set = s->settings = new_fluid_settings();
    if (!set)
        return -1;
    fluid_settings_setnum(set, "synth.sample-rate", EMS_RATE);
    fluid_settings_setint(set, "synth.midi-channels", 16);
    fluid_settings_setint(set, "synth.polyphony", POLYPHONY);
    fluid_settings_setint(set, "synth.cpu-cores", 1);
    fluid_settings_setint(set, "synth.threadsafe-api", 0);
    fluid_settings_setint(set, "synth.lock-memory", 0);
    fluid_settings_setint(set, "synth.dynamic-sample-loading", 1);
    fluid_settings_setint(set, "synth.chorus.active", 0);
    fluid_settings_setint(set, "synth.reverb.active", 0);
    fluid_settings_setnum(set, "synth.gain", 0.5);
    s->synth = new_fluid_synth(set);
    return s->synth ? 0 : -1;
}

/* What to install when a bank lacks something. */
static const char advice[] =
    "choose another program or a General MIDI soundfont (Debian package "
    "fluid-soundfont-gm)";

static int choose_program(ems_stem *s, int program, const char *path,
                          ems_error *err)
{
    const int drums = s->family == EMS_DRUMS;
    s->channel = drums ? DRUM_CHANNEL : 0;
    if (fluid_synth_program_select(s->synth, s->channel, s->font,
                                   drums ? DRUM_BANK : 0, program) !=
        FLUID_OK)
        return ems_fail(err, EMS_EFORMAT,
                        "the soundfont \"%s\" has no %s %d for %s: %s", path,
                        drums ? "drum kit" : "program", program,
                        ems_mixer_name(s->family), advice);
    /* It would play samples it could not read from a null pointer. */
    if (s->complaint.errors)
        return ems_fail(err, EMS_EFORMAT,
                        "FluidSynth cannot read program %d of the soundfont "
                        "\"%s\": %s", program, path, s->complaint.text);
    return EMS_OK;
}

/* ---- How loud the bank is ----------------------------------------------- */

/* Eight notes over the family's register, half a second each; of drums the
 * usual beat. */
static const uint8_t probe[EMS_FAMILIES][8] = {
    [EMS_BASS] = {28, 31, 33, 36, 38, 40, 43, 45},
    [EMS_DRUMS] = {36, 42, 38, 42, 36, 46, 38, 49},
    [EMS_GUITAR] = {45, 50, 52, 55, 59, 62, 64, 69},
    [EMS_PIANO] = {48, 52, 55, 60, 64, 67, 72, 76},
    [EMS_STRINGS] = {48, 52, 55, 60, 64, 67, 72, 76},
};

/* Play the probe at velocity 80, dry, and measure it. -70: silence. */
static double listen_to(ems_stem *s, ems_error *err)
{
    enum { NOTE = EMS_RATE / 2 };
    ems_meter *meter = ems_meter_new(0, err);
    float *x = ems_alloc(NOTE, EMS_CHANNELS * sizeof *x);
    double lufs = NAN;
    if (meter && x) {
        for (int i = 0; i < 8; i++) {
            const int key = probe[s->family][i];
            fluid_synth_noteon(s->synth, s->channel, key, 80);
            fluid_synth_write_float(s->synth, NOTE, x, 0, EMS_CHANNELS, x, 1,
                                    EMS_CHANNELS);
            s->absurd += tame(x, NOTE * EMS_CHANNELS);
            fluid_synth_noteoff(s->synth, s->channel, key);
            ems_meter_add(meter, x, NOTE);
        }
        lufs = ems_meter_lufs(meter);
    } else {
        ems_out_of_memory(err);
    }
    fluid_synth_all_sounds_off(s->synth, s->channel);
    ems_meter_free(meter);
    ems_free(x);
    return lufs;
}

/* The gain that gives the family its place in the balance, whatever the
 * bank; in steps of 0.1 dB, so that it is the same everywhere. */
static int calibrate(ems_stem *s, ems_error *err)
{
    s->loudness = listen_to(s, err);
    if (isnan(s->loudness))
        return EMS_ENOMEM;
    const double wanted = ems_mixer_target(s->family) - s->loudness;
    s->correction = s->loudness <= -69 ? 0
                    : round(10 * fmin(fmax(wanted, -MOST), MOST)) / 10;
    return EMS_OK;
}

static int open_synth(ems_stem *s, const ems_bank *bank, int program,
                      ems_error *err)
{
    if (make_synth(s) < 0)
        return ems_fail(err, EMS_ENOMEM, "cannot start FluidSynth");
    s->font = load_bank(s, bank);
    if (s->font == FLUID_FAILED)
        return ems_fail(err, EMS_EFORMAT,
                        "FluidSynth cannot use the soundfont \"%s\": %s",
                        bank->path, s->complaint.text[0] ? s->complaint.text
                                                         : "no reason given");
    const int code = choose_program(s, program, bank->path, err);
    return code == EMS_OK ? calibrate(s, err) : code;
}

static int prepare(ems_stem *s, const ems_bank *bank, const ems_piece *piece,
                   const ems_stem_options *o, ems_error *err)
{
    int code = ems_events_collect(&s->events, piece, s->family, o->frames,
                                  &o->touch, err);
    if (code < 0)
        return code;
    s->room = ems_room_new();
    if (!s->room)
        return ems_out_of_memory(err);
    code = open_synth(s, bank, piece->program[s->family], err);
    if (code < 0)
        return code;
    fluid_synth_cc(s->synth, s->channel, CC_PAN,
                   (int)lround(64 + 63 * o->strip->pan));
    s->send = (float)o->strip->room;
    ems_channel_begin(&s->desk, o->strip, pow(10, s->correction / 20));
    return EMS_OK;
}

ems_stem *ems_stem_new(const ems_bank *bank, const ems_piece *piece,
                       ems_family family, const ems_stem_options *options,
                       ems_error *err)
{
    pthread_once(&log_once, take_log);
    ems_stem *s = ems_alloc(1, sizeof *s);
    if (!s) {
        ems_out_of_memory(err);
        return NULL;
    }
    s->family = family;
    listener = &s->complaint;
    const int code = prepare(s, bank, piece, options, err);
    listener = NULL;
    if (code == EMS_OK)
        return s;
    ems_stem_free(s);
    return NULL;
}

/* ---- Playing ------------------------------------------------------------ */

static void strike(ems_stem *s, const ems_event *e)
{
    const int before = fluid_synth_get_active_voice_count(s->synth);
    fluid_synth_noteon(s->synth, s->channel, e->a, e->b);
    s->mute += before < POLYPHONY / 2 &&
               fluid_synth_get_active_voice_count(s->synth) == before;
}

static void play(ems_stem *s, const ems_event *e)
{
    if (e->kind == EMS_EVENT_ON)
        strike(s, e);
    else if (e->kind == EMS_EVENT_OFF)
        fluid_synth_noteoff(s->synth, s->channel, e->a);
    else
        fluid_synth_cc(s->synth, s->channel, e->a, e->b);
}

static void render_notes(ems_stem *s, float *out, size_t n)
{
    const ems_events *e = &s->events;
    const int64_t end = s->block + (int64_t)(n / EMS_BLOCK);
    while (s->block < end) {
        while (s->next < e->count && e->items[s->next].block <= s->block)
            play(s, &e->items[s->next++]);
        int64_t stop = end;
        if (s->next < e->count && e->items[s->next].block < stop)
            stop = e->items[s->next].block;
        const int frames = (int)(stop - s->block) * EMS_BLOCK;
        fluid_synth_write_float(s->synth, frames, out, 0, EMS_CHANNELS, out, 1,
                                EMS_CHANNELS);
        out += frames * EMS_CHANNELS;
        s->block = stop;
    }
}

void ems_stem_render(ems_stem *s, float *out, size_t n)
{
    listener = &s->complaint;
    render_notes(s, out, n);
    listener = NULL;
    s->absurd += tame(out, n * EMS_CHANNELS);
    ems_channel_run(&s->desk, out, n);
    ems_room_add(s->room, out, n, s->send);
}

void ems_stem_tell(const ems_stem *s, ems_stem_state *out)
{
    *out = (ems_stem_state){
        .family = s->family, .notes = s->events.notes, .mute = s->mute,
        .absurd = s->absurd, .loudness = s->loudness,
        .correction = s->correction, .complaint = s->complaint.text};
}

void ems_stem_free(ems_stem *s)
{
    if (!s)
        return;
    listener = &s->complaint;
    if (s->synth)
        delete_fluid_synth(s->synth);
    if (s->settings)
        delete_fluid_settings(s->settings);
    listener = NULL;
    ems_room_free(s->room);
    ems_events_clear(&s->events);
    ems_free(s);
}

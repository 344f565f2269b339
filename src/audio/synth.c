#include "audio/synth.h"

#include "audio/audio.h"
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

/* A drum is struck, not held: it sounds on at least this long (seconds),
 * whatever the length of its note. */
#define DRUM_LENGTH 0.25

/* Some banks' samples carry a constant; a high-pass at 5 Hz takes it away. */
#define DC_POLE 0.99935f

/* Balance: gains set so that each family, playing alone at velocity 80, lies
 * at the loudness docs/SOUND.md lists for FluidR3. Pan 64 is the middle. */
static const struct {
    const char *name;
    float gain, room;
    uint8_t pan;
} strip[EMS_FAMILIES] = {
    [EMS_BASS] = {"bass", 1.36f, 0.05f, 64},
    [EMS_DRUMS] = {"drums", 2.29f, 0.12f, 64},
    [EMS_GUITAR] = {"guitar", 0.82f, 0.20f, 54},
    [EMS_PIANO] = {"piano", 1.29f, 0.20f, 74},
    [EMS_STRINGS] = {"strings", 0.78f, 0.30f, 64},
};

typedef struct event {
    int64_t block;
    uint8_t on, pitch, velocity; /* on: 0 ends a note, sorted first */
} event;

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
    ems_room *room;
    float dc_in[EMS_CHANNELS], dc_out[EMS_CHANNELS];
    event *events;
    size_t count, capacity, next, notes, mute;
    int64_t block; /* rendered so far */
    int channel;
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

/* ---- Notes to events ---------------------------------------------------- */

static int earlier(const void *a, const void *b)
{
    const event *x = a, *y = b;
    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    if (x->on != y->on)
        return x->on - y->on;
    return x->pitch - y->pitch;
}

static int add_event(ems_stem *s, event e)
{
    if (ems_reserve((void **)&s->events, &s->capacity, s->count + 1,
                    sizeof e) < 0)
        return -1;
    s->events[s->count++] = e;
    return 0;
}

static int64_t block_at(double seconds)
{
    return llround(seconds * EMS_RATE / EMS_BLOCK);
}

/* What still sounds on each pitch while notes are read in order of start. */
typedef struct held {
    size_t on;       /* index of its event + 1; 0: nothing */
    int64_t end;
} held;

/* A pitch that is struck again ends what sounded on it, as on a piano; two
 * notes in one block become the louder of both. */
static int add_note(ems_stem *s, held *h, const ems_note *n)
{
    const int64_t start = block_at(n->start);
    const double length = s->family == EMS_DRUMS && n->length < DRUM_LENGTH
                              ? DRUM_LENGTH : n->length;
    int64_t end = block_at(n->start + length);
    end = end > start ? end : start + 1;
    if (h->on && s->events[h->on - 1].block == start) {
        event *same = &s->events[h->on - 1];
        if (n->velocity > same->velocity)
            same->velocity = n->velocity;
        h->end = end > h->end ? end : h->end;
        return 0;
    }
    if (h->on) {
        const int64_t off = h->end < start ? h->end : start;
        if (add_event(s, (event){off, 0, n->pitch, 0}) < 0)
            return -1;
    }
    if (add_event(s, (event){start, 1, n->pitch, n->velocity}) < 0)
        return -1;
    *h = (held){s->count, end};
    s->notes++;
    return 0;
}

static int collect(ems_stem *s, const ems_piece *piece, uint64_t frames,
                   ems_error *err)
{
    held pitch[128] = {{0}};
    for (size_t i = 0; i < piece->note_count; i++) {
        const ems_note *n = &piece->notes[i];
        if (n->family != s->family || n->start * EMS_RATE >= (double)frames)
            continue;
        if (add_note(s, &pitch[n->pitch], n) < 0)
            return ems_out_of_memory(err);
    }
    for (unsigned p = 0; p < 128; p++)
        if (pitch[p].on &&
            add_event(s, (event){pitch[p].end, 0, (uint8_t)p, 0}) < 0)
            return ems_out_of_memory(err);
    if (s->count)
        qsort(s->events, s->count, sizeof *s->events, earlier);
    return EMS_OK;
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

static int choose_program(ems_stem *s, int font, int program,
                          const char *path, ems_error *err)
{
    const int drums = s->family == EMS_DRUMS;
    s->channel = drums ? DRUM_CHANNEL : 0;
    if (fluid_synth_program_select(s->synth, s->channel, font,
                                   drums ? DRUM_BANK : 0, program) !=
        FLUID_OK)
        return ems_fail(err, EMS_EFORMAT,
                        "the soundfont has no %s %d for the family %s: choose "
                        "another soundfont or program",
                        drums ? "drum kit" : "program", program,
                        strip[s->family].name);
    /* It would play samples it could not read from a null pointer. */
    if (s->complaint.errors)
        return ems_fail(err, EMS_EFORMAT,
                        "FluidSynth cannot read program %d of the soundfont "
                        "\"%s\": %s", program, path, s->complaint.text);
    fluid_synth_cc(s->synth, s->channel, CC_PAN, strip[s->family].pan);
    return EMS_OK;
}

static int prepare(ems_stem *s, const ems_bank *bank, const ems_piece *piece,
                   uint64_t frames, ems_error *err)
{
    int code = collect(s, piece, frames, err);
    if (code < 0)
        return code;
    s->room = ems_room_new();
    if (!s->room)
        return ems_out_of_memory(err);
    if (make_synth(s) < 0)
        return ems_fail(err, EMS_ENOMEM, "cannot start FluidSynth");
    const int font = load_bank(s, bank);
    if (font == FLUID_FAILED)
        return ems_fail(err, EMS_EFORMAT,
                        "FluidSynth cannot use the soundfont \"%s\": %s",
                        bank->path, s->complaint.text[0] ? s->complaint.text
                                                         : "no reason given");
    return choose_program(s, font, piece->program[s->family], bank->path, err);
}

ems_stem *ems_stem_new(const ems_bank *bank, const ems_piece *piece,
                       ems_family family, uint64_t frames, ems_error *err)
{
    pthread_once(&log_once, take_log);
    ems_stem *s = ems_alloc(1, sizeof *s);
    if (!s) {
        ems_out_of_memory(err);
        return NULL;
    }
    s->family = family;
    listener = &s->complaint;
    const int code = prepare(s, bank, piece, frames, err);
    listener = NULL;
    if (code == EMS_OK)
        return s;
    ems_stem_free(s);
    return NULL;
}

static void play(ems_stem *s, const event *e)
{
    if (!e->on) {
        fluid_synth_noteoff(s->synth, s->channel, e->pitch);
        return;
    }
    const int before = fluid_synth_get_active_voice_count(s->synth);
    fluid_synth_noteon(s->synth, s->channel, e->pitch, e->velocity);
    s->mute += before < POLYPHONY / 2 &&
               fluid_synth_get_active_voice_count(s->synth) == before;
}

static void render_notes(ems_stem *s, float *out, size_t n)
{
    const int64_t end = s->block + (int64_t)(n / EMS_BLOCK);
    while (s->block < end) {
        while (s->next < s->count && s->events[s->next].block <= s->block)
            play(s, &s->events[s->next++]);
        int64_t stop = end;
        if (s->next < s->count && s->events[s->next].block < stop)
            stop = s->events[s->next].block;
        const int frames = (int)(stop - s->block) * EMS_BLOCK;
        fluid_synth_write_float(s->synth, frames, out, 0, EMS_CHANNELS, out, 1,
                                EMS_CHANNELS);
        out += frames * EMS_CHANNELS;
        s->block = stop;
    }
}

/* The family's gain, and no constant. */
static void shape(ems_stem *s, float *x, size_t n)
{
    const float gain = strip[s->family].gain;
    for (int c = 0; c < EMS_CHANNELS; c++) {
        float in = s->dc_in[c], y = s->dc_out[c];
        for (size_t i = (size_t)c; i < n * EMS_CHANNELS; i += EMS_CHANNELS) {
            y = x[i] * gain - in + DC_POLE * y;
            in = x[i] * gain;
            x[i] = y;
        }
        s->dc_in[c] = in;
        s->dc_out[c] = y;
    }
}

void ems_stem_render(ems_stem *s, float *out, size_t n)
{
    listener = &s->complaint;
    render_notes(s, out, n);
    listener = NULL;
    shape(s, out, n);
    ems_room_add(s->room, out, n, strip[s->family].room);
}

ems_family ems_stem_family(const ems_stem *s)
{
    return s->family;
}

const char *ems_stem_name(const ems_stem *s)
{
    return strip[s->family].name;
}

size_t ems_stem_notes(const ems_stem *s)
{
    return s->notes;
}

size_t ems_stem_mute(const ems_stem *s)
{
    return s->mute;
}

const char *ems_stem_complaint(const ems_stem *s)
{
    return s->complaint.text;
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
    ems_free(s->events);
    ems_free(s);
}

#include "music/tokens.h"

#include <string.h>

void ems_decoder_start(ems_token_decoder *d, ems_piece *piece, int paper)
{
    *d = (ems_token_decoder){.piece = piece, .paper = paper, .bar = -1};
}

static int close_note(ems_token_decoder *d, int family, int key, double time,
                      ems_error *err)
{
    ems_sounding *s = &d->sounding[family][key];
    const double longest = family == EMS_DRUMS ? EMS_LONGEST_DRUM
                                               : EMS_LONGEST_NOTE;
    double length = time - s->start;
    s->on = 0;
    if (!d->paper && length > longest)
        length = longest;
    if (s->start + length > d->piece->duration)
        length = d->piece->duration - s->start;
    if (!(length > 0)) {
        d->dropped++;
        return EMS_OK;
    }
    return ems_piece_add_note(d->piece,
        (ems_note){s->start, length, (uint8_t)family,
                   (uint8_t)(EMS_LOW_PITCH + key), s->velocity}, err);
}

static uint8_t velocity(const ems_token_decoder *d, int family, double time)
{
    const int harmony = family == EMS_GUITAR || family == EMS_PIANO;
    int v = d->chord && harmony ? EMS_CHORD_VELOCITY : EMS_VELOCITY;
    if (!d->paper && v == EMS_VELOCITY && time <= d->bar)
        v += EMS_BAR_ACCENT;
    return (uint8_t)v;
}

/* ONs come before OFFs of the same moment: an ON of a pitch that sounds ends
 * the old note, and the OFF that may follow at once belongs to that one. */
static int note_on(ems_token_decoder *d, int family, int key, double time,
                   ems_error *err)
{
    ems_sounding *s = &d->sounding[family][key];
    if (s->on && s->start >= time)
        return EMS_OK; /* the same ON twice */
    const int restruck = s->on;
    const int code = s->on ? close_note(d, family, key, time, err) : EMS_OK;
    *s = (ems_sounding){time, 1, (uint8_t)restruck,
                        velocity(d, family, time)};
    return code;
}

static int note_off(ems_token_decoder *d, int family, int key, double time,
                    ems_error *err)
{
    ems_sounding *s = &d->sounding[family][key];
    if (!s->on) {
        d->dropped++;
        return EMS_OK;
    }
    if (s->restruck && s->start >= time) {
        s->restruck = 0;
        return EMS_OK;
    }
    return close_note(d, family, key, time, err);
}

int ems_decoder_feed(ems_token_decoder *d, int token, double time,
                     ems_error *err)
{
    if (ems_is_shift(token)) {
        d->chord = 0;
        return EMS_OK;
    }
    if (time >= d->piece->duration)
        return EMS_OK;
    if (token == EMS_CHORD)
        d->chord = 1;
    if (token == EMS_BAR && time > d->bar) {
        d->bar = time;
        return ems_piece_add_bar(d->piece, (ems_bar){time, 4}, err);
    }
    if (!ems_is_note(token))
        return EMS_OK;
    const int family = ems_note_family(token);
    const int key = ems_note_pitch(token) - EMS_LOW_PITCH;
    return ems_note_is_on(token) ? note_on(d, family, key, time, err)
                                 : note_off(d, family, key, time, err);
}

int ems_decoder_finish(ems_token_decoder *d, ems_error *err)
{
    for (int family = 0; family < EMS_FAMILIES; family++)
        for (int key = 0; key < EMS_PITCHES; key++)
            if (d->sounding[family][key].on) {
                const int code = close_note(d, family, key,
                                            d->piece->duration, err);
                if (code < 0)
                    return code;
            }
    ems_piece_sort(d->piece);
    return EMS_OK;
}

#include "music/piece.h"

#include "base/mem.h"

#include <stdlib.h>

const uint8_t ems_family_program[EMS_FAMILIES] = {32, 0, 25, 0, 48};
const char *const ems_family_name[EMS_FAMILIES] = {"Bass", "Drums", "Guitar",
                                                   "Piano", "Strings"};

static const uint8_t usual_pan[EMS_FAMILIES] = {64, 64, 44, 74, 84};
enum { USUAL_VOLUME = 100 };

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

ems_piece *ems_piece_new(double duration, ems_error *err)
{
    if (!(duration > 0 && duration <= 24 * 3600.0)) {
        ems_fail(err, EMS_EINVAL, "a piece of %g seconds; it must last more"
                 " than 0 and at most 24 hours", duration);
        return NULL;
    }
    ems_piece *p = ems_alloc(1, sizeof *p);
    if (!p) {
        ems_out_of_memory(err);
        return NULL;
    }
    p->duration = duration;
    for (int f = 0; f < EMS_FAMILIES; f++) {
        p->program[f] = ems_family_program[f];
        p->volume[f] = USUAL_VOLUME;
        p->pan[f] = usual_pan[f];
    }
    return p;
}

void ems_piece_free(ems_piece *p)
{
    if (!p)
        return;
    ems_free(p->notes);
    ems_free(p->controls);
    ems_free(p->bars);
    ems_free(p->markers);
    ems_free(p->keys);
    ems_free(p);
}

double ems_piece_duration(const ems_piece *p)
{
    return p->duration;
}

const ems_note *ems_piece_notes(const ems_piece *p, size_t *count)
{
    *count = p->note_count;
    return p->notes;
}

int ems_piece_add_note(ems_piece *p, ems_note note, ems_error *err)
{
    if (ems_reserve((void *)&p->notes, &p->note_capacity, p->note_count + 1,
                    sizeof *p->notes) < 0)
        return ems_out_of_memory(err);
    p->notes[p->note_count++] = note;
    return EMS_OK;
}

int ems_piece_add_control(ems_piece *p, ems_control control, ems_error *err)
{
    if (ems_reserve((void *)&p->controls, &p->control_capacity,
                    p->control_count + 1, sizeof *p->controls) < 0)
        return ems_out_of_memory(err);
    p->controls[p->control_count++] = control;
    return EMS_OK;
}

int ems_piece_add_key(ems_piece *p, ems_signature key, ems_error *err)
{
    if (ems_reserve((void *)&p->keys, &p->key_capacity, p->key_count + 1,
                    sizeof *p->keys) < 0)
        return ems_out_of_memory(err);
    p->keys[p->key_count++] = key;
    return EMS_OK;
}

int ems_piece_add_bar(ems_piece *p, ems_bar bar, ems_error *err)
{
    if (ems_reserve((void *)&p->bars, &p->bar_capacity, p->bar_count + 1,
                    sizeof *p->bars) < 0)
        return ems_out_of_memory(err);
    p->bars[p->bar_count++] = bar;
    return EMS_OK;
}

int ems_piece_add_marker(ems_piece *p, ems_marker marker, ems_error *err)
{
    if (ems_reserve((void *)&p->markers, &p->marker_capacity,
                    p->marker_count + 1, sizeof *p->markers) < 0)
        return ems_out_of_memory(err);
    marker.text[sizeof marker.text - 1] = '\0';
    p->markers[p->marker_count++] = marker;
    return EMS_OK;
}

static int note_order(const void *a, const void *b)
{
    const ems_note *x = a, *y = b;
    int c = ORDER(x->start, y->start);
    if (!c)
        c = ORDER(x->family, y->family);
    if (!c)
        c = ORDER(x->pitch, y->pitch);
    if (!c)
        c = ORDER(x->length, y->length);
    return c ? c : ORDER(x->velocity, y->velocity);
}

static int control_order(const void *a, const void *b)
{
    const ems_control *x = a, *y = b;
    int c = ORDER(x->time, y->time);
    if (!c)
        c = ORDER(x->family, y->family);
    if (!c)
        c = ORDER(x->number, y->number);
    return c ? c : ORDER(x->value, y->value);
}

static int bar_order(const void *a, const void *b)
{
    const ems_bar *x = a, *y = b;
    const int c = ORDER(x->start, y->start);
    return c ? c : ORDER(x->beats, y->beats);
}

static int marker_order(const void *a, const void *b)
{
    const ems_marker *x = a, *y = b;
    int c = ORDER(x->time, y->time);
    if (!c)
        c = ORDER(x->kind, y->kind);
    for (size_t i = 0; !c && i < sizeof x->text && (x->text[i] | y->text[i]);
         i++)
        c = ORDER(x->text[i], y->text[i]);
    return c;
}

/* Markers in order keep it, also those of one moment: a file read and written
 * stays as it is. */
static void sort_markers(ems_marker *m, size_t count)
{
    size_t i = 1;
    while (i < count && m[i - 1].time <= m[i].time)
        i++;
    if (i < count)
        qsort(m, count, sizeof *m, marker_order);
}

void ems_piece_sort(ems_piece *p)
{
    if (p->note_count > 1)
        qsort(p->notes, p->note_count, sizeof *p->notes, note_order);
    if (p->control_count > 1)
        qsort(p->controls, p->control_count, sizeof *p->controls,
              control_order);
    if (p->bar_count > 1)
        qsort(p->bars, p->bar_count, sizeof *p->bars, bar_order);
    sort_markers(p->markers, p->marker_count);
}

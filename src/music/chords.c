#include "music/chords.h"

#include "music/vocab.h"

enum { LEAST = 3 };
static const double TOGETHER = 0.03; /* seconds */

/* Pitch classes over the root, bits: triads and seventh chords. */
static const unsigned kind[] = {
    0x091, 0x089, 0x049, 0x111, 0x085, 0x0a1, /* maj min dim aug sus2 sus4 */
    0x891, 0x489, 0x491, /* major, minor, dominant seventh */
};

static int is_known(unsigned classes)
{
    for (size_t k = 0; k < sizeof kind / sizeof *kind; k++)
        for (int root = 0; root < 12; root++)
            if ((classes & ~ems_classes_up(kind[k], root)) == 0)
                return 1;
    return 0;
}

static void add_chord(ems_chord_sums *s, unsigned classes, int notes)
{
    s->chords++;
    s->notes += notes;
    s->known += is_known(classes);
    for (int a = 0; a < 12; a++)
        for (int b = a + 1; b < 12; b++)
            if (classes >> a & classes >> b & 1) {
                const int far = b - a;
                s->pairs++;
                s->sharp += far == 1 || far == 6 || far == 11;
            }
}

void ems_chords_measure(const ems_piece *p, const double *times, size_t count,
                        ems_chord_sums *at, ems_chord_sums *elsewhere)
{
    size_t next = 0; /* of the times: not yet over */
    for (size_t i = 0; i < p->note_count;) {
        const double start = p->notes[i].start;
        unsigned classes = 0;
        int notes = 0;
        for (; i < p->note_count && p->notes[i].start <= start + TOGETHER;
             i++)
            if (p->notes[i].family != EMS_DRUMS) {
                classes |= 1u << p->notes[i].pitch % 12;
                notes++;
            }
        while (next < count && times[next] < start - TOGETHER)
            next++;
        const int met = next < count && times[next] <= start + TOGETHER;
        if (notes >= LEAST)
            add_chord(met ? at : elsewhere, classes, notes);
    }
}

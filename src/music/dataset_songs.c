/* Which pieces are one song, and which songs are held out. */
#include "music/dataset_build.h"

#include "base/mem.h"

#include <stdlib.h>

/* A title that more pieces have than this and than one in a hundred is the
 * name of a kind of music. */
enum { MANY = 12 };

typedef struct entry {
    uint64_t key;
    uint32_t piece;
} entry;

static int entry_order(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int c = (x->key > y->key) - (x->key < y->key);
    return c ? c : (x->piece > y->piece) - (x->piece < y->piece);
}

/* 64 bits of a key, mixed (SplitMix64), as a number in [0,1). */
static double draw(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

static void number(ems_build *b, const entry *e, size_t n, double share)
{
    for (size_t i = 0; i < n; i++) {
        ems_built_piece *p = &b->pieces[e[i].piece];
        p->song = e[0].piece;
        p->held_out = draw(e[0].key) < share;
    }
    b->songs++;
}

int ems_build_songs(ems_build *b, double share, ems_error *err)
{
    entry *e = ems_alloc(b->count, sizeof *e);
    if (!e)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < b->count; i++) {
        const ems_built_piece *p = &b->pieces[i];
        e[i] = (entry){p->titled ? p->title : p->hash, (uint32_t)i};
    }
    qsort(e, b->count, sizeof *e, entry_order);
    const size_t many = b->count / 100 > MANY ? b->count / 100 : MANY;
    b->songs = 0;
    for (size_t i = 0, next; i < b->count; i = next) {
        for (next = i + 1; next < b->count && e[next].key == e[i].key;)
            next++;
        if (next - i <= many) {
            number(b, e + i, next - i, share);
            continue;
        }
        for (size_t k = i; k < next; k++) {
            e[k].key = b->pieces[e[k].piece].hash;
            number(b, e + k, 1, share);
        }
    }
    ems_free(e);
    return EMS_OK;
}

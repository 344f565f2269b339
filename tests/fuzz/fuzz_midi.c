/* A MIDI file from strangers: read, as a song with tokens and decoded again,
 * and as a piece that is written, read and written with the same bytes. */
#include "base/mem.h"
#include "music/bars.h"
#include "music/key.h"
#include "music/lyrics.h"
#include "music/piece_midi.h"
#include "music/stats.h"
#include "music/tokens.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const ems_tokens *t, double duration)
{
    ems_piece *p = ems_piece_new(duration, NULL);
    ems_token_decoder d;
    uint64_t cursor = 0;
    ems_decoder_start(&d, p, 1);
    for (size_t i = 0; i < t->count; i++) {
        if (ems_is_shift(t->tokens[i]))
            cursor += (uint64_t)ems_shift_ticks(t->tokens[i]);
        ems_decoder_feed(&d, t->tokens[i], (double)cursor * EMS_TICK, NULL);
    }
    const size_t before = p->note_count;
    ems_decoder_finish(&d, NULL);
    if (d.dropped || p->note_count != before)
        abort(); /* a note without its OFF */
    ems_piece_free(p);
}

static void as_song(const ems_midi *m)
{
    ems_song song;
    if (ems_song_from_midi(&song, m, "fuzz", NULL) < 0)
        return;
    ems_tokens t;
    if (ems_tokens_from_song(&t, &song, NULL) == EMS_OK) {
        if (song.end * EMS_TICK < 20000)
            decode(&t, song.end * EMS_TICK + 1);
        ems_tokens_clear(&t);
    }
    ems_song_clear(&song);
}

static void words(const ems_midi *m)
{
    char *text;
    size_t size;
    if (ems_lyrics_take(&text, &size, m, NULL) == EMS_OK && text &&
        strlen(text) != size)
        abort();
    ems_free(text);
}

static void as_piece(const ems_midi *m)
{
    ems_piece *p = ems_piece_from_midi(m, "fuzz", NULL);
    if (!p)
        return;
    uint8_t *a = NULL, *b = NULL;
    size_t a_size = 0, b_size = 0;
    if (ems_piece_to_midi(p, &a, &a_size, NULL) == EMS_OK) {
        ems_midi n;
        if (ems_midi_parse(&n, a, a_size, "ours", NULL) < 0 || n.warnings)
            abort();
        ems_piece *q = ems_piece_from_midi(&n, "ours", NULL);
        if (!q || ems_piece_to_midi(q, &b, &b_size, NULL) < 0 ||
            a_size != b_size || memcmp(a, b, a_size) != 0)
            abort();
        ems_piece_free(q);
        ems_midi_clear(&n);
    }
    ems_free(a);
    ems_free(b);
    ems_bar_fit fit;
    ems_piece_stats stats;
    if (ems_bars_fit(p, &fit, NULL) == EMS_OK) {
        ems_piece_find_key(p);
        ems_piece_measure(&stats, p, NULL);
    }
    ems_piece_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ems_midi m;
    if (ems_midi_parse(&m, data, size, "fuzz", NULL) == EMS_OK) {
        as_song(&m);
        words(&m);
        as_piece(&m);
        ems_midi_clear(&m);
    }
    return 0;
}

"""What may be done to a lead sheet: major to minor and back, another key, another metre."""

from songs import QUALITIES, Chord, bar_length, close_chords

BRIGHT = ("major", "lydian", "mixolydian")
# Semitones above the tonic in major and what they become in minor, and back.
TO_MINOR, TO_MAJOR = {4: 3, 9: 8, 11: 10}, {3: 4, 8: 9, 10: 11}

# Ways to play a song's metre: (metre of the piece, factor on times). A jig may be a slow waltz or a 4/4 of triplets.
VIEWS = {
    (4, 4): [((4, 4), 1)], (2, 2): [((4, 4), 1)], (2, 4): [((4, 4), 1), ((4, 4), 2)], (3, 4): [((3, 4), 1)],
    (6, 8): [((6, 8), 1), ((6, 8), 1), ((3, 4), 2), ((4, 4), 2 / 3)], (9, 8): [((3, 4), 2 / 3)],
    (12, 8): [((4, 4), 2 / 3)], (3, 2): [((3, 4), 0.5)], (6, 4): [((3, 4), 1)],
}
# Songs without a melody may also be squeezed into another metre.
CHORD_VIEWS = [((4, 4), 1)] * 5 + [((3, 4), 0.75), ((6, 8), 0.75)]


def recolour(pitch, key, table):
    step = (pitch - key) % 12
    return pitch + table.get(step, step) - step


def change_mode(song, bright):
    """The song in major if `bright`, else in minor; the dominant keeps its major third, as minor music does."""
    if (song.mode in BRIGHT) == bright:
        return song
    table = TO_MAJOR if bright else TO_MINOR
    chords = []
    for chord in song.chords:
        if (chord.root - song.key) % 12 == 7 and 4 in QUALITIES[chord.quality]:
            chords.append(chord)
            continue
        tones = {recolour(chord.root + step, song.key, table) % 12 for step in QUALITIES[chord.quality]}
        root = recolour(chord.root, song.key, table) % 12
        shape = {(tone - root) % 12 for tone in tones}
        quality = next((name for name, steps in QUALITIES.items() if set(steps) == shape), None)
        if quality is None:
            third = {3, 4} & shape
            quality = "m" if third == {3} else ""
        chords.append(Chord(chord.start, chord.end, root, quality, recolour(chord.bass, song.key, table) % 12))
    melody, place = [], 0
    for tone in song.melody:
        while place + 1 < len(chords) and chords[place + 1].start <= tone.start:
            place += 1
        over = chords[place]
        leading = (tone.pitch - song.key) % 12 == 11 and (over.root + 4 - tone.pitch) % 12 == 0
        melody.append(tone if leading else tone._replace(pitch=recolour(tone.pitch, song.key, table)))
    return song._replace(mode="major" if bright else "minor", chords=chords, melody=melody)


def transpose(song, key):
    up = (key - song.key + 5) % 12 - 5
    chords = [chord._replace(root=(chord.root + up) % 12, bass=(chord.bass + up) % 12) for chord in song.chords]
    return song._replace(key=key, chords=chords, melody=[tone._replace(pitch=tone.pitch + up) for tone in song.melody])


def scale_time(song, metre, factor):
    beat = 0.5 if metre == (6, 8) else 1.0
    starts, melody = {}, []
    for chord in song.chords:  # chords land on beats of the new metre; what collides, the later one wins
        starts[round(chord.start * factor / beat) * beat] = (chord.root, chord.quality, chord.bass)
    bars = int(song.bars * bar_length(song.metre) * factor / bar_length(metre) + 1e-6)
    end = bars * bar_length(metre)
    chords = close_chords([(start, *rest) for start, rest in sorted(starts.items()) if start < end], end)
    melody = [tone._replace(start=tone.start * factor, end=min(tone.end * factor, end)) for tone in song.melody
              if tone.start * factor < end]
    return song._replace(metre=metre, chords=chords, melody=melody, bars=bars)

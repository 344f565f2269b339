"""Tunes of our own: a motif of two bars that is answered, varied, sequenced, contrasted and brought back."""

from songs import QUALITIES, SCALES

# One bar as (start, length) in quarter notes: bars that move, calm or busy, and bars that a motif comes to rest in.
CALM = {
    4: (((0, 2), (2, 1), (3, 1)), ((0, 3), (3, 1)), ((0, 1.5), (1.5, 0.5), (2, 2)), ((1, 1), (2, 1), (3, 1)),
        ((0, 1), (1, 1), (2, 2)), ((0, 2), (2.5, 0.5), (3, 1)), ((0, 1), (1, 2), (3, 1)),
        ((0, 2.5), (2.5, 0.5), (3, 1))),
    3: (((0, 2), (2, 1)), ((0, 1), (1, 1), (2, 1)), ((0, 1.5), (1.5, 0.5), (2, 1)), ((1, 1), (2, 1)), ((0, 1), (1, 2))),
}
BUSY = {
    4: (((0, 0.5), (0.5, 0.5), (1, 1), (2, 0.5), (2.5, 0.5), (3, 1)),
        ((0, 0.75), (0.75, 0.25), (1, 0.5), (1.5, 0.5), (2, 1), (3, 0.5), (3.5, 0.5)),
        ((0.5, 0.5), (1, 0.5), (1.5, 0.5), (2, 1), (3, 0.5), (3.5, 0.5)),
        ((0, 1.5), (1.5, 0.5), (2, 0.5), (2.5, 0.5), (3, 0.5), (3.5, 0.5)),
        ((0, 1), (1, 0.5), (1.5, 0.5), (2, 1), (3, 0.5), (3.5, 0.5)), ((0, 1), (1.5, 0.5), (2, 1), (3, 1)),
        ((0, 0.5), (0.5, 1), (1.5, 0.5), (2, 0.5), (2.5, 1), (3.5, 0.5)),
        ((0, 0.75), (0.75, 0.25), (1, 1), (2, 0.75), (2.75, 0.25), (3, 1))),
    3: (((0, 0.5), (0.5, 0.5), (1, 0.5), (1.5, 1), (2.5, 0.5)), ((0, 1), (1, 0.5), (1.5, 1), (2.5, 0.5)),
        ((0, 1), (1, 0.5), (1.5, 0.5), (2, 0.5), (2.5, 0.5)), ((0, 1.5), (1.5, 0.5), (2, 0.5), (2.5, 0.5)),
        ((0, 0.5), (0.5, 0.5), (1, 1), (2, 1)), ((0, 0.75), (0.75, 0.25), (1, 1), (2, 1))),
}
REST = {4: (((0, 3),), ((0, 2), (2, 1)), ((0, 1), (1, 2)), ((0, 2),), ((0, 0.5), (0.5, 2.5)), ((0, 1.5), (1.5, 1.5))),
        3: (((0, 2),), ((0, 2.5),), ((0, 1), (1, 1)), ((0, 0.5), (0.5, 1.5)))}
CLOSE = {4: ((0, 3),), 3: ((0, 2),)}
# Four-bar phrases in order; small letters are varied returns, - is a rest of the tune.
FORMS = ("AABA", "AABa", "ABAC", "AaBA", "ABAB", "ABCA", "AABBA", "AaBa-A", "ABAC-A", "AACA")


def make_contour(random, count):
    """Steps of the scale above the first note: mostly by step, a leap or two, answered by a turn."""
    heights, direction = [0], random.choice((-1, 1))
    for _ in range(count - 1):
        move = random.choice((1, 1, 1, 1, 2, 2, 0, 3, 4))
        heights.append(heights[-1] + direction * move)
        if move > 2 or abs(heights[-1]) > 4 or random.random() < 0.3:
            direction = -direction
    return heights


def make_motif(random, beats, busy):
    """Two bars as (start, length, height): one that moves and one to rest in."""
    moving = random.choice(BUSY[beats] if random.random() < busy else CALM[beats])
    resting = random.choice(REST[beats])
    rhythm = [*moving, *((start + beats, length) for start, length in resting)]
    return [(start, length, height) for (start, length), height in zip(rhythm, make_contour(random, len(rhythm)))]


def shifted(motif, bars, beats, steps):
    return [(start + bars * beats, length, height + steps) for start, length, height in motif]


def closing(motif, bars, beats, height):
    """The motif's first bar, then one long note: how a phrase ends."""
    head = [note for note in motif if note[0] < beats]
    return shifted(head, bars, beats, 0) + [((bars + 1) * beats + start, length, height)
                                            for start, length in CLOSE[beats]]


def make_phrase(random, motif, beats, kind):
    """Four bars of (start, length, height) from a motif: a statement and its answer, or a development."""
    if kind == "C":  # the head of the motif, climbing or falling, then rest
        head = [note for note in motif if note[0] < beats]
        way = random.choice((1, 1, -1))
        return [note for bar in range(3) for note in shifted(head, bar, beats, way * bar)] + \
            [(3 * beats + start, length, way * 3) for start, length in CLOSE[beats]]
    answer = random.choice(("sequence", "close", "close", "repeat"))
    if answer == "sequence":
        return motif + shifted(motif, 2, beats, random.choice((-2, -1, 1, 2)))
    if answer == "repeat":
        return motif + closing(shifted(motif, 0, beats, 0), 2, beats, random.choice((0, 2, 4)))
    return motif + closing(shifted(motif, 0, beats, random.choice((-1, 1, 2))), 2, beats, random.choice((0, 0, -1, 2)))


def ornament(random, phrase):
    """The phrase with some of its longer notes divided by a neighbour."""
    notes = []
    for start, length, height in phrase:
        if 1 <= length <= 2 and random.random() < 0.45:
            notes.append((start, length / 2, height))
            notes.append((start + length / 2, length / 2, height + random.choice((-1, 1, 2))))
        else:
            notes.append((start, length, height))
    return notes


def play_bar(notes, at, base, ladder, chord_at):
    """One bar of heights as pitches: moved by a few steps of the scale as a whole, so that it fits the chords and keeps
    its shape; a long note that is none of the chord is then moved to the nearest that is."""
    def place(height, shift):
        return ladder[max(0, min(len(ladder) - 1, base + height + shift))]

    def strange(start, length, pitch):
        chord = chord_at(at + start)
        far = min(abs((pitch - chord.root - step + 6) % 12 - 6) for step in QUALITIES[chord.quality])
        return far * (length + (start % 2 == 0))
    shift = min(range(-3, 4), key=lambda shift: (0.45 * abs(shift) + sum(
        strange(start, length, place(height, shift)) for start, length, height in notes), shift))
    tune = []
    for start, length, height in notes:
        pitch, chord = place(height, shift), chord_at(at + start)
        if length >= 1.5 and strange(start, length, pitch):
            tones = {(chord.root + step) % 12 for step in QUALITIES[chord.quality]}
            pitch = min((other for other in range(pitch - 4, pitch + 5) if other % 12 in tones),
                        key=lambda other: (abs(other - pitch), other))
        elif strange(start, length, pitch) and any(
                strange(start, 1, pitch + move) == 0 and (pitch + move - ladder[0]) % 12 not in
                {other - ladder[0] for other in ladder[:7]} for move in (-1, 1)):
            pitch += next(move for move in (-1, 1) if strange(start, 1, pitch + move) == 0)  # a note the chord borrowed
        tune.append((at + start, at + start + length, pitch))
    return tune


def play_phrase(phrase, at, anchor, ladder, chord_at, beats):
    """Heights above the anchor become pitches, bar by bar."""
    base = min(range(len(ladder)), key=lambda index: abs(ladder[index] - anchor))
    tune = []
    for bar in range(4):
        notes = [note for note in phrase if bar * beats <= note[0] < (bar + 1) * beats]
        tune += play_bar(notes, at, base, ladder, chord_at)
    return tune


def make_theme(chords, key, mode, bar, first, last, random, busy):
    """A tune of (start, end, pitch) over the chords from bar `first` to bar `last`."""
    beats = 4 if bar == 4 else 3
    scale = {(key + step) % 12 for step in SCALES[mode]}
    ladder = [pitch for pitch in range(50, 93) if pitch % 12 in scale]
    motifs = {"A": make_motif(random, beats, busy), "B": make_motif(random, beats, busy)}
    phrases = {"A": make_phrase(random, motifs["A"], beats, "A"), "B": make_phrase(random, motifs["B"], beats, "B"),
               "C": make_phrase(random, motifs["A"], beats, "C")}
    phrases["a"] = ornament(random, phrases["A"])
    anchors = {"A": random.randrange(63, 71)}
    anchors.update({"a": anchors["A"], "B": anchors["A"] + random.choice((3, 5, 7)), "C": anchors["A"] + 2})
    form, tune, at, turn = random.choice(FORMS), [], first, 0

    def chord_at(time):
        return next((chord for chord in reversed(chords) if chord.start <= time + 1e-6), chords[0])

    while at < last:
        letter = form[turn % len(form)]
        if last - at < 8 and last - at > 2:
            letter = "A"  # the theme has the last word
        lift = 12 if turn >= len(form) and turn // len(form) % 2 and random.random() < 0.3 else 0
        if letter != "-":
            tune += [tone for tone in play_phrase(phrases[letter], at * bar, anchors[letter] + lift, ladder, chord_at,
                                                         beats)
                     if tone[0] < last * bar]
        at, turn = at + (4 if letter != "-" else random.choice((2, 4))), turn + 1
    return [(start, min(end, last * bar), pitch) for start, end, pitch in tune]

"""What a lead sheet is: chords and melody in quarter notes from the first bar line, a key and a metre."""

from collections import namedtuple
from fractions import Fraction

# metre: (beats, unit); key: pitch class of the tonic; bars are counted from time 0, pick-ups are filled with silence.
Song = namedtuple("Song", "source title licence metre key mode chords melody bars")
Chord = namedtuple("Chord", "start end root quality bass")
Tone = namedtuple("Tone", "start end pitch")

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

# Chord qualities, by mma's names, as semitones above the root.
QUALITIES = {
    "": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus4": (0, 5, 7), "sus2": (0, 2, 7),
    "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "7": (0, 4, 7, 10), "M7": (0, 4, 7, 11), "m7": (0, 3, 7, 10),
    "mM7": (0, 3, 7, 11), "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10), "7sus": (0, 5, 7, 10), "7#5": (0, 4, 8, 10),
    "add9": (0, 2, 4, 7), "9": (0, 2, 4, 7, 10), "m9": (0, 2, 3, 7, 10), "M9": (0, 2, 4, 7, 11),
}

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10), "lydian": (0, 2, 4, 6, 7, 9, 11), "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
}


def bar_length(metre):
    """Quarter notes in a bar."""
    return metre[0] * 4 / metre[1]


def pitch_class(name):
    """C, F#, Bb ... -> 0..11."""
    return (LETTERS[name[0].upper()] + name.count("#") - name[1:].count("b")) % 12


def close_chords(starts, end):
    """Make each chord of (start, root, quality, bass) last until the next."""
    ends = [chord[0] for chord in starts[1:]] + [end]
    return [Chord(chord[0], stop, *chord[1:]) for chord, stop in zip(starts, ends) if stop > chord[0]]


def finish(source, title, licence, metre, key, mode, chords, melody, end):
    """Check and close a lead sheet: chords start at the first of them and are rounded to beats."""
    beat = Fraction(4, metre[1])
    rounded = {}
    for start, *rest in chords:
        rounded[round(start / beat) * beat] = rest
    chords = [(start, *rest) for start, rest in sorted(rounded.items()) if start < end]
    bars = int(end / Fraction(metre[0] * 4, metre[1]))
    if len(chords) < 3 or bars < 8:
        return None
    chords = [(Fraction(0), *chords[0][1:])] + [chord for chord in chords if chord[0] > 0]
    chords = [Chord(float(c.start), float(c.end), *c[2:]) for c in close_chords(chords, end)]
    melody = [Tone(float(tone.start), float(tone.end), tone.pitch) for tone in melody if tone.end > tone.start]
    if mode == "major" and chords[-1].quality[:1] == "m" and chords[-1].root == (key + 9) % 12:
        key, mode = chords[-1].root, "minor"  # lead sheets often name the relative major
    if melody and not 30 <= sum(tone.pitch for tone in melody) / len(melody) <= 100:
        return None
    return Song(source, title, licence, metre, key, mode, chords, melody, bars)

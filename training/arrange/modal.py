"""Chord progressions of our own, in the colours film music asks for and pop songs seldom have."""

import re

from songs import Song, close_chords

# Semitones above the tonic, then the quality; a bar or two each.
MODAL = {
    ("dark", "phrygian"): ["0m 1 0m 10m", "0m 0m 1 1", "0m 1M7 10m 0m", "0m 5m 1 0m", "0m 3 1 0m"],
    ("tense", "harmonic minor"): ["0m 11dim7 0m 7", "0m 8 11dim7 77", "0m 2m7b5 77 0m", "0m 6dim7 5m 7", "0m 8 1 77"],
    ("mournful", "minor"): ["0m 8 5m 7", "0m 7m 8 5m", "0m 10 8 5m7", "0m 5m 0m 7m", "0m9 8M7 5m9 7m7",
                            "5m 0m 7sus4 7"],
    ("heroic", "minor"): ["0m 8 3 10", "0m 10 8 10", "8 10 0m 0m", "0m 3 10 5", "0m 8 10 0m"],
    ("dorian", "dorian"): ["0m7 5 0m7 5", "0m 10 5 0m", "0m 2m 3 5", "0m9 57 0m9 10", "0m 3 5 0m"],
    ("triumphant", "major"): ["0 5 7 0", "0 8 10 0", "0 7 9m 5", "5 7 0 0", "0 3 5 0", "0 5 10 5", "0 4m 5 7"],
    ("dreamy", "lydian"): ["0M7 2 0M7 2", "0 2 11m 0", "0M9 2add9 9m7 2", "0M7 7M7 0M7 2", "0 2 4m 2"],
    ("open", "mixolydian"): ["0 10 5 0", "0 5 10 0", "0sus4 0 10 5", "0 7m 5 0", "0add9 10add9 5add9 0"],
    ("suspended", "minor"): ["0sus2 8sus2 3sus2 10sus4", "0sus4 0m 5sus2 5m", "0m9 10sus2 8sus2 7sus4",
                             "0sus2 0sus4 0m 10sus4"],
    ("floating", "major"): ["0add9 9m7 5M7 7sus4", "0sus2 5sus2 0sus2 7sus4", "5M9 0M7 2m9 77sus", "0M7 4m7 5M7 5m6"],
    ("eerie", "minor"): ["0m 4m 0m 8m", "0m 6 0m 6", "0m 1 6dim7 0m", "0m 11 0m 8m", "0mM7 0m6 8aug 0m"],
    ("tender", "major"): ["0 9m 2m 7", "0 0M7 5 5m", "0 7 5 0", "5 0 2m 9m", "0 4 9m 5", "9m 5 0 7"],
}


def make_song(random):
    """A song of 32 bars in the form A A B A, from one colour, in a key and a metre drawn at random."""
    (colour, mode), progressions = random.choice(sorted(MODAL.items()))
    key, beats = random.randrange(12), random.choice((4, 4, 4, 3))
    bars_per_chord = random.choice((1, 1, 2))
    first, second = random.sample(progressions, 2)
    form = [first, first, second, first] if random.random() < 0.7 else [first, second, first, second]
    starts, now = [], 0
    for progression in form:
        for _ in range(2 if bars_per_chord == 1 else 1):
            for name in progression.split():
                above, quality = re.match(r"(1[01]|\d)(.*)", name).groups()
                root = (key + int(above)) % 12
                starts.append((now, root, quality, root))
                now += bars_per_chord * beats
    if random.random() < 0.25:  # a pedal: the tonic stays in the bass under the first two parts
        half = len(starts) // 2
        starts = [(start, root, quality, key if index < half else bass)
                  for index, (start, root, quality, bass) in enumerate(starts)]
    chords = close_chords(starts, now)
    return Song("modal", f"{colour} {mode}", "CC0 (made here)", (beats, 4), key, mode, chords, [], now // beats)

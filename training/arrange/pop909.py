"""Reads the chord progressions of POP909. Its melodies are in copyright, and their files are never opened."""

import re
from bisect import bisect
from fractions import Fraction
from pathlib import Path

from songs import finish, pitch_class

HARTE = {"maj": "", "min": "m", "dim": "dim", "aug": "aug", "sus2": "sus2", "sus4": "sus4", "7": "7", "min7": "m7",
         "maj7": "M7", "maj6": "6", "min6": "m6", "dim7": "dim7", "hdim7": "m7b5", "minmaj7": "mM7", "sus4(b7)": "7sus"}
HARTE_DEGREES = {"1": 0, "b2": 1, "2": 2, "b3": 3, "3": 4, "4": 5, "b5": 6, "5": 7, "#5": 8, "b6": 8, "6": 9, "b7": 10,
                 "7": 11}


def read_progression(folder):
    """One song's chords on its beat grid."""
    beats = [line.split() for line in (folder / "beat_midi.txt").read_text().splitlines()]
    times = [float(beat[0]) for beat in beats]
    downbeats = [index for index, beat in enumerate(beats) if float(beat[2]) == 1]
    keys = [line.split() for line in (folder / "key_audio.txt").read_text().splitlines() if line.strip()]
    if len(downbeats) < 20 or len({line[2] for line in keys}) != 1:
        return None  # a change of key: labels would not hold
    spacing = [later - earlier for earlier, later in zip(downbeats, downbeats[1:])]
    beats_per_bar = max(set(spacing), key=spacing.count)
    if beats_per_bar not in (3, 4) or spacing.count(beats_per_bar) < 0.9 * len(spacing):
        return None
    tonic, mode = keys[0][2].split(":")
    first, chords = None, []
    for line in (folder / "chord_midi.txt").read_text().splitlines():
        start, _, name = line.split()
        beat = min(bisect(times, float(start) + 0.1), len(times)) - 1  # annotations may come a little early
        if beat < 0:
            continue
        named = re.match(r"([A-G][#b]*):([^/]+)(?:/(.+))?$", name)
        if not named or named[2] not in HARTE:
            continue
        if first is None:
            first = max((down for down in downbeats if down <= beat), default=None)
            if first is None:
                continue
        root = pitch_class(named[1])
        bass = (root + HARTE_DEGREES.get(named[3], 0)) % 12 if named[3] else root
        chords.append((Fraction(beat - first), root, HARTE[named[2]], bass))
    if not chords:
        return None
    end = Fraction((len(times) - first) // beats_per_bar * beats_per_bar)
    mode = "minor" if mode == "min" else "major"
    return (beats_per_bar, 4), pitch_class(tonic), mode, chords, end


def read_folder(folder):
    songs = []
    for path in sorted(Path(folder).rglob("chord_midi.txt")):
        try:
            progression = read_progression(path.parent)
        except (FileNotFoundError, IndexError, ValueError):
            continue
        if progression:
            metre, key, mode, chords, end = progression
            songs.append(finish("pop909-chords", f"progression {path.parent.name}",
                                "chord progression only (POP909 annotations, MIT)", metre, key, mode, chords, [], end))
    return [song for song in songs if song]

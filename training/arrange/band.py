"""The accompaniment of a plan: by mma, or by our film styles with drums that mma lends."""

import os
import subprocess

import film
import grooves
import midi
from midi import DRUMS
from plan import FILM_VARIANTS
from songs import bar_length

NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


class Failure(Exception):
    """mma could not make this piece."""


def within(notes, first, last):
    return [note for note in notes if first <= note.start < last]


def play_mma(path, chords, sections, groove, seed):
    """Let mma play the sections; times come back in quarter notes of the piece's metre."""
    bar = bar_length(groove.metre)
    beat = bar / groove.beats
    lines = [f"RndSeed {seed}", "Tempo 120"]
    place = 0
    for section in sections:
        lines.append(f"Groove {section.groove}")
        for number in range(section.first, section.last):
            names = []
            for index in range(groove.beats):
                now, previous = number * bar + index * beat, place
                while place + 1 < len(chords) and chords[place + 1].start <= now + beat / 2 - 1e-6:
                    place += 1
                chord = chords[place]
                name = NAMES[chord.root] + chord.quality
                if chord.bass != chord.root:
                    name += "/" + NAMES[chord.bass]
                names.append(name if index == 0 or place != previous else "/")
            lines.append(" ".join([str(number + 1), *names]))
    source, target = path.with_suffix(".mma"), path.with_suffix(".mid")
    source.write_text("\n".join(lines) + "\n")
    run = subprocess.run(["mma", "-w", str(source), "-f", str(target)], capture_output=True, text=True, timeout=600,
                         env={**os.environ, "PYTHONHASHSEED": "0"})
    if run.returncode or not target.exists():
        raise Failure(run.stdout.strip()[-200:] or run.stderr.strip()[-200:])
    notes, _ = midi.read_notes(target)
    factor = beat  # mma counts a beat as one quarter note
    return [note._replace(start=note.start * factor, end=note.end * factor) for note in notes]


def play_film(path, chords, sections, groove, names, metre, seed, random):
    """A film style's two variants, and drums lent by mma where the style is a driving one."""
    variants = {name: film.play(groove.name, chords, random) for name in FILM_VARIANTS}
    bar = bar_length(metre)
    notes = [note for section in sections
             for note in within(variants[section.groove], section.first * bar, section.last * bar)]
    if groove.energy >= 0:
        name, beats = random.choice(grooves.FILM_DRUMS[metre])
        lent = [section._replace(groove=names[name.lower()]) for section in sections]
        drums = groove._replace(metre=metre, beats=beats)
        notes += [note for note in play_mma(path, chords, lent, drums, seed) if note.program == DRUMS]
    return notes

#!/usr/bin/python3
"""Measures a folder that arrange.py made: do the files hold what labels.csv says, and what the composer needs?"""

import csv
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from pathlib import Path

import midi
from midi import DRUMS, family_of
from songs import SCALES, bar_length, pitch_class


def conductor(data):
    """Metres as (time, metre) and the tempo, from the first track, which arrange.py keeps for them."""
    at, now, metres, tempo = 22, 0, [], None
    while True:
        delta, at = midi.read_variable(data, at)
        now += delta
        kind, size, body = data[at + 1], data[at + 2], at + 3
        if kind == 0x58:
            metres.append((now / midi.TICKS_PER_QUARTER, (data[body], 2 ** data[body + 1])))
        if kind == 0x51:
            tempo = 60e6 / int.from_bytes(data[body:body + 3], "big")
        if kind == 0x2F:
            return metres, tempo
        at = body + size


def bar_lines(metres, end):
    lines = []
    for (start, metre), stop in zip(metres, [time for time, _ in metres[1:]] + [end]):
        while start < stop - 1e-6:
            lines.append(start)
            start += bar_length(metre)
    return lines


def long_chords(notes):
    """Where boundaries start: three pitches or more of piano or guitar together, each two beats or longer."""
    together = defaultdict(list)
    for note in notes:
        family = family_of(note.program)
        if family in ("piano", "guitar"):
            together[family, round(note.start * 24)].append(note)
    return sorted({key[1] / 24 for key, group in together.items()
                   if len({note.pitch for note in group}) >= 3 and all(note.end - note.start >= 2 for note in group)})


def near(times, time):
    """Is one of the sorted times within a sixteenth of a quarter note?"""
    place = bisect_left(times, time - 0.0625)
    return place < len(times) and times[place] <= time + 0.0625


def main():
    folder = Path(sys.argv[1])
    totals, shares, densities, gaps, wrong = Counter(), [], [], [], []
    for row in csv.DictReader(open(folder / "labels.csv", encoding="utf-8")):
        path = folder / row["file"]
        notes, stuck = midi.read_notes(path)
        metres, tempo = conductor(path.read_bytes())
        metre = metres[0][1]
        seconds = max(note.end for note in notes) * 60 / tempo
        totals["pieces"] += 1
        totals["stuck notes"] += stuck
        totals["notes"] += len(notes)
        totals["seconds"] += seconds
        if f"{metre[0]}/{metre[1]}" != row["metre"] or abs(tempo - float(row["tempo"])) > 0.01:
            wrong.append(f"{path}: metre or tempo")
        if not seconds <= float(row["seconds"]) + 0.1 or seconds < 0.9 * float(row["seconds"]):
            wrong.append(f"{path}: {seconds:.1f} s, label {row['seconds']}")
        totals["outside 40-150 s"] += not 40 <= seconds <= 150
        scale = {(pitch_class(row["key"]) + step) % 12 for step in SCALES[row["mode"]]}
        heard = [note for note in notes if note.program != DRUMS]
        shares.append(sum(note.pitch % 12 in scale for note in heard) / max(len(heard), 1))
        densities.append(len(notes) / seconds)
        lines = bar_lines(metres, max(note.end for note in notes))
        starts = sorted(note.start for note in notes)
        totals["bars"] += len(lines)
        totals["pieces with cut bars"] += len(metres) > 1
        totals["bars that a note begins"] += sum(near(starts, line) for line in lines)
        chords = long_chords(notes)
        totals["long chords"] += len(chords)
        totals["long chords on a bar line"] += sum(near(lines, start) for start in chords)
        totals["pieces with long chords"] += bool(chords)
        totals["pieces with five or more"] += len(chords) >= 5
        gaps += [(later - earlier) * 60 / tempo for earlier, later in zip(chords, chords[1:])]
        for family in {family_of(note.program) for note in notes}:
            totals[f"pieces with {family}"] += 1
        totals["pieces of 3 families or more"] += len({family_of(note.program) for note in notes}) >= 3
    for name, count in totals.items():
        print(f"{name}: {count:.0f}")
    shares.sort(), densities.sort(), gaps.sort()

    def quantiles(values):
        return "  ".join(f"{values[int(part * (len(values) - 1))]:.2f}" for part in (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1))
    print("quantiles              min   5%   25%   50%   75%   95%   max")
    print("share of notes in key ", quantiles(shares))
    print("notes a second        ", quantiles(densities))
    print("seconds between chords", quantiles(gaps))
    print(f"wrong: {len(wrong)}", *wrong[:10], sep="\n")


if __name__ == "__main__":
    main()

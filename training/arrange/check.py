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
    """Metres and tempos as (time, value), from the first track, which arrange.py keeps for them."""
    at, now, metres, tempos = 22, 0, [], []
    while True:
        delta, at = midi.read_variable(data, at)
        now += delta
        kind, size, body = data[at + 1], data[at + 2], at + 3
        if kind == 0x58:
            metres.append((now / midi.TICKS_PER_QUARTER, (data[body], 2 ** data[body + 1])))
        if kind == 0x51:
            tempos.append((now / midi.TICKS_PER_QUARTER, 60e6 / int.from_bytes(data[body:body + 3], "big")))
        if kind == 0x2F:
            return metres, tempos
        at = body + size


def bar_lines(metres, end):
    lines = []
    for (start, metre), stop in zip(metres, [time for time, _ in metres[1:]] + [end]):
        while start < stop - 1e-6:
            lines.append(start)
            start += bar_length(metre)
    return lines


def long_chords(notes):
    """Where boundaries start, by the composer's rule: of piano or of guitar three notes or more that begin together and
    last two beats, an eighth of that less at most."""
    together = defaultdict(set)
    for note in notes:
        family = family_of(note.program)
        if family in ("piano", "guitar") and note.end - note.start > 1.749:
            together[family, round(note.start * 48)].add(note.pitch)
    return sorted({key[1] / 48 for key, pitches in together.items() if len(pitches) >= 3})


def near(times, time):
    """Is one of the sorted times within a sixteenth of a quarter note?"""
    place = bisect_left(times, time - 0.0625)
    return place < len(times) and times[place] <= time + 0.0625


def silent_bars(lines, notes):
    """How many bars have no note that sounds in them, and the longest row of such bars."""
    ordered = sorted(notes)
    reach, place, silent, row, longest = 0.0, 0, 0, 0, 0
    for start, end in zip(lines, lines[1:]):
        while place < len(ordered) and ordered[place].start < end - 0.06:
            reach = max(reach, ordered[place].end)
            place += 1
        row = row + 1 if reach <= start + 0.06 else 0
        silent, longest = silent + (row > 0), max(longest, row)
    return silent, longest


def most_at_once(notes):
    """The largest number of notes of each family that sound together."""
    events = sorted((time, change, family_of(note.program)) for note in notes
                    for time, change in ((note.start, 1), (note.end - 0.01, -1)))
    now, most = Counter(), Counter()
    for _, change, family in events:
        now[family] += change
        most[family] = max(most[family], now[family])
    return most


def returning_units(notes, lines):
    """Stretches of two bars of a tune with four notes or more; how many are heard again in rhythm and intervals, how
    many in rhythm and in where they rise and fall."""
    units, shapes = Counter(), Counter()
    for start, end in zip(lines, lines[2:]):
        unit = [note for note in notes if start - 0.06 <= note.start < end - 0.06]
        if len(unit) >= 4:
            times = [round((note.start - start) * 4) for note in unit]
            moves = [later.pitch - note.pitch for note, later in zip(unit, unit[1:])]
            units[*times, *moves] += 1
            shapes[*times, *((move > 0) - (move < 0) for move in moves)] += 1
    return sum(units.values()), *(sum(count for count in kind.values() if count > 1) for kind in (units, shapes))


def main():
    folder = Path(sys.argv[1])
    most_pieces = int(sys.argv[2]) if len(sys.argv) > 2 else None
    totals, shares, densities, gaps, wrong, spreads = Counter(), [], [], [], [], []
    own = Counter()
    crowds, spans = defaultdict(list), defaultdict(list)
    for row in csv.DictReader(open(folder / "sections.csv", encoding="utf-8")):
        spans[row["file"]].append(float(row["arousal"]))
    for number, row in enumerate(csv.DictReader(open(folder / "labels.csv", encoding="utf-8"))):
        if number == most_pieces:
            break
        path = folder / row["file"]
        notes, stuck = midi.read_notes(path)
        metres, tempos = conductor(path.read_bytes())
        metre, end = metres[0][1], max(note.end for note in notes)
        seconds = midi.seconds_at(tempos, end)
        totals["pieces"] += 1
        totals["stuck notes"] += stuck
        totals["notes"] += len(notes)
        totals["seconds"] += seconds
        totals[f"V{'-+'[float(row['valence']) >= 0]}A{'-+'[float(row['arousal']) >= 0]}"] += 1
        if f"{metre[0]}/{metre[1]}" != row["metre"] or abs(tempos[0][1] - float(row["tempo"])) > 0.01:
            wrong.append(f"{path}: metre or tempo")
        if not seconds <= float(row["seconds"]) + 0.1 or seconds < 0.9 * float(row["seconds"]):
            wrong.append(f"{path}: {seconds:.1f} s, label {row['seconds']}")
        totals["outside 40-160 s"] += not 40 <= seconds <= 160
        scale = {(pitch_class(row["key"]) + step) % 12 for step in SCALES[row["mode"]]}
        heard = [note for note in notes if note.program != DRUMS]
        shares.append(sum(note.pitch % 12 in scale for note in heard) / max(len(heard), 1))
        densities.append(len(notes) / seconds)
        spreads.append(max(spans[row["file"]], default=0) - min(spans[row["file"]], default=0))
        lines = bar_lines(metres, end)
        starts = sorted(note.start for note in notes)
        totals["bars"] += len(lines)
        totals["pieces with cut bars"] += len(metres) > 1
        totals["pieces with another tempo inside"] += any(0 < time < end - 12 for time, _ in tempos)
        totals["pieces with a slowing end"] += any(time >= end - 12 for time, _ in tempos[1:])
        totals["bars that a note begins"] += sum(near(starts, line) for line in lines)
        silent, longest = silent_bars(lines, notes)
        totals["silent bars"] += silent
        totals["pieces with two silent bars in a row"] += longest > 1
        for family, most in most_at_once(notes).items():
            crowds[family].append(most)
        chords = long_chords(notes)
        totals["long chords"] += len(chords)
        totals["long chords on a bar line"] += sum(near(lines, start) for start in chords)
        totals["pieces with long chords"] += bool(chords)
        totals["pieces with five or more"] += len(chords) >= 5
        totals["boundaries planned"] += int(row["boundaries"])
        totals["boundaries prepared"] += int(row["prepared"])
        times = [midi.seconds_at(tempos, chord) for chord in chords]
        gaps += [later - earlier for earlier, later in zip(times, times[1:])]
        if row["melody_program"]:
            tune = [note for note in notes if note.program == int(row["melody_program"])]
            units, again, alike = returning_units(tune, lines)
            totals["pieces with a tune"] += 1
            if row["source"] in ("modal", "pop909-chords"):
                own += Counter(units=units, again=again, alike=alike)
            totals["two-bar units of tunes"] += units
            totals["two-bar units that return"] += again
            totals["two-bar units whose shape returns"] += alike
        for family in {family_of(note.program) for note in notes}:
            totals[f"pieces with {family}"] += 1
        totals[f"pieces of {len({family_of(note.program) for note in notes})} families"] += 1
        totals[f"pieces in {row['metre']}"] += 1
        totals[f"groove {row['groove']}"] = 1
    totals["grooves"] = sum(name.startswith("groove ") for name in totals)
    for name, count in sorted(totals.items()):
        if not name.startswith("groove "):
            print(f"{name}: {count:.0f}")
    print(f"boundaries prepared: {totals['boundaries prepared'] / max(totals['boundaries planned'], 1):.0%}")
    for what in ("units that return", "units whose shape returns"):
        print(f"two-bar {what}: {totals[f'two-bar {what}'] / max(totals['two-bar units of tunes'], 1):.0%}")
    print(f"of tunes made here: {own['again'] / max(own['units'], 1):.0%}, {own['alike'] / max(own['units'], 1):.0%}")

    def quantiles(values):
        values = sorted(values)
        parts = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
        return "  ".join(f"{values[int(part * (len(values) - 1))]:6.2f}" for part in parts)
    print("quantiles                min     5%     25%     50%     75%     95%     max")
    for name, values in (("share of notes in key", shares), ("notes a second", densities),
                         ("seconds between chords", gaps), ("arousal spread in piece", spreads),
                         *((f"most {family} at once", crowd) for family, crowd in sorted(crowds.items()))):
        print(f"{name:24}", quantiles(values))
    print(f"wrong: {len(wrong)}", *wrong[:10], sep="\n")


if __name__ == "__main__":
    main()

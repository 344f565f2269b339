#!/usr/bin/python3
"""Tries every groove of mma's library once, on four bars, and writes those that work to tried.tsv."""

import multiprocessing
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import grooves
import midi
from assemble import usable
from midi import FAMILIES, family_of

# mma's beats in a bar -> the metre of the file and a progression of four bars.
METRES = {"4": "4/4", "3": "3/4", "6": "6/8"}
BARS = 4


def find_grooves(folder):
    """Name in mma -> beats in a bar, by the last Time before each DefGroove."""
    found = {}
    names = grooves.library(folder)
    for part in grooves.FOLDERS:
        for path in sorted(Path(folder, part).glob("*.mma")):
            beats = "4"
            for line in path.read_text(encoding="latin-1").splitlines():
                time = re.match(r"\s*Time\s+(\d+)(?:/\d+)?\b", line, re.IGNORECASE)
                named = re.match(r"\s*DefGroove\s+(\S+)", line, re.IGNORECASE)
                beats = time[1] if time else beats
                if named and not grooves.is_variant(named[1], names):
                    found.setdefault(names[named[1].lower()], beats)
    return found


def try_groove(task):
    """Notes a bar of each family, or None where the groove fails or plays what the composer cannot hear."""
    call, beats = task
    if beats not in METRES:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "try.mma"), Path(scratch, "try.mid")
        chords = ("C", "Am", "F", "G7")
        bars = (" ".join([chord] + ["/"] * (int(beats) - 1)) for chord in chords)
        source.write_text(f"RndSeed 1\nTempo 120\nGroove {call}\n" + "\n".join(bars) + "\n")
        try:
            run = subprocess.run(["mma", "-w", str(source), "-f", str(target)], capture_output=True, timeout=60)
            notes, stuck = midi.read_notes(target) if run.returncode == 0 else ([], 0)
        except (subprocess.TimeoutExpired, OSError, ValueError, IndexError):
            return None
    heard = [note for note in map(usable, notes) if note]
    end = BARS * int(beats)
    late = sum(note.start >= end for note in heard)
    if stuck or len(heard) < 2 * BARS or len(heard) < 0.8 * len(notes) or late > 0.02 * len(heard):
        return None
    counts = Counter(family_of(note.program) for note in heard)
    onsets = len({(round(note.start * 24), family_of(note.program)) for note in heard})
    return [call, METRES[beats], beats, *(f"{counts[family] / BARS:.1f}" for family in FAMILIES), f"{onsets / end:.2f}"]


def main():
    found = find_grooves(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/mma/lib")
    with multiprocessing.Pool(2) as pool:
        rows = [row for row in pool.imap(try_groove, sorted(found.items()), chunksize=8) if row]
    with open(Path(__file__).with_name("tried.tsv"), "w", encoding="utf-8") as out:
        out.write("\t".join(["groove", "metre", "beats", *FAMILIES, "onsets a beat"]) + "\n")
        out.writelines("\t".join(row) + "\n" for row in rows)
    print(f"{len(rows)} of {len(found)} grooves work")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Band arrangements made from songs: lead sheets and chord progressions in, labelled MIDI files out.

Every piece depends only on --seed and its number: a run can be repeated, and a larger run begins with the smaller one.
"""

import argparse
import csv
import io
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import grooves
import midi
import modal
import nottingham
import openewld
import pop909
from assemble import assemble
from band import NAMES, Failure, play_film, play_mma
from boundaries import choose_boundaries, lead_chords, possible
from harmony import BRIGHT, CHORD_VIEWS, VIEWS, change_mode, scale_time, transpose
from midi import FAMILIES, family_of
from plan import choose_families, follow_boundaries, lay_out, make_sections, pick_groove
from songs import bar_length
from themes import make_theme

# How often a source is drawn.
SOURCES = {"openewld": 30, "nottingham": 20, "pop909-chords": 25, "modal": 25}
MODE_VALENCE = {"major": 1.0, "lydian": 0.8, "mixolydian": 0.7, "dorian": -0.4, "minor": -0.8, "harmonic minor": -0.9,
                "phrygian": -1.0}
FIFTHS = {0: 0, 7: 1, 2: 2, 9: 3, 4: 4, 11: 5, 6: 6, 5: -1, 10: -2, 3: -3, 8: -4, 1: -5}


def clamp(value, low=-1.0, high=1.0):
    return max(low, min(high, value))


def guess_emotion(notes, mode, tempo, seconds, energy):
    """Valence and arousal in [-1, 1] from plain facts; the formula is in README.md."""
    onsets = len({(round(note.start, 2), family_of(note.program)) for note in notes}) / seconds
    heights = [note.pitch for note in notes if family_of(note.program) not in ("drums", "bass")]
    height = sum(heights) / max(len(heights), 1)
    pace = clamp((tempo - 105) / 60)
    valence = 0.6 * MODE_VALENCE[mode] + 0.25 * pace + 0.15 * clamp((height - 64) / 8)
    arousal = 0.4 * pace + 0.35 * clamp(math.log2(max(onsets, 0.1) / 9) / 1.5) + 0.25 * energy
    return round(clamp(valence), 3), round(clamp(arousal), 3)


def pick_song(random, source, library, bright):
    if source == "modal":
        while True:
            song = modal.make_song(random)
            if (song.mode in BRIGHT) == bright:
                return song
    return change_mode(random.choice(library[source]), bright)


def write_piece(path, piece, song):
    minor = song.mode not in BRIGHT
    midi.write_file(path, piece.notes, title=song.title, tempos=piece.tempos, metres=piece.metres,
                    fifths=FIFTHS[(song.key + (3 if minor else 0)) % 12], minor=minor)


def label_sections(name, piece, sections, tempo, mode, energy):
    """When each section begins, its valence and its arousal, where it has any notes."""
    rows = []
    for (start, end), section in zip(piece.stretches, sections):
        notes = [note for note in piece.notes if start <= note.start < end]
        if notes:
            seconds = max(midi.seconds_at(piece.tempos, end) - midi.seconds_at(piece.tempos, start), 0.5)
            valence, arousal = guess_emotion(notes, mode, tempo * section.pace, seconds,
                                             clamp(energy + 0.4 * (section.level - 1)))
            rows.append({"file": name, "start": round(midi.seconds_at(piece.tempos, start), 2), "valence": valence,
                         "arousal": arousal})
    return rows


def too_poor(piece, seconds):
    """Would nobody keep it? Too few or too many notes, or silence."""
    starts = sorted(midi.seconds_at(piece.tempos, note.start) for note in piece.notes)
    return (not 2 <= len(starts) / seconds <= 32 or starts[0] > 4 or
            any(later - earlier > 5 for earlier, later in zip(starts, starts[1:])))


def draw_piece(random, number, seed, library, names, path):
    """One draw of a piece: the song, the groove and what came of them."""
    bright, arousal = number % 2 == 0, 1 if number // 2 % 2 == 0 else -1  # the four quadrants in turn
    sources = [source for source in SOURCES if source == "modal" or library[source]]
    source = random.choices(sources, [SOURCES[source] for source in sources])[0]
    song = pick_song(random, source, library, bright)
    views = VIEWS[song.metre] if song.melody or song.metre != (4, 4) else CHORD_VIEWS
    metre, factor = random.choice(views)
    song = transpose(scale_time(song, metre, factor), random.randrange(12))
    groove, tempo = pick_groove(random, metre, arousal, source)
    bar = bar_length(metre)
    bars = max(12, round(random.uniform(50, 145) * tempo / 60 / bar))
    chords, tune, intro, body, ending = lay_out(song, random, bars, tempo)
    families = choose_families(random, arousal)
    sung = bool(tune)
    with_melody = random.random() < (0.82 if sung else 0.68) and (len(families) > 1 or random.random() < 0.7)
    sections = make_sections(random, intro, body, ending, groove, names, families, with_melody)
    planned = choose_boundaries(random, sections, metre, tempo, groove.energy, possible(families, with_melody))
    if random.random() < 0.55:
        sections = follow_boundaries(sections, planned, bar, random, families)
    chords = lead_chords(chords, planned, song.mode, random, sung and with_melody)
    if with_melody and not sung:
        tune = make_theme(chords, song.key, song.mode, bar, intro, bars - ending, random,
                          0.75 if arousal > 0 else 0.3)
    mma_seed = seed * 1000003 + number
    if groove in grooves.FILM:
        band = play_film(path, chords, sections, groove, names, metre, mma_seed, random)
    else:
        band = play_mma(path, chords, sections, groove, mma_seed)
    piece = assemble(chords, tune if with_melody else [], sections, groove, band, families, tempo, metre, planned,
                     song.key, song.mode, random)
    return source, song, groove, tempo, metre, sections, piece


def make_piece(number, seed, library, names, folder, scratch):
    """Writes piece `number`; its row for labels.csv, and the rows for sections.csv."""
    path = scratch / f"piece{number}"
    for attempt in range(4):
        random = Random(f"{seed}/{number}/{attempt}")
        source, song, groove, tempo, metre, sections, piece = draw_piece(random, number, seed, library, names, path)
        seconds = midi.seconds_at(piece.tempos, piece.length)
        if not too_poor(piece, seconds):
            break
    valence, arousal = guess_emotion(piece.notes, song.mode, tempo, seconds, groove.energy)
    name = f"{source}/{number:05d}.mid"
    write_piece(folder / name, piece, song)
    parts = label_sections(name, piece, sections, tempo, song.mode, groove.energy)
    heard = {family_of(note.program) for note in piece.notes}
    playing = Counter(section.melody for section in sections if section.melody and piece.melody_program is not None)
    ends = [midi.seconds_at(piece.tempos, boundary.start) for boundary in piece.boundaries]
    row = {"file": name, "source": source, "title": song.title, "licence": song.licence, "key": NAMES[song.key],
           "mode": song.mode, "metre": f"{metre[0]}/{metre[1]}", "tempo": tempo, "groove": groove.name,
           "melody": playing.most_common(1)[0][0] if playing else "none", "valence": valence,
           "arousal": arousal, "seconds": round(seconds, 2), "notes": len(piece.notes),
           "families": "+".join(family for family in FAMILIES if family in heard),
           "melody_program": "" if piece.melody_program is None else piece.melody_program,
           "boundaries": len(ends), "prepared": sum(bool(boundary.ways) for boundary in piece.boundaries)}
    return row, parts

# ------------------------------------------------------------------------------------------------ the run

BATCH = 100  # a run by --hours ends with the batch that fills them

state = {}


def start_worker(*values):
    state.update(zip(("seed", "library", "names", "folder", "scratch"), values))


def work(number):
    path = state["scratch"] / f"piece{number}"
    try:
        return make_piece(number, state["seed"], state["library"], state["names"], state["folder"], state["scratch"])
    except (Failure, subprocess.TimeoutExpired) as failure:
        return f"piece {number}: {failure}"
    finally:
        path.with_suffix(".mma").unlink(missing_ok=True)
        path.with_suffix(".mid").unlink(missing_ok=True)


def append_rows(tables):
    """Adds rows to tables, given by path, which a full disk leaves as they were; new ones begin with the names of
    their columns."""
    fresh = []
    for path, rows in tables.items():
        old = path.read_bytes() if path.exists() else b""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        if not old:
            writer.writeheader()
        writer.writerows(rows)
        fresh.append(path.with_suffix(".part"))
        try:
            fresh[-1].write_bytes(old + text.getvalue().encode())
        except OSError:
            for part in fresh:
                part.unlink(missing_ok=True)
            raise
    for path, part in zip(tables, fresh):
        os.replace(part, path)


def read_rows(folder):
    """What an earlier run left in labels.csv, with the numbers that report() needs; a broken last line is dropped."""
    path, rows = folder / "labels.csv", []
    if path.exists():
        for row in csv.DictReader(open(path, encoding="utf-8")):
            if None not in row.values() and (folder / row["file"]).exists():
                row.update((column, float(row[column])) for column in ("valence", "arousal", "seconds", "notes"))
                rows.append(row)
    return rows


def report(rows, failures):
    hours = sum(row["seconds"] for row in rows) / 3600
    notes = sum(row["notes"] for row in rows)
    lines = [f"pieces {len(rows)}  failed {failures}  hours {hours:.1f}  notes/s {notes / (hours * 3600):.1f}"]
    quadrants = Counter((row["valence"] >= 0, row["arousal"] >= 0) for row in rows)
    for arousal in (True, False):
        cells = (f"V{'+' if valence else '-'}A{'+' if arousal else '-'} {quadrants[valence, arousal]:5d}"
                 for valence in (False, True))
        lines.append("   ".join(cells))
    for column in ("source", "metre", "mode", "melody", "families"):
        counts = Counter(row[column] for row in rows).most_common()
        lines.append(f"{column}: " + ", ".join(f"{name} {count}" for name, count in counts))
    sizes = Counter(row["families"].count("+") + 1 for row in rows)
    lines.append("families per piece: " + ", ".join(f"{size}: {count}" for size, count in sorted(sizes.items())))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, help="folder with openewld/, nottingham/ and pop909/")
    parser.add_argument("output", type=Path)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--pieces", type=int, default=1600)
    size.add_argument("--hours", type=float)
    parser.add_argument("--first", type=int, help="number of the first piece (0, or after the last of labels.csv)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--mma-library", default="/usr/share/mma/lib", help="where mma keeps its grooves")
    options = parser.parse_args()
    if not shutil.which("mma"):
        sys.exit("arrange: mma is not installed (Debian's package is called mma)")
    if not options.music.is_dir():
        sys.exit(f"arrange: no such folder: {options.music}")

    readers = {"openewld": (openewld, "openewld"), "nottingham": (nottingham, "nottingham/ABC_cleaned"),
               "pop909-chords": (pop909, "pop909")}
    library = {name: [song for song in reader.read_folder(options.music / folder) if song.metre in VIEWS]
               for name, (reader, folder) in readers.items()}
    for name, found in library.items():
        print(f"{name}: {len(found)} songs", file=sys.stderr)
    for source in (*readers, "modal"):
        (options.output / source).mkdir(parents=True, exist_ok=True)

    rows, failures = read_rows(options.output), 0
    seconds = sum(row["seconds"] for row in rows)
    first = options.first
    if first is None:
        first = max((int(Path(row["file"]).stem) + 1 for row in rows), default=0)
    if rows:
        print(f"going on after {len(rows)} pieces, {seconds / 3600:.1f} hours", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        values = (options.seed, library, grooves.library(options.mma_library), options.output, Path(scratch))
        with multiprocessing.Pool(options.processes, start_worker, values) as pool:
            while first < options.pieces if options.hours is None else seconds < options.hours * 3600:
                last = first + BATCH if options.hours else min(first + BATCH, options.pieces)
                made, parts = [], []
                for result in pool.map(work, range(first, last), chunksize=1):
                    if isinstance(result, str):
                        failures += 1
                        print(result, file=sys.stderr)
                    else:
                        made.append(result[0])
                        parts += result[1]
                if not made and not rows:
                    sys.exit("arrange: mma made none of the first pieces; see the messages above")
                if made:  # what is done so far can be used, and a later run goes on from it
                    append_rows({options.output / "sections.csv": parts, options.output / "labels.csv": made})
                rows += made
                seconds += sum(row["seconds"] for row in made)
                first = last
                print(f"{len(rows)} pieces, {seconds / 3600:.1f} hours", file=sys.stderr)
    print(report(rows, failures))


if __name__ == "__main__":
    try:
        main()
    except OSError as failure:  # a full disk, a folder that cannot be read or written
        sys.exit(f"arrange: {failure}; the pieces in labels.csv are whole: mend this and give the same command again")

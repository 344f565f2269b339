#!/usr/bin/python3
"""Band arrangements made from songs: lead sheets and chord progressions in, labelled MIDI files out.

Every piece depends only on --seed and its number: a run can be repeated, and a larger run begins with the smaller one.
"""

import argparse
import csv
import math
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import grooves
import layers
import midi
import modal
import nottingham
import openewld
import pop909
from assemble import assemble, cut_bars
from band import NAMES, Failure, play_film, play_mma
from harmony import BRIGHT, CHORD_VIEWS, VIEWS, change_mode, scale_time, transpose
from midi import FAMILIES, family_of
from plan import choose_families, lay_out, make_sections, pick_groove
from songs import bar_length

# How often a source is drawn.
SOURCES = {"openewld": 32, "nottingham": 21, "pop909-chords": 27, "modal": 20}
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


def make_piece(number, seed, library, names, folder, scratch):
    random = Random(f"{seed}/{number}")
    bright, arousal = number % 2 == 0, 1 if number // 2 % 2 == 0 else -1  # the four quadrants in turn
    sources = [source for source in SOURCES if source == "modal" or library[source]]
    source = random.choices(sources, [SOURCES[source] for source in sources])[0]
    song = pick_song(random, source, library, bright)
    views = VIEWS[song.metre] if song.melody or song.metre != (4, 4) else CHORD_VIEWS
    metre, factor = random.choice(views)
    song = transpose(scale_time(song, metre, factor), random.randrange(12))
    groove, tempo = pick_groove(random, metre, arousal, source)
    bar = bar_length(metre)
    bars = max(10, round(random.uniform(45, 145) * tempo / 60 / bar))
    chords, tune, intro, body, ending = lay_out(song, random, bars)
    families = choose_families(random, arousal)
    with_melody = random.random() < (0.8 if tune else 0.5) and (len(families) > 1 or random.random() < 0.7)
    if with_melody and not tune:
        tune = layers.theme(chords, song.key, song.mode, bar, bars - ending, random, 0.9 if arousal > 0 else 0.5)
        tune = [tone for tone in tune if tone[0] >= intro * bar]
    with_melody = with_melody and bool(tune)
    sections = make_sections(random, intro, body, ending, groove, names, families, with_melody)
    path, mma_seed = scratch / f"piece{number}", seed * 1000003 + number
    if groove in grooves.FILM:
        band = play_film(path, chords, sections, groove, names, metre, mma_seed, random)
    else:
        band = play_mma(path, chords, sections, groove, mma_seed)
    notes = assemble(chords, tune if with_melody else [], sections, groove, band, families, tempo, metre, random)
    notes, metres, length = cut_bars(notes, sections, metre, random)
    seconds = length * 60 / tempo
    valence, arousal_guess = guess_emotion(notes, song.mode, tempo, seconds, groove.energy)
    minor = song.mode not in BRIGHT
    signature = (song.key + (3 if minor else 0)) % 12
    name = f"{source}/{number:05d}.mid"
    midi.write_file(folder / name, notes, title=song.title, tempo=tempo, metres=metres, fifths=FIFTHS[signature],
                    minor=minor)
    heard = {family_of(note.program) for note in notes}
    playing = Counter(section.melody for section in sections if section.melody)
    return {"file": name, "source": source, "title": song.title, "licence": song.licence, "key": NAMES[song.key],
            "mode": song.mode, "metre": f"{metre[0]}/{metre[1]}", "tempo": tempo, "groove": groove.name,
            "melody": playing.most_common(1)[0][0] if playing else "none", "valence": valence,
            "arousal": arousal_guess, "seconds": round(seconds, 2), "notes": len(notes),
            "families": "+".join(family for family in FAMILIES if family in heard)}

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


def write_labels(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


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

    rows, failures, seconds = [], 0, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        values = (options.seed, library, grooves.library(options.mma_library), options.output, Path(scratch))
        with multiprocessing.Pool(options.processes, start_worker, values) as pool:
            while len(rows) + failures < options.pieces if options.hours is None else seconds < options.hours * 3600:
                first = len(rows) + failures
                last = first + BATCH if options.hours else min(first + BATCH, options.pieces)
                for result in pool.map(work, range(first, last), chunksize=1):
                    if isinstance(result, str):
                        failures += 1
                        print(result, file=sys.stderr)
                    else:
                        rows.append(result)
                        seconds += result["seconds"]
                if not rows:
                    sys.exit("arrange: mma made none of the first pieces; see the messages above")
                write_labels(options.output / "labels.csv", rows)  # what is done so far can be used
                print(f"{len(rows)} pieces, {seconds / 3600:.1f} hours", file=sys.stderr)
    print(report(rows, failures))


if __name__ == "__main__":
    main()

"""Lead sheets: reading OpenEWLD, Nottingham and POP909 (chords only), and making modal progressions.

A Song's times are in beats of its own metre's quarter notes. Chords and melody are lists sorted by time.
"""

import re
import xml.etree.ElementTree as ElementTree
import zipfile
from collections import namedtuple
from fractions import Fraction
from pathlib import Path

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


# ---------------------------------------------------------------------------------------------- OpenEWLD

XML_KINDS = {
    "major": "", "minor": "m", "augmented": "aug", "diminished": "dim", "dominant": "7", "major-seventh": "M7",
    "minor-seventh": "m7", "diminished-seventh": "dim7", "augmented-seventh": "7#5", "half-diminished": "m7b5",
    "major-minor": "mM7", "major-sixth": "6", "minor-sixth": "m6", "dominant-ninth": "9", "major-ninth": "M9",
    "minor-ninth": "m9", "suspended-second": "sus2", "suspended-fourth": "sus4", "dominant-11th": "7sus",
    "dominant-13th": "9", "minor-11th": "m9", "power": "",
}


def xml_degree(element, name):
    step = element.find(f"{name}-step")
    return (LETTERS[step.text.strip()] + int(float(element.findtext(f"{name}-alter") or 0))) % 12


def unfold(measures):
    """Play simple repeats: each repeated stretch twice, first and second endings in turn."""
    order, index, start, passed = [], 0, 0, set()
    turn, skipping = 1, False
    while index < len(measures) and len(order) < 400:
        marks = measures[index].findall("barline")
        if any(mark.find("repeat[@direction='forward']") is not None for mark in marks) and index != start:
            start, turn = index, 1
        for ending in (mark.find("ending[@type='start']") for mark in marks):
            if ending is not None:
                skipping = str(turn) not in ending.get("number", "1")
        if not skipping:
            order.append(measures[index])
        back = any(mark.find("repeat[@direction='backward']") is not None for mark in marks)
        closes = any(mark.find("ending[@type='stop']") is not None or
                     mark.find("ending[@type='discontinue']") is not None for mark in marks)
        if back and not skipping and index not in passed:
            passed.add(index)
            index, turn = start, 2
            continue
        if closes:
            skipping = False
        index += 1
    return order


def read_musicxml(path):
    archive = zipfile.ZipFile(path)
    name = next(name for name in archive.namelist() if name.endswith(".xml") and "META-INF" not in name)
    root = ElementTree.fromstring(archive.read(name))
    measures = root.find("part").findall("measure")
    divisions, metre, fifths, mode = 1, None, 0, "major"
    chords, melody, bar_start, tied = [], [], Fraction(0), False
    for number, measure in enumerate(unfold(measures)):
        now, longest = bar_start, Fraction(0)
        for element in measure:
            if element.tag == "attributes":
                divisions = int(element.findtext("divisions") or divisions)
                fifths = int(element.findtext("key/fifths") or fifths)
                mode = element.findtext("key/mode") or mode
                if element.find("time") is not None:
                    new = int(element.findtext("time/beats")), int(element.findtext("time/beat-type"))
                    if metre and new != metre:
                        return None  # a change of metre: one groove cannot follow
                    metre = new
            elif element.tag in ("backup", "forward"):
                step = Fraction(int(element.findtext("duration")), divisions)
                now += step if element.tag == "forward" else -step
            elif element.tag == "harmony" and element.find("root") is not None:
                quality = XML_KINDS.get(element.findtext("kind", "").strip())
                if quality is not None:
                    harmony_root = xml_degree(element.find("root"), "root")
                    bass = element.find("bass")
                    bass = harmony_root if bass is None else xml_degree(bass, "bass")
                    chords.append((now, harmony_root, quality, bass))
            elif element.tag == "note" and element.find("grace") is None and element.find("chord") is None:
                length = Fraction(int(element.findtext("duration")), divisions)
                pitch = element.find("pitch")
                if pitch is not None and (element.findtext("voice") or "1") == "1":
                    height = (LETTERS[pitch.findtext("step")] + int(float(pitch.findtext("alter") or 0))
                              + 12 * (int(pitch.findtext("octave")) + 1))
                    if tied and melody and melody[-1].pitch == height:
                        melody[-1] = melody[-1]._replace(end=now + length)
                    else:
                        melody.append(Tone(now, now + length, height))
                    tied = element.find("tie[@type='start']") is not None
                now += length
                longest = max(longest, now - bar_start)
        if metre is None:
            return None
        full = Fraction(metre[0] * 4, metre[1])
        if number == 0 and longest < full:  # a pick-up: move it to the end of its bar
            shift = full - longest
            melody = [Tone(tone.start + shift, tone.end + shift, tone.pitch) for tone in melody]
            chords = [(chord[0] + shift, *chord[1:]) for chord in chords]
        bar_start += full
    title = root.findtext("work/work-title") or root.findtext("movement-title") or Path(path).stem
    tonic = fifths * 7 % 12
    if mode == "minor":
        tonic = (tonic + 9) % 12
    return title.strip(), metre, tonic, mode, chords, melody, bar_start


def read_openewld(folder):
    songs = []
    for path in sorted(Path(folder).rglob("*.mxl")):
        try:
            sheet = read_musicxml(path)
        except (ElementTree.ParseError, AttributeError, KeyError, ValueError, StopIteration, zipfile.BadZipFile):
            continue
        if sheet:
            title, metre, key, mode, chords, melody, end = sheet
            songs.append(finish("openewld", title, "public domain (OpenEWLD, MIT)", metre, key, mode, chords, melody, end))
    return [song for song in songs if song]


# -------------------------------------------------------------------------------------------- Nottingham

ABC_TOKEN = re.compile(
    r'"(?P<chord>[^"]*)"|(?P<bar>:?\|+[:\]]?|::|\[\d|\|\d)|\((?P<tuplet>\d)|'
    r"(?P<note>(?:\^\^|\^|__|_|=)?[A-Ga-gzxZ][,']*)(?P<length>\d*/*\d*)(?P<broken>[<>]*)(?P<tie>-?)")
ABC_CHORDS = {"": "", "m": "m", "7": "7", "m7": "m7", "dim": "dim", "+": "aug", "aug": "aug", "6": "6", "maj7": "M7",
              "m6": "m6", "9": "9", "o": "dim", "o7": "dim7", "dim7": "dim7", "sus": "sus4", "sus4": "sus4"}
ABC_MODES = {"": "major", "maj": "major", "m": "minor", "min": "minor", "dor": "dorian", "mix": "mixolydian"}
ABC_MODE_FIFTHS = {"major": 0, "minor": -3, "dorian": -2, "mixolydian": -1}
FIFTHS = {0: 0, 7: 1, 2: 2, 9: 3, 4: 4, 11: 5, 6: 6, 5: -1, 10: -2, 3: -3, 8: -4, 1: -5}


def abc_length(text):
    if not text:
        return Fraction(1)
    above, slash, below = text.partition("/")
    slashes = text.count("/")
    if not slash:
        return Fraction(int(above))
    below = below.strip("/")
    return Fraction(int(above or 1), int(below) if below else 2 ** slashes)


def unfold_abc(body):
    """Write out repeats: |: A [1 x :| [2 y | -> A x A y."""
    pieces = re.split(r"(:\|:|::|:\|\]?|\|:|\|?\[?[12](?=[^\d/])(?<=[\[|][12]))", body)
    done, part, first_ending = "", "", None
    for piece in pieces:
        if piece in ("|:", ":|", ":|]", "::", ":|:"):
            if piece == "|:":
                done, part, first_ending = done + (part if first_ending is None else first_ending), "", None
            elif first_ending is None:
                done, part = done + part + "|" + part + "|", ""
            else:
                done += first_ending + "|"
                part, first_ending = part, None
        elif re.fullmatch(r"\|?\[?1", piece):
            first_ending, opening = "", part
        elif re.fullmatch(r"\|?\[?2", piece):
            pass
        elif first_ending is not None:
            first_ending = part + "|" + piece
        else:
            part += "|" + piece
    return done + part


def read_tune(text):
    fields = dict(re.findall(r"^([A-Z]):\s*(.*?)\s*$", text, re.MULTILINE))
    head, _, body = text.partition("\nK:")
    key_text, _, body = body.partition("\n")
    if re.search(r"^[MKL]:", body, re.MULTILINE) or "K" not in fields:
        return None  # metre or key changes inside
    found = re.match(r"([A-G][#b]?)\s*([a-zA-Z]*)", key_text)
    if not found or not re.match(r"\d+/\d+$", fields.get("M", "")):
        return None
    key, mode = pitch_class(found[1]), ABC_MODES.get(found[2].lower()[:3], None)
    if mode is None:
        return None
    metre = tuple(int(part) for part in fields["M"].split("/"))
    unit = 4 * Fraction(fields.get("L", "1/8" if Fraction(*metre) >= Fraction(3, 4) else "1/16"))
    sharps = FIFTHS[key] + ABC_MODE_FIFTHS[mode]
    signature = {}
    for letter in "FCGDAEB"[:max(sharps, 0)]:
        signature[letter] = 1
    for letter in "BEADGCF"[:max(-sharps, 0)]:
        signature[letter] = -1
    body = re.sub(r"%.*|^[A-Za-z]:.*$|\\\n|!.*?!|\{.*?\}", "", body, flags=re.MULTILINE)
    body = unfold_abc(body.replace("\n", " "))
    full = Fraction(metre[0] * 4, metre[1])
    now, bar_start, accidentals, chords, melody = Fraction(0), Fraction(0), {}, [], []
    tuplet, tuplet_left, stretch, tied, first_bar = Fraction(1), 0, Fraction(1), False, True
    for token in ABC_TOKEN.finditer(body):
        if token["bar"]:
            accidentals = {}
            filled = now - bar_start
            if first_bar and 0 < filled < full:  # the pick-up moves to the end of bar 0
                shift = full - filled
                melody = [Tone(tone.start + shift, tone.end + shift, tone.pitch) for tone in melody]
                chords = [(chord[0] + shift, *chord[1:]) for chord in chords]
                now = bar_start = bar_start + full
                first_bar = False
            elif filled >= full:
                now = bar_start = bar_start + full * (filled // full)
                first_bar = False
        elif token["chord"] is not None:
            named = re.match(r"([A-G][#b]?)([^/]*)(?:/([A-Ga-g][#b]?))?$", token["chord"].strip())
            if named and named[2] in ABC_CHORDS:
                root = pitch_class(named[1])
                bass = pitch_class(named[3]) if named[3] else root
                chords.append((now, root, ABC_CHORDS[named[2]], bass))
        elif token["tuplet"]:
            tuplet_left = int(token["tuplet"])
            tuplet = Fraction({2: 3, 3: 2, 4: 3}.get(tuplet_left, 2), tuplet_left)
        elif token["note"]:
            length = abc_length(token["length"]) * unit * stretch
            stretch = Fraction(1)
            if token["broken"]:
                longer, shorter = Fraction(3, 2), Fraction(1, 2)
                this, stretch = (longer, shorter) if token["broken"][0] == ">" else (shorter, longer)
                length *= this
            if tuplet_left:
                length *= tuplet
                tuplet_left -= 1
            name = token["note"]
            letter = name.lstrip("^_=")[0]
            if letter.upper() in LETTERS:
                place = letter, name.count(","), name.count("'")
                if name[0] in "^_=":
                    accidentals[place] = name.count("^") - name.count("_")
                height = 60 + LETTERS[letter.upper()] + 12 * letter.islower() + 12 * (place[2] - place[1])
                height += accidentals.get(place, signature.get(letter.upper(), 0))
                if tied and melody and melody[-1].pitch == height:
                    melody[-1] = melody[-1]._replace(end=now + length)
                else:
                    melody.append(Tone(now, now + length, height))
                tied = bool(token["tie"])
            now += length
    if now > bar_start:
        bar_start += full
    return fields.get("T", "untitled"), metre, key, mode, chords, melody, bar_start


def read_nottingham(folder):
    songs = []
    for path in sorted(Path(folder).rglob("*.abc")):
        for text in re.split(r"\n\s*\n+(?=X:)", path.read_text(encoding="latin-1").replace("\r", "")):
            tune = read_tune(text.strip())
            if tune:
                title, metre, key, mode, chords, melody, end = tune
                songs.append(finish("nottingham", title, "traditional (Nottingham collection, GPL-3)",
                                    metre, key, mode, chords, melody, end))
    return [song for song in songs if song]


# ------------------------------------------------------------------------------------- POP909, chords only

HARTE = {"maj": "", "min": "m", "dim": "dim", "aug": "aug", "sus2": "sus2", "sus4": "sus4", "7": "7", "min7": "m7",
         "maj7": "M7", "maj6": "6", "min6": "m6", "dim7": "dim7", "hdim7": "m7b5", "minmaj7": "mM7", "sus4(b7)": "7sus"}
HARTE_DEGREES = {"1": 0, "b2": 1, "2": 2, "b3": 3, "3": 4, "4": 5, "b5": 6, "5": 7, "#5": 8, "b6": 8, "6": 9, "b7": 10,
                 "7": 11}


def read_progression(folder):
    """Chords on the beat grid. The songs' melodies are never opened: only these text files are."""
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
        beat = min(range(len(times)), key=lambda index: abs(times[index] - float(start)))
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


def read_pop909(folder):
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


# ------------------------------------------------------------------------------- progressions of our own

# (root above the tonic, quality), one bar each; the colours film music asks for and pop songs seldom have.
MODAL = {
    ("dark", "phrygian"): ["0m 1 0m 10m", "0m 0m 1 1", "0m 1M7 10m 0m", "0m 5m 1 0m", "0m 3 1 0m"],
    ("tense", "harmonic minor"): ["0m 11dim7 0m 7", "0m 8 11dim7 77", "0m 2m7b5 77 0m", "0m 6dim7 5m 7", "0m 8 1 77"],
    ("mournful", "minor"): ["0m 8 5m 7", "0m 7m 8 5m", "0m 10 8 5m7", "0m 5m 0m 7m", "0m9 8M7 5m9 7m7", "5m 0m 7sus4 7"],
    ("heroic", "minor"): ["0m 8 3 10", "0m 10 8 10", "8 10 0m 0m", "0m 3 10 5", "0m 8 10 0m"],
    ("dorian", "dorian"): ["0m7 5 0m7 5", "0m 10 5 0m", "0m 2m 3 5", "0m9 57 0m9 10", "0m 3 5 0m"],
    ("triumphant", "major"): ["0 5 7 0", "0 8 10 0", "0 7 9m 5", "5 7 0 0", "0 3 5 0", "0 5 10 5", "0 4m 5 7"],
    ("dreamy", "lydian"): ["0M7 2 0M7 2", "0 2 11m 0", "0M9 2add9 9m7 2", "0M7 7M7 0M7 2", "0 2 4m 2"],
    ("open", "mixolydian"): ["0 10 5 0", "0 5 10 0", "0sus4 0 10 5", "0 7m 5 0", "0add9 10add9 5add9 0"],
    ("suspended", "minor"): ["0sus2 8sus2 3sus2 10sus4", "0sus4 0m 5sus2 5m", "0m9 10sus2 8sus2 7sus4",
                             "0sus2 0sus4 0m 10sus4"],
    ("floating", "major"): ["0add9 9m7 5M7 7sus4", "0sus2 5sus2 0sus2 7sus4", "5M9 0M7 2m9 7sus", "0M7 4m7 5M7 5m6"],
    ("eerie", "minor"): ["0m 4m 0m 8m", "0m 6 0m 6", "0m 1 6dim7 0m", "0m 11 0m 8m", "0mM7 0m6 8aug 0m"],
    ("tender", "major"): ["0 9m 2m 7", "0 0M7 5 5m", "0 7 5 0", "5 0 2m 9m", "0 4 9m 5", "9m 5 0 7"],
}


def make_modal(random):
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

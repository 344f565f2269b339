"""Reads the Nottingham collection: traditional tunes with chords, in ABC notation."""

import re
from fractions import Fraction
from pathlib import Path

from songs import LETTERS, Tone, finish, pitch_class

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


def read_folder(folder):
    songs = []
    for path in sorted(Path(folder).rglob("*.abc")):
        for text in re.split(r"\n\s*\n+(?=X:)", path.read_text(encoding="latin-1").replace("\r", "")):
            tune = read_tune(text.strip())
            if tune:
                title, metre, key, mode, chords, melody, end = tune
                songs.append(finish("nottingham", title, "traditional (Nottingham collection, GPL-3)",
                                    metre, key, mode, chords, melody, end))
    return [song for song in songs if song]

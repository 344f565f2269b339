"""Reads OpenEWLD: compressed MusicXML lead sheets of works in the public domain."""

import xml.etree.ElementTree as ElementTree
import zipfile
from fractions import Fraction
from pathlib import Path

from songs import LETTERS, Tone, finish

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


def read_folder(folder):
    songs = []
    for path in sorted(Path(folder).rglob("*.mxl")):
        try:
            sheet = read_musicxml(path)
        except (ElementTree.ParseError, AttributeError, KeyError, ValueError, StopIteration, zipfile.BadZipFile):
            continue
        if sheet:
            title, metre, key, mode, chords, melody, end = sheet
            songs.append(finish("openewld", title, "public domain (OpenEWLD, MIT)",
                                metre, key, mode, chords, melody, end))
    return [song for song in songs if song]

"""The mma grooves that are used, with what they are good for."""

import csv
import math
import re
from collections import namedtuple
from pathlib import Path

# metre: what the MIDI file says; beats: what mma calls a beat, per bar; slowest and fastest: quarter notes a minute;
# energy: how driving the groove is by ear, -1 still .. 1 wild.
Groove = namedtuple("Groove", "name metre beats slowest fastest energy")

FOUR, THREE, SIX = (4, 4), (3, 4), (6, 8)

GROOVES = [Groove(*row) for row in (
    # ballads, hymns, arpeggios
    ("Ballad", FOUR, 4, 50, 88, -0.5), ("Ballad1", FOUR, 4, 50, 88, -0.4), ("PianoBallad", FOUR, 4, 50, 84, -0.7),
    ("PianoBallad1", FOUR, 4, 50, 84, -0.6), ("GuitarBallad", FOUR, 4, 52, 88, -0.6),
    ("StringBallad", FOUR, 4, 50, 84, -0.8), ("StringBalladStrum", FOUR, 4, 52, 90, -0.6),
    ("PopBallad", FOUR, 4, 58, 96, -0.3), ("PopBallad1", FOUR, 4, 58, 96, -0.3), ("PopBallad2", FOUR, 4, 58, 96, -0.3),
    ("FolkBallad", FOUR, 4, 55, 92, -0.5), ("RockBallad", FOUR, 4, 58, 92, -0.3),
    ("RockBallad1", FOUR, 4, 58, 92, -0.3),
    ("R&B-Ballad", FOUR, 4, 55, 88, -0.3), ("Lullaby", FOUR, 4, 50, 80, -0.9), ("Lullaby1", FOUR, 4, 50, 80, -0.9),
    ("Hymn", FOUR, 4, 52, 84, -0.6), ("HymnRoot", FOUR, 4, 52, 84, -0.6), ("Arpeggio4", FOUR, 4, 52, 110, -0.7),
    ("Arpeggio8", FOUR, 4, 52, 100, -0.5), ("Ballad128", FOUR, 4, 50, 76, -0.4), ("SlowJazz", FOUR, 4, 52, 80, -0.5),
    ("SlowCountry", FOUR, 4, 58, 92, -0.3), ("SlowBolero", FOUR, 4, 58, 88, -0.4), ("SlowBlues", FOUR, 4, 55, 80, -0.3),
    ("MellowJazz", FOUR, 4, 65, 110, -0.3), ("Spiritual", FOUR, 4, 58, 92, -0.3),
    ("SlowSpiritual", FOUR, 4, 50, 76, -0.5),
    ("SlowBroadway", FOUR, 4, 58, 92, -0.3), ("Desert", FOUR, 4, 60, 100, -0.3),
    # walking pace
    ("Bolero", FOUR, 4, 68, 100, -0.1), ("Beguine", FOUR, 4, 80, 118, 0.0), ("BossaNova", FOUR, 4, 88, 145, 0.1),
    ("BossaNova1", FOUR, 4, 88, 145, 0.1), ("Rhumba", FOUR, 4, 88, 126, 0.1), ("Folk", FOUR, 4, 72, 130, -0.1),
    ("SoftRock", FOUR, 4, 70, 118, 0.0), ("SoftRock1", FOUR, 4, 70, 118, 0.0), ("BlueFolk", FOUR, 4, 72, 120, 0.0),
    ("ShowTune", FOUR, 4, 90, 140, 0.3), ("EasySwing", FOUR, 4, 84, 150, 0.1), ("Foxtrot", FOUR, 4, 96, 150, 0.2),
    ("LightTango", FOUR, 4, 90, 126, 0.2), ("SoftShoe", FOUR, 4, 80, 130, 0.1), ("Calypso", FOUR, 4, 96, 150, 0.3),
    ("Evansish", FOUR, 4, 70, 130, 0.0),
    # driving
    ("8Beat", FOUR, 4, 90, 150, 0.4), ("8Beat1", FOUR, 4, 90, 150, 0.4), ("Broadway", FOUR, 4, 110, 170, 0.5),
    ("FolkRock", FOUR, 4, 96, 150, 0.4), ("60sRock", FOUR, 4, 110, 165, 0.7), ("50sRock", FOUR, 4, 116, 176, 0.7),
    ("BasicRock", FOUR, 4, 100, 168, 0.9), ("BasicRock4", FOUR, 4, 100, 168, 0.8), ("Rock128", FOUR, 4, 80, 130, 0.5),
    ("Strut", FOUR, 4, 90, 140, 0.5), ("JazzRock", FOUR, 4, 105, 155, 0.6), ("LFusion", FOUR, 4, 105, 150, 0.6),
    ("Samba", FOUR, 4, 120, 180, 0.8), ("Swing", FOUR, 4, 110, 180, 0.5), ("Swing1", FOUR, 4, 110, 180, 0.5),
    ("FastSwing", FOUR, 4, 150, 180, 0.7), ("Tango", FOUR, 4, 105, 140, 0.6), ("Twist", FOUR, 4, 135, 178, 0.9),
    ("Trance", FOUR, 4, 118, 150, 0.8), ("March", FOUR, 4, 100, 140, 0.6), ("BWMarch", FOUR, 4, 100, 145, 0.6),
    ("Polka", FOUR, 4, 110, 160, 0.6), ("QuickStep", FOUR, 4, 150, 180, 0.7), ("BubbleRock", FOUR, 4, 112, 165, 0.7),
    ("BVFunk", FOUR, 4, 90, 130, 0.6), ("BoneyM", FOUR, 4, 105, 140, 0.7), ("Ska", FOUR, 4, 120, 170, 0.7),
    ("DSoul", FOUR, 4, 95, 135, 0.5), ("Salsa", FOUR, 4, 130, 180, 0.8), ("BigBand", FOUR, 4, 110, 170, 0.6),
    ("R&B", FOUR, 4, 90, 135, 0.5), ("FastBlues", FOUR, 4, 130, 178, 0.8), ("Jive", FOUR, 4, 140, 178, 0.8),
    # keyboard-made styles: pop, dance, electronic, rock
    ("8BeatBallad1", FOUR, 4, 55, 90, -0.4), ("8BeatBallad2", FOUR, 4, 55, 90, -0.3),
    ("8BeatBallad3", FOUR, 4, 55, 90, -0.4),
    ("16BeatBallad1", FOUR, 4, 55, 92, -0.3), ("16BeatBallad2", FOUR, 4, 55, 92, -0.3),
    ("OldieBallad", FOUR, 4, 58, 96, -0.3),
    ("Ambient1", FOUR, 4, 60, 110, -0.2), ("Ambient2", FOUR, 4, 60, 110, -0.2), ("Ambient3", FOUR, 4, 60, 110, -0.2),
    ("TripHop", FOUR, 4, 68, 100, 0.0), ("Hip-Hop", FOUR, 4, 76, 106, 0.2), ("Slow16Beat", FOUR, 4, 60, 96, -0.1),
    ("16Beat1", FOUR, 4, 80, 120, 0.3), ("16Beat3", FOUR, 4, 80, 120, 0.3), ("8BeatPop1", FOUR, 4, 96, 140, 0.4),
    ("8BeatPop3", FOUR, 4, 96, 140, 0.4), ("80sPop", FOUR, 4, 100, 140, 0.5), ("SoulPop", FOUR, 4, 90, 130, 0.4),
    ("PopRock1", FOUR, 4, 105, 150, 0.6), ("PopRock2", FOUR, 4, 105, 150, 0.6), ("DigitalRock", FOUR, 4, 105, 155, 0.8),
    ("HeavyMetal", FOUR, 4, 110, 172, 1.0), ("Metal1", FOUR, 4, 105, 170, 1.0), ("Metal2", FOUR, 4, 105, 170, 1.0),
    ("HighFive", FOUR, 4, 100, 150, 0.7), ("Rock2", FOUR, 4, 100, 160, 0.8), ("ElectricPop", FOUR, 4, 108, 145, 0.6),
    ("DancePop2", FOUR, 4, 112, 145, 0.7), ("House", FOUR, 4, 115, 138, 0.7), ("Techno", FOUR, 4, 120, 150, 0.8),
    ("Trance2", FOUR, 4, 120, 150, 0.8), ("Rave", FOUR, 4, 125, 165, 0.9), ("WorldPop", FOUR, 4, 90, 130, 0.3),
    ("GermanMarch", FOUR, 4, 104, 140, 0.5), ("8BeatMotown", FOUR, 4, 96, 140, 0.5), ("KBossa", FOUR, 4, 88, 145, 0.1),
    ("KWestBallad", FOUR, 4, 58, 96, -0.3), ("KFunk1", FOUR, 4, 95, 130, 0.6), ("JazzBossa", FOUR, 4, 88, 140, 0.1),
    ("JazzTrio", FOUR, 4, 100, 170, 0.3), ("Western", FOUR, 4, 90, 150, 0.3), ("W-Rock", FOUR, 4, 100, 150, 0.7),
    # three in a bar
    ("ArpeggioWaltz", THREE, 3, 60, 130, -0.7), ("ArpeggioWaltz8", THREE, 3, 55, 110, -0.5),
    ("Waltz", THREE, 3, 72, 140, -0.1), ("Waltz1", THREE, 3, 72, 140, -0.1), ("CountryWaltz", THREE, 3, 72, 132, -0.1),
    ("LatinWaltz", THREE, 3, 76, 140, 0.0), ("JazzWaltz", THREE, 3, 90, 165, 0.2),
    ("FrenchWaltz", THREE, 3, 100, 165, 0.3),
    ("RockWaltz", THREE, 3, 84, 165, 0.5), ("RockWaltz1", THREE, 3, 84, 165, 0.5),
    ("BroadwayWaltz", THREE, 3, 110, 175, 0.5), ("VieneseWaltz", THREE, 3, 140, 180, 0.5),
    ("PopWaltz", THREE, 3, 80, 140, 0.1), ("FastWaltz", THREE, 3, 140, 180, 0.6),
    ("FastJazzWaltz", THREE, 3, 140, 180, 0.5),
    # six eighths
    ("Arpeggio68", SIX, 6, 60, 120, -0.6), ("68Swing", SIX, 6, 90, 165, 0.2), ("68March", SIX, 2, 120, 180, 0.6),
    ("Blues68", SIX, 6, 90, 150, 0.1),
)]

# Film-like pieces are made of our own layers (film.py); mma only lends them drums, by metre, or none.
FILM = [Groove(*row) for row in (
    ("film pads", None, None, 50, 100, -0.9), ("film reverie", None, None, 50, 108, -0.6),
    ("film suspense", None, None, 56, 108, -0.4), ("film minimal", None, None, 70, 150, 0.1),
    ("film heartbeat", None, None, 60, 130, 0.0), ("film epic", None, None, 80, 160, 0.7),
    ("film chase", None, None, 108, 180, 0.9),
)]
FILM_DRUMS = {
    FOUR: [(name, 4) for name in ("March", "March1", "BWMarch", "BasicRock", "60sRock", "Trance", "Bolero")],
    THREE: [("RockWaltz", 3), ("RockWaltz1", 3)], SIX: [("68March", 2)],
}

# What follows a groove's name in mma's library for the body of a piece.
BODIES = ("", "Sus", "Plus", "SusPlus", "Walk", "WalkSus", "Fill", "A", "B", "C", "D", "MainA", "MainB")
# Where two folders have a groove of one name the earlier counts.
FOLDERS = ("stdlib", "casio", "kara", "yamaha", "pflib", "zoom", "alexis")


def library(folder):
    """All grooves of mma's library: lower-case name -> what mma calls it."""
    names = {}
    for part in FOLDERS:
        for path in sorted(Path(folder, part).glob("*.mma")):
            text = path.read_text(encoding="latin-1")
            for name in re.findall(r"^\s*DefGroove\s+(\S+)", text, re.MULTILINE | re.IGNORECASE):
                names.setdefault(name.lower(), name if part == "stdlib" else f"{part}/{path.stem}:{name}")
    return names


VARIANT = re.compile(r".{2,}?(?:Intro|End|Ending|Fill|Break|Sus|Plus|SusPlus|Walk|WalkSus|Main|Tag|FillIn|Fade)"
                     r"[-_]?[A-D0-9]{0,3}(?:In|Sus|Plus)?$", re.IGNORECASE)


SLOW = re.compile(r"ballad|slow|lullab|bald|ambient|amb\d|hymn|spirit|dream", re.IGNORECASE)
FAST = re.compile(r"fast|quick|metal|techno|trance|rave|dnb|house|thr|hrk|ska|polka|twist|jive|samba|rock\d*$|march"
                  "|speed", re.IGNORECASE)


def read_tried():
    """The grooves that trial.py found to work and GROOVES does not know, with what their names and notes tell."""
    known, found = {groove.name.lower() for groove in GROOVES}, []
    with open(Path(__file__).with_name("tried.tsv"), encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            name = row["groove"].split(":")[-1]
            if name.lower() in known or re.match(r"zoom/(ending|intro)|Metronome", row["groove"]):
                continue
            metre, beats = tuple(map(int, row["metre"].split("/"))), int(row["beats"])
            quarters = metre[0] * 4 / metre[1]
            onsets = float(row["onsets a beat"]) * beats / quarters
            busy = sum(float(row[family]) for family in ("drums", "bass", "guitar", "piano", "strings")) / quarters
            slow, fast = bool(SLOW.search(row["groove"])), bool(FAST.search(row["groove"]))
            energy = 0.5 * math.log2(max(onsets, 0.5) / 3) + (0.15 if float(row["drums"]) > 0 else -0.3)
            energy = min(max(energy + 0.35 * (fast - slow), -0.9), 0.9)
            slowest, fastest = max(50, 240 / busy), min(178, 1500 / busy)
            slowest, fastest = (max(slowest, 96), fastest) if fast else (slowest, min(fastest, 96)) if slow else \
                (slowest, fastest)
            if fastest > slowest + 8:
                found.append(Groove(name, metre, beats, round(slowest), round(fastest), round(energy, 2)))
    return found


TRIED = read_tried()


def is_variant(name, names):
    """Is it an intro, a fill, an ending or another way to play a groove that goes by a shorter name?"""
    if VARIANT.fullmatch(name):
        return True
    return any(suffix and name.lower().endswith(suffix.lower()) and name[:-len(suffix)].lower() in names
               for suffix in BODIES)


def variants(groove, names):
    """The body, intro and ending grooves that belong to one groove and exist."""
    def existing(name, suffixes):
        return [names[(name + suffix).lower()] for suffix in suffixes if (name + suffix).lower() in names]
    base = re.sub(r"\d$", "", groove.name)
    intros = existing(groove.name, ("Intro", "Intro1", "SusIntro", "IntroA"))
    endings = existing(groove.name, ("End", "E", "EndingA")) or existing(base, ("End",))
    return existing(groove.name, BODIES), intros, endings

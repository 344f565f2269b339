"""From accompaniment, tune, plan and boundaries to the notes of the piece."""

from collections import Counter, namedtuple

import boundaries
import layers
from band import within
from midi import DRUMS, FAMILIES, Note, family_of
from songs import bar_length

MELODY_PROGRAMS = {"piano": (0, 0, 1, 4, 2), "guitar": (24, 25, 26, 27),
                   "strings": (73, 73, 40, 40, 42, 68, 71, 60, 48, 56, 66, 46, 41, 69, 75, 52)}
LAYER_PROGRAMS = {"piano": (0, 0, 1, 4, 5), "guitar": (24, 24, 25, 26, 27), "strings": (48, 48, 49, 44, 50, 52, 89, 19),
                  "bass": (32, 33, 33, 35, 38, 39)}
# Programs the composer does not hear, played by the nearest one it does.
STAND_INS = {104: 24, 105: 25, 106: 25, 107: 24, 108: 12, 109: 68, 110: 40, 111: 68}
STAND_INS.update({program: 89 for program in range(96, 104)})
MOST_AT_ONCE = {"guitar": 6, "piano": 8, "strings": 8, "bass": 2}
MOST_A_SECOND = 34
LONGEST = 1.6  # quarter notes; the composer takes three notes of 1.75 for a boundary's chord

# What assemble makes: notes; metres and tempos as (time, value); stretches as (start, end), one for each section; the
# boundaries as they came to lie; the length in quarter notes; the program that has most of the tune, or None.
Piece = namedtuple("Piece", "notes metres tempos stretches boundaries length melody_program")


def usable(note):
    """The note as the composer's families can have it, or None; drum notes are given a length, mma's have none."""
    if note.program == DRUMS:
        return note if note.end >= note.start + 0.1 else note._replace(end=note.start + 0.1)
    program = STAND_INS.get(note.program, note.program)
    if program != note.program:
        note = note._replace(program=program)
    return note if family_of(program) else None


def texture(family, chords, tempo, energy, random):
    """A part for a family the groove leaves out."""
    program = random.choice(LAYER_PROGRAMS[family])
    step = 0.5 if tempo > 80 or random.random() < 0.6 else 0.25
    if family == "bass":
        return layers.bass(chords, program, random.choice((None, None, 2) if energy < 0 else (None, 1, 0.5)))
    if family == "strings":
        if energy > 0.2 and random.random() < 0.5:
            return layers.ostinato(chords, random.choice((48, 49, 45, 43)), random.choice((50, 55, 62)), step, random)
        return layers.held(chords, program, random.choice((56, 60, 64, 67)))
    centre = random.choice((55, 58, 60, 64))
    if energy > 0.2 and random.random() < 0.5:
        return layers.pulse(chords, program, centre, random.choice((1, 0.5)), random.choice((0.5, 0.9)))
    if random.random() < 0.3:
        return layers.held(chords, program, centre)
    return layers.arpeggio(chords, program, centre, step, random)


def shorten_chords(notes):
    """No three notes struck together are two beats long, or near it: only the chords of boundaries are."""
    together = Counter(round(note.start * 4) for note in notes if note.end - note.start > LONGEST)
    return [note._replace(end=note.start + LONGEST) if note.end - note.start > LONGEST and
            sum(together[round(note.start * 4) + near] for near in (-1, 0, 1)) >= 3 else note for note in notes]


def make_parts(chords, bars, groove, band, families, tempo, levels, random):
    """For each level, every family's accompaniment from beginning to end: the groove's own, or layers."""
    parts = {family: [] for family in FAMILIES}
    for note in filter(None, map(usable, band)):
        parts[family_of(note.program)].append(note)
    sustained = None  # a whole piece of held chords, as quiet film music sometimes is
    if random.random() < (0.07 if groove.energy < 0 else 0.03):
        sustained = random.choice([family for family in families if family in ("piano", "guitar")] or ["piano"])
    sharp = sustained is None and random.random() < 0.88
    for family in families:
        if family == "drums":
            continue
        if len(parts[family]) < 0.7 * bars or random.random() < 0.06:
            parts[family] = texture(family, chords, tempo, groove.energy, random)
        elif family == "strings" and random.random() < 0.15:
            parts[family] += layers.held(chords, random.choice(LAYER_PROGRAMS["strings"]), 62)
        if family == sustained:
            parts[family] = layers.held(chords, random.choice(LAYER_PROGRAMS[family]), random.choice((55, 60, 64)))
    made = {1: parts}
    pitched = [family for family in families if family != "drums"]
    if 0 in levels:
        made[0] = dict(parts)
        for family in pitched if random.random() < 0.6 else pitched[:1]:
            made[0][family] = texture(family, chords, tempo, -0.8, random)
    if 2 in levels:
        made[2] = dict(parts)
        for family in random.sample(pitched, min(len(pitched), random.choice((1, 1, 2)))):
            if family == "bass":
                made[2][family] = layers.bass(chords, random.choice(LAYER_PROGRAMS["bass"]), 0.5)
            else:
                made[2][family] = parts[family] + texture(family, chords, tempo, 0.9, random)
    if sharp:
        for level in made.values():
            for family in ("piano", "guitar"):
                level[family] = shorten_chords(level[family])
    return made


def settle(pitches, low, high):
    """The octave shift that puts a tune between low and high."""
    middle = sum(pitches) / len(pitches)
    return round(((low + high) / 2 - middle) / 12) * 12


def play_tune(tune, sections, bar, taken, random):
    """The melody, given to the family each section names, by a program of its own, in that instrument's register."""
    programs = {family: random.choice([choice for choice in choices if choice not in taken] or choices)
                for family, choices in MELODY_PROGRAMS.items()}
    low_voice = programs["strings"] in (41, 42, 60, 66)  # viola, cello, horn, tenor saxophone
    ranges = {"piano": (60, 81), "guitar": (57, 76), "strings": (55, 76) if low_voice else (62, 86)}
    answers = random.random() < 0.15  # two instruments take turns, two bars each
    names = sorted({section.melody for section in sections if section.melody})
    notes = []
    for section in sections:
        if section.melody:
            for start, end, pitch in tune:
                if section.first * bar <= start < section.last * bar:
                    family = names[int(start // (2 * bar)) % len(names)] if answers else section.melody
                    move = settle([other[2] for other in tune], *ranges[family])
                    notes.append(Note(start, end, pitch + move, layers.VELOCITY, programs[family]))
    return notes


def tidy(notes, end):
    """One note a pitch at a time in each family, as the composer's roll has it; nothing after the end."""
    last, kept = {}, []
    for note in sorted(notes, key=lambda note: (note.start, note.end)):
        if not (0 <= note.start < end - 0.01 and 21 <= note.pitch <= 108 and note.end > note.start + 0.01):
            continue
        if note.end > end:
            note = note._replace(end=end)
        family = family_of(note.program)
        index = last.get((family, note.pitch))
        if index is not None and kept[index].end > note.start:
            if note.start - kept[index].start < 0.05:
                kept[index] = kept[index]._replace(end=max(note.end, kept[index].end))
                continue
            kept[index] = kept[index]._replace(end=note.start)
        last[family, note.pitch] = len(kept)
        kept.append(note)
    return kept


def limit_voices(notes, tune_program):
    """No more notes at once than hands have; the tune goes first."""
    sounding, kept = {family: [] for family in MOST_AT_ONCE}, []
    for note in sorted(notes, key=lambda note: (note.start, note.program != tune_program, note.pitch)):
        family = family_of(note.program)
        if family in MOST_AT_ONCE:
            now = [index for index in sounding[family] if kept[index].end > note.start + 0.01]
            if len(now) >= MOST_AT_ONCE[family]:
                oldest = min(now, key=lambda index: kept[index].start)
                if note.start - kept[oldest].start < 0.3:
                    sounding[family] = now
                    continue
                kept[oldest] = kept[oldest]._replace(end=note.start)
                now.remove(oldest)
            sounding[family] = [*now, len(kept)]
        kept.append(note)
    return kept


def calm_rush(notes, tempo, tune_program):
    """No second holds more notes than MOST_A_SECOND: those far from beats go first."""
    def weight(note):
        return (note.program == tune_program, round(note.start * 24) % 24 == 0, round(note.start * 24) % 12 == 0,
                note.end - note.start)
    seconds, kept = {}, []
    for note in notes:
        seconds.setdefault(int(note.start * 60 / tempo), []).append(note)
    for group in seconds.values():
        kept += sorted(group, key=weight)[-MOST_A_SECOND:]
    return sorted(kept)


def fit_channels(notes):
    """At most 15 pitched programs, as a MIDI file has channels: the rarest are played by another of their family."""
    counts = Counter(note.program for note in notes if note.program != DRUMS)
    stand_in = {}
    for program, _ in counts.most_common()[15:]:
        family = family_of(program)
        stand_in[program] = next((other for other, _ in counts.most_common(15) if family_of(other) == family), 0)
    return [note._replace(program=stand_in[note.program]) if note.program in stand_in else note for note in notes]


class Shears:
    """What is left out before boundaries, and where the rest comes to lie."""

    def __init__(self, planned):
        self.cuts = [(boundary.start - boundary.cut, boundary.start) for boundary in planned if boundary.cut]

    def time(self, time):
        return time - sum(min(last, time) - first for first, last in self.cuts if time > first)

    def notes(self, notes):
        if not self.cuts:
            return notes
        kept = []
        for note in notes:
            if any(first - 0.06 <= note.start < last - 0.06 for first, last in self.cuts):
                continue
            start = self.time(note.start)
            kept.append(note._replace(start=start, end=start + min(note.end, next(
                (first for first, _ in self.cuts if first > note.start), note.end)) - note.start))
        return kept


def final_chord(parts, chord, start, end, tempo, families, random):
    """Everybody arrives on the tonic and holds it."""
    held = chord._replace(start=start, end=end)
    for family in parts:
        program = boundaries.program_near(parts[family], start)
        parts[family] = boundaries.clear(parts[family], start, end)
        if family == "tune" and program is not None:
            last = max(parts["tune"], key=lambda note: note.start, default=None)
            pitch = boundaries.tone_near(held._replace(quality=""), last.pitch) if last else 72
            pitch += (chord.root - pitch + 6) % 12 - 6
            parts["tune"].append(Note(start, end, pitch, layers.VELOCITY, program))
        elif family == "drums" and program is not None:
            parts["drums"] += [Note(start, start + 0.2, pitch, layers.VELOCITY, DRUMS) for pitch in (49, 36)]
        elif family == "bass" and program is not None:
            parts["bass"] += layers.bass([held], program, None)
        elif family in ("piano", "guitar", "strings") and (program is not None or family in families):
            program = random.choice(LAYER_PROGRAMS[family][:3]) if program is None or family != "strings" else program
            parts[family] += layers.held([held], program, random.choice((55, 60, 64)))


def make_tempos(sections, stretches, tempo, slowing, length):
    """The tempo of each section, and a ritardando in the last bars where `slowing` is how far it goes."""
    tempos = {}
    for section, (start, _) in zip(sections, stretches):
        if not tempos or abs(list(tempos.values())[-1] - tempo * section.pace) > 0.5:
            tempos[start] = tempo * section.pace
    if slowing:
        end, pace = stretches[-1][0], list(tempos.values())[-1]
        steps = 6 if pace > 90 else 4
        for index in range(steps):
            tempos[max(end - steps + index, 0)] = pace * (1 - (1 - slowing) * (index + 1) / (steps + 1))
        tempos[end] = pace * slowing
    return sorted(tempos.items())


def make_metres(metre, planned, shears):
    """Short bars before boundaries."""
    metres, bar = {0: metre}, bar_length(metre)
    for boundary in planned:
        if boundary.cut:
            start = shears.time(boundary.start)
            metres[start - (bar - boundary.cut)] = boundaries.CUTS[metre][boundary.cut]
            metres[start] = metre
    return sorted(metres.items())


def assemble(chords, tune, sections, groove, band, families, tempo, metre, planned, key, mode, random):
    """The groove's notes, our layers, the tune, what leads to boundaries, and the boundaries, section by section."""
    bar = bar_length(metre)
    made = make_parts(chords, sections[-1].last, groove, band, families, tempo,
                      {section.level for section in sections}, random)
    parts = {family: [note for section in sections if family in section.families
                      for note in within(made[section.level][family], section.first * bar, section.last * bar)]
             for family in FAMILIES}
    for section, after in zip(sections, sections[1:]):  # who leaves does not sound on
        for family in set(section.families) - set(after.families):
            parts[family] = [note._replace(end=section.last * bar) if note.start < section.last * bar < note.end
                             else note for note in parts[family]]
    taken = {note.program for notes in parts.values() for note in notes}
    parts["tune"] = play_tune(tune, sections, bar, taken, random) if tune else []
    counts = Counter(note.program for note in parts["tune"])
    tune_program = counts.most_common(1)[0][0] if counts else None

    shears = Shears(planned)
    parts = {family: shears.notes(notes) for family, notes in parts.items()}
    chords = [chord._replace(start=shears.time(chord.start), end=shears.time(chord.end)) for chord in chords]
    chords = [chord for chord in chords if chord.end > chord.start + 1e-6]
    metres = make_metres(metre, planned, shears)
    stretches = [(shears.time(section.first * bar), shears.time(section.last * bar)) for section in sections]
    placed = [boundary._replace(start=shears.time(boundary.start)) for boundary in planned]

    holders = [family for family in families if family in ("piano", "guitar")] or ["piano"]
    if tune_program is not None and len(holders) > 1:
        holders = [family for family in holders if family != family_of(tune_program)]
    holder, all_stop = random.choice(holders), random.random() < 0.25
    programs = {family: random.choice(LAYER_PROGRAMS[family][:3]) for family in ("piano", "guitar")}
    programs = {family: program if program != tune_program else LAYER_PROGRAMS[family][2] for family, program in
                programs.items()}
    previous = 0
    for boundary in placed:
        context = boundaries.Context(chords, key, mode, tempo, previous)
        boundaries.prepare(parts, boundary, context, random)
        if random.random() < 0.15:
            holder = random.choice(holders)
        boundaries.strike(parts, boundary, context, holder, programs[holder], families, all_stop, random)
        previous = boundary.start
    start, length = stretches[-1]
    slowing = 0
    if random.random() < 0.85:
        liked = boundaries.possible(families, tune_program is not None)
        arrival = boundaries.Boundary(start, 0, boundaries.choose_ways(random, liked, groove.energy), 2, length - start)
        boundaries.prepare(parts, arrival, boundaries.Context(chords, key, mode, tempo, previous), random)
        final_chord(parts, boundaries.chord_at(chords, start), start, length, tempo, families, random)
        slowing = random.choice((0, 0.85, 0.75, 0.68, 0.6))
        placed.append(arrival)
    notes = [note for part in parts.values() for note in part]
    notes = calm_rush(tidy(limit_voices(tidy(notes, length), tune_program), length), tempo, tune_program)
    return Piece(fit_channels(notes), metres, make_tempos(sections, stretches, tempo, slowing, length), stretches,
                 placed, length, tune_program)

"""From accompaniment, tune and plan to the notes of the piece."""

from collections import Counter

import layers
from band import within
from midi import DRUMS, FAMILIES, Note, family_of
from songs import bar_length

CUT_BAR = {(4, 4): ((3, 4), (2, 4)), (3, 4): ((2, 4),), (6, 8): ((3, 8),)}
MELODY_PROGRAMS = {"piano": (0, 0, 1, 4), "guitar": (24, 25, 26, 27),
                   "strings": (73, 73, 40, 40, 42, 68, 71, 60, 48, 56, 66, 46)}
LAYER_PROGRAMS = {"piano": (0, 0, 1, 4, 5), "guitar": (24, 24, 25, 26, 27), "strings": (48, 48, 49, 44, 50, 52, 89, 19),
                  "bass": (32, 33, 33, 35, 38, 39)}
# Programs the composer does not hear, played by the nearest one it does.
STAND_INS = {104: 24, 105: 25, 106: 25, 107: 24, 108: 12, 109: 68, 110: 40, 111: 68}
STAND_INS.update({program: 89 for program in range(96, 104)})


def usable(note):
    """The note as the composer's families can have it, or None; drum notes are given a length, mma's have none."""
    program = STAND_INS.get(note.program, note.program)
    end = max(note.end, note.start + 0.1) if program == DRUMS else note.end
    return note._replace(program=program, end=end) if family_of(program) else None


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
    if random.random() < 0.5:
        return layers.held(chords, program, centre)
    return layers.arpeggio(chords, program, centre, step, random)


def silence(notes, first, last):
    """No note begins from `first` to `last`, and none sounds into it."""
    return [note._replace(end=min(note.end, first)) if note.start < first else note
            for note in notes if not first - 0.1 <= note.start < last]


def make_parts(chords, bars, groove, band, families, tempo, random):
    """Every family's accompaniment from beginning to end: the groove's own, or a layer where it has none."""
    parts = {family: [] for family in FAMILIES}
    for note in filter(None, map(usable, band)):
        parts[family_of(note.program)].append(note)
    sustained = None  # a whole piece of held chords, as quiet film music often is
    if random.random() < (0.25 if groove.energy < 0 else 0.1):
        sustained = random.choice([family for family in families if family in ("piano", "guitar")] or ["piano"])
    sharp = sustained is None and random.random() < 0.6
    for family in families:
        if family == "drums":
            continue
        if len(parts[family]) < 0.7 * bars or random.random() < 0.06:
            parts[family] = texture(family, chords, tempo, groove.energy, random)
        elif family == "strings" and random.random() < 0.15:
            parts[family] += layers.held(chords, random.choice(LAYER_PROGRAMS["strings"]), 62)
        if family == sustained:
            parts[family] = layers.held(chords, random.choice(LAYER_PROGRAMS[family]), random.choice((55, 60, 64)))
        if sharp and family in ("piano", "guitar"):
            # Nothing but the chords that mark boundaries is as long as they are: the sign stays clear.
            parts[family] = [note._replace(end=min(note.end, note.start + 1.75)) for note in parts[family]]
    return parts


def choose_holds(chords, sections, bar, tempo, random):
    """Where chords are struck and held: at openings of sections, and in some pieces on chords between."""
    rate = random.choice((0, 0, 0.1, 0.2))
    holds = []
    for section in sections:
        first, last = section.first * bar, section.last * bar
        opening = True
        for chord in chords:
            start, end = max(chord.start, first), min(chord.end, last, max(chord.start, first) + 2 * bar)
            if chord.end <= first + 1e-6 or start >= last or end - start < 2:
                continue
            wanted = section.hold if opening and start == first else random.random() < rate
            if wanted and (not holds or (start - holds[-1].start) * 60 / tempo > 1.5):
                holds.append(chord._replace(start=start, end=end))
            opening = False
    return holds


def hold_chord(notes, chord, holder, families, all_stop, random):
    """`holder` strikes the chord and holds it; in an all-stop only strings and tune go on."""
    voices = layers.held([chord], random.choice(LAYER_PROGRAMS[holder][:3]), random.choice((55, 60, 62)))
    if random.random() < 0.4:  # deepen it by the root below
        lowest = min(voices)
        voices.append(lowest._replace(pitch=lowest.pitch - 1 - (lowest.pitch - 1 - chord.root) % 12))
    waiting = [holder] + [family for family in ("drums", "bass", "piano", "guitar") if all_stop and family != holder]
    kept = [note for note in notes if family_of(note.program) not in waiting]
    for family in waiting:
        part = [note for note in notes if family_of(note.program) == family]
        first = chord.start + (0.15 if family == "drums" else 0)  # drums may mark the moment itself
        kept += silence(part, first, chord.end)
    if all_stop and "bass" in families:
        voices += layers.bass([chord], random.choice(LAYER_PROGRAMS["bass"]), None)
    return kept + voices


def settle(pitches, low, high):
    """The octave shift that puts a tune between low and high."""
    middle = sum(pitches) / len(pitches)
    return round(((low + high) / 2 - middle) / 12) * 12


def play_tune(tune, sections, bar, random):
    """The melody, given to the family each section names, in that instrument's register."""
    programs = {family: random.choice(choices) for family, choices in MELODY_PROGRAMS.items()}
    low_voice = programs["strings"] in (42, 60, 66)  # cello, horn, tenor saxophone
    ranges = {"piano": (60, 81), "guitar": (57, 76), "strings": (55, 76) if low_voice else (62, 86)}
    notes = []
    for section in sections:
        if section.melody:
            move = settle([pitch for _, _, pitch in tune], *ranges[section.melody])
            notes += [Note(start, end, pitch + move, layers.VELOCITY, programs[section.melody])
                      for start, end, pitch in tune if section.first * bar <= start < section.last * bar]
    return notes


def tidy(notes, end):
    """One note a pitch at a time in each family, as the composer's roll has it; nothing after the end."""
    last, kept = {}, []
    for note in sorted(notes, key=lambda note: (note.start, note.end)):
        if not (0 <= note.start < end - 0.01 and 21 <= note.pitch <= 108 and note.end > note.start + 0.01):
            continue
        note = note._replace(end=min(note.end, end))
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


def fit_channels(notes):
    """At most 15 pitched programs, as a MIDI file has channels: the rarest are played by another of their family."""
    counts = Counter(note.program for note in notes if note.program != DRUMS)
    stand_in = {}
    for program, _ in counts.most_common()[15:]:
        family = family_of(program)
        stand_in[program] = next((other for other, _ in counts.most_common(15) if family_of(other) == family), 0)
    return [note._replace(program=stand_in.get(note.program, note.program)) for note in notes]


def assemble(chords, tune, sections, groove, band, families, tempo, metre, random):
    """The groove's notes, our layers, the tune and the held chords, section by section."""
    bar = bar_length(metre)
    parts = make_parts(chords, sections[-1].last, groove, band, families, tempo, random)
    notes = [note for section in sections for family in section.families
             for note in within(parts[family], section.first * bar, section.last * bar)]
    if tune:
        notes += play_tune(tune, sections, bar, random)
    holders = [family for family in families if family in ("piano", "guitar")] or ["piano"]
    holder = random.choice(holders)
    all_stop = random.random() < 0.3  # in some pieces everybody waits on the held chord
    for chord in choose_holds(chords, sections, bar, tempo, random):
        if random.random() < 0.2:
            holder = random.choice(holders)
        notes = hold_chord(notes, chord, holder, families, all_stop, random)
    return fit_channels(tidy(notes, sections[-1].last * bar))


def cut_bars(notes, sections, metre, random):
    """In some pieces phrases end a beat or two early, as film cues do to meet a cut. Returns notes, metres, length."""
    bar = bar_length(metre)
    length, metres = sections[-1].last * bar, [(0, metre)]
    if random.random() < 0.15:
        for section in reversed(sections[1:-2]):
            if random.random() < 0.5:
                short = random.choice(CUT_BAR[metre])
                end, loss = section.last * bar, bar - bar_length(short)
                notes = [note._replace(end=min(note.end, end - loss)) if note.start < end - loss else
                         note._replace(start=note.start - loss, end=note.end - loss)
                         for note in notes if not end - loss <= note.start < end]
                later = [(time - loss, other) for time, other in metres[1:]]
                metres = [(0, metre), (end - bar, short), (end - loss, metre), *later]
                length -= loss
    return notes, metres, length

"""Standard MIDI Files as lists of notes: the little that arranging needs, and no more."""

import struct
from collections import namedtuple

# Times are in quarter notes. `program` is the General MIDI number 0..127, or DRUMS for the percussion channel.
Note = namedtuple("Note", "start end pitch velocity program")
DRUMS = -1
TICKS_PER_QUARTER = 192

FAMILIES = ("drums", "bass", "guitar", "piano", "strings")


def family_of(program):
    """The five families of the composer; None for percussive, effect and ethnic programs, which it does not hear."""
    if program == DRUMS:
        return "drums"
    if program < 8:
        return "piano"
    if 24 <= program < 32:
        return "guitar"
    if 32 <= program < 40:
        return "bass"
    if program >= 96:
        return None
    return "strings"


def read_variable(data, at):
    value = 0
    while True:
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at


def write_variable(value):
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def read_notes(path):
    """All notes of a file, and the number that were never switched off."""
    data = open(path, "rb").read()
    length, _, tracks, ticks = struct.unpack(">IHHH", data[4:14])
    at, notes, stuck = 8 + length, [], 0
    for _ in range(tracks):
        end = at + 8 + struct.unpack(">I", data[at + 4:at + 8])[0]
        at += 8
        now, status, programs, sounding = 0, 0, [0] * 16, {}
        while at < end:
            delta, at = read_variable(data, at)
            now += delta
            if data[at] >= 0x80:
                status, at = data[at], at + 1
            if status in (0xFF, 0xF0, 0xF7):
                at += status == 0xFF
                size, at = read_variable(data, at)
                at += size
                continue
            kind, channel = status >> 4, status & 15
            first, second = data[at], data[at + 1] if kind not in (0xC, 0xD) else 0
            at += 1 if kind in (0xC, 0xD) else 2
            if kind == 0xC:
                programs[channel] = first
            elif kind in (0x8, 0x9):
                key = channel, first
                if key in sounding:
                    begun, velocity, program = sounding.pop(key)
                    if now > begun:
                        notes.append(Note(begun / ticks, now / ticks, first, velocity, program))
                if kind == 0x9 and second:
                    sounding[key] = now, second, DRUMS if channel == 9 else programs[channel]
        stuck += len(sounding)
        at = end
    return sorted(notes), stuck


def seconds_at(tempos, time):
    """When a time in quarter notes comes, under tempos as (time, quarter notes a minute), the first at 0."""
    total = 0.0
    for (start, tempo), end in zip(tempos, [later for later, _ in tempos[1:]] + [float("inf")]):
        if time > start:
            total += (min(time, end) - start) * 60 / tempo
    return total


def write_file(path, notes, *, title, tempos, metres, fifths, minor):
    """One key, tempos and metres as (time, value); a track for every program: no channel changes its instrument."""
    def meta(kind, body):
        return b"\xff" + bytes([kind]) + write_variable(len(body)) + body

    conductor = [
        (0, meta(0x03, title.encode("ascii", "replace")[:60])),
        (0, meta(0x59, struct.pack(">bB", fifths, minor))),
    ]
    conductor += [(round(time * TICKS_PER_QUARTER), meta(0x58, bytes([beats, unit.bit_length() - 1, 24, 8])))
                  for time, (beats, unit) in metres]
    conductor += [(round(time * TICKS_PER_QUARTER), meta(0x51, struct.pack(">I", round(60e6 / tempo))[1:]))
                  for time, tempo in tempos]
    conductor.sort(key=lambda event: event[0])
    tracks = [conductor]
    channels = [channel for channel in range(16) if channel != 9]
    for program in sorted({note.program for note in notes}):
        channel = 9 if program == DRUMS else channels.pop(0)
        events = [] if program == DRUMS else [(0, bytes([0xC0 | channel, program]))]
        timed = []
        for note in notes:
            if note.program == program:
                start, end = (round(time * TICKS_PER_QUARTER) for time in (note.start, note.end))
                timed.append((start, 1, bytes([0x90 | channel, note.pitch, note.velocity])))
                timed.append((max(end, start + 1), 0, bytes([0x80 | channel, note.pitch, 0])))
        # At equal times a note ends before the next begins: that is what the 0 and 1 are for.
        tracks.append(events + [(time, body) for time, _, body in sorted(timed)])
    with open(path, "wb") as out:
        out.write(b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS_PER_QUARTER))
        for track in tracks:
            now, body = 0, b""
            for time, event in track:
                body += write_variable(time - now) + event
                now = time
            body += b"\x00" + meta(0x2F, b"")
            out.write(b"MTrk" + struct.pack(">I", len(body)) + body)

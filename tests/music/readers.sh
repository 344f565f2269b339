#!/bin/sh
# Does a score open in the programs of others, and do they find the same in it?
#     readers.sh SCORE.mid SECONDS
# Readers: mido (python3-mido) and midicsv. Exit 77 when one is missing.
score=$1 seconds=$2
command -v midicsv >/dev/null ||
    { echo 'skipped: needs midicsv (apt-get install midicsv)'; exit 77; }
python=
for p in python3 /usr/bin/python3; do
    "$p" -c 'import mido' 2>/dev/null && python=$p && break
done
[ -n "$python" ] ||
    { echo 'skipped: needs mido (apt-get install python3-mido)'; exit 77; }

csv=$(midicsv "$score" 2>&1) || { echo "midicsv: $csv"; exit 1; }
count() { printf '%s\n' "$csv" | grep -c "$1"; }
of_csv="notes $(printf '%s\n' "$csv" | grep 'Note_on_c' | grep -vc ', 0$')
markers $(count Marker_t) cues $(count Cue_point_t)
tempi $(count ', Tempo,') keys $(count Key_signature)
offsets $(count SMPTE_offset) expressions $(count 'Control_c, [0-9]*, 11,')"
of_mido=$("$python" - "$score" "$seconds" <<'END'
import sys, mido
score = mido.MidiFile(sys.argv[1])
assert score.type == 1 and score.ticks_per_beat == 480
assert abs(score.length - float(sys.argv[2])) < 1e-4, score.length
ends = {sum(m.time for m in t) for t in score.tracks}
assert len(ends) == 1, ends
all = [m for t in score.tracks for m in t]
def count(kind, test=lambda m: True):
    return sum(m.type == kind and test(m) for m in all)
print("notes", count("note_on", lambda m: m.velocity > 0))
print("markers", count("marker"), "cues", count("cue_marker"))
print("tempi", count("set_tempo"), "keys", count("key_signature"))
print("offsets", count("smpte_offset"), "expressions",
      count("control_change", lambda m: m.control == 11))
END
) || exit 1
[ "$of_csv" = "$of_mido" ] && echo "both readers:" && echo "$of_csv" && exit
echo 'midicsv found'; echo "$of_csv"; echo 'mido found'; echo "$of_mido"
exit 1

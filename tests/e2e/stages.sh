#!/bin/sh
# The five stages by hand give what `score` gives; streams, length and notes
# are what the README promises.
. "$(dirname "$0")/lib.sh"
source=$3 # the demo film

works "score" film.mp4 score "$source" -o film.mp4 --keep kept --report report.json --seed 7 --threads 2 \
    --candidates 1
ok "the cut table is printed" grep -q 'error' out.txt
for name in analysis.json plan.json score.mid mix.wav; do
    ok "kept: $name" [ -s "kept/$name" ]
done
ok "kept: stems" [ "$(find kept/stems -name '*.wav' | wc -l)" -ge 2 ]

frame=0.0417
ok "length to one frame" close_to "$(seconds_of film.mp4)" "$(seconds_of "$source")" "$frame"
ok "length of the mix" close_to "$(seconds_of kept/mix.wav)" "$(seconds_of "$source")" 0.001
packets() { ffmpeg -v error -i "file:$1" -map 0:v -c copy -f md5 - </dev/null; }
ok "video stream copied" [ "$(packets film.mp4)" = "$(packets "$source")" ]
worst=$(grep -o '"error_ms": *[-0-9.]*' report.json | awk -F: '{e = $2 < 0 ? -$2 : $2; if (e > w) w = e} END {print w + 0}')
ok "every hit within a frame: worst is $worst ms" close_to "$worst" 0 41.7
ok "there are hits" grep -q '"cut"' report.json

works "analyze" a.json analyze "$source" -o a.json
works "plan" p.json plan a.json -o p.json --seed 7
works "compose, one thread" s.mid compose p.json -o s.mid --threads 1 \
    --candidates 1
works "render" m.wav render s.mid -o m.wav
works "render: FLAC" m.flac render s.mid -o m.flac
works "render: Opus" m.opus render s.mid -o m.opus
decoded() { ffmpeg -v error -i "$1" -f s32le - </dev/null | cksum; }
loudness() {
    ffmpeg -nostdin -hide_banner -i "$1" -af ebur128 -f null - 2>&1 |
        awk '$1 == "I:" {i = $2} END {print i}'
}
ok "FLAC decodes to the samples of the WAV" [ "$(decoded m.flac)" = "$(decoded m.wav)" ]
ok "Opus is as long" close_to "$(seconds_of m.opus)" "$(seconds_of m.wav)" 0.021
ok "Opus is as loud" close_to "$(loudness m.opus)" "$(loudness m.wav)" 0.2
works "mux" o.mp4 mux "$source" m.wav -o o.mp4
works "mux, restoring" r.mp4 mux "$source" m.wav -o r.mp4 --enhance-original
ok "same analysis" cmp -s a.json kept/analysis.json
ok "same plan" cmp -s p.json kept/plan.json
ok "same score on one thread as on two" cmp -s s.mid kept/score.mid
ok "same mix from the MIDI as from memory" cmp -s m.wav kept/mix.wav
works "another seed" p8.json plan a.json -o p8.json --seed 8
works "composes" s8.mid compose p8.json -o s8.mid --candidates 1
ok "another seed, another score" sh -c '! cmp -s s.mid s8.mid'

finish

#!/bin/sh
# Bad input: one sentence, exit 1, nothing half-written; odd input: works.
. "$(dirname "$0")/lib.sh"

film good.mp4 3

refused "no such file" o.mp4 score nothing.mp4 -o o.mp4
: >empty.mp4
refused "empty file" o.mp4 score empty.mp4 -o o.mp4
echo "this is a letter, not a film" >text.mp4
refused "text renamed" o.mp4 score text.mp4 -o o.mp4
head -c 20000 /dev/urandom >noise.mp4
refused "noise renamed" o.mp4 score noise.mp4 -o o.mp4
head -c 3000 good.mp4 >headless.mp4 # the index is at the end of the file
refused "truncated, index lost" o.mp4 score headless.mp4 -o o.mp4
refused "a folder" o.mp4 score . -o o.mp4
ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120 -frames:v 1 still.png
refused "picture only" o.mp4 score still.png -o o.mp4
cp good.mp4 same.mp4
sum=$(cksum <same.mp4)
run score same.mp4 -o same.mp4 -y
ok "output is the input: refused" [ "$status" -eq 1 ]
ok "output is the input: untouched" [ "$(cksum <same.mp4)" = "$sum" ]

refused "target in no folder" none/o.mp4 score good.mp4 -o none/o.mp4
mkdir taken
run score good.mp4 -o taken -y
ok "target is a folder" [ "$status" -eq 1 ]
refused "unknown container" o.xyz score good.mp4 -o o.xyz
refused "missing SoundFont" o.mp4 score good.mp4 -o o.mp4 --soundfont no.sf2
ok "missing SoundFont: names it" says no.sf2
echo "not a bank" >bad.sf2
refused "broken SoundFont" o.mp4 score good.mp4 -o o.mp4 --soundfont bad.sf2
refused "missing model" o.mp4 score good.mp4 -o o.mp4 --model no.safetensors
head -c 5000 /dev/urandom >bad.safetensors
refused "damaged weights" o.mp4 score good.mp4 -o o.mp4 --model bad.safetensors
# a well-formed file whose one tensor is no tensor of the model
printf '\100\0\0\0\0\0\0\0{"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}    12345678' >odd.safetensors
refused "wrong tensor shapes" o.mp4 score good.mp4 -o o.mp4 --model odd.safetensors

: >kept.mp4
run score good.mp4 -o kept.mp4
ok "existing output without -y: refused" [ "$status" -eq 1 ]
ok "existing output without -y: untouched" [ ! -s kept.mp4 ]

refused "not an analysis" p.json plan text.mp4 -o p.json
echo '{"format": "emsync-plan", "version": 1}' >half.json
refused "half a plan" s.mid compose half.json -o s.mid
ok "half a plan: says where" says half.json
refused "not a score" m.wav render text.mp4 -o m.wav
refused "not a WAV" o.mp4 mux good.mp4 text.mp4 -o o.mp4

# A file-size limit stands in for a full disk.
(
    ulimit -f 20 # blocks of 512 bytes
    trap '' XFSZ
    refused "full disk" o.mp4 score good.mp4 -o o.mp4 --keep kept
    finish >/dev/null
) || failed=$((failed + 1))

# Odd, but right.
works "truncated at the end" cut.mkv score good.mp4 -o cut.mkv
size=$(wc -c <cut.mkv)
head -c $((size / 2)) cut.mkv >half.mkv
works "half a matroska file" half-out.mkv score half.mkv -o half-out.mkv
film short.mp4 0.3
works "0.3 s" short-out.mp4 score short.mp4 -o short-out.mp4
ok "0.3 s: length" close_to "$(seconds_of short-out.mp4)" "$(seconds_of short.mp4)" 0.05
ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=24:d=1 -frames:v 1 -c:v mpeg4 one.mp4
works "one frame" one-out.mp4 score one.mp4 -o one-out.mp4
ffmpeg -v error -y -f lavfi -i testsrc2=s=64x48:r=1:d=7200 -c:v mpeg4 long.mp4
works "two hours: analysis" long.json analyze long.mp4 -o long.json
ok "two hours: length" grep -q '"duration": 7200' long.json
works "two hours: plan" long-plan.json plan long.json -o long-plan.json
ffmpeg -v error -y -i good.mp4 -an -c copy mute.mp4
works "no sound" mute-out.mp4 score mute.mp4 -o mute-out.mp4
ffmpeg -v error -y -i good.mp4 -vn sound.m4a
works "sound only: analysis" sound.json analyze sound.m4a -o sound.json
works "sound only: score" sound-out.m4a score sound.m4a -o sound-out.m4a

for name in "two  words.mp4" "quote's \"film\".mp4" "line
break.mp4" "semi;colon&\$(x).mp4" "http:film.mp4" "100%d.mp4"; do
    cp good.mp4 "$name"
    works "name: $name" "out $name" score "$name" -o "out $name" --keep "keep $name"
done
cp good.mp4 ./-dash.mp4
works "name with a leading dash" ./-out.mp4 score -o ./-out.mp4 -- -dash.mp4

finish

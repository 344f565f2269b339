#!/bin/sh
# docs/EDITING.md as it is walked: analyse, move a hit, darken a scene,
# recompose a section, render, mux; the schema; what is refused by its place.
. "$(dirname "$0")/lib.sh"
source=$3 # the demo film
schema=$4

works "analyze" analysis.json analyze "$source" -o analysis.json
works "plan" plan.json plan analysis.json -o plan.json
works "compose" score.mid compose plan.json -o score.mid --candidates 1
works "look at it" sync.svg evaluate sync plan.json score.mid --picture sync.svg --film "$source"
ok "the strip has pictures" grep -q 'data:image/jpeg' sync.svg
cp plan.json first.json

# change KEY FROM TO: in plan.json, once and only there
change() {
    ok "plan has $2" grep -q "$2" plan.json
    sed "s|$2|$3|" plan.json >changed.json && mv changed.json plan.json
}
hits_met() { # of the plan's hits, by the score
    "$emsync" evaluate sync plan.json "$1" --report met.json -y >/dev/null
    grep -A4 '"hits_met"' met.json | grep -q '"within_frame": 1.0'
}

# the hit at 14 s, the first line after "hits" that says so
awk '/"hits"/ {h = 1} /\]/ {h = 0} h {sub(/14\.0$/, "14.4")} {print}' plan.json >changed.json
ok "a hit was moved" sh -c '! cmp -s plan.json changed.json'
mv changed.json plan.json
run plan --check plan.json
ok "moved: nothing contradicts itself" [ "$status" -eq 0 ]
works "moved" moved.mid compose plan.json -o moved.mid --candidates 1 --keep score.mid
ok "moved: another score" sh -c '! cmp -s score.mid moved.mid'
ok "moved: hits are met" hits_met moved.mid
works "nothing more to do" again.mid compose plan.json -o again.mid --candidates 1 --keep moved.mid
ok "the same bytes" cmp -s moved.mid again.mid

change key '"valence": 0\.[0-9]*' '"valence": -0.6'
works "darkened" dark.mid compose plan.json -o dark.mid --candidates 1 --keep moved.mid --section 1
ok "darkened: another score" sh -c '! cmp -s dark.mid moved.mid'
ok "darkened: hits are met" hits_met dark.mid
works "locked" locked.mid compose plan.json -o locked.mid --candidates 1 --keep dark.mid --section 1 --lock drums,bass,guitar,piano,strings
ok "everything locked: the same bytes" cmp -s dark.mid locked.mid
works "render" mix.wav render dark.mid -o mix.wav
works "mux" out.mp4 mux "$source" mix.wav -o out.mp4
ok "length" close_to "$(seconds_of out.mp4)" "$(seconds_of "$source")" 0.0417

# refused_plan WHAT PLACE FROM TO: plan.json with one thing changed
refused_plan() {
    sed "s|$3|$4|" first.json >bad.json
    ok "$1: it was changed" sh -c '! cmp -s bad.json first.json'
    refused "$1" bad.mid compose bad.json -o bad.mid
    ok "$1: says where" says "$2"
    run plan --check bad.json
    ok "$1: --check finds it" [ "$status" -eq 1 ]
}
refused_plan "emotion out of range" 'curve\[0\].valence' '"valence": [-0-9.]*' '"valence": 2'
refused_plan "unknown instrument" 'sections\[0\].families' '"strings"' '"oboe"'
refused_plan "unknown key" 'sections\[0\].key' '"key": "[^"]*"' '"key": "H minor"'
refused_plan "lock on a section that is gone" 'locks\[0\].section' '"ending": {' '"locks": [{"section": 99, "families": ["bass"]}], "ending": {'
refused_plan "hits closer than a beat" 'hits\[' '"time": 9.5$' '"time": 6.1'
refused_plan "time outside the film" 'hits\[' '"time": 25.5$' '"time": 99'

# refused_list WHAT PLACE FILE LINES
refused_list() {
    printf '%b' "$4" >"$3"
    refused "$1" listed.json plan analysis.json -o listed.json --cut-list "$3"
    ok "$1: says where" says "$2"
}
refused_list "a cut outside the film" "outside the film" l.txt '3\n99\n'
refused_list "a cut that is no number" "line 2" n.txt '3\nnan\n'
refused_list "an impossible drop-frame timecode" "00:01:00;00" d.edl 'TITLE: x\nFCM: DROP FRAME\n001 AX V C 00:00:00;00 00:00:01;00 00:01:00;00 00:01:01;00\n'
printf '14\n6\n9.5\n6\n' >odd.txt
works "unsorted and doubled cuts" odd.json plan analysis.json -o odd.json --cut-list odd.txt
ok "three cuts of four" [ "$(grep -c '"kind": "cut"' odd.json)" -eq 3 ]

python=
for p in python3 /usr/bin/python3; do
    "$p" -c 'import jsonschema' 2>/dev/null && python=$p && break
done
if [ -n "$python" ]; then
    valid() { # valid PLAN: so says the schema
        "$python" - "$schema" "$1" <<'END'
import json, sys, jsonschema
schema, plan = (json.load(open(f)) for f in sys.argv[1:])
jsonschema.Draft202012Validator.check_schema(schema)
sys.exit(not jsonschema.Draft202012Validator(schema).is_valid(plan))
END
    }
    ok "schema: the plan" valid first.json
    ok "schema: the edited plan" valid plan.json
    ok "schema: the plan of a list" valid odd.json
    works "paper" paper.json plan analysis.json -o paper.json --sync paper
    ok "schema: the paper's plan" valid paper.json
    for change in '"valence": [-0-9.]*|"valence": 2' '"strings"|"oboe"' \
        '"key": "[^"]*"|"key": "H minor"' '"sync": "exact"|"sync": "loose"' \
        '"seed": [0-9]*|"seed": -1' '"kind": "cut"|"kind": "jump"'; do
        sed "s|$change|" first.json >bad.json
        ok "schema refuses: $change" sh -c '! cmp -s bad.json first.json'
        if valid bad.json; then ok "schema refuses: $change" false; fi
    done
else
    echo "without the schema: needs python3-jsonschema"
fi

finish

# Both fusions from a folder of films made here, by features that need no
# network: red and loud films are anger, dark and silent ones sadness ...
. "$(dirname "$0")/lib.sh"

# film NAME COLOUR HZ VOLUME: two seconds
film() {
    ffmpeg -v error -nostdin -y -f lavfi -i "color=$2:s=64x48:r=8:d=2" \
        -f lavfi -i "sine=$3:d=2" -af "volume=$4" -c:v libx264 \
        -preset ultrafast -c:a aac -shortest "films/$1.mp4"
}

mkdir films
echo 'file,emotion,valence,arousal' >emotions.csv
echo 'file,genres' >genres.csv
for i in 1 2 3 4 5 6 7 8; do
    film "red$i" "0xd0${i}020" $((900 + 40 * i)) 1
    film "dark$i" "0x0${i}0818" $((120 + 5 * i)) 0.02
    film "gold$i" "0xf0d${i}60" $((400 + 20 * i)) 0.3
    echo "red$i,anger,-0.6,0.7
dark$i.mp4,sadness,-0.7,-0.7
gold$i,joy,0.8,0.3" >>emotions.csv
    echo "red$i,Action|Loud
dark$i,Drama
gold$i,Comedy|Loud" >>genres.csv
done
ffmpeg -v error -nostdin -y -f lavfi -i color=0xe0c060:s=64x48 -frames:v 1 films/picture.png
echo 'picture,joy,0.7,0.2' >>emotions.csv
small='--experts grammar,tone --width 16 --heads 2 --epochs 40 --lr 5e-3'

works 'train emotion' e.st train emotion films --labels emotions.csv \
    -o e.st $small --folds 4 --report e.json --text e.txt --picture e.svg
ok 'features are kept' [ "$(ls films/.emsync | wc -l)" -eq 25 ]
ok 'emotions are learned' grep -q '"accuracy": \(1\|0\.[89]\)' e.json
ok 'a confusion matrix' grep -q sadness e.txt
ok 'a picture' grep -q '</svg>' e.svg
cp e.st first.st
works 'the same again, from what was kept' e.st train emotion films \
    --labels emotions.csv -o e.st $small --folds 4 -y
ok 'equal weights' cmp -s e.st first.st

works 'train genre' g.st train genre films --labels genres.csv -o g.st \
    $small --inner 32 --folds 4 --report g.json
ok 'genres are learned' grep -q '"map": \(1\|0\.[89]\)' g.json

# what a fusion learned from must be there again
works 'analyze by the new fusion' a.json analyze films/gold1.mp4 -o a.json \
    --experts none --fusion e.st
ok 'joy wins' sh -c "tr -d ' \n' <a.json | grep -q '\"joy\":\(1\|0\.[6-9]\)'"
ok 'with an uncertainty' grep -q valence_sd a.json
sed 's/emsync-tone-1/emsync-tone-0/' e.st >other.st
refused 'features of another expert' b.json analyze films/gold1.mp4 \
    -o b.json --experts none --fusion other.st
ok 'it says which' says 'learned from another expert "tone"'

# broken tables
refused 'no table' x.st train emotion films --labels none.csv -o x.st
echo 'file,emotion
red1,furious' >bad.csv
refused 'no such emotion' x.st train emotion films --labels bad.csv -o x.st
ok 'it says what there is' says 'line 2: "furious" is none of anger'
echo 'film,emotion' >bad.csv
refused 'no column' x.st train emotion films --labels bad.csv -o x.st
echo 'file,emotion
nothere,joy' >bad.csv
refused 'no film' x.st train emotion films --labels bad.csv -o x.st $small
ok 'it says so' says 'not one of the 1 files'
head -c 300 /dev/urandom >bad.csv
refused 'noise' x.st train genre films --labels bad.csv -o x.st $small
refused 'no such expert' x.st train emotion films --labels emotions.csv \
    -o x.st --experts nose

finish

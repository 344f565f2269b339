// make.js HUMAN_MODELS SCENE_MODEL PICTURE WIDTH HEIGHT OUT - what TensorFlow.js
// 4.22 computes with the original graphs of the default experts; test_reference.c
// compares the converted ones. PICTURE: raw RGB, the still of the Sintel trailer
// at 15 s (EMS_DUMP=FILE test_experts_reference writes it).
//   npm install @tensorflow/tfjs@4.22.0 && node make.js ...
'use strict';
const fs = require('fs');
const path = require('path');
const crypto = require('crypto');
const tf = require('@tensorflow/tfjs');

const [human, scene, picture, width, height, out] = process.argv.slice(2);
const rgb = fs.readFileSync(picture), W = +width, H = +height;
const call = 'StatefulPartitionedCall';
const NETWORKS = {
  'face-detector': { file: path.join(human, 'blazeface.json'), side: 256, from: -1, to: 1,
    nodes: ['Identity', 'Identity_1', 'Identity_2', 'Identity_3'] },
  faces: { file: path.join(human, 'emotion.json'), side: 64, from: -1, to: 1, grey: true,
    nodes: ['Identity'] },
  body: { file: path.join(human, 'movenet-lightning.json'), side: 192, from: 0, to: 255,
    type: 'int32', nodes: ['Identity'] },
  scene: { file: path.join(scene, 'model.json'), side: 224, from: 0, to: 1,
    nodes: [`${call}/sequential/keras_layer/${call}/${call}/${call}/predict/MobilenetV2/expanded_conv_15/expand/Relu6`] },
  objects: { file: path.join(human, 'centernet.json'), side: 512, from: 0, to: 255,
    nodes: ['tower_0/extern1/hard_swish/mul_1', 'tower_0/keypoints'] },
};

function load(file) {
  const model = JSON.parse(fs.readFileSync(file));
  const parts = [], specs = [];
  for (const group of model.weightsManifest) {
    for (const p of group.paths) parts.push(fs.readFileSync(path.join(path.dirname(file), p)));
    specs.push(...group.weights);
  }
  const all = Buffer.concat(parts);
  return tf.loadGraphModel({ load: async () => ({
    ...model, weightSpecs: specs,
    weightData: all.buffer.slice(all.byteOffset, all.byteOffset + all.length) }) });
}

// The picture again and again, without scaling.
function input(n) {
  const channels = n.grey ? 1 : 3, values = [];
  for (let y = 0; y < n.side; y++)
    for (let x = 0; x < n.side; x++) {
      const at = 3 * ((y % H) * W + (x % W));
      const pixel = [rgb[at], rgb[at + 1], rgb[at + 2]];
      const grey = 0.2989 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
      for (const v of n.grey ? [grey] : pixel) values.push(n.from + (n.to - n.from) * v / 255);
    }
  return tf.tensor(values, [1, n.side, n.side, channels], n.type ?? 'float32');
}

async function main() {
  await tf.setBackend('cpu');
  const networks = {};
  for (const [name, n] of Object.entries(NETWORKS)) {
    const model = await load(n.file);
    const answers = [model.execute(input(n), n.nodes)].flat();
    networks[name] = { side: n.side, range: [n.from, n.to], grey: !!n.grey,
      type: n.type ?? 'float32', outputs: answers.map((t, i) => {
        const all = t.dataSync(), step = Math.max(1, Math.floor(all.length / 97));
        return { node: n.nodes[i], count: all.length, step,
          values: Array.from(all).filter((_, k) => k % step === 0).map((v) => +v.toPrecision(7)) };
      }) };
    console.log(name, 'done');
    fs.writeFileSync(out, JSON.stringify({ film: 'sintel-trailer.mp4', time: 15, width: W,
      height: H, sha256: crypto.createHash('sha256').update(rgb).digest('hex'), networks },
    null, 0).replace(/"networks"/, '\n"networks"').replace(/\},"/g, '},\n"') + '\n');
  }
}
main();

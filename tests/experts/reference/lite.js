// lite.js NETWORKS SSD >lite.json - what TensorFlow Lite itself (its
// WebAssembly build in npm @tensorflow/tfjs-tflite 0.0.1-alpha.10) computes
// with the networks that test_lite.c converts.
//   NETWORKS  the folder with yamnet.tflite and the two MobileNets
//   SSD       the detector's file, as tools/experts takes it from
//             @mediapipe/objectron
'use strict';
const fs = require('fs');
const path = require('path');
const lib = path.dirname(require.resolve('@tensorflow/tfjs-tflite/package.json'));
const wasm = path.join(lib, 'wasm', 'tflite_web_api_cc');

// The same numbers as input() of test_lite.c: a picture of waves and steps, a
// sound with edges.
function pixel(i) {
  const c = i % 3, x = (i / 3 | 0) % 256, y = i / 768 | 0;
  return (x * (c + 1) + y * 3 + (x * y >> 5) + (x >> 5 << 5)) & 255;
}
const sample = (i) => ((i * i >> 9 ^ i * 3) & 1023) / 1024 - 0.5;

async function main() {
  const M = await require(wasm + '.js')({ wasmBinary: fs.readFileSync(wasm + '.wasm') });
  const [folder, ssd] = process.argv.slice(2);
  const all = [['mobilenet_v1_embedding', 'uint8'], ['mobilenet_v2_imagenet', 'uint8'],
    ['yamnet', 'sound'], ['ssd', 'picture']];
  const out = {};
  for (const [name, kind] of all) {
    const bytes = fs.readFileSync(name === 'ssd' ? ssd : path.join(folder, name + '.tflite'));
    const at = M._malloc(bytes.length);
    M.HEAPU8.set(bytes, at);
    const made = M.TFLiteWebModelRunner.CreateFromBufferAndOptions(at, bytes.length,
      { numThreads: 1, enableProfiling: false, maxProfilingBufferEntries: 16 });
    if (!made.ok()) throw Error(made.errorMessage());
    const net = made.value();
    const input = net.GetInputs().get(0).data();
    for (let i = 0; i < input.length; i++)
      input[i] = kind === 'sound' ? sample(i) : kind === 'uint8' ? pixel(i) : pixel(i) / 127.5 - 1;
    if (!net.Infer()) throw Error(name + ' cannot run');
    const outputs = net.GetOutputs();
    out[name] = {};
    for (let k = 0; k < outputs.size(); k++) {
      const o = outputs.get(k), data = Array.from(o.data());
      const step = Math.max(1, data.length / 256 | 0);
      out[name][k] = { count: data.length, step,
        largest: data.reduce((a, b) => Math.max(a, Math.abs(b)), 0),
        values: data.filter((_, i) => i % step === 0).map((v) => +v.toPrecision(7)) };
    }
  }
  console.log(JSON.stringify(out));
}
main().catch((e) => { console.error(e); process.exit(1); });

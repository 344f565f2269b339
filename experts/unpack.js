// unpack.js FROM TO - the model that nsfwjs carries as JavaScript modules
// (model.min.js and its weight shards in base 64) as model.json and files.
// The modules run in an empty context: they can make values, nothing else.
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

function load(file) {
  const context = { module: { exports: {} } };
  context.exports = context.module.exports;
  vm.runInNewContext(fs.readFileSync(file, 'utf8'), context, { timeout: 20000 });
  return context.module.exports.default ?? context.module.exports;
}

const [from, to] = process.argv.slice(2);
const model = load(path.join(from, 'model.min.js'));
fs.writeFileSync(path.join(to, 'model.json'), JSON.stringify(model));
for (const group of model.weightsManifest)
  for (const shard of group.paths) {
    const name = path.basename(shard);
    const text = load(path.join(from, name + '.min.js'));
    fs.writeFileSync(path.join(to, name), Buffer.from(String(text), 'base64'));
  }

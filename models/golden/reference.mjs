// `node golden/reference.mjs > golden/reference.json` (in `models`, after `npm ci`): what the npm package itself computes, in its own tfjs on
// its own weights, for one drawn picture. src/engine/reference.rs holds the converted networks to these numbers.

import { readFile } from 'node:fs/promises';

const PACKAGE = new URL('../node_modules/@vladmandic/face-api/', import.meta.url);

// The bundle looks for a browser before it falls back to a part of Node that it does not carry.
globalThis.window = globalThis;
globalThis.document = {};
const log = console.log;
console.log = console.warn = console.info = () => {};
const faceapi = await import(new URL('dist/face-api.esm.js', PACKAGE));
const { tf, nets } = faceapi;
await tf.setBackend('cpu');
await tf.ready();
faceapi.env.monkeyPatch({ readFile: (path) => readFile(path) });
for (const net of [nets.ssdMobilenetv1, nets.faceLandmark68Net, nets.faceRecognitionNet]) {
  await net.loadFromDisk(new URL('model', PACKAGE).pathname);
}

// A face drawn with whole numbers only, so that Rust draws the same; src/engine/reference.rs has the same lines. Units are 1/1000 of the side.
function pixel(x, y, side) {
  const u = Math.floor((x * 1000) / side);
  const v = Math.floor((y * 1000) / side);
  const within = (cx, cy, rx, ry) => {
    const [dx, dy] = [(u - cx) * ry, (v - cy) * rx];
    return dx * dx + dy * dy <= rx * ry * rx * ry;
  };
  const grain = ((x * 7 + y * 13) % 17) + (((x * y) % 11) * 2);
  if (within(400, 430, 35, 18) || within(600, 430, 35, 18)) return [40 + grain, 30 + grain, 25 + grain];
  if (within(500, 660, 95, 28)) return [150 + grain, 60 + grain, 60 + grain];
  if (within(500, 550, 40, 25)) return [170 + grain, 120 + grain, 95 + grain];
  if (within(500, 520, 230, 300)) return [200 + grain, 150 + grain, 120 + grain];
  if (within(500, 440, 280, 330)) return [60 + grain, 40 + grain, 30 + grain];
  return [90 + grain, (v >> 3) + grain, (u >> 3) + grain];
}

function drawn(side) {
  const values = [];
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) values.push(...pixel(x, y, side));
  return new faceapi.NetInput([tf.tensor3d(values, [side, side, 3])]);
}

const rounded = (values) => Array.from(values, (value) => Number(value.toPrecision(7)));
const EVERY = 61; // Of 5118 boxes, these are kept, from all six heads and all anchors of a cell.
const { boxes: [boxes], scores: [scores] } = nets.ssdMobilenetv1.forwardInput(drawn(512));
const kept = Array.from({ length: Math.ceil(5118 / EVERY) }, (_, index) => index * EVERY);
const allBoxes = boxes.dataSync();
const allScores = scores.dataSync();
const best = allScores.indexOf(Math.max(...allScores));
const detector = [...kept, best].map((index) => ({
  index,
  score: Number(allScores[index].toPrecision(7)),
  box: rounded(allBoxes.slice(4 * index, 4 * index + 4)),
}));
const landmarks = rounded(nets.faceLandmark68Net.runNet(drawn(112)).dataSync());
const descriptor = rounded(nets.faceRecognitionNet.forwardInput(drawn(150)).dataSync());
log(JSON.stringify({ package: '@vladmandic/face-api@1.7.15', detector, landmarks, descriptor }));

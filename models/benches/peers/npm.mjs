// The npm package itself, with the fastest of its backends that needs no native build: reads a path a line, writes the faces a line.
// `node npm.mjs`, in one thread.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { loadImage, createCanvas } from '@napi-rs/canvas';

const require = createRequire(import.meta.url);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
console.log = console.warn = console.info = () => {};

const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
wasm.setWasmPaths(require.resolve('@tensorflow/tfjs-backend-wasm').replace(/[^/]*$/, ''));
wasm.setThreadsCount(1);
await tf.setBackend('wasm');
await tf.ready();
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');
const models = require.resolve('@vladmandic/face-api/package.json').replace(/package\.json$/, 'model');
for (const net of [faceapi.nets.ssdMobilenetv1, faceapi.nets.faceLandmark68Net, faceapi.nets.faceRecognitionNet]) {
  await net.loadFromDisk(models);
}
const options = new faceapi.SsdMobilenetv1Options({ minConfidence: 0.5, maxResults: 100 });

async function pixels(path) {
  const image = await loadImage(await readFile(path));
  const canvas = createCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const rgb = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return tf.tensor3d(rgb, [image.height, image.width, 3], 'int32');
}

say({ ready: `npm @vladmandic/face-api ${faceapi.version}, tfjs wasm` });
for await (const path of createInterface({ input: process.stdin })) {
  const photo = await pixels(path);
  const found = await faceapi.detectAllFaces(photo, options).withFaceLandmarks().withFaceDescriptors();
  tf.dispose(photo);
  say({ faces: found.map(({ detection: { box } }) => [box.x, box.y, box.width, box.height]) });
}

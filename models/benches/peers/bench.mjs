// `make bench-faces`: the same photos through every program in turn, one core each, and one table of what it took.
//
// Every program reads a path a line on its input and answers with a line of faces. Programs take turns photo by photo, so that a busy machine
// treats all alike. Processor time and memory are those of the program and its children, as Linux counts them. The round before the first is
// not counted: it loads and warms up.

import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCanvas, loadImage } from '@napi-rs/canvas';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../../..');
const PACK = join(ROOT, 'models/pack/face-api');
const PYTHON = process.env.BENCH_PYTHON ?? join(HERE, '.venv/bin/python');
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const WORK = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'bench-faces');
const TICKS_PER_SECOND = 100;
// A photo of 12 megapixels and of this quality has about 3 MB, as a phone makes it.
const LARGE = { width: 4000, grain: 12, quality: 0.92 };

/** The rectangles of the package's sample photos that hold a face, looked at one by one; they also hold the engine's tests. */
function samples() {
  const golden = JSON.parse(readFileSync(join(ROOT, 'models/golden/sample_photos.json')));
  return golden.photos.map((photo, at) => ({
    path: join(ROOT, `models/node_modules/@vladmandic/face-api/demo/sample${at + 1}.jpg`),
    faces: photo.faces.map(({ rect }) => (Array.isArray(rect) ? rect : [rect.x, rect.y, rect.w, rect.h])),
  }));
}

/** The same photos with the width of a phone's, and with grain: a smooth picture would decode faster than any real one. */
async function enlarged({ path, faces }) {
  const target = join(WORK, basename(path));
  const image = await loadImage(path);
  const scale = LARGE.width / image.width;
  const grown = { path: target, faces: faces.map((face) => face.map((side) => side * scale)) };
  if (existsSync(target)) return grown;
  const canvas = createCanvas(LARGE.width, Math.round(image.height * scale));
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  let seed = 1;
  for (let at = 0; at < pixels.data.length; at += 4) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const grain = ((seed >>> 24) / 255 - 0.5) * 2 * LARGE.grain;
    for (let channel = 0; channel < 3; channel++) pixels.data[at + channel] += grain;
  }
  context.putImageData(pixels, 0, 0);
  writeFileSync(target, canvas.toBuffer('image/jpeg', LARGE.quality));
  return grown;
}

/** Labelled photos of groups, which are not part of the repository. */
function groups() {
  if (!process.env.INFRAME_EVAL_DIR) return undefined;
  const folder = join(process.env.INFRAME_EVAL_DIR, 'faces/groups');
  const labels = JSON.parse(readFileSync(join(folder, 'boxes.json')));
  const files = readdirSync(folder).filter((name) => /\.jpe?g$/.test(name)).sort();
  return files.map((name) => ({
    path: join(folder, name),
    faces: (labels[name] ?? []).filter((box) => !box.ignore).map(({ x, y, w, h }) => [x, y, w, h]),
  }));
}

/** A running program, its answers and what it has used. */
class Program {
  constructor(command) {
    this.child = spawn('taskset', ['-c', String(cpus().length - 1), ...command], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async next() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('it ended');
    return JSON.parse(value);
  }

  async faces(path) {
    const start = process.hrtime.bigint();
    this.child.stdin.write(`${path}\n`);
    const { faces } = await this.next();
    return { faces, seconds: Number(process.hrtime.bigint() - start) / 1e9 };
  }

  /** Processor seconds so far, and the most memory of one process, in MB. */
  used() {
    const [ids, used] = [[this.child.pid], { seconds: 0, mb: 0 }];
    while (ids.length > 0) {
      const id = ids.pop();
      const fields = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      used.seconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
      used.mb = Math.max(used.mb, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`))[1]) / 1024);
      for (const task of readdirSync(`/proc/${id}/task`)) {
        ids.push(...readFileSync(`/proc/${id}/task/${task}/children`, 'utf8').split(' ').filter(Boolean));
      }
    }
    return used;
  }
}

/** Whether a found box is that of a labelled face: they overlap by 0.4 of what they cover, or their middles are near. */
function same([x, y, w, h], [u, v, s, t]) {
  const across = Math.max(0, Math.min(x + w, u + s) - Math.max(x, u));
  const down = Math.max(0, Math.min(y + h, v + t) - Math.max(y, v));
  const both = across * down;
  const apart = [Math.abs(x + w / 2 - u - s / 2) / s, Math.abs(y + h / 2 - v - t / 2) / t];
  return both / (w * h + s * t - both) >= 0.4 || Math.max(...apart) < 0.5;
}

function found(labelled, boxes) {
  const left = [...boxes];
  return labelled.filter((label) => {
    const at = left.findIndex((box) => same(label, box));
    return at >= 0 && left.splice(at, 1);
  }).length;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** The path of our own side, built as everything else is. */
function ours() {
  const packages = ['inframe', 'inframe-models', 'inframe-tests'].flatMap((name) => ['-p', name]);
  const build = ['bench', '--profile', 'dev', ...packages, '--bench', 'faces', '--no-run', '--message-format', 'json'];
  const built = spawnSync('cargo', build, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });
  const artefacts = built.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  return artefacts.find(({ target, executable }) => executable && target.name === 'faces').executable;
}

async function start(command) {
  const program = new Program(command);
  try {
    const { ready } = await program.next();
    return { program, name: ready };
  } catch (error) {
    program.child.kill();
    return { skipped: `${command.slice(0, 2).map((part) => basename(part)).join(' ')}: ${error.message}` };
  }
}

async function measure(photos, commands) {
  const started = await Promise.all(commands.map(start));
  const running = started.filter(({ program }) => program);
  for (const entry of running) Object.assign(entry, { seconds: [], processor: [], hits: 0, extra: 0, faces: 0 });
  for (let round = 0; round <= ROUNDS; round++) {
    const before = running.map(({ program }) => program.used().seconds);
    const walls = running.map(() => 0);
    for (const [turn, { path, faces }] of photos.entries()) {
      for (let step = 0; step < running.length; step++) {
        const at = (turn + round + step) % running.length;
        const answer = await running[at].program.faces(path);
        walls[at] += answer.seconds;
        if (round === 0) {
          const hits = found(faces, answer.faces);
          running[at].hits += hits;
          running[at].extra += answer.faces.length - hits;
          running[at].faces += answer.faces.length;
        }
      }
    }
    if (round === 0) continue;
    for (const [at, entry] of running.entries()) {
      entry.seconds.push(walls[at]);
      entry.processor.push(entry.program.used().seconds - before[at]);
    }
  }
  const labelled = photos.reduce((sum, { faces }) => sum + faces.length, 0);
  const rows = running.map(({ program, name, seconds, processor, hits, extra, faces }) => {
    const cpu = median(processor);
    const { mb } = program.used();
    program.child.stdin.end();
    const row = [name, photos.length / cpu, faces / cpu, cpu / photos.length, photos.length / median(seconds), mb, hits, extra];
    return { row, labelled };
  });
  return { rows, labelled, skipped: started.map(({ skipped }) => skipped).filter(Boolean) };
}

function table(title, { rows, labelled, skipped }) {
  const lines = [
    `### ${title}`,
    '',
    '| program | photos per CPU second | faces per CPU second | CPU s a photo | photos/s by the clock | peak memory, MB | labelled faces found | other boxes |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(({ row: [name, photos, faces, cpu, wall, mb, hits, extra] }) =>
      `| ${name} | ${photos.toFixed(2)} | ${faces.toFixed(1)} | ${cpu.toFixed(3)} | ${wall.toFixed(2)} | ${mb.toFixed(0)} | ${hits} of ${labelled} | ${extra} |`),
    ...skipped.map((why) => `\nskipped: ${why}`),
  ];
  return lines.join('\n');
}

/** Each network alone, ours against onnxruntime: the least of 20 runs, in turns. */
function networks(ours, theirs) {
  const least = (command) => {
    const { stdout } = spawnSync('taskset', ['-c', String(cpus().length - 1), ...command], { encoding: 'utf8' });
    return JSON.parse(stdout);
  };
  const both = [least(ours), least(theirs)];
  for (let round = 1; round < ROUNDS; round++) {
    for (const [at, command] of [ours, theirs].entries()) {
      for (const [name, ms] of Object.entries(least(command))) both[at][name] = Math.min(both[at][name], ms);
    }
  }
  const row = (name) => {
    const [own, other] = both.map((times) => times[name]);
    return `| ${name} | ${own.toFixed(2)} ms | ${other.toFixed(2)} ms | ${(own / other).toFixed(2)} |`;
  };
  return ['### Networks', '', '| network | ours | onnxruntime | ratio |', '|---|---|---|---|', ...Object.keys(both[0]).map(row)].join('\n');
}

mkdirSync(WORK, { recursive: true });
const bin = ours();
const python = existsSync(PYTHON);
const commands = [
  [process.execPath, join(HERE, 'npm.mjs')],
  ...(python ? ['same', 'plain'].map((steps) => [PYTHON, join(HERE, 'onnx.py'), PACK, steps]) : []),
  ...(python ? [[PYTHON, '-W', 'ignore', join(HERE, 'dlib_faces.py')]] : []),
  [bin, 'engine'],
  [bin, 'sandbox'],
];
const small = samples();
const sets = [
  ['Sample photos of the package, about 2.7 megapixels', small],
  ['The same at 12 megapixels, with grain', await Promise.all(small.map(enlarged))],
  ['Labelled photos of groups (INFRAME_EVAL_DIR)', groups()],
].filter(([title, photos]) => photos ?? console.log(`skipped: ${title}\n`));
console.log(`${cpus()[0].model}, one core for every program in turn; medians of ${ROUNDS} rounds; load ${loadavg()[0].toFixed(1)}\n`);
for (const [title, photos] of sets) console.log(`${table(title, await measure(photos, commands))}\n`);
console.log(python ? networks([bin, 'networks'], [PYTHON, join(HERE, 'onnx.py'), PACK, 'networks']) : 'skipped: networks one by one');

// Real daemons in throwaway folders, and their API over the Unix socket for what is not clicked in a test.

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = resolve(import.meta.dirname, '../..')
const START_LIMIT_MS = 60_000
const LOG_TAIL_LINES = 40

export const SAMPLES = process.env.INFRAME_SAMPLES ?? join(ROOT, 'models/node_modules/@vladmandic/face-api/demo')

/** The bytes of `sampleN.jpg`, N from 1 to 6. */
export function sample(number) {
  return readFileSync(join(SAMPLES, `sample${number}.jpg`))
}

function built(name) {
  const path = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'debug', name)
  if (!existsSync(path)) throw new Error(`no ${name} at ${path}; run \`make build\` first`)
  return path
}

function binary() {
  return process.env.INFRAME_BIN ?? built('inframe')
}

/** Pictures of one head that looks `straight`, `left`, `right` and `up`, each a JPEG: computed from a sample photo, see `tests/src/heads.rs`. */
export function heads() {
  const folder = mkdtempSync(join(tmpdir(), 'inframe-heads-'))
  try {
    execFileSync(built('heads'), [folder])
    return Object.fromEntries(['straight', 'left', 'right', 'up'].map((ask) => [ask, readFileSync(join(folder, `${ask}.jpg`))]))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** One running daemon. */
export class Daemon {
  static #running = new Set()
  #child
  #folder
  #log = []

  /** Starts a daemon, with `more` flags, and waits until it serves. Its owner has been through the first steps. */
  static async start(nickname, more = []) {
    const daemon = await Daemon.startNew(nickname, more)
    await daemon.api('POST', '/first-run/done')
    return daemon
  }

  /** The same, with the first steps still to come. */
  static async startNew(nickname, more = []) {
    const daemon = new Daemon()
    await daemon.#launch(nickname, more)
    // What a test allows goes at once, but in the test of that.
    if (!daemon.ready.locked) await daemon.api('PATCH', '/settings', { undo_seconds: 0 })
    return daemon
  }

  /** A folder beside the data folder, removed with it. */
  get folder() {
    return this.#folder
  }

  async #launch(nickname, more) {
    this.nickname = nickname
    this.#folder ??= mkdtempSync(join(tmpdir(), 'inframe-browser-'))
    this.socket = join(this.#folder, 'data/inframe.sock')
    const files = ['--data-dir', join(this.#folder, 'data'), '--key-file', join(this.#folder, 'master.key')]
    const network = ['--dashboard', '127.0.0.1:0', '--guests', '0.0.0.0:0', '--p2p', '/ip4/127.0.0.1/tcp/0', '--no-mdns']
    Daemon.#running.add(this)
    this.#child = spawn(binary(), ['run', ...files, ...network, '--nickname', nickname, '--ready-json', ...more], { stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.#log.push(line))
    const lines = createInterface({ input: this.#child.stdout })
    this.ready = await new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`${nickname} is not ready after ${START_LIMIT_MS} ms\n${this.log()}`)), START_LIMIT_MS)
      lines.once('line', (line) => (clearTimeout(timer), done(JSON.parse(line))))
      this.#child.once('exit', (code) => (clearTimeout(timer), failed(new Error(`${nickname} ended with ${code}\n${this.log()}`))))
    })
  }

  /** The last lines of the logs of all that run now. */
  static told() {
    return [...Daemon.#running].map((daemon) => `${daemon.nickname} said:\n${daemon.log()}`).join('\n')
  }

  /** The last lines of its log. */
  log() {
    return this.#log.slice(-LOG_TAIL_LINES).join('\n')
  }

  /** One call of the API; answers with the JSON, throws on a refusal. */
  api(method, path, body) {
    const payload = body === undefined ? undefined : Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json'
    const headers = payload === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }
    return new Promise((done, failed) => {
      const call = request({ socketPath: this.socket, host: 'localhost', method, path: `/api/v1${path}`, headers }, (answer) => {
        const parts = []
        answer.on('data', (part) => parts.push(part))
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString()
          if (answer.statusCode >= 300) failed(new Error(`${method} ${path}: ${answer.statusCode} ${text}`))
          else done(text === '' ? undefined : JSON.parse(text))
        })
      })
      call.on('error', failed)
      call.end(payload)
    })
  }

  /** Kills the process, leaves something in its data folder, and starts it there again. */
  async killed(leave) {
    await this.#kill()
    leave(join(this.#folder, 'data'))
    await this.#launch(this.nickname, [])
  }

  async #kill() {
    if (this.#child.exitCode === null) {
      const ended = new Promise((done) => this.#child.once('exit', done))
      this.#child.kill('SIGKILL')
      await ended
    }
  }

  /** Ends the process and removes its folder. */
  async stop() {
    await this.#kill()
    Daemon.#running.delete(this)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Looks at a condition until it gives something, and says what was seen last when it does not. */
export async function waitUntil(what, condition, limitMs = 60_000) {
  const end = Date.now() + limitMs
  for (;;) {
    const seen = await condition()
    if (seen) return seen
    if (Date.now() > end) throw new Error(`waited in vain for ${what}; last seen: ${JSON.stringify(seen)}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

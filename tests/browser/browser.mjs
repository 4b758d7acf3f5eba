// A real Chromium that counts what must not happen (policy violations, console errors, outside requests) and checks accessibility.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { Daemon } from './daemons.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

export const DESKTOP = { width: 1440, height: 900 }
export const PHONE = { width: 390, height: 844 }

/** Where pictures of the screens go. */
export const SCREENSHOTS = process.env.INFRAME_SCREENSHOTS ?? mkdtempSync(join(tmpdir(), 'inframe-screens-'))
mkdirSync(SCREENSHOTS, { recursive: true })

/** A browser; `more` flags are for what a test needs beyond the usual, such as a camera. */
export async function openBrowser(more = []) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  // Pages that a test gives from a folder count as from elsewhere otherwise.
  const given = process.env.INFRAME_WEBUI_DIST ? ['--disable-features=LocalNetworkAccessChecks'] : []
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...given, ...more] })
}

/** A page of one dashboard with everything that went wrong on it. */
export class Screen {
  static #open = new Set()
  wrong = []

  /** What is on every page that is open now, in words, for whoever reads of a failure and cannot look. */
  static async told() {
    const pages = [...Screen.#open].map(async ({ page, wrong }) => {
      const text = await page.locator('body').innerText({ timeout: 2_000 }).catch((error) => `(${error.message})`)
      return [`page ${page.url().split('#')[0]}:`, text.replace(/\s+/g, ' ').slice(0, 1_500), ...wrong].join('\n  ')
    })
    return (await Promise.all(pages)).join('\n')
  }

  static async open(browser, daemon, options = {}) {
    const screen = new Screen()
    screen.origin = new URL(daemon.ready.dashboard).origin
    screen.context = await browser.newContext({ viewport: DESKTOP, colorScheme: 'light', ...options })
    screen.page = await screen.context.newPage()
    screen.page.setDefaultTimeout(20_000)
    if (process.env.INFRAME_WEBUI_DIST) await screen.#pagesFrom(process.env.INFRAME_WEBUI_DIST)
    await screen.#watch()
    Screen.#open.add(screen)
    screen.context.on('close', () => Screen.#open.delete(screen))
    return screen
  }

  /** The dashboard's files from a folder instead of those in the daemon, to try a change of them without building it; the daemon's headers stay. */
  async #pagesFrom(folder) {
    await this.context.route((url) => url.origin === this.origin && !url.pathname.startsWith('/api'), async (route) => {
      const { pathname } = new URL(route.request().url())
      const path = join(folder, pathname)
      const file = pathname !== '/' && existsSync(path) ? path : join(folder, 'index.html')
      const response = await route.fetch({ url: `${this.origin}/` })
      const { 'content-encoding': _, 'content-length': __, 'content-type': ___, ...headers } = response.headers()
      await route.fulfill({ status: 200, headers, path: file })
    })
  }

  async #watch() {
    const { page } = this
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`))
    })
    page.on('console', (message) => {
      const wrong = `${message.type()}: ${message.text()} ${message.location().url}`
      // A block of the timeline is asked for by revision, and again when that is no longer the latest; the browser notes the refusal by itself.
      const outOfDate = / 409 .*\/timeline\/blocks\/\d+\?rev=\d+$/.test(wrong)
      if (message.type() === 'error' && !outOfDate) this.wrong.push(wrong)
    })
    page.on('pageerror', (error) => this.wrong.push(`exception: ${error.message}`))
    page.on('request', (request) => {
      const url = new URL(request.url())
      const own = ['data:', 'blob:', 'about:'].includes(url.protocol) || url.host === new URL(this.origin).host
      if (!own) this.wrong.push(`outside request: ${request.url()}`)
    })
  }

  id(name) {
    return this.page.getByTestId(name)
  }

  /** Waits until every picture in sight has come, or failed. */
  async settled() {
    await this.page.waitForFunction(() => [...document.images].every((image) => image.complete || image.loading === 'lazy'))
    // A change of the colour scheme fades too; what turns without end is left to turn.
    await this.page.evaluate(async () => {
      const ending = document.getAnimations().filter((one) => one.effect?.getTiming().iterations !== Infinity)
      // Three seconds are more than any of them takes; one of something that is not drawn at the moment never ends.
      await Promise.race([Promise.allSettled(ending.map((one) => one.finished)), new Promise((done) => setTimeout(done, 3_000))])
    })
  }

  async go(path) {
    await this.page.goto(this.origin + path)
  }

  /** Accessibility violations of what is on the page now, in words. */
  async axe() {
    await this.page.evaluate(AXE)
    return this.page.evaluate(async () => {
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
      const { violations } = await globalThis.axe.run(document, { runOnly: tags })
      return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.target.join(' ')).slice(0, 3).join(', ')}`)
    })
  }

  /** A picture of what is on the page now, and what is wrong with it, in words. */
  async flaws(label, name) {
    await this.settled()
    await this.picture(name)
    const found = (await this.axe()).map((violation) => `${label}: ${violation}`)
    const sideways = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    if (sideways > 0) found.push(`${label}: ${sideways} px wider than the screen`)
    return [...found, ...this.wrong]
  }

  /** What is wrong with it, as it looks on a desk in the light and on a phone in the dark. */
  async flawsOnDeskAndPhone(label, name) {
    const found = await this.flaws(label, `${name}-desktop`)
    await this.page.setViewportSize(PHONE)
    await this.page.emulateMedia({ colorScheme: 'dark' })
    found.push(...(await this.flaws(`${label}, phone`, `${name}-phone-dark`)))
    await this.page.setViewportSize(DESKTOP)
    await this.page.emulateMedia({ colorScheme: 'light' })
    return found
  }

  async picture(name) {
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) })
  }

  async close() {
    await this.context.close()
  }
}

/** For tests that build on those before them: after one that fails, nothing else makes sense. `failed` takes pictures of it; what the pages and the daemons said goes to the log. */
export function steps(failed) {
  let broken
  return (name, run) =>
    test(name, { timeout: 120_000 }, async () => {
      assert.ok(!broken, `the step before failed: ${broken}`)
      try {
        await run()
      } catch (error) {
        broken = name
        await failed().catch(() => {})
        console.error([`failed: ${name}`, error.stack ?? error, await Screen.told(), Daemon.told()].join('\n'))
        throw error
      }
    })
}

/** Part of a JPEG as a new JPEG, cut by the browser's own canvas. */
export async function cut(browser, bytes, { x, y, width, height }) {
  const page = await browser.newPage()
  try {
    const base64 = await page.evaluate(async (given) => {
      const image = new Image()
      image.src = `data:image/jpeg;base64,${given.base64}`
      await image.decode()
      const canvas = Object.assign(document.createElement('canvas'), { width: given.width, height: given.height })
      canvas.getContext('2d').drawImage(image, -given.x, -given.y)
      return canvas.toDataURL('image/jpeg', 0.92).split(',')[1]
    }, { base64: bytes.toString('base64'), x, y, width, height })
    return Buffer.from(base64, 'base64')
  } finally {
    await page.close()
  }
}

/** Drops a file on the page, as from a file manager. */
export async function drop(page, name, bytes) {
  const transfer = await page.evaluateHandle(({ base64, name }) => {
    const raw = atob(base64)
    const content = Uint8Array.from(raw, (letter) => letter.charCodeAt(0))
    const transfer = new DataTransfer()
    transfer.items.add(new File([content], name, { type: 'image/jpeg' }))
    return transfer
  }, { base64: bytes.toString('base64'), name })
  for (const type of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('body', type, { dataTransfer: transfer })
}

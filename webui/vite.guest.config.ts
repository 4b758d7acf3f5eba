import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

// The guest page: one script and one style, for phones that may be old and Wi-Fi that may be slow. Served by a port of its own under the same strict policy.
export default defineConfig({
  root: fileURLToPath(new URL('guest', import.meta.url)),
  base: '/guest/',
  publicDir: false,
  build: {
    outDir: fileURLToPath(new URL('dist/guest', import.meta.url)),
    emptyOutDir: true,
    target: ['es2020', 'safari14', 'chrome87'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})

// Writes a .gz sibling beside every text file of dist, so that the daemon can serve it without compressing at run time.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url).pathname

function walk(folder) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) walk(path)
    else if (/\.(js|css|html|svg)$/.test(name)) {
      const plain = readFileSync(path)
      const packed = gzipSync(plain, { level: 9 })
      if (packed.length < plain.length) writeFileSync(`${path}.gz`, packed)
    }
  }
}

walk(dist)

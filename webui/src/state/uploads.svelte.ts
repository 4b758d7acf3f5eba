// Files on their way from this browser into the library, three at a time.
import { isAbort, uploadFile, wordsFor } from '../api/client'

const AT_ONCE = 3

export type UploadState = 'waiting' | 'sending' | 'imported' | 'kept' | 'duplicate' | 'restored' | 'refused' | 'failed'

export class Upload {
  state = $state<UploadState>('waiting')
  sentBytes = $state(0)
  reason = $state('')
  constructor(readonly file: File) {}
}

class Uploads {
  /** Opens the file chooser; set by the component that holds it. */
  pick: () => void = () => {}
  list = $state.raw<Upload[]>([])
  #active = 0
  #stop = new AbortController()

  total = $derived(this.list.length)
  finished = $derived(this.list.filter((upload) => upload.state !== 'waiting' && upload.state !== 'sending').length)
  running = $derived(this.finished < this.total)
  imported = $derived(this.count('imported'))
  /** Added as files that cannot be shown. */
  kept = $derived(this.list.filter((upload) => upload.state === 'kept'))
  duplicates = $derived(this.count('duplicate'))
  restored = $derived(this.count('restored'))
  problems = $derived(this.list.filter((upload) => upload.state === 'refused' || upload.state === 'failed'))
  fraction = $derived.by(() => {
    let size = 0
    let sent = 0
    for (const upload of this.list) {
      size += upload.file.size + 1
      sent += upload.state === 'sending' ? upload.sentBytes : upload.state === 'waiting' ? 0 : upload.file.size + 1
    }
    return size === 0 ? 0 : sent / size
  })

  private count(state: UploadState): number {
    return this.list.filter((upload) => upload.state === state).length
  }

  add(files: readonly File[]): void {
    if (files.length === 0) return
    const fresh = files.map((file) => new Upload(file))
    this.list = this.running ? [...this.list, ...fresh] : fresh
    this.#pump()
  }

  retry(): void {
    for (const upload of this.list) if (upload.state === 'failed') upload.state = 'waiting'
    this.#pump()
  }

  stop(): void {
    this.#stop.abort()
    this.#stop = new AbortController()
    this.list = this.list.filter((upload) => upload.state !== 'waiting' && upload.state !== 'sending')
  }

  clear(): void {
    if (!this.running) this.list = []
  }

  #pump(): void {
    while (this.#active < AT_ONCE) {
      const next = this.list.find((upload) => upload.state === 'waiting')
      if (!next) return
      this.#active++
      void this.#send(next).finally(() => {
        this.#active--
        this.#pump()
      })
    }
  }

  async #send(upload: Upload): Promise<void> {
    upload.state = 'sending'
    upload.sentBytes = 0
    try {
      const answer = await uploadFile(upload.file, (sent) => (upload.sentBytes = sent), this.#stop.signal)
      upload.reason = answer.reason ?? ''
      upload.state = ['imported', 'kept', 'duplicate', 'restored'].includes(answer.outcome) ? (answer.outcome as UploadState) : 'refused'
    } catch (error) {
      upload.reason = isAbort(error) ? 'Stopped.' : wordsFor(error)
      upload.state = 'failed'
    }
  }
}

export const uploads = new Uploads()

/** The files of a drop, looking into folders where the browser allows it. */
export async function filesOfDrop(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null)
  if (entries.every((entry) => entry === null || entry.isFile)) return [...transfer.files]
  const found: File[] = []
  for (const entry of entries) if (entry) await collect(entry, found)
  return found
}

async function collect(entry: FileSystemEntry, found: File[]): Promise<void> {
  if (entry.name.startsWith('.')) return
  if (entry.isFile) {
    found.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)))
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    // A reader gives its entries in portions and says that it is done with an empty one.
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (portion.length === 0) return
    for (const child of portion) await collect(child, found)
  }
}

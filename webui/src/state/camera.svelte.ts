// The camera of this device: asked for only when wanted, with the reasons why it may not be there, and switched off on leave.

export type CameraTrouble = 'insecure' | 'denied' | 'missing' | 'busy' | 'lost' | 'unknown'

/** Long side of a frame in pixels: enough for a face across a third of it, small enough to look at twice a second. */
const FRAME_PX = 960
const JPEG_QUALITY = 0.86

/** Browsers give cameras to pages over HTTPS or on this very computer only. */
export function cameraPossible(): boolean {
  return isSecureContext && typeof navigator.mediaDevices?.getUserMedia === 'function'
}

/** Which trouble an error of `getUserMedia` means. */
export function troubleOf(error: unknown): CameraTrouble {
  const name = error instanceof Error ? error.name : ''
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied'
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'missing'
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy'
  return 'unknown'
}

/** What to say and do about each. */
export const TROUBLES: Record<CameraTrouble, { title: string; text: string }> = {
  insecure: {
    title: 'The camera works on this computer only',
    text: 'Browsers give the camera to pages over HTTPS or on the computer itself. Open the dashboard on the computer that runs Inframe, or add a photo from a file.',
  },
  denied: {
    title: 'The browser does not give this page the camera',
    text: 'Allow the camera for this page in the address bar, then try again. Or add a photo from a file.',
  },
  missing: { title: 'No camera was found', text: 'Plug one in and try again, or add a photo from a file.' },
  busy: { title: 'The camera is in use', text: 'Close the other program that uses it, such as a video call, and try again.' },
  lost: { title: 'The camera stopped', text: 'It was unplugged or switched off. Try again, or add a photo from a file.' },
  unknown: { title: 'The camera could not be started', text: 'Try again, or add a photo from a file.' },
}

/** One use of the camera. */
export class Camera {
  stream = $state.raw<MediaStream | null>(null)
  #canvas = document.createElement('canvas')
  #closed = false

  /** Asks for the camera that looks at the person; throws what `getUserMedia` throws. */
  async open(onlost: () => void): Promise<void> {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: 'user', width: { ideal: 1280 }, height: { ideal: 720 } },
    })
    // Left while the browser still asked: nobody may be filmed then.
    if (this.#closed) {
      for (const track of stream.getTracks()) track.stop()
      return
    }
    for (const track of stream.getVideoTracks()) track.addEventListener('ended', () => !this.#closed && onlost())
    this.stream = stream
  }

  close(): void {
    this.#closed = true
    for (const track of this.stream?.getTracks() ?? []) track.stop()
    this.stream = null
  }

  /** What the video shows now, as a JPEG; null while it shows nothing yet. */
  frame(video: HTMLVideoElement): Promise<Blob | null> {
    const { videoWidth, videoHeight } = video
    if (videoWidth === 0 || videoHeight === 0) return Promise.resolve(null)
    const scale = Math.min(1, FRAME_PX / Math.max(videoWidth, videoHeight))
    this.#canvas.width = Math.round(videoWidth * scale)
    this.#canvas.height = Math.round(videoHeight * scale)
    this.#canvas.getContext('2d')?.drawImage(video, 0, 0, this.#canvas.width, this.#canvas.height)
    return new Promise((done) => this.#canvas.toBlob(done, 'image/jpeg', JPEG_QUALITY))
  }
}

// A selfie is made small before it leaves the phone: enough for a face, and nothing but pixels.

const LONG_SIDE_PX = 1_600
const QUALITY = 0.9

export async function prepared(file: File): Promise<Uint8Array> {
  const small = await smaller(file).catch(() => undefined)
  return new Uint8Array(await (small ?? file).arrayBuffer())
}

async function smaller(file: File): Promise<Blob | undefined> {
  const address = URL.createObjectURL(file)
  try {
    const image = new Image()
    image.src = address
    await image.decode()
    const scale = Math.min(1, LONG_SIDE_PX / Math.max(image.naturalWidth, image.naturalHeight))
    const canvas = document.createElement('canvas')
    canvas.width = Math.round(image.naturalWidth * scale)
    canvas.height = Math.round(image.naturalHeight * scale)
    const context = canvas.getContext('2d')
    if (!context) return undefined
    context.drawImage(image, 0, 0, canvas.width, canvas.height)
    return await new Promise<Blob | undefined>((take) => canvas.toBlob((blob) => take(blob ?? undefined), 'image/jpeg', QUALITY))
  } finally {
    URL.revokeObjectURL(address)
  }
}

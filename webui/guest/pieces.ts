// How a file is cut.

/** Numbers of the pieces that the device has not. */
export function missingPieces(upload: { have: number[] }, bytes: number, pieceBytes: number) {
  const have = new Set(upload.have)
  return Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, index) => index).filter((index) => !have.has(index))
}

/** Bytes of a piece. */
export function pieceSize(bytes: number, pieceBytes: number, index: number) {
  return Math.max(0, Math.min(pieceBytes, bytes - index * pieceBytes))
}

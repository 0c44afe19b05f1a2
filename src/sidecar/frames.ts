// WebSocket frames (RFC 6455 section 5.2) as they pass: where one ends, so that a last one can be said behind it. It looks at
// their lengths and at nothing else, and never holds one.

export interface Frames {
  /** What has passed, in its order. */
  pass(chunk: Uint8Array): void
  /** Whether nothing is begun that has not ended. */
  isBetween(): boolean
}

export function watchFrames(): Frames {
  let header: number[] = []
  let left = 0
  return {
    pass(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const passed = Math.min(left, chunk.length - at)
        left -= passed
        at += passed
        if (at === chunk.length) return
        header.push(chunk[at++] ?? 0)
        const length = payloadLength(header)
        if (length === undefined) continue
        left = length
        header = []
      }
    },
    isBetween: () => left === 0 && header.length === 0,
  }
}

/** Of a whole header; undefined while there is more of it to come. */
function payloadLength(header: readonly number[]): number | undefined {
  const [, second] = header
  if (second === undefined) return undefined
  const short = second & 0x7f
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0
  const masked = second & 0x80 ? 4 : 0
  if (header.length < 2 + extended + masked) return undefined
  return extended === 0 ? short : header.slice(2, 2 + extended).reduce((sum, byte) => sum * 256 + byte, 0)
}

/** What a server says last. `reason` is plain ASCII of at most 123 characters. */
export function closeFrame(status: number, reason: string): Buffer {
  const body = Buffer.alloc(2 + reason.length)
  body.writeUInt16BE(status)
  body.write(reason, 2, "latin1")
  return Buffer.concat([Buffer.from([0x88, body.length]), body])
}

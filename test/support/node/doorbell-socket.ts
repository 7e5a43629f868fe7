import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const TEXT = 1
const CLOSE = 8

/** The server's end of a WebSocket (RFC 6455), as far as a doorbell needs it: whole text frames below 64 KB. */
export class DoorbellSocket {
  readonly #stream: Duplex
  #received = Buffer.alloc(0)

  /** Answers an upgrade request with 101. */
  constructor(request: IncomingMessage, stream: Duplex, onText: (text: string) => void) {
    this.#stream = stream
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    stream.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#readFrames(onText)
    })
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text))
  }

  close(): void {
    this.#write(CLOSE, Buffer.alloc(0))
    this.#stream.end()
  }

  /** As when a network fails: no farewell. */
  cut(): void {
    this.#stream.destroy()
  }

  onClose(listener: () => void): void {
    this.#stream.once('close', listener)
  }

  #write(opcode: number, payload: Buffer): void {
    const length =
      payload.length < 126
        ? Buffer.from([payload.length])
        : Buffer.from([126, payload.length >> 8, payload.length & 0xff])
    this.#stream.write(Buffer.concat([Buffer.from([0x80 | opcode]), length, payload]))
  }

  #readFrames(onText: (text: string) => void): void {
    for (;;) {
      const [first, second] = this.#received
      if (first === undefined || second === undefined) {
        return
      }
      const isLong = (second & 0x7f) === 126
      const at = isLong ? 4 : 2
      const size = isLong ? this.#received.readUInt16BE(2) : second & 0x7f
      if (this.#received.length < at + 4 + size) {
        return
      }
      const mask = this.#received.subarray(at, at + 4)
      const payload = this.#received
        .subarray(at + 4, at + 4 + size)
        .map((byte, index) => byte ^ (mask[index % 4] ?? 0))
      this.#received = this.#received.subarray(at + 4 + size)
      if ((first & 0x0f) === TEXT) {
        onText(Buffer.from(payload).toString())
      } else if ((first & 0x0f) === CLOSE) {
        this.close()
      }
    }
  }
}

import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = 1
const CLOSE = 8
const PING = 9
const PONG = 10

/** The server's end of a WebSocket: whole text messages, which is all that our clients send. */
export class ServerSocket {
  readonly #stream: Duplex
  readonly #onText: (text: string) => void
  #received = Buffer.alloc(0)

  /** Answers the upgrade; takes the first subprotocol that is offered. */
  constructor(request: IncomingMessage, stream: Duplex, onText: (text: string) => void) {
    this.#stream = stream
    this.#onText = onText
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}${KEY_SUFFIX}`)
      .digest('base64')
    const protocol = request.headers['sec-websocket-protocol']?.split(',')[0]
    stream.write(
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${accept}`,
        ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
        '\r\n',
      ].join('\r\n'),
    )
    stream.on('error', () => stream.destroy())
    stream.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      for (let frame = decode(this.#received); frame; frame = decode(this.#received)) {
        this.#received = this.#received.subarray(frame.length)
        this.#take(frame)
      }
    })
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text))
  }

  /** Closes in good order. */
  close(): void {
    this.#write(CLOSE, Buffer.alloc(0))
    this.#stream.end()
  }

  /** Cuts the line without a word, as a network does. */
  cut(): void {
    this.#stream.destroy()
  }

  onClose(listener: () => void): void {
    this.#stream.once('close', listener)
  }

  #take(frame: Frame): void {
    if (frame.opcode === TEXT) {
      this.#onText(frame.payload.toString())
    } else if (frame.opcode === PING) {
      this.#write(PONG, frame.payload)
    } else if (frame.opcode === CLOSE) {
      this.#write(CLOSE, frame.payload)
      this.#stream.end()
    }
  }

  #write(opcode: number, payload: Buffer): void {
    if (this.#stream.writable) {
      this.#stream.write(Buffer.concat([header(opcode, payload.length), payload]))
    }
  }
}

function header(opcode: number, length: number): Buffer {
  if (length < 126) {
    return Buffer.from([0x80 | opcode, length])
  }
  if (length < 65_536) {
    return Buffer.from([0x80 | opcode, 126, length >> 8, length & 255])
  }
  const bytes = Buffer.alloc(10)
  bytes[0] = 0x80 | opcode
  bytes[1] = 127
  bytes.writeBigUInt64BE(BigInt(length), 2)
  return bytes
}

interface Frame {
  opcode: number
  payload: Buffer
  /** Bytes that the frame took. */
  length: number
}

/** The first frame, if all of it is here. */
function decode(buffer: Buffer): Frame | undefined {
  if (buffer.length < 2) {
    return undefined
  }
  const opcode = buffer.readUInt8(0) & 15
  const isMasked = (buffer.readUInt8(1) & 128) !== 0
  let size = buffer.readUInt8(1) & 127
  let offset = 2
  if (size === 126) {
    if (buffer.length < 4) {
      return undefined
    }
    size = buffer.readUInt16BE(2)
    offset = 4
  } else if (size === 127) {
    if (buffer.length < 10) {
      return undefined
    }
    size = Number(buffer.readBigUInt64BE(2))
    offset = 10
  }
  const start = offset + (isMasked ? 4 : 0)
  if (buffer.length < start + size) {
    return undefined
  }
  const payload = Buffer.from(buffer.subarray(start, start + size)).map((byte, index) =>
    isMasked ? byte ^ (buffer[offset + (index % 4)] ?? 0) : byte,
  )
  return { opcode, payload: Buffer.from(payload), length: start + size }
}
